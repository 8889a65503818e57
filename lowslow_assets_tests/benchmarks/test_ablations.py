"""What the ablations leave things out of is the hunt as it is."""

from dataclasses import replace
from pathlib import Path

from benchmarks.detection.ablations import ABLATIONS, masked_and_explained
from benchmarks.detection.tenants import Hunting
from lowslow_assets.sample_tenant import PRESETS, Tenant

TENANT = Tenant(
    seed=5,
    days=14,
    users=150,
    signins_per_day=350,
    campaigns=(replace(PRESETS["classic"], rate=25),),
)


def test_with_all_of_it_the_incidents_are_those_of_the_hunt(tmp_path: Path) -> None:
    hunting = Hunting(TENANT, tmp_path)
    labels = hunting.ingest()
    sprayed = set(labels.loc[labels["label"] == "spray_failure", "signin_id"])
    alerts = hunting.hunt(hunting.days[-1])
    failures, population = masked_and_explained(hunting)
    found = {
        name: {alert.signins for alert in ablation.hunt(failures, population, hunting.days[-1])}
        for name, ablation in ABLATIONS.items()
    }
    assert found["all of it"] == {alert.signins for alert in alerts}
    assert any(2 * len(alert.signins & sprayed) > len(sprayed) for alert in alerts)
    # Each ingredient can be left out, and something of it shows.
    assert len({frozenset(signins) for signins in found.values()}) > 1
