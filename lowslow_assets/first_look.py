"""A first look at sign-ins in files: ``python -m lowslow_assets.first_look FILES``.

``make try FILES="..."`` does the same. It needs no Azure and no settings. Files may have any form
that ingest reads, and each sign-in belongs to the day of its own time. In place of a file, it takes
a URL in the form of LOWSLOW_SOURCE, such as ``graph://graph.microsoft.com``, and reads all of its
days that are over. Everything that it makes is below ``first-look/`` in the current folder.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lowslow_assets.engines.base import Engine, InputFile
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.engines.sql import Columns, sql
from lowslow_assets.export.folders import open_local
from lowslow_assets.export.names import is_hidden, printable
from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import ENRICHED_INCIDENTS, FAILURE, RAW_SIGNINS, REJECTED_SIGNINS
from lowslow_assets.reports.console import incidents_as_text
from lowslow_assets.settings import EngineSettings, Settings, SettingsError, read_settings
from lowslow_assets.signins.ingest import (
    PARSED_INPUTS,
    by_own_days,
    count_days,
    count_reasons,
    deduplicate,
    parse_inputs,
    rejects_of,
    signins_of,
)
from lowslow_assets.signins.outcomes import EXPIRED_PASSWORD, codes_by_outcome
from lowslow_assets.signins.users import name_users

ROOT = Path("first-look")
LAKE = ROOT / "lake"
_MOST_DAYS = 240
# A day with fewer sign-ins than this share of the busiest day's comes from a wrong clock.
_LEAST_SHARE = 0.001
_GOOD_DAYS, _MOST_REASONS = 30, 5


def main() -> None:
    """Read the files, hunt as of their last day, and report what was found and what is missing."""
    parser = argparse.ArgumentParser(prog="python -m lowslow_assets.first_look")
    parser.add_argument("files", nargs="+", help="files or folders of sign-ins, or a source's URL")
    given = parser.parse_args().files
    with ExitStack() as opened:
        urls = [each for each in given if "://" in each]
        files = list(_files(Path(each) for each in given if each not in urls))
        for url in urls:
            files += _files_of_source(url, opened)
        if not files:
            sys.exit("There is no file to read.")
        shutil.rmtree(ROOT, ignore_errors=True)
        size = sum(os.stat(file.location).st_size for file in files)
        print(f"1/2 Read {len(files):,} file(s), {size / 1e6:,.1f} MB")
        engine = opened.enter_context(closing(DuckDBEngine()))
        found = _ingest(engine, files)
    for sentence in found.sentences():
        print(f"    {sentence}")
    if not found.days:
        sys.exit("There is nothing to hunt in.")
    first, last = found.days[0], found.days[-1]
    print(f"2/2 Hunt as of {last}, over {len(found.days)} days", flush=True)
    _hunt(first, last, len(found.days))
    (rows,) = LAKE.glob(f"{ENRICHED_INCIDENTS.name}/date={last}/*.parquet")
    print(f"\n{incidents_as_text(pq.read_table(rows).to_pylist(), last)}")
    if missing := found.shortcomings():
        print("\nWhat this hunt lacked:", *missing, sep="\n  - ")
    print(f"\nPages     {LAKE.absolute()}/case_pages/date={last}/index.html: for a browser")


@dataclass(frozen=True)
class Found:
    """Counts of the files' sign-ins by day that is over, and of their rejects by reason."""

    counts: dict[date, dict[str, Any]]
    rejected: Counter[str]
    today: int

    @property
    def days(self) -> list[date]:
        """The days to hunt over, in order: at most 240, including days between without sign-ins."""
        most = max((row["signins"] for row in self.counts.values()), default=0)
        there = sorted(d for d, row in self.counts.items() if row["signins"] > _LEAST_SHARE * most)
        if not there:
            return []
        length = min(_MOST_DAYS, (there[-1] - there[0]).days + 1)
        return [there[-1] - timedelta(days=back) for back in range(length - 1, -1, -1)]

    def total(self, name: str) -> int:
        """The sum of a count over the days of the hunt."""
        days = set(self.days)
        return sum(row[name] for day, row in self.counts.items() if day in days)

    def sentences(self) -> list[str]:
        """What was read, what was not read, and why."""
        days = self.days
        said = [
            f"{self.total('signins'):,} sign-ins"
            + (f" from {days[0]} to {days[-1]}" if days else "")
            + f": {self.total('successes'):,} successes, {self.total('failures'):,} with a wrong "
            "or expired password"
        ]
        if left := sum(row["signins"] for day, row in self.counts.items() if day not in days):
            said.append(f"{left:,} of other days, far from most, are left out")
        if self.today:
            said.append(f"{self.today:,} of a day that is not over (UTC) are left out")
        said += [
            f"{number:,} rejected: {reason}"
            for reason, number in self.rejected.most_common(_MOST_REASONS)
        ]
        if (more := len(self.rejected) - _MOST_REASONS) > 0:
            said.append(f"and more for {more} other reasons")
        return said

    def shortcomings(self) -> list[str]:
        """What is missing here for a good hunt."""
        days, signins = self.days, max(self.total("signins"), 1)
        said = []
        if len(days) < _GOOD_DAYS:
            said.append(
                f"{len(days)} days are few: a slow campaign shows over {_GOOD_DAYS} and more."
            )
        if not self.total("successes"):
            said.append(
                "There is no success, from which the hunt learns what is usual: download them, too."
            )
        if self.total("addresses") < signins / 2:
            said.append("Most sign-ins have no address.")
        if self.total("networks") < signins / 2:
            said.append(
                "Most sign-ins lack the number of their network: address prefixes replace it, and "
                "people who move look more unusual than they are."
            )
        return said


