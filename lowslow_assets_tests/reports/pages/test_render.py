"""A page holds its data, and nothing that the log says is more than text."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.reports.pages.render import as_json, render_campaign, render_day
from lowslow_assets.reports.pages.words import visible
from lowslow_assets_tests.support.page_examples import (
    HOSTILE,
    hunt_of,
    members_of,
    page_of,
    quiet_hunt,
)

# Characters that are more than text: they end an element or an attribute, or hide what follows.
DANGEROUS = re.compile(r"<script>alert|<img|onmouseover=alert\(1\) \"|[\u2028\u2029\u202e\u2066]")


class Page(HTMLParser):
    """The elements of a page, their attributes, and the text in each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    @property
    def policy(self) -> str:
        [content] = [
            attrs["content"]
            for tag, attrs in self.elements
            if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
        ]
        assert content
        return content

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.texts["script"][0])


def pages(value: str) -> list[str]:
    return [render_campaign(page_of(value)), render_day(hunt_of(value))]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_no_value_changes_the_page_s_elements(value):
    for hostile, plain in zip(pages(value), pages("plain"), strict=True):
        page = Page(hostile)
        assert page.tags == Page(plain).tags
        # A text to copy is exact, and has an element of its own.
        assert not DANGEROUS.search(re.sub("<pre.*?</pre>", "", hostile, flags=re.DOTALL))
        for _, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_every_value_is_there_as_text(value):
    page = Page(render_campaign(page_of(value)))
    shown = visible(value)
    assert any(text.startswith(shown[:40]) for text in page.texts["bdi"])
    assert len(max(page.texts["bdi"], key=len)) <= 500
    members = page.data["members"]
    assert members[4]["name"] == "Browser"
    assert members[4]["values"] == [value]


@pytest.mark.parametrize("html", [*pages("plain"), render_day(quiet_hunt())])
def test_the_policy_allows_the_page_s_own_blocks_and_nothing_else(html):
    page = Page(html)
    digests = [
        base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        for block in (page.texts["script"][1], page.texts["style"][0])
    ]
    assert page.policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    # Nothing is loaded before the policy, and no attribute needs more than it allows.
    assert page.tags[:4] == ["html", "head", "meta", "meta"]
    for tag, attributes in page.elements:
        assert not {"style", "src", "srcset"} & attributes.keys()
        assert tag not in {"iframe", "object", "embed", "base", "form", "link", "img"}
        assert "://" not in (attributes.get("href") or "")


def test_links_lead_from_page_to_page():
    [back] = [a["href"] for tag, a in Page(render_campaign(page_of())).elements if tag == "a"]
    [there] = [a["href"] for tag, a in Page(render_day(hunt_of())).elements if tag == "a"]
    assert back == "index.html"
    assert there == f"{page_of().incident['incident_id']}.html"


def test_a_campaign_has_its_figures():
    html = render_campaign(page_of())
    data = Page(html).data
    assert data["timeline"] == {
        "first": "2026-06-01",
        "attempts": [0, 2, 0, 1, 0, 1, 0],
        "entries": [0, 0, 0, 0, 0, 1, 0],
        "successes": [15] * 7,
    }
    for said in (
        "Possible spray plain",
        "most on a day: 2",
        "most on a day: 15",
        "4 of 4 attempts are on the map, in 2 places",
        "distance from normal 0.40, p &lt; 1e-300",
        "distance from normal 0.20.",
        "75%",
        "2026-06-06 22:00",
        "3 of 3 accounts, 2 networks",
    ):
        assert said in html


def test_what_is_outside_of_the_window_counts_at_its_edge():
    page = page_of()
    early = min(page.attempts).replace(month=5, day=31)
    data = Page(render_campaign(replace(page, attempts={early: 5}))).data
    assert data["timeline"]["attempts"] == [5, 0, 0, 0, 0, 0, 0]


def test_columns_are_values_and_which_of_them_each_row_has():
    columns = {c["name"]: c for c in Page(render_campaign(page_of("x", members=4))).data["members"]}
    assert columns["Outcome"]["values"] == ["success", "failure"]
    assert columns["Outcome"]["rows"] == [0, 1, 1, 1]
    assert columns["Sign-in id"] == {
        "name": "Sign-in id",
        "values": ["id 0", "id 1", "id 2", "id 3"],
        "rows": None,
    }


def test_a_cut_table_says_so():
    # Four attempts and an entry; three of them are in the table.
    assert "The table holds 3 of 5 sign-ins" in render_campaign(page_of(members=3))
    assert "The table holds" not in render_campaign(page_of(members=5))


def test_a_text_to_copy_is_exact():
    value = '"a\u202eb & <c>"\n| where'
    page = Page(render_campaign(page_of(value)))
    query = f"SigninLogs | where Browser == {value}"
    assert page.texts["pre"] == [f"In words: {value}", query, f"title: {value}"]
    assert page.texts["summary"] == ["In words, for a ticket", "KQL hunting query", "Sigma rule"]


def test_a_rule_says_what_it_hits_or_why_it_is_missing():
    html = render_campaign(page_of())
    assert "Finds 75.0% of its 4 attempts." in html
    assert "No rule: the campaign repeats too little." in html


def test_what_is_known_of_its_addresses_is_said():
    html = render_campaign(page_of("203.0.113.7"))
    assert "Addresses looked up: 3, known as malicious: 1, namely " in html
    page = page_of()
    none = replace(page, incident={**page.incident, "malicious_addresses": []})
    assert "Addresses looked up: 3, known as malicious: none." in render_campaign(none)
    off = replace(page, incident={**page.incident, "addresses_looked_up": 0})
    assert "looked up" not in render_campaign(off)


def test_a_hunt_has_its_figures():
    html = render_day(hunt_of())
    for said in ("1 campaign as of 7 June 2026", "50.0%", "4 are in campaigns"):
        assert said in html
    assert "no success in the lake" not in html


def test_a_quiet_hunt_says_so_and_what_is_missing():
    html = render_day(quiet_hunt())
    assert "No campaign as of 7 June 2026" in html
    assert "7 days of the 7 since 1 June 2026 have no success in the lake" in html
    assert "No group: every failure is explained." in html


def test_a_campaign_without_anything_around_it_renders():
    bare = replace(
        page_of(),
        window=quiet_hunt().window,
        features=[],
        attempts={},
        entries={},
        attempt_places=[],
        entry_places=[],
        matrix=[],
        members=members_of("x", 0),
    )
    page = Page(render_campaign(bare))
    assert page.data["timeline"]["attempts"] == page.data["timeline"]["successes"] == [0] * 7
    assert page.data["members"][0]["values"] == []
    assert "circle" not in page.tags


def test_the_same_campaign_is_the_same_page():
    assert render_campaign(page_of()) == render_campaign(page_of())


@given(
    st.recursive(st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_json_comes_back_and_cannot_end_its_element(data):
    text = str(as_json(data))
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == data


@given(st.text(st.characters()))
def test_what_is_printed_is_visible(text):
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert visible(shown) == shown
