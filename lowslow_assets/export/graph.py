"""A log without an export: each day's sign-ins are requested from Microsoft Graph.

Graph keeps 30 days for a tenant with a licence, and returns pages of at most 1,000 sign-ins, the
newest first. A day is treated as one file of an export: it holds the day's pages as they came.
Graph does not say how many sign-ins a day has until they have been read.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from lowslow_assets.export.copies import DailyExport
from lowslow_assets.export.refusals import as_source_errors
from lowslow_assets.export.source import DayFiles, ExportFile, SourceError, SourceUnavailable
from lowslow_assets.platform.azure import identity
from lowslow_assets.platform.vault import VaultUnavailable, read_secret
from lowslow_assets.settings import SERVICE_PRINCIPALS, SIGNIN_LOGS, SettingsError

if TYPE_CHECKING:
    from azure.core import PipelineClient

SCHEME = "graph://"
TOKEN = "LOWSLOW_GRAPH_TOKEN"
"""The variable or the Key Vault's secret with a token; without a token, an identity is used."""

KEPT_DAYS = 30
_VERSIONS = _STABLE, _BETA = ("v1.0", "beta")
# The stable version has only interactive sign-ins, and cannot be filtered by kind.
_EVENT_TYPES = {
    SIGNIN_LOGS: "interactiveUser",
    "AADNonInteractiveUserSignInLogs": "nonInteractiveUser",
    SERVICE_PRINCIPALS: "servicePrincipal",
}
_MOST_OF_PAGE = 1000
# A guess that makes a run of many days hold few of them at once.
_BYTES_A_DAY = 256 << 20
# Graph writes sign-ins minutes to hours late: a day gets another version once it is complete.
_COMPLETE_AFTER = timedelta(days=1)
_TRIES = 6
_LONGEST_WAIT_SECONDS, _CONNECT_SECONDS, _READ_SECONDS = 300, 20, 120
_NEEDS = (
    "reading sign-ins needs the permission AuditLog.Read.All with an administrator's consent "
    "(and a user the role Reports Reader), and of the tenant a licence of Entra ID P1 or P2"
)
_REFUSALS = {
    400: "it does not know such a query",
    401: "no identity was found, or the token is wrong, has expired or is for something else: sign "
    f"in by az login, or set {TOKEN} (docs/no-export.md); {_NEEDS}",
    403: f"the token or identity is refused; {_NEEDS}",
    404: "there is no such version of Microsoft Graph",
}


class _Page(msgspec.Struct):
    """The parts of an answer that are read; its sign-ins stay as they are written."""

    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


_PAGE = msgspec.json.Decoder(_Page)


class _Newest(msgspec.Struct):
    """The fields that distinguish a sign-in from others."""

    id: str


