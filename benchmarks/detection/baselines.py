"""Published rules against password sprays, for comparison: what defenders run today.

Each is written from the published query, on pandas, over one tenant's window. ``signins`` has one
row per sign-in: signin_id, time (naive, UTC), user, outcome ("success", "failure" or "other"),
result_type (text), ip_address, ip_prefix, asn, app, client, country, state and city.

Rules are run as they are scheduled, at most once a day: at the end of each UTC day of the window,
over their own lookback. A run whose result holds no sign-in that an alert of the rule held before
is the same thing again, and raises no further alert. Each was built for its own kind of attack,
most of them not for low-and-slow sprays: `BUILT_FOR` says which.
"""

import ipaddress
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.detection.scoring import Alert

Frame = Any
"""A pandas frame or series. pandas 2 has no types that a checker can follow through a query."""


def ip_and_app_bins(signins: Frame) -> list[Alert]:
    """Microsoft Sentinel: "Password spray attack against Microsoft Entra ID application".

    Built for a spray from one address within minutes. An address breaches when at least 5
    accounts fail from it at one application within 20 minutes (clock-aligned bins). Then all its
    failures of the last 3 days are in the result, unless as many accounts (or more) succeeded
    from it as failed. Runs daily.

    One alert per run: the rule does not set event grouping, and Sentinel's default puts all rows of
    a result into one alert. The rule evaluates non-interactive sign-ins separately; here the two
    kinds are one table.

    Source: Azure/Azure-Sentinel, Solutions/Microsoft Entra ID/Analytic Rules/
    SigninPasswordSpray.yaml, version 1.0.4.
    """
    codes = _result_codes(signins)
    failed = codes.isin(_SPRAY_FAILURES)
    events = _frame(
        {
            "signin_id": signins["signin_id"],
            "time": signins["time"],
            "user": signins["user"],
            "address": signins["ip_address"].fillna(""),
            "app": signins["app"],
            "failed": failed,
            # An expired password is in both of the rule's lists.
            "succeeded": codes.isin(_SPRAY_SUCCESSES),
        }
    )
    failures = events[events["failed"]]
    bins = [failures["time"].dt.floor("20min"), failures["address"], failures["app"].astype(str)]
    users = failures.groupby(bins)["user"].nunique()
    breaches = users[users >= 5].reset_index()
    events = events[events["address"].isin(breaches["address"])]
    alerts = []
    for day, window in _runs(events, signins, days=3):
        since = (breaches["time"] >= _midnight(day, -2)) & (breaches["time"] < _midnight(day, 1))
        recent = breaches[since]
        window = window[window["address"].isin(recent["address"])]
        failing = window[window["failed"]].groupby("address")["user"].nunique()
        passing = window[window["succeeded"]].groupby("address")["user"].nunique()
        worse = failing[failing > passing.reindex(failing.index, fill_value=0)]
        rows = window[window["failed"] & window["address"].isin(worse.index)]
        alerts.append(Alert(frozenset(rows["signin_id"]), day))
    return _with_news(alerts)


_SPRAY_FAILURES = (50053, 50126, 50055)
_SPRAY_SUCCESSES = (
    *(0, 50055, 50057, 50155, 50105, 50133, 50005, 50076, 50079),
    *(50173, 50158, 50072, 50074, 53003, 53000, 53001, 50129),
)


