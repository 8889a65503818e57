"""A session of each engine, with the settings that the project has on Spark.

Imports are within: an engine's packages are only in its own environment, and SQLFrame takes the
place of pyspark.
"""

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

PACKAGES = {"sqlframe": "sqlframe[duckdb]", "sail": "pysail pyspark-client"}


def _spark() -> tuple[Any, str]:
    import pyspark
    from pyspark.sql import SparkSession

    from lowslow_assets.platform.java import ensure_java
    from lowslow_assets.platform.spark import LOCAL_SPARK

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["JAVA_HOME"] = ensure_java()
    builder = SparkSession.Builder()
    for key, value in LOCAL_SPARK.items():
        builder = builder.config(key, value)
    return builder.getOrCreate(), f"PySpark {pyspark.__version__}"


def _sqlframe() -> tuple[Any, str]:
    duckdb = importlib.import_module("duckdb")
    sqlframe = importlib.import_module("sqlframe")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    sqlframe.activate(engine="duckdb", conn=connection)
    from pyspark.sql import SparkSession

    found = f"SQLFrame {version('sqlframe')}, DuckDB {duckdb.__version__}"
    return SparkSession.builder.getOrCreate(), found


def _sail() -> tuple[Any, str]:
    server = importlib.import_module("pysail.spark").SparkConnectServer()
    server.start(background=True)
    _SERVERS.append(server)
    from pyspark.sql import SparkSession

    _, port = server.listening_address
    spark = SparkSession.Builder().remote(f"sc://127.0.0.1:{port}").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark, f"Sail {version('pysail')}, pyspark-client {version('pyspark-client')}"


_SERVERS: list[Any] = []
"""A server lives as long as something refers to it."""
SESSIONS: dict[str, Callable[[], tuple[Any, str]]] = {
    "spark": _spark,
    "sqlframe": _sqlframe,
    "sail": _sail,
}
