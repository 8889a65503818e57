"""What assets are given: the source, the lake, the hunt's parameters.

Each is a plain thing once opened (`Export`, `Lake`, `Engine`, `HuntSettings`): the code that
uses it never sees Dagster's types.
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
    """What moves the rows of a run: started when first used, stopped when the run ends."""

    name: str = Field(
        default=DUCKDB,
        pattern=f"^({'|'.join(ENGINES)})$",
        description="duckdb (within the process) or spark (on this machine, or wherever the "
        "settings of Spark say).",
    )
    memory: str = Field(
        default="", description="duckdb: how much memory it may use, as 4GB; else most of it."
    )
    threads: int = Field(default=0, ge=0, description="duckdb: its threads; 0 for all cores.")
    spill: str = Field(
        default="",
        description="duckdb: a folder for what memory does not hold; else one beside the process.",
    )
    spark_conf: str = Field(
        default="",
        description="spark: a file of its settings, as spark-defaults.conf. It is read when the "
        "session starts: what it says is in no run's configuration.",
    )
    spark_config: dict[str, Any] = Field(
        default={}, description="spark: further settings, on top of that file's."
    )
    connected: list[str] = Field(
        default=[],
        description="spark: URLs of Azure Storage for which it has a connector; it is given the "
        "credentials that the environment names, when the session starts.",
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

    # Imported here: each is for those who use it, and takes a second or more.
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
        "abfss://container@account.dfs.core.windows.net/path. Or what is asked "
        "without an export: loganalytics://id, a workspace, or graph://graph.microsoft.com."
    )
    read: str = Field(
        default=STAGED,
        pattern=f"^({'|'.join(READS)})$",
        description="How an export in Azure Storage is read: staged (copied to this machine "
        "first), executors (by each process that parses) or native (by Spark's connector).",
    )
    logs: list[str] = Field(
        default=[SIGNIN_LOGS],
        description="The tables to read, of SigninLogs, AADNonInteractiveUserSignInLogs, "
        "ADFSSignInLogs and AADServicePrincipalSignInLogs; each lies in a container of its own, "
        "by whose usual name it is found from the root.",
    )
    result_codes: dict[str, str] = Field(
        default={},
        description="Outcomes (failure, stopped, refused, other) of further ResultType codes, or "
        "of some of docs/outcomes.md in place of theirs there.",
    )

    @property
    def codes(self) -> dict[str, list[str]]:
        """The result codes of a failure, a stopped and a refused sign-in.

        Raises SettingsError where ``result_codes`` have what is none.
        """
        return codes_by_outcome(
            known_result_codes(f"{code}={outcome}" for code, outcome in self.result_codes.items())
        )

    def open(self) -> Export:
        """The export; raises SourceError unless it is there and has days.

        Raises SourceUnavailable where Azure does not answer as it should.
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
        description="The folder below which each table has its own: a local path, or "
        "abfss://container@account.dfs.core.windows.net/path."
    )
    native: bool = Field(
        default=False,
        description="Whether the engine has a connector for a lake in Azure Storage; else it "
        "works on copies on this machine.",
    )
    written_to: str = Field(
        default="",
        description="A local folder that takes what is written in place of the lake, for a trial "
        "that leaves the lake as it is.",
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
        # In a container each has a client and looks through its copies, and first tries to write.
        engine = self.engine.open()
        if self._opened is None or self._opened.engine is not engine:
            storage: Any = self.storage
            lake = Lake(self.root, engine, storage, self.native)
            self._opened = lake.below(self.written_to) if self.written_to else lake
        return self._opened


class SinksResource(dg.ConfigurableResource):
    """Where incidents are sent; credentials are the environment's or a managed identity's."""

    names: list[str] = Field(default=[], description="sentinel, log_analytics, or none of them.")
    dry_run: bool = Field(default=False, description="Print the requests, send none.")
    subscription: str = Field(default="", description="sentinel: id of the subscription.")
    resource_group: str = Field(default="", description="sentinel: the workspace's group.")
    workspace: str = Field(default="", description="sentinel: name of the workspace.")
    ingestion_endpoint: str = Field(default="", description="log_analytics: logs ingestion URL.")
    ingestion_rule: str = Field(default="", description="log_analytics: the rule's immutable id.")
    ingestion_stream: str = Field(
        default=SinkSettings.ingestion_stream, description="log_analytics: the rule's stream."
    )

    @classmethod
    def of(cls, settings: SinkSettings) -> "SinksResource":
        """The resource for these settings."""
        fields: dict[str, Any] = vars(settings) | {"names": list(settings.names)}
        return cls(**fields)

    def open(self) -> list[Sink]:
        """The sinks that are switched on; raises SettingsError where one cannot be."""
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
    )


