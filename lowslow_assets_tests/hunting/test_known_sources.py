"""The file of known sources: what is read, and each error by entry and line."""

import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.known_sources import KnownSource
from lowslow_assets.hunting.known_sources import check, read_known_sources
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.orchestration.resources import HuntParameters
from lowslow_assets.settings import SettingsError

TODAY = date(2026, 6, 30)
WHOLE = """
[[known]]
reason = "Penetration test by Example Ltd, ticket SEC-17"
start = 2026-06-01
end = 2026-07-31
addresses = ["198.51.100.0/24", "2001:db8:7::/48", "203.0.113.9"]
accounts = ["Probe@example.com"]
as_numbers = [64500]
applications = ["Azure CLI"]
user_agents = ["Nessus*"]

[[known]]
reason = "Scanner"
end = 2026-12-31
accounts = ["scanner@example.com"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known.toml"


def test_a_file_is_read(file: Path):
    file.write_text(WHOLE, encoding="utf-8-sig")
    assert read_known_sources(str(file)) == (
        KnownSource(
            "Penetration test by Example Ltd, ticket SEC-17",
            date(2026, 7, 31),
            date(2026, 6, 1),
            ("Probe@example.com",),
            ("198.51.100.0/24", "2001:db8:7::/48", "203.0.113.9/32"),
            (64500,),
            ("Azure CLI",),
            ("Nessus*",),
        ),
        KnownSource("Scanner", date(2026, 12, 31), accounts=("scanner@example.com",)),
    )
    assert read_known_sources("") == ()
    lines, usable = check(str(file), TODAY)
    assert usable
    assert [line[:5] for line in lines] == ["ok   ", "ok   "]


def entry(**changed: str) -> str:
    """An entry's lines; empty fields are left out."""
    whole = {"reason": '"x"', "end": "2026-12-31", "accounts": '["a@b.c"]'} | changed
    return "[[known]]\n" + "".join(f"{key} = {value}\n" for key, value in whole.items() if value)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"reason": ""}, "reason: is missing"),
        ({"end": ""}, "end: is missing"),
        ({"reason": '""'}, "reason: must be one line"),
        ({"reason": '"a\\nb"'}, "reason: must be one line"),
        ({"reason": '"\\u202e"'}, "reason: must be one line"),
        ({"reason": f'"{"x" * 257}"'}, "reason: string should have at most 256 characters"),
        ({"end": '"2026-12-31"'}, "end: input should be a valid date, not 2026-12-31"),
        ({"end": "2126-12-31"}, "end: input should be less than or equal to 2099-12-31"),
        ({"start": "2027-01-01"}, "as a whole: it ends before it starts"),
        ({"accounts": ""}, "as a whole: it names none of accounts, addresses, as_numbers,"),
        ({"accounts": "[]"}, "accounts: list should have at least 1 item"),
        ({"accounts": '"a@b.c"'}, "accounts: input should be a valid list, not a@b.c"),
        ({"accounts": '["a@b.c", ""]'}, "accounts 2: must be one line"),
        ({"addresses": '["198.51.100.7/24"]'}, "addresses 1: 198.51.100.7/24 has host bits set"),
        ({"addresses": '["198.51.100.0/33"]'}, "addresses 1: '198.51.100.0/33' does not appear"),
        ({"addresses": '["host.example.com"]'}, "addresses 1: 'host.example.com' does not appear"),
        ({"as_numbers": '["AS64500"]'}, "as_numbers 1: input should be a valid integer, not AS"),
        ({"as_numbers": "[true]"}, "as_numbers 1: input should be a valid integer, not True"),
        ({"as_numbers": "[0]"}, "as_numbers 1: input should be greater than or equal to 1"),
        ({"user_agents": '["*"]'}, "user_agents 1: must begin with 4 characters"),
        ({"user_agents": '["cu*rl/8"]'}, "user_agents 1: must begin with 4 characters"),
        ({"adresses": '["192.0.2.1"]'}, "adresses: is not known: it can have reason, end, start,"),
    ],
    ids=str,
)
def test_a_wrong_entry_is_named_with_its_line(file: Path, bad: dict[str, str], said: str):
    file.write_text("# ours\n" + entry() + "\n" + entry(**bad) + entry())
    with pytest.raises(SettingsError) as caught:
        read_known_sources(str(file))
    assert str(caught.value).startswith(f"LOWSLOW_KNOWN_SOURCES {str(file)!r} cannot be used: ")
    assert f"entry 2 (line 7), {said}" in str(caught.value)
    assert "entry 1" not in str(caught.value)
    assert "entry 3" not in str(caught.value)
    with pytest.raises(SettingsError, match="entry 2"):
        _ = HuntParameters(known_sources=str(file)).settings
    lines, usable = check(str(file), TODAY)
    assert not usable
    assert [line[:5] for line in lines] == ["WRONG", "ok   ", "ok   "]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("known = 1", "known must be a list"),
        ("[[knwon]]\nend = 2026-01-01", "knwon is not part of the format"),
        ("[[known]]\nend = ", "it is not a TOML file: Invalid value (at "),
        (
            "[[known]]\nend = 2026-01-01\nend = 2027-01-01",
            "it is not a TOML file: Cannot over",
        ),
        ("#" * (1 << 21), "it is larger than 1,048,576 bytes"),
        ("x = " + "[" * 100_000, "it is not a TOML file"),
    ],
)
def test_an_invalid_file_is_reported(file: Path, text: str, said: str):
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_known_sources(str(file))
    assert said in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path):
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_known_sources(str(tmp_path / "known.toml"))


