"""The Spark session of a run: started when first used, stopped when the run ends."""

import os
import sys
from pathlib import Path
from typing import Any

from dagster import InitResourceContext
from dagster_pyspark import LazyPySparkResource
from pydantic import Field

from lowslow_assets.java import ensure_java

_QUIET = Path(__file__).with_name("log4j2.properties")

LOCAL_SPARK = {
    "spark.master": "local[*]",
    "spark.app.name": "lowslow_assets",
    "spark.driver.memory": "4g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_QUIET.as_uri()}",
    # Days and hours of the log are UTC, whatever the machine's own zone.
    "spark.sql.session.timeZone": "UTC",
    # A day is hundreds of small files; at the default each is billed as 4 MB.
    "spark.sql.files.openCostInBytes": "64k",
    "spark.sql.parquet.compression.codec": "zstd",
    # Spark's own default is INT96, which other engines read with reluctance.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.shuffle.partitions": "16",
}


class SparkResource(LazyPySparkResource):
    """One session a run, by default on this machine; ``spark_config`` adds to or overrides that."""

    spark_config: dict[str, Any] = Field(
        default={}, description="Spark settings, on top of the local ones (`LOCAL_SPARK`)."
    )

    def _init_session(self) -> None:
        if self._spark_session is None:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            os.environ["JAVA_HOME"] = ensure_java()
            self.spark_config.update({**LOCAL_SPARK, **self.spark_config})
        super()._init_session()

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        if self._spark_session is not None:
            self._spark_session.stop()
            self._spark_session = None
