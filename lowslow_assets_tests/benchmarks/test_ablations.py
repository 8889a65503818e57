"""Each ablation leaves out something of the real hunt, and nothing else."""

from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

from benchmarks.detection.ablations import (
    ABLATIONS,
    HABITS,
    SIGNS,
    TESTS,
    Ablation,
    explained_attempts,
    suspect_too,
)
from benchmarks.detection.scoring import Alert
from benchmarks.detection.tenants import Hunting
from lowslow_assets.detection import members
from lowslow_assets.detection.spray_tests import spray_tests
from lowslow_assets.hunting import judge
from lowslow_assets.lake.tables import INCIDENT_MEMBERS, MIXTURE_MODEL, SUSPECT_FAILURES
from lowslow_assets.orchestration.assets import clusters
from lowslow_assets.sample_tenant import PRESETS, Tenant
from lowslow_assets_tests.hunting.test_judge import TYPO, judged, of_tables, spray

# It tries each account several times, from servers in the cities of its owners.
CAMPAIGN = replace(PRESETS["classic"], targets=60, sources="rented", places="home")
# It shows the systems that people have, and some of its many prefixes try too few accounts to be
# known as those of a spray: such attempts are explained, and then gathered.
HIDDEN = replace(CAMPAIGN, targets=None, clients="common", addresses=320)
TENANT = Tenant(
    seed=5,
    days=22,
    users=150,
    signins_per_day=350,
    campaigns=(
        replace(CAMPAIGN, rate=20, stopped=3, successes=3),
        replace(HIDDEN, name="hidden", rate=15, successes=0),
    ),
)


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Hunting, list[Alert]]:
    """A tenant that has been ingested and hunted as of its last day, and what was found."""
    found = Hunting(TENANT, tmp_path_factory.mktemp("lake"))
    found.ingest()
    return found, found.hunt(found.days[-1])


@pytest.fixture(scope="module")
def hunting(hunted: tuple[Hunting, list[Alert]]) -> Hunting:
    """The hunted tenant."""
    return hunted[0]


@pytest.fixture(scope="module")
def explained(hunting: Hunting) -> pa.Table:
    """The tenant's attempts with their explanations."""
    return explained_attempts(hunting)


def hunt(hunting: Hunting, ablation: Ablation, explained: pa.Table) -> list[Alert]:
    with ablation.left_out(explained):
        return hunting.hunt(hunting.days[-1], since=ablation.since)


def test_left_out_is_what_is_left_out_and_nothing_else(
    hunted: tuple[Hunting, list[Alert]], explained: pa.Table
):
    hunting, whole = hunted
    assert len(whole) == 2
    # Suspects that are read from the explained attempts are those of the hunt.
    assert hunt(hunting, suspect_too(), explained) == whole
    for names in (
        ("entries: without the campaign's own sources",),
        (
            "without habits of members",
            "without properties (each feature is a bit)",
            "without gathering",
        ),
        ("without any explanation",),
    ):
        for name in names:
            assert hunt(hunting, ABLATIONS[name], explained) != whole
        # What the next hunt makes again is enough to be rid of all of them.
        [since] = {ABLATIONS[name].since for name in names}
        assert hunt(hunting, Ablation(since), explained) == whole


def test_without_joining_a_part_of_another_pattern_is_a_campaign(explained: pa.Table):
    """Both are from the same servers."""
    campaign = spray(80, 1, begin=5, days=40, server="203.0")
    part = spray(60, 2, begin=5, days=40, server="203.0", first=80, pattern=TYPO)
    suspects = of_tables(campaign, part)
    assert [cluster.kept for cluster in judged(suspects)[0].values()] == [True, False]
    with ABLATIONS["without joining"].left_out(explained):
        assert [cluster.kept for cluster in judged(suspects)[0].values()] == [True, True]


def test_signs_tests_and_habits_are_those_of_a_hunt(hunting: Hunting):
    signs, tests, habits = set[str](), set[str](), set[int]()

    def judged(cluster: Any, found: Any, *given: Any) -> Any:
        made = spray_tests(cluster, found, *given)
        signs.update(sign.name for sign in found)
        tests.update(test.name for test in made)
        return made

    def looked_at(*given: Any) -> Any:
        made = attributes(*given)
        habits.add(len(made))
        return made

    attributes = getattr(members, "_attributes")  # noqa: B009
    recording = partial(judge.judge_suspects, recipe=replace(judge.RECIPE, tests=judged))
    with (
        mock.patch.object(clusters, "judge_suspects", recording),
        mock.patch.object(members, "_attributes", looked_at),
    ):
        hunting.hunt(hunting.days[-1], since=MIXTURE_MODEL)
    assert (signs, tests, habits) == ({*SIGNS}, {*TESTS}, {len(HABITS)})


def test_each_ablation_is_made_since_no_later_table_than_the_one_before():
    order = [INCIDENT_MEMBERS, MIXTURE_MODEL, SUSPECT_FAILURES]
    since = [ablation.since for ablation in ABLATIONS.values() if ablation.since]
    assert since == sorted(since, key=order.index)


@pytest.mark.parametrize("name", ABLATIONS)
def test_what_is_replaced_is_there(name: str, explained: pa.Table):
    with ABLATIONS[name].left_out(explained):
        for owner, attribute, _ in ABLATIONS[name].replaced:
            assert getattr(owner, attribute)
