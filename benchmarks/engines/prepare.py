"""What the cases start from, made once by Spark: the same for every engine."""

import argparse
import json
from datetime import date
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.engines.sessions import SESSIONS
from lowslow_assets.detection.entries import lone_prefixes, with_news
from lowslow_assets.detection.explanations import explain_failures, sum_failures
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.pruning import assign
from lowslow_assets.export.source import Export
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    CLUSTER_MEMBERS,
    ENCODED_FEATURES,
    FEATURE_BASELINE,
    MASK_PATTERNS,
    RAW_SIGNINS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_SOURCES,
    SUCCESS_WEEKDAYS,
    SUSPECT_FAILURES,
)
from lowslow_assets.orchestration.assets.hunt import Hunt
from lowslow_assets.orchestration.assets.mixture import read_fit
from lowslow_assets.orchestration.resources import HuntParameters
from lowslow_assets.signins.features import FAILURE, SUCCESS
from lowslow_assets.signins.parsing import parse_lines

_COPIED = (
    RAW_SIGNINS,
    ENCODED_FEATURES,
    CATEGORY_COUNTS,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
    CLUSTER_MEMBERS,
)


def prepare(spark: SparkSession, lake: Path, export: Path, day: date, work: Path) -> None:
    """Write ``inputs/*.parquet`` and ``facts.json`` for the lake's last hunt."""
    folder = work / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    for table in _COPIED:
        rows = ds.dataset(lake / table.name, partitioning="hive").to_table()
        # Spark would believe its own note of the schema, which has no date.
        rows = rows.replace_schema_metadata(None)
        index = rows.schema.get_field_index("date")
        dates = rows.column("date").cast("date32")
        pq.write_table(rows.set_column(index, "date", dates), folder / f"{table.name}.parquet")
    opened = Lake(str(lake), spark)
    hunt = Hunt(opened.days(FEATURE_BASELINE)[-1], opened, HuntParameters())
    for name, frame in _frames(hunt, Export(str(export)), day).items():
        frame.write.mode("overwrite").parquet(str(folder / f"{name}.parquet"))
    facts = {
        "days": [str(one) for one in hunt.ingested_days()],
        "accounts": hunt.signins().select("user").distinct().count(),
        "components": 1 + max(row["component"] for row in _components(hunt)),
        "baselines": hunt.rows(FEATURE_BASELINE),
        "hours": {r["hour_of_day"]: r["successes"] for r in hunt.rows(SUCCESS_HOURS_OF_DAY)},
        "weekdays": {r["weekday"]: r["successes"] for r in hunt.rows(SUCCESS_WEEKDAYS)},
    }
    (work / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _frames(hunt: Hunt, export: Export, day: date) -> dict[str, DataFrame]:
    """What transforms take that is no table of the lake, by the transform that makes it."""
    spark = hunt.lake.spark
    lines = export.read_lines(spark, [export.list_day(day)], {})
    successes = hunt.signins().where(F.col("outcome") == SUCCESS)
    members = hunt.result(CLUSTER_MEMBERS)
    clusters = members.select("cluster_id").distinct()
    attempts = members.withColumn("outcome", F.lit(FAILURE))
    lone = successes.join(lone_prefixes(hunt.sources()), "ip_prefix", "left_semi")
    visits = hunt.mask(lone).crossJoin(clusters)
    visits = visits.unionByName(attempts, allowMissingColumns=True)
    assignments = spark.createDataFrame(
        [(row["pattern"], row["component"], row["probability"]) for row in _components(hunt)],
        "pattern int, component int, assignment_probability double",
    )
    return {
        "lines": lines,
        "parsed": parse_lines(lines),
        "explained": sum_failures(
            explain_failures(
                hunt.signins().where(F.col("outcome") == FAILURE),
                hunt.sources(),
                len(hunt.ingested_days()),
            )
        ),
        "assigned": hunt.result(SUSPECT_FAILURES).join(assignments, "pattern"),
        "visits": visits,
        "seen": with_news(visits, successes).withColumn("tried", F.col("outcome") == FAILURE),
    }


def _components(hunt: Hunt) -> list[dict]:
    fit = read_fit(hunt)
    masks = [row["mask"] for row in hunt.rows(MASK_PATTERNS)]
    if fit is None or not masks:
        raise SystemExit("The lake's last hunt has no failures: there is nothing to compare.")
    bits = mask_bits(masks, len(hunt.model_features))
    return [
        {"pattern": a.mask, "component": a.cluster_id, "probability": a.probability}
        for a in assign(fit, masks, bits, hunt.parameters.pruning_rules)
    ]


def main() -> None:
    """Prepare the work folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.prepare")
    parser.add_argument("lake", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("day", type=date.fromisoformat)
    parser.add_argument("work", type=Path)
    spark, _ = SESSIONS["spark"]()
    prepare(spark, **vars(parser.parse_args()))
    spark.stop()


if __name__ == "__main__":
    main()
