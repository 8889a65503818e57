"""An export whose files are copied to this machine before Spark reads them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lowslow_assets.export.source import DayFiles, Export, ExportFile, name_problem


class CopiedExport(Export):
    """The copies lie in the folder for temporary files, under their names in the export.

    They go at the end of the ``with`` statement.
    """

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="lowslow-export-")

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def copy(self, files: list[ExportFile], folder: Path) -> None:
        """Copy each of the files to its name below the folder."""
        raise NotImplementedError

    def unreadable(self, days: Iterable[DayFiles]) -> dict[str, str]:
        """As of any export; what is not copied yet is copied."""
        days = list(days)
        return self._copies(days).unreadable(days)

    def read_lines(
        self, spark: SparkSession, days: list[DayFiles], unreadable: dict[str, str]
    ) -> DataFrame:
        """All lines of the days' files as (date, file, value)."""
        return self._copies(days).read_lines(spark, days, unreadable)

    def _copies(self, days: list[DayFiles]) -> Export:
        folder = Path(self._folder.name)
        files = [
            file
            for listed in days
            for file in listed.files
            if not name_problem(file.name) and not (folder / file.name).exists()
        ]
        self.copy(files, folder)
        return Export(str(folder))


def as_line(row: Mapping[str, Any]) -> bytes:
    """A row of typed values as a line of JSON, as Spark writes it."""
    present = {key: value for key, value in row.items() if value is not None}
    text = json.dumps(present, ensure_ascii=False, separators=(",", ":"), default=_as_text)
    return text.encode(errors="replace")


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        time = value.astimezone(UTC) if value.tzinfo else value
        return f"{time:%Y-%m-%dT%H:%M:%S.%f}{'Z' if value.tzinfo else ''}"
    return value.isoformat() if isinstance(value, date) else str(value)
