"""A suspect's pattern: features that describe one property are one bit."""

from datetime import date

import pytest

from lowslow_assets.detection.masks import MASKS
from lowslow_assets.detection.patterns import MODEL_PROPERTIES, property_bits, with_patterns
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import FEATURES
from lowslow_assets_tests.support.relations import relation

# Which bit of the pattern a feature's bit sets.
BIT_OF = {
    "AppDisplayName": 0,
    "ClientAppUsed": 1,
    "browser": 2,
    "operatingSystem": 2,
    "agent": 2,
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


def test_every_feature_but_the_devices_name_describes_one_property() -> None:
    described = [feature for features in MODEL_PROPERTIES.values() for feature in features]
    assert sorted(described) == sorted(set(FEATURES) - {"displayName"})
    assert list(MODEL_PROPERTIES) == ["application", "client", "device", "place", "network"]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([], 0),
        (["displayName"], 0),
        (["browser"], 0b00100),
        (["browser", "operatingSystem"], 0b00100),
        (["agent"], 0b00100),
        (["Location", "state", "city", "displayName"], 0b01000),
        (["AppDisplayName", "network"], 0b10001),
        (list(FEATURES), 0b11111),
    ],
)
def test_plain_patterns(features: list[str], expected: int) -> None:
    assert plain_pattern(sum(1 << FEATURES.index(feature) for feature in features)) == expected


def test_patterns_of_all_masks(engine: Engine) -> None:
    day = date(2026, 6, 1)
    masks = [(day, str(mask), mask) for mask in range(1 << len(FEATURES))]
    found = with_patterns(relation(engine, MASKS, masks)).rows()
    assert len(found) == len(masks)
    for row in found:
        assert row["pattern"] == plain_pattern(row["mask"])
        bits = [int(row["mask"] & property_bits(name) != 0) for name in MODEL_PROPERTIES]
        assert bits == [row["pattern"] >> bit & 1 for bit in range(len(MODEL_PROPERTIES))]
