"""Detection quality: ``python -m benchmarks.detection``; see benchmarks/README.md."""

from pathlib import Path

from benchmarks.detection.baselines import BASELINES
from benchmarks.detection.drawn import DRAWN
from benchmarks.detection.pictures import found_picture, heat_map, reliability_diagram
from benchmarks.detection.report import report_of_drawn, report_of_named
from benchmarks.detection.results import Results, path_of
from benchmarks.detection.runs import chosen_tenants, parser_of_runs, side_by_side
from benchmarks.detection.scenarios import REPORT_SEEDS, SCENARIOS
from benchmarks.detection.scoring import CampaignRow, TenantRow
from benchmarks.detection.trials import OURS, PARTS, THEIRS, run
from lowslow_assets.platform.machine import cores


def main() -> None:
    """Run what is missing from the results, then print the tables of all results, as Markdown."""
    parser = parser_of_runs("benchmarks.detection", REPORT_SEEDS)
    parser.add_argument("--ours-only", action="store_true", help="no notebook, no rules")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    threads = max(cores() // options.jobs, 1)
    wanted = PARTS[:1] if options.ours_only else PARTS
    calls = []
    for scenario, seed in chosen_tenants(options, SCENARIOS):
        paths = {part: path_of(options.out, scenario, seed, part) for part in wanted}
        if missing := {part: path for part, path in paths.items() if not path.exists()}:
            calls.append((scenario, seed, threads, missing))
    side_by_side(options.jobs, run, calls)
    _report(options.out)


def _report(folder: Path) -> None:
    """Print the tables of all results in the folder, and save the pictures there.

    Drawn tenants have tables and pictures of their own.
    """
    for drawn in (False, True):
        results = Results.read(
            path for path in folder.glob("*.json") if path.name.startswith(DRAWN) == drawn
        )
        if not results.tenants:
            continue
        results.campaigns.sort(key=_order)
        results.tenants.sort(key=_order)
        if not drawn:
            print(report_of_named(results, OURS))
            if results.campaigns:
                heat_map(results.campaigns, results.tenants, folder / "detection.png")
            continue
        print(report_of_drawn(results, OURS))
        if results.campaigns:
            found_picture(results.campaigns, folder / "found.png")
        given = results.forecasts
        columns = {
            "accounts compromised": given.compromised,
            "passwords known": given.known,
            "campaigns": given.campaigns,
        }
        reliability_diagram(columns, folder / "reliability.png")


def _order(row: CampaignRow | TenantRow) -> tuple[int, int, int]:
    scenarios, detectors = [*SCENARIOS, DRAWN], [OURS, THEIRS, *BASELINES]
    trial = row.trial
    return scenarios.index(trial.scenario), trial.seed, detectors.index(trial.detector)


if __name__ == "__main__":
    main()
