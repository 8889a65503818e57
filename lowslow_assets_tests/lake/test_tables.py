"""The tables' page is what the code says."""

from pathlib import Path

import pytest

from lowslow_assets.lake.tables import TABLES, Table, to_markdown

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == to_markdown()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_have_names_of_their_own_and_the_order_is_of_some(table: Table):
    names = table.schema.names
    assert len({name.lower() for name in [*names, "date"]}) == len(names) + 1
    assert set(table.order) <= set(names)
    assert len(set(table.order)) == len(table.order)


def test_names_that_outside_tools_rely_on():
    columns = {table.name: set(table.schema.names) for table in TABLES}
    assert "rejected_signins" in columns
    assert columns["cluster_members"] >= {"signin_id", "cluster_id", "assignment_probability"}
    assert columns["enriched_incidents"] >= {
        "incident_id",
        "severity",
        "confidence",
        "first_activity",
        "last_activity",
    }
    assert columns["incident_members"] >= {"incident_id", "signin_id", "user", "outcome"}
