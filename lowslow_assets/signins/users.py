"""Who a user is: the log's user id if there is one, under the name that it usually has.

The log names an account by its id if it could not look up the name, as in many failures. It names a
guest by the name at home or by a name with ``#EXT#``, and a renamed account by both names. When a
day is ingested, its sign-ins get the day's usual name. Differences between the days are resolved by
the hunt, over its window, so that no day depends on another.
"""

from datetime import date

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema, without
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import RAW_SIGNINS, USER_NAMES, Table

SIGNINS = without(RAW_SIGNINS.dated, "copies")
"""The columns of sign-ins before repeated ones are left out."""

# An account has no more ids or names in a window. An id or name with more is a placeholder that
# somebody put in place of the real value.
_MOST_IDS, _MOST_NAMES = 3, 10
_GUID = "________-____-____-____-____________"


@transform(USER_NAMES.dated, signins=SIGNINS)
def count_names(signins: Relation) -> Relation:
    """Per day, how many sign-ins have which user id and name: rows of ``user_names``.

    If a sign-in has no id, but a GUID as its name, the GUID is the id.
    """
    return sql(
        """
        SELECT coalesce(user_id, "user") AS user_id, "user", count(*) AS signins, date
        FROM {signins}
        WHERE user_id IS NOT NULL OR "user" LIKE {guid}
        GROUP BY date, coalesce(user_id, "user"), "user"
        """,
        signins=signins,
        guid=_GUID,
    )


@transform(USER_NAMES.dated, names=USER_NAMES.dated)
def usual_names(names: Relation) -> Relation:
    """From ``user_names``, one row per id and day: its usual name, with all its sign-ins.

    The usual name is the one that most sign-ins have. A guest's name with ``#EXT#`` is taken only
    if there is no other, and the id itself only if there is no name. A GUID does not count as a
    name, nor does a text that names several accounts. An id with many names does not belong to one
    account, and is left out.
    """
    return sql(
        """
        WITH _names AS (
            SELECT
                *,
                count(*) OVER (PARTITION BY date, "user") AS ids,
                count(*) OVER (PARTITION BY date, user_id) AS names,
                sum(signins) OVER (PARTITION BY date, user_id) AS all_signins
            FROM {names}
        ),
        _ranked AS (
            SELECT
                *,
                CASE
                    WHEN "user" = user_id OR "user" LIKE {guid} OR ids > {most_ids} THEN 3
                    WHEN "user" LIKE '%#ext#%' THEN 2
                    ELSE 1
                END AS kind
            FROM _names
            WHERE names <= {most_names}
        )
        SELECT
            user_id,
            CASE WHEN kind = 3 THEN user_id ELSE "user" END AS "user",
            CAST(all_signins AS BIGINT) AS signins,
            date
        FROM _ranked
        QUALIFY
            row_number() OVER (
                PARTITION BY date, user_id
                ORDER BY kind, signins DESC NULLS LAST, "user" NULLS LAST
            ) = 1
        """,
        names=names,
        guid=_GUID,
        most_ids=_MOST_IDS,
        most_names=_MOST_NAMES,
    )


@transform(RAW_SIGNINS.dated, rows=RAW_SIGNINS.dated, signins=SIGNINS)
def name_users(rows: Relation, signins: Relation) -> Relation:
    """Set ``user``: all rows of one user id on a day get its usual name among that day's sign-ins.

    ``rows`` are ``signins`` without repeated ones.
    """
    return sql(
        """
        WITH _named AS (
            SELECT {others}, coalesce(_names."user", _rows."user") AS "user"
            FROM {rows} AS _rows
            LEFT JOIN {names} AS _names
                ON _names.date = _rows.date
                AND _names.user_id = coalesce(_rows.user_id, _rows."user")
        )
        SELECT {columns} FROM _named
        """,
        rows=rows,
        names=usual_names(count_names(signins)).held(),
        others=Columns(without(RAW_SIGNINS.dated, "user"), "_rows"),
        columns=Columns(RAW_SIGNINS.dated),
    )


RENAMED = schema("day date, called string, name string")


@transform(RENAMED, names=USER_NAMES.dated)
def renamed_users(names: Relation, last_day: date) -> Relation:
    """The accounts whose name on a day differs from the usual one of the window, with both names.

    ``names`` are the ``user_names`` of the window's days. If a day uses one name for several ids,
    the name belongs to the id with the most sign-ins.
    """
    of_window = sql(
        """
        SELECT user_id, "user", CAST(sum(signins) AS BIGINT) AS signins, {last_day} AS date
        FROM {names}
        GROUP BY user_id, "user"
        """,
        names=names,
        last_day=last_day,
    )
    return sql(
        """
        WITH _called AS (
            SELECT
                date,
                "user",
                user_id,
                row_number() OVER (
                    PARTITION BY date, "user"
                    ORDER BY signins DESC NULLS LAST, user_id NULLS LAST
                ) AS place
            FROM {names}
        )
        SELECT _called.date AS day, _called."user" AS called, _usual."user" AS name
        FROM _called
        JOIN {usual} AS _usual ON _usual.user_id = _called.user_id
        WHERE _called.place = 1 AND _usual."user" <> _called."user"
        """,
        names=names,
        usual=usual_names(of_window),
    )


def under_usual_names(table: Table, rows: Relation, renamed: Relation) -> Relation:
    """The rows of a table with ``user`` and ``date``, with the names of ``renamed`` replaced."""
    return sql(
        """
        WITH _named AS (
            SELECT {others}, coalesce(_renamed.name, _rows."user") AS "user"
            FROM {rows} AS _rows
            LEFT JOIN {renamed} AS _renamed
                ON _renamed.day = _rows.date AND _renamed.called = _rows."user"
        )
        SELECT {columns} FROM _named
        """,
        rows=rows,
        renamed=renamed,
        others=Columns(without(table.dated, "user"), "_rows"),
        columns=Columns(table.dated),
    )
