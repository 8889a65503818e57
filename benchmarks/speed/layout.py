"""The folders in which the export keeps a day's files."""

from datetime import date, timedelta
from pathlib import Path


def day_folders(export: Path, first: date, last: date) -> list[Path]:
    """The folders of the days that the export has."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    folders = (export / day.strftime("y=%Y/m=%m/d=%d") for day in days)
    return [folder for folder in folders if folder.is_dir()]
