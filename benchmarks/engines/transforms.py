"""Every transform of the project, as a case: unchanged code on the tables of a lake.

The project is imported within each case: what an engine cannot even import counts as a failure of
the cases that need it, not of all of them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Inputs:
    """What the cases start from: Parquet files that Spark made, a file a table."""

    spark: SparkSession
    work: Path
    lake: Path
    export: Path
    day: date
    scratch: Path

    def table(self, name: str) -> DataFrame:
        """A table of the lake over its window, or one that was prepared from them."""
        return self.spark.read.parquet(str(self.work / "inputs" / f"{name}.parquet"))

    def signins(self, outcome: str) -> DataFrame:
        """The window's sign-ins with this outcome."""
        return self.table("encoded_features").where(F.col("outcome") == outcome)

    def fact(self, name: str) -> Any:
        """A small fact that a transform takes as an argument."""
        return json.loads((self.work / "facts.json").read_text(encoding="utf-8"))[name]

    def days(self) -> list[date]:
        """The days of the window."""
        return [date.fromisoformat(day) for day in self.fact("days")]


Result = DataFrame | list[str] | Path
"""Rows of the engine, rows that came to the driver (as text), or a folder that was written."""


def _read_lines(inputs: Inputs) -> Result:
    from lowslow_assets.export.source import Export

    export = Export(str(inputs.export))
    return export.read_lines(inputs.spark, [export.list_day(inputs.day)], {})


def _parse_lines(inputs: Inputs) -> Result:
    from lowslow_assets.signins.parsing import parse_lines

    return parse_lines(inputs.table("lines"))


def _deduplicate(inputs: Inputs) -> Result:
    from lowslow_assets.signins.parsing import deduplicate

    good = inputs.table("parsed").where("reason IS NULL")
    return deduplicate(good.drop("file", "line", "reason"))


def _encode_features(inputs: Inputs) -> Result:
    from lowslow_assets.signins.features import FAILURE_RESULT_TYPES, encode_features

    return encode_features(inputs.table("raw_signins"), FAILURE_RESULT_TYPES)


def _count_categories(inputs: Inputs) -> Result:
    from lowslow_assets.signins.features import count_categories

    return count_categories(inputs.table("encoded_features"))


def _sum_counts(inputs: Inputs) -> Result:
    from lowslow_assets.detection.baseline import sum_counts

    return sum_counts(inputs.table("category_counts"))


def _count_spectrum(inputs: Inputs) -> Result:
    from lowslow_assets.detection.baseline import count_spectrum, sum_counts

    spectra = count_spectrum(sum_counts(inputs.table("category_counts")))
    return [repr((feature, line)) for feature, lines in sorted(spectra.items()) for line in lines]


def _mask_signins(inputs: Inputs) -> Result:
    from lowslow_assets.detection.baseline import FeatureBaseline, sum_counts
    from lowslow_assets.detection.masks import mask_signins
    from lowslow_assets.signins.features import FAILURE

    baselines = [FeatureBaseline(**fields) for fields in inputs.fact("baselines")]
    counts = sum_counts(inputs.table("category_counts"))
    return mask_signins(inputs.signins(FAILURE), counts, baselines)


def _count_patterns(inputs: Inputs) -> Result:
    from lowslow_assets.detection.masks import count_patterns

    return count_patterns(inputs.table("suspect_failures"))


def _explain_failures(inputs: Inputs) -> Result:
    from lowslow_assets.detection.explanations import explain_failures
    from lowslow_assets.signins.features import FAILURE

    sources = inputs.table("success_sources")
    explained = explain_failures(inputs.signins(FAILURE), sources, len(inputs.days()))
    return explained.select("date", "signin_id", "explanation")


def _describe_groups(inputs: Inputs) -> Result:
    from lowslow_assets.detection.explanations import describe_groups

    return [repr(group) for group in describe_groups(inputs.table("explained"))]


def _lone_prefixes(inputs: Inputs) -> Result:
    from lowslow_assets.detection.entries import lone_prefixes

    return lone_prefixes(inputs.table("success_sources"))


def _with_news(inputs: Inputs) -> Result:
    from lowslow_assets.detection.entries import with_news
    from lowslow_assets.signins.features import SUCCESS

    return with_news(inputs.table("visits"), inputs.signins(SUCCESS))


def _with_traits(inputs: Inputs) -> Result:
    from lowslow_assets.detection.entries import with_traits

    return with_traits(inputs.table("seen"))


def _count_traits(inputs: Inputs) -> Result:
    from lowslow_assets.detection.entries import count_traits, with_traits

    return count_traits(with_traits(inputs.table("seen")))


