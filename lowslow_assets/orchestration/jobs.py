"""The jobs that a person or a sensor runs."""

import dagster as dg

_INGEST = dg.AssetSelection.groups("ingest")
_HUNT = dg.AssetSelection.groups("hunt")

ingest_range = dg.define_asset_job(
    "ingest_range",
    selection=_INGEST,
    description="Ingest a day, or a range of days in one run, from the export.",
)
hunt_as_of_day = dg.define_asset_job(
    "hunt_as_of_day",
    selection=_HUNT,
    description="Hunt over the window that ends with a day, from what has been ingested.",
)
ingest_and_hunt = dg.define_asset_job(
    "ingest_and_hunt",
    selection=_INGEST | _HUNT,
    description="Ingest a day, then hunt over the window that ends with it: what the sensor runs.",
)
detection_limit_as_of_day = dg.define_asset_job(
    "detection_limit_as_of_day",
    selection=dg.AssetSelection.groups("on_demand"),
    description="Find out what a day's hunt would have missed, by synthetic sprays in its window.",
)
JOBS = [ingest_range, hunt_as_of_day, ingest_and_hunt, detection_limit_as_of_day]
