"""The effect of each ingredient: ``python -m benchmarks.detection.ablations``.

The same tenants are ingested once each, and hunted as of their last day with one ingredient left
out at a time. Every hunt runs the project's own assets; to leave out an ingredient, one of their
functions or numbers is replaced while they run.
"""

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.detection.report import ablations_table
from benchmarks.detection.results import Results, path_of
from benchmarks.detection.runs import chosen_tenants, parser_of_runs, side_by_side
from benchmarks.detection.scenarios import TUNING_SEEDS, tenant_of
from benchmarks.detection.scoring import Trial, score
from benchmarks.detection.tenants import Hunting
from lowslow_assets.detection import (
    entries,
    explanations,
    gathering,
    members,
    signs,
    traits,
    visits,
)
from lowslow_assets.detection.explanations import EXPLANATIONS, explain_failures
from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import Population
from lowslow_assets.detection.spray_tests import honest_strays_a_day
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.engines.sql import Columns, sql
from lowslow_assets.hunting import judge
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import (
    FEATURES,
    INCIDENT_MEMBERS,
    MIXTURE_MODEL,
    OPEN_FAILURES,
    SUSPECT_FAILURES,
    Table,
)
from lowslow_assets.orchestration.assets import clusters, incidents, mixture, suspects
from lowslow_assets.platform.machine import cores
from lowslow_assets.settings import NOTEBOOK
from lowslow_assets.signins.features import attempts

WHOLE = "all of it"
SCENARIOS = ("slow", "mimic", "two alike", "residential", "short", "quiet", "quiet, large")

SIGNS = (
    *("number", "steady days", "even accounts", "equal tries", "own sources", "one tool"),
    *("one network", "beginning and end", "even gaps", "hours of the day"),
    *("days off", "own sources and tool", "sorted names", "same order"),
)
TESTS = (
    *("many accounts", "few attempts each", "many days", "strangers' devices"),
    "more than stray failures",
)
HABITS = (
    *("day", "hour", "account", "address prefix", "client", "application", "device", "network"),
    *("IP version", "invented name"),
)
"""What a campaign may repeat, in the order in which membership uses it."""

Instead = Callable[[Any, pa.Table], Any]
"""Makes the replacement from the replaced thing and a tenant's attempts with ``explanation``."""


@dataclass(frozen=True)
class Ablation:
    """One ingredient left out: from which table on the hunt is made again, and what is replaced.

    Without such a table, the whole hunt is made. Clusters and their members are two tables of one
    asset, so an ablation of their judgement makes the hunt again from the mixture on.
    """

    since: Table | None = None
    replaced: tuple[tuple[Any, str, Instead], ...] = ()

    @contextmanager
    def left_out(self, explained: pa.Table) -> Iterator[None]:
        """Hunts in the block lack the ingredient; ``explained`` is from ``explained_attempts``."""
        with ExitStack() as stack:
            for owner, name, instead in self.replaced:
                made = instead(getattr(owner, name), explained)
                stack.enter_context(mock.patch.object(owner, name, made))
            yield


def suspect_too(*names: str) -> Ablation:
    """Suspects are the attempts that nothing explains, and those that these explain first."""

    def instead(_: Any, explained: pa.Table) -> Any:
        chosen = pc.field("explanation").isin(pa.array(names, pa.string()))
        rows = explained.filter(pc.field("explanation").is_null() | chosen)
        return lambda by_window: by_window.engine.from_arrow(rows.select(OPEN_FAILURES.dated.names))

    return Ablation(SUSPECT_FAILURES, ((suspects, "unexplained_failures", instead),))


def _without_sign(name: str) -> Ablation:
    """The sign exists, but proves nothing."""

    def instead(whole: Any, _: pa.Table) -> Any:
        return lambda *given: [
            replace(sign, p_value=1.0) if sign.name == name else sign for sign in whole(*given)
        ]

    names = ("signs_of_size", "signs_of_members")
    return Ablation(MIXTURE_MODEL, tuple((judge, each, instead) for each in names))


def _judged(**changes: Any) -> Ablation:
    """Judged by a recipe with changed steps."""
    recipe = replace(judge.RECIPE, **changes)
    instead = lambda whole, _: partial(whole, recipe=recipe)  # noqa: E731
    return Ablation(MIXTURE_MODEL, ((clusters, "judge_suspects", instead),))


def _without_test(name: str) -> Ablation:
    """Every cluster passes the test."""

    def tests(*given: Any) -> Any:
        whole = judge.RECIPE.tests(*given)
        return [replace(test, passed=test.passed or test.name == name) for test in whole]

    return _judged(tests=tests)


def _without_habit(name: str) -> Ablation:
    """Membership ignores one habit."""

    def instead(attributes: Any, _: pa.Table) -> Any:
        def without(*given: Any) -> list[Any]:
            named = zip(HABITS, attributes(*given), strict=True)
            return [attribute for habit, attribute in named if habit != name]

        return without

    return Ablation(MIXTURE_MODEL, ((members, "_attributes", instead),))


