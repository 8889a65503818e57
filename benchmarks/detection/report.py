"""The comparison for people, in Markdown.

Everything is made from the rows of `benchmarks.detection.scoring` over scenarios, seeds and
detectors. Scenarios and detectors keep the order of their first rows, so pass ours first. A
scenario without campaigns is a *quiet* one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.detection.baselines import BUILT_FOR
from benchmarks.detection.reliability import bins_of, calibration_error
from benchmarks.detection.results import Results
from benchmarks.detection.scoring import CampaignRow, Forecast, TenantRow

NOTHING = "–"


def report_of_named(results: Results, ours: str) -> str:
    """The tables of named scenarios."""
    campaigns, tenants = results.campaigns, results.tenants
    return "\n".join(
        [
            "## Against others\n",
            detectors_table(campaigns, tenants),
            _built_for(tenants),
            "## By scenario (ours)\n",
            scenarios_table(campaigns, tenants, ours),
        ]
    )


def report_of_drawn(results: Results, ours: str) -> str:
    """The tables of drawn tenants."""
    campaigns, tenants = results.campaigns, results.tenants
    own = [row for row in tenants if row.trial.detector == ours]
    seeds = [row.trial.seed for row in own]
    quiet = sum(row.planted == 0 for row in own)
    given = results.forecasts
    judged = [sum(each.true for each in tier) for tier in (given.compromised, given.known)]
    parts = [
        "## Drawn tenants\n",
        f"{len(own)} tenants of the seeds {min(seeds)} to {max(seeds)}, {quiet} of them quiet; "
        f"{sum(row.planted for row in own)} sprays.\n",
        detectors_table(campaigns, tenants),
        _built_for(tenants),
    ]
    for title, group in (("attempts a day", rate_band), ("sources", sources_of)):
        parts += [f"### Found by {title}\n", grouped_table(campaigns, title, group, found_cell)]
    parts += [
        "### First day by attempts a day\n",
        "The median of the campaigns that were seen, from their first attempt on; their number.\n",
        grouped_table(campaigns, "attempts a day", rate_band, first_day_cell),
        "### Accounts\n",
        accounts_table(tenants),
        f"The hunts judged {judged[0]} of the {sum(row.compromised for row in own)} compromised "
        f"accounts, and {judged[1]} of the {sum(row.known for row in own)} known passwords: the "
        "sign-ins of the others were not candidates.\n",
        "### Reliability\n",
        reliability_table("account compromised", given.compromised),
        reliability_table("password known", given.known),
        reliability_table("campaign", given.campaigns),
    ]
    return "\n".join(parts)


def _built_for(tenants: Iterable[TenantRow]) -> str:
    """What the published rules among the detectors were built for."""
    there = distinct(row.trial.detector for row in tenants)
    return "".join(f"- {name}: {text}\n" for name, text in BUILT_FOR.items() if name in there)


def detectors_table(campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow]) -> str:
    """One row per detector, over all scenarios and seeds.

    Share, purity and the first day are medians over the campaigns that the detector found (share in
    any alert: over all campaigns). False incidents are totals and, in brackets, the number per
    tenant.
    """
    header = (
        *("detector", "campaigns found", "median share", "median purity", "median first day"),
        *("median share in any alert", "false incidents, with a spray", "false incidents, quiet"),
    )
    rows = []
    for detector in distinct(row.trial.detector for row in tenants):
        own = [row for row in campaigns if row.trial.detector == detector]
        found = [row for row in own if row.found]
        at = [row for row in tenants if row.trial.detector == detector]
        rows.append(
            (
                detector,
                f"{len(found)} of {len(own)}",
                _median(row.share for row in found),
                _median(row.purity for row in found),
                _median((row.first_day for row in found), ".0f"),
                _median(row.share_in_any for row in own),
                _false([row for row in at if row.planted]),
                _false([row for row in at if not row.planted]),
            )
        )
    return _markdown(header, rows)


def accounts_table(tenants: Sequence[TenantRow]) -> str:
    """One row per detector that names accounts, over all tenants, quiet ones included.

    The columns of compromised accounts and of known passwords have recall, then precision. Innocent
    accounts are those named as possibly compromised on tenants with a spray that compromised none.
    """
    header = (
        *(
            "detector",
            "compromised accounts named",
            "of the named, right",
            "innocent, where none was",
        ),
        *("known passwords named", "of those named, right"),
    )
    rows = []
    for detector in distinct(row.trial.detector for row in tenants):
        at = [row for row in tenants if row.trial.detector == detector]
        if not any(row.named or row.known_named for row in at):
            continue
        missed = [row for row in at if row.planted and not row.compromised]
        rows.append(
            (
                detector,
                *_accounts(at),
                f"{sum(row.named for row in missed)} on {len(missed)}" if missed else NOTHING,
                *_known(at),
            )
        )
    return _markdown(header, rows)


def _accounts(at: Sequence[TenantRow]) -> tuple[str, str]:
    """Recall and precision of the accounts named as possibly compromised."""
    right = sum(row.named_right for row in at)
    compromised, named = sum(row.compromised for row in at), sum(row.named for row in at)
    return _part(right, compromised), _part(right, named)


def _known(at: Sequence[TenantRow]) -> tuple[str, str]:
    """Recall and precision of the passwords that are reported as known."""
    right = sum(row.known_right for row in at)
    known, named = sum(row.known for row in at), sum(row.known_named for row in at)
    return _part(right, known), _part(right, named)


def reliability_table(title: str, forecasts: Sequence[Forecast]) -> str:
    """One row per bin of probabilities: the number, the average, and the share that came true.

    Below it is the expected calibration error, of all forecasts and of those that were named.
    """
    header = (f"probability: {title}", "number", "average", "share that is so", "at 95 %")
    rows = [
        (
            f"{each.low:.1f} to {each.high:.1f}",
            f"{each.count:,}",
            f"{each.probability:.3f}",
            f"{each.true:.3f}",
            "{:.2f} to {:.2f}".format(*each.interval),
        )
        for each in bins_of(forecasts)
    ]
    errors = [
        f"{error:.3f} over the {len(given):,} {whose}"
        for whose, given in (
            ("forecasts", forecasts),
            ("that were named", [forecast for forecast in forecasts if forecast.named]),
        )
        if (error := calibration_error(given)) is not None
    ]
    return (
        f"{_markdown(header, rows)}\nExpected calibration error: {', '.join(errors) or NOTHING}.\n"
    )


RATE_BANDS = {"under 1": 1.0, "1 to 4": 4.0, "4 to 12": 12.0, "12 and more": float("inf")}
"""Attempts per day, averaged over a campaign's week; each band is up to its limit (excluded)."""


