"""The tables say what the rows say; the pictures are PNGs."""

from dataclasses import replace
from pathlib import Path

from matplotlib.image import imread

from benchmarks.detection.pictures import found_picture, heat_map, reliability_diagram
from benchmarks.detection.report import (
    ablations_table,
    accounts_table,
    detectors_table,
    first_day_cell,
    found_cell,
    grouped_table,
    rate_band,
    reliability_table,
    report_of_drawn,
    report_of_named,
    scenarios_table,
    sources_of,
)
from benchmarks.detection.results import Results, path_of
from benchmarks.detection.scoring import CampaignRow, Forecast, Forecasts, TenantRow, Trial


def campaign(scenario: str, seed: int, detector: str, share: float, found: bool) -> CampaignRow:
    """A row of a campaign, seen on day 10 or 20 if it is found."""
    day = 10 * seed if found else None
    return CampaignRow(Trial(scenario, seed, detector), "A", 100, found, share, share, share, day)


def tenant(scenario: str, seed: int, detector: str, planted: int, false: int) -> TenantRow:
    """A row of a tenant with four accounts named, and three passwords said to be known.

    One of each is right where a campaign is planted; it compromised two accounts, and knew five.
    """
    accounts = (2 * planted, 4, planted, 5 * planted, 3, planted)
    trial = Trial(scenario, seed, detector)
    return TenantRow(trial, false, false, 0, planted, 0, False, *accounts)


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
    assert ours[5:] == ["0.60", "1 (0.3)", "2 (2.0)"]
    assert theirs[:5] == ["theirs", "0 of 2", "–", "–", "–"]
    assert theirs[5:8] == ["0.20", "15 (7.5)", "–"]


def test_accounts_table_omits_detectors_that_name_no_account():
    nobody = replace(TENANTS[0], trial=Trial("slow", 1, "a rule"), named=0, known_named=0)
    unharmed = replace(TENANTS[1], compromised=0, named_right=0)
    ours, theirs = cells(accounts_table([TENANTS[0], unharmed, TENANTS[4], TENANTS[3], nobody]))
    assert ours[:3] == ["ours", "1 of 2 (50%)", "1 of 12 (8%)"]
    # The four accounts of the quiet tenant do not count here.
    assert ours[3:] == ["4 on 1", "2 of 10 (20%)", "2 of 9 (22%)"]
    assert theirs == ["theirs", "1 of 2 (50%)", "1 of 4 (25%)", "–", "1 of 5 (20%)", "1 of 3 (33%)"]


def test_scenarios_table():
    slow, odd, quiet = cells(scenarios_table(CAMPAIGNS, TENANTS, "ours"))
    assert slow[:6] == ["slow", "2 of 2", "0.60..0.70", "0.60..0.70", "15", "1 (0.5)"]
    assert slow[6:] == ["–", "2 of 4 (50%)", "2 of 8 (25%)", "2 of 10 (20%)", "2 of 6 (33%)"]
    assert odd[:5] == ["$x$", "0 of 1", "–", "–", "–"]
    assert quiet[:6] == ["quiet", "–", "–", "–", "–", "2 (2.0)"]
    assert quiet[6:] == ["–", "–", "0 of 4 (0%)", "–", "0 of 3 (0%)"]


DRAWN = [
    replace(row, rate=rate, sources="cloud")
    for row, rate in zip(CAMPAIGNS, (12.0, 0.5, 12.0, 0.5, 3.9), strict=True)
]


def test_grouped_tables_have_bands_in_the_order_of_rates():
    assert cells(grouped_table(DRAWN, "attempts a day", rate_band, found_cell)) == [
        ["under 1", "1 of 1", "0 of 1"],
        ["1 to 4", "0 of 1", "0 of 0"],
        ["12 and more", "1 of 1", "0 of 1"],
    ]
    assert cells(grouped_table(DRAWN, "sources", sources_of, found_cell)) == [
        ["cloud", "2 of 3", "0 of 2"]
    ]
    assert cells(grouped_table(DRAWN, "sources", sources_of, first_day_cell)) == [
        ["cloud", "15 (2 of 3)", "– (0 of 2)"]
    ]


FORECASTS = [
    Forecast(0.05, named=False, true=False),
    Forecast(0.15, named=False, true=True),
    Forecast(0.95, named=True, true=True),
    Forecast(1.0, named=True, true=False),
]


def test_reliability_table():
    table = reliability_table("account", FORECASTS)
    assert [row[:4] for row in cells(table)[:3]] == [
        ["0.0 to 0.1", "1", "0.050", "0.000"],
        ["0.1 to 0.2", "1", "0.150", "1.000"],
        ["0.9 to 1.0", "2", "0.975", "0.500"],
    ]
    # (0.05 + 0.85 + 2 * 0.475) / 4
    assert table.endswith("error: 0.463 over the 4 forecasts, 0.475 over the 2 that were named.\n")


def test_reports_are_headings_and_rectangular_tables():
    results = Results(DRAWN, TENANTS, Forecasts(FORECASTS, FORECASTS[:1], FORECASTS))
    drawn, named = report_of_drawn(results, "ours"), report_of_named(results, "ours")
    assert "4 tenants of the seeds 1 to 2, 1 of them quiet; 3 sprays." in drawn
    assert (
        "The hunts judged 2 of the 6 compromised accounts, and 0 of the 15 known passwords:"
        in drawn
    )
    for report in (drawn, named):
        for block in report.split("\n\n"):
            if block.startswith("|"):
                assert len({line.count("|") for line in block.strip().splitlines()}) == 1


def test_ablations_table_says_what_differs():
    whole = [
        replace(row, trial=replace(row.trial, detector="whole"))
        for row in CAMPAIGNS
        if row.trial.detector == "ours" and row.trial.scenario == "slow"
    ]
    of_whole = [replace(TENANTS[n], trial=whole[n].trial) for n in (0, 1)]
    less = [replace(row, trial=replace(row.trial, detector="less")) for row in whole]
    less[1] = replace(less[1], share=0.2, found=False)
    of_less = [replace(row, trial=replace(row.trial, detector="less")) for row in of_whole]
    of_less[1] = replace(of_less[1], false_alerts=3, named=9)
    first, second = cells(ablations_table(Results(whole + less, of_whole + of_less)))
    assert first == ["whole", "0", "2", "0.70", "0.70", "1", "2", "6", "2", "4"]
    assert second[:4] == ["less", "1", "1 (−1)", "0.40 (−0.30)"]
    assert second[4:] == ["0.60 (−0.10)", "3 (+2)", "2", "11 (+5)", "2", "4"]


def test_results_are_read_as_they_were_written(tmp_path: Path):
    results = Results(CAMPAIGNS, TENANTS, Forecasts(FORECASTS, FORECASTS[:1]))
    path = path_of(tmp_path, "quiet, small", 7, "ours")
    assert path.name == "quiet-small-7-ours.json"
    results.write(path)
    assert Results.read([path]) == results
    assert Results.read([path, path]).forecasts.compromised == FORECASTS * 2
    assert [*tmp_path.iterdir()] == [path]


def test_pictures(tmp_path: Path):
    heat_map(CAMPAIGNS, TENANTS, tmp_path / "heat.png")
    found_picture(DRAWN, tmp_path / "found.png")
    reliability_diagram({"accounts": FORECASTS, "none": []}, tmp_path / "reliability.png")
    for name in ("heat", "found", "reliability"):
        height, width, _ = imread(tmp_path / f"{name}.png").shape
        assert min(height, width) > 200