def _without_shared_prefixes() -> Ablation:
    """Nothing looks at whether attempts share a prefix, except for visits."""
    instead = lambda *_: lambda found: np.zeros(len(found), dtype=bool)  # noqa: E731
    shared = tuple((owner, "shares_prefix", instead) for owner in (members, signs, gathering))
    # What is gathered is found in SQL, by a number that no campaign reaches.
    gathered = (gathering, "ACCOUNTS_OF_PREFIX", lambda *_: 1_000_000)
    replaced = (*_without_habit("address prefix").replaced, *shared, gathered)
    return Ablation(MIXTURE_MODEL, replaced)


def _in_place(since: Table, owner: Any, name: str, made: Any) -> Ablation:
    """One thing replaced by another."""
    return Ablation(since, ((owner, name, lambda *_: made),))


def _without_applications() -> Ablation:
    """Only a device is a campaign's tool."""

    def devices(tools: Any, _: pa.Table) -> Any:
        query = "SELECT {columns} FROM {found} WHERE is_device"
        return lambda *given: sql(query, columns=Columns(gathering.TOOLS), found=tools(*given))

    in_assets = tuple((owner, "tools_of_campaigns", devices) for owner in (clusters, incidents))
    odd = (members.Suspects, "odd_tool", lambda *_: members.Suspects.odd_device)
    return Ablation(MIXTURE_MODEL, (*in_assets, odd))


def _of_people(**changes: Any) -> Ablation:
    """Another population."""

    def instead(population_of: Any, _: pa.Table) -> Any:
        return lambda *given: replace(population_of(*given), **changes)

    return Ablation(MIXTURE_MODEL, ((clusters, "population_of", instead),))


def _strays_of_any_system(
    _: Suspects, span_days: int, population: Population, odd_properties: int
) -> float:
    """How many strays people make in a group's time, whatever systems it shows."""
    return span_days * honest_strays_a_day(population, odd_properties)


def _by_patterns(pattern: Callable[[pa.Table], np.ndarray], bits: int) -> Ablation:
    """The mixture fitted to other patterns of the suspects, of ``bits`` bits."""

    def read(of: Any, _: pa.Table) -> Any:
        return lambda rows: replace(of(rows), pattern=pattern(rows))

    def judge_again(whole: Any, _: pa.Table) -> Any:
        def judged(found: members.Suspects, _fit: Any, population: Any, settings: Any) -> Any:
            fit, _trace = judge.fit_patterns(Counter(found.pattern.tolist()), bits, settings)
            return whole(found, fit, population, settings)

        return judged

    replaced = ((members.Suspects, "of", read), (clusters, "judge_suspects", judge_again))
    return Ablation(MIXTURE_MODEL, replaced)


def _notebooks_fit(failures: Any, features: int, settings: HuntSettings) -> Any:
    return judge.fit_patterns(failures, features, replace(settings, preset=NOTEBOOK))


