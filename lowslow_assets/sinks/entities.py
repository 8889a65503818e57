"""The accounts and addresses of incidents, as many as a case holds."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.signins.features import FAILURE
from lowslow_assets.sinks.cases import MAX_ENTITIES


def most_attempts(members: DataFrame, column: str) -> dict[str, list[str]]:
    """Per incident the values of ``column`` with most attempts, at most ``MAX_ENTITIES``.

    ``members`` as in the table ``incident_members``.
    """
    attempts = (
        members.where((F.col("outcome") == FAILURE) & F.col(column).isNotNull())
        .groupBy("incident_id", F.col(column).alias("value"))
        .count()
    )
    most = Window.partitionBy("incident_id").orderBy(F.desc("count"), "value")
    rows = attempts.withColumn("rank", F.row_number().over(most)).where(
        F.col("rank") <= MAX_ENTITIES
    )
    found: dict[str, list[str]] = {}
    for row in rows.orderBy("incident_id", "rank").collect():
        found.setdefault(row["incident_id"], []).append(row["value"])
    return found
