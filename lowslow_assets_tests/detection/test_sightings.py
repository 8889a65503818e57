"""Calendar and sample of a cluster, from its members."""

import hashlib
from datetime import UTC, date, datetime, timedelta

from lowslow_assets.detection.identity import SAMPLE_SIZE
from lowslow_assets.detection.sightings import Calendar, calendars, samples
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)
MEMBERS = schema("cluster_id int, signin_id string, time_generated timestamp")


def members(engine: Engine, *rows: tuple[int, str, float]) -> Relation:
    """From cluster, sign-in id and hours after 23:00 on the first of June."""
    timed = [(cluster, signin, START + timedelta(hours=hours)) for cluster, signin, hours in rows]
    return relation(engine, MEMBERS, timed)


def test_attempts_by_day_and_the_earliest_of_them(engine: Engine) -> None:
    found = calendars(
        members(engine, (1, "d", 2), (1, "c", 0.5), (1, "b", 0.5), (1, "a", 3), (7, "x", 26))
    )
    assert found == {
        1: Calendar({date(2026, 6, 1): 2, date(2026, 6, 2): 2}, "b"),
        7: Calendar({date(2026, 6, 3): 1}, "x"),
    }
    assert list(found[1].attempts_by_day) == [date(2026, 6, 1), date(2026, 6, 2)]


def test_an_id_that_comes_twice_leaves_a_sample_whole(engine: Engine) -> None:
    rows = [(0, f"signin {i}", i / 24) for i in range(SAMPLE_SIZE + 50)]
    once, twice = (samples(members(engine, *rows, *copies)) for copies in ([], rows[:50]))
    assert twice == once
    assert len(once[0]) == SAMPLE_SIZE


def test_two_hunts_draw_the_same_members(engine: Engine) -> None:
    number = 3 * SAMPLE_SIZE
    rows = [(0, f"signin {i}", i / 24) for i in range(number)]
    every = samples(members(engine, *rows, (1, "other", 0)))
    half = samples(members(engine, *rows[::-2]))
    assert len(every[0]) == len(half[0]) == SAMPLE_SIZE
    assert len(every[1]) == 1
    # Up to the largest hash of the one sample, the other has all of its members.
    known = max(every[0])
    of_half = {h: day for h, day in half[0].items() if h <= known}
    assert of_half.items() <= every[0].items()
    assert SAMPLE_SIZE / 3 < len(of_half) < SAMPLE_SIZE * 2 / 3
    digests = [hashlib.md5(f"signin {i}".encode()).hexdigest() for i in range(number)]
    assert list(every[0]) == sorted(int(digest[:15], 16) for digest in digests)[:SAMPLE_SIZE]
