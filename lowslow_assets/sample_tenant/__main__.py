"""Command line: `python -m lowslow_assets.sample_tenant SOURCE --labels FILE`."""

import argparse
import sys
from datetime import date
from pathlib import Path

from lowslow_assets.sample_tenant import CONFUSERS, PRESETS, Summary, Tenant, generate
from lowslow_assets.sample_tenant.tenant import Campaign


def main(arguments: list[str] | None = None) -> int:
    """Generate the requested tenant; 0 when it is there, 2 when it cannot be generated."""
    options = _parser().parse_args(arguments)
    try:
        summary = generate(_tenant(options), options.source, options.labels, _progress)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(_report(summary, options.source, options.labels))
    return 0


def _parser() -> argparse.ArgumentParser:
    demo = Tenant()
    parser = argparse.ArgumentParser(
        prog="python -m lowslow_assets.sample_tenant",
        description="Generate the sign-in logs of a generated tenant, with labels beside them.",
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", type=Path, help="new folder for the export (y=.../m=.../...)")
    add("--labels", type=Path, required=True, help="CSV file to write, outside SOURCE")
    add(
        "--start",
        type=date.fromisoformat,
        default=demo.start,
        help="first day, YYYY-MM-DD (%(default)s)",
    )
    add("--days", type=int, default=demo.days, help="number of days (%(default)s)")
    add("--users", type=int, default=demo.users, help="number of accounts (%(default)s)")
    add("--signins-per-day", type=int, default=demo.signins_per_day, help="average (%(default)s)")
    add(
        "--seed",
        type=int,
        default=demo.seed,
        help="another seed makes another tenant (%(default)s)",
    )
    planted = parser.add_mutually_exclusive_group()
    kinds = ",".join(PRESETS)
    planted.add_argument("--campaigns", type=_campaigns, help=f"some of {kinds} (the demo's three)")
    planted.add_argument("--quiet", action="store_true", help="no campaign at all")
    add("--confusers", type=_names, help=f"none, all, or some of {','.join(CONFUSERS)} (all)")
    add("--detail-shape", choices=["strings", "objects", "mixed"], default=demo.detail_shape)
    add("--schema", choices=["sentinel", "diagnostic", "mixed"], default=demo.schema)
    add(
        "--missing-days",
        type=int,
        default=demo.missing_days,
        help="days without files (%(default)s)",
    )
    return parser


def _tenant(options: argparse.Namespace) -> Tenant:
    campaigns = Tenant().campaigns if options.campaigns is None else options.campaigns
    return Tenant(
        seed=options.seed,
        start=options.start,
        days=options.days,
        users=options.users,
        signins_per_day=options.signins_per_day,
        campaigns=() if options.quiet else campaigns,
        confusers=True if options.confusers is None else options.confusers,
        detail_shape=options.detail_shape,
        schema=options.schema,
        missing_days=options.missing_days,
    )


def _names(text: str) -> tuple[str, ...] | bool:
    if text in ("all", "none"):
        return text == "all"
    return tuple(text.split(","))


def _campaigns(text: str) -> tuple[Campaign, ...]:
    unknown = [kind for kind in text.split(",") if kind not in PRESETS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown campaign {unknown[0]!r}")
    return tuple(PRESETS[kind] for kind in text.split(","))


def _progress(done: int, days: int) -> None:
    if done == days or done % max(days // 10, 1) == 0:
        print(f"day {done} of {days}", file=sys.stderr, flush=True)


def _report(summary: Summary, source: Path, labels: Path) -> str:
    if summary.already_there:
        return f"{source} holds this tenant already: {summary.signins:,} sign-ins."
    counts = "\n".join(f"  {name:16} {n:>10,}" for name, n in summary.by_label.items() if n)
    return (
        f"{summary.signins:,} sign-ins in {summary.files:,} files, {summary.bytes / 1e6:,.0f} MB,"
        f" in {source}\n{counts}\n"
        f"  ({summary.repeated_lines:,} lines are repeated, {summary.malformed_lines:,} malformed)"
        f"\nlabels: {labels}"
    )


if __name__ == "__main__":
    sys.exit(main())
