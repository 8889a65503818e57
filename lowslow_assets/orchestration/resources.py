"""What assets receive: the source, the lake, the hunt's parameters.

Each resource returns a plain object once opened (`Export`, `Lake`, `Engine`, `HuntSettings`), so
the code that uses it never sees Dagster's types. A field that an environment variable sets names
that variable; docs/settings.md is made from these fields.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import dagster as dg
from pydantic import Field, PrivateAttr

from lowslow_assets.detection.known_sources import KnownSource
from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.engines.base import Engine
from lowslow_assets.export.blobs import open_blobs
from lowslow_assets.export.folders import LocalExport
from lowslow_assets.export.graph import is_graph, open_graph
from lowslow_assets.export.logs import JoinedExport, root_of
from lowslow_assets.export.queries import is_workspace, open_queries
from lowslow_assets.export.source import Export
from lowslow_assets.hunting.known_sources import read_known_sources
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.lake import Lake
from lowslow_assets.platform.azure import is_azure
from lowslow_assets.platform.vault import read_secret
from lowslow_assets.settings import (
    CAMPAIGNS,
    DUCKDB,
    ENGINES,
    MAX_LOOKBACK_DAYS,
    PRESETS,
    READS,
    SIGNIN_LOGS,
    STAGED,
    EngineSettings,
    EnrichmentSettings,
    SettingsError,
    SinkSettings,
    Thresholds,
    known_logs,
    known_result_codes,
)
from lowslow_assets.signins.outcomes import codes_by_outcome
from lowslow_assets.sinks.updates import Sink


class EngineResource(dg.ConfigurableResource):
    """The engine of a run: started when first used, stopped when the run ends."""

    name: str = Field(
        default=DUCKDB,
        pattern=f"^({'|'.join(ENGINES)})$",
        description="The engine that processes the rows: duckdb (within the process) or spark (on "
        "this machine, or as Spark's own settings say).",
        json_schema_extra={"variable": "LOWSLOW_ENGINE"},
    )
    memory: str = Field(
        default="",
        description="duckdb: how much memory it may use, for example 4GB; empty for four fifths "
        "of the machine's.",
        json_schema_extra={"variable": "LOWSLOW_MEMORY"},
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="duckdb: its threads, and the processes that parse files; 0 for all cores.",
        json_schema_extra={"variable": "LOWSLOW_THREADS"},
    )
    spill: str = Field(
        default="",
        description="duckdb: a folder to spill to; empty for a temporary folder.",
        json_schema_extra={"variable": "LOWSLOW_SPILL"},
    )
    spark_conf: str = Field(
        default="",
        description="spark: a file of Spark's settings in the form of spark-defaults.conf. It is "
        "read when the session starts, so its content is not part of a run's configuration.",
        json_schema_extra={"variable": "LOWSLOW_SPARK_CONF"},
    )
    spark_config: dict[str, Any] = Field(
        default={}, description="spark: settings that are added to those of that file."
    )
    connected: list[str] = Field(
        default=[],
        description="spark: URLs of Azure Storage that its own connector reads; the session starts "
        "with the credentials that the environment names.",
    )

    _opened: Engine | None = PrivateAttr(default=None)
    _spark: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: EngineSettings, connected: Sequence[str] = ()) -> "EngineResource":
        """The resource for these settings."""
        fields: dict[str, Any] = vars(settings) | {"connected": list(connected)}
        return cls(**fields)

    def open(self) -> Engine:
        """The engine, the same for all assets of a run."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    # Imported here, because each engine is needed by some runs only, and takes a second or more.
    def _open(self) -> Engine:
        if self.name == DUCKDB:
            from lowslow_assets.engines.duckdb import DuckDBEngine

            return DuckDBEngine(self.memory, self.threads, self.spill)
        from lowslow_assets.engines.spark import SparkEngine
        from lowslow_assets.platform.spark import SparkResource

        self._spark = SparkResource(
            spark_config=dict(self.spark_config),
            settings_file=self.spark_conf,
            connected=self.connected,
        )
        return SparkEngine(self._spark.spark_session)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Stop what was started."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        if self._spark is not None:
            self._spark.teardown_after_execution(context)
            self._spark = None