def rate_band(row: CampaignRow) -> str:
    """The band of a campaign's rate."""
    rate = row.rate or 0.0
    return next(name for name, limit in RATE_BANDS.items() if rate < limit)


def sources_of(row: CampaignRow) -> str:
    """The kind of a campaign's sources."""
    return str(row.sources)


def grouped(
    campaigns: Iterable[CampaignRow], group: Callable[[CampaignRow], str]
) -> list[tuple[str, list[CampaignRow]]]:
    """The campaigns of each group: bands of rates in their order, others by name."""
    found: dict[str, list[CampaignRow]] = {}
    for row in campaigns:
        found.setdefault(group(row), []).append(row)
    names = [name for name in RATE_BANDS if name in found] or sorted(found)
    return [(name, found[name]) for name in names]


def grouped_table(
    campaigns: Sequence[CampaignRow],
    title: str,
    group: Callable[[CampaignRow], str],
    cell: Callable[[Sequence[CampaignRow]], str],
) -> str:
    """One row per group of campaigns, one column per detector."""
    detectors = distinct(row.trial.detector for row in campaigns)
    rows = [
        (name, *(cell([row for row in own if row.trial.detector == each]) for each in detectors))
        for name, own in grouped(campaigns, group)
    ]
    return _markdown((title, *detectors), rows)


def found_cell(campaigns: Sequence[CampaignRow]) -> str:
    """How many campaigns were found."""
    return f"{sum(row.found for row in campaigns)} of {len(campaigns)}"


def first_day_cell(campaigns: Sequence[CampaignRow]) -> str:
    """The median first day of the campaigns that were seen, and their number."""
    seen = [row.first_day for row in campaigns if row.first_day is not None]
    return f"{_median(seen, '.0f')} ({len(seen)} of {len(campaigns)})"


