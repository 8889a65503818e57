"""Draws a whole tenant: all sign-ins in order of time, still as numbers."""

import numpy as np

from lowslow_assets.sample_tenant import confusers, excursions, ordinary, slips
from lowslow_assets.sample_tenant.devices import Devices
from lowslow_assets.sample_tenant.people import hire
from lowslow_assets.sample_tenant.signins import DAY, Rows
from lowslow_assets.sample_tenant.sprays import spray
from lowslow_assets.sample_tenant.tenant import Tenant
from lowslow_assets.sample_tenant.world import World, no_rows


def draw(tenant: Tenant) -> tuple[World, Rows]:
    """The tenant's world and all its sign-ins by time, without those of missing days.

    Every part has its own streams. A later part may read an earlier one, but never the reverse. So
    the ordinary rows do not depend on the rows of confusers or campaigns.
    """
    devices = Devices()
    world = World(tenant, hire(tenant, devices), devices, no_rows())
    sessions = ordinary.sessions(world)
    for name, excursion in excursions.EXCURSIONS.items():
        if name in tenant.active_confusers:
            excursion(world, sessions)
    excursions.conference(world, sessions)
    mistakes, sessions = slips.make(tenant, world.people, sessions)
    world.ordinary = ordinary.expand(world, sessions)
    for rows in (mistakes, world.ordinary):
        excursions.shared_egress(world, rows)
    parts = [world.ordinary, mistakes]
    parts += [
        add(world) for name, add in confusers.ADDED.items() if name in tenant.active_confusers
    ]
    parts += [spray(world, campaign) for campaign in tenant.campaigns]
    return world, _present(world, np.concatenate(parts))


def _present(world: World, rows: Rows) -> Rows:
    """The sign-ins of the days that are not missing, sorted by time."""
    day = (rows["time"] - world.tenant.start_ms) // DAY
    inside = (day >= 0) & (day < world.tenant.days)
    rows = rows[inside & ~np.isin(day, list(world.tenant.absent_days()))]
    return rows[np.lexsort((rows["key"], rows["time"]))]
