"""A suspect's pattern: features that tell of one property are one bit."""

import pytest
from pyspark.sql import SparkSession

from lowslow_assets.detection.patterns import PROPERTIES, is_anomalous, pattern
from lowslow_assets.signins.features import FEATURES

# Which bit of the pattern a feature's bit sets.
BIT_OF = {
    "AppDisplayName": 0,
    "ClientAppUsed": 1,
    "browser": 2,
    "operatingSystem": 2,
    "Location": 3,
    "state": 3,
    "city": 3,
    "network": 4,
}


def plain_pattern(mask: int) -> int:
    """The same, bit by bit."""
    found = 0
    for bit, feature in enumerate(FEATURES):
        if mask >> bit & 1 and feature in BIT_OF:
            found |= 1 << BIT_OF[feature]
    return found


def test_every_feature_but_the_devices_name_tells_of_one_property() -> None:
    told = [feature for features in PROPERTIES.values() for feature in features]
    assert sorted(told) == sorted(set(FEATURES) - {"displayName"})
    assert list(PROPERTIES) == ["application", "client", "device", "place", "network"]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([], 0),
        (["displayName"], 0),
        (["browser"], 0b00100),
        (["browser", "operatingSystem"], 0b00100),
        (["Location", "state", "city", "displayName"], 0b01000),
        (["AppDisplayName", "network"], 0b10001),
        (list(FEATURES), 0b11111),
    ],
)
def test_plain_patterns(features: list[str], expected: int) -> None:
    assert plain_pattern(sum(1 << FEATURES.index(feature) for feature in features)) == expected


def test_patterns_of_all_masks(spark: SparkSession) -> None:
    masks = spark.createDataFrame([(mask,) for mask in range(1 << len(FEATURES))], "mask int")
    found = masks.select("mask", pattern().alias("pattern"), *map(_named, PROPERTIES))
    assert dict(found.dtypes)["pattern"] == "int"
    for row in found.collect():
        assert row["pattern"] == plain_pattern(row["mask"])
        bits = [row["pattern"] >> bit & 1 for bit in range(len(PROPERTIES))]
        assert [row[name] for name in PROPERTIES] == bits


def _named(name: str):
    return is_anomalous(name).alias(name)
