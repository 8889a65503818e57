"""Threat intelligence on the network: MSTICPy's providers, each with limits of its own.

This uses MSTICPy's providers (where they are asked, and how an answer is read), but not
``TILookup``'s look-ups: those wait up to two minutes for each address, whatever is set, keep
failures for the life of the process, and let one unreachable provider end the look-ups of all
others. docs/enrichment.md lists what else is restricted here.
"""

import importlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from lowslow_assets.enrichment.answers import (
    CLEAN,
    MALICIOUS,
    NOT_PUBLIC,
    SUSPICIOUS,
    UNKNOWN,
    Address,
    Answer,
    EnrichmentError,
    bounded,
    is_public,
)
from lowslow_assets.enrichment.cache import AnswerCache
from lowslow_assets.platform.vault import read_secret

T = TypeVar("T")

CALLS_A_MINUTE = {"AbuseIPDB": 60, "GreyNoise": 60, "OTX": 60, "VirusTotal": 4, "XForce": 60}
"""The providers, and how often each may be asked: VirusTotal's public keys allow 4 a minute."""
_WITH_ID = ("XForce",)
_FAILURES_UNTIL_GIVEN_UP = 3
# MSTICPy's own status for success is 0; it stays 200 if an answer lacks the expected fields.
_OK, _UNREAD = 0, 200
_NOT_FOUND, _TOO_MANY = 404, 429
_REFUSALS = range(300, 500)
_VERDICTS = {"high": MALICIOUS, "warning": SUSPICIOUS}


@dataclass(frozen=True)
class Limits:
    """The limits of a provider; addresses beyond them wait for the next hunt.

    ``seconds_a_run`` limits the time for all of a hunt's addresses, including pauses.
    """

    calls_a_minute: float = 60
    seconds_a_call: float = 10
    seconds_a_run: float = 120
    retries: int = 2
    pause_seconds: float = 2


class Provider:
    """One provider. It is asked only for public addresses, one at a time and within its limits."""

    def __init__(
        self, name: str, client: Any, cache: AnswerCache, limits: Limits, secrets: Sequence[str]
    ) -> None:
        """Wrap ``client``, a provider of MSTICPy; ``secrets`` are removed from what it says."""
        self._name, self._client, self._cache = name, client, cache
        self._limits, self._secrets = limits, secrets
        self._next_call = 0.0

    def __call__(self, addresses: Sequence[Address]) -> dict[Address, Answer]:
        """What it says about each address, asked in this order; never raises its errors."""
        ends = time.monotonic() + self._limits.seconds_a_run
        answers: dict[Address, Answer] = {}
        failed = 0
        for address in addresses:
            answer = self._without_asking(address)
            if answer is None and failed == _FAILURES_UNTIL_GIVEN_UP:
                answer = Answer(error=f"not asked: {failed} look-ups in a row had failed")
            if answer is None and time.monotonic() > ends:
                answer = Answer(error="not asked: no time was left")
            if answer is None:
                answer = self._ask(address, ends)
                failed = failed + 1 if answer.error else 0
            answers[address] = answer
        return answers

    def _without_asking(self, address: Address) -> Answer | None:
        if not is_public(address):
            return Answer(error=NOT_PUBLIC)
        if not self._client.is_supported_type(_kind(address)):
            return Answer(error=f"not asked: it knows no {_kind(address)}")
        return self._cache.get(address)

    def _ask(self, address: Address, ends: float) -> Answer:
        """Ask until there is an answer, retries are used up, or a retry is hopeless."""
        answer, is_final = self._ask_once(address, pause=0)
        for attempt in range(1, self._limits.retries + 1):
            if is_final or time.monotonic() > ends:
                break
            answer, is_final = self._ask_once(address, self._limits.pause_seconds * 2**attempt)
        if answer.error is None:
            self._cache.put(address, answer)
        return answer

    def _ask_once(self, address: Address, pause: float) -> tuple[Answer, bool]:
        """The answer, and whether it would be the same if the provider were asked again."""
        self._wait_for_turn(pause)
        try:
            found = _within(self._limits.seconds_a_call, lambda: self._look_up(address))
            answer = self._read(found)
        except Exception as error:  # whatever an HTTP client or a parser can raise
            return self._failure(f"{type(error).__name__}: {error}"), False
        status = found["Status"]
        is_refusal = status in _REFUSALS and status != _TOO_MANY
        return answer, answer.error is None or is_refusal

    def _look_up(self, address: Address) -> Mapping[str, Any]:
        # MSTICPy keeps every answer, including failures, for the life of the process.
        self._client.lookup_ioc.cache_clear()
        seconds = self._limits.seconds_a_call
        frame = self._client.lookup_ioc(str(address), _kind(address), timeout=seconds)
        return frame.iloc[0].to_dict()

    def _read(self, found: Mapping[str, Any]) -> Answer:
        raw, details = found["RawResult"], found["Details"]
        if found["Status"] == _NOT_FOUND:
            return Answer(details="not found", looked_up_at=datetime.now(UTC))
        if found["Status"] not in (_OK, _UNREAD):
            return self._failure(f"status {found['Status']}: {details}")
        # The page of a proxy or a portal with status 200 also has MSTICPy's status for success.
        if not (found["Status"] == _OK and found["Result"] and isinstance(raw, dict)):
            return self._failure("its answer has an undocumented form")
        severity = str(found["Severity"])
        verdict = _VERDICTS.get(severity, CLEAN if _vouches(self._name, raw) else UNKNOWN)
        if isinstance(details, dict):
            details = {key: value for key, value in details.items() if value not in (None, [], "")}
        text = json.dumps(details, default=str, ensure_ascii=False)
        return Answer(verdict, severity, self._clean(text), looked_up_at=datetime.now(UTC))

    def _failure(self, why: str) -> Answer:
        return Answer(error=self._clean(why), looked_up_at=datetime.now(UTC))

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return bounded(text)

    def _wait_for_turn(self, pause: float) -> None:
        time.sleep(max(pause, self._next_call - time.monotonic(), 0))
        self._next_call = time.monotonic() + 60 / self._limits.calls_a_minute