def tenant_wide_bins(signins: Frame) -> list[Alert]:
    """Elastic: "Entra ID User Sign-in Brute Force Attempted", all three branches.

    Built for fast attacks on many accounts, whatever the address. Failures with the rule's error
    codes, of the whole tenant, in bins of 15 minutes; a bin is a hit when it looks like
    credential stuffing (at least 10 accounts, 30 events, 5 addresses, fewer addresses than
    accounts, at most 3 kinds of error, within 10 minutes), like spraying (at least 15 accounts
    and events, one kind of error), or like guessing (one account and one kind of error, at least
    30 events within 5 minutes; or at most 3 accounts, more than 30 addresses, at least 100
    events).

    One alert per bin: each row of the result is one. The rule runs every 15 minutes over the last
    hour and may repeat a row; it counts once. Its filters on the authentication requirement, one
    user agent and Microsoft's own network are left out: these columns are not in the comparison.
    The variant for Microsoft 365 has the same thresholds on fewer events.

    Source: elastic/detection-rules, rules/integrations/azure/
    credential_access_entra_id_brute_force_activity.toml (2025-09-26).
    """
    codes = _result_codes(signins)
    events = signins[codes.isin(_BRUTE_FORCE_CODES) & signins["user"].fillna("").ne("")]
    bins = _frame(
        {
            "signin_id": events["signin_id"],
            "bin": events["time"].dt.floor("15min"),
            "time": events["time"],
            "user": events["user"],
            "code": codes[events.index],
            "address": events["ip_address"].replace("", None),
        }
    ).groupby("bin")
    users, codes_seen = bins["user"].nunique(), bins["code"].nunique()
    addresses, count = bins["address"].nunique(), bins.size()
    seconds = (bins["time"].max() - bins["time"].min()).dt.total_seconds().astype(int)
    stuffing = (users >= 10) & (count >= 30) & (codes_seen <= 3) & (addresses >= 5)
    stuffing &= (seconds <= 600) & (users > addresses)
    spraying = (users >= 15) & (codes_seen == 1) & (count >= 15) & (seconds <= 1800)
    guessing = (users == 1) & (codes_seen == 1) & (count >= 30) & (seconds <= 300)
    guessing |= (users <= 3) & (addresses > 30) & (count >= 100)
    hits = users.index[stuffing | spraying | guessing]
    members = bins["signin_id"].agg(frozenset)
    return [Alert(members[hit], hit.date()) for hit in hits]


_BRUTE_FORCE_CODES = (
    *(50034, 50126, 50055, 50056, 50057, 50064, 50076, 50079, 50105, 70000),
    *(70008, 70043, 80002, 80005, 50144, 50135, 50142, 120000, 120002, 120020),
)


def volatile_addresses(signins: Frame) -> list[Alert]:
    """Microsoft Sentinel, hunting: "Low & slow password attempts with volatile IP addresses".

    Built for low-and-slow attempts on single accounts. A failure (wrong or expired password) counts
    when it is the only one of its address, country and account; nobody has succeeded from the
    address, or only the same account and once. An account is a hit when such failures come from
    more than 5 countries. It looks back 365 days, and therefore over the whole window so far.

    One alert per account: each row of the result is one. A hunting query has no schedule; it is
    run at the end of each day here. An alert holds what its row held when the account was last
    in the result. The success counted is on any day of the window so far, as in the query.

    Source: Azure/Azure-Sentinel, Hunting Queries/SigninLogs/LowAndSlowPasswordAttempt.yaml.
    """
    address = signins["ip_address"].fillna("")
    keys = _frame(
        {
            "signin_id": signins["signin_id"],
            "time": signins["time"],
            "user": signins["user"],
            "address": pd.factorize(address)[0],
            "country": pd.factorize(signins["country"].fillna(""))[0],
        }
    )
    codes = _result_codes(signins)
    failures = keys[codes.isin((50055, 50126))]
    # Only successes of addresses that also fail matter; all others are most of the log.
    successes = keys[codes.eq(0) & keys["address"].isin(failures["address"])]
    raised: dict[str, date] = {}
    members: dict[str, frozenset[str]] = {}
    for day in _days(signins):
        end = _midnight(day, 1)
        hits = _volatile(failures[failures["time"] < end], successes[successes["time"] < end])
        for user, ids in hits.groupby("user")["signin_id"]:
            raised.setdefault(str(user), day)
            members[str(user)] = frozenset(ids)
    return [Alert(members[user], day) for user, day in raised.items()]


def _volatile(failures: Frame, successes: Frame) -> Frame:
    """The failures in the rows of one run of `volatile_addresses`."""
    single = failures.drop_duplicates(["address", "country", "user"], keep=False)
    own = successes.groupby(["address", "user"]).size().reset_index(name="own")
    single = single.merge(own, on=["address", "user"], how="left")
    untouched = ~single["address"].isin(successes["address"])
    single = single[untouched | (single["own"] == 1)]
    countries = single.groupby("user")["country"].nunique()
    return single[single["user"].isin(countries.index[countries > 5])]


