"""What Spark's data frames and column expressions lack."""

from collections.abc import Callable
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def let(value: Column, body: Callable[[Column], Column]) -> Column:
    """``body(value)``, with ``value`` computed once.

    Column expressions are trees: one used ten times is compiled and run ten times, and the
    code of a few such levels is more than Spark can compile.
    """
    return F.transform(F.array(value), body)[0]


def held(frame: DataFrame) -> DataFrame:
    """The frame's rows, computed now and kept until the session ends or its cache is cleared.

    For few rows out of many: Spark takes what passes a filter or a join for as much as went in,
    and would move the other side of the next join to it. Of rows it holds it knows the size.
    """
    kept = frame.persist()
    kept.count()
    return kept


def utc(time: datetime) -> datetime:
    """A time as Spark gives it to Python (naive, in the machine's own zone) in UTC."""
    return time.astimezone(UTC)
