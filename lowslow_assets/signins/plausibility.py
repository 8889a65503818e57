"""Whether a day's sign-ins look like those before. A broken export shows here first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any, TypeVar

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    FAILURE,
    NODATA,
    OTHER,
    RAW_SIGNINS,
    REFUSED,
    REJECTED_SIGNINS,
    STOPPED,
    SUCCESS,
)

COMPARED_DAYS = 56
# Eight weeks hold eight days of a weekday; fewer than three days of it say nothing.
_MIN_SAME_WEEKDAYS, _MIN_DAYS = 3, 7
# A public holiday has more of its weekday's sign-ins than this share, half a lost export has less.
_FAR_EMPTIER = 0.25
_SHARE_JUMP, _MIN_FAILURES = 3.0, 50
_NODATA_JUMP = 0.5
MAX_UNREAD_SHARE, MAX_OTHER_DAYS_SHARE = 0.01, 0.05

Value = TypeVar("Value")


@dataclass(frozen=True)
class Outcomes:
    """A day's sign-ins by outcome."""

    successes: int = 0
    failures: int = 0
    others: int = 0
    stopped: int = 0
    refused: int = 0

    @property
    def signins(self) -> int:
        """The number of all sign-ins."""
        return self.successes + self.failures + self.others + self.stopped + self.refused

    @property
    def failure_share(self) -> float:
        """Failures over failures and successes; 0 without either."""
        return self.failures / max(self.successes + self.failures, 1)


def count_outcomes(hours: Iterable[Mapping[str, Any]]) -> Outcomes:
    """The outcomes of a day, from its rows of ``signin_hours``."""
    counts = dict.fromkeys((SUCCESS, FAILURE, OTHER, STOPPED, REFUSED), 0)
    for row in hours:
        counts[row["outcome"]] += row["signins"]
    return Outcomes(*counts.values())


def unusual_volume(day: date, of_days: Mapping[date, Outcomes]) -> list[str]:
    """What is odd about a day's numbers, in words; ``of_days`` has this day and days before it.

    A day is far emptier than usual if it has less than a quarter of the median of its weekday. The
    share of failures jumped if it is over three times the median of the days before, or under a
    third of it, and the day's failures, or those expected by the median, are 50 or more. With too
    few days before, nothing is reported.
    """
    today = of_days[day]
    if not today.signins:
        return ["no sign-ins"]
    if not today.successes + today.failures:
        return [f"{today.signins:,} sign-ins, of which none is a success or has a wrong password"]
    before = {d: o for d, o in _before(day, of_days).items() if o.signins}
    odd = []
    weekday = [o.signins for d, o in before.items() if d.weekday() == day.weekday()]
    if len(weekday) >= _MIN_SAME_WEEKDAYS and today.signins < _FAR_EMPTIER * median(weekday):
        odd.append(
            f"{today.signins:,} sign-ins, where a {day:%A} usually has {median(weekday):,.0f}"
        )
    if len(before) >= _MIN_DAYS:
        usual = median(o.failure_share for o in before.values())
        expected = usual * (today.successes + today.failures)
        jumped = today.failures > _SHARE_JUMP * expected
        dropped = today.failures * _SHARE_JUMP < expected
        if (jumped or dropped) and max(today.failures, expected) >= _MIN_FAILURES:
            odd.append(
                f"{today.failure_share:.1%} of sign-ins failed for a wrong password, "
                f"where {usual:.1%} are usual"
            )
    return odd


@transform(
    schema(
        "date date, unread string, signins bigint, of_other_days bigint, earliest timestamp, "
        "latest timestamp, errors bigint, without_source bigint"
    ),
    signins=RAW_SIGNINS.dated,
)
def count_doubts(signins: Relation) -> Relation:
    """Per day and unreadable part of its sign-ins, the counts that make the day doubtful.

    ``errors`` counts the sign-ins with an error's code, ``without_source`` those errors that have
    no address.
    """
    return sql(
        """
        SELECT
            date,
            unread,
            count(*) AS signins,
            count(*) FILTER (WHERE CAST(time_generated AS DATE) <> date) AS of_other_days,
            min(time_generated) AS earliest,
            max(time_generated) AS latest,
            count(*) FILTER (WHERE result_type <> '0') AS errors,
            count(*) FILTER (WHERE result_type <> '0' AND ip_prefix IS NULL) AS without_source
        FROM {signins}
        GROUP BY date, unread
        """,
        signins=signins,
    )