def slow_spray_ranges(signins: Frame) -> list[Alert]:
    """J. S. Canós: "SlowPasswordSpray", failures of several accounts from one address range.

    Built for slow sprays from a provider's addresses. Within 14 days, the first failure of each
    account from each address is taken, by /23 (IPv4) or /119 (IPv6). A range with at least 2
    accounts is a spray when an attempt on another account follows within 7 days. Where accounts
    also succeeded from the same addresses, it is a spray with initial access if there are at
    least 3 such attempts and failures outweigh successes: coverage, a product of three ratios and
    of the entropies of the gaps between attempts in bins of 30 minutes, of at least 1 percent.

    Two kinds of alerts, as the query groups its rows. Sprays with access have one alert per range,
    which names the accounts that succeeded from it. Sprays without access, which are informational
    in the query, have one alert per run for all ranges that were not seen before. Both also hold
    what their ranges hold in later runs, which the query marks as recurrent.

    In its favour, its watchlists of expected addresses hold what an operator would put there:
    ranges from which at least 20 accounts succeed in the 14 days, such as offices. Its third kind,
    ranges that only succeed, holds no failures and is left out; so are its grouping by correlation
    id (each attempt has its own) and its restriction to interactive sign-ins and to members (not in
    the comparison). Results are successes as in the query's watchlist: an expired password is one.
    It is scheduled hourly and run daily here.

    Source: ep3p/Sentinel_KQL, Functions/Analytics-SlowPasswordSpray.kql and
    Watchlists/ResultType-SignInLogsErrorCodes.csv.
    """
    events = _range_events(signins)
    first: dict[tuple[str, int], date] = {}
    failures: dict[tuple[str, int], set[str]] = {}
    accounts: dict[tuple[str, int], dict[str, None]] = {}
    for day, window in _runs(events, signins, days=14):
        stages = _range_stages(window)
        hits = window[window["range"].isin(stages.index)]
        for network, inside in hits.groupby("range"):
            hit = (str(stages[network]), int(network))
            first.setdefault(hit, day)
            success = inside["success"].to_numpy()
            failures.setdefault(hit, set()).update(inside["signin_id"].to_numpy()[~success])
            users = inside["user"].to_numpy()[success]
            accounts.setdefault(hit, {}).update(dict.fromkeys(users))
    accesses = [
        Alert(frozenset(failures[hit]), day, tuple(accounts[hit]))
        for hit, day in first.items()
        if hit[0] == "access"
    ]
    begun: dict[date, set[str]] = {}
    for hit, day in first.items():
        if hit[0] == "spray":
            begun.setdefault(day, set()).update(failures[hit])
    return [*accesses, *(Alert(frozenset(ids), day) for day, ids in begun.items())]


_EXPECTED_FROM = 20
_PARTIAL_SUCCESSES = (
    *(0, 50020, 50055, 50072, 50074, 50076, 50078, 50079, 50097, 50105, 50129, 50132, 50133),
    *(50140, 50144, 50155, 50158, 50173, 50199, 53003, 53011, 70008, 70043, 70044, 500011),
    *(500121, 500133, 700003, 700016),
)
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _range_events(signins: Frame) -> Frame:
    """Sign-ins of ranges from which two or more accounts ever fail: others are never a spray."""
    ranges = {a: _address_range(a) for a in signins["ip_address"].dropna().unique()}
    events = _frame(
        {
            "signin_id": signins["signin_id"],
            "time": signins["time"],
            "user": signins["user"],
            "address": signins["ip_address"],
            "range": signins["ip_address"].map(ranges),
            "success": _result_codes(signins).isin(_PARTIAL_SUCCESSES),
        }
    ).dropna(subset="range")
    # Numbers replace names, because rows are grouped by them for each day of the window.
    for name, column in (("account", "user"), ("address", "address"), ("range", "range")):
        events[name] = pd.factorize(events[column])[0]
    users = events[~events["success"]].groupby("range")["account"].nunique()
    return events[events["range"].isin(users.index[users >= 2])]


