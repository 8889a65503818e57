"""What assets are given: the source, the lake, the hunt's parameters.

Each is a plain thing once opened (`Export`, `Lake`, `PruningRules`): the code that
uses it never sees Dagster's types. Where a run finds Spark is in `spark.py`.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.settings import (
    CAMPAIGNS,
    MAX_LOOKBACK_DAYS,
    PRESETS,
    SettingsError,
    SinkSettings,
)
from lowslow_assets.signins.features import FAILURE_RESULT_TYPES
from lowslow_assets.signins.source import Export
from lowslow_assets.sinks.cases import Sink
from lowslow_assets.spark import SparkResource
from lowslow_assets.storage import Lake


class SourceResource(dg.ConfigurableResource):
    """The export of SigninLogs."""

    root: str = Field(description="The folder that holds the export's y=YYYY folders.")
    failure_result_types: list[str] = Field(
        default=list(FAILURE_RESULT_TYPES),
        description="ResultType codes of a failure: the password was wrong or expired.",
    )

    def open(self) -> Export:
        """The export; raises SourceError unless it is there and has days."""
        export = Export(self.root)
        export.require_days()
        return export


class LakeResource(dg.ConfigurableResource):
    """The lake that holds every table."""

    root: str = Field(description="The folder below which each table has its own.")
    spark: dg.ResourceDependency[SparkResource]

    def open(self) -> Lake:
        """The lake; starts Spark."""
        return Lake(self.root, self.spark.spark_session)


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
    components: int = Field(default=10, ge=1, description="notebook: K, components of the mixture.")
    restarts: int = Field(default=10, ge=1, description="notebook: random starts of the fit.")
    seed: int = Field(default=0, ge=0, description="notebook: seed of the first start.")
    min_feature_probability: float = Field(default=0.4, ge=0, le=1)
    min_anomalous_features: int = Field(default=2, ge=0)
    min_assignment_probability: float = Field(default=0.4, ge=0, le=1)
    min_avg_attempts_per_day: float = Field(default=1.0, ge=0)

    @property
    def pruning_rules(self) -> PruningRules:
        """The parameters of pruning."""
        return PruningRules(
            min_feature_probability=self.min_feature_probability,
            min_anomalous_features=self.min_anomalous_features,
            min_assignment_probability=self.min_assignment_probability,
            min_avg_attempts_per_day=self.min_avg_attempts_per_day,
        )
