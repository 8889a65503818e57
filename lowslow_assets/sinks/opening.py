"""The sinks that are switched on, ready to deliver."""

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import HttpTransport
from azure.monitor.ingestion import LogsIngestionClient

from lowslow_assets.settings import LOG_ANALYTICS, SENTINEL, SINKS, SettingsError, SinkSettings
from lowslow_assets.sinks.calls import (
    DryRunCredential,
    Patience,
    default_credential,
    default_transport,
    dry_run_transport,
    management_client,
)
from lowslow_assets.sinks.log_analytics import LogAnalyticsTable
from lowslow_assets.sinks.sentinel import SentinelIncidents
from lowslow_assets.sinks.updates import Sink


def open_sinks(settings: SinkSettings) -> list[Sink]:
    """The sinks that ``settings`` name; nothing is contacted yet.

    Raises SettingsError if a sink does not exist.
    """
    if settings.dry_run:
        return connect(settings, DryRunCredential(), dry_run_transport())
    return connect(settings, default_credential(), default_transport())


def connect(
    settings: SinkSettings, credential: TokenCredential, transport: HttpTransport
) -> list[Sink]:
    """The same with any credential and any transport."""
    sinks: list[Sink] = []
    for name in settings.names:
        if name == SENTINEL:
            client = management_client(credential, transport)
            where = (settings.subscription, settings.resource_group, settings.workspace)
            sinks.append(SentinelIncidents(client, *where))
        elif name == LOG_ANALYTICS:
            ingestion = LogsIngestionClient(
                settings.ingestion_endpoint,
                credential,
                transport=transport,
                retry_policy=Patience(),
            )
            rule, stream = settings.ingestion_rule, settings.ingestion_stream
            sinks.append(LogAnalyticsTable(ingestion, rule, stream))
        else:
            raise SettingsError(f"There is no sink {name!r}, only {' and '.join(SINKS)}.")
    return sinks