# Ordered by the first table that differs, from the last table to the first: a hunt makes again what
# differs from the previous hunt.
ABLATIONS = {
    WHOLE: Ablation(),
    **{
        f"entries: without {' and '.join(factor)}": _in_place(
            INCIDENT_MEMBERS,
            entries,
            "FACTORS",
            tuple(other for other in entries.FACTORS if other != factor),
        )
        for factor in entries.FACTORS
    },
    "entries: without the campaign's own sources": Ablation(
        INCIDENT_MEMBERS,
        tuple((owner, "SHARED_BY_ACCOUNTS", lambda *_: 1_000_000) for owner in (traits, visits)),
    ),
    "entries: without the campaign's tool": _in_place(
        INCIDENT_MEMBERS,
        incidents,
        "tools_of_campaigns",
        lambda found, _: found.engine.from_arrow(gathering.TOOLS.empty_table()),
    ),
    "entries: without people at home in the campaign's sources": _in_place(
        INCIDENT_MEMBERS, entries, "_DECISIVE_EVIDENCE", math.inf
    ),
    **{f"without the sign: {name}": _without_sign(name) for name in SIGNS},
    **{f"without the test: {name}": _without_test(name) for name in TESTS},
    "without sources that return": _in_place(
        MIXTURE_MODEL, judge, "returns", lambda found, _: np.zeros(len(found), dtype=bool)
    ),
    "without habits of members": _judged(membership=lambda found, _: np.ones(len(found))),
    **{f"without the habit: {name}": _without_habit(name) for name in HABITS},
    "without starts from repeated values": _in_place(
        MIXTURE_MODEL, members, "_repeating", lambda _: []
    ),
    "without starts from dense parts": _in_place(
        MIXTURE_MODEL, members, "_dense_parts", lambda _: []
    ),
    "without what strays repeat": _in_place(
        MIXTURE_MODEL, members, "_strays_log_ratio", lambda _, chosen: np.zeros(len(chosen))
    ),
    "without shared prefixes": _without_shared_prefixes(),
    "without visits (each attempt counts)": _in_place(
        MIXTURE_MODEL, judge, "first_of_visits", lambda found: np.arange(len(found))
    ),
    "without what is beside a group": _in_place(
        MIXTURE_MODEL, judge, "_may_hide_a_campaign", lambda _: False
    ),
    "without division of groups": _in_place(
        MIXTURE_MODEL, judge, "_may_be_divided", lambda *_: False
    ),
    "without leaving out noise of another kind": _in_place(
        MIXTURE_MODEL, judge, "_LEAST_NOISE", math.inf
    ),
    "without two campaigns at once": _in_place(
        MIXTURE_MODEL, judge, "first_of_two", lambda found, _: np.ones(len(found), dtype=bool)
    ),
    # A kept cluster that bears the marks of a larger one stays a campaign of its own.
    "without joining": _in_place(
        MIXTURE_MODEL, judge, "_joined", lambda found, belong, _: (found, belong)
    ),
    # What else bears a campaign's marks stays explained, or a suspect.
    "without gathering": _in_place(
        MIXTURE_MODEL, clusters, "_with_gathered", lambda _hunt, found: found
    ),
    "without applications as tools": _without_applications(),
    "without lasting signs": _in_place(
        MIXTURE_MODEL, judge, "lasting_signs", lambda signs_of, found: [*signs_of(found, None)]
    ),
    "without honest strays": _of_people(honest_strays_a_day=0.0, by_system={}),
    "without systems of honest strays": _in_place(
        MIXTURE_MODEL, judge, "honest_strays_among", _strays_of_any_system
    ),
    "without hours of successes": _of_people(successes={}),
    "without the mixture (one component)": _by_patterns(
        lambda rows: np.zeros(len(rows), dtype=int), len(MODEL_PROPERTIES)
    ),
    "without properties (each feature is a bit)": _by_patterns(
        lambda rows: rows["mask"].to_numpy(), len(FEATURES)
    ),
    "without births (K = 10, 10 starts)": _in_place(
        MIXTURE_MODEL, mixture, "fit_patterns", _notebooks_fit
    ),
    # No 24 hours have more than four times as many suspects as the busiest day.
    "without crowded days": _in_place(SUSPECT_FAILURES, explanations, "CAMPAIGN_DAYS", 1),
    **{f"without the explanation: {name}": suspect_too(name) for name in EXPLANATIONS},
    "without any explanation": suspect_too(*EXPLANATIONS),
}


def main() -> None:
    """Run what is missing from the results, then print the table of all results, as Markdown."""
    options = parser_of_runs("benchmarks.detection.ablations", TUNING_SEEDS[:1]).parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    threads = max(cores() // options.jobs, 1)
    chosen = chosen_tenants(options, SCENARIOS)
    calls = [(*tenant, threads, path_of(options.out, *tenant, "ablations")) for tenant in chosen]
    side_by_side(options.jobs, run, [call for call in calls if not call[-1].exists()])
    print(ablations_table(Results.read(sorted(options.out.glob("*-ablations.json")))))


def run(scenario: str, seed: int, threads: int, path: Path) -> str:
    """Write the results of one tenant with each ablation; returns one line on the time spent."""
    folder = Path(mkdtemp(prefix="lowslow-benchmark-"))
    began, found = time.monotonic(), Results()
    try:
        hunting = Hunting(tenant_of(scenario, seed), folder, threads=threads)
        labels = hunting.ingest()
        explained = explained_attempts(hunting)
        ingested = time.monotonic()
        for name, ablation in ABLATIONS.items():
            with ablation.left_out(explained):
                alerts = hunting.hunt(hunting.days[-1], since=ablation.since)
            rows, tenant = score(Trial(scenario, seed, name), alerts, labels)
            found.campaigns.extend(rows)
            found.tenants.append(tenant)
    finally:
        shutil.rmtree(folder)
    found.write(path)
    spent = time.monotonic() - ingested
    return f"{scenario}, {seed}: tenant and ingest {ingested - began:.0f} s, hunts {spent:.0f} s"


def explained_attempts(hunting: Hunting) -> pa.Table:
    """All of the window's attempts as rows of ``open_failures``, with their ``explanation``."""
    day, days = hunting.days[-1], len(hunting.days)
    with closing(DuckDBEngine(threads=hunting.threads)) as engine:
        hunt = Hunt(day, Lake(str(hunting.lake), engine), HuntSettings(lookback_days=days))
        found = attempts(hunt.signins()).held()
        # A drawn sign-in is in one day's folder only, so its id identifies it.
        return sql(
            """
            SELECT {columns}, explained.explanation
            FROM {found} AS found
            JOIN {explained} AS explained ON explained.signin_id = found.signin_id
            """,
            columns=Columns(OPEN_FAILURES.dated, "found"),
            found=found,
            explained=explain_failures(found, hunt.sources(), days).held(),
        ).arrow()


if __name__ == "__main__":
    main()
