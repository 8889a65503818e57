"""Failures that something harmless, or something loud, explains.

What is left are suspects: a single failure, from a source that is new to the user, that nobody
repeats and that no success follows. Nearly all of a low-and-slow spray is among them, and hardly
anything else. The rules say what people, devices and loud attacks do and such a spray cannot
afford to do; none of them knows what a spray looks like.

Most failures are explained by their own day. That is asked once, when the day is ingested; a hunt
asks the window about those left open, and sees the others only summed up.
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from lowslow_assets.signins.dataframes import held

EXPLANATIONS = {
    "resolved": "the same user succeeded from the same network within half an hour: a typo",
    "no source": "the log does not say from which address: nothing to judge by",
    "busy account": "the account failed more than 5 times that day: a device or service with an "
    "old password",
    "retried": "the same user failed again from the same prefix within an hour: a person trying",
    "shared address": "more than 3 failures came from the address: a service, a burst, an office",
    "shared prefix": "many failures came from the address's prefix: a service, a burst, an office",
    "own network": "the user succeeds from the network, and people from the prefix: given up",
    "crowded hour": "far more unexplained failures in that hour than in others: a burst",
}
"""Why a failure is no suspect; what its day says comes first."""

RESOLVED_SECONDS = 30 * 60
RETRY_SECONDS = 60 * 60
MAX_FAILURES_A_DAY = 5
MAX_FAILURES_AN_ADDRESS = 3
# A prefix is seen again by chance, the more often the longer the window.
MAX_FAILURES_A_PREFIX, DAYS_A_PREFIX_FAILURE = 10, 6
CROWD, CROWD_FACTOR = 5, 8

_KEY = ["date", "signin_id"]


def explain_by_day(failures: DataFrame) -> DataFrame:
    """Add ``explanation`` to failures among ``encoded_features``; null where their day has none."""
    second = F.unix_seconds("time_generated")
    of_user = Window.partitionBy("date", "user")
    from_prefix = Window.partitionBy("date", "user", "ip_prefix").orderBy(second)
    rules = {
        "resolved": F.col("seconds_to_success") <= RESOLVED_SECONDS,
        "no source": F.col("ip_prefix").isNull(),
        "busy account": F.count(F.lit(1)).over(of_user) > MAX_FAILURES_A_DAY,
        "retried": F.least(
            F.lead(second).over(from_prefix) - second, second - F.lag(second).over(from_prefix)
        )
        <= RETRY_SECONDS,
    }
    return (
        # All windows are within a user: one move of the rows.
        failures.repartition("date", "user")
        .withColumns(rules)
        .withColumn("explanation", F.coalesce(*(F.when(F.col(rule), rule) for rule in rules)))
        .drop(*rules)
    )


def sum_failures(explained: DataFrame) -> DataFrame:
    """From where each user failed, by day and explanation: rows of ``failure_sources``."""
    first = F.date_trunc("second", F.min("time_generated"))
    seconds = F.unix_seconds(F.max("time_generated")) - F.unix_seconds(F.min("time_generated"))
    return explained.groupBy("date", "user", "ip_prefix", "ip_address", "explanation").agg(
        F.count(F.lit(1)).alias("failures"),
        first.alias("first_failure"),
        seconds.cast("int").alias("seconds"),
    )


def explain_by_window(
    failures: DataFrame,
    failure_sources: DataFrame,
    success_sources: DataFrame,
    window_days: int,
) -> DataFrame:
    """Add ``explanation`` to a window's ``open_failures``; null for suspects.

    The sources are the tables of these names, of the same window.
    """
    # Each step leaves a few in a hundred: the next is on them, and Spark plans it for few.
    by_failures = _explain_by_failures(failures, failure_sources, window_days).persist()
    unexplained = held(_once(by_failures.where(F.col("explanation").isNull())))
    by_successes = held(_explain_by_successes(unexplained, success_sources))
    return by_failures.where(F.col("explanation").isNotNull()).unionByName(
        _explain_crowds(by_successes, window_days)
    )


def explain_failures(
    failures: DataFrame, success_sources: DataFrame, window_days: int
) -> DataFrame:
    """Both at once: explain a window's failures among ``encoded_features``."""
    by_day = explain_by_day(failures).persist()
    left_open = by_day.where(F.col("explanation").isNull()).drop("explanation")
    by_window = explain_by_window(left_open, sum_failures(by_day), success_sources, window_days)
    return by_day.where(F.col("explanation").isNotNull()).unionByName(by_window)


