"""The table of result codes: each code's outcome, and what is derived from the table."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from lowslow_assets.lake.tables import FAILURE, OTHER, REFUSED, STOPPED
from lowslow_assets.settings import OUTCOMES
from lowslow_assets.signins.outcomes import (
    INVENTED_NAMES,
    KINDS,
    RESULT_CODES,
    TABLE,
    attempt_codes,
    codes_by_outcome,
    stopped_by,
    table_digest,
    to_markdown,
)

DOCS = Path(__file__).parents[2] / "docs"
EXPECTED = {
    FAILURE: ["50126", "7000215"],
    STOPPED: [
        *("500121", "50055", "50072", "50074", "50076", "50079"),
        *("50131", "50144", "50158"),
        *("53000", "530002", "530003", "53001", "53002", "530021", "53003", "530031", "530032"),
        *("530033", "530034", "530035", "53004"),
    ],
    REFUSED: ["50034", "50053", "50056", "50057", "50059", "50128"],
}


def test_every_code_has_its_outcome():
    found = codes_by_outcome()
    assert {kind: set(codes) for kind, codes in found.items()} == {
        kind: set(codes) for kind, codes in EXPECTED.items()
    }
    assert all(codes == sorted(codes) for codes in found.values())
    assert attempt_codes() == sorted(chain(*EXPECTED.values()))
    assert len(RESULT_CODES) == len(TABLE)
    assert INVENTED_NAMES == ["50034", "50059", "50128"]
    assert set(OUTCOMES) == {*KINDS, OTHER}


@pytest.mark.parametrize("code", ["0", "50140", "50058", "65001", "70043", "530036", "7000222"])
def test_a_code_that_says_nothing_about_the_password_is_not_an_attempt(code: str):
    assert code not in attempt_codes()


def test_codes_can_be_added_moved_and_taken_out():
    changes = {"411": FAILURE, "50053": OTHER, "50126": REFUSED}
    found = codes_by_outcome(changes)
    assert found[FAILURE] == ["411", "7000215"]
    assert set(found[REFUSED]) == {*EXPECTED[REFUSED], "50126"} - {"50053"}
    assert found[STOPPED] == codes_by_outcome()[STOPPED]


def test_the_digest_is_that_of_the_outcomes(monkeypatch: pytest.MonkeyPatch):
    before = table_digest()
    reworded = tuple(replace(each, meaning="other words") for each in TABLE)
    monkeypatch.setattr("lowslow_assets.signins.outcomes.TABLE", reworded)
    assert table_digest() == before
    monkeypatch.setattr("lowslow_assets.signins.outcomes.TABLE", TABLE[1:])
    assert table_digest() != before


def test_what_stopped_a_right_password_is_said_in_words():
    assert stopped_by("50076") == "a request for a second factor"
    assert stopped_by("50055") == "an expired password"
    # A code that was given this outcome.
    assert stopped_by("411") == "result 411"
    assert stopped_by("50053") == "result 50053"


def test_the_documentation_has_the_table():
    assert to_markdown() in (DOCS / "outcomes.md").read_text()
