"""The guided-hunting notebook's hunt as a plain Spark script.

``python -m benchmarks.speed.notebook EXPORT FIRST_DAY LAST_DAY --as-written|--mended``

It is written from the formulas in the design, in the order of the notebook's cells. What the cells
only display is left out. Everything is computed for one hunt, from the export's JSON:

- as written: the schema is inferred, nothing is kept between Spark's jobs (each reads the JSON
  again), and the anomalous values are written into the query plan as one literal map per feature;
- mended: the schema is given, the parsed sign-ins are written to a temporary Parquet that the jobs
  read, and anomalous values are joined.

Both collect the failures' masks to the driver and fit BayesPy's mixture on one row per failure, as
the notebook does. Prints the clusters that are kept, and the seconds of each step, as JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from bayespy.inference import VB
from bayespy.nodes import Bernoulli, Beta, Categorical, Dirichlet, Mixture
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from scipy import stats

from benchmarks.speed.layout import day_folders
from lowslow_assets.platform.java import ensure_java

FEATURES = (
    *("AppDisplayName", "ClientAppUsed", "browser", "displayName", "operatingSystem"),
    *("network", "Location", "state", "city"),
)
COLUMNS = (
    *("Id", "UserPrincipalName", "ResultType", "TimeGenerated", "AppDisplayName"),
    *("ClientAppUsed", "DeviceDetail", "IPAddress", "Location", "LocationDetails"),
    "AutonomousSystemNumber",
)
SUCCESS, FAILURES = "0", ("50055", "50126")
NODATA = "NODATA"

PSEUDO_COUNT, SIGMAS = 2.0, 2.0
COMPONENTS, STARTS, MAX_SWEEPS = 10, 5, 5000
LEAST_PROBABILITY, LEAST_FEATURES, LEAST_ASSIGNMENT = 0.4, 2, 0.4
LEAST_ATTEMPTS_A_DAY = 1.0

# The settings of our own sessions that do not depend on the way of hunting.
SPARK = {
    "spark.master": "local[*]",
    "spark.driver.memory": "4g",
    "spark.driver.maxResultSize": "0",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "16",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}

_MASK = tuple(f"anomalous_{feature}" for feature in FEATURES)


@dataclass(frozen=True)
class Way:
    """The steps in which "as written" and "mended" differ, and their Spark settings."""

    read: Callable[[SparkSession, list[str], Path], DataFrame]
    mask: Callable[[DataFrame, dict[str, list[str]]], DataFrame]
    settings: dict[str, str]


def read_inferring(spark: SparkSession, folders: list[str], _: Path) -> DataFrame:
    """The sign-ins of the days' folders; every job that uses them reads the JSON."""
    return wrangle(spark.read.json(folders, recursiveFileLookup=True))


def read_once(spark: SparkSession, folders: list[str], scratch: Path) -> DataFrame:
    """The same with a given schema, kept as Parquet for the jobs that follow."""
    schema = T.StructType([T.StructField(name, T.StringType()) for name in COLUMNS])
    signins = wrangle(spark.read.schema(schema).json(folders, recursiveFileLookup=True))
    signins.write.parquet(str(scratch / "signins"))
    return spark.read.parquet(str(scratch / "signins"))


def wrangle(log: DataFrame) -> DataFrame:
    """Successes and failures, one row per Id, with one column per feature."""
    signins = (
        log.select(*COLUMNS)
        .where(F.col("ResultType").isin(SUCCESS, *FAILURES))
        .dropDuplicates(["Id"])
    )
    device = ("browser", "displayName", "operatingSystem")
    place = ("state", "city")
    return (
        signins.select("*", F.json_tuple("DeviceDetail", *device).alias(*device))
        .select("*", F.json_tuple("LocationDetails", *place).alias(*place))
        .withColumn("prefix", F.substring_index("IPAddress", ".", 3))
        .withColumn("network", F.coalesce("AutonomousSystemNumber", "prefix"))
        .withColumn("time", F.col("TimeGenerated").try_cast("timestamp"))
        .withColumn("success", F.col("ResultType") == SUCCESS)
        .select("Id", "UserPrincipalName", "time", "success", *(_category(f) for f in FEATURES))
    )


def _category(feature: str):
    return F.coalesce(F.nullif(F.col(feature), F.lit("")), F.lit(NODATA)).alias(feature)


