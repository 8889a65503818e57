"""Cached answers, so that a provider is not asked again every day."""

import json
import os
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lowslow_assets.enrichment.answers import Address, Answer


class AnswerCache:
    """One provider's answers, one file per address, kept until they are too old.

    With one file per address, answers survive a killed run, and no lock is needed.
    """

    def __init__(self, folder: Path, max_age: timedelta) -> None:
        """Make the folder, and remove answers that are too old."""
        self._folder, self._max_age = folder, max_age
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another run does the same
                if time.time() - path.stat().st_mtime > max_age.total_seconds():
                    path.unlink()

    def get(self, address: Address) -> Answer | None:
        """The cached answer; None if it is missing, too old or damaged."""
        try:
            fields = json.loads(self._path(address).read_text(encoding="utf-8"))
            fields["looked_up_at"] = datetime.fromisoformat(fields["looked_up_at"])
            answer = Answer(**fields)
            age = datetime.now(UTC) - fields["looked_up_at"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return replace(answer, from_cache=True) if age <= self._max_age else None

    def put(self, address: Address, answer: Answer) -> None:
        """Store an answer, in one step."""
        path = self._path(address)
        staged = path.with_suffix(f".{uuid.uuid4().hex}")
        staged.write_text(json.dumps(asdict(answer), default=datetime.isoformat), encoding="utf-8")
        os.replace(staged, path)

    def _path(self, address: Address) -> Path:
        # Not every file system accepts the colons of IPv6.
        return self._folder / f"{address.packed.hex()}.json"
