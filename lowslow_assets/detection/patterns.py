"""The properties of a sign-in in which a suspect is anomalous.

Browser and operating system describe one property, and so do country, state and city. A mixture
whose bits are independent within a component would spend components on such dependent features, and
would split a campaign into pieces. So the features that describe one property are one bit.
"""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import FEATURES

MODEL_PROPERTIES = {
    "application": ("AppDisplayName",),
    "client": ("ClientAppUsed",),
    "device": ("browser", "operatingSystem", "agent"),
    "place": ("Location", "state", "city"),
    "network": ("network",),
}
"""Bit i of a pattern belongs to the i-th property. ``displayName`` is left out, because a missing
or a unique name of a device says nothing about a failure."""


def property_bits(name: str) -> int:
    """A property's bits of an anomaly mask; it is anomalous if at least one of them is set."""
    return sum(1 << FEATURES.index(feature) for feature in MODEL_PROPERTIES[name])


PATTERNS = schema("date date, signin_id string, mask int, pattern int")


@transform(PATTERNS, masks=schema("date date, signin_id string, mask int"))
def with_patterns(masks: Relation) -> Relation:
    """Add each mask's pattern: bit i is set if the mask is anomalous in the i-th property."""
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
