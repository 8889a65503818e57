"""Bins and calibration errors, on cases that can be calculated manually."""

import pytest

from benchmarks.detection.reliability import bins_of, calibration_error, share_interval
from benchmarks.detection.scoring import Forecast


def forecasts(probability: float, right: int, wrong: int) -> list[Forecast]:
    """So many right and wrong forecasts of one probability."""
    return [Forecast(probability, True, n < right) for n in range(right + wrong)]


def test_who_says_one_half_and_is_right_half_of_the_time_is_calibrated():
    assert calibration_error(forecasts(0.5, 10, 10)) == 0
    assert calibration_error(forecasts(0.0, 0, 5) + forecasts(1.0, 5, 0)) == 0


def test_error_is_the_average_over_forecasts_of_how_far_their_bin_is_off():
    # Ten are .2 off, thirty .1.
    assert calibration_error(forecasts(0.9, 7, 3) + forecasts(0.2, 9, 21)) == pytest.approx(0.125)
    # In one bin they compensate each other.
    assert calibration_error(forecasts(0.91, 9, 1) + forecasts(0.99, 10, 0)) == pytest.approx(0)
    assert calibration_error([]) is None


def test_bins_have_their_lower_bound_and_the_last_one_both():
    found = bins_of(forecasts(0.1, 1, 0) + forecasts(0.09, 0, 1) + forecasts(1.0, 1, 2))
    assert [(each.low, each.high, each.count) for each in found] == [
        (0.0, 0.1, 1),
        (0.1, 0.2, 1),
        (0.9, 1.0, 3),
    ]
    assert found[2].true == pytest.approx(1 / 3)
    assert found[2].interval == share_interval(1, 3)


def test_wilsons_interval():
    # z = 1.96: (x + z^2 / 2) / (n + z^2) -+ z / (n + z^2) * sqrt(x (n - x) / n + z^2 / 4)
    assert share_interval(8, 10) == pytest.approx((0.490, 0.943), abs=0.001)
    assert share_interval(0, 10) == pytest.approx((0, 0.278), abs=0.001)