def test_many_problems_are_counted(file: Path):
    file.write_text(entry(end="") * 30)
    with pytest.raises(SettingsError, match=r"entry 20 \(line 58\), end: is missing; and 10 more"):
        read_known_sources(str(file))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"end": "2026-06-29"}, "ended on 2026-06-29: it explains nothing that comes after"),
        ({"end": "2026-06-30"}, "ends soon, on 2026-06-30"),
        ({"end": "2026-07-14"}, "ends soon, on 2026-07-14"),
        ({"end": "2026-07-15"}, None),
        ({"end": "2027-07-01"}, None),
        ({"end": "2027-07-02"}, "ends only on 2027-07-02"),
        ({"start": "2026-07-01"}, "begins on 2026-07-01"),
        ({"addresses": '["10.0.0.0/8"]'}, "hides much: 10.0.0.0/8 has room"),
        ({"addresses": '["192.0.0.0/15"]'}, "hides much: 192.0.0.0/15"),
        ({"addresses": '["192.0.0.0/16"]'}, None),
        ({"addresses": '["2001:db8::/31"]'}, "hides much: 2001:db8::/31"),
        ({"addresses": '["2001:db8::/32"]'}, None),
        (
            {"accounts": "", "user_agents": '["curl/*"]', "as_numbers": "[64500]"},
            "hides much: anybody's attempts can show these as numbers and user agents",
        ),
    ],
    ids=str,
)
def test_what_to_look_at_again_is_said(file: Path, changed: dict[str, str], said: str | None):
    file.write_text(entry(**changed))
    [line], usable = check(str(file), TODAY)
    assert usable
    assert line.startswith("ok   " if said is None else "LOOK ")
    assert said is None or said in line


def test_the_command_says_all_and_how_it_ended(file: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lowslow_assets.known_sources", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    file.write_text(entry(end="2020-01-01"))
    done = run(str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("LOOK   x: until 2020-01-01; ended on 2020-01-01")
    file.write_text(entry(end=""))
    done = run(str(file))
    assert done.returncode == 1
    assert done.stdout == "WRONG  entry 1 (line 1), end: is missing\n"
    assert "no hunt takes a file with anything wrong in it" in done.stderr


def test_a_changed_file_makes_another_digest(file: Path):
    def digest() -> str:
        return HuntParameters(known_sources=str(file)).settings.digest

    file.write_text(WHOLE)
    first = digest()
    assert first != HuntSettings().digest
    file.write_text("# the same\n" + WHOLE)
    assert digest() == first
    for old, new in (("SEC-17", "SEC-18"), ("07-31", "07-30"), ("64500", "64501")):
        file.write_text(WHOLE.replace(old, new))
        assert digest() != first


def test_a_run_keeps_what_it_read_first(file: Path):
    file.write_text(WHOLE)
    parameters = HuntParameters(known_sources=str(file))
    first = parameters.settings
    file.write_text("")
    assert parameters.settings == first
    assert len(first.known_sources) == 2


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ["reason", "end", "start", "accounts", "addresses", "as_numbers", "user_agents", "x"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(st.dictionaries(st.sampled_from(FIELDS), WILD), max_size=3))
def test_whatever_a_file_holds_is_reported_in_sentences(
    drawn: list[dict], file: Path, monkeypatch: pytest.MonkeyPatch
):
    file.touch()
    monkeypatch.setattr(tomllib, "loads", lambda _: {"known": drawn})
    lines, usable = check(str(file), TODAY)
    assert all(line.isprintable() and len(line) < 2_000 for line in lines)
    # Random entries are hardly ever valid.
    assert usable == (not drawn)


def test_an_end_that_moves_on_is_seen_day_by_day(file: Path):
    file.write_text(entry(end="2026-07-10"))
    said = [check(str(file), TODAY + timedelta(days=days))[0][0] for days in (-10, 0, 11)]
    assert [line[:4] for line in said] == ["ok  ", "LOOK", "LOOK"]