def _address_range(address: str) -> str | None:
    """The /23 or /119 of an address; None for a private or local one and for other texts."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if ip.version == 4 and (address == "127.0.0.1" or any(ip in net for net in _PRIVATE)):
        return None
    return str(ipaddress.ip_network((ip, 23 if ip.version == 4 else 119), strict=False))


def _range_stages(window: Frame) -> Frame:
    """Per range: "spray", or "access" where accounts also succeeded from its addresses."""
    activity = _range_activity(window)
    failing = activity[~activity["success"] & (activity["accounts"] >= 2) & activity["count"].gt(1)]
    failing = failing.set_index("range")
    passing = activity[activity["success"]].set_index("range").reindex(failing.index)
    both = window.groupby(["range", "address"])["success"].nunique()
    shared = both.index[both == 2].get_level_values("range")
    joined = failing.index.to_series().isin(shared)
    # In per cent. Without attempts that follow each other there is no rhythm to compare.
    coverage = (
        100
        * (failing["count"] / passing["accounts"])
        * (failing["count"] / failing["accounts"])
        * (failing["addresses"] / passing["addresses"])
        * (passing["entropy"] / failing["entropy"]).where(passing["count"] > 1, 1.0)
    )
    busy = (failing["count"] >= 3) | (passing["count"] >= 3)
    entered = joined & busy & (coverage >= 1)
    expected = passing["accounts"] >= _EXPECTED_FROM
    stages = entered.map({True: "access", False: "none"}).where(joined, "spray")
    return stages[(stages != "none") & ~expected]


def _range_activity(window: Frame) -> Frame:
    """Per range and outcome: accounts, addresses, attempts that follow one another, entropy.

    ``count`` is 1 where no attempt follows another; the entropy is in bits, 0 for a steady pace.
    """
    key = ["range", "success"]
    # The window is sorted by time, so the first of each account and address is kept.
    firsts = window.drop_duplicates([*key, "account", "address"])
    result = firsts.groupby(key, as_index=False).agg(
        accounts=("account", "nunique"), addresses=("address", "nunique")
    )
    firsts = firsts.sort_values(key, kind="stable")
    firsts = firsts[firsts.groupby(key)["account"].shift() != firsts["account"]]
    gap = firsts.groupby(key)["time"].shift(-1) - firsts["time"]
    near = firsts.assign(step=gap // pd.Timedelta(minutes=30))[gap <= pd.Timedelta(days=7)]
    steps = near.groupby([*key, "step"]).size().reset_index(name="n")
    # The query requires two more attempts of successes for every 5 hours between them.
    steps = steps[~(steps["success"] & (steps["n"] < 2 * steps["step"] / 10))]
    count = 1 + steps.groupby(key)["n"].sum().rename("count")
    result = result.merge(count.reset_index(), on=key, how="left").fillna({"count": 1})
    steps = steps.merge(count.reset_index(), on=key)
    share = steps["n"] / steps["count"]
    bits = (-share * np.log2(share)).groupby([steps[name] for name in key]).sum().rename("bits")
    result = result.merge(bits.reset_index(), on=key, how="left").fillna({"bits": 0.0})
    # As in the query: one attempt counts as noise, and fewer than 5 attempts as doubtful.
    noise = np.log2(result["count"]) / result["count"]
    doubt = (5 - result["count"]).clip(lower=0) / 5
    return result.assign(entropy=result["bits"] + noise + doubt).drop(columns="bits")


def network_gap_entropy(signins: Frame) -> list[Alert]:
    """Networks that fail on many accounts, a few times each, at an uneven pace.

    This applies the idea of `slow_spray_ranges` to wider networks, for sprays that share a provider
    but no range. The thresholds are ours. Within 14 days and by /23 (IPv4), /48 (IPv6) or
    autonomous
    system: failures on at least 10 accounts, on average at most 2 per account, no success, and gaps
    between failures whose entropy, in bins that double from a second to 14 days, is at least half
    of the highest possible. (An even pace, such as a broken service has, has an entropy of about
    0.) Runs daily.

    There is one alert per network, to which later runs add. A network has no alert if an alert on a
    wider network, raised no later, holds all its failures.
    """
    events = signins[["signin_id", "time", "user", "outcome"]].assign(asn=signins["asn"])
    ranges = {a: _wide_range(a) for a in signins["ip_address"].dropna().unique()}
    events["range"] = signins["ip_address"].map(ranges)
    alerts = [
        alert
        for network in ("asn", "range")
        for alert in _networks(events.dropna(subset=network), network, signins)
    ]
    return _without_narrower(alerts)


_WINDOW_DAYS = 14
_FEWEST_ACCOUNTS = 10
_MOST_PER_ACCOUNT = 2.0
_LEAST_ENTROPY = 0.5


def _wide_range(address: str, bits: int = 23) -> str | None:
    """The range of ``bits`` bits (IPv4) or the /48 (IPv6) of an address; None for other texts."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network((ip, bits if ip.version == 4 else 48), strict=False))