class HuntParameters(dg.ConfigurableResource):
    """The parameters of a hunt.

    Those of the preset ``notebook`` have the guided-hunting notebook's values by default; of
    them, our own way knows only the assignment probability.
    """

    lookback_days: int = Field(
        default=240, ge=1, le=MAX_LOOKBACK_DAYS, description="Length of the window in days."
    )
    preset: str = Field(
        default=CAMPAIGNS,
        pattern=f"^({'|'.join(PRESETS)})$",
        description="campaigns (our own way to hunt) or notebook (the guided hunt's, exactly).",
    )
    known_sources: str = Field(
        default="",
        description="campaigns: a local file (TOML) of what the organisation knows of its own "
        "sign-ins; docs/tuning.md. Attempts that it explains are no suspects.",
    )
    min_accounts: int = _threshold("min_accounts")
    max_attempts_per_account: float = _threshold("max_attempts_per_account")
    min_active_days: int = _threshold("min_active_days")
    max_p_value: float = _threshold("max_p_value")
    noise_a_day: float = _threshold("noise_a_day")
    components: int = Field(default=10, ge=1, description="notebook: K, components of the mixture.")
    restarts: int = Field(default=10, ge=1, description="notebook: random starts of the fit.")
    seed: int = Field(default=0, ge=0, description="notebook: seed of the first start.")
    min_feature_probability: float = Field(default=0.4, ge=0, le=1)
    min_anomalous_features: int = Field(default=2, ge=0)
    min_assignment_probability: float = Field(default=0.4, ge=0, le=1)
    min_avg_attempts_per_day: float = Field(default=1.0, ge=0)

    _known: tuple[KnownSource, ...] | None = PrivateAttr(default=None)

    @property
    def settings(self) -> HuntSettings:
        """The same as a plain object, the same for all assets of a run.

        Raises SettingsError where the file of known sources cannot be used.
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
    """Where messages to people go: a web hook of Teams, Slack, Mattermost and the like.

    Replace it in ``build_defs`` by a subclass that sends them elsewhere.
    """

    url_variable: str = Field(
        default="LOWSLOW_NOTIFY_URL",
        description="The environment variable, or the Key Vault's secret, with the hook's address, "
        "which is a secret; where there is none, nothing is sent.",
    )
    timeout_seconds: float = Field(default=10, gt=0)

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

    indicators: str = Field(default="", description="A local file of indicators: CSV or STIX 2.")
    ti_providers: list[str] = Field(
        default=[], description="Threat-intelligence providers that may be asked."
    )
    geo_database: str = Field(
        default="", description="A City database (.mmdb), or iptocc: countries without a file."
    )
    whois: int = Field(default=0, ge=0, description="Addresses a campaign whose network is asked.")
    addresses_per_campaign: int = Field(
        default=EnrichmentSettings.addresses_per_campaign,
        ge=1,
        description="Addresses a campaign that are looked up, the most telling ones.",
    )
    keep_answers_days: float = Field(
        default=7, ge=0, description="Days for which a provider's answer is good."
    )

    @property
    def is_on(self) -> bool:
        """Whether anything is to be looked up."""
        return bool(self.indicators or self.ti_providers or self.geo_database or self.whois)

    @property
    def keep_answers(self) -> timedelta:
        """For how long a provider's answer is good."""
        return timedelta(days=self.keep_answers_days)
