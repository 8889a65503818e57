"""Which of a campaign's addresses are looked up."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.signins.features import FAILURE, SUCCESS

# What is in the address column and cannot be an address, a GUID for one, takes up no place.
_LOOKS_LIKE_AN_ADDRESS = r"^[0-9A-Fa-f.:]{2,45}$"


def telling_addresses(members: DataFrame, most: int) -> DataFrame:
    """The most telling addresses of each incident, at most ``most``.

    Those come first from which accounts were possibly got into, then those with many attempts,
    then the recent ones.

    Parameters
    ----------
    members : DataFrame
        As the table ``incident_members``.
    most : int
        Addresses an incident.

    Returns
    -------
    DataFrame
        incident_id, ip_address (as logged), rank (from 1) and located: whether the log says where
        it is.
    """
    success, failure = F.col("outcome") == SUCCESS, F.col("outcome") == FAILURE
    found = (
        members.where(F.col("ip_address").rlike(_LOOKS_LIKE_AN_ADDRESS))
        .groupBy("incident_id", "ip_address")
        .agg(
            F.count_distinct(F.when(success, F.col("user"))).alias("entered"),
            F.count_if(failure).alias("attempts"),
            F.max("time_generated").alias("last"),
            F.max(F.col("latitude").isNotNull()).alias("located"),
        )
    )
    telling = Window.partitionBy("incident_id").orderBy(
        F.desc("entered"), F.desc("attempts"), F.desc("last"), "ip_address"
    )
    return (
        found.withColumn("rank", F.row_number().over(telling))
        .where(F.col("rank") <= most)
        .select("incident_id", "ip_address", "rank", "located")
    )
