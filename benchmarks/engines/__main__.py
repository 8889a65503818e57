"""The transforms on engines without a JVM: ``python -m benchmarks.engines LAKE EXPORT``.

SQLFrame and Sail need environments of their own, each with the project's other packages too:

    sqlframe[duckdb]          for --sqlframe PYTHON and --by-hand PYTHON
    pysail pyspark-client     for --sail PYTHON

Without such an option its engine is left out. Prints the Markdown tables of docs/engines.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.engines.compare import difference

_LONGEST_SECONDS = 1_800
_LONGEST_CELL = 160


def main() -> None:
    """Run every engine in a process of its own, one after the other, and compare."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lake", type=Path, help="a lake with a hunt, such as demo/lake")
    parser.add_argument("export", type=Path, help="its export, such as demo/signins")
    parser.add_argument("--day", default="2026-06-30", help="the day of the export that is parsed")
    parser.add_argument("--sqlframe", metavar="PYTHON", help="its interpreter")
    parser.add_argument("--sail", metavar="PYTHON", help="its interpreter")
    parser.add_argument("--by-hand", metavar="PYTHON", help="interpreter for hand-written SQL")
    parser.add_argument("--work", type=Path, help="folder of inputs and results (a new one)")
    options = parser.parse_args()
    work = (options.work or Path(mkdtemp(prefix="lowslow-engines-"))).absolute()
    given = [str(options.lake.absolute()), str(options.export.absolute()), options.day, str(work)]
    _run(sys.executable, "benchmarks.engines.prepare", given)
    interpreters = {"spark": sys.executable, "sqlframe": options.sqlframe, "sail": options.sail}
    engines = [engine for engine, python in interpreters.items() if python]
    for engine in engines:
        _run(interpreters[engine], "benchmarks.engines.worker", [engine, *given])
    print(_table(work, engines))
    if options.by_hand:
        _run(
            options.by_hand,
            "benchmarks.engines.by_hand",
            [options.export.absolute(), options.day, work],
        )
        print(f"\n{_by_hand_table(work)}")
    print(f"\nResults: {work}", file=sys.stderr)


def _run(python: str, module: str, arguments: list[Any]) -> None:
    """A module of the benchmark in another interpreter; what it did before an end counts."""
    command = [python, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, timeout=_LONGEST_SECONDS)
    if done.returncode:
        print(f"{module} {arguments[0]} ended with {done.returncode}", file=sys.stderr)


def _results(work: Path, engine: str) -> dict[str, Any]:
    path = work / engine / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"cases": {}}


def _table(work: Path, engines: list[str]) -> str:
    """A line a transform: Spark's seconds, then per engine whether it runs, is equal, how fast."""
    spark, *others = engines
    reference = _results(work, spark)
    found = {engine: _results(work, engine) for engine in others}
    lines = [
        f"{engine}: {results.get('version', 'did not start')}, "
        f"ready after {results.get('session', 0):.1f} s ({results.get('session_cpu', 0):.1f} s CPU)"
        for engine, results in {spark: reference, **found}.items()
    ]
    heads = ["transform", "Spark cold", "Spark warm", "warm CPU"]
    for engine in others:
        heads += [f"{engine}: rows", "warm", "warm CPU"]
    lines += ["", _row(heads), _row(["---"] * len(heads))]
    for name, case in reference["cases"].items():
        cells = [f"`{name}`", *(_number(case[key]) for key in ("cold", "warm", "warm_cpu"))]
        for engine, results in found.items():
            theirs = results["cases"].get(name, {"problem": "not reached"})
            verdict = theirs["problem"] or difference(
                work / spark / f"{name}-0", work / engine / f"{name}-0"
            )
            cells += [_cell(verdict or "identical")]
            cells += [_number(theirs.get(key)) for key in ("warm", "warm_cpu")]
        lines.append(_row(cells))
    return "\n".join(lines)


def _by_hand_table(work: Path) -> str:
    reference = _results(work, "spark")["cases"]
    heads = ["by hand", "Spark warm", "warm CPU", "DuckDB SQL cold", "warm", "warm CPU", "rows"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for name, case in _results(work, "by_hand")["cases"].items():
        verdict = difference(
            work / "spark" / f"{name}-0", work / "by_hand" / f"{name}-0", common=True
        )
        cells = [_number(reference[name][key]) for key in ("warm", "warm_cpu")]
        cells += [_number(case[key]) for key in ("cold", "warm", "warm_cpu")]
        lines.append(_row([f"`{name}`", *cells, _cell(verdict or "identical")]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    text = text.replace("|", "\\|")
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def _number(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"


if __name__ == "__main__":
    main()
