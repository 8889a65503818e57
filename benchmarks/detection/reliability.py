"""Whether a probability means what it says: of what is given .9, nine in ten are so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from benchmarks.detection.scoring import Forecast

BINS = 10
"""Bins of equal width. Of equal mass they would nearly all be next to 0."""


@dataclass(frozen=True)
class Bin:
    """Forecasts whose probability lies from low to high (excluded, but for 1).

    probability: on average; true: the share that is so.
    """

    low: float
    high: float
    count: int
    probability: float
    true: float

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share that is so."""
        return share_interval(round(self.true * self.count), self.count)


def bins_of(forecasts: Iterable[Forecast]) -> list[Bin]:
    """The bins that are not empty, in order."""
    found: dict[int, list[Forecast]] = {}
    for forecast in forecasts:
        found.setdefault(min(int(forecast.probability * BINS), BINS - 1), []).append(forecast)
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            len(own),
            sum(forecast.probability for forecast in own) / len(own),
            sum(forecast.true for forecast in own) / len(own),
        )
        for number, own in sorted(found.items())
    ]


def calibration_error(forecasts: Sequence[Forecast]) -> float | None:
    """Expected calibration error: how far a bin is off, on the average of forecasts; None of none.

    Naeini, Cooper and Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning,
    AAAI 2015.
    """
    if not forecasts:
        return None
    off = sum(each.count * abs(each.probability - each.true) for each in bins_of(forecasts))
    return off / len(forecasts)


def share_interval(part: int, whole: int) -> tuple[float, float]:
    """Between what the true share lies, at 95 % (Wilson)."""
    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
