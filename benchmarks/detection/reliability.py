"""Whether probabilities are correct: of ten forecasts of .9, nine should come true."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from benchmarks.detection.scoring import Forecast

BINS = 10
"""The number of bins, of equal width. Bins of equal mass would nearly all be close to 0."""


@dataclass(frozen=True)
class Bin:
    """Forecasts whose probability is from low to high (excluded, except for 1).

    probability: the average; true: the share that came true.
    """

    low: float
    high: float
    count: int
    probability: float
    true: float

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the share that came true."""
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
    """Expected calibration error: the mean error of bins, by forecasts; None without forecasts.

    Naeini, Cooper and Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning,
    AAAI 2015.
    """
    if not forecasts:
        return None
    off = sum(each.count * abs(each.probability - each.true) for each in bins_of(forecasts))
    return off / len(forecasts)


def share_interval(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of the true share (Wilson)."""
    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
