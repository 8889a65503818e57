"""The tables say what the rows say; the picture is a PNG."""

from dataclasses import replace
from pathlib import Path

from matplotlib.image import imread

from benchmarks.detection.report import (
    detectors_table,
    found_table,
    heat_map,
    rate_band,
    scenarios_table,
)
from benchmarks.detection.scoring import CampaignRow, TenantRow, Trial


def campaign(scenario: str, seed: int, detector: str, share: float, found: bool) -> CampaignRow:
    """A row of a campaign that entered two accounts, one of them named."""
    day = 10 * seed if found else None
    trial = Trial(scenario, seed, detector)
    return CampaignRow(trial, "A", 100, found, share, share, share, day, 2, 1, 4, 1)


def tenant(scenario: str, seed: int, detector: str, planted: int, false: int) -> TenantRow:
    """A row of a tenant on which four accounts were named, one of them rightly."""
    trial = Trial(scenario, seed, detector)
    return TenantRow(trial, false, false, 0, planted, 0, False, 2 * planted, 4, planted)


CAMPAIGNS = [
    campaign("slow", 1, "ours", 0.6, True),
    campaign("slow", 2, "ours", 0.8, True),
    campaign("slow", 1, "theirs", 0.1, False),
    campaign("slow", 2, "theirs", 0.3, False),
    campaign("$x$", 1, "ours", 0.5, False),
]
TENANTS = [
    tenant("slow", 1, "ours", 1, 0),
    tenant("slow", 2, "ours", 1, 1),
    tenant("$x$", 1, "ours", 1, 0),
    tenant("quiet", 1, "ours", 0, 2),
    tenant("slow", 1, "theirs", 1, 7),
    tenant("slow", 2, "theirs", 1, 8),
]


def cells(table: str) -> list[list[str]]:
    """A table's lines below the header, cell by cell."""
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_detectors_table():
    ours, theirs = cells(detectors_table(CAMPAIGNS, TENANTS))
    assert ours[:5] == ["ours", "2 of 3", "0.70", "0.70", "15"]
    assert ours[5:] == ["0.60", "1 (0.3)", "2 (2.0)", "3 of 6 (50%)", "3 of 16 (19%)"]
    assert theirs[:5] == ["theirs", "0 of 2", "–", "–", "–"]
    assert theirs[5:8] == ["0.20", "15 (7.5)", "–"]


def test_scenarios_table():
    slow, odd, quiet = cells(scenarios_table(CAMPAIGNS, TENANTS, "ours"))
    assert slow[:6] == ["slow", "2 of 2", "0.60..0.70", "0.60..0.70", "15", "1 (0.5)"]
    assert slow[6:] == ["–", "2 of 4 (50%)", "2 of 8 (25%)"]
    assert odd[:5] == ["$x$", "0 of 1", "–", "–", "–"]
    assert quiet == ["quiet", "–", "–", "–", "–", "2 (2.0)", "–", "–", "0 of 4 (0%)"]


def test_found_table_counts_by_band_in_order_of_rates():
    rows = [
        replace(row, rate=rate, sources="cloud")
        for row, rate in zip(CAMPAIGNS, (12.0, 0.5, 12.0, 0.5, 3.9), strict=True)
    ]
    assert cells(found_table(rows, "attempts a day", rate_band)) == [
        ["under 1", "1 of 1", "0 of 1"],
        ["1 to 4", "0 of 1", "0 of 0"],
        ["12 and more", "1 of 1", "0 of 1"],
    ]
    assert cells(found_table(rows, "sources", lambda row: str(row.sources))) == [
        ["cloud", "2 of 3", "0 of 2"]
    ]


def test_tables_are_rectangular():
    for table in (detectors_table(CAMPAIGNS, TENANTS), scenarios_table([], TENANTS, "ours")):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_heat_map(tmp_path: Path):
    path = tmp_path / "heat.png"
    heat_map(CAMPAIGNS, TENANTS, path)
    height, width, _ = imread(path).shape
    assert min(height, width) > 200