def _explain_by_failures(
    failures: DataFrame, failure_sources: DataFrame, window_days: int
) -> DataFrame:
    source = ["date", "user", "ip_prefix", "ip_address"]
    first = F.unix_seconds("first_failure")
    by_day = Window.partitionBy("ip_prefix", "user").orderBy(F.unix_date("date"))
    day_before, day_after = by_day.rangeBetween(-1, -1), by_day.rangeBetween(1, 1)
    number = F.sum("failures")
    # All windows are within a prefix: one move of the rows.
    seen = (
        failure_sources.repartition("ip_prefix")
        .withColumns(
            {
                "of_address": number.over(Window.partitionBy("ip_prefix", "ip_address")),
                "of_prefix": number.over(Window.partitionBy("ip_prefix")),
                "day_before_ended": F.max(first + F.col("seconds")).over(day_before),
                "day_after_began": F.min(first).over(day_after),
            }
        )
        .where(F.col("explanation").isNull())
        .select(*source, "of_address", "of_prefix", "day_before_ended", "day_after_began")
    )
    second = F.unix_seconds("time_generated")
    many = max(MAX_FAILURES_A_PREFIX, window_days // DAYS_A_PREFIX_FAILURE)
    explanation = (
        # On the day itself ``explain_by_day`` knows; this is about midnight.
        # Not below zero: a row's time and its folder's day differ at times. Nor zero: the other day
        # may hold the same row once more.
        F.when(
            (second - F.col("day_before_ended")).between(1, RETRY_SECONDS)
            | (F.col("day_after_began") - second).between(1, RETRY_SECONDS),
            "retried",
        )
        .when(F.col("of_address") > MAX_FAILURES_AN_ADDRESS, "shared address")
        .when(F.col("of_prefix") > many, "shared prefix")
    )
    return (
        failures.join(seen, source, "left")
        .withColumn("explanation", explanation)
        .select(*failures.columns, "explanation")
    )


def _once(failures: DataFrame) -> DataFrame:
    """Without the copies that later days have of a row: one attempt is not two."""
    copy = F.row_number().over(Window.partitionBy("signin_id").orderBy("date"))
    return failures.withColumn("copy", copy).where("copy = 1").drop("copy")


def _explain_by_successes(unexplained: DataFrame, sources: DataFrame) -> DataFrame:
    second = F.unix_seconds("time_generated")
    later = F.unix_seconds("first_success") - second
    of_user = (
        sources.select("user", "network", "first_success")
        .join(unexplained.select(*_KEY, "user", "network", "time_generated"), ["user", "network"])
        .groupBy(*_KEY)
        # On the day itself ``seconds_to_success`` knows; just after midnight the next day does.
        .agg(F.bool_or(later.between(0, RESOLVED_SECONDS)).alias("resolved"))
        .withColumn("known_network", F.lit(True))
    )
    of_anyone = (
        sources.select("ip_prefix")
        .join(unexplained.select("ip_prefix").distinct(), "ip_prefix", "left_semi")
        .distinct()
        .withColumn("prefix_succeeds", F.lit(True))
    )
    own_network = F.col("known_network") & F.col("prefix_succeeds")
    return (
        unexplained.join(of_user, _KEY, "left")
        .join(of_anyone, "ip_prefix", "left")
        .withColumn(
            "explanation",
            F.when(F.col("resolved"), "resolved").when(own_network, "own network"),
        )
        .select(unexplained.columns)
    )


def _explain_crowds(suspects: DataFrame, window_days: int) -> DataFrame:
    """Explain what is left by its hour, where that has far too many."""
    left = F.col("explanation").isNull()
    hour = F.floor(F.unix_seconds("time_generated") / 3_600)
    # As many rows as the window has hours, at most.
    hours = suspects.where(left).groupBy(hour.alias("hour")).count().collect()
    usual = sum(row["count"] for row in hours) / (24 * window_days)
    crowded = [row["hour"] for row in hours if row["count"] > CROWD + CROWD_FACTOR * usual]
    return suspects.withColumn(
        "explanation",
        F.when(left & hour.isin(crowded), "crowded hour").otherwise(F.col("explanation")),
    )


@dataclass(frozen=True)
class ExplainedGroup:
    """Failures with one explanation; the fields are the columns of ``explained_failures``.

    A group of its own (``example``) for the accounts and addresses that fail most.
    """

    explanation: str
    failures: int
    users: int
    addresses: int
    example: str | None
    minutes_apart: float | None
    reason: str


_GROUPED_BY = {
    "busy account": "user",
    "retried": "user",
    "shared address": "ip_address",
    "shared prefix": "ip_prefix",
    "crowded hour": "hour",
}
MAX_EXAMPLES = 10


def describe_groups(failures: DataFrame) -> list[ExplainedGroup]:
    """What was explained and how often, and of each explanation the largest groups.

    ``failures`` are rows as those of ``failure_sources``. At most MAX_EXAMPLES groups an
    explanation come to the driver.
    """
    hour = F.date_format("first_failure", "y-MM-dd HH")
    example = F.coalesce(
        *(
            F.when(F.col("explanation") == name, hour if key == "hour" else F.col(key))
            for name, key in _GROUPED_BY.items()
        )
    )
    second = F.unix_seconds("first_failure")
    is_group = F.grouping("example") == 0
    largest = Window.partitionBy("explanation", "is_group").orderBy(F.desc("failures"), "example")
    groups = (
        failures.where(F.col("explanation").isNotNull())
        .withColumn("example", example)
        .rollup("explanation", "example")
        .agg(
            F.sum("failures").alias("failures"),
            F.count_distinct("user").alias("users"),
            F.count_distinct("ip_address").alias("addresses"),
            (F.max(second + F.col("seconds")) - F.min(second)).alias("seconds"),
            is_group.alias("is_group"),
        )
        # Not the sum of all, nor the groups that no example stands for.
        .where("explanation IS NOT NULL AND (NOT is_group OR example IS NOT NULL)")
        .withColumn("rank", F.row_number().over(largest))
        .where(F.col("rank") <= MAX_EXAMPLES)
        .orderBy("explanation", "is_group", "rank")
        .collect()
    )
    found: dict[str, list[ExplainedGroup]] = {}
    for row in groups:
        describe = _example if row["is_group"] else _total
        found.setdefault(row["explanation"], []).append(describe(row))
    return [group for name in EXPLANATIONS for group in found.get(name, [])]


def _total(row: Row) -> ExplainedGroup:
    return ExplainedGroup(
        row["explanation"],
        row["failures"],
        row["users"],
        row["addresses"],
        example=None,
        minutes_apart=None,
        reason=EXPLANATIONS[row["explanation"]],
    )


def _example(row: Row) -> ExplainedGroup:
    apart = row["seconds"] / 60 / max(row["failures"] - 1, 1)
    who = "one account" if row["users"] == 1 else f"{row['users']:,} accounts"
    where = "one address" if row["addresses"] == 1 else f"{row['addresses']:,} addresses"
    pace = f"every {_duration(apart)}" if row["failures"] > 1 else "once"
    meaning = EXPLANATIONS[row["explanation"]].rpartition(": ")[2]
    return ExplainedGroup(
        row["explanation"],
        row["failures"],
        row["users"],
        row["addresses"],
        example=row["example"],
        minutes_apart=apart,
        reason=f"{who}, {where}, {pace}: {meaning}",
    )


def _duration(minutes: float) -> str:
    for size, unit in ((1_440, "days"), (60, "hours"), (1, "minutes")):
        if minutes >= 2 * size:
            return f"{minutes / size:.0f} {unit}"
    return f"{60 * minutes:.0f} seconds"