def count_categories(signins: DataFrame) -> pd.DataFrame:
    """Successes per feature and category, including categories without successes."""
    pair = F.explode(
        F.array(
            *(F.struct(F.lit(f).alias("feature"), F.col(f).alias("category")) for f in FEATURES)
        )
    )
    return (
        signins.select("success", pair.alias("pair"))
        .groupBy("pair.feature", "pair.category")
        .agg(F.count_if("success").alias("successes"))
        .toPandas()
    )


def anomalous_values(counts: pd.DataFrame) -> dict[str, list[str]]:
    """Per feature, the categories with log p < mu - 2 sigma."""
    values = {}
    for feature, of_feature in counts.groupby("feature"):
        n = of_feature["successes"].to_numpy(dtype=float)
        log_p = np.log((n + PSEUDO_COUNT) / (n.sum() + PSEUDO_COUNT * len(n)))
        mean = np.average(log_p, weights=n)
        deviation = np.sqrt(np.average((log_p - mean) ** 2, weights=n))
        anomalous = log_p < mean - SIGMAS * deviation
        values[str(feature)] = sorted(of_feature["category"][anomalous])
    return values


def mask_by_literal_maps(failures: DataFrame, values: dict[str, list[str]]) -> DataFrame:
    """Look up every feature in a map that is written into the query plan."""
    for feature, name in zip(FEATURES, _MASK, strict=True):
        entries = [F.lit(entry) for value in values[feature] for entry in (value, 1)]
        known = F.create_map(*entries)[F.col(feature)] if entries else F.lit(None)
        failures = failures.withColumn(name, F.coalesce(known, F.lit(0)))
    return failures


def mask_by_joins(failures: DataFrame, values: dict[str, list[str]]) -> DataFrame:
    """Join every feature with its anomalous values."""
    spark = failures.sparkSession
    for feature, name in zip(FEATURES, _MASK, strict=True):
        table = pd.DataFrame({feature: values[feature], name: 1})
        known = spark.createDataFrame(table, f"{feature} string, {name} int")
        failures = failures.join(F.broadcast(known), feature, "left").fillna(0, [name])
    return failures


@dataclass(frozen=True)
class Fit:
    """The best start: its bound, the class probabilities per failure, exp(E[log P])."""

    bound: float
    assignment: np.ndarray
    probability: np.ndarray


def fit_mixture(masks: np.ndarray) -> Fit:
    """BayesPy on one row per failure, with its own stop rule, from several random starts."""
    return max((_fit_from(masks, seed) for seed in range(STARTS)), key=lambda fit: fit.bound)


def _fit_from(masks: np.ndarray, seed: int) -> Fit:
    np.random.seed(seed)  # noqa: NPY002 (BayesPy draws from the global state)
    weights = Dirichlet(COMPONENTS * [1e-5])
    classes = Categorical(weights, plates=(len(masks), 1))
    anomalous = Beta([0.5, 0.5], plates=(masks.shape[1], COMPONENTS))
    rows = Mixture(classes, Bernoulli, anomalous)
    inference: Any = VB(classes, weights, rows, anomalous)
    anomalous.initialize_from_random()
    rows.observe(masks)
    inference.update(repeat=MAX_SWEEPS, tol=1e-5, verbose=False)
    return Fit(
        bound=float(inference.L[inference.iter - 1]),
        assignment=classes.get_moments()[0][:, 0, :],
        probability=np.exp(anomalous.get_moments()[0][..., 0]),
    )


def assign(ids: np.ndarray, fit: Fit, days: int) -> pd.DataFrame:
    """The failures of the clusters that survive pruning, as (Id, cluster, probability)."""
    cluster, probability = fit.assignment.argmax(axis=1), fit.assignment.max(axis=1)
    enough_features = (fit.probability > LEAST_PROBABILITY).sum(axis=0) >= LEAST_FEATURES
    member = enough_features[cluster] & (probability >= LEAST_ASSIGNMENT)
    sizes = np.bincount(cluster[member], minlength=COMPONENTS)
    member &= sizes[cluster] >= LEAST_ATTEMPTS_A_DAY * days
    return pd.DataFrame(
        {"Id": ids[member], "cluster": cluster[member], "probability": probability[member]}
    )


