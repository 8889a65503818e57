"""The settings for a Spark that is already running."""

from lowslow_assets.platform.spark import LOCAL_SPARK, of_a_session


def test_a_running_spark_is_given_neither_machine_nor_key():
    settings = LOCAL_SPARK | {
        "spark.remote": "sc://spark:15002",
        "spark.executor.memory": "8g",
        "spark.hadoop.fs.azure.account.key.soclogs.dfs.core.windows.net": "a key",
        "spark.sql.shuffle.partitions": "400",
    }
    given = of_a_session(settings)
    assert given["spark.remote"] == "sc://spark:15002"
    assert given["spark.sql.shuffle.partitions"] == "400"
    assert given["spark.sql.session.timeZone"] == "UTC"
    rest = given.keys() - {"spark.remote"}
    assert all(name.startswith("spark.sql.") for name in rest)
