"""The Spark session of a run: started when first used, stopped when the run ends."""

import os
import sys
from pathlib import Path
from typing import Any

from dagster import InitResourceContext
from dagster_pyspark import LazyPySparkResource
from pydantic import Field

from lowslow_assets.platform.azure import is_azure, locate, spark_settings
from lowslow_assets.platform.class_archive import archive_options
from lowslow_assets.platform.java import ensure_java
from lowslow_assets.settings import read_spark_settings

_QUIET = Path(__file__).with_name("log4j2.properties")

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"

# A hunt runs little code for long. By its own measure Java optimizes so much of it that this takes
# half of the processor; with twenty times that measure it still does where rows are parsed.
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
    # Days and hours of the log are UTC, whatever the machine's own zone.
    "spark.sql.session.timeZone": "UTC",
    # A day is hundreds of small files; at the default each is billed as 4 MB.
    "spark.sql.files.openCostInBytes": "64k",
    # A window is hundreds of folders: listing them is quicker than a job that lists them.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "4000",
    "spark.sql.parquet.compression.codec": "zstd",
    # Spark's own default is INT96, which other engines read with reluctance.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A hunt says what is small by holding it; planning each stage anew costs more than it finds.
    "spark.sql.adaptive.enabled": "false",
    # Else Python looks for the line of code at every call of a column's or frame's method.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Java compiles no method longer than this: without it Spark makes such, and they crawl.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.sql.shuffle.partitions": "4",
    # What Spark's pages and logs show as stars: by default not the keys and tokens of ABFS.
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
            # The last is set where spark-submit has started Java before Python.
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
            # A server has one cache for all its sessions, and keeps it when they end.
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
