"""What pages show, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

Hours = Mapping[datetime, int]
"""Hour of the calendar (UTC) to the sign-ins in it."""
Row = Mapping[str, Any]
"""A row of a table of the lake; the page shows its columns."""


@dataclass(frozen=True)
class Place:
    """Where sign-ins came from, in degrees, and how many."""

    name: str
    latitude: float
    longitude: float
    signins: int


@dataclass(frozen=True)
class Cell:
    """The sign-ins between an account and a network."""

    user: str
    network: str
    attempts: int
    entries: int


@dataclass(frozen=True)
class Window:
    """The days of a hunt's window, and what is normal for the tenant in them."""

    day: date
    lookback_days: int
    days: Sequence[date]
    successes: Hours
    success_places: Sequence[Place]


@dataclass(frozen=True)
class CampaignPage:
    """What a campaign's page shows: its rows of ``enriched_incidents``, ``cluster_statistics``,
    ``cluster_features`` and ``hunting_rules``, and its members in figures.
    """

    window: Window
    incident: Row
    statistics: Row
    features: Sequence[Row]
    rules: Sequence[Row]
    attempts: Hours
    entries: Hours
    attempt_places: Sequence[Place]
    entry_places: Sequence[Place]
    matrix: Sequence[Cell]
    members: pa.Table
    """Columns of text by their titles; some of the members, where there are very many."""


@dataclass(frozen=True)
class HuntDay:
    """A day's hunt: how many attempts it started from, what it explained, judged and kept."""

    window: Window
    failures: int
    suspects: int
    explanations: Sequence[Row]
    """Rows of ``explained_failures`` that stand for a whole explanation."""
    clusters: Sequence[Row]
    """Rows of ``pruned_clusters``."""
    campaigns: Sequence[CampaignPage]
