"""Calls of Azure's interfaces by its SDK: credentials, retries, time limits, dry runs."""

import gzip
import io
import json
import re
import time
from typing import Any

import requests
from azure.core import PipelineClient
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.core.rest import HttpResponse
from azure.identity import DefaultAzureCredential
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

MANAGEMENT = "https://management.azure.com"
CALL_SECONDS = 120.0
DELIVERY_SECONDS = 900.0
# If the service asks for a longer wait, the delivery is left to the next run.
MAX_RETRY_AFTER_SECONDS = 60.0
CONFLICTS = (409, 412)
_MAX_DETAIL = 300


class DeliveryError(Exception):
    """One incident cannot be sent now; the message is one sentence without secrets."""


class Patience(RetryPolicy):
    """The SDK's retries, without those that are hopeless.

    The SDK itself repeats any answer that has a Retry-After, however long, and even a conflict.
    """

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse) -> bool:
        """Whether to send the same request again."""
        if response.http_response.status_code in CONFLICTS:
            return False
        if (self.get_retry_after(response) or 0) > MAX_RETRY_AFTER_SECONDS:
            return False
        return super().is_retry(settings, response)


class Deadline:
    """The end of a delivery's time."""

    def __init__(self) -> None:
        self._end = time.monotonic() + DELIVERY_SECONDS

    def seconds_for_a_call(self) -> float:
        """The time that the next call may take, with retries; raises DeliveryError at the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeliveryError(f"The delivery took longer than {DELIVERY_SECONDS:.0f} s.")
        return min(CALL_SECONDS, left)


def default_credential() -> TokenCredential:
    """The environment's credentials, or else a workload or managed identity; never a person's."""
    return DefaultAzureCredential(
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_cli_credential=True,
        exclude_developer_cli_credential=True,
        exclude_powershell_credential=True,
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
    )


def default_transport() -> HttpTransport:
    """Sends requests over the network, with a limit on each wait."""
    return RequestsTransport(connection_timeout=10, read_timeout=30)


def management_client(credential: TokenCredential, transport: HttpTransport) -> PipelineClient:
    """A client of Azure Resource Manager.

    The order of policies matters: each retry asks for a token again.
    """
    policies = [
        UserAgentPolicy("lowslow-assets"),
        Patience(),
        BearerTokenCredentialPolicy(credential, f"{MANAGEMENT}/.default"),
    ]
    return PipelineClient(MANAGEMENT, policies=policies, transport=transport)


def explain(error: AzureError) -> str:
    """An error of the SDK in a sentence, which does not repeat what a server answered."""
    if isinstance(error, HttpResponseError) and error.response is not None:
        return f"The answer was {describe_answer(error.response)}."
    said = " ".join(str(error).split())[:_MAX_DETAIL]
    return f"{type(error).__name__}: {said}"


def describe_answer(response: Any) -> str:
    """Status and error code of an answer, without its message, which may repeat the request."""
    try:
        code = json.loads(response.text())["error"]["code"]
    except (ValueError, TypeError, KeyError):
        code = None
    named = isinstance(code, str) and re.fullmatch("[A-Za-z]{1,60}", code)
    return f"{response.status_code} {code}" if named else str(response.status_code)


def read_object(response: HttpResponse) -> dict[str, Any]:
    """An answer that must be a JSON object; raises DeliveryError if it is not."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DeliveryError("The answer was not a JSON object.")
    return found


class DryRunCredential:
    """The credential of a dry run, in which nothing is sent."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token that gives access to nothing."""
        return AccessToken("dry-run", int(time.time()) + 3600)


class _Printer(HTTPAdapter):
    """Prints requests, without headers, and answers as a workspace without incidents would."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Print it."""
        body: Any = request.body
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        print(f"{request.method} {request.url}")
        if body:
            print(json.dumps(json.loads(body), indent=2))
        status = {"GET": 404, "PUT": 201}.get(request.method or "", 204)
        answer = HTTPResponse(io.BytesIO(), status=status, preload_content=False)
        return self.build_response(request, answer)


def dry_run_transport() -> HttpTransport:
    """Prints what would be sent and sends nothing."""
    session = requests.Session()
    session.mount("https://", _Printer())
    return RequestsTransport(session=session)