def _files(given: Iterable[Path]) -> Iterable[InputFile]:
    """The given files and those in the given folders; their days are not known yet."""
    for path in given:
        path = path.expanduser()
        if not path.exists():
            sys.exit(f"{path} does not exist.")
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            if file.is_file() and not (path.is_dir() and is_hidden(file.name)):
                name = printable(str(file))
                yield InputFile(date.min, name, file.stat().st_size, str(file))


def _files_of_source(url: str, opened: ExitStack) -> Sequence[InputFile]:
    """A source's files of days that are over, copied to this machine until ``opened`` is closed."""
    from lowslow_assets.orchestration.resources import SourceResource

    try:
        export = opened.enter_context(SourceResource(root=url, logs=[*read_settings().logs]).open())
        today = datetime.now(UTC).date()
        days = islice((day for day in export.days() if day < today), _MOST_DAYS)
        return export.inputs([export.list_day(day) for day in days])
    except (SourceError, SourceUnavailable, SettingsError) as error:
        sys.exit(str(error))


def _ingest(engine: Engine, files: Sequence[InputFile]) -> Found:
    """Make ``raw_signins`` and ``rejected_signins`` from the files."""
    parsed = engine.from_files(files, parse_inputs, open_local, PARSED_INPUTS)
    logged = by_own_days(signins_of(parsed))
    signins = name_users(deduplicate(logged), logged).held()
    rejects = rejects_of(parsed, engine.from_arrow(REJECTED_SIGNINS.dated.empty_table()))
    passwords = [*codes_by_outcome()[FAILURE], EXPIRED_PASSWORD]
    counts = {row.pop("date"): row for row in count_days(signins, passwords).rows()}
    today = datetime.now(UTC).date()
    not_over = sum(counts.pop(day)["signins"] for day in [*counts] if day >= today)
    reasons = {row["reason"]: row["rejects"] for row in count_reasons(rejects).rows()}
    found = Found(counts, Counter(reasons), not_over)
    if found.days:
        lake = Lake(str(LAKE), engine)
        rows = max(row["signins"] for row in counts.values())
        first, last = found.days[0], found.days[-1]
        text = "SELECT {columns} FROM {signins} WHERE date BETWEEN {first} AND {last}"
        columns = Columns(RAW_SIGNINS.dated)
        kept = sql(text, columns=columns, signins=signins, first=first, last=last)
        lake.write(RAW_SIGNINS, kept, found.days, {}, rows)
        none = engine.from_arrow(REJECTED_SIGNINS.dated.empty_table())
        lake.write(REJECTED_SIGNINS, none, found.days, {})
    return found


def _hunt(first: date, last: date, days: int) -> None:
    # The variables are read when Dagster's definitions are imported.
    os.environ["LOWSLOW_START_DATE"] = str(first)
    import dagster as dg

    from lowslow_assets.orchestration.definitions import build_defs

    defs = build_defs(Settings("first-look", str(LAKE), days, engine=EngineSettings()))
    graph = defs.resolve_asset_graph()
    of_files = dg.AssetSelection.assets(RAW_SIGNINS.name, REJECTED_SIGNINS.name)
    ingest, hunt = dg.AssetSelection.groups("ingest") - of_files, dg.AssetSelection.groups("hunt")
    for job, selection, begin in (("ingest_range", ingest, first), ("hunt_as_of_day", hunt, last)):
        defs.resolve_job_def(job).execute_in_process(
            asset_selection=sorted(selection.resolve(graph)),
            tags={
                "dagster/asset_partition_range_start": str(begin),
                "dagster/asset_partition_range_end": str(last),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )


if __name__ == "__main__":
    main()