def doubts(counted: Iterable[Mapping[str, Any]]) -> tuple[dict[date, list[str]], bool]:
    """What is doubtful about days, in words, from rows of ``count_doubts``.

    Also returns whether most errors of a day have no address, because they cannot be judged then.
    """
    by_day: dict[date, list[Mapping[str, Any]]] = defaultdict(list)
    for row in counted:
        by_day[row["date"]].append(row)
    found: dict[date, list[str]] = defaultdict(list)
    blind = False
    for day, rows in by_day.items():
        signins, others, errors, without = (
            sum(row[name] for row in rows)
            for name in ("signins", "of_other_days", "errors", "without_source")
        )
        unread = Counter[str]()
        for row in rows:
            for name in filter(None, (row["unread"] or "").split(", ")):
                unread[name] += row["signins"]
        for name, number in sorted(unread.items()):
            if number > MAX_UNREAD_SHARE * signins:
                found[day].append(f"the {name} of {number / signins:.1%} of sign-ins is unreadable")
        if others > MAX_OTHER_DAYS_SHARE * signins:
            earliest, latest = min(r["earliest"] for r in rows), max(r["latest"] for r in rows)
            found[day].append(
                f"{others / signins:.1%} of sign-ins have times of other days, from "
                f"{earliest:%Y-%m-%d %H:%M} to {latest:%Y-%m-%d %H:%M} UTC: folders by another "
                "zone, or dates with the day first"
            )
        if errors and without > errors / 2:
            blind = True
            found[day].append(f"{without / errors:.0%} of errors have no address to judge them by")
    return dict(found), blind


@transform(schema("date date, feature string, share double"), counts=CATEGORY_COUNTS.dated)
def shares_without_value(counts: Relation) -> Relation:
    """Per day and feature, the share of the successes for which the log has no value.

    An agent is left out: only clients without a device have one.
    """
    return sql(
        """
        SELECT
            date,
            feature,
            CAST(sum(CASE WHEN category = {nodata} THEN successes ELSE 0 END) AS BIGINT)
                / CAST(sum(successes) AS BIGINT) AS share
        FROM {counts}
        WHERE successes > 0 AND feature <> 'agent'
        GROUP BY date, feature
        """,
        counts=counts,
        nodata=NODATA,
    )


@transform(
    schema("date date, rejects bigint, files bigint, example string, reason string"),
    rejected=REJECTED_SIGNINS.dated,
)
def count_rejects(rejected: Relation) -> Relation:
    """Per day, the rejects and the whole files among them: number, one example, one reason."""
    return sql(
        """
        SELECT
            date,
            count(*) AS rejects,
            count(*) FILTER (WHERE line IS NULL) AS files,
            min(file) FILTER (WHERE line IS NULL) AS example,
            min(reason) FILTER (WHERE line IS NULL) AS reason
        FROM {rejected}
        GROUP BY date
        """,
        rejected=rejected,
    )


def silent_features(day: date, nodata: Mapping[date, Mapping[str, float]]) -> dict[str, str]:
    """The features that the log no longer gives, or never gave, each with the fact in words.

    ``nodata`` is as in ``stopped_features``.
    """
    shares = nodata.get(day, {})
    never = {name: f"no success has {name}" for name, share in shares.items() if share == 1}
    return never | stopped_features(day, nodata)


def stopped_features(day: date, nodata: Mapping[date, Mapping[str, float]]) -> dict[str, str]:
    """The features that the log no longer gives, each with the fact in words.

    ``nodata`` has, by day and feature, the share of successes without a value. A feature stopped if
    this share is higher than the median of the days before by half of all successes.
    """
    found = {}
    before = _before(day, nodata)
    for feature, share in nodata.get(day, {}).items():
        usual = [shares[feature] for shares in before.values() if feature in shares]
        if len(usual) >= _MIN_DAYS and share - median(usual) > _NODATA_JUMP:
            found[feature] = (
                f"{share:.0%} of successes are without {feature}, where {median(usual):.0%} "
                "are usual"
            )
    return found


def _before(day: date, of_days: Mapping[date, Value]) -> dict[date, Value]:
    first = day - timedelta(days=COMPARED_DAYS)
    return {d: value for d, value in of_days.items() if first <= d < day}
