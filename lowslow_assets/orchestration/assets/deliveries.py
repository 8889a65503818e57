"""delivered_incidents: the day's incidents, sent to the sinks that are switched on."""

from collections import Counter
from dataclasses import replace

import dagster as dg

from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    CAMPAIGNS,
    DELIVERED_INCIDENTS,
    ENRICHED_INCIDENTS,
    INCIDENT_MEMBERS,
)
from lowslow_assets.orchestration.assets.declare import (
    declaration,
    permanent_failures,
    table_metadata,
)
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN, days_of
from lowslow_assets.orchestration.resources import HuntParameters, LakeResource, SinksResource
from lowslow_assets.sinks.entities import most_attempts
from lowslow_assets.sinks.updates import FAILED, IncidentUpdate, make_updates

_SHOWN_DELIVERIES = 50
_DRY_RUN = "dry run: requests are printed, none is sent"


@dg.asset(
    name=DELIVERED_INCIDENTS.name,
    group_name="hunt",
    deps=[table.name for table in (ENRICHED_INCIDENTS, CAMPAIGNS, INCIDENT_MEMBERS)],
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
    **declaration(DELIVERED_INCIDENTS),
)
def delivered_incidents(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    parameters: HuntParameters,
    sinks: SinksResource,
) -> None:
    """Send the day's incidents, record each result, and only then fail if one failed."""
    failed = []
    with permanent_failures():
        opened = sinks.open()
        for day in days_of(context):
            hunt = Hunt(day, lake.open(), parameters.settings)
            updates = _updates(hunt) if opened else []
            made = [delivery for sink in opened for delivery in sink.deliver(day, updates)]
            if sinks.dry_run:
                made = [replace(delivery, detail=_DRY_RUN) for delivery in made]
            rows = hunt.write(DELIVERED_INCIDENTS, made)
            failed += [(day, delivery) for delivery in made if delivery.action == FAILED]
            switched_on = [*(sink.name for sink in opened), *([_DRY_RUN] if sinks.dry_run else [])]
            context.add_asset_metadata(
                {
                    "dagster/partition_row_count": rows,
                    "sinks": ", ".join(switched_on) if opened else "none: nothing is sent",
                    **Counter(delivery.action for delivery in made),
                    "deliveries": table_metadata([vars(d) for d in made[:_SHOWN_DELIVERIES]]),
                },
                partition_key=day.isoformat(),
            )
    if failed:
        raise dg.Failure(
            f"{len(failed)} incident(s) could not be sent; made again, this sends them: "
            + "; ".join(f"{d.incident_id} ({day}, {d.sink}): {d.detail}" for day, d in failed[:5])
        )


def _updates(hunt: Hunt) -> list[IncidentUpdate]:
    accounts, addresses = most_attempts(hunt.result(INCIDENT_MEMBERS))
    return make_updates(hunt.rows(ENRICHED_INCIDENTS), hunt.rows(CAMPAIGNS), accounts, addresses)
