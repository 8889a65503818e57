"""A generation is deterministic, complete or missing, and never mixed with another."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lowslow_assets.sample_tenant import SourceNotEmptyError, Tenant, generate
from lowslow_assets.sample_tenant.__main__ import main
from lowslow_assets_tests.sample_tenant.conftest import SMALL, make

TINY = replace(SMALL, days=2, users=30, signins_per_day=60, missing_days=0)
TINY_OPTIONS = ["--days", "2", "--users", "30", "--signins-per-day", "60"]


def fingerprint(folder: Path) -> str:
    """A digest of all paths and bytes in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    one, two = (make(TINY, tmp_path / folder) for folder in ("one", "two"))
    assert fingerprint(one.source) == fingerprint(two.source)
    assert one.labels.read_bytes() == two.labels.read_bytes()


def test_another_seed_gives_another_tenant(tmp_path: Path):
    one, two = (make(replace(TINY, seed=seed), tmp_path / str(seed)) for seed in (1, 2))
    assert fingerprint(one.source) != fingerprint(two.source)


def test_bytes_do_not_depend_on_pythons_hash_seed(tmp_path: Path):
    made = set()
    for number in ("1", "2"):
        folder = tmp_path / number
        command = [sys.executable, "-m", "lowslow_assets.sample_tenant", str(folder / "source")]
        command += ["--labels", str(folder / "truth.csv"), *TINY_OPTIONS]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": number})
        made.add(fingerprint(folder / "source"))
    assert len(made) == 1


def test_a_second_run_finds_the_first_and_writes_nothing(tmp_path: Path):
    first = make(TINY, tmp_path)
    before = fingerprint(tmp_path)
    second = make(TINY, tmp_path)
    assert fingerprint(tmp_path) == before
    assert second.summary == replace(first.summary, already_there=True)


def test_another_tenant_is_not_written_over_one_that_is_there(tmp_path: Path):
    made = make(TINY, tmp_path)
    with pytest.raises(SourceNotEmptyError, match="not empty"):
        generate(replace(TINY, seed=2), made.source, made.labels)


def test_a_killed_generation_does_not_look_complete_and_can_be_made_again(tmp_path: Path):
    def killed(done: int, days: int) -> None:
        raise KeyboardInterrupt

    source, labels = tmp_path / "source", tmp_path / "labels.csv"
    with pytest.raises(KeyboardInterrupt):
        generate(TINY, source, labels, killed)
    assert not source.exists()
    assert not generate(TINY, source, labels).already_there
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "campaigns.json",
        "generation.json",
        "labels.csv",
        "source",
    ]


def test_an_empty_folder_counts_as_missing(tmp_path: Path):
    (tmp_path / "source").mkdir()
    assert make(TINY, tmp_path).summary.files


def test_labels_inside_the_source_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="outside"):
        generate(TINY, tmp_path, tmp_path / "labels.csv")


@pytest.mark.parametrize(
    "settings",
    [
        {"days": 0},
        {"confusers": ("nonsense",)},
        {"campaigns": SMALL.campaigns * 2},
        {"campaigns": (replace(SMALL.campaigns[0], rate=0),)},
        {"campaigns": (replace(SMALL.campaigns[0], addresses=0),)},
        {"lease_days": (14, 14)},
        {"mobile_pools": 0},
    ],
)
def test_what_cannot_be_generated_is_refused(settings: dict):
    with pytest.raises(ValueError, match=r"\.$"):
        Tenant(**settings)


def test_the_command_reports_skips_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture):
    arguments = [str(tmp_path / "source"), "--labels", str(tmp_path / "l.csv"), *TINY_OPTIONS]
    assert main([*arguments, "--quiet", "--confusers", "none"]) == 0
    assert "sign-ins in" in capsys.readouterr().out
    assert json.loads((tmp_path / "campaigns.json").read_text()) == []
    assert main([*arguments, "--quiet", "--confusers", "none"]) == 0
    assert "already" in capsys.readouterr().out
    assert main([*arguments, "--campaigns", "slow,trickle"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


def test_the_command_refuses_unknown_campaigns(tmp_path: Path):
    with pytest.raises(SystemExit) as exit_:
        main([str(tmp_path / "s"), "--labels", str(tmp_path / "l"), "--campaigns", "nonsense"])
    assert exit_.value.code == 2
