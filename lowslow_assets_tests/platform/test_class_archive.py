"""The archive belongs to one Java and one Spark; without one, Java gets no option."""

from pathlib import Path

import pytest

from lowslow_assets.platform import class_archive
from lowslow_assets.platform import java as java_module
from lowslow_assets.platform.java import archive_options, archive_path


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a Java, in an environment without archives."""
    monkeypatch.setattr(java_module.sys, "prefix", str(tmp_path / "environment"))
    home = tmp_path / "java"
    home.mkdir()
    (home / "release").write_text('JAVA_VERSION="17.0.1"')
    return home


def test_without_an_archive_there_are_no_options(java: Path):
    assert archive_options(str(java)) == ""


def test_an_archive_is_used_where_it_is(java: Path):
    archive = archive_path(str(java))
    archive.parent.mkdir(parents=True)
    archive.touch()
    assert archive_options(str(java)).split() == [
        f"-XX:SharedArchiveFile={archive}",
        "-Xlog:cds*=off",
    ]


def test_another_java_or_spark_has_another_archive(java: Path, monkeypatch: pytest.MonkeyPatch):
    paths = {archive_path(str(java))}
    (java / "release").write_text('JAVA_VERSION="17.0.2"')
    paths.add(archive_path(str(java)))
    monkeypatch.setattr(java_module, "version", lambda name: "0.0.0")
    paths.add(archive_path(str(java)))
    # A Java without such a file is identified by its path.
    (java / "release").unlink()
    paths |= {archive_path(str(java)), archive_path(f"{java}-other")}
    assert len(paths) == 5


def test_an_archive_that_is_there_is_not_made_again(java: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lowslow_assets.platform.class_archive.ensure_java", lambda: str(java))
    archive = archive_path(str(java))
    archive.parent.mkdir(parents=True)
    archive.write_text("as it was")
    class_archive.main()
    assert archive.read_text() == "as it was"
