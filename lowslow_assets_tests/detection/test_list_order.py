"""Accounts in the order of a list, by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from lowslow_assets.detection.list_order import followed_again, one_after_the_other
from lowslow_assets.detection.members import Suspects
from lowslow_assets.lake.tables import SUSPECT_FAILURES

START = datetime(2026, 5, 4, tzinfo=UTC)


def tried(*accounts: str, hours_apart: float = 5) -> Suspects:
    """The accounts one after the other."""
    times = [START + timedelta(hours=hours_apart * i) for i in range(len(accounts))]
    rows = {
        "time_generated": times,
        "signin_id": [f"{i:05}" for i in range(len(accounts))],
        "user": accounts,
        "pattern": [0] * len(accounts),
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * len(accounts))
    return Suspects.of(pa.Table.from_pydict(nothing | rows, SUSPECT_FAILURES.schema))


def test_a_list_is_tried_again() -> None:
    """Strays between its accounts do not matter, and only the first two times count."""
    found = tried(*"abc", "stray", *"abc", "other", *"acb")
    assert followed_again(found) == {"a": True, "b": True, "c": True}
    # The order of the rows does not count, that of the times does.
    assert followed_again(found.at(np.arange(len(found))[::-1])) == followed_again(found)


def test_another_order_is_not_the_same() -> None:
    assert followed_again(tried(*"abcacb")) == {"a": False, "c": False}


def test_an_account_that_is_tried_once_is_followed_by_nothing() -> None:
    assert followed_again(tried(*"abc")) == {}
    assert followed_again(tried()) == {}


def test_an_account_does_not_follow_itself() -> None:
    pairs = one_after_the_other(tried(*"abba"))
    assert pairs == [("a", "b", 0), ("b", "a", 10)]


@pytest.mark.parametrize(("hours_apart", "number"), [(0.99, 0), (1, 2)])
def test_what_comes_within_the_hour_follows_nothing(hours_apart: float, number: int) -> None:
    assert len(one_after_the_other(tried(*"aba", hours_apart=hours_apart))) == number


@pytest.mark.parametrize(
    ("hours_apart", "found"),
    [(8, {}), (23 / 3, {}), (25 / 3, {}), (22 / 3, True), (26 / 3, True)],
    ids=["a day", "23 hours", "25 hours", "22 hours", "26 hours"],
)
def test_devices_that_try_at_their_time_of_each_day_are_no_list(
    hours_apart: float, found: bool | dict
) -> None:
    expected = dict.fromkeys("abc", True) if found else {}
    assert followed_again(tried(*"abcabca", hours_apart=hours_apart)) == expected


def test_names_may_end_with_anything() -> None:
    assert followed_again(tried("a\0", "b", "a\0", "b", "a\0")) == {"a\0": True, "b": True}
