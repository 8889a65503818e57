"""What other settings would have changed: ``python -m lowslow_assets.what_if --thresholds ...``.

Each of the last 30 days whose hunt is in the lake is hunted again with the changed settings, and
its incidents are compared with the lake's. Nothing is written into the lake, and nothing is looked
up or sent.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from tempfile import TemporaryDirectory
from typing import Any

from lowslow_assets.detection.explanations import KNOWN
from lowslow_assets.hunting.known_sources import read_known_sources
from lowslow_assets.lake.lake import Lake, LakeError
from lowslow_assets.lake.tables import ENRICHED_INCIDENTS, EXPLAINED_FAILURES
from lowslow_assets.reports.changes import Incidents, changes_as_text
from lowslow_assets.settings import (
    EnrichmentSettings,
    Settings,
    SettingsError,
    known_thresholds,
    read_settings,
)

DAYS = 30


@dataclass(frozen=True)
class Trial:
    """The incidents of some hunts, as the lake has them and as they would be.

    ``outdated`` is how many of the lake's hunts were made with other settings than those in force.
    ``known`` has the attempts that each known source explains as of the last day.
    """

    before: Incidents
    after: Incidents
    outdated: int
    known: dict[str, int]


def main() -> None:
    """Hunt again, and report which incidents appear, disappear and change."""
    parser = argparse.ArgumentParser(prog="python -m lowslow_assets.what_if")
    parser.add_argument("--days", type=int, default=DAYS, help="how far back (default: 30)")
    parser.add_argument("--thresholds", default="", help="as min_accounts=8,noise_a_day=2")
    parser.add_argument("--known-sources", help="a file; without it, that of the settings")
    options = parser.parse_args()
    # This takes seconds to import, so it is imported after the help is on the screen.
    from dagster import Failure

    try:
        settings = read_settings()
        changed = replace(
            settings,
            thresholds=known_thresholds(options.thresholds.split(","), settings.thresholds),
        )
        if options.known_sources is not None:
            changed = replace(changed, known_sources=options.known_sources)
        read_known_sources(changed.known_sources)
        trial = try_out(settings, changed, options.days)
    except (SettingsError, LakeError) as error:
        sys.exit(str(error))
    except Failure as failure:
        sys.exit(str(failure.description))
    days = [*trial.before]
    print(f"Hunts of {len(days)} day(s), {days[0]} to {days[-1]}, as they are and as they would be")
    if trial.outdated:
        print(f"Made with other settings than those now in force: {trial.outdated} of them")
    for explanation, attempts in trial.known.items():
        print(f"{explanation}: {attempts:,} attempts, as of {days[-1]}")
    print(changes_as_text(trial.before, trial.after))


def try_out(settings: Settings, changed: Settings, days: int) -> Trial:
    """Hunt with the changed settings on each of the last days whose hunt the lake has.

    Raises LakeError if the lake has no such hunt, and SettingsError.
    """
    import dagster as dg

    from lowslow_assets.orchestration.definitions import build_defs

    # Nothing is looked up: knowledge about an address changes only the text of an incident.
    defs = build_defs(replace(changed, enrichment=EnrichmentSettings()))
    resources: Any = defs.resources
    of_lake = resources["lake"]
    lake = of_lake.open()
    last_days = _last_days(lake, days)
    before = {day: lake.rows(ENRICHED_INCIDENTS, [day]) for day in last_days}
    now: Any = build_defs(settings).resources
    made = [lake.partition(ENRICHED_INCIDENTS, day) for day in last_days]
    outdated = [
        each
        for each in made
        if each and each.made_from.get("settings") != now["parameters"].settings.digest
    ]
    selection = dg.AssetSelection.assets(ENRICHED_INCIDENTS.name).upstream()
    hunted = (selection & dg.AssetSelection.groups("hunt")).resolve(defs.resolve_asset_graph())
    again = f"Hunting again as of {len(last_days)} day(s), {last_days[0]} to {last_days[-1]}"
    print(again, file=sys.stderr, flush=True)
    config = {"root": of_lake.root, "native": of_lake.native}
    with TemporaryDirectory(prefix="lowslow-what-if-") as folder:
        for first, last in stretches(last_days):
            defs.resolve_job_def("hunt_as_of_day").execute_in_process(
                asset_selection=sorted(hunted),
                tags={
                    "dagster/asset_partition_range_start": str(first),
                    "dagster/asset_partition_range_end": str(last),
                },
                run_config={
                    "loggers": {"console": {"config": {"log_level": "ERROR"}}},
                    "resources": {"lake": {"config": config | {"written_to": folder}}},
                },
            )
        tried = lake.below(folder)
        after = {day: tried.rows(ENRICHED_INCIDENTS, [day]) for day in last_days}
        groups = tried.rows(EXPLAINED_FAILURES, [last_days[-1]])
    lake.engine.close()
    known = {
        row["explanation"]: row["failures"]
        for row in groups
        if row["explanation"].startswith(KNOWN) and row["example"] is None
    }
    return Trial(before, after, len(outdated), known)


def _last_days(lake: Lake, number: int) -> list[date]:
    """The days whose hunt can be read, among the last days, counted from the newest hunt."""
    days = lake.days(ENRICHED_INCIDENTS)
    found = lake.readable(
        ENRICHED_INCIDENTS, [day for day in days if day > days[-1] - timedelta(days=number)]
    )
    if not found:
        raise LakeError("The lake has no hunt to compare with: materialize group:hunt first.")
    return found


def stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """The days as ranges without gaps, each as its first and last day."""
    first = last = days[0]
    for day in days[1:]:
        if day - last > timedelta(days=1):
            yield first, last
            first = day
        last = day
    yield first, last


if __name__ == "__main__":
    main()
