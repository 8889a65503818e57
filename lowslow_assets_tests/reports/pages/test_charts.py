"""Charts of figures that can be calculated manually."""

from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from lowslow_assets.reports.pages import charts
from lowslow_assets.reports.pages.campaign_page import Place


def shapes(chart: Markup, tag: str, *attributes: str) -> list[tuple[str, ...]]:
    """The attributes of each element of a kind; fails if the XML is not well-formed."""
    root = ElementTree.fromstring(str(chart))
    return [tuple(shape.attrib[name] for name in attributes) for shape in root.iter(tag)]


def test_bars_are_a_day_wide_and_the_highest_is_90_high():
    chart = charts.bars("campaign", [2, 0, 4], [0, 0, 0], "plot")
    assert shapes(chart, "rect", "class", "x", "y", "width", "height") == [
        ("campaign", "0.08", "55", "0.84", "45"),
        ("campaign", "2.08", "10", "0.84", "90"),
    ]
    [(box,)] = shapes(chart, "svg", "viewBox")
    assert box == "0 0 3 100"


def test_a_marked_day_has_a_column_behind_its_bar():
    chart = charts.bars("campaign", [4, 0], [1, 7], "plot")
    assert shapes(chart, "rect", "class", "x", "height") == [
        ("entry", "0", "100"),
        ("campaign", "0.08", "90"),
        ("entry", "1", "100"),
    ]


@pytest.mark.parametrize("counts", [[], [0], [0, 0]])
def test_bars_of_nothing_are_an_empty_chart(counts):
    chart = charts.bars("campaign", counts, counts, "plot")
    assert shapes(chart, "rect", "x") == []


def test_a_rhythm_compares_shares_not_numbers():
    # Half and half of the attempts against a quarter and three quarters of the successes.
    chart = charts.rhythm(["a", "b"], [1, 1], [100, 300])
    assert shapes(chart, "rect", "class", "height") == [
        ("normal", "50"),
        ("campaign", "100"),
        ("normal", "150"),
        ("campaign", "100"),
    ]
    titles = [title.text for title in ElementTree.fromstring(str(chart)).iter("title")]
    assert titles == [
        "a: 50.0% of the attempts, 25.0% of the successes",
        "b: 50.0% of the attempts, 75.0% of the successes",
    ]


def test_a_rhythm_without_any_event_is_flat():
    assert {height for (height,) in shapes(charts.rhythm(["a"], [0], [0]), "rect", "height")} == {
        "0"
    }


def test_a_gauge_ends_at_its_scale_and_shows_its_mark():
    chart = charts.gauge(3.3, 2, "normal", 1)
    assert shapes(chart, "rect", "class", "x", "width") == [
        ("normal", "0", "100"),
        ("mark", "49.4", "1.2"),
    ]
    assert shapes(charts.gauge(0.25, 1, "campaign"), "rect", "width") == [("25",)]


def test_places_are_drawn_where_they_are_with_an_area_by_their_number():
    places = [Place("few", 0, 0, 25), Place("many", 59.9, -10.7, 100)]
    chart = charts.world_map(Markup("<path/>"), {"normal": places[:1], "campaign": places})
    assert shapes(chart, "circle", "class", "cx", "cy", "r") == [
        ("normal", "180", "90", "4"),
        ("campaign", "169.3", "30.1", "4"),
        ("campaign", "180", "90", "2"),
    ]


def test_a_place_of_hardly_any_is_still_seen():
    places = [Place("few", 0, 0, 1), Place("many", 0, 0, 1_000_000)]
    assert ("0.7",) in shapes(charts.world_map(Markup(), {"normal": places}), "circle", "r")


def test_names_are_text():
    place = Place('<script>"&', 0, 0, 1)
    chart = charts.world_map(Markup(), {"normal": [place]})
    [title] = ElementTree.fromstring(str(chart)).iter("title")
    assert title.text == '<script>"&: 1'
