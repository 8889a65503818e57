"""Pages in a real browser: only their own script runs, and it does what it should."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lowslow_assets.reports.pages.render import render_campaign, render_day
from lowslow_assets_tests.support.browser import CHROMIUM, Tab, chromium
from lowslow_assets_tests.support.page_examples import HOSTILE, hunt_of, page_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]

ROWS = (
    "[...document.querySelectorAll('#signins tbody tr')]"
    ".map((row) => [...row.cells].map((cell) => cell.innerText))"
)
VIEW = "document.querySelector('#timeline .plot').getAttribute('viewBox')"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def show(tab: Tab, folder: Path, html: str, **look) -> None:
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    tab.open(page, **look)


def search(tab: Tab, words: str) -> list[list[str]]:
    """The rows after a search; the page waits until typing has ended."""
    return tab.run(
        f"""new Promise((done) => {{
          document.getElementById("search").value = {words!r};
          document.getElementById("search").dispatchEvent(new Event("input"));
          setTimeout(() => done({ROWS}), 400);
        }})"""
    )


def csv_of(tab: Tab) -> list[list[str]]:
    """The text that is saved when the button is pressed."""
    text = tab.run(
        """new Promise((done) => {
          HTMLAnchorElement.prototype.click = () => {};
          URL.createObjectURL = (file) => { file.arrayBuffer().then((bytes) =>
            done(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes))); return "blob:x"; };
          document.getElementById("csv").click();
        })"""
    )
    assert text[0] == "\ufeff"
    return list(csv.reader(io.StringIO(text[1:], newline="")))


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_nothing_executes_nothing_is_fetched_and_the_layout_holds(
    tab: Tab, tmp_path: Path, value: str
):
    for html in (render_campaign(page_of(value)), render_day(hunt_of(value))):
        for width, dark in ((1200, False), (400, True)):
            show(tab, tmp_path, html, width=width, dark=dark)
            assert tab.run("document.documentElement.scrollWidth") <= width
            assert not tab.happened("Page.javascriptDialogOpening", "Runtime.exceptionThrown")
            # Violations of the policy, and whatever else a browser complains about.
            assert not tab.happened("Log.entryAdded")
            requests = {e["request"]["url"] for e in tab.happened("Network.requestWillBeSent")}
            assert requests == {(tmp_path / "page.html").as_uri()}


def test_the_policy_stops_what_should_ever_get_in(tab: Tab, tmp_path: Path):
    html = render_campaign(page_of()).replace(
        "<header>", "<header><script>window.got_in = 1</script><img src='https://192.0.2.1/x'>"
    )
    show(tab, tmp_path, html)
    assert tab.run("window.got_in") is None
    refused = [entry["entry"]["text"] for entry in tab.happened("Log.entryAdded")]
    assert len(refused) == 2
    assert all("Content Security Policy" in text for text in refused)


def test_the_timeline_zooms_by_keyboard_and_mouse(tab: Tab, tmp_path: Path):
    page = page_of()
    days = [date(2026, month, 1) for month in range(1, 6)]
    show(tab, tmp_path, render_campaign(replace(page, window=replace(page.window, days=days))))
    days = 31 + 28 + 31 + 30 + 31 + 7
    assert tab.run(VIEW) == f"0 0 {days} 100"
    tab.run("document.querySelector('#timeline figure').focus()")
    tab.press("+")
    assert tab.run(VIEW) == "40 0 79 100"
    tab.press("ArrowRight")
    assert tab.run(VIEW) == "60 0 79 100"
    tab.press("-")
    assert tab.run(VIEW) == "0 0 158 100"
    tab.press("ArrowLeft")
    tab.press("0")
    box = tab.run(
        "(() => { document.getElementById('timeline').scrollIntoView();"
        "const b = document.querySelector('#timeline .plot').getBoundingClientRect();"
        "return [b.left, b.top, b.width]; })()"
    )
    left, top, width = box
    tab.drag((left + 0.5, top + 20), (left + width * 30.5 / days, top + 20))
    assert tab.run(VIEW) == "0 0 31 100"
    words = tab.run("document.getElementById('timeline-words').textContent")
    assert words.startswith("2026-01-01 to 2026-01-31: 0 attempts")
    assert tab.run("document.getElementById('to').textContent") == "2026-01-31"
    tab.run("document.querySelector('[data-zoom=all]').click()")
    assert tab.run(VIEW) == f"0 0 {days} 100"


def test_every_control_is_reached_by_the_tab_key(tab: Tab, tmp_path: Path):
    show(tab, tmp_path, render_campaign(page_of()))
    reached = set()
    for _ in range(60):
        tab.press("Tab")
        reached.add(tab.run("document.activeElement.id || document.activeElement.textContent"))
    assert {"search", "csv", "Zoom in", "Account", "Browser"} <= reached


def test_sign_ins_are_searched_sorted_and_turned(tab: Tab, tmp_path: Path):
    show(tab, tmp_path, render_campaign(page_of("Firefox", members=250)))
    assert len(tab.run(ROWS)) == 100
    assert tab.run("document.getElementById('page').textContent") == "Page 1 of 3"
    tab.run("document.querySelector('[data-page=last]').click()")
    assert len(tab.run(ROWS)) == 50
    assert tab.run("document.querySelector('[data-page=next]').disabled") is True

    found = search(tab, "USER000007 firefox")
    assert [row[2] for row in found] == ["user000007@example.com"]
    assert tab.run("document.getElementById('found').textContent") == "1 of 250 sign-ins"
    assert search(tab, "nothing like it") == []
    assert len(search(tab, "")) == 100

    by_address = "[...document.querySelectorAll('#signins th button')][3].click()"
    tab.run(by_address)
    # Ordered by number, not by character.
    assert [row[3] for row in tab.run(ROWS)[:3]] == ["198.51.0.0", "198.51.0.1", "198.51.0.2"]
    tab.run(by_address)
    assert tab.run(ROWS)[0][3] == "198.51.0.249"
    sorting = "document.querySelectorAll('#signins th')[3].ariaSort"
    assert tab.run(sorting) == "descending"


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\n=1"]
HARMLESS = ["plain", "a=b", 'quo"te', "two, parts", "three\nlines", "x@example.com", "שלום", "🦆"]


@pytest.mark.parametrize("value", [*FORMULAS, *HARMLESS, HOSTILE["formula"]])
def test_saved_cells_are_the_log_s_and_no_formulas(tab: Tab, tmp_path: Path, value: str):
    show(tab, tmp_path, render_campaign(page_of(value, members=3)))
    header, *rows = csv_of(tab)
    assert header[:3] == ["Time (UTC)", "Outcome", "Account"]
    assert len(rows) == 3
    expected = value if value in HARMLESS else f"'{value}"
    assert [row[4] for row in rows] == [expected] * 3
    assert rows[1][2] == "user000001@example.com"


def test_what_is_saved_is_what_was_found(tab: Tab, tmp_path: Path):
    show(tab, tmp_path, render_campaign(page_of("Firefox", members=250)))
    search(tab, "success")
    assert [row[5] for row in csv_of(tab)[1:]] == ["id 0"]


def test_hidden_characters_are_marked_in_the_table(tab: Tab, tmp_path: Path):
    show(tab, tmp_path, render_campaign(page_of(HOSTILE["right to left"])))
    assert tab.run(ROWS)[0][4].startswith("user\ufffdgnp.exe\ufffd")


def test_a_page_is_printed_without_its_controls(tab: Tab, tmp_path: Path):
    show(tab, tmp_path, render_campaign(page_of()))
    tab.send("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('.controls')].filter((c) => c.offsetHeight).length"
    assert tab.run(shown) == 0
    tab.send("Emulation.setEmulatedMedia", media="")
    assert tab.run(shown) == 3
