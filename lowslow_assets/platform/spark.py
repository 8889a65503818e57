"""The Spark session of a run: started when first used, stopped when the run ends."""

import os
import sys
from pathlib import Path
from typing import Any

from dagster import InitResourceContext
from dagster_pyspark import LazyPySparkResource
from pydantic import Field

from lowslow_assets.platform.azure import is_azure, locate, spark_settings
from lowslow_assets.platform.java import archive_options, ensure_java
from lowslow_assets.settings import read_spark_settings

_QUIET = Path(__file__).with_name("log4j2.properties")

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"

# A hunt runs little code for a long time. By default, Java optimizes so much of it that this takes
# half of the processor; with twenty times the threshold, it still optimizes the parsing of rows.
_ONLY_HOT_CODE = (
    "-XX:Tier4InvocationThreshold=100000 -XX:Tier4MinInvocationThreshold=12000 "
    "-XX:Tier4CompileThreshold=300000 -XX:Tier4BackEdgeThreshold=800000"
)

LOCAL_SPARK = {
    "spark.master": "local[*]",
    "spark.app.name": "lowslow_assets",
    "spark.driver.memory": "4g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    _JAVA_OPTIONS: f"-Dlog4j2.configurationFile={_QUIET.as_uri()} {_ONLY_HOT_CODE}",
    # Days and hours of the log are in UTC, whatever the machine's own zone.
    "spark.sql.session.timeZone": "UTC",
    # A day consists of hundreds of small files; by default, each counts as 4 MB.
    "spark.sql.files.openCostInBytes": "64k",
    # A window has hundreds of folders; listing them here is faster than a job that lists them.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "4000",
    "spark.sql.parquet.compression.codec": "zstd",
    # Spark's own default is INT96, which Parquet has deprecated.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A hunt holds what is small, so adaptive planning of each stage costs more than it saves.
    "spark.sql.adaptive.enabled": "false",
    # Otherwise Python looks up the line of code at every call of a method of a column or frame.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Java does not compile methods that are longer than this; without the limit Spark generates
    # such methods, and they are very slow.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.sql.shuffle.partitions": "4",
    # What Spark's pages and logs show as stars; by default, keys and tokens of ABFS are not
    # included.
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key"
    "|(account|storage)[._]key|[.]sas[.]",
}


class SparkResource(LazyPySparkResource):
    """One session per run, by default on this machine; ``spark_config`` changes its settings."""

    spark_config: dict[str, Any] = Field(
        default={}, description="Spark settings, on top of the local ones (`LOCAL_SPARK`)."
    )

    settings_file: str = Field(
        default="",
        description="A file of further settings in the form of spark-defaults.conf. It is read "
        "when the session starts, so its content is not part of a run's configuration.",
    )

    connected: list[str] = Field(
        default=[],
        description="URLs of Azure Storage for which Spark has a connector; it is given the "
        "credentials that the environment names, when the session starts.",
    )

    def _init_session(self) -> None:
        if self._spark_session is None:
            from_file = read_spark_settings(self.settings_file)
            connector: dict[str, str] = {}
            for url in filter(is_azure, self.connected):
                connector |= spark_settings(locate(url))
            settings = {**LOCAL_SPARK, **connector, **from_file, **self.spark_config}
            # The last of these is set if spark-submit started Java before Python.
            if "spark.remote" in settings or "PYSPARK_GATEWAY_PORT" in os.environ:
                settings = of_a_session(settings)
            else:
                os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
                java_home = os.environ["JAVA_HOME"] = ensure_java()
                settings[_JAVA_OPTIONS] += f" {archive_options(java_home)}"
            self.spark_config.clear()
            self.spark_config.update(settings)
        super()._init_session()

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        if self._spark_session is not None:
            # A server has one cache for all its sessions, and keeps its contents when they end.
            self._spark_session.catalog.clearCache()
            self._spark_session.stop()
            self._spark_session = None


def of_a_session(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that a running Spark accepts: not its master, memory, Java or keys."""
    return {
        name: value
        for name, value in settings.items()
        if name == "spark.remote" or name.startswith("spark.sql.")
    }
