"""Each rule on a handful of sign-ins that just meet it, and that just do not."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks.detection import baselines
from benchmarks.detection.baselines import BASELINES, BUILT_FOR, gap_entropy

DAY = "2026-05-02"
OUTCOMES = {"0": "success", "50126": "failure", "50055": "failure"}


def signins(*rows: tuple) -> pd.DataFrame:
    """Sign-ins from (time, user, result, address[, country[, asn]]), with ids s0, s1, ..."""
    full = [(*row, *("US", "64500")[len(row) - 4 :]) for row in rows]
    times, users, results, addresses, countries, networks = zip(*full, strict=True)
    columns = {
        "signin_id": [f"s{i}" for i in range(len(full))],
        "time": pd.to_datetime(times, format="ISO8601"),
        "user": users,
        "outcome": [OUTCOMES.get(result, "other") for result in results],
        "result_type": results,
        "ip_address": addresses,
        "ip_prefix": None,
        "asn": networks,
        "app": "Teams",
        "client": "Browser",
        "country": countries,
        "state": "",
        "city": "",
    }
    return pd.DataFrame(columns)


def minutes(count: int, step: float = 1, start: str = f"{DAY} 10:00") -> list[str]:
    """Times so many minutes apart."""
    begin = pd.Timestamp(start)
    return [str(begin + pd.Timedelta(minutes=step * i)) for i in range(count)]


def members(alerts: list) -> list[set[str]]:
    """The sign-ins of each alert."""
    return [set(alert.signins) for alert in alerts]


def test_every_rule_is_described_and_takes_an_empty_log():
    assert list(BASELINES) == list(BUILT_FOR)
    empty = signins(("2026-05-02", "u", "0", "203.0.113.1"))
    for rule in BASELINES.values():
        assert rule(empty) == []
        assert rule(empty.iloc[:0]) == []


class TestIpAndAppBins:
    """Sentinel's rule on an address and an application."""

    def five(self, *more: tuple) -> pd.DataFrame:
        """Five accounts in five minutes from one address, and more sign-ins."""
        rows = [(t, f"u{i}", "50126", "203.0.113.9") for i, t in enumerate(minutes(5))]
        return signins(*rows, *more)

    def test_five_accounts_in_a_bin(self):
        (alert,) = baselines.ip_and_app_bins(self.five())
        assert (alert.signins, alert.raised) == ({f"s{i}" for i in range(5)}, date(2026, 5, 2))
        assert baselines.ip_and_app_bins(self.five().iloc[:4]) == []

    def test_five_accounts_across_bins_or_addresses(self):
        log = self.five()
        assert baselines.ip_and_app_bins(log.assign(time=pd.to_datetime(minutes(5, 10)))) == []
        many = [f"203.0.113.{i}" for i in range(5)]
        assert baselines.ip_and_app_bins(log.assign(ip_address=many)) == []
        assert baselines.ip_and_app_bins(log.assign(app=list("aabbb"))) == []

    def test_all_failures_of_the_address_within_three_days(self):
        earlier = ("2026-05-01 09:00", "v", "50053", "203.0.113.9")
        before = ("2026-04-29 09:00", "v", "50126", "203.0.113.9")
        elsewhere = ("2026-05-01 09:00", "v", "50126", "203.0.113.8")
        (alert,) = baselines.ip_and_app_bins(self.five(earlier, before, elsewhere))
        assert alert.signins == {f"s{i}" for i in range(6)}

    def test_repeats_only_with_news(self):
        nothing = ("2026-05-04 09:00", "v", "0", "198.51.100.1")
        assert len(baselines.ip_and_app_bins(self.five(nothing))) == 1
        news = ("2026-05-04 09:00", "v", "50126", "203.0.113.9")
        alerts = baselines.ip_and_app_bins(self.five(news))
        assert [alert.raised.day for alert in alerts] == [2, 4]

    def test_as_many_accounts_succeed(self):
        wins = [(t, f"w{i}", "50076", "203.0.113.9") for i, t in enumerate(minutes(5))]
        assert len(baselines.ip_and_app_bins(self.five(*wins[:4]))) == 1
        assert baselines.ip_and_app_bins(self.five(*wins)) == []


