"""Asset checks: whether the input looks right, in words, before anybody relies on a hunt."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import dagster as dg

from lowslow_assets.detection.baseline import held_usual
from lowslow_assets.detection.known_sources import in_words, uses
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.lake import Lake, window_days
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENRICHED_INCIDENTS,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    INCIDENT_MEMBERS,
    RAW_SIGNINS,
    REJECTED_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS,
    Table,
)
from lowslow_assets.orchestration.assets.declare import permanent_failures, table_metadata
from lowslow_assets.orchestration.partitions import DAYS, days_of
from lowslow_assets.orchestration.resources import HuntParameters, LakeResource
from lowslow_assets.signins.features import of_outcome
from lowslow_assets.signins.plausibility import (
    COMPARED_DAYS,
    count_doubts,
    count_outcomes,
    count_rejects,
    doubts,
    shares_without_value,
    silent_features,
    stopped_features,
    unusual_volume,
)

MAX_REJECTED_SHARE = 0.01
MIN_WINDOW_SHARE = 0.9
_SHOWN = 20

_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dg.asset_check(
    asset=RAW_SIGNINS.name,
    partitions_def=DAYS,
    description="At most 1 % of the lines of the day's export were rejected, and no whole file.",
)
def lines_are_signins(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """Warn of days with many rejected lines, and of those with a file that was not read."""
    opened = lake.open()
    days = days_of(context)
    rejected = opened.read(REJECTED_SIGNINS, opened.readable(REJECTED_SIGNINS, days))
    odd = defaultdict(list)
    examples = []
    for row in count_rejects(rejected).rows():
        day, rejects = row["date"], row["rejects"]
        partition = opened.partition(RAW_SIGNINS, day)
        signins = partition.rows if partition else 0
        if rejects > MAX_REJECTED_SHARE * (signins + rejects):
            odd[day].append(f"{rejects:,} rejected beside {signins:,} sign-ins")
        if row["files"]:
            odd[day].append(f"{row['files']:,} files of which nothing was taken")
            examples.append({"day": day, "file": row["example"], "reason": row["reason"]})
    # Anybody can choose a file's name, so it is shown unchanged only in a table.
    return _result(odd, _WARN, files=table_metadata(examples[:_SHOWN]))


@dg.asset_check(
    asset=RAW_SIGNINS.name,
    partitions_def=DAYS,
    description="Addresses, details, results and times of the day's sign-ins could be read.",
)
def values_are_read(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """Warn of values that could not be read; an error if most failures have no address."""
    opened = lake.open()
    signins = opened.read(RAW_SIGNINS, opened.readable(RAW_SIGNINS, days_of(context)))
    odd, blind = doubts(count_doubts(signins).rows())
    return _result(odd, _ERROR if blind else _WARN)


@dg.asset_check(
    asset=SIGNIN_HOURS.name,
    partitions_def=DAYS,
    description="The day has about as many sign-ins and failures as the 8 weeks before.",
)
def volume_is_usual(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """An error for a day without successes and failures, a warning for an unusual day."""
    days = days_of(context)
    opened = lake.open()
    outcomes = {
        day: count_outcomes(opened.rows(SIGNIN_HOURS, [day]))
        for day in _compared(opened, SIGNIN_HOURS, days)
    }
    odd = {day: said for day in days if (said := unusual_volume(day, outcomes))}
    judged = (outcomes[day].successes + outcomes[day].failures for day in days)
    return _result(odd, _WARN if all(judged) else _ERROR)


@dg.asset_check(
    asset=CATEGORY_COUNTS.name,
    partitions_def=DAYS,
    description="The log still has the features that it had in the 8 weeks before.",
)
def features_are_given(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """An error for features that the log no longer has, a warning for those it never had."""
    days = days_of(context)
    opened = lake.open()
    counts = opened.read(CATEGORY_COUNTS, _compared(opened, CATEGORY_COUNTS, days))
    nodata: dict[date, dict[str, float]] = defaultdict(dict)
    for row in shares_without_value(counts).rows():
        nodata[row["date"]][row["feature"]] = row["share"]
    odd = {day: list(silent.values()) for day in days if (silent := silent_features(day, nodata))}
    stopped = any(stopped_features(day, nodata) for day in days)
    return _result(odd, _ERROR if stopped else _WARN)


@dg.asset_check(
    asset=FEATURE_BASELINE.name,
    partitions_def=DAYS,
    description=f"At least {MIN_WINDOW_SHARE:.0%} of the window's days are in the lake.",
)
def window_is_whole(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, parameters: HuntParameters
) -> dg.AssetCheckResult:
    """Warn of hunts whose window lacks days, because what is rare in it may only be unseen."""
    opened = lake.open()
    odd = {}
    for day in days_of(context):
        there = Hunt(day, opened, parameters.settings).ingested_days()
        if len(there) < MIN_WINDOW_SHARE * parameters.lookback_days:
            gaps = len(window_days(day, (day - there[0]).days + 1)) - len(there)
            odd[day] = [
                f"{len(there)} of the window's {parameters.lookback_days} days are in the lake, "
                f"from {there[0]}; after it {gaps or 'none'} are missing"
            ]
    return _result(odd, _WARN)


@dg.asset_check(
    asset=EXPLAINED_FAILURES.name,
    partitions_def=DAYS,
    description="No known source has ended that is missed, or is of no more use.",
)
def known_sources_are_current(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, parameters: HuntParameters
) -> dg.AssetCheckResult:
    """Warn of known sources that have ended but still occur, or that explain nothing any more."""
    opened = lake.open()
    odd = {}
    for day in days_of(context):
        with permanent_failures():
            hunt = Hunt(day, opened, parameters.settings)
            known = () if hunt.settings.of_notebook else hunt.settings.known_sources
            ended = [entry for entry in known if entry.end < day]
            found = uses(hunt.open_failures(), ended) if ended else []
        if said := [in_words(use) for use in found if use.too_late or not use.explained]:
            odd[day] = said
    return _result(odd, _WARN)


@dg.asset_check(
    asset=ENRICHED_INCIDENTS.name,
    partitions_def=DAYS,
    description="No category is usual only because of a campaign's own successes.",
)
def baseline_is_clean(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, parameters: HuntParameters
) -> dg.AssetCheckResult:
    """Warn of categories that only successes of campaigns keep from being anomalous."""
    opened = lake.open()
    odd, held = {}, []
    for day in days_of(context):
        with permanent_failures():
            hunt = Hunt(day, opened, parameters.settings)
            if not any(row["successes"] for row in hunt.rows(ENRICHED_INCIDENTS)):
                continue
            entries = of_outcome(hunt.result(INCIDENT_MEMBERS), SUCCESS)
            found = held_usual(entries, hunt.window_counts(), hunt.baselines()).rows()
        if found:
            odd[day] = [f"{len(found):,} categories are usual by campaigns' successes alone"]
            held += [{"day": day, **row} for row in found]
    # The attacker writes the log's own words, so they are shown unchanged only in a table.
    return _result(odd, _WARN, categories=table_metadata(held[:_SHOWN]))


def _compared(lake: Lake, table: Table, days: Sequence[date]) -> list[date]:
    """The days of a run and those that they are compared with, as far as they can be read."""
    first = days[0] - timedelta(days=COMPARED_DAYS)
    # Days of another release are no reason to fail today's ingest.
    return lake.readable(table, [day for day in lake.days(table) if first <= day <= days[-1]])


def _result(
    odd: Mapping[date, Sequence[str]],
    severity: dg.AssetCheckSeverity,
    **metadata: dg.MetadataValue,
) -> dg.AssetCheckResult:
    """Passed if no day is unusual; otherwise what is unusual about which day."""
    said = [f"{day}: {'; '.join(of_day)}." for day, of_day in sorted(odd.items())]
    more = [f"And {len(said) - _SHOWN} days more."] if len(said) > _SHOWN else []
    return dg.AssetCheckResult(
        passed=not odd,
        severity=severity,
        description="\n".join([*said[:_SHOWN], *more]) or None,
        metadata={"days": len(odd), **metadata},
    )
