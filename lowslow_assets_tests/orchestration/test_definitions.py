"""The graph as declared: a change of the graph is a change of this file."""

from itertools import pairwise

import dagster as dg
import pytest

from lowslow_assets.lake import tables
from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import Settings
from lowslow_assets_tests.orchestration.conftest import INGEST

DEFS = build_defs(Settings())
GRAPH = DEFS.resolve_asset_graph()
TABLES = tables.TABLES

DEPENDENCIES = {
    "raw_signins": set(),
    "rejected_signins": set(),
    "encoded_features": {"raw_signins"},
    "user_names": {"raw_signins"},
    "category_counts": {"encoded_features"},
    "success_sources": {"encoded_features"},
    "signin_hours": {"raw_signins"},
    "failure_sources": {"encoded_features"},
    "open_failures": {"encoded_features"},
    "feature_baseline": {"category_counts"},
    "anomaly_masks": {"feature_baseline", "encoded_features", "category_counts", "user_names"},
    "explained_failures": {
        "open_failures",
        "failure_sources",
        "success_sources",
        "anomaly_masks",
        "feature_baseline",
        "category_counts",
        "user_names",
    },
    "suspect_failures": {
        "open_failures",
        "failure_sources",
        "success_sources",
        "anomaly_masks",
        "feature_baseline",
        "category_counts",
        "user_names",
    },
    "mask_patterns": {"suspect_failures", "anomaly_masks", "feature_baseline"},
    "mixture_model": {"mask_patterns"},
    "pruned_clusters": {
        "success_hours",
        "mixture_model",
        "mask_patterns",
        "suspect_failures",
        "explained_failures",
        "success_sources",
        "user_names",
        "open_failures",
        "anomaly_masks",
        "feature_baseline",
        "category_counts",
    },
    "cluster_members": {
        "success_hours",
        "mixture_model",
        "mask_patterns",
        "suspect_failures",
        "explained_failures",
        "success_sources",
        "user_names",
        "open_failures",
        "anomaly_masks",
        "feature_baseline",
        "category_counts",
    },
    "cluster_statistics": {"cluster_members", "success_hours_of_day", "success_weekdays"},
    "cluster_features": {"cluster_members", "feature_baseline"},
    "campaigns": {"cluster_members", "cluster_statistics", "cluster_features"},
    "success_hours": {"signin_hours"},
    "success_weekdays": {"success_hours"},
    "success_hours_of_day": {"success_hours"},
    "success_locations": {"success_sources", "user_names"},
    "success_sample": {"encoded_features", "feature_baseline", "user_names"},
    "incident_members": {
        "campaigns",
        "success_sources",
        "cluster_members",
        "cluster_statistics",
        "encoded_features",
        "feature_baseline",
        "category_counts",
        "user_names",
    },
    "enriched_incidents": {
        "campaigns",
        "cluster_members",
        "cluster_statistics",
        "cluster_features",
        "pruned_clusters",
        "incident_members",
        "address_reports",
    },
    "address_reports": {"incident_members"},
    "incident_documents": {"enriched_incidents"},
    "hunting_rules": {
        "enriched_incidents",
        "incident_members",
        "encoded_features",
        "feature_baseline",
        "category_counts",
        "user_names",
    },
    "rule_documents": {"hunting_rules"},
    "case_pages": {
        "enriched_incidents",
        "incident_members",
        "cluster_statistics",
        "cluster_features",
        "pruned_clusters",
        "explained_failures",
        "mask_patterns",
        "success_hours",
        "success_locations",
        "hunting_rules",
    },
    "delivered_incidents": {"enriched_incidents", "campaigns", "incident_members"},
    "detection_limit": {
        "success_hours",
        "success_sources",
        "encoded_features",
        "feature_baseline",
        "explained_failures",
        "suspect_failures",
        "cluster_members",
        "user_names",
    },
}
ON_DEMAND = {"detection_limit"}
HUNT = DEPENDENCIES.keys() - INGEST - ON_DEMAND
DOCUMENTS = {"incident_documents", "rule_documents", "case_pages"}


def test_definitions_load():
    dg.Definitions.validate_loadable(DEFS)


def test_dependencies():
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in GRAPH.get(key).parent_keys}
        for key in GRAPH.get_all_asset_keys()
    }
    assert found == DEPENDENCIES


def test_groups():
    groups = {key.to_user_string(): GRAPH.get(key).group_name for key in GRAPH.get_all_asset_keys()}
    assert groups == {
        **dict.fromkeys(INGEST, "ingest"),
        **dict.fromkeys(HUNT, "hunt"),
        **dict.fromkeys(ON_DEMAND, "on_demand"),
    }


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        ("ingest_range", INGEST),
        ("hunt_as_of_day", HUNT),
        ("ingest_and_hunt", INGEST | HUNT),
        ("detection_limit_as_of_day", ON_DEMAND),
    ],
)
def test_jobs(job, assets):
    selected = DEFS.resolve_job_def(job).asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in selected} == set(assets)


def test_lineage_runs_through_the_six_artifacts():
    chain = [
        "raw_signins",
        "encoded_features",
        "anomaly_masks",
        "mixture_model",
        "pruned_clusters",
        "enriched_incidents",
    ]
    for upstream, downstream in pairwise(chain):
        ancestors = GRAPH.get_ancestor_asset_keys(dg.AssetKey(downstream))
        assert dg.AssetKey(upstream) in ancestors


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_is_an_asset_that_shows_its_columns(table):
    node = GRAPH.get(dg.AssetKey(table.name))
    columns = node.metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == table.schema.names
    assert all(column.description for column in columns)
    assert node.description == table.description
    assert node.owners == ["team:detection"]
    assert "parquet" in node.kinds
    assert table.schema_digest in node.code_version


def test_what_analysts_read_can_be_filtered():
    tagged = {
        key.to_user_string()
        for key in GRAPH.get_all_asset_keys()
        if GRAPH.get(key).tags.get("audience") == "analysts"
    }
    assert tagged == {
        *("enriched_incidents", "incident_members", "campaigns", "hunting_rules"),
        *("address_reports", "delivered_incidents", "explained_failures", "pruned_clusters"),
        *("rejected_signins", "detection_limit"),
        *DOCUMENTS,
    }


def test_every_asset_says_what_it_is_for_in_one_sentence():
    for key in GRAPH.get_all_asset_keys():
        description = GRAPH.get(key).description or ""
        assert description.endswith("."), key
        # A path such as docs/campaigns.md also has a full stop.
        assert ". " not in description, key


def test_one_process_per_run():
    assert DEFS.executor is dg.in_process_executor
