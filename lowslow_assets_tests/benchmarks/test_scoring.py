"""Scores of a few alerts on ten failures, checked manually."""

from datetime import date

import pandas as pd

from benchmarks.detection.scoring import (
    Alert,
    Forecast,
    Judged,
    Trial,
    first_attempts,
    forecasts,
    score,
)

TRIAL = Trial("two", 1, "a rule")


def labels() -> pd.DataFrame:
    """Failures a1..a6 of spray A, b1..b4 of B, t1..t4 typos, x1..x2 of a burst; two successes."""
    rows = [(f"a{i}", "spray_failure", "A", f"u{i}", "failure") for i in range(1, 7)]
    rows += [(f"b{i}", "spray_failure", "B", f"u{i}", "failure") for i in range(1, 5)]
    rows += [(f"t{i}", "typo", "", "u1", "failure") for i in range(1, 5)]
    rows += [(f"x{i}", "burst", "", "u1", "failure") for i in range(1, 3)]
    rows += [("x3", "burst", "", "u1", "other")]
    rows += [("w1", "spray_success", "A", "eve", "success")]
    rows += [("w2", "spray_success", "A", "eve", "success")]
    rows += [("w3", "spray_success", "B", "bob", "success")]
    columns = ("signin_id", "label", "campaign", "user", "outcome")
    found = pd.DataFrame(dict(zip(columns, zip(*rows, strict=True), strict=True)))
    # A begins on the first day of the window, B on the third.
    began = {"A": "2026-05-02 09:30", "B": "2026-05-04 23:00", "": "2026-05-01 00:00"}
    times = [began[campaign] for campaign in found["campaign"]]
    return found.assign(time=pd.to_datetime(times))


def alert(signins: str, day: int, *accounts: str) -> Alert:
    """An alert on the sign-ins in a string, at the end of a day of the window."""
    return Alert(frozenset(signins.split()), date(2026, 5, 1 + day), accounts)


def test_found_in_one_alert():
    alerts = [alert("a1 a2 a3 t1", 9, "eve", "ann"), alert("a4 t2", 3), alert("b1", 4)]
    (a, b), tenant = score(TRIAL, alerts, labels())
    assert (a.campaign, a.failures, a.found, a.share, a.purity) == ("A", 6, True, 0.5, 0.75)
    assert a.share_in_any == 4 / 6
    assert a.first_day == 9  # the earlier alert holds one failure only
    assert (b.found, b.share, b.purity, b.first_day) == (False, 0.25, 1.0, None)
    assert (tenant.alerts, tenant.false_alerts, tenant.planted, tenant.found) == (3, 0, 2, 1)
    assert (tenant.compromised, tenant.named, tenant.named_right) == (2, 2, 1)
    assert not tenant.merged


def test_all_of_it_among_more_of_others_is_not_found():
    (a, _), tenant = score(TRIAL, [alert("a1 a2 a3 t1 t2 t3 t4", 2)], labels())
    assert (a.found, a.share, a.first_day) == (False, 0.5, None)
    assert a.purity == 3 / 7
    assert (tenant.false_alerts, tenant.burst_alerts) == (1, 0)


def test_two_campaigns_in_one_alert():
    both = alert("a1 a2 a3 b1 b2", 2)
    (a, b), tenant = score(TRIAL, [both], labels())
    assert (a.found, b.found) == (True, False)
    assert tenant.merged
    assert tenant.false_alerts == 0
    assert score(TRIAL, [alert("a1 a2 a3 b1", 2)], labels())[1].merged is False


def test_half_is_enough():
    rows, tenant = score(TRIAL, [alert("b1 b2 t1 t2", 1)], labels())
    assert rows[1].found
    assert rows[1].first_day is None  # fewer than three of its failures
    assert tenant.false_alerts == 0


def test_only_known_failures_are_in_play():
    (a, _), _ = score(TRIAL, [alert("a1 a2 a3 w1 x3 elsewhere", 1)], labels())
    assert a.purity == 1.0


def test_alert_without_known_failures_is_false():
    _, tenant = score(TRIAL, [alert("elsewhere", 1, "eve")], labels())
    assert (tenant.false_alerts, tenant.burst_alerts, tenant.named_right) == (1, 0, 1)


