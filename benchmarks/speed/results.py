"""The results: one JSON line per run, so that a benchmark can continue where it was stopped."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.speed.measure import Cost
from benchmarks.speed.peers import Measured, Turn


@dataclass(frozen=True, order=True)
class Size:
    """The size of what is hunted in."""

    rate: int
    days: int

    @property
    def signins(self) -> int:
        """The number of sign-ins in the window."""
        return self.rate * self.days


@dataclass(frozen=True)
class Result(Measured):
    """One run of one peer at one size."""

    size: Size
    run: int


@dataclass(frozen=True)
class Wall:
    """Seconds of wall time.

    origin: "measured"; "estimated" (see `Results.estimate`); "stopped" (the command takes longer).
    """

    seconds: float
    origin: str


class Results:
    """All results in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "results.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._results = [_result(json.loads(line)) for line in lines]

    def add(self, size: Size, run: int, measured: list[Measured]) -> None:
        """Store the results of one turn: all of them or none."""
        new = [Result(m.peer, m.cost, m.notes, size, run) for m in measured]
        with self._path.open("a") as file:
            file.write("".join(json.dumps(asdict(result)) + "\n" for result in new))
        self._results += new

    def sizes(self) -> list[Size]:
        """The sizes at which any peer was run, in order."""
        return sorted({result.size for result in self._results})

    def of(self, size: Size, peer: str) -> list[Result]:
        """A peer's runs at a size."""
        return [r for r in self._results if r.size == size and r.peer == peer]

    def is_done(self, size: Size, run: int, turn: Turn) -> bool:
        """Whether no run is needed: this one was made, or an earlier one reached the time limit."""
        runs = [result for peer in turn.peers for result in self.of(size, peer)]
        return any(r.run == run or r.cost.outcome != "finished" for r in runs)

    def cost(self, size: Size, peer: str) -> Cost | None:
        """The medians of a peer's runs at a size; None unless it finished."""
        costs = [r.cost for r in self.of(size, peer) if r.cost.outcome == "finished"]
        if not costs:
            return None
        return Cost(
            median(cost.wall for cost in costs),
            median(cost.cpu for cost in costs),
            median(cost.process_mb for cost in costs),
            median(cost.tree_mb for cost in costs),
            "finished",
        )

    def wall(self, size: Size, peer: str) -> Wall | None:
        """A peer's median time at a size, measured or else estimated."""
        if cost := self.cost(size, peer):
            return Wall(cost.wall, "measured")
        stopped, estimate = self._stopped(size, peer), self.estimate(size, peer)
        if estimate is not None and estimate > (stopped or 0.0):
            return Wall(estimate, "estimated")
        return None if stopped is None else Wall(stopped, "stopped")

    def estimate(self, size: Size, peer: str) -> float | None:
        """Seconds in proportion to the sign-ins, from the peer's largest smaller window.

        If the peer was stopped at that window, the estimate is a lower bound.
        """
        known = [
            (other.signins, seconds)
            for other in self.sizes()
            if other.signins < size.signins and (seconds := self._spent(other, peer))
        ]
        if not known:
            return None
        signins, seconds = max(known)
        return seconds * size.signins / signins

    def _stopped(self, size: Size, peer: str) -> float | None:
        """The seconds after which the peer was stopped; None if it was not."""
        runs = (r.cost for r in self.of(size, peer) if r.cost.outcome == "stopped")
        return next((cost.wall for cost in runs), None)

    def _spent(self, size: Size, peer: str) -> float | None:
        cost = self.cost(size, peer)
        return cost.wall if cost else self._stopped(size, peer)

    def note(self, size: Size, peer: str, name: str) -> float | None:
        """A number that a peer noted at a size, from its first run."""
        return next((r.notes[name] for r in self.of(size, peer) if name in r.notes), None)


def _result(values: dict) -> Result:
    cost, size = Cost(**values["cost"]), Size(**values["size"])
    return Result(values["peer"], cost, values["notes"], size, values["run"])
