"""One lazy Spark session for the whole run, with a scratch folder of its own."""

import os
import sys

import pytest
from pyspark.sql import SparkSession

from lowslow_assets.java import ensure_java
from lowslow_assets.spark import LOCAL_SPARK

pytest_plugins = ["lowslow_assets_tests.kql"]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory):
    """The session all tests share; small data wants few partitions."""
    os.environ["JAVA_HOME"] = ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    scratch = tmp_path_factory.mktemp("spark")
    settings = LOCAL_SPARK | {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        # Tests are over before the optimizing compiler would pay.
        "spark.driver.extraJavaOptions": LOCAL_SPARK["spark.driver.extraJavaOptions"]
        + " -XX:TieredStopAtLevel=1",
        "spark.sql.shuffle.partitions": "1",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()