class TestTenantWideBins:
    """Elastic's rule on the tenant's failures."""

    @staticmethod
    def rows(count: int, users: int, addresses: int, step: float = 0.5) -> list[tuple]:
        return [
            (t, f"u{i % users}", "50126", f"203.0.113.{i % addresses}")
            for i, t in enumerate(minutes(count, step))
        ]

    def test_spraying(self):
        assert len(baselines.tenant_wide_bins(signins(*self.rows(15, 15, 1)))) == 1
        assert baselines.tenant_wide_bins(signins(*self.rows(14, 14, 1))) == []

    def test_one_kind_of_error_only(self):
        other = (f"{DAY} 10:01", "v", "50076", "203.0.113.1")
        assert baselines.tenant_wide_bins(signins(*self.rows(15, 15, 1), other)) == []
        uncounted = (f"{DAY} 10:01", "v", "50140", "203.0.113.1")
        (alert,) = baselines.tenant_wide_bins(signins(*self.rows(15, 15, 1), uncounted))
        assert len(alert.signins) == 15

    def test_stuffing(self):
        rows = [*self.rows(29, 10, 5, 0.25), (f"{DAY} 10:09", "u1", "50055", "203.0.113.1")]
        assert len(baselines.tenant_wide_bins(signins(*rows))) == 1
        assert baselines.tenant_wide_bins(signins(*rows[1:])) == []
        late = (f"{DAY} 10:11", "u1", "50055", "203.0.113.1")
        assert baselines.tenant_wide_bins(signins(*rows[:29], late)) == []

    def test_guessing(self):
        assert len(baselines.tenant_wide_bins(signins(*self.rows(30, 1, 1, 0.1)))) == 1
        assert baselines.tenant_wide_bins(signins(*self.rows(30, 2, 1, 0.1))) == []
        assert len(baselines.tenant_wide_bins(signins(*self.rows(100, 3, 31, 0.1)))) == 1
        assert baselines.tenant_wide_bins(signins(*self.rows(100, 3, 30, 0.1))) == []


class TestVolatileAddresses:
    """Sentinel's hunting query on single failures from many countries."""

    ROWS = tuple(
        (f"2026-05-{2 + i:02} 10:00", "u", "50126", f"203.0.113.{i}", country)
        for i, country in enumerate(["US", "FR", "DE", "JP", "BR", "ZA"])
    )

    def test_more_than_five_countries(self):
        (alert,) = baselines.volatile_addresses(signins(*self.ROWS))
        assert (len(alert.signins), alert.raised) == (6, date(2026, 5, 7))
        assert baselines.volatile_addresses(signins(*self.ROWS[1:])) == []

    def test_an_address_used_twice_or_by_another(self):
        again = (f"{DAY} 11:00", "u", "50126", "203.0.113.0", "US")
        assert baselines.volatile_addresses(signins(*self.ROWS, again)) == []
        other = (f"{DAY} 11:00", "v", "0", "203.0.113.0", "US")
        assert baselines.volatile_addresses(signins(*self.ROWS, other)) == []

    def test_one_success_of_the_same_account_is_allowed(self):
        own = (f"{DAY} 11:00", "u", "0", "203.0.113.0", "US")
        assert len(baselines.volatile_addresses(signins(*self.ROWS, own))) == 1
        assert baselines.volatile_addresses(signins(*self.ROWS, own, own)) == []

    def test_it_stays_when_an_address_is_used_again_later(self):
        again = ("2026-05-09 11:00", "u", "50126", "203.0.113.0", "US")
        (alert,) = baselines.volatile_addresses(signins(*self.ROWS, again))
        assert (len(alert.signins), alert.raised.day) == (6, 7)