def scenarios_table(
    campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow], detector: str
) -> str:
    """One row per scenario, for one detector, over its seeds (and over several campaigns).

    Share and purity are the lowest and the median over the campaigns that were found. The first day
    counts from the first day of the tenant, also if the campaign begins later.
    """
    header = (
        *("scenario", "found", "share, min..median", "purity, min..median", "median first day"),
        *("false incidents", "two in one", "compromised accounts named", "of the named, right"),
        *("known passwords named", "of those named, right"),
    )
    at = [row for row in tenants if row.trial.detector == detector]
    rows = []
    for scenario in distinct(row.trial.scenario for row in at):
        own = [row for row in campaigns if row.trial.detector == detector]
        own = [row for row in own if row.trial.scenario == scenario]
        found = [row for row in own if row.found]
        here = [row for row in at if row.trial.scenario == scenario]
        rows.append(
            (
                scenario,
                f"{len(found)} of {len(own)}" if own else NOTHING,
                _least_and_median([row.share for row in found]),
                _least_and_median([row.purity for row in found if row.purity is not None]),
                _median((row.first_day for row in found), ".0f"),
                _false(here),
                str(sum(row.merged for row in here)) if len(own) > len(here) else NOTHING,
                *_accounts(here),
                *_known(here),
            )
        )
    return _markdown(header, rows)


def ablations_table(results: Results) -> str:
    """One row per ablation, with its difference from the first detector, which is the whole hunt.

    Share is the mean over all campaigns, purity the mean over those that were found.
    """
    header = (
        *("hunt", "tenants that differ", "campaigns found", "mean share", "mean purity"),
        *("false incidents", "compromised: right", "wrong", "password known: right", "wrong"),
    )
    whole, *_ = names = distinct(row.trial.detector for row in results.tenants)
    of_whole, rows = _figures(results, whole), []
    for name in names:
        figures = zip(_figures(results, name), of_whole, strict=True)
        differ = len(_outcomes(results, name) - _outcomes(results, whole))
        rows.append((name, str(differ), *(_with_difference(*each) for each in figures)))
    return _markdown(header, rows)


def _outcomes(results: Results, detector: str) -> set[tuple[object, ...]]:
    """All results of a detector on each tenant, without the detector's name."""
    found: dict[tuple[str, int], list[object]] = {}
    for row in (*results.tenants, *results.campaigns):
        trial = row.trial
        if trial.detector == detector:
            of_tenant = found.setdefault((trial.scenario, trial.seed), [])
            of_tenant.append(replace(row, trial=replace(trial, detector="")))
    return {(tenant, *rows) for tenant, rows in found.items()}


def _figures(results: Results, detector: str) -> list[float]:
    own = [row for row in results.campaigns if row.trial.detector == detector]
    at = [row for row in results.tenants if row.trial.detector == detector]
    found = [row.purity for row in own if row.found and row.purity is not None]
    return [
        len(found),
        sum(row.share for row in own) / max(len(own), 1),
        sum(found) / max(len(found), 1),
        sum(row.false_alerts for row in at),
        sum(row.named_right for row in at),
        sum(row.named - row.named_right for row in at),
        sum(row.known_right for row in at),
        sum(row.known_named - row.known_right for row in at),
    ]


def _with_difference(value: float, whole: float) -> str:
    form = ".2f" if isinstance(value, float) else "d"
    difference = format(value - whole, f"+{form}")
    changed = any(digit in "123456789" for digit in difference)
    return f"{value:{form}} ({difference.replace('-', '−')})" if changed else f"{value:{form}}"


def distinct(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of first occurrence."""
    return list(dict.fromkeys(names))


def _median(values: Iterable[float | None], form: str = ".2f") -> str:
    known = [value for value in values if value is not None]
    return format(median(known), form) if known else NOTHING


def _least_and_median(values: Sequence[float]) -> str:
    return f"{min(values):.2f}..{median(values):.2f}" if values else NOTHING


def _part(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else NOTHING


def _false(tenants: Sequence[TenantRow]) -> str:
    if not tenants:
        return NOTHING
    total = sum(row.false_alerts for row in tenants)
    return f"{total} ({total / len(tenants):.1f})"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
