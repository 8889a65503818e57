"""A generated tenant, written directly into a lake, and the project's own hunts over it.

The export's files and their parsing are left out: the drawn sign-ins become ``raw_signins``. From
this table on, every asset is the project's own, on the embedded engine.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks.detection.scoring import Alert, Judged
from lowslow_assets.detection import entries
from lowslow_assets.detection.members import Suspects
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    ENRICHED_INCIDENTS,
    INCIDENT_MEMBERS,
    RAW_SIGNINS,
    REJECTED_SIGNINS,
    SUCCESS,
    Table,
)
from lowslow_assets.orchestration.assets import clusters, incidents
from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.platform.machine import cores
from lowslow_assets.sample_tenant import Tenant
from lowslow_assets.sample_tenant.facts import facts_of
from lowslow_assets.sample_tenant.signins import LABELS
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets.settings import CAMPAIGNS, EngineSettings, Settings, SinkSettings
from lowslow_assets.signins.addresses import ip_prefix

# Drawn sign-ins become raw_signins directly; documents and rules do not help to find anything.
_INGEST = dg.AssetSelection.groups("ingest") - dg.AssetSelection.assets(
    RAW_SIGNINS.name, REJECTED_SIGNINS.name
)
HUNT = dg.AssetSelection.assets(ENRICHED_INCIDENTS.name).upstream() & dg.AssetSelection.groups(
    "hunt"
)


@dataclass(frozen=True)
class Hunting:
    """A tenant in its own lake, which can be hunted as of any of its days."""

    tenant: Tenant
    lake: Path
    sinks: SinkSettings = field(default_factory=SinkSettings)
    threads: int = field(default_factory=cores)

    @property
    def days(self) -> list[date]:
        """The tenant's days."""
        return [self.tenant.day(offset) for offset in range(self.tenant.days)]

    def ingest(self) -> pd.DataFrame:
        """Write the tenant's sign-ins; returns the labels of all of them by ``signin_id``."""
        signins, labels = _signins(self.tenant)
        with closing(DuckDBEngine(threads=self.threads)) as engine:
            lake = Lake(str(self.lake), engine)
            lake.write(RAW_SIGNINS, engine.from_arrow(signins), self.days, {})
        self._run("ingest_range", _INGEST, self.days, CAMPAIGNS)
        return labels.merge(self.encoded()[["signin_id", "time", "user", "outcome"]])

    def encoded(self) -> pd.DataFrame:
        """All of ``encoded_features``, with the result codes; times are naive, in UTC."""
        columns = [*("signin_id", "time_generated", "user", "outcome", "ip_address", "ip_prefix")]
        columns += ["AppDisplayName", "ClientAppUsed", "Location", "state", "city"]
        encoded = _read(self.lake / ENCODED_FEATURES.name, columns)
        raw = _read(
            self.lake / RAW_SIGNINS.name,
            ["signin_id", "result_type", "autonomous_system_number"],
        )
        merged = encoded.merge(raw, on="signin_id")
        merged["time_generated"] = merged["time_generated"].dt.tz_localize(None)
        merged["asn"] = merged.pop("autonomous_system_number").astype("Int64").astype("string")
        names = {"AppDisplayName": "app", "ClientAppUsed": "client", "Location": "country"}
        return merged.rename(columns={**names, "time_generated": "time"})

    def materialize(self, assets: dg.AssetSelection, day: date) -> None:
        """Make some assets of the hunt as of a day."""
        self._run("hunt_as_of_day", assets, [day], CAMPAIGNS)

    def hunt(self, day: date, preset: str = CAMPAIGNS, since: Table | None = None) -> list[Alert]:
        """The incidents as of the end of a day.

        With ``since``, the hunt is made again from that table on; earlier tables stay as they are.
        """
        assets = HUNT & dg.AssetSelection.assets(since.name).downstream() if since else HUNT
        self._run("hunt_as_of_day", assets, [day], preset)
        incidents = _read(self.lake / ENRICHED_INCIDENTS.name / f"date={day}").to_dict("records")
        members = _read(self.lake / INCIDENT_MEMBERS.name / f"date={day}")
        attempts = members[members["outcome"] != SUCCESS]
        return [
            Alert(
                frozenset(
                    attempts.loc[attempts["incident_id"] == incident["incident_id"], "signin_id"]
                ),
                day,
                tuple(incident["compromised_users"]),
                tuple(account["user"] for account in incident["known_passwords"]),
            )
            for incident in incidents
        ]

    def _run(self, job: str, assets: dg.AssetSelection, days: Sequence[date], preset: str) -> None:
        settings = Settings(
            "unused",
            str(self.lake),
            self.tenant.days,
            preset=preset,
            engine=EngineSettings(threads=self.threads),
            sinks=self.sinks,
        )
        tags = {
            "dagster/asset_partition_range_start": str(days[0]),
            "dagster/asset_partition_range_end": str(days[-1]),
        }
        defs = build_defs(settings)
        defs.resolve_job_def(job).execute_in_process(
            asset_selection=sorted(assets.resolve(defs.resolve_asset_graph())),
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


@contextmanager
def judged() -> Iterator[Judged]:
    """Record how hunts in the block judge all clusters and accounts, also those that are not named.

    The hunts' tables are the same as without it.
    """
    judge_suspects, find_entries = clusters.judge_suspects, incidents.find_entries
    found = Judged([], {}, {})

    def judge(suspects: Suspects, *given: Any) -> Any:
        judgement = judge_suspects(suspects, *given)
        for cluster in judgement[0]:
            own = judgement[1].of([cluster.cluster_id]).position
            # A cluster that has joined a larger one has no members, and is no forecast.
            if signins := frozenset(suspects.signin_id[own].tolist()):
                found.clusters.append((cluster.confidence or 0.0, cluster.kept, signins))
        return judgement

    def find(*given: Any) -> Relation:
        with mock.patch.object(entries, "MIN_ENTRY_PROBABILITY", 0.0):
            for row in find_entries(*given).rows():
                of_tier = found.compromised if row["outcome"] == SUCCESS else found.known
                of_tier[row["user"]] = max(of_tier.get(row["user"], 0.0), row["score"])
        return find_entries(*given)

    with (
        mock.patch.object(clusters, "judge_suspects", judge),
        mock.patch.object(incidents, "find_entries", find),
    ):
        yield found


def _read(folder: Path, columns: list[str] | None = None) -> pd.DataFrame:
    return ds.dataset(folder, format="parquet").to_table(columns=columns).to_pandas()


def _signins(tenant: Tenant) -> tuple[pa.Table, pd.DataFrame]:
    """The tenant's sign-ins as ``raw_signins`` with ``date``, and their labels."""
    world, rows = draw(tenant)
    records = []
    for fact in facts_of(world, rows):
        device, place = fact.device, fact.location
        point = place.get("geoCoordinates", {})
        if not any(point.values()):
            point = {}
        time = datetime.fromisoformat(fact.time)
        records.append(
            (
                *(fact.id, time, fact.upn, fact.user_id, fact.upn.lower(), str(fact.result), True),
                *(fact.app.name, fact.client, device["browser"], device.get("displayName")),
                *(device["operatingSystem"], fact.user_agent, fact.address),
                *(ip_prefix(fact.address), fact.asn and int(fact.asn)),
                *(place.get("countryOrRegion"), place.get("state"), place.get("city")),
                *(point.get("latitude"), point.get("longitude"), None, 1, time.date()),
            )
        )
    columns = [
        pa.array([None if value == "" else value for value in values], column.type)
        for column, values in zip(RAW_SIGNINS.dated, zip(*records, strict=True), strict=True)
    ]
    signins = pa.Table.from_arrays(columns, schema=RAW_SIGNINS.dated)
    names = np.array(["", *(campaign.name for campaign in tenant.campaigns)])
    labels = pd.DataFrame(
        {
            "signin_id": signins["signin_id"].to_numpy(),
            "label": np.array(LABELS)[rows["label"]],
            "campaign": names[rows["campaign"]],
        }
    )
    return signins, labels
