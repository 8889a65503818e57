"""A store above another one: writes are stored above, and nothing below is changed."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import TypeVar

from lowslow_assets.lake.stores.base import Files, Staging, Store

Found = TypeVar("Found")


class Above:
    """``below``, where each folder that ``own`` also has is replaced by that of ``own``."""

    def __init__(self, below: Store, own: Store) -> None:
        self._below = below
        self._own = own

    def days(self, name: str) -> list[date]:
        """As ``Store`` describes."""
        return sorted({*self._below.days(name), *self._own.days(name)})

    def provenance(self, name: str, days: Sequence[date]) -> dict[date, str]:
        """As ``Store`` describes."""
        return self._below.provenance(name, days) | self._own.provenance(name, days)

    def local_files(self, name: str, files: Files) -> list[Path]:
        """As ``Store`` describes."""
        return self._of_both(name, files, lambda store, part: store.local_files(name, part))

    def engine_files(self, name: str, files: Files) -> list[str]:
        """As ``Store`` describes."""
        return self._of_both(name, files, lambda store, part: store.engine_files(name, part))

    def staging(self, name: str) -> AbstractContextManager[Staging]:
        """As ``Store`` describes."""
        return self._own.staging(name)

    def replace(self, name: str, day: date, staging: Staging) -> str:
        """As ``Store`` describes."""
        return self._own.replace(name, day, staging)

    def drop(self, name: str, before: date) -> list[date]:
        """As ``Store`` describes."""
        return self._own.drop(name, before)

    def _of_both(
        self, name: str, files: Files, find: Callable[[Store, Files], list[Found]]
    ) -> list[Found]:
        own = set(self._own.days(name))
        parts = (
            (self._below, {day: named for day, named in files.items() if day not in own}),
            (self._own, {day: named for day, named in files.items() if day in own}),
        )
        return [path for store, part in parts if part for path in find(store, part)]
