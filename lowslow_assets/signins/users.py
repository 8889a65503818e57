"""Who a user is: the log's user id where there is one, under the name that it usually has.

The log calls an account by its id where it could not look the name up, as of many failures; a guest
by the name at home or by one with ``#EXT#``; an account that was renamed by both names. A day's
sign-ins get the day's usual name when they are ingested. What the days disagree in is resolved at
the hunt, over its window, so that no day depends on another.
"""

from datetime import date

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema, without
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import RAW_SIGNINS, USER_NAMES, Table

SIGNINS = without(RAW_SIGNINS.dated, "copies")
"""The columns of sign-ins before repeated ones are left out."""

# An account has no more ids or names in a window. What has more is a placeholder, which somebody
# put in the place of what was there.
_MOST_IDS, _MOST_NAMES = 3, 10
_GUID = "________-____-____-____-____________"


@transform(USER_NAMES.dated, signins=SIGNINS)
def count_names(signins: Relation) -> Relation:
    """How often each day's sign-ins call which user id by which name: rows of ``user_names``.

    Where a sign-in has no id, but a GUID for a name, that is the id.
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
    """Of the rows of ``user_names`` one an id and day: its usual name, with all its sign-ins.

    That is the one that most sign-ins have. A guest's with ``#EXT#`` is taken only where there is
    no other, and the id itself only where there is no name: a GUID is none, nor is what several
    accounts are called. An id that has many names is nobody's, and is left out.
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


@transform(SIGNINS, signins=SIGNINS)
def name_users(signins: Relation) -> Relation:
    """Give all sign-ins that a day has of one user id its usual name of the day: ``user``."""
    return sql(
        """
        WITH _named AS (
            SELECT {others}, coalesce(_names."user", _signins."user") AS "user"
            FROM {signins} AS _signins
            LEFT JOIN {names} AS _names
                ON _names.date = _signins.date
                AND _names.user_id = coalesce(_signins.user_id, _signins."user")
        )
        SELECT {columns} FROM _named
        """,
        signins=signins,
        names=usual_names(count_names(signins)).held(),
        others=Columns(without(SIGNINS, "user"), "_signins"),
        columns=Columns(SIGNINS),
    )


RENAMED = schema("day date, called string, name string")


@transform(RENAMED, names=USER_NAMES.dated)
def renamed_users(names: Relation, last_day: date) -> Relation:
    """The accounts that have another name on a day than usual in the window: both names.

    ``names`` are the ``user_names`` of the window's days. Of several ids that a day calls by one
    name, the one of most sign-ins has it.
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
    """Rows of a table with ``user`` and ``date`` as they are, but for the names of ``renamed``."""
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
