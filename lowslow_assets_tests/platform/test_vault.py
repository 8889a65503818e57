"""Secrets of a vault on loopback that requires a token as Key Vault does, refuses, and fails."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from requests.adapters import HTTPAdapter

from lowslow_assets.enrichment.answers import EnrichmentError
from lowslow_assets.enrichment.providers import open_providers
from lowslow_assets.orchestration.resources import Notifier
from lowslow_assets.platform import vault
from lowslow_assets.platform.vault import VAULT, VaultUnavailable, read_secret
from lowslow_assets.settings import SettingsError

URL = "https://soc.vault.azure.net"
TOKEN, SECRET = "planted-token", "planted-secret"
NAME = "LOWSLOW_TI_OTX_KEY"
IN_VAULT = {VAULT: URL}


@dataclass
class Vault:
    """Its secrets, its answers in place of them, and its requests."""

    secrets: dict[str, str] = field(default_factory=lambda: {NAME.replace("_", "-"): SECRET})
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str) -> tuple[int, dict[str, Any]]:
        if token != f"Bearer {TOKEN}":
            return 401, {}
        self.asked.append(path)
        name = path.removeprefix("/secrets/").rstrip("/")
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return status, {"error": {"code": "Forbidden", "message": token}}
        if name not in self.secrets:
            return 404, {"error": {"code": "SecretNotFound", "message": name}}
        return 200, {"value": self.secrets[name], "id": f"{URL}/secrets/{name}/1", "attributes": {}}


class Identity:
    """Gives a token for vaults only."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken(TOKEN, int(time.time()) + 3600)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """The vault at URL."""
    found = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            status, document = found.answer(path, self.headers.get("Authorization", ""))
            self.send_response(status)
            if status == 401:
                challenge = (
                    'authorization="https://login.example/t", resource="https://vault.azure.net"'
                )
                self.send_header("WWW-Authenticate", f"Bearer {challenge}")
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    send = HTTPAdapter.send

    def to_loopback(self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **kw: Any):
        parts = urlsplit(request.url or "")
        assert f"{parts.scheme}://{parts.netloc}" == URL
        here = parts._replace(scheme="http", netloc=f"127.0.0.1:{server.server_port}")
        request.url = urlunsplit(here)
        return send(self, request, *args, **kw)

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(HTTPAdapter, "send", to_loopback)
    monkeypatch.setattr(vault, "identity", Identity)
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_environment_comes_first_and_without_a_vault_nothing_is_requested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HTTPAdapter, "send", None)
    assert read_secret(NAME, {NAME: " own ", **IN_VAULT}) == "own"
    assert read_secret(NAME, {}) == ""
    assert read_secret(NAME, {NAME: " ", VAULT: " "}) == ""


def test_a_secret_of_the_vault(served: Vault) -> None:
    assert read_secret(NAME, IN_VAULT) == SECRET
    assert served.asked == ["/secrets/LOWSLOW-TI-OTX-KEY/"]


def test_a_missing_secret_is_empty(served: Vault) -> None:
    assert read_secret("LOWSLOW_NOTIFY_URL", IN_VAULT) == ""


def test_a_vault_that_is_busy_is_asked_again(served: Vault) -> None:
    served.statuses = [503, 429]
    assert read_secret(NAME, IN_VAULT) == SECRET
    assert len(served.asked) == 3


@pytest.mark.parametrize(
    ("statuses", "error", "said"),
    [
        ([403], SettingsError, "lacks the role Key Vault Secrets User"),
        ([400], SettingsError, "did not give the secret LOWSLOW-TI-OTX-KEY: "),
        ([503] * 9, VaultUnavailable, "status 503"),
    ],
)
def test_what_is_refused_is_one_sentence_without_secrets(
    served: Vault, statuses: list[int], error: type[Exception], said: str
) -> None:
    served.statuses = statuses
    with pytest.raises(error) as caught:
        read_secret(NAME, IN_VAULT)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{VAULT} '{URL}' did not give")
    assert TOKEN not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_missing_identity_is_reported(monkeypatch: pytest.MonkeyPatch, served: Vault) -> None:
    def none(*_: object, **__: object) -> None:
        raise ClientAuthenticationError("no credential of the chain")

    monkeypatch.setattr(Identity, "get_token", none)
    with pytest.raises(SettingsError, match=r"no identity was found or accepted \(docs/azure.md\)"):
        read_secret(NAME, IN_VAULT)


@pytest.mark.parametrize("url", ["soc", "http://soc.vault.azure.net", f"{URL}/secrets", f"{URL}?a"])
def test_a_url_that_is_not_a_vault_is_reported(url: str) -> None:
    with pytest.raises(SettingsError, match=f"{VAULT} must be the URL of a vault"):
        read_secret(NAME, {VAULT: url})


def test_a_providers_key_may_be_in_the_vault(served: Vault, tmp_path: Path) -> None:
    pytest.importorskip("msticpy.context.tilookup")
    opened = open_providers(["OTX"], tmp_path, timedelta(days=1), IN_VAULT)
    assert list(opened) == ["OTX"]
    with pytest.raises(EnrichmentError, match="LOWSLOW_TI_VIRUSTOTAL_KEY is not set"):
        open_providers(["VirusTotal"], tmp_path, timedelta(days=1), IN_VAULT)


def test_a_hook_may_be_in_the_vault(served: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOWSLOW_NOTIFY_URL", raising=False)
    monkeypatch.setenv(VAULT, URL)
    Notifier().send("nothing: there is no hook")
    assert served.asked == ["/secrets/LOWSLOW-NOTIFY-URL/"]
