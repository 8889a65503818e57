"""A store on a local or mounted path: folders are replaced by renaming them."""

import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from lowslow_assets.lake.stores.base import (
    PROVENANCE,
    Files,
    LakeError,
    Staging,
    day_of,
    local_staging,
)

_A_DAY = "date=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


class Folders:
    """``<root>/<name>/date=YYYY-MM-DD``; engines that read a folder see one whole generation."""

    def __init__(self, root: str) -> None:
        self.root = Path(root.removeprefix("file://")).expanduser().absolute()

    def days(self, name: str) -> list[date]:
        """As ``Store`` describes."""
        return sorted(day_of(folder.name) for folder in self._folders(name))

    def provenance(self, name: str, days: Sequence[date]) -> dict[date, str]:
        """As ``Store`` describes."""
        found = {}
        for day in days:
            try:
                found[day] = (self._folder(name, day) / PROVENANCE).read_text()
            except FileNotFoundError:
                continue
        return found

    def local_files(self, name: str, files: Files) -> list[Path]:
        """As ``Store`` describes; whatever is in the folders."""
        return [path for day in files for path in sorted(self._folder(name, day).glob("*.parquet"))]

    def engine_files(self, name: str, files: Files) -> list[str]:
        """As ``Store`` describes."""
        return [str(path) for path in self.local_files(name, files)]

    @contextmanager
    def staging(self, name: str) -> Iterator[Staging]:
        """As ``Store`` describes; on the lake's own file system."""
        try:
            (self.root / ".staging").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"LOWSLOW_LAKE {str(self.root)!r} cannot be written: {error}."
            ) from error
        with local_staging(self.root / ".staging", name) as staging:
            yield staging

    def replace(self, name: str, day: date, staging: Staging) -> str:
        """As ``Store`` describes."""
        target = self._folder(name, day)
        replace_folder(Path(staging.name, f"date={day}"), target)
        return str(target)

    def drop(self, name: str, before: date) -> list[date]:
        """As ``Store`` describes; each is moved out of the table first."""
        dropped = [folder for folder in self._folders(name) if day_of(folder.name) < before]
        with self.staging(name) as staging:
            Path(staging.name).mkdir()
            for folder in dropped:
                folder.rename(Path(staging.name, folder.name))
        return sorted(day_of(folder.name) for folder in dropped)

    def _folder(self, name: str, day: date) -> Path:
        return self.root / name / f"date={day}"

    def _folders(self, name: str) -> list[Path]:
        return list((self.root / name).glob(_A_DAY))


def replace_folder(new: Path, target: Path) -> None:
    """Put ``new`` in the place of ``target`` in one step; the old folder is then at ``new``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(new, target)


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders atomically, if the system can.

    Linux can (renameat2 with RENAME_EXCHANGE), but Python does not offer it. Elsewhere the old
    folder is first moved aside, and for a moment a reader finds no partition.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, exchange = -100, 2
    if renameat2 and renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0:
        return
    aside = one.with_name(f"{one.name}.old")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
