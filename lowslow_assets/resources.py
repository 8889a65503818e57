"""What assets are given: the source, the lake, the hunt's parameters.

Each is a plain thing once opened (`Export`, `Lake`, `PruningRules`): the code that
uses it never sees Dagster's types. Where a run finds Spark is in `spark.py`.
"""

import json
import os
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import dagster as dg
from pydantic import Field

from lowslow_assets.azure import is_azure
from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.settings import CAMPAIGNS, MAX_LOOKBACK_DAYS, PRESETS, READS, STAGED
from lowslow_assets.signins.blobs import open_blobs
from lowslow_assets.signins.features import FAILURE_RESULT_TYPES
from lowslow_assets.signins.queries import is_workspace, open_queries
from lowslow_assets.signins.source import Export
from lowslow_assets.spark import SparkResource
from lowslow_assets.storage import Lake


class SourceResource(dg.ConfigurableResource):
    """The export of SigninLogs."""

    root: str = Field(
        description="The folder that holds the export's y=YYYY folders: a local path, or "
        "abfss://container@account.dfs.core.windows.net/path. Or a workspace without an export: "
        "loganalytics://id."
    )
    read: str = Field(
        default=STAGED,
        pattern=f"^({'|'.join(READS)})$",
        description="How Spark gets the lines of an export in Azure Storage: staged (from copies "
        "on this machine), executors (with Python) or native (by a connector of its own).",
    )
    failure_result_types: list[str] = Field(
        default=list(FAILURE_RESULT_TYPES),
        description="ResultType codes of a failure: the password was wrong or expired.",
    )

    def open(self) -> Export:
        """The export; raises SourceError unless it is there and has days.

        Raises SourceUnavailable where Azure does not answer as it should.
        """
        if is_azure(self.root):
            export = open_blobs(self.root, self.read)
        else:
            export = open_queries(self.root) if is_workspace(self.root) else Export(self.root)
        export.require_days()
        return export


class LakeResource(dg.ConfigurableResource):
    """The lake that holds every table."""

    root: str = Field(
        description="The folder below which each table has its own: a local path, or "
        "abfss://container@account.dfs.core.windows.net/path."
    )
    native: bool = Field(
        default=False,
        description="Whether Spark has a connector for a lake in Azure Storage; else it works on "
        "copies on this machine.",
    )
    spark: dg.ResourceDependency[SparkResource]
    storage: dg.ResourceDependency[dg.ConfigurableResource | None] = Field(  # pyright: ignore[reportAssignmentType]
        default=None,
        description="The lake's account as dagster-azure's AzureBlobStorageResource; without one, "
        "the environment names the credentials.",
    )

    def open(self) -> Lake:
        """The lake; starts Spark."""
        storage: Any = self.storage
        return Lake(self.root, self.spark.spark_session, storage, self.native)


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


class NotificationError(Exception):
    """A message could not be delivered."""


class Notifier(dg.ConfigurableResource):
    """Where messages to people go: a web hook of Teams, Slack, Mattermost and the like.

    Replace it in ``build_defs`` by a subclass that sends them elsewhere.
    """

    url_variable: str = Field(
        default="LOWSLOW_NOTIFY_URL",
        description="The environment variable with the hook's address, which is a secret; "
        "while it is unset, nothing is sent.",
    )
    timeout_seconds: float = Field(default=10, gt=0)

    def send(self, text: str) -> None:
        """Post ``{"text": ...}``; raises NotificationError, which does not name the address."""
        url = os.environ.get(self.url_variable, "").strip()
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