def open_providers(
    names: Sequence[str],
    cache: Path,
    max_age: timedelta,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Provider]:
    """The providers of these names; each keeps its answers in its own folder below ``cache``.

    ``read_secret`` reads the keys LOWSLOW_TI_<NAME>_KEY (and _ID, for XForce), which are sent
    nowhere else. Raises EnrichmentError if a name is unknown, a key is not set or MSTICPy is not
    installed, and what ``read_secret`` raises.
    """
    if unknown := sorted(set(names) - CALLS_A_MINUTE.keys()):
        raise EnrichmentError(
            f"LOWSLOW_TI_PROVIDERS must be of {', '.join(CALLS_A_MINUTE)}, not {unknown[0][:20]!r}."
        )
    opened = {}
    for name in names:
        credentials = {"AuthKey": _secret(f"LOWSLOW_TI_{name.upper()}_KEY", environment)}
        if name in _WITH_ID:
            credentials["ApiID"] = _secret(f"LOWSLOW_TI_{name.upper()}_ID", environment)
        client = _registry().import_provider(name)(**credentials)
        limits = Limits(calls_a_minute=CALLS_A_MINUTE[name])
        kept = AnswerCache(cache / name, max_age)
        opened[name] = Provider(name, client, kept, limits, list(credentials.values()))
    return opened


def ask_all(
    providers: Mapping[str, Provider], addresses: Sequence[Address]
) -> dict[str, dict[Address, Answer]]:
    """What each provider says about each address; they are asked in parallel."""
    with ThreadPoolExecutor(max_workers=max(1, len(providers))) as threads:
        asked = {name: threads.submit(ask, addresses) for name, ask in providers.items()}
        return {name: answers.result() for name, answers in asked.items()}


def _secret(name: str, environment: Mapping[str, str]) -> str:
    if not (value := read_secret(name, environment)):
        raise EnrichmentError(f"{name} is not set, and LOWSLOW_TI_PROVIDERS asks for it.")
    return value


def _registry() -> Any:
    """MSTICPy's class that knows its providers; imported on first use: it takes seconds."""
    # It calls logging.basicConfig, which does nothing if the root logger has a handler.
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        found = importlib.import_module("msticpy.context.tilookup").TILookup
    finally:
        root.removeHandler(handler)
    # At level INFO it logs the URLs of requests, which contain VirusTotal's key.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return found


def _kind(address: Address) -> str:
    return f"ipv{address.version}"


def _vouches(name: str, raw: Mapping[str, Any]) -> bool:
    """Whether the answer says that the address is good, and not only that no one reported it."""
    if name == "GreyNoise":
        return raw.get("classification") == "benign" or raw.get("riot") is True
    data = raw.get("data")
    return name == "AbuseIPDB" and isinstance(data, dict) and data.get("isWhitelisted") is True


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result; raises TimeoutError if it takes longer.

    An HTTP client's time limit applies to each wait, so an answer that arrives slowly never reaches
    it. The thread is left to end by itself.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