class SourceResource(dg.ConfigurableResource):
    """The export of SigninLogs, and of other sign-in logs beside it."""

    root: str = Field(
        description="The folder that holds the y=YYYY folders of SigninLogs: a local path, or "
        "abfss://container@account.dfs.core.windows.net/path. Or a service that is queried "
        "without an export: loganalytics://id, a workspace, or graph://graph.microsoft.com.",
        json_schema_extra={"variable": "LOWSLOW_SOURCE"},
    )
    read: str = Field(
        default=STAGED,
        pattern=f"^({'|'.join(READS)})$",
        description="How an export in Azure Storage is read: staged (copied to this machine "
        "first), executors (by each process that parses) or native (by Spark's connector).",
        json_schema_extra={"variable": "LOWSLOW_READ"},
    )
    logs: list[str] = Field(
        default=[SIGNIN_LOGS],
        description="The tables to read: SigninLogs, AADNonInteractiveUserSignInLogs, "
        "ADFSSignInLogs, AADServicePrincipalSignInLogs. Each is in a container of its own, which "
        "is found from the root by its usual name.",
        json_schema_extra={"variable": "LOWSLOW_LOGS"},
    )
    result_codes: dict[str, str] = Field(
        default={},
        description="Outcomes (failure, stopped, refused, other) of result codes that "
        "docs/outcomes.md does not have, or other outcomes for some that it has.",
        json_schema_extra={"variable": "LOWSLOW_RESULT_CODES"},
    )

    @property
    def codes(self) -> dict[str, list[str]]:
        """The result codes of a failure, a stopped and a refused sign-in.

        Raises SettingsError if ``result_codes`` has something that is not a code.
        """
        return codes_by_outcome(
            known_result_codes(f"{code}={outcome}" for code, outcome in self.result_codes.items())
        )

    def open(self) -> Export:
        """The export. Raises SourceError if it is missing or has no day.

        Raises SourceUnavailable if Azure does not answer as it should.
        """
        exports = {log: self._open(log) for log in known_logs(self.logs)}
        alone = exports.keys() == {SIGNIN_LOGS}
        export = exports[SIGNIN_LOGS] if alone else JoinedExport(exports)
        export.require_days()
        return export

    def _open(self, log: str) -> Export:
        if is_workspace(self.root):
            return open_queries(self.root, log)
        if is_graph(self.root):
            return open_graph(self.root, log)
        root = root_of(self.root, log)
        return open_blobs(root, self.read) if is_azure(root) else LocalExport(root)


class LakeResource(dg.ConfigurableResource):
    """The lake that holds every table."""

    root: str = Field(
        description="The folder that holds one folder per table: a local path, or "
        "abfss://container@account.dfs.core.windows.net/path.",
        json_schema_extra={"variable": "LOWSLOW_LAKE"},
    )
    native: bool = Field(
        default=False,
        description="Whether the engine has a connector for a lake in Azure Storage. Without one "
        "it works on copies on this machine.",
    )
    written_to: str = Field(
        default="",
        description="A local folder into which everything is written instead of the lake, for a "
        "trial that does not change the lake.",
    )
    engine: dg.ResourceDependency[EngineResource]
    storage: dg.ResourceDependency[dg.ConfigurableResource | None] = Field(  # pyright: ignore[reportAssignmentType]
        default=None,
        description="The lake's account as dagster-azure's AzureBlobStorageResource; without one, "
        "the environment names the credentials.",
    )

    _opened: Lake | None = PrivateAttr(default=None)

    def open(self) -> Lake:
        """The lake, the same for all assets of a run; starts the engine."""
        # Otherwise each lake in a container would have its own client, look through its copies, and
        # first try whether it may write.
        engine = self.engine.open()
        if self._opened is None or self._opened.engine is not engine:
            storage: Any = self.storage
            lake = Lake(self.root, engine, storage, self.native)
            self._opened = lake.below(self.written_to) if self.written_to else lake
        return self._opened


