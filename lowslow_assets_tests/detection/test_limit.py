"""The detection limit: what is planted, and from which rate on it is found."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lowslow_assets.detection.limit import (
    KINDS,
    RATES,
    Limit,
    find_limits,
    in_words,
    size_of,
    synthetic_attempts,
)
from lowslow_assets.detection.members import Population
from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.detection.statistics import cluster_sizes
from lowslow_assets.lake.tables import ENCODED_FEATURES
from lowslow_assets.signins.features import FEATURES

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS, USERS = 10, 40
MADE_UP, ANYWHERE, AT_HOME = KINDS


@pytest.fixture(scope="module")
def planted(spark: SparkSession) -> pd.DataFrame:
    fields = [field.name for field in ENCODED_FEATURES.schema.fields]
    rows = []
    for n in range(20 * USERS):
        row = dict.fromkeys(fields, None) | dict.fromkeys(FEATURES, "usual")
        row |= {
            "signin_id": f"id{n}",
            "time_generated": START + timedelta(minutes=15 * n),
            "user": f"user{n % USERS}",
            "outcome": "success",
            "ip_address": "203.0.113.7",
            "ip_prefix": "203.0.113",
        }
        rows.append((*row.values(), date(2026, 6, 1)))
    schema = f"{', '.join(_column(field) for field in ENCODED_FEATURES.schema.fields)}, date date"
    signins = spark.createDataFrame(rows, schema)
    return synthetic_attempts(signins, F.lit(START.timestamp()), DAYS).toPandas()


def _column(field) -> str:
    return f"`{field.name}` {field.dataType.simpleString()}"


def test_attempts_are_spread_over_days_accounts_and_addresses(planted):
    assert planted.groupby("kind").size().to_dict() == dict.fromkeys(KINDS, RATES[0] * DAYS)
    assert planted["signin_id"].is_unique
    assert planted["ip_address"].is_unique
    assert planted["ip_prefix"].str.startswith("2001:db8:").all()
    assert set(planted["outcome"]) == {"failure"}
    for _, spray in planted.groupby("kind"):
        assert spray["date"].nunique() == DAYS
        assert spray["date"].between(START.date(), (START + timedelta(days=DAYS)).date()).all()
        assert set(spray.groupby("user").size()) == {RATES[0] * DAYS // USERS}


def test_each_kind_makes_up_its_own_features(planted):
    for kind, made_up in KINDS.items():
        spray = planted[planted["kind"] == kind]
        for feature in FEATURES:
            assert (spray[feature] == "usual").all() == (feature not in made_up)


def suspects(pattern: int, attempts_a_day: int = RATES[0], days: int = 30) -> pd.DataFrame:
    """A spray of one pattern, and one stray every third day."""
    rng = np.random.default_rng(0)
    planted = attempts_a_day * days
    strays = days // 3
    number = [*range(planted), *[np.nan] * strays]
    hours = [24 * n / attempts_a_day for n in range(planted)]
    hours += sorted(rng.uniform(0, 24 * days, strays))
    size = len(number)
    return pd.DataFrame(
        {
            "signin_id": [f"id{n}" for n in range(size)],
            "kind": "a kind",
            "number": number,
            "pattern": [pattern] * planted + [0b11000] * strays,
            "time_generated": [START + timedelta(hours=hour) for hour in hours],
            "user": [f"user{n % 500}" for n in range(size)],
            "ip_address": [f"203.0.{n // 256}.{n % 256}" for n in range(size)],
            "AppDisplayName": [f"app{n % 7}" for n in range(size)],
            "ClientAppUsed": "Browser",
            "browser": [f"browser{n}" for n in range(size)],
            "operatingSystem": "odd",
            "Location": "Nowhere",
            "odd_device": True,
        }
    )


def limits(frame: pd.DataFrame, resolved_a_day: float = 0) -> dict[int, int | None]:
    found = find_limits(frame, Population(500, 30), resolved_a_day, PruningRules())
    return {limit.attempts_per_day: limit.found_after_days for limit in found}


def test_the_more_attempts_the_sooner_they_are_found():
    found = limits(suspects(0b11101))
    assert found[16] == found[8] == 10  # the first look at which seven days are over
    after = [found[rate] or 999 for rate in sorted(RATES)]
    assert after == sorted(after, reverse=True)


def test_what_is_less_odd_or_in_a_larger_tenant_is_found_later_or_never():
    odd, less_odd = (limits(suspects(pattern)) for pattern in (0b11101, 0b11000))
    assert odd[2] is not None
    assert less_odd[2] is None
    assert limits(suspects(0b11101), resolved_a_day=10_000)[16] is None


def test_size_is_that_of_the_clusters_statistics(spark: SparkSession):
    frame = suspects(0b11101, attempts_a_day=3, days=9)
    of_spark = spark.createDataFrame(
        frame[["time_generated", "user", "ip_address", "Location"]]
    ).withColumn("cluster_id", F.lit(0))
    [expected] = cluster_sizes(of_spark)
    size = size_of(frame)
    times = ("first_activity", "last_activity")
    for name, value in vars(expected).items():
        if name not in times:
            assert getattr(size, name) == pytest.approx(value)


def test_in_words():
    found = [
        Limit(MADE_UP, 1, None),
        Limit(MADE_UP, 2, 25),
        Limit(MADE_UP, 4, 10),
        Limit(ANYWHERE, 1, 30),
        Limit(AT_HOME, 16, None),
    ]
    assert in_words(found) == [
        "A spray with made-up clients is found from 2 attempts a day on, after 25 days.",
        "A spray with common clients, anywhere is found from 1 attempt a day on, after 30 days.",
        "A spray with common clients, in your cities is not found up to 16 attempts a day.",
    ]
