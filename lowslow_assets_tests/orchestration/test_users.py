"""The same accounts under other names: the hunt finds and counts the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from lowslow_assets.lake.tables import SUSPECT_FAILURES
from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, MISSING, Project

Fields = dict[str, str]


def draw(text: str) -> int:
    """A number that is always the same for the same text."""
    return crc32(text.encode())


def disguise(fields: Fields, day: str, failed: bool) -> None:
    """Half of the failed rows have a GUID as their name.

    Of the accounts, a third is renamed half-way, and another third has both names of a guest.
    """
    name, _, home = fields["name"].partition("@")
    if failed and draw(fields["id"]) % 2:
        fields["name"] = fields["user"]
    elif draw(fields["user"]) % 3 == 0 and home and day > str(MISSING):
        fields["name"] = f"{name}.renamed@{home}"
    elif draw(fields["user"]) % 3 == 1 and home and draw(fields["id"]) % 4:
        fields["name"] = f"{name}_{home}#EXT#@elsewhere.example"


def rewrite(source: Path, target: Path) -> None:
    """The export with names that are changed, and nothing else."""
    for path in source.rglob("*.json"):
        day = "-".join(part.partition("=")[2] for part in path.relative_to(source).parts[:3])
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(errors="surrogateescape").splitlines()
        text = "".join(f"{_disguised(line, day)}\n" for line in lines)
        copy.write_text(text, errors="surrogateescape")


def _disguised(line: str, day: str) -> str:
    try:
        record = json.loads(line)
        signin = record.get("properties") or record
    except (ValueError, AttributeError):
        return line
    names = {"id": "id", "user": "userId", "name": "userPrincipalName"}
    if signin is record:
        names = {field: name[0].upper() + name[1:] for field, name in names.items()}
    if not all(isinstance(signin.get(name), str) for name in names.values()):
        return line
    fields = {field: signin[name] for field, name in names.items()}
    code = record.get("ResultType", record.get("resultType"))
    disguise(fields, day, str(code) != "0")
    if fields["name"] == signin[names["name"]]:
        return line
    signin[names["name"]] = fields["name"]
    return json.dumps(record)


def test_accounts_under_several_names_are_hunted_as_under_one(project: Project, tmp_path: Path):
    rewrite(project.source, tmp_path / "signins")
    made = replace(project, source=tmp_path / "signins", lake=tmp_path / "lake")
    assert made.run("ingest_range", DAYS).success
    assert made.run("hunt_as_of_day", [LAST]).success

    def rows(project: Project, table: str) -> list[dict[str, Any]]:
        return project.table(table, LAST).to_pylist()

    # The log had several names, and several of these have days of their own.
    named = {
        (row["user_id"], row["user"])
        for day in DAYS
        for row in made.table("user_names", day).to_pylist()
    }
    assert len(named) > len({user_id for user_id, _ in named}) + 10

    plain, other = (
        [row | {"example": row["example"] is None} for row in rows(p, "explained_failures")]
        for p in (project, made)
    )
    assert sorted(plain, key=str) == sorted(other, key=str)
    for table in (SUSPECT_FAILURES.name, "incident_members"):
        plain, other = ({r["signin_id"]: r for r in rows(p, table)} for p in (project, made))
        assert plain.keys() == other.keys()
        assert len(plain) > 100
        # One name for the other, everywhere.
        pairs = {(plain[id_]["user"], other[id_]["user"]) for id_ in plain}
        assert len(pairs) == len({p for p, _ in pairs}) == len({o for _, o in pairs})
    for plain, other in zip(
        rows(project, "enriched_incidents"), rows(made, "enriched_incidents"), strict=True
    ):
        differing = {name for name in plain if plain[name] != other[name]}
        assert differing <= {"compromised_users", "new_compromised_users", "entries", "description"}
        assert len(plain["entries"]) == len(other["entries"])