def test_burst_is_false_and_counted():
    _, tenant = score(TRIAL, [alert("x1 x2 t1", 1), alert("t1 t2", 1)], labels())
    assert (tenant.false_alerts, tenant.burst_alerts) == (2, 1)


def test_events_one_by_one():
    alerts = [alert(f"a{i}", i) for i in range(1, 7)]
    (a, _), _ = score(TRIAL, alerts, labels())
    assert (a.found, a.share, a.share_in_any, a.first_day) == (False, 1 / 6, 1.0, None)


def test_no_alerts_and_no_campaigns():
    (a, b), tenant = score(TRIAL, [], labels())
    assert (a.found, a.share, a.purity, a.share_in_any, b.first_day) == (False, 0, None, 0, None)
    assert (tenant.alerts, tenant.found) == (0, 0)
    rows, tenant = score(TRIAL, [alert("t1", 1)], labels().query("campaign == ''"))
    assert rows == []
    assert (tenant.planted, tenant.false_alerts, tenant.compromised) == (0, 1, 0)


def test_a_right_password_that_was_stopped_is_the_campaigns():
    found = labels()
    found.loc[found["signin_id"] == "a1", "label"] = "spray_stopped"
    (a, _), _ = score(TRIAL, [alert("a1 a2 a3", 1)], found)
    assert (a.failures, a.share, a.purity) == (6, 0.5, 1.0)


def test_first_days_count_from_a_campaigns_first_attempt():
    alerts = [alert("a1 a2 a3", 5), alert("b1 b2 b3", 5)]
    (a, b), _ = score(TRIAL, alerts, labels())
    assert first_attempts(labels()) == {"A": date(2026, 5, 2), "B": date(2026, 5, 4)}
    assert (a.first_day, b.first_day) == (5, 3)


def stopped_labels() -> pd.DataFrame:
    """As ``labels``: of A the passwords of u1 and u2 were right and stopped, of B that of bob."""
    found = labels()
    stopped = found["signin_id"].isin(["a1", "a2", "b4"])
    found.loc[stopped, ["label", "outcome"]] = ["spray_stopped", "stopped"]
    found.loc[found["signin_id"] == "b4", "user"] = "bob"
    return found


def test_known_passwords():
    # B compromised bob's account later, so his password is no longer only known.
    first = Alert(frozenset({"a1"}), date(2026, 5, 2), ("eve",), known=("u1", "bob", "ann"))
    second = Alert(frozenset({"b1"}), date(2026, 5, 2), known=("u1",))
    _, tenant = score(TRIAL, [first, second], stopped_labels())
    assert (tenant.known, tenant.known_named, tenant.known_right) == (2, 3, 1)
    assert (tenant.compromised, tenant.named, tenant.named_right) == (2, 1, 1)
    _, tenant = score(TRIAL, [first], labels())
    assert (tenant.known, tenant.known_named, tenant.known_right) == (0, 3, 0)


def test_forecasts_say_what_was_named_and_what_is_true():
    judged = Judged(
        [
            (0.9, True, frozenset({"a1", "b1", "t1", "t2"})),  # half of it of planted campaigns
            (0.8, True, frozenset({"a1", "t1", "t2"})),
            (0.1, False, frozenset({"b2"})),
            (0.0, False, frozenset()),
        ],
        {"eve": 0.7, "ann": 0.6, "bob": 0.2},
        {"u1": 0.9, "bob": 0.8, "u2": 0.1},
    )
    named = Alert(frozenset({"a1"}), date(2026, 5, 2), ("eve", "ann"), known=("u1", "bob"))
    given = forecasts(judged, [named], stopped_labels())
    assert given.compromised == [
        Forecast(0.6, named=True, true=False),
        Forecast(0.2, named=False, true=True),
        Forecast(0.7, named=True, true=True),
    ]
    assert given.known == [
        Forecast(0.8, named=True, true=False),
        Forecast(0.9, named=True, true=True),
        Forecast(0.1, named=False, true=True),
    ]
    assert given.campaigns == [
        Forecast(0.9, named=True, true=True),
        Forecast(0.8, named=True, true=False),
        Forecast(0.1, named=False, true=True),
        Forecast(0.0, named=False, true=False),
    ]
