"""The peers that are measured, and how each is run."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import lowslow_assets
from benchmarks.speed.measure import Cost, measure
from benchmarks.speed.tenants import Data
from lowslow_assets.settings import DUCKDB, SPARK


@dataclass(frozen=True)
class Project:
    """Our project on one of its engines, and what is measured of it."""

    engine: str
    name: str

    @property
    def ingest(self) -> str:
        """The first ingest of the window."""
        return f"{self.name}, ingest"

    @property
    def cold(self) -> str:
        """The first ingest of the window and the hunt over it."""
        return f"{self.name}, cold"

    @property
    def daily(self) -> str:
        """The daily update."""
        return f"{self.name}, daily update"


PROJECTS = (Project(DUCKDB, "ours"), Project(SPARK, "ours on Spark"))
AS_WRITTEN, MENDED = "notebook as written", "notebook mended"
PARSING = "DuckDB's own parsing"
PEERS = (
    *(AS_WRITTEN, MENDED),
    *(name for ours in PROJECTS for name in (ours.cold, ours.daily, ours.ingest)),
    PARSING,
)


@dataclass(frozen=True)
class Measured:
    """One run of one peer; ``notes`` are its own facts (clusters, bytes, seconds of steps)."""

    peer: str
    cost: Cost
    notes: dict


@dataclass(frozen=True)
class Bench:
    """The place where peers run on a window: the last ``days`` of the data, in a scratch folder."""

    data: Data
    days: int
    scratch: Path
    limit: float

    def run(self, turn: "Turn") -> list[Measured]:
        """Measure the peers of a turn, in an empty scratch folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        measured = list(turn.measure(self))
        shutil.rmtree(self.scratch)
        return measured

    def parsing(self) -> Iterator[Measured]:
        """DuckDB's own parsing of the window."""
        lake = self.scratch / "duckdb"
        cost = self._module("duckdb_ingest", str(lake))
        yield Measured(PARSING, cost, {"lake_bytes": folder_bytes(lake)})

    def as_written(self) -> Iterator[Measured]:
        """The notebook's hunt over the window."""
        yield self._notebook(AS_WRITTEN, "--as-written")

    def mended(self) -> Iterator[Measured]:
        """The mended notebook's hunt over the window."""
        yield self._notebook(MENDED, "--mended")

    def ours(self, ours: Project) -> Iterator[Measured]:
        """Our ingest of the window and hunt, in an empty lake, then the update of the last day."""
        lake, last = self.scratch / "lake", self.data.last
        days = f"{self.data.first(self.days)}...{last}"
        ingest = self._materialize(ours, "group:ingest", "--partition-range", days)
        yield Measured(ours.ingest, ingest, {})
        hunt = self._materialize(ours, "group:hunt", "--partition", str(last))
        sizes = {
            "lake_bytes": folder_bytes(lake),
            "json_bytes": self.data.json_bytes(self.days),
        }
        yield Measured(ours.cold, ingest + hunt, sizes)
        # As on any other day: the day before has been hunted, and this one has never been seen.
        self._materialize(ours, "group:hunt", "--partition", str(last - timedelta(days=1)))
        forget_day(lake, last)
        both = "group:ingest or group:hunt"
        yield Measured(ours.daily, self._materialize(ours, both, "--partition", str(last)), {})

    def _notebook(self, peer: str, way: str) -> Measured:
        cost = self._module("notebook", way)
        printed = (self.scratch / "output.txt").read_text()
        return Measured(peer, cost, json.loads(printed) if cost.outcome == "finished" else {})

    def _module(self, name: str, argument: str) -> Cost:
        window = [str(self.data.export), str(self.data.first(self.days)), str(self.data.last)]
        return self._run([sys.executable, "-m", f"{__package__}.{name}", *window, argument], {})

    def _materialize(self, ours: Project, selection: str, *partitions: str) -> Cost:
        home = self.scratch / "dagster"
        home.mkdir(exist_ok=True)
        # As the README says.
        shutil.copy(Path(lowslow_assets.__file__).with_name("dagster.yaml"), home)
        settings = {
            "LOWSLOW_ENGINE": ours.engine,
            "LOWSLOW_SOURCE": str(self.data.export),
            "LOWSLOW_LAKE": str(self.scratch / "lake"),
            "LOWSLOW_LOOKBACK_DAYS": str(self.days),
            "DAGSTER_HOME": str(home),
        }
        dagster = str(Path(sys.executable).with_name("dagster"))
        command = [dagster, "asset", "materialize", "-m", "lowslow_assets.definitions"]
        return self._run([*command, "--select", selection, *partitions], settings)

    def _run(self, command: list[str], settings: dict[str, str]) -> Cost:
        # All peers may keep compiled modules.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        # Spark's own scratch, and the notebook's, are removed with ours.
        environment |= {"TMPDIR": str(self.scratch), "SPARK_LOCAL_DIRS": str(self.scratch)}
        output = self.scratch / "output.txt"
        cost = measure(command, {**environment, **settings}, output, self.limit)
        if cost.outcome == "failed":
            messages = output.with_suffix(".log").read_text(errors="replace")
            print(" ".join(command), messages[-3000:], sep="\n", file=sys.stderr)
        return cost


@dataclass(frozen=True)
class Turn:
    """Peers that are measured together."""

    peers: tuple[str, ...]
    measure: Callable[[Bench], Iterator[Measured]]


def _turn_of(ours: Project) -> Turn:
    return Turn((ours.ingest, ours.cold, ours.daily), lambda bench: bench.ours(ours))


TURNS = {
    "parsing": Turn((PARSING,), Bench.parsing),
    **{ours.engine: _turn_of(ours) for ours in PROJECTS},
    "mended": Turn((MENDED,), Bench.mended),
    "as-written": Turn((AS_WRITTEN,), Bench.as_written),
}
"""The turns, by their names on the command line."""


def forget_day(lake: Path, day: date) -> None:
    """Remove the day's partitions of all tables."""
    for folder in lake.glob(f"*/date={day}"):
        shutil.rmtree(folder)


def folder_bytes(folder: Path) -> int:
    """The total size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
