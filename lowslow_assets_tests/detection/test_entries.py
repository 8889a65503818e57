"""Entries: which successes are lone visits, what is new about them, and how probable each is."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lowslow_assets.detection.entries import (
    TRAIT_COLUMNS,
    TRAITS,
    count_traits,
    entry_probability,
    evidence,
    lone_prefixes,
    trait_key,
    with_news,
    with_traits,
)
from lowslow_assets.lake.tables import FEATURES

START = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
PROPERTIES = {
    "application": "AppDisplayName",
    "client": "ClientAppUsed",
    "device": "operatingSystem",
    "place": "city",
    "network": "network",
    "name": "displayName",
}
SIGNIN = "date date, signin_id string, user string, ip_prefix string, " + ", ".join(
    f"{feature} string" for feature in PROPERTIES.values()
)


def test_lone_prefixes(spark: SparkSession) -> None:
    def of(user: str, prefix: str | None, first: float, last: float) -> tuple:
        return (user, prefix, START + timedelta(hours=first), round((last - first) * 3600))

    sources = [
        of("ann", "once", 0, 0),
        of("ann", "two hours", 0, 2),
        of("ann", "two rows, two hours", 0, 0.5),
        of("ann", "two rows, two hours", 1, 2),
        of("ann", "longer", 0, 2 + 1 / 3600),
        of("ann", "two rows, longer", 0, 0.5),
        of("ann", "two rows, longer", 1, 2 + 1 / 3600),
        of("ann", "again the next day", 0, 0),
        of("ann", "again the next day", 24, 24),
        of("ann", "two users", 0, 0),
        of("bob", "two users", 0, 0),
        of("bob", None, 0, 0),
        of("bob", "over midnight", 15.5, 15.9),
        of("bob", "over midnight", 16.1, 16.5),
    ]
    schema = "user string, ip_prefix string, first_success timestamp, seconds int"
    found = lone_prefixes(spark.createDataFrame(sources, schema)).collect()
    assert {row["ip_prefix"]: row["first_success"].astimezone(UTC) for row in found} == {
        "once": START,
        "two hours": START,
        "two rows, two hours": START,
        "over midnight": START + timedelta(hours=15.5),
    }


def signin(id: str, prefix: str | None, user: str = "ann", **changed: str) -> tuple:
    """Ann's usual, but for what is changed."""
    usual = {feature: f"usual {name}" for name, feature in PROPERTIES.items()}
    values = usual | {PROPERTIES[name]: value for name, value in changed.items()}
    return (date(2026, 6, 1), id, user, prefix, *values.values())


def news_of(
    spark: SparkSession, signins: Iterable[tuple], successes: Iterable[tuple]
) -> dict[str, set[str]]:
    """Per sign-in the properties that are new to its user."""
    frames = (spark.createDataFrame(list(rows), SIGNIN) for rows in (signins, successes))
    rows = with_news(*frames).collect()
    found = {row["signin_id"]: {name for name in PROPERTIES if row[f"new_{name}"]} for row in rows}
    assert len(found) == len(rows), "a join made rows out of nothing"
    return found


def test_news_to_the_user(spark: SparkSession) -> None:
    history = [
        signin("home", "home"),
        signin("work", "work", place="office", device="work laptop"),
        # Twice from the place of the visit: it does not make itself known.
        signin("visit", "away", application="Portal", place="Rome"),
        signin("visit again", "away", application="Mail", place="Rome"),
        # What others are known for is not known of Ann.
        signin("bob's", "bob's", user="bob", application="Portal", client="IMAP", place="Rome"),
        # Cid has one success, and has nothing to compare it with.
        signin("cid's only", "cid's", user="cid"),
        # From two prefixes known, one of them its own.
        signin("dan's", "away too", user="dan"),
        signin("dan at home", "dan's home", user="dan"),
    ]
    judged = [
        *history[2:4],
        history[5],
        history[6],
        signin("failure", "fresh", client="IMAP", network="AS1"),
        signin("like the visit", "fresh", application="Portal", place="Rome"),
        signin("of the office", "fresh", place="office", device="work laptop"),
        signin("nobody's", "fresh", user="nobody"),
    ]
    everything = set(PROPERTIES)
    assert news_of(spark, judged, history) == {
        "visit": {"application", "place"},
        "visit again": {"application", "place"},
        "cid's only": everything,
        "dan's": set(),
        "failure": {"client", "network"},
        # From another prefix Ann is known to be there.
        "like the visit": set(),
        "of the office": set(),
        "nobody's": everything,
    }


