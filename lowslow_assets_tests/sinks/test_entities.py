"""The accounts and addresses of an incident that an update names."""

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import FAILURE, SUCCESS
from lowslow_assets.sinks import entities
from lowslow_assets_tests.support.relations import relation

MEMBERS = schema("incident_id string, outcome string, user string, ip_address string")


def test_those_with_most_attempts_come_first(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entities, "MAX_ENTITIES", 2)
    tried = [
        ("one", FAILURE, "b", "192.0.2.1"),
        ("one", FAILURE, "c", "192.0.2.1"),
        ("one", FAILURE, "c", None),
        ("one", FAILURE, "a", None),
        # A success is not an attempt.
        *[("one", SUCCESS, "d", "192.0.2.9")] * 3,
        ("two", FAILURE, "b", "192.0.2.2"),
    ]
    accounts, addresses = entities.most_attempts(relation(engine, MEMBERS, tried))
    assert accounts == {"one": ["c", "a"], "two": ["b"]}
    assert addresses == {"one": ["192.0.2.1"], "two": ["192.0.2.2"]}
