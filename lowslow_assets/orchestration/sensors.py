"""The sensors: new files of the export become runs, and failed runs are reported."""

import hashlib
import json
import re
from datetime import UTC, datetime, time, timedelta
from itertools import islice, takewhile

import dagster as dg

from lowslow_assets.export.source import DayFiles, SourceError, SourceUnavailable
from lowslow_assets.orchestration.jobs import ingest_and_hunt
from lowslow_assets.orchestration.partitions import DAYS
from lowslow_assets.orchestration.resources import Notifier, SourceResource

# The export is retried for 12 hours; files have been seen later.
WATCHED_DAYS = 7
SETTLE_TIME = timedelta(hours=1)
_MAX_LINE_LENGTH = 1_000


@dg.sensor(
    job=ingest_and_hunt,
    minimum_interval_seconds=300,
    description=(
        f"Requests each of the newest {WATCHED_DAYS} days of the export once it is over, "
        "and again when its files change."
    ),
)
def new_days(context: dg.SensorEvaluationContext, source: SourceResource) -> dg.SensorResult:
    """Request the days whose files are not those of their last request.

    - Only the newest days are listed: an export of years costs no more per tick than one of
      weeks. Older days are for the job ``ingest_range``.
    - A day is requested an hour after it ends (UTC), so that its last files are there.
    - A late file changes the day's version, and with it the run key: the day is
      requested again, and only then. The key also says what came before, so that a day whose
      files are again as they once were is requested, too.
    - The cursor holds a version and a key of each watched day, so its size is bounded.
    - A source that cannot be listed is a reason to skip: the cursor stays, and the next tick
      finds what this one missed.
    """
    try:
        listing = _list_settled_days(source)
    except (SourceError, SourceUnavailable) as error:
        return dg.SensorResult(skip_reason=str(error))
    requested = _read_cursor(context.cursor)
    seen: dict[str, str] = {}
    requests = []
    for files in listing:
        if not files.files:
            continue
        key = files.day.isoformat()
        seen[key] = requested.get(key, "")
        if seen[key].partition(" ")[0] != files.version:
            before = [hashlib.sha256(seen[key].encode()).hexdigest()[:16]] if seen[key] else []
            seen[key] = " ".join([files.version, *before])
            run_key = "/".join([key, files.version, *before])
            requests.append(dg.RunRequest(run_key=run_key, partition_key=key))
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(seen))


def _list_settled_days(source: SourceResource) -> list[DayFiles]:
    """The newest days' files, oldest day first; raises SourceError and SourceUnavailable."""
    now, first = datetime.now(UTC), DAYS.start.date()
    with source.open() as export:
        # Lazily and newest first, so that an export of years is not listed.
        partitions = takewhile(lambda day: day >= first, export.days())
        settled = (
            day
            for day in partitions
            if now >= datetime.combine(day + timedelta(days=1), time(), UTC) + SETTLE_TIME
        )
        return [export.list_day(day) for day in sorted(islice(settled, WATCHED_DAYS))]


def _read_cursor(cursor: str | None) -> dict[str, str]:
    """Day to its version and what came before; empty if a person set an invalid cursor."""
    try:
        found = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {day: version for day, version in found.items() if isinstance(version, str)}


@dg.run_failure_sensor(
    minimum_interval_seconds=60,
    description="Posts each failed run to the web hook of LOWSLOW_NOTIFY_URL.",
)
def failed_runs(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """Report which run failed, for which day, in which step and why, in a few lines."""
    run = context.dagster_run
    tags = run.tags
    days = tags.get("dagster/partition") or " to ".join(
        tags[name]
        for name in ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        if name in tags
    )
    said = [f"lowslow_assets: {run.job_name} failed{f' for {days}' if days else ''}."]
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        cause = error.cause if error and error.cause else error
        reason = cause.message.strip().splitlines()[0] if cause else "no reason is known"
        # Our own sentences arrive as Dagster's Failure, whose full name says nothing.
        reason = re.sub(r"^dagster\S*\.Failure: ", "", reason)
        said.append(f"{event.step_key}: {reason}")
    said.append(f"Run {run.run_id}.")
    notifier.send("\n".join(line[:_MAX_LINE_LENGTH] for line in said))
