"""Fixtures that all tests share, each made on first use: one Spark session, one Azurite."""

import os
import sys
import uuid
from collections.abc import Iterator

import hypothesis
import pytest
from pyspark.sql import SparkSession

from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.platform.azure import Location
from lowslow_assets.platform.java import ensure_java
from lowslow_assets.platform.spark import LOCAL_SPARK
from lowslow_assets.settings import DUCKDB, SPARK
from lowslow_assets_tests.support import azurite as emulator
from lowslow_assets_tests.support.azurite import Emulator

pytest_plugins = ["lowslow_assets_tests.support.kql"]

# Tests end before the optimizing compiler would pay off. Without it, Java keeps 48 MB for compiled
# code, which a session that runs the whole graph would fill, and then fail.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"


# The time of an example depends more on the machine than on the code.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

# A test's fixtures show what it needs.
_NEEDS = {"spark": "spark", "azurite": "azurite"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by what it needs."""
    for fixture, mark in _NEEDS.items():
        if fixture in getattr(item, "fixturenames", ()):
            item.add_marker(mark)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory):
    """The session that all tests share; with small data, few partitions are enough."""
    os.environ["JAVA_HOME"] = ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    scratch = tmp_path_factory.mktemp("spark")
    settings = LOCAL_SPARK | {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": LOCAL_SPARK["spark.driver.extraJavaOptions"]
        + f" {QUICK_JAVA}",
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


@pytest.fixture(scope="session")
def duckdb_engine() -> Iterator[Engine]:
    """The embedded engine that all tests share."""
    engine = DuckDBEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def spark_engine(spark: SparkSession) -> Engine:
    """The session that all tests share, as an engine."""
    from lowslow_assets.engines.spark import SparkEngine

    return SparkEngine(spark)


@pytest.fixture(params=[DUCKDB, pytest.param(SPARK, marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn; it forgets what a test made with it."""
    engine = request.getfixturevalue(f"{request.param}_engine")
    yield engine
    engine.forget()


@pytest.fixture(scope="session")
def azurite(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """Azurite, installed once into pytest's cache."""
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("azurite")
    try:
        emulator.install(folder)
    except emulator.NotInstalled as error:
        pytest.skip(str(error))
    with emulator.running(folder) as running:
        yield running


@pytest.fixture
def container(azurite: Emulator) -> Location:
    """A new container."""
    name = f"test-{uuid.uuid4().hex}"
    azurite.service.create_container(name)
    return azurite.location(name)