def ranges_by_users(signins: Frame) -> list[Alert]:
    """Ranges from which several accounts fail, on several days, and fewer succeed.

    A defender writes this in a minute. The thresholds are ours. By /24 (IPv4) or /48 (IPv6) over
    the window so far: wrong or expired passwords or locked accounts of at least 5 accounts, on at
    least 3 days (UTC), and of more accounts than succeed from there. Runs daily.

    One alert per range, first raised when it is a hit; it holds what it held in the last such run.
    """
    ranges = {a: _wide_range(a, 24) for a in signins["ip_address"].dropna().unique()}
    return _by_users(signins, signins["ip_address"].map(ranges))


def networks_by_users(signins: Frame) -> list[Alert]:
    """The same as `ranges_by_users`, by autonomous system."""
    return _by_users(signins, signins["asn"])


def _by_users(signins: Frame, network: Frame) -> list[Alert]:
    days = _days(signins)
    events = _frame(
        {
            "signin_id": signins["signin_id"],
            "network": network,
            "user": signins["user"],
            "day": (signins["time"] - signins["time"].min().floor("D")).dt.days,
        }
    )
    codes = _result_codes(signins)
    failures = events[codes.isin(_TRIED)].dropna(subset="network")
    successes = events[codes.eq(0)]
    users = failures.groupby("network")["user"].nunique()
    busy = users.index[users >= _FEWEST_USERS]
    failing, passing = (_so_far(part, "user", busy, len(days)) for part in (failures, successes))
    hits = (failing >= _FEWEST_USERS) & (failing > passing)
    hits &= _so_far(failures, "day", busy, len(days)) >= _FEWEST_DAYS
    alerts = []
    for name, hit in zip(busy, hits, strict=True):
        if hit.any():
            first, last = np.flatnonzero(hit)[[0, -1]]
            inside = failures[(failures["network"] == name) & (failures["day"] <= last)]
            alerts.append(Alert(frozenset(inside["signin_id"]), days[first]))
    return alerts


_TRIED = (50126, 50055, 50053)
_FEWEST_USERS, _FEWEST_DAYS = 5, 3


def _so_far(events: Frame, of: str, networks: Frame, days: int) -> Any:
    """Distinct values of a column in the window so far, as a matrix by network and day."""
    firsts = events[events["network"].isin(networks)].groupby(["network", of])["day"].min()
    counts = np.zeros((len(networks), days), dtype=int)
    rows = networks.get_indexer(firsts.index.get_level_values("network"))
    np.add.at(counts, (rows, firsts.to_numpy(dtype=int)), 1)
    return counts.cumsum(axis=1)


def _networks(events: Frame, network: str, signins: Frame) -> list[Alert]:
    """Alerts of `network_gap_entropy` on one kind of network, which is a column of ``events``."""
    failures = events[events["outcome"] == "failure"]
    users = failures.groupby(network)["user"].nunique()
    events = events[events[network].isin(users.index[users >= _FEWEST_ACCOUNTS])]
    raised: dict[str, date] = {}
    members: dict[str, frozenset[str]] = {}
    for day, window in _runs(events, signins, days=_WINDOW_DAYS):
        failed = window[window["outcome"] == "failure"]
        entered = window.loc[window["outcome"] == "success", network].unique()
        counts = failed.groupby(network)["user"].agg(["size", "nunique"])
        few = counts["size"] <= _MOST_PER_ACCOUNT * counts["nunique"]
        counts = counts[few & (counts["nunique"] >= _FEWEST_ACCOUNTS)]
        suspects = failed[failed[network].isin(counts.index.difference(entered))]
        for name, group in suspects.groupby(network):
            if gap_entropy(group["time"]) >= _LEAST_ENTROPY:
                raised.setdefault(str(name), day)
                ids = frozenset(group["signin_id"])
                members[str(name)] = members.get(str(name), frozenset()) | ids
    return [Alert(members[name], day) for name, day in raised.items()]


