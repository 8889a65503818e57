"""The tables' page is what the code says."""

from pathlib import Path

from lowslow_assets.lake.tables import TABLES, to_markdown

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == to_markdown()


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