class SinksResource(dg.ConfigurableResource):
    """Where incidents are sent, with the environment's credentials or a managed identity's."""

    names: list[str] = Field(
        default=[],
        description="Where incidents are sent: sentinel, log_analytics, both, or nowhere.",
        json_schema_extra={"variable": "LOWSLOW_SINKS"},
    )
    dry_run: bool = Field(
        default=False,
        description="Print the requests instead of sending them.",
        json_schema_extra={"variable": "LOWSLOW_DRY_RUN"},
    )
    subscription: str = Field(
        default="",
        description="sentinel: id of the workspace's subscription.",
        json_schema_extra={"variable": "LOWSLOW_SENTINEL_SUBSCRIPTION"},
    )
    resource_group: str = Field(
        default="",
        description="sentinel: the workspace's resource group.",
        json_schema_extra={"variable": "LOWSLOW_SENTINEL_RESOURCE_GROUP"},
    )
    workspace: str = Field(
        default="",
        description="sentinel: name of the workspace, not its id.",
        json_schema_extra={"variable": "LOWSLOW_SENTINEL_WORKSPACE"},
    )
    ingestion_endpoint: str = Field(
        default="",
        description="log_analytics: URL of the logs ingestion endpoint.",
        json_schema_extra={"variable": "LOWSLOW_INGESTION_ENDPOINT"},
    )
    ingestion_rule: str = Field(
        default="",
        description="log_analytics: immutable id of the data collection rule.",
        json_schema_extra={"variable": "LOWSLOW_INGESTION_RULE"},
    )
    ingestion_stream: str = Field(
        default=SinkSettings.ingestion_stream,
        description="log_analytics: the rule's stream; only for a rule that you made yourself.",
        json_schema_extra={"variable": "LOWSLOW_INGESTION_STREAM"},
    )

    @classmethod
    def of(cls, settings: SinkSettings) -> "SinksResource":
        """The resource for these settings."""
        fields: dict[str, Any] = vars(settings) | {"names": list(settings.names)}
        return cls(**fields)

    def open(self) -> list[Sink]:
        """The sinks that are switched on; raises SettingsError if one cannot be opened."""
        if not self.names:
            return []
        try:
            from lowslow_assets.sinks.opening import open_sinks
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"LOWSLOW_SINKS needs the package {error.name}: install lowslow-assets[azure]."
            ) from error
        fields: dict[str, Any] = {name: getattr(self, name) for name in vars(SinkSettings())}
        fields["names"] = tuple(self.names)
        return open_sinks(SinkSettings(**fields))


def _threshold(name: str) -> Any:
    """The launchpad's field of a threshold."""
    [found] = [each for each in fields(Thresholds) if each.name == name]
    limits = found.metadata
    return Field(
        default=found.default,
        ge=limits["least"],
        le=limits["most"],
        description=f"campaigns: {limits['effect']}",
        json_schema_extra={"variable": "LOWSLOW_THRESHOLDS"},
    )


class HuntParameters(dg.ConfigurableResource):
    """The parameters of a hunt.

    Those of the preset ``notebook`` have the guided-hunting notebook's values by default; the
    hunt's own method uses only the assignment probability among them.
    """

    lookback_days: int = Field(
        default=240,
        ge=1,
        le=MAX_LOOKBACK_DAYS,
        description="Length of a hunt's window in days.",
        json_schema_extra={"variable": "LOWSLOW_LOOKBACK_DAYS"},
    )
    preset: str = Field(
        default=CAMPAIGNS,
        pattern=f"^({'|'.join(PRESETS)})$",
        description="How to hunt: campaigns (the project's own way) or notebook (exactly as the "
        "public guided-hunting notebook does).",
        json_schema_extra={"variable": "LOWSLOW_PRESET"},
    )
    known_sources: str = Field(
        default="",
        description="campaigns: a local file (TOML) of what the organisation knows about its own "
        "sign-ins; docs/tuning.md. Attempts that it explains are not suspects.",
        json_schema_extra={"variable": "LOWSLOW_KNOWN_SOURCES"},
    )
    min_accounts: int = _threshold("min_accounts")
    max_attempts_per_account: float = _threshold("max_attempts_per_account")
    min_active_days: int = _threshold("min_active_days")
    max_p_value: float = _threshold("max_p_value")
    noise_a_day: float = _threshold("noise_a_day")
    components: int = Field(default=10, ge=1, description="notebook: K, components of the mixture.")
    restarts: int = Field(default=10, ge=1, description="notebook: random starts of the fit.")
    seed: int = Field(default=0, ge=0, description="notebook: seed of the first start.")
    min_feature_probability: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="notebook: from which probability on a component is anomalous in a feature.",
    )
    min_anomalous_features: int = Field(
        default=2, ge=0, description="notebook: features in which a kept cluster is anomalous."
    )
    min_assignment_probability: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Probability from which on a sign-in is a member of a cluster.",
    )
    min_avg_attempts_per_day: float = Field(
        default=1.0, ge=0, description="notebook: mean attempts per day of a kept cluster."
    )

    _known: tuple[KnownSource, ...] | None = PrivateAttr(default=None)

    @property
    def settings(self) -> HuntSettings:
        """The same as a plain object, the same for all assets of a run.

        Raises SettingsError if the file of known sources cannot be used.
        """
        if self._known is None:
            self._known = read_known_sources(self.known_sources)
        return HuntSettings(
            lookback_days=self.lookback_days,
            preset=self.preset,
            components=self.components,
            restarts=self.restarts,
            seed=self.seed,
            pruning=PruningRules(
                min_feature_probability=self.min_feature_probability,
                min_anomalous_features=self.min_anomalous_features,
                min_assignment_probability=self.min_assignment_probability,
                min_avg_attempts_per_day=self.min_avg_attempts_per_day,
            ),
            known_sources=self._known,
            thresholds=Thresholds(
                **{each.name: getattr(self, each.name) for each in fields(Thresholds)}
            ),
        )


