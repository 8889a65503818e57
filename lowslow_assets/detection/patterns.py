"""The properties of a sign-in in which a suspect is anomalous.

Browser and operating system, or country, state and city, say the same thing twice. A mixture
whose bits are independent within a component spends components on such ties, and a campaign
falls into pieces. So the features that tell of one property are one bit.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lowslow_assets.signins.features import FEATURES

PROPERTIES = {
    "application": ("AppDisplayName",),
    "client": ("ClientAppUsed",),
    "device": ("browser", "operatingSystem"),
    "place": ("Location", "state", "city"),
    "network": ("network",),
}
"""Bit i of a pattern belongs to the i-th property. ``displayName`` is left out: that a device has
no name, or one of its own, says nothing of a failure."""


def is_anomalous(name: str) -> Column:
    """1 where a feature of the property is anomalous by the column ``mask``, else 0."""
    bits = sum(1 << FEATURES.index(feature) for feature in PROPERTIES[name])
    return (F.col("mask").bitwiseAND(F.lit(bits)) != 0).cast("int")


def pattern() -> Column:
    """The pattern of the column ``mask``, as an int."""
    return sum(
        (is_anomalous(name) * (1 << bit) for bit, name in enumerate(PROPERTIES)), F.lit(0)
    ).cast("int")
