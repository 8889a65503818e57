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
    EnrichmentResource,
    HuntParameters,
    LakeResource,
    Notifier,
    SinksResource,
    SourceResource,
)
from lowslow_assets.orchestration.retention import retention
from lowslow_assets.orchestration.sensors import failed_runs, new_days
from lowslow_assets.platform.spark import SparkResource
from lowslow_assets.settings import NATIVE, Settings
from lowslow_assets.signins.features import failure_result_types

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


def build_defs(settings: Settings, spark: SparkResource | None = None) -> dg.Definitions:
    """The project's definitions, for these settings; ``spark`` replaces the local session."""
    native = settings.read == NATIVE
    spark = spark or SparkResource(
        settings_file=settings.spark_conf,
        connected=[settings.source, settings.lake] if native else [],
    )
    return dg.Definitions(
        assets=dg.load_assets_from_modules(_STAGES),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[*JOBS, retention],
        sensors=[new_days, failed_runs],
        resources={
            "spark": spark,
            "source": SourceResource(
                root=settings.source,
                read=settings.read,
                logs=list(settings.logs),
                failure_result_types=list(settings.failure_result_types)
                or failure_result_types(settings.logs),
            ),
            "lake": LakeResource(root=settings.lake, native=native, spark=spark),
            "notifier": Notifier(),
            "enrichment": EnrichmentResource(**asdict(settings.enrichment)),
            "parameters": HuntParameters(
                lookback_days=settings.lookback_days, preset=settings.preset
            ),
            "sinks": SinksResource.of(settings.sinks),
        },
        # One process, one Spark session a run: a process a step costs a JVM start each.
        executor=dg.in_process_executor,
    )
