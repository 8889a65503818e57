"""Who a user is: by id, within a day and over a window of days."""

from datetime import UTC, date, datetime

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import SUCCESS_SOURCES, USER_NAMES
from lowslow_assets.signins.ingest import deduplicate
from lowslow_assets.signins.users import (
    RENAMED,
    SIGNINS,
    count_names,
    name_users,
    renamed_users,
    under_usual_names,
)
from lowslow_assets_tests.support.relations import relation

FIRST, NEXT, LAST = (date(2026, 6, day) for day in (28, 29, 30))
ID = "0f0e0d0c-1111-4222-8333-444455556666"
OTHER = "0f0e0d0c-1111-4222-8333-777788889999"
Signin = tuple[str | None, str, date]


def named(engine: Engine, *signins: Signin) -> list[str]:
    """The user of each sign-in when its day is ingested."""
    rows = [
        {
            "signin_id": f"{number:02}",
            "time_generated": datetime(2026, 6, 30, tzinfo=UTC),
            "user_id": id_,
            "user": name,
            "result_type": "0",
            "date": day,
        }
        for number, (id_, name, day) in enumerate(signins)
    ]
    logged = relation(engine, SIGNINS, rows)
    found = name_users(deduplicate(logged), logged)
    return [row["user"] for row in sorted(found.rows(), key=lambda row: row["signin_id"])]


def test_one_account_has_one_name_per_day(engine: Engine):
    mia = [(ID, ID, LAST)] * 5 + [(ID, "mia@example.com", LAST)] * 2
    mia += [(ID, "mia.old@example.com", LAST), (None, ID, LAST)]
    guest = [("g-2", "guest_example.org#ext#@example.com", LAST)] * 3
    guest += [("g-2", "guest@example.org", LAST)]
    others = [
        ("g-3", "g-3", LAST),
        ("g-3", OTHER, LAST),
        (None, "nobody@example.com", LAST),
        # From another day, of which only the id is known.
        (ID, ID, NEXT),
    ]
    assert named(engine, *mia, *guest, *others) == [
        *["mia@example.com"] * 9,
        *["guest@example.org"] * 4,
        *("g-3", "g-3", "nobody@example.com", ID),
    ]


def test_a_text_that_names_several_accounts_is_not_a_name(engine: Engine):
    placeholders = [(f"u-{n}", "somebody", LAST) for n in range(5)]
    # An account that was created anew has another id on the same day.
    again = [("old", "ann@example.com", LAST), ("new", "ann@example.com", LAST)]
    # A placeholder for an id.
    nobody = [("nobody", f"user{n}@example.com", LAST) for n in range(20)]
    found = named(engine, *placeholders, ("u-0", "bob@example.com", LAST), *again, *nobody)
    assert found[:6] == ["bob@example.com", "u-1", "u-2", "u-3", "u-4", "bob@example.com"]
    assert found[6:8] == ["ann@example.com"] * 2
    assert found[8:] == [name for _, name, _ in nobody]


def test_names_are_counted_by_day(engine: Engine):
    rows = [
        {"user_id": "u", "user": "ann", "date": LAST},
        {"user_id": "u", "user": "ann", "date": LAST},
        {"user_id": "u", "user": "u", "date": NEXT},
        {"user_id": None, "user": "no id", "date": LAST},
        {"user_id": None, "user": ID, "date": LAST},
    ]
    found = {tuple(row.values()) for row in count_names(relation(engine, SIGNINS, rows)).rows()}
    assert found == {("u", "ann", 2, LAST), ("u", "u", 1, NEXT), (ID, ID, 1, LAST)}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # A day's failures have only the id, however many they are.
        (
            [(ID, ID, 900, FIRST), (ID, "mia@example.com", 1, NEXT)],
            {(FIRST, ID, "mia@example.com")},
        ),
        # Renamed: the name of most sign-ins is also used on the days of the other name.
        (
            [("u", "old", 5, FIRST), ("u", "new", 3, NEXT), ("u", "new", 3, LAST)],
            {(FIRST, "old", "new")},
        ),
        # A guest has the name at home.
        ([("g", "a_b#ext#@c", 9, FIRST), ("g", "a@b", 1, LAST)], {(FIRST, "a_b#ext#@c", "a@b")}),
        # A name that another account has later belongs to that account then.
        (
            [
                *(("x", "lee", 1, FIRST), ("x", "smith", 8, NEXT)),
                *(("y", "lee", 2, LAST), ("y", "lee", 1, NEXT)),
            ],
            {(FIRST, "lee", "smith")},
        ),
        # If two accounts have one name on one day, the one with most sign-ins gets it.
        (
            [("x", "lee", 1, FIRST), ("x", "smith", 8, NEXT), ("y", "lee", 2, FIRST)],
            set(),
        ),
        # An account that is created anew, with another id, counts as the same.
        ([("old", "ann", 5, FIRST), ("new", "ann", 5, NEXT)], set()),
        # A placeholder for an id belongs to no account.
        ([("nobody", f"user{n}", 1, FIRST if n % 2 else LAST) for n in range(12)], set()),
        ([], set()),
    ],
)
def test_over_days_an_account_has_one_name(
    engine: Engine,
    names: list[tuple[str, str, int, date]],
    expected: set[tuple[date, str, str]],
):
    rows = [dict(zip(USER_NAMES.dated.names, row, strict=True)) for row in names]
    found = renamed_users(relation(engine, USER_NAMES.dated, rows), LAST)
    assert list(found.columns) == RENAMED.names
    assert {tuple(row.values()) for row in found.rows()} == expected


def test_rows_are_given_the_usual_names_of_their_days(engine: Engine):
    sources = [
        {"user": "old", "network": network, "date": day}
        for network, day in (("AS1", FIRST), ("AS1", LAST), (None, FIRST))
    ]
    rows = relation(engine, SUCCESS_SOURCES.dated, [*sources, {"user": "other", "date": FIRST}])
    renamed = relation(engine, RENAMED, [{"day": FIRST, "called": "old", "name": "new"}])
    found = under_usual_names(SUCCESS_SOURCES, rows, renamed)
    assert list(found.columns) == SUCCESS_SOURCES.dated.names
    users = [(row["user"], row["network"], row["date"]) for row in found.rows()]
    assert sorted(users, key=str) == sorted(
        [("new", "AS1", FIRST), ("old", "AS1", LAST), ("new", None, FIRST), ("other", None, FIRST)],
        key=str,
    )
