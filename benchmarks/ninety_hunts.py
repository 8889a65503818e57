"""Ninety daily hunts over three sprays, sent to an unreliable workspace on loopback.

``python -m benchmarks.ninety_hunts OUT``: a tenant is hunted once per day in a lake in the folder
OUT, and its incidents are sent as they are sent to Azure. A third of all requests meet a fault, and
ten of the runs die at a request and are made again. The command prints the campaigns' ids and the
final contents of the workspace, next to what the same hunts leave in a workspace without faults.
"""

import argparse
import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.detection.tenants import HUNT, Hunting
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import CAMPAIGNS
from lowslow_assets.sample_tenant import PRESETS, Tenant
from lowslow_assets.sinks import opening
from lowslow_assets_tests.support.workspace import (
    FAULTS,
    SETTINGS,
    Connection,
    Killed,
    Workspace,
    serve,
)

HUNTS, KILLS = 90, 10
DELIVERED = dg.AssetSelection.assets("delivered_incidents")
# Besides the faults, so that one in three calls meets a fault.
NO_FAULTS = [None] * (2 * len(FAULTS))
TENANT = Tenant(
    seed=90,
    days=119,
    users=400,
    signins_per_day=1_000,
    campaigns=(
        replace(PRESETS["classic"], rate=12),
        replace(PRESETS["business_hours"], clients="common", first_day=30),
        replace(PRESETS["legacy"], first_day=50, pauses=((70, 80),)),
    ),
)


def main() -> None:
    """Hunt, send, and report the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ninety_hunts")
    parser.add_argument("out", type=Path, help="a folder that is not there yet")
    lake = parser.parse_args().out.absolute()
    hunting = Hunting(TENANT, lake, SETTINGS)
    hunting.ingest()
    days = hunting.days[-HUNTS:]
    draw = random.Random(0)
    killed = set(draw.sample(days, KILLS))
    with serve() as connection:
        rough = connection(Workspace(fault=lambda _: draw.choice((*NO_FAULTS, *FAULTS))))
        lead_to(rough)
        began = time.monotonic()
        deaths = sum(hunt(hunting, rough, day, draw if day in killed else None) for day in days)
        print(f"{HUNTS} hunts in {time.monotonic() - began:.0f} s; {deaths} runs died on the way")
        report(hunting, days, rough.workspace)
        requests = len(rough.workspace.requests)

        smooth = connection(Workspace())
        lead_to(smooth)
        for day in days:
            hunting.materialize(DELIVERED, day)
        print(f"{requests:,} requests, {len(smooth.workspace.requests):,} where nothing goes wrong")
        print("The same state:", rough.workspace.state() == smooth.workspace.state())


def lead_to(at: Connection) -> None:
    """Let the sinks reach this workspace."""
    opening.__dict__.update(
        default_credential=lambda: at.credential, default_transport=lambda: at.transport
    )


def hunt(hunting: Hunting, at: Connection, day: date, fate: random.Random | None) -> int:
    """Hunt as of the day and send until all is sent; returns the number of runs that died."""
    deaths = 0
    if fate:
        when = at.adapter.number + fate.randint(1, 4)
        if fate.random() < 0.5:
            at.adapter.kill_before = when
        else:
            at.adapter.kill_after = when
    assets = HUNT | DELIVERED
    while True:
        try:
            hunting.materialize(assets, day)
            return deaths
        except Killed:
            deaths += 1
        except dg.Failure:
            # Too many faults in a row prevented some deliveries, so the run is made again.
            assets = DELIVERED


def report(hunting: Hunting, days: list[date], workspace: Workspace) -> None:
    """Print the campaigns of all days, and the incidents of the workspace."""
    with closing(DuckDBEngine()) as engine:
        lake = Lake(str(hunting.lake), engine)
        rows = [row for day in days for row in lake.rows(CAMPAIGNS, [day])]
    states: dict[str, Counter[str]] = {}
    for row in rows:
        states.setdefault(row["campaign_id"], Counter())[row["state"]] += 1
    print(f"{len(states)} campaigns:")
    for id_, of_days in states.items():
        print(f"  {id_}: {dict(of_days)}")
    print(f"{len(workspace.incidents)} incidents, {len(workspace.violations)} malformed requests:")
    for id_, incident in workspace.incidents.items():
        shown: dict[str, Any] = incident["properties"]
        print(f"  {id_}: {len(workspace.comments.get(id_, {}))} comments; {shown['title']}")


if __name__ == "__main__":
    main()
