"""The meaning of the names of folders and files within an export.

``y=2026/m=06/d=30/h=02/m=05/PT05M.json``: a sign-in belongs to the day whose folder holds it. The
Parquet files of the export job for historical data have one folder per hour instead,
``timestamp=2026-06-30T02`` or ``year=2026/month=06/day=30/hour=02``.
"""

import re
from contextlib import suppress
from datetime import date

DAY_KEYS = (("y", "m", "d"), ("year", "month", "day"))
_KINDS = ("json", "jsonl", "ndjson", "csv", "parquet")
_NAME = re.compile(rf".*\.(?:{'|'.join(_KINDS)})(?:\.(?:gz|zst))?", re.IGNORECASE | re.DOTALL)
_HIDDEN = ("_", ".")
_HOUR = r"timestamp=\d{4}-\d{2}-\d{2}T\d{2}"
_DAY = "|".join([*(rf"{y}=\d{{4}}/{m}=\d{{1,2}}/{d}=\d{{1,2}}" for y, m, d in DAY_KEYS), _HOUR])
_DAY_FOLDER = re.compile(rf"(?:^|/)(?:{_DAY})(?=/)")


def is_hidden(name: str) -> bool:
    """Whether a folder or file of this name (without its parents) does not belong to the export."""
    return name.startswith(_HIDDEN)


def day_of_hour(folder: str) -> date | None:
    """The day of a folder that is named after an hour."""
    if re.fullmatch(_HOUR, folder):
        with suppress(ValueError):
            return date.fromisoformat(folder.partition("=")[2][:10])
    return None


def printable(name: str) -> str:
    """A file's name as text; bytes that are not UTF-8 become question marks."""
    return name.encode(errors="replace").decode()


def name_problem(name: str) -> str | None:
    """Why a file of this name within the export is not read; None if it is read."""
    if printable(name) != name:
        return "unreadable file: its name is not UTF-8"
    if not _NAME.fullmatch(name):
        return f"other file: its name must end with .{', .'.join(_KINDS)}, or these and .gz or .zst"
    if len(_DAY_FOLDER.findall(name)) > 1:
        return "unreadable file: it is in another day's folder within this day's"
    # Blobs can have such names. In a request to Azure, ".." would name another blob.
    if {"", ".", ".."} & {*name.split("/")}:
        return "unreadable file: a file cannot have its name"
    return None