class TestSlowSprayRanges:
    """The query on failures of several accounts from one /23."""

    def test_two_accounts_of_a_range(self):
        rows = [
            ("2026-05-02 10:00", "u", "50126", "203.0.112.7"),
            ("2026-05-08 10:00", "v", "50126", "203.0.113.9"),
            ("2026-05-03 10:00", "w", "50126", "203.0.114.1"),
            ("2026-05-08 11:00", "v", "50126", "203.0.113.9"),
        ]
        (alert,) = baselines.slow_spray_ranges(signins(*rows))
        assert (alert.signins, alert.raised.day) == ({"s0", "s1", "s3"}, 8)
        assert alert.accounts == ()

    def test_too_far_apart_or_the_same_account(self):
        first = ("2026-05-02 10:00", "u", "50126", "203.0.113.7")
        late = ("2026-05-09 11:00", "v", "50126", "203.0.113.9")
        same = ("2026-05-03 10:00", "u", "50126", "203.0.113.9")
        assert baselines.slow_spray_ranges(signins(first, late)) == []
        assert baselines.slow_spray_ranges(signins(first, same)) == []

    def test_access_names_the_accounts_that_succeeded(self):
        rows = [(t, f"u{i}", "50126", "203.0.113.9") for i, t in enumerate(minutes(3, 60))]
        win = (f"{DAY} 14:00", "w", "0", "203.0.113.9")
        (alert,) = baselines.slow_spray_ranges(signins(*rows, win))
        assert (alert.signins, alert.accounts) == ({"s0", "s1", "s2"}, ("w",))
        assert baselines.slow_spray_ranges(signins(*rows[:2], win)) == []  # too little activity

    def test_success_from_another_address_of_the_range(self):
        rows = [(t, f"u{i}", "50126", "203.0.113.9") for i, t in enumerate(minutes(2, 60))]
        win = (f"{DAY} 14:00", "w", "0", "203.0.113.8")
        (alert,) = baselines.slow_spray_ranges(signins(*rows, win))
        assert alert.accounts == ()

    def test_expected_ranges_and_private_ones(self):
        rows = [(t, f"u{i}", "50126", "203.0.113.9") for i, t in enumerate(minutes(3, 60))]
        wins = [(t, f"w{i}", "0", "203.0.113.9") for i, t in enumerate(minutes(20))]
        assert baselines.slow_spray_ranges(signins(*rows, *wins)) == []
        assert len(baselines.slow_spray_ranges(signins(*rows, *wins[1:]))) == 1
        inside = [(t, f"u{i}", "50126", "10.1.2.3") for i, t in enumerate(minutes(3, 60))]
        assert baselines.slow_spray_ranges(signins(*inside)) == []

    def test_activity_as_calculated_manually(self):
        rows = [
            ("2026-05-02 10:00", "a", "50126", "203.0.113.1"),
            ("2026-05-02 10:10", "b", "50126", "203.0.113.2"),
            ("2026-05-02 10:20", "c", "50126", "203.0.113.2"),
            ("2026-05-02 12:20", "a", "50126", "203.0.113.3"),
        ]
        window = baselines._range_events(signins(*rows))
        (activity,) = baselines._range_activity(window).to_dict("records")
        # Gaps of 10, 10 and 120 minutes: two of the first half hour, one of the fifth.
        assert (activity["accounts"], activity["addresses"], activity["count"]) == (3, 3, 4)
        bits = -(2 / 4 * np.log2(2 / 4) + 2 * (1 / 4 * np.log2(1 / 4))) + (5 - 4) / 5
        assert activity["entropy"] == pytest.approx(bits)


