"""Everything that Dagster loads, put together for given settings."""

from dataclasses import asdict

import dagster as dg

from lowslow_assets.orchestration import checks
from lowslow_assets.orchestration.assets import (
    campaigns,
    clusters,
    deliveries,
    enrichment,
    features,
    incidents,
    limit,
    masks,
    mixture,
    pages,
    rules,
    signins,
    success_tables,
    suspects,
)
from lowslow_assets.orchestration.jobs import JOBS
from lowslow_assets.orchestration.resources import (
    EngineResource,
    EnrichmentResource,
    HuntParameters,
    LakeResource,
    Notifier,
    SinksResource,
    SourceResource,
)
from lowslow_assets.orchestration.retention import retention
from lowslow_assets.orchestration.sensors import failed_runs, new_days
from lowslow_assets.settings import NATIVE, Settings

_STAGES = [
    signins,
    features,
    masks,
    suspects,
    mixture,
    clusters,
    campaigns,
    success_tables,
    enrichment,
    incidents,
    rules,
    pages,
    deliveries,
    limit,
]


def build_defs(settings: Settings, engine: EngineResource | None = None) -> dg.Definitions:
    """The project's definitions for these settings; ``engine`` replaces the one that they name."""
    native = settings.read == NATIVE
    connected = [settings.source, settings.lake] if native else []
    engine = engine or EngineResource.of(settings.engine, connected)
    return dg.Definitions(
        assets=dg.load_assets_from_modules(_STAGES),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[*JOBS, retention],
        sensors=[new_days, failed_runs],
        resources={
            "engine": engine,
            "source": SourceResource(
                root=settings.source,
                read=settings.read,
                logs=list(settings.logs),
                result_codes=settings.result_codes,
            ),
            "lake": LakeResource(root=settings.lake, native=native, engine=engine),
            "notifier": Notifier(),
            "enrichment": EnrichmentResource(**asdict(settings.enrichment)),
            "parameters": HuntParameters(
                lookback_days=settings.lookback_days,
                preset=settings.preset,
                known_sources=settings.known_sources,
                **asdict(settings.thresholds),
            ),
            "sinks": SinksResource.of(settings.sinks),
        },
        # One process and one engine per run: one process per step would start as many engines.
        executor=dg.in_process_executor,
    )
