"""The properties of a sign-in in which a suspect is anomalous.

Browser and operating system, or country, state and city, say the same thing twice. A mixture
whose bits are independent within a component spends components on such ties, and a campaign
falls into pieces. So the features that tell of one property are one bit.
"""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import FEATURES

MODEL_PROPERTIES = {
    "application": ("AppDisplayName",),
    "client": ("ClientAppUsed",),
    "device": ("browser", "operatingSystem"),
    "place": ("Location", "state", "city"),
    "network": ("network",),
}
"""Bit i of a pattern belongs to the i-th property. ``displayName`` is left out: that a device has
no name, or one of its own, says nothing of a failure."""


def property_bits(name: str) -> int:
    """The bits of an anomaly mask that belong to a property: anomalous where one of them is set."""
    return sum(1 << FEATURES.index(feature) for feature in MODEL_PROPERTIES[name])


PATTERNS = schema("date date, signin_id string, mask int, pattern int")


@transform(PATTERNS, masks=schema("date date, signin_id string, mask int"))
def with_patterns(masks: Relation) -> Relation:
    """Add the pattern of each mask: bit i is set where it is anomalous in the i-th property."""
    return sql(
        """
        SELECT
            date,
            signin_id,
            mask,
            CASE WHEN (mask & {application}) <> 0 THEN 1 ELSE 0 END
                + CASE WHEN (mask & {client}) <> 0 THEN 2 ELSE 0 END
                + CASE WHEN (mask & {device}) <> 0 THEN 4 ELSE 0 END
                + CASE WHEN (mask & {place}) <> 0 THEN 8 ELSE 0 END
                + CASE WHEN (mask & {network}) <> 0 THEN 16 ELSE 0 END AS pattern
        FROM {masks}
        """,
        masks=masks,
        **{name: property_bits(name) for name in MODEL_PROPERTIES},
    )