class TestNetworkGapEntropy:
    """Networks with failures on many accounts at no even pace."""

    MINUTES = np.cumsum([0, 6, 60, 300, 18, 1200, 120, 1, 540, 180])

    def rows(self, accounts: int = 10) -> list[tuple]:
        """Single failures at uneven gaps, each from another range of one network."""
        begin = pd.Timestamp(DAY)
        return [
            (str(begin + pd.Timedelta(minutes=late)), f"u{i}", "50126", f"203.0.{2 * i}.1")
            for i, late in enumerate(self.MINUTES[:accounts].tolist())
        ]

    def test_ten_accounts(self):
        (alert,) = baselines.network_gap_entropy(signins(*self.rows()))
        assert (len(alert.signins), alert.raised) == (10, date(2026, 5, 3))
        assert baselines.network_gap_entropy(signins(*self.rows(9))) == []

    def test_even_pace(self):
        log = signins(*self.rows())
        assert baselines.network_gap_entropy(log.assign(time=pd.to_datetime(minutes(10)))) == []

    def test_a_success_or_many_attempts(self):
        win = (f"{DAY} 09:00", "w", "0", "198.51.100.1")
        assert baselines.network_gap_entropy(signins(*self.rows(), win)) == []
        more = [(f"{DAY} 09:{i:02}", "u0", *self.rows()[0][2:]) for i in range(11)]
        assert baselines.network_gap_entropy(signins(*self.rows(), *more)) == []
        assert len(baselines.network_gap_entropy(signins(*self.rows(), *more[1:]))) == 1

    def test_range_within_a_network_counts_once(self):
        log = signins(*self.rows()).assign(ip_address="203.0.113.1")
        assert len(baselines.network_gap_entropy(log)) == 1
        assert len(baselines.network_gap_entropy(log.assign(asn=None))) == 1

    def test_entropy_as_calculated_manually(self):
        times = pd.Series(pd.to_datetime([f"{DAY} 10:00", f"{DAY} 10:01", f"{DAY} 10:31"]))
        assert gap_entropy(times) == pytest.approx(1.0)  # two gaps in two bins
        assert gap_entropy(times.iloc[:2]) == 0.0
        assert gap_entropy(pd.Series(pd.to_datetime(minutes(50)))) == 0.0


class TestByUsers:
    """The plain rules on ranges and autonomous systems."""

    def rows(self, users: int = 5, days: int = 3) -> list[tuple]:
        """Failures of so many accounts over so many days, from neighbours in one /24."""
        return [
            (f"2026-05-{2 + i % days:02d} 10:00", f"u{i}", "50126", f"198.51.100.{i}")
            for i in range(users)
        ]

    def test_five_accounts_on_three_days_are_a_hit_on_the_last(self):
        (alert,) = baselines.ranges_by_users(signins(*self.rows()))
        assert alert.signins == {f"s{i}" for i in range(5)}
        assert alert.raised == date(2026, 5, 4)

    @pytest.mark.parametrize(("users", "days"), [(4, 3), (5, 2)])
    def test_fewer_raise_no_alert(self, users: int, days: int):
        assert baselines.ranges_by_users(signins(*self.rows(users, days))) == []

    def test_as_many_accounts_that_succeed_clear_it(self):
        wins = [("2026-05-02 11:00", f"w{i}", "0", "198.51.100.9") for i in range(5)]
        assert len(baselines.ranges_by_users(signins(*self.rows(), *wins[1:]))) == 1
        assert baselines.ranges_by_users(signins(*self.rows(), *wins)) == []

    def test_networks_are_identified_by_their_number(self):
        rows = [
            (time, user, result, f"203.0.{i}.1", "US", "64501")
            for i, (time, user, result, _) in enumerate(self.rows())
        ]
        assert baselines.ranges_by_users(signins(*rows)) == []
        assert members(baselines.networks_by_users(signins(*rows))) == [{f"s{i}" for i in range(5)}]
        assert baselines.networks_by_users(signins(*rows).assign(asn=None)) == []