def _campaign_members(inputs: Inputs) -> Result:
    import pandas as pd

    from lowslow_assets.detection.members import Population, campaign_members
    from lowslow_assets.detection.patterns import is_anomalous

    population = Population(inputs.fact("accounts"), len(inputs.days()))
    components = inputs.fact("components")

    def of_component(suspects: pd.DataFrame) -> pd.DataFrame:
        return campaign_members(suspects, population, components, 0.4)

    # As in assets/clusters.py, but for the assignment of patterns to components.
    assigned = inputs.table("assigned")
    columns = [f"`{f.name}` {f.dataType.simpleString()}" for f in assigned.schema.fields]
    return (
        assigned.withColumn("odd_device", is_anomalous("device") == 1)
        .groupBy("component")
        .applyInPandas(of_component, ", ".join([*columns, "cluster_id int"]))
    )


def _cluster_sizes(inputs: Inputs) -> Result:
    from lowslow_assets.detection.statistics import cluster_sizes

    return [repr(size) for size in cluster_sizes(inputs.table("cluster_members"))]


def _cluster_statistics(inputs: Inputs) -> Result:
    from lowslow_assets.detection.statistics import cluster_statistics

    hours, weekdays = (
        {int(key): successes for key, successes in inputs.fact(name).items()}
        for name in ("hours", "weekdays")
    )
    found = cluster_statistics(inputs.table("cluster_members"), hours, weekdays)
    return [repr(line) for line in found]


def _feature_variation(inputs: Inputs) -> Result:
    from lowslow_assets.detection.statistics import feature_variation
    from lowslow_assets.signins.features import FEATURES

    entropy = {fields["feature"]: fields["entropy"] for fields in inputs.fact("baselines")}
    return [
        repr(line) for line in feature_variation(inputs.table("cluster_members"), FEATURES, entropy)
    ]


def _count_hours(inputs: Inputs) -> Result:
    from lowslow_assets.signins.features import count_hours

    return count_hours(inputs.table("encoded_features"))


def _most_common_locations(inputs: Inputs) -> Result:
    from lowslow_assets.detection.success_tables import most_common_locations

    return most_common_locations(inputs.table("success_sources"))


def _sample(inputs: Inputs) -> Result:
    from lowslow_assets.detection.success_tables import sample
    from lowslow_assets.signins.features import SUCCESS

    return sample(inputs.signins(SUCCESS), inputs.fact("baselines")[0]["successes"])


def _read_lake(inputs: Inputs) -> Result:
    from lowslow_assets.lake.lake import Lake
    from lowslow_assets.lake.tables import ENCODED_FEATURES

    return Lake(str(inputs.lake), inputs.spark).read(ENCODED_FEATURES, inputs.days())


def _write_lake(inputs: Inputs) -> Result:
    from lowslow_assets.lake.lake import Lake
    from lowslow_assets.lake.tables import ENCODED_FEATURES

    lake = Lake(str(inputs.scratch), inputs.spark)
    lake.write(ENCODED_FEATURES, inputs.table("encoded_features"), inputs.days(), {})
    # The whole again, then one day: the others must stay.
    one = inputs.table("encoded_features").where(F.col("date") == inputs.day)
    lake.write(ENCODED_FEATURES, one, [inputs.day], {})
    return inputs.scratch / ENCODED_FEATURES.name


CASES: dict[str, Callable[[Inputs], Result]] = {
    "Export.read_lines": _read_lines,
    "parse_lines": _parse_lines,
    "deduplicate": _deduplicate,
    "encode_features": _encode_features,
    "count_categories": _count_categories,
    "sum_counts": _sum_counts,
    "count_spectrum": _count_spectrum,
    "mask_signins": _mask_signins,
    "count_patterns": _count_patterns,
    "explain_failures": _explain_failures,
    "describe_groups": _describe_groups,
    "lone_prefixes": _lone_prefixes,
    "with_news": _with_news,
    "with_traits": _with_traits,
    "count_traits": _count_traits,
    "campaign_members": _campaign_members,
    "cluster_sizes": _cluster_sizes,
    "cluster_statistics": _cluster_statistics,
    "feature_variation": _feature_variation,
    "count_hours": _count_hours,
    "most_common_locations": _most_common_locations,
    "sample": _sample,
    "Lake.read": _read_lake,
    "Lake.write": _write_lake,
}
"""Those of a day's export take one day, the others the window."""


def of_scratch(inputs: Inputs, scratch: Path) -> Inputs:
    """The same with another folder to write to."""
    return replace(inputs, scratch=scratch)
