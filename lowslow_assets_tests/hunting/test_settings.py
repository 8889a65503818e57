"""What a partition was made from changes with every parameter, and with every threshold."""

import hashlib
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from lowslow_assets.detection import (
    baseline,
    entries,
    explanations,
    gathering,
    identity,
    list_order,
    members,
    patterns,
    population,
    pruning,
    signs,
    spray_tests,
    traits,
    two_campaigns,
    visits,
)
from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.hunting import judge
from lowslow_assets.hunting.settings import RULES_VERSION, HuntSettings
from lowslow_assets.settings import NOTEBOOK, Thresholds

# Per version of the rules the digest of all thresholds. Whoever changes one of these raises
# RULES_VERSION and adds a line: a hunt never mixes tables that were made by different rules.
THRESHOLDS = {
    1: "beb6ca6d87df",
    2: "b697af541a79",
    3: "9e2c3cda03d1",
    4: "6cf87c5474e1",
    5: "f8dc32516768",
    6: "1354ebf43ee7",
    7: "6386580fe782",
    8: "233de8e72133",
    9: "f70e8af92d5d",
    10: "0207ac9dddb0",
    11: "2c3e9f19bb66",
    12: "f4b84e827dc0",
    13: "830d07ad1d3a",
}
RULES = (
    baseline,
    entries,
    explanations,
    gathering,
    identity,
    judge,
    list_order,
    members,
    patterns,
    population,
    pruning,
    signs,
    spray_tests,
    traits,
    two_campaigns,
    visits,
)


def thresholds() -> dict[str, Any]:
    """The numbers at the top of the modules that judge."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in RULES
        for name, value in vars(module).items()
        if name.isupper() and type(value) in (int, float, dict, np.timedelta64)
    }


def test_another_threshold_is_another_version_of_the_rules():
    found = thresholds()
    assert {"explanations.CROWD", "spray_tests.SPREAD_DAYS", "members.VISIT"} <= found.keys()
    digest = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:12]
    assert THRESHOLDS[RULES_VERSION] == digest, "raise RULES_VERSION, see above"


@pytest.mark.parametrize(
    "changed",
    [
        HuntSettings(lookback_days=30),
        HuntSettings(preset=NOTEBOOK),
        HuntSettings(components=11),
        HuntSettings(restarts=11),
        HuntSettings(seed=1),
        *(
            HuntSettings(pruning=replace(PruningRules(), **{field.name: 0.7}))
            for field in fields(PruningRules)
        ),
        *(
            HuntSettings(thresholds=replace(Thresholds(), **{field.name: field.metadata["most"]}))
            for field in fields(Thresholds)
        ),
    ],
)
def test_another_parameter_is_another_digest(changed: HuntSettings):
    assert changed.digest != HuntSettings().digest
    assert changed.digest == replace(changed).digest