def describe(
    members: pd.DataFrame,
    probability: np.ndarray,
    baseline: pd.DataFrame,
    hours: dict[int, int],
    weekdays: dict[int, int],
) -> list[dict[str, Any]]:
    """The kept clusters and their statistics, the largest first.

    ``members`` are sign-ins with their cluster, ``baseline`` has the successes per category.
    """
    normal = {
        str(feature): float(stats.entropy(group["successes"]))
        for feature, group in baseline.groupby("feature")
    }
    clusters = []
    for number, group in members.groupby("cluster"):
        times = group["time"].dt
        in_order = np.sort(group["time"].to_numpy())
        seconds = (in_order - in_order[0]) / np.timedelta64(1, "s")
        steady: Any = stats.kstest(seconds / max(seconds[-1], 1.0), "uniform")
        users = group["UserPrincipalName"].nunique()
        consistent = probability[:, cast(int, number)] > LEAST_PROBABILITY
        clusters.append(
            {
                "failures": len(group),
                "users": users,
                "anomalous": [f for f, is_so in zip(FEATURES, consistent, strict=True) if is_so],
                "attempts a user": len(group) / users,
                "active days": times.normalize().nunique(),
                "first": str(in_order[0]),
                "last": str(in_order[-1]),
                "p of steadiness": steady.pvalue,
                "p of hours": _same_rhythm(times.hour.to_numpy(), hours),
                # Spark counts weekdays from Sunday as 1, pandas from Monday as 0.
                "p of weekdays": _same_rhythm((times.dayofweek.to_numpy() + 1) % 7 + 1, weekdays),
                "variability": {
                    feature: float(stats.entropy(group[feature].value_counts())) / normal[feature]
                    for feature in FEATURES
                    if normal[feature] > 0
                },
            }
        )
    return sorted(clusters, key=lambda cluster: -cluster["failures"])


def _same_rhythm(of_cluster: np.ndarray, of_successes: dict[int, int]) -> float:
    counts = Counter(of_cluster.tolist())
    bins = sorted({*counts, *of_successes})
    table = [[counts[b] for b in bins], [of_successes.get(b, 0) for b in bins]]
    test: Any = stats.chi2_contingency(table)
    return test.pvalue


def hunt(
    spark: SparkSession, way: Way, folders: list[str], scratch: Path, seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """The whole notebook; ``seconds`` records the time of each step."""
    with _timed(seconds, "read"):
        signins = way.read(spark, folders, scratch)
    with _timed(seconds, "baseline"):
        counts = count_categories(signins)
        values = anomalous_values(counts)
    with _timed(seconds, "masks"):
        failures = way.mask(signins.where(~F.col("success")), values)
        collected = failures.select("Id", *_MASK).toPandas()
    with _timed(seconds, "mixture"):
        fit = fit_mixture(collected[list(_MASK)].to_numpy())
    with _timed(seconds, "clusters"):
        kept = assign(np.asarray(collected["Id"]), fit, len(folders))
        assigned = spark.createDataFrame(kept, "Id string, cluster int, probability double")
        members = failures.join(assigned, "Id").toPandas()
    with _timed(seconds, "statistics"):
        successes = signins.where("success")
        hours = _count_by(successes, F.hour("time"))
        weekdays = _count_by(successes, F.dayofweek("time"))
        return describe(members, fit.probability, counts, hours, weekdays)


def _count_by(successes: DataFrame, key) -> dict[int, int]:
    rows = successes.groupBy(key.alias("key")).agg(F.count(F.lit(1)).alias("n")).collect()
    return {row["key"]: row["n"] for row in rows}


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - began, 2)
    print(f"{step}: {seconds[step]:.1f} s", file=sys.stderr, flush=True)


def _session(way: Way) -> SparkSession:
    os.environ["JAVA_HOME"] = ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.Builder()
    for key, value in {**SPARK, **way.settings}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


AS_WRITTEN = Way(read_inferring, mask_by_literal_maps, {})
MENDED = Way(read_once, mask_by_joins, {"spark.sql.files.openCostInBytes": "64k"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Hunt over the days from the first to the last (included), and print the clusters."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.notebook")
    parser.add_argument("export", type=Path, help="the folder that holds y=YYYY/")
    parser.add_argument("first", type=date.fromisoformat)
    parser.add_argument("last", type=date.fromisoformat)
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--as-written", dest="way", action="store_const", const=AS_WRITTEN)
    ways.add_argument("--mended", dest="way", action="store_const", const=MENDED)
    options = parser.parse_args(arguments)
    folders = [str(f) for f in day_folders(options.export, options.first, options.last)]
    seconds: dict[str, float] = {}
    with _timed(seconds, "session"):
        spark = _session(options.way)
    with tempfile.TemporaryDirectory(prefix="notebook-") as scratch:
        clusters = hunt(spark, options.way, folders, Path(scratch), seconds)
    spark.stop()
    print(json.dumps({"clusters": clusters, "seconds": seconds}))


if __name__ == "__main__":
    main()