class GraphExport(DailyExport):
    """The last 30 days, today included, as an export's days; pages are copied to this machine."""

    def __init__(self, url: str, client: "PipelineClient[Any, Any]", log: str) -> None:
        self.where = url
        self._log = log
        self._client = client
        self._service, version = _service_of(url)
        event_type = _event_type(log)
        beta = version == _BETA or log != SIGNIN_LOGS
        self._signins = f"{self._service}/{_BETA if beta else _STABLE}/auditLogs/signIns"
        self._kind = f" and signInEventTypes/any(t: t eq '{event_type}')" if beta else ""
        self._today = datetime.now(UTC).date()
        self._listed: dict[date, DayFiles] = {}

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless Graph answers and has sign-ins."""
        if not any(True for _ in self.days()):
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} has no sign-ins of {self._log} in the last "
                f"{KEPT_DAYS} days."
            )

    def days(self) -> Iterator[date]:
        """The days that have sign-ins, newest first; Graph is asked only as far as needed."""
        for back in range(KEPT_DAYS):
            day = self._today - timedelta(days=back)
            if self.list_day(day).files:
                yield day

    def list_day(self, day: date) -> DayFiles:
        """One file. Its version is the newest sign-in and whether late ones may still come.

        Raises SourceError for a day that Graph no longer keeps. As a day without sign-ins, it would
        replace the day in the lake.
        """
        if (self._today - day).days >= KEPT_DAYS:
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} has the last {KEPT_DAYS} days only: {day} is older."
            )
        if day not in self._listed:
            _, page = self._ask(self._signins, self._query(day, 1))
            files = tuple(self._file(day, newest) for newest in page.value[:1])
            self._listed[day] = DayFiles(day, files)
        return self._listed[day]

    def _file(self, day: date, newest: msgspec.Raw) -> ExportFile:
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
        kind = "complete" if datetime.now(UTC) >= end + _COMPLETE_AFTER else "early"
        try:
            version = msgspec.json.decode(newest, type=_Newest).id
        except msgspec.MsgspecError:
            version = ""
        return ExportFile(self.file_name(day, self._log), _BYTES_A_DAY, f"{version} {kind}")

    def _write_day(self, day: date, file: IO[bytes]) -> None:
        """Writes the day's pages, one per line."""
        link, query = self._signins, self._query(day, _MOST_OF_PAGE)
        while True:
            text, page = self._ask(link, query)
            if page.value:
                file.write(text + b"\n")
            if page.next_link is None:
                return
            # The link contains the whole query. The token must be sent to this service only.
            before, link, query = link, page.next_link, {}
            if link == before or not link.startswith(f"{self._service}/"):
                raise SourceUnavailable(
                    f"LOWSLOW_SOURCE {self.where!r} does not say what follows a page of {day}."
                )

    def _query(self, day: date, most: int) -> dict[str, str]:
        start, end = (f"{each}T00:00:00Z" for each in (day, day + timedelta(days=1)))
        of_day = f"createdDateTime ge {start} and createdDateTime lt {end}"
        return {"$filter": of_day + self._kind, "$top": str(most)}

    def _ask(self, url: str, query: dict[str, str]) -> tuple[bytes, _Page]:
        """A page, as it came and as it was parsed."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        for _ in range(_TRIES):
            with as_source_errors(self.where, _REFUSALS):
                answer = self._client.send_request(HttpRequest("GET", url, params=query))
                if answer.status_code != 200:
                    raise HttpResponseError(response=answer)
            try:
                return answer.content, _PAGE.decode(answer.content)
            except msgspec.MsgspecError:
                continue
        raise SourceUnavailable(
            f"LOWSLOW_SOURCE {self.where!r} did not answer with a page of sign-ins."
        )


def is_graph(url: str) -> bool:
    """Whether a source is Microsoft Graph."""
    return url.startswith(SCHEME)


def open_graph(url: str, log: str) -> GraphExport:
    """A log from Microsoft Graph, by LOWSLOW_GRAPH_TOKEN or the identity that azure-identity finds.

    The URL is ``graph://graph.microsoft.com``, or has another cloud's host. The version
    ``graph://graph.microsoft.com/beta`` has the numbers of networks and user agents, which the
    stable version lacks. A server on this machine (``graph://127.0.0.1:8080``) is used without TLS.
    Raises SourceError.
    """
    from azure.core import PipelineClient
    from azure.core.credentials import AzureKeyCredential
    from azure.core.pipeline.policies import AzureKeyCredentialPolicy, BearerTokenCredentialPolicy

    from lowslow_assets.platform.retries import BoundedRetries

    service, _ = _service_of(url)
    try:
        token = read_secret(TOKEN)
    except SettingsError as error:
        raise SourceError(str(error)) from error
    except VaultUnavailable as error:
        raise SourceUnavailable(str(error)) from error
    authentication: Any
    if token:
        key = AzureKeyCredential(token)
        authentication = AzureKeyCredentialPolicy(key, "Authorization", prefix="Bearer")
    elif service.startswith("http:"):
        raise SourceError(f"LOWSLOW_SOURCE {url!r} is asked without TLS and so needs {TOKEN}.")
    else:
        authentication = BearerTokenCredentialPolicy(identity(), f"{service}/.default")
    waits: Any = {"connection_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS}
    retries = BoundedRetries(_TRIES, _LONGEST_WAIT_SECONDS)
    client = PipelineClient(service, policies=[retries, authentication], **waits)
    return GraphExport(url, client, log)


def _service_of(url: str) -> tuple[str, str]:
    """The service's URL and its version. Raises SourceError if the URL is not valid."""
    parts = urlsplit(url)
    version = parts.path.strip("/") or _STABLE
    if not re.fullmatch(r"[\w.-]+(:\d+)?", parts.netloc) or version not in _VERSIONS:
        raise SourceError(
            f"LOWSLOW_SOURCE {url.partition('?')[0][:100]!r} is not Microsoft Graph: write "
            f"{SCHEME}graph.microsoft.com, or {SCHEME}graph.microsoft.com/{_BETA}."
        )
    scheme = "http" if parts.hostname in ("127.0.0.1", "localhost") else "https"
    return f"{scheme}://{parts.netloc}", version


def _event_type(log: str) -> str:
    if log not in _EVENT_TYPES:
        raise SourceError(
            f"LOWSLOW_LOGS names {log}, which Microsoft Graph does not have as a log of its own."
        )
    return _EVENT_TYPES[log]