def gap_entropy(times: Frame) -> float:
    """Shannon entropy of the gaps between times, over its highest possible value: 0 to 1.

    Gaps are counted in bins that double, from under 2 seconds to 14 days (21 bins). 0 below 3
    times.
    """
    seconds: Frame = times.sort_values().diff().dropna().dt.total_seconds()
    gaps = np.asarray(seconds, dtype=float)
    if len(gaps) < 2:
        return 0.0
    bins = np.floor(np.log2(np.maximum(gaps, 1.0)))
    share = np.unique(bins, return_counts=True)[1] / len(gaps)
    most = np.log(min(len(gaps), 21))
    return float(max(-np.sum(share * np.log(share)), 0.0) / most)


def _without_narrower(alerts: list[Alert]) -> list[Alert]:
    """The alerts that are not contained in a larger alert that was raised no later."""
    kept: list[Alert] = []
    for alert in sorted(alerts, key=lambda a: (-len(a.signins), a.raised)):
        if not any(
            alert.signins <= other.signins and other.raised <= alert.raised for other in kept
        ):
            kept.append(alert)
    return sorted(kept, key=lambda a: (a.raised, -len(a.signins)))


def _with_news(alerts: list[Alert]) -> list[Alert]:
    """The alerts, by day, that hold a sign-in which no earlier alert held."""
    seen: set[str] = set()
    kept = []
    for alert in sorted(alerts, key=lambda a: a.raised):
        if alert.signins - seen:
            kept.append(alert)
            seen |= alert.signins
    return kept


def _frame(columns: dict[str, Any]) -> Frame:
    return pd.DataFrame(columns)


def _midnight(day: date, later: int = 0) -> datetime:
    """The beginning of the day ``later`` days after ``day``."""
    return datetime.combine(day + timedelta(days=later), time())


def _runs(events: Frame, signins: Frame, days: int) -> Iterator[tuple[date, Frame]]:
    """Each day of the window, with the events that its daily run looks back on."""
    events = events.sort_values("time", kind="stable")
    times = events["time"].to_numpy()
    for day in _days(signins):
        limits = [np.datetime64(_midnight(day, later)) for later in (1 - days, 1)]
        first, last = np.searchsorted(times, limits)
        yield day, events.iloc[first:last]


def _days(signins: Frame) -> list[date]:
    """Every UTC day from the first sign-in's to the last one's."""
    if signins.empty:
        return []
    first, last = signins["time"].min().date(), signins["time"].max().date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _result_codes(signins: Frame) -> Frame:
    """Result types as numbers; -1 for a text that is not a number."""
    codes = {
        text: int(text) if str(text).isdigit() else -1 for text in signins["result_type"].unique()
    }
    return signins["result_type"].map(codes).astype(int)


BASELINES: dict[str, Callable[[pd.DataFrame], list[Alert]]] = {
    "Sentinel password spray": ip_and_app_bins,
    "Elastic brute force": tenant_wide_bins,
    "Sentinel volatile addresses": volatile_addresses,
    "Slow spray by /23": slow_spray_ranges,
    "Gap entropy by network": network_gap_entropy,
    "/24 by distinct users": ranges_by_users,
    "AS number by distinct users": networks_by_users,
}
"""The rules by a short name; the last two are plain rules that nobody published."""

BUILT_FOR: dict[str, str] = {
    "Sentinel password spray": (
        "Microsoft Sentinel's analytics rule: one address fails on 5 accounts at one application "
        "within 20 minutes. Built for fast sprays from few addresses."
    ),
    "Elastic brute force": (
        "Elastic's rule: the whole tenant's failures in 15 minutes look like stuffing, spraying "
        "or guessing. Built for fast attacks from any number of addresses."
    ),
    "Sentinel volatile addresses": (
        "Microsoft Sentinel's hunting query: an account fails from more than 5 countries, each "
        "time from an address not seen otherwise. Built to see which accounts a low-and-slow "
        "attacker tries, not to gather a campaign."
    ),
    "Slow spray by /23": (
        "J. S. Canós's Sentinel query: several accounts fail from one address range within 14 "
        "days. Built for slow sprays from one provider's addresses."
    ),
    "Gap entropy by network": (
        "The same idea on ranges and autonomous systems, with thresholds of our own. Built for "
        "slow sprays whose addresses share a network."
    ),
    "/24 by distinct users": (
        "A plain rule: from a /24, at least 5 accounts fail on at least 3 days, and fewer succeed. "
        "Built for attackers who come back to the same addresses."
    ),
    "AS number by distinct users": (
        "The same by autonomous system. Built for attackers who change addresses, not providers."
    ),
}
"""What each rule was built for, in one or two sentences."""