class NotificationError(Exception):
    """A message could not be delivered."""


class Notifier(dg.ConfigurableResource):
    """The web hook for messages to people: Teams, Slack, Mattermost and others.

    Replace it in ``build_defs`` by a subclass that sends them elsewhere.
    """

    url_variable: str = Field(
        default="LOWSLOW_NOTIFY_URL",
        description="Name of the environment variable, or of the Key Vault's secret, that holds "
        "the hook's address. Without an address nothing is sent.",
    )
    timeout_seconds: float = Field(
        default=10, gt=0, description="How long the hook may take to answer, in seconds."
    )

    def send(self, text: str) -> None:
        """Post ``{"text": ...}``; raises NotificationError, which does not name the address."""
        url = read_secret(self.url_variable)
        if not url:
            return
        if not url.startswith(("https://", "http://")):
            raise NotificationError(f"{self.url_variable} is not the address of a web hook.")
        body = json.dumps({"text": text}).encode()
        try:
            request = Request(url, data=body, headers={"Content-Type": "application/json"})
            with urlopen(request, timeout=self.timeout_seconds):
                pass
        except (URLError, OSError, ValueError) as error:
            reason = getattr(error, "code", None) or type(error).__name__
            raise NotificationError(
                f"The web hook of {self.url_variable} did not take the message: {reason}."
            ) from None


class EnrichmentResource(dg.ConfigurableResource):
    """Where a campaign's addresses are looked up; keys come from the environment only."""

    indicators: str = Field(
        default="",
        description="A local file of indicators: CSV or STIX 2.",
        json_schema_extra={"variable": "LOWSLOW_INDICATORS"},
    )
    ti_providers: list[str] = Field(
        default=[],
        description="Threat-intelligence providers that may be asked: AbuseIPDB, GreyNoise, OTX, "
        "VirusTotal, XForce.",
        json_schema_extra={"variable": "LOWSLOW_TI_PROVIDERS"},
    )
    geo_database: str = Field(
        default="",
        description="Where addresses are, if the log does not say: a City database (.mmdb), or "
        "iptocc for countries without a file.",
        json_schema_extra={"variable": "LOWSLOW_GEO_DATABASE"},
    )
    whois: int = Field(
        default=0,
        ge=0,
        description="For how many addresses per campaign whois is asked whose network it is.",
        json_schema_extra={"variable": "LOWSLOW_WHOIS"},
    )
    addresses_per_campaign: int = Field(
        default=EnrichmentSettings.addresses_per_campaign,
        ge=1,
        description="How many addresses per campaign are looked up, the most informative first.",
        json_schema_extra={"variable": "LOWSLOW_ADDRESSES_PER_CAMPAIGN"},
    )
    keep_answers_days: float = Field(
        default=7, ge=0, description="For how many days a provider's answer is kept."
    )

    @property
    def is_on(self) -> bool:
        """Whether anything is to be looked up."""
        return bool(self.indicators or self.ti_providers or self.geo_database or self.whois)

    @property
    def keep_answers(self) -> timedelta:
        """For how long a provider's answer is good."""
        return timedelta(days=self.keep_answers_days)
