"""What Spark's column expressions lack."""

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F


def let(value: Column, body: Callable[[Column], Column]) -> Column:
    """``body(value)``, with ``value`` computed once.

    Column expressions are trees: one used ten times is compiled and run ten times, and the
    code of a few such levels is more than Spark can compile.
    """
    return F.transform(F.array(value), body)[0]
