"""Accounts in the order of a list, by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.list_order import (
    following_accounts,
    in_same_order,
    one_after_the_other,
)
from lowslow_assets.detection.members import Suspects
from lowslow_assets.lake.tables import SUSPECT_FAILURES

START = datetime(2026, 5, 4, tzinfo=UTC)


def tried(*accounts: str, minutes_apart: float = 60) -> Suspects:
    """The accounts one after the other."""
    rows = {
        "time_generated": [
            START + timedelta(minutes=minutes_apart * i) for i in range(len(accounts))
        ],
        "signin_id": [f"{i:05}" for i in range(len(accounts))],
        "user": accounts,
        "pattern": [0] * len(accounts),
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * len(accounts))
    return Suspects.of(pa.Table.from_pydict(nothing | rows, SUSPECT_FAILURES.schema))


def test_a_list_is_tried_again() -> None:
    """Strays between its accounts do not matter; the third time is in another order."""
    found = tried(*"abc", "stray", *"abc", "other", *"acb")
    assert following_accounts(found) == {
        "a": ["b", "b", "c"],
        "b": ["c", "c"],
        "c": ["a", "a", "b"],
    }
    assert in_same_order(found).tolist() == [*[True] * 3, False, *[True] * 3, False, *[True] * 3]
    # The order of the rows does not count, that of the times does.
    assert in_same_order(found.at(np.arange(len(found))[::-1])).sum() == 9


def test_another_order_is_not_the_same() -> None:
    assert not in_same_order(tried(*"abcacb")).any()


def test_an_account_tried_once_is_followed_by_nothing() -> None:
    assert following_accounts(tried(*"abc")) == {}
    assert in_same_order(tried()).tolist() == []


def test_an_account_does_not_follow_itself() -> None:
    assert one_after_the_other(tried(*"abba")) == [("a", "b"), ("b", "a")]


def test_what_comes_within_the_hour_follows_nothing() -> None:
    assert one_after_the_other(tried(*"abab", minutes_apart=59)) == []
    assert one_after_the_other(tried(*"aba")) == [("a", "b"), ("b", "a")]


def test_names_may_end_with_anything() -> None:
    assert in_same_order(tried("a\0", "b", "a\0", "b", "a\0")).tolist() == [True] * 5
