"""The files of deploy/: their settings for Dagster, and that they agree."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.workspace.load import location_origins_from_yaml_paths

from lowslow_assets.settings import read_settings

DEPLOY = Path(__file__).parents[1] / "deploy"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def test_dagster_takes_the_instance_and_the_workspace(monkeypatch: pytest.MonkeyPatch):
    config, _ = dagster_instance_config(str(DEPLOY))
    variables = config["storage"]["postgres"]["postgres_db"].values()
    assert {variable["env"] for variable in variables} <= read("compose.yaml")["x-lowslow"][
        "environment"
    ].keys()
    monkeypatch.setenv("LOWSLOW_CODE_HOST", "code")
    (location,) = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    assert location.location_name == "lowslow_assets"


def test_without_postgresql_too_one_run_is_made_at_a_time():
    config, _ = dagster_instance_config(str(DEPLOY.parent / "lowslow_assets"))
    assert config["run_coordinator"] == {
        **read("dagster.yaml")["run_coordinator"],
        "config": {"max_concurrent_runs": 1},
    }
    assert config["telemetry"] == {"enabled": False}


def test_a_cluster_runs_as_one_machine_does():
    machine, cluster = read("dagster.yaml"), read("helm/values.yaml")
    daemon = cluster["dagsterDaemon"]
    at_once = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]["maxConcurrentRuns"]
    assert at_once == machine["run_coordinator"]["config"]["max_concurrent_runs"]
    assert daemon["runRetries"]["maxRetries"] == machine["run_retries"]["max_retries"]
    for name, of_chart in (
        ("start_timeout_seconds", "startTimeoutSeconds"),
        ("cancel_timeout_seconds", "cancelTimeoutSeconds"),
        ("poll_interval_seconds", "pollIntervalSeconds"),
    ):
        assert daemon["runMonitoring"][of_chart] == machine["run_monitoring"][name]
    kept = cluster["retention"]["sensor"]["purgeAfterDays"]
    assert kept == machine["retention"]["sensor"]["purge_after_days"]


def test_who_runs_in_a_pod_is_the_user_of_the_image():
    (user,) = re.findall(r"^USER (\d+):", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    values = read("helm/values.yaml")
    launched = values["runLauncher"]["config"]["k8sRunLauncher"]
    (code,) = values["dagster-user-deployments"]["deployments"]
    for pod in (launched, code, values["dagsterWebserver"], values["dagsterDaemon"]):
        assert pod["securityContext"]["runAsUser"] == int(user)


def test_the_example_of_settings_can_be_used():
    lines = (DEPLOY / "settings.env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = read_settings(example)
    assert (settings.source, settings.lake) == (
        example["LOWSLOW_SOURCE"],
        example["LOWSLOW_LAKE"],
    )