def test_what_is_known_from_an_unknown_source_is_known(spark: SparkSession) -> None:
    """The log may lack an address, or have a GUID for it; the visit's own prefix it is not."""
    assert news_of(spark, [signin("visit", "away")], [signin("home", None)]) == {"visit": set()}


def test_sign_ins_that_may_be_several_campaigns_stay_as_many(spark: SparkSession) -> None:
    rows = spark.createDataFrame([signin("visit", "away")] * 3, SIGNIN)
    home = spark.createDataFrame([signin("home", "home")], SIGNIN)
    assert with_news(rows, home).count() == 3


def mask_of(*features: str) -> int:
    return sum(1 << FEATURES.index(feature) for feature in features)


ANOMALOUS = mask_of(*FEATURES)
KNOWN = {f"new_{name}": False for name in PROPERTIES}
NEW = {f"new_{name}": True for name in PROPERTIES}


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (KNOWN, [0, 0, 0, 0, 0, 1, 0]),
        # Own is a device with a name that is known.
        (KNOWN | {"displayName": "NODATA"}, [0, 0, 0, 0, 0, 0, 0]),
        (KNOWN | {"new_name": True}, [0, 0, 0, 0, 0, 0, 0]),
        (KNOWN | {"tried": True}, [0, 0, 0, 0, 0, 1, 1]),
        (NEW, [1, 1, 1, 1, 0, 0, 0]),
        (NEW | {"mask": ANOMALOUS}, [2, 2, 2, 2, 1, 0, 0]),
        # Anomalous in the tenant, and yet the user's own: nothing new but the network.
        (KNOWN | {"mask": ANOMALOUS}, [0, 0, 0, 0, 1, 1, 0]),
        (KNOWN | {"new_device": True, "mask": mask_of("browser")}, [0, 0, 2, 0, 0, 1, 0]),
        (KNOWN | {"new_place": True, "mask": mask_of("Location")}, [0, 0, 0, 2, 0, 1, 0]),
        (KNOWN | {"new_place": True, "mask": mask_of("browser")}, [0, 0, 0, 1, 0, 1, 0]),
    ],
)
def test_levels_of_traits(spark: SparkSession, values: dict, levels: list[int]) -> None:
    row = {"mask": 0, "displayName": "LAPTOP-1", "tried": False} | values
    schema = "mask int, displayName string, tried boolean, " + ", ".join(
        f"new_{name} boolean" for name in PROPERTIES
    )
    columns = [column.split()[0] for column in schema.split(", ")]
    frame = spark.createDataFrame([tuple(row[column] for column in columns)], schema)
    [found] = with_traits(frame).collect()
    assert list(trait_key(found.asDict())) == levels
    for level, levels_of_trait in zip(levels, TRAITS.values(), strict=True):
        assert level < levels_of_trait


def test_traits_are_counted_by_cluster_and_outcome(spark: SparkSession) -> None:
    ones, zeros = [1] * 7, [0] * 7
    rows = [("a", 0, *ones), ("a", 0, *ones), ("b", 0, *ones), ("a", 0, *zeros), ("a", 3, *ones)]
    schema = "outcome string, " + ", ".join(f"{c} int" for c in ["cluster_id", *TRAIT_COLUMNS])
    counted = count_traits(spark.createDataFrame(rows, schema)).collect()
    found = {
        (row["outcome"], row["cluster_id"], trait_key(row.asDict())): row["number"]
        for row in counted
    }
    assert found == {
        ("a", 0, (1,) * 7): 2,
        ("b", 0, (1,) * 7): 1,
        ("a", 0, (0,) * 7): 1,
        ("a", 3, (1,) * 7): 1,
    }


# Levels in the order of TRAITS.
PLAIN = (0, 0, 0, 0, 0, 0, 0)
TRIED = (0, 0, 0, 0, 0, 0, 1)


