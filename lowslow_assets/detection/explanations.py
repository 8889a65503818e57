"""Failures that something harmless, or something loud, explains.

What is left are suspects: a single failure, from a source that is new to the user, that nobody
repeats and that no success follows. Nearly all of a low-and-slow spray is among them, and hardly
anything else. The rules say what people, devices and loud attacks do and such a spray cannot
afford to do; none of them knows what a spray looks like.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row, Window
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
"""Why a failure is no suspect; the first that holds counts."""

RESOLVED_SECONDS = 30 * 60
RETRY_SECONDS = 60 * 60
MAX_FAILURES_A_DAY = 5
MAX_FAILURES_AN_ADDRESS = 3
# A prefix is seen again by chance, the more often the longer the window.
MAX_FAILURES_A_PREFIX, DAYS_A_PREFIX_FAILURE = 10, 6
CROWD, CROWD_FACTOR = 5, 8


def explain_failures(failures: DataFrame, sources: DataFrame, window_days: int) -> DataFrame:
    """The window's failures with the column ``explanation``, null for suspects.

    ``failures`` are those among the window's ``encoded_features``, ``sources`` its
    ``success_sources``. Of the failures' columns only what the rules need comes out, with
    ``date`` and ``signin_id`` as the key.
    """
    explained = explain_by_failures(failures, window_days)
    return explain_by_others(explained, sources, window_days)


def explain_by_failures(failures: DataFrame, window_days: int) -> DataFrame:
    """The first step of ``explain_failures``: what a failure and those near it say."""
    known = failures.select(
        "date",
        "signin_id",
        "user",
        "network",
        "seconds_to_success",
        F.unix_seconds("time_generated").alias("second"),
        F.col("ip_address").alias("address"),
        F.col("ip_prefix").alias("prefix"),
    )
    rules = {
        "resolved": F.col("seconds_to_success") <= RESOLVED_SECONDS,
        "no source": F.col("prefix").isNull(),
        "busy account": _size("user", _day("second")) > MAX_FAILURES_A_DAY,
        "retried": _again(Window.partitionBy("user", "prefix").orderBy("second")),
        "shared address": _size("prefix", "address") > MAX_FAILURES_AN_ADDRESS,
        "shared prefix": _size("prefix")
        > max(MAX_FAILURES_A_PREFIX, window_days // DAYS_A_PREFIX_FAILURE),
    }
    holds = {name: F.col(name) for name in rules}
    return (
        # All windows are within a user or within a prefix: two moves of the rows, not one a rule.
        known.repartition("user")
        .withColumns({name: rules[name] for name in ("busy account", "retried")})
        .repartition("prefix")
        .withColumns({name: rules[name] for name in ("shared address", "shared prefix")})
        .withColumns({name: rules[name] for name in ("resolved", "no source")})
        .withColumn("explanation", F.coalesce(*(F.when(holds[name], name) for name in rules)))
        .drop(*rules, "seconds_to_success")
    )


def explain_by_others(explained: DataFrame, sources: DataFrame, window_days: int) -> DataFrame:
    """The second step of ``explain_failures``: what successes, and other suspects, say."""
    # By now a few in a hundred failures: all that follows is on them.
    unexplained = held(explained.where(F.col("explanation").isNull()))
    suspects = _explain_crowds(_explain_by_successes(unexplained, sources), window_days)
    return explained.where(F.col("explanation").isNotNull()).unionByName(suspects).drop("network")


def _explain_by_successes(unexplained: DataFrame, sources: DataFrame) -> DataFrame:
    soon = F.timestamp_seconds("second"), F.timestamp_seconds(F.col("second") + RESOLVED_SECONDS)
    key = ["date", "signin_id"]
    of_user = (
        sources.select("user", "network", "first_success")
        .join(unexplained.select(*key, "user", "network", "second"), ["user", "network"])
        .groupBy(*key)
        # On the day itself ``seconds_to_success`` knows; just after midnight the next day does.
        .agg(F.bool_or(F.col("first_success").between(*soon)).alias("resolved"))
        .withColumn("known_network", F.lit(True))
    )
    of_anyone = (
        sources.select(F.col("ip_prefix").alias("prefix"))
        .join(unexplained.select("prefix").distinct(), "prefix")
        .distinct()
        .withColumn("prefix_succeeds", F.lit(True))
    )
    return (
        unexplained.join(of_user, key, "left")
        .join(of_anyone, "prefix", "left")
        .withColumn(
            "explanation",
            F.when(F.col("resolved"), "resolved").when(
                F.col("known_network") & F.col("prefix_succeeds"), "own network"
            ),
        )
        .select(unexplained.columns)
    )


def _size(*keys: Column | str) -> Column:
    return F.count(F.lit(1)).over(Window.partitionBy(*keys))


def _day(second: str) -> Column:
    return F.floor(F.col(second) / 86_400)


def _again(in_order) -> Column:
    """Whether the one before or the one after is within an hour."""
    second = F.col("second")
    to_next = F.lead(second).over(in_order) - second
    from_last = second - F.lag(second).over(in_order)
    return F.least(to_next, from_last) <= RETRY_SECONDS


def _explain_crowds(suspects: DataFrame, window_days: int) -> DataFrame:
    """Explain what is left by its hour, where that has far too many."""
    hour = F.floor(F.col("second") / 3_600)
    open_ones = suspects.where(F.col("explanation").isNull())
    by_hour = open_ones.groupBy(hour.alias("hour")).agg(F.count(F.lit(1)).alias("failures"))
    usual = F.sum("failures").over(Window.partitionBy(F.lit(0))) / (24 * window_days)
    crowded = (
        by_hour.withColumn("usual", usual)
        .where(F.col("failures") > CROWD + CROWD_FACTOR * F.col("usual"))
        .select("hour", F.lit("crowded hour").alias("crowded"))
    )
    return (
        suspects.withColumn("hour", hour)
        .join(crowded, "hour", "left")
        .withColumn("explanation", F.coalesce("explanation", "crowded"))
        .select(suspects.columns)
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
    "shared address": "address",
    "shared prefix": "prefix",
    "crowded hour": "hour",
}
MAX_EXAMPLES = 10


def describe_groups(explained: DataFrame) -> list[ExplainedGroup]:
    """What was explained and how often, and of each explanation the largest groups.

    ``explained`` is the result of ``explain_failures``. At most MAX_EXAMPLES groups an
    explanation come to the driver.
    """
    sizes = (
        F.count(F.lit(1)).alias("failures"),
        F.count_distinct("user").alias("users"),
        F.count_distinct("address").alias("addresses"),
    )
    known = explained.where(F.col("explanation").isNotNull())
    totals = known.groupBy("explanation").agg(*sizes).collect()
    found = {row["explanation"]: [_total(row)] for row in totals}
    hour = F.date_format(
        F.timestamp_seconds(F.floor(F.col("second") / 3_600) * 3_600), "y-MM-dd HH"
    )
    example = F.coalesce(
        *(
            F.when(F.col("explanation") == name, hour if key == "hour" else F.col(key))
            for name, key in _GROUPED_BY.items()
        )
    )
    seconds = F.max("second") - F.min("second")
    groups = (
        known.withColumn("example", example)
        .where(F.col("example").isNotNull())
        .groupBy("explanation", "example")
        .agg(*sizes, seconds.alias("seconds"))
        .withColumn(
            "rank",
            F.row_number().over(
                Window.partitionBy("explanation").orderBy(F.desc("failures"), "example")
            ),
        )
        .where(F.col("rank") <= MAX_EXAMPLES)
        .orderBy("explanation", "rank")
        .collect()
    )
    for row in groups:
        found[row["explanation"]].append(_example(row))
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