def test_probability_by_hand() -> None:
    """Visits of two kinds that differ in one trait, in the first round and the two after.

    Half a count a level: 9 + 1/2 of 10 + 1 failures were on accounts that had been tried, and
    4 + 1/2 of 20 + 1 visits. In the traits that all share, of 3 or 2 levels, the one level has
    (n + 1/2) / (n + 3/2) or (n + 1/2) / (n + 1) on either side.
    """
    failures, visits = {PLAIN: 1, TRIED: 9}, {PLAIN: 16, TRIED: 4}
    honest = {PLAIN: 1.0, TRIED: 1.0}
    for _ in range(3):
        plain, tried = 16 * honest[PLAIN], 4 * honest[TRIED]
        n = plain + tried
        shared = ((10.5 / 11.5) / ((n + 0.5) / (n + 1.5))) ** 4
        shared *= ((10.5 / 11) / ((n + 0.5) / (n + 1))) ** 2
        odds = {
            PLAIN: 0.25 * shared * (1.5 / 11) / ((plain + 0.5) / (n + 1)),
            TRIED: 0.25 * shared * (9.5 / 11) / ((tried + 0.5) / (n + 1)),
        }
        honest = {traits: 1 / (1 + value) for traits, value in odds.items()}
    found = entry_probability(failures, visits)
    assert found == pytest.approx({traits: 1 - value for traits, value in honest.items()})
    assert found[PLAIN] < 0.1 < 0.5 < found[TRIED]


def test_what_says_nothing_leaves_the_prior() -> None:
    """As many visits as failures, and alike: about one in five. Later rounds move it little."""
    assert entry_probability({PLAIN: 100_000}, {PLAIN: 100_000})[PLAIN] == pytest.approx(
        0.2, abs=1e-4
    )


def test_without_visits_there_are_no_entries() -> None:
    assert entry_probability({PLAIN: 3}, {}) == {}


_TRAITS = st.tuples(*(st.integers(0, levels - 1) for levels in TRAITS.values()))
_COUNTS = st.dictionaries(_TRAITS, st.integers(1, 1_000_000), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(_COUNTS, _COUNTS)
def test_probabilities_are_probabilities_and_no_order_matters(failures: dict, visits: dict) -> None:
    found = entry_probability(failures, visits)
    assert found.keys() == visits.keys()
    assert all(0 <= probability <= 1 for probability in found.values())
    backwards = [dict(reversed(counts.items())) for counts in (failures, visits)]
    assert entry_probability(*backwards) == pytest.approx(found, rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(_COUNTS, st.integers(0, len(TRAITS) - 1), st.data())
def test_a_visit_more_like_the_failures_is_more_probable(
    visits: dict, trait: int, data: st.DataObject
) -> None:
    """All failures have one level of a trait: a visit with it is more probable than without."""
    levels = list(TRAITS.values())[trait]
    level, other = data.draw(st.permutations(range(levels)))[:2]
    base = data.draw(_TRAITS)
    like, unlike = ((*base[:trait], value, *base[trait + 1 :]) for value in (level, other))
    # As many visits of either kind, so that the level is not also the commoner among visits.
    visits = {t: n for t, n in visits.items() if t[trait] not in (level, other)}
    found = entry_probability({like: 50}, {**visits, like: 10, unlike: 10})
    assert found[like] > found[unlike] or found[unlike] > 1 - 1e-9


@pytest.mark.parametrize(
    ("tried", "levels", "words"),
    [
        (False, PLAIN, []),
        (True, PLAIN, ["the campaign had tried the account"]),
        (False, (0, 0, 1, 2, 1, 0, 0), ["new to the user: device, place"]),
        (
            True,
            (1, 2, 1, 2, 1, 0, 1),
            [
                "the campaign had tried the account",
                "new to the user: application, client, device, place",
            ],
        ),
    ],
)
def test_evidence_in_words(
    spark: SparkSession, tried: bool, levels: tuple[int, ...], words: list[str]
) -> None:
    schema = ", ".join(f"{column} int" for column in TRAIT_COLUMNS)
    row = spark.createDataFrame([levels], schema).withColumn("tried", F.lit(tried))
    [found] = row.select(evidence().alias("evidence")).collect()
    first = "from a network new to the user and an address prefix nobody else succeeds from"
    assert found["evidence"] == "; ".join([first, *words])
