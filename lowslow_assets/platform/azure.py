"""Azure Storage: what a URL names, and clients with the credentials of a Dagster resource.

Only the Blob endpoint is used, which accounts with a hierarchical namespace (ADLS Gen2) also have.
The packages are the extra ``azure``: they are imported when an Azure URL is first used.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from pyarrow.fs import AzureFileSystem

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from dagster_azure.blob import AzureBlobStorageResource

ACCOUNT, KEY, SAS_TOKEN = "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"
"""Environment variables, by the names that Azure's own command line has for them."""

_SCHEMES = ("abfss", "az", "https", "http")
_RETRIES = 5
_LONGEST_WAIT_SECONDS = 5
_LONGEST_READ_SECONDS = 30
_CHUNK_BYTES = 8 << 20
_REASONS = {
    "AuthenticationFailed": "the key or token is wrong or has expired",
    "AuthorizationFailure": "the key or token is wrong, or the account's network rules keep this "
    "machine out",
    "AuthorizationPermissionMismatch": "the identity or token lacks the permission (docs/azure.md "
    "lists the roles)",
    "ContainerNotFound": "there is no such container",
    "FilesystemNotFound": "there is no such container",
    "NoAuthenticationInformation": "a key, token or identity is needed",
}


def without_rest(url: str) -> str:
    """The part of an unusable URL that an error may show: the rest may hold a secret."""
    return f"{url.partition('://')[0]}://..."


class AzureUrlError(ValueError):
    """A URL does not say which container of which account is meant."""


@dataclass(frozen=True)
class Location:
    """A folder of a container; ``path`` is empty for the container itself."""

    account_url: str
    container: str
    path: str

    @property
    def account(self) -> str:
        """The account's name."""
        parts = urlsplit(self.account_url)
        return parts.path.strip("/") or str(parts.hostname).partition(".")[0]

    @property
    def prefix(self) -> str:
        """The beginning of the names of blobs in the folder."""
        return f"{self.path}/" if self.path else ""

    @property
    def arrow_path(self) -> str:
        """The folder as Arrow's file system names it."""
        return f"{self.container}/{self.path}".rstrip("/")

    def url(self, name: str = "") -> str:
        """The address of the folder, or of a blob below it, for people and logs."""
        return f"{self.account_url}/{quote(f'{self.container}/{self.prefix}{name}'.rstrip('/'))}"

    def abfss(self, name: str = "") -> str:
        """The same for Hadoop's connector, which uses the DFS endpoint."""
        host = str(urlsplit(self.account_url).hostname).replace(".blob.", ".dfs.", 1)
        return f"abfss://{self.container}@{host}/{self.prefix}{name}".rstrip("/")


def is_azure(url: str) -> bool:
    """Whether a source or lake is in Azure Storage; anything else is a local path."""
    return url.partition("://")[0].lower() in _SCHEMES and "://" in url


def locate(url: str, environment: Mapping[str, str] = os.environ) -> Location:
    """What a URL names. Raises AzureUrlError, in one sentence.

    ``abfss://container@account.dfs.core.windows.net/path``; ``az://container/path`` in the account
    that AZURE_STORAGE_ACCOUNT names; ``https://account.blob.core.windows.net/container/path``;
    ``http://127.0.0.1:10000/account/container/path`` for an emulator.
    """
    # No query, because a token in it would end up in logs.
    if "?" in url:
        raise AzureUrlError(f"a URL of Azure Storage has no query: put a token into {SAS_TOKEN}.")
    parts = urlsplit(url)
    path = unquote(parts.path).strip("/")
    if parts.scheme in ("abfss", "az"):
        container, _, host = parts.netloc.rpartition("@")
        if parts.scheme == "az" and not container:
            container, account = parts.netloc, environment.get(ACCOUNT, "").strip()
            if not account:
                raise AzureUrlError(f"{url!r} names no account: set {ACCOUNT}.")
            host = f"{account}.blob.core.windows.net"
        account_url = f"https://{host.replace('.dfs.', '.blob.', 1)}"
    else:
        account_url = f"{parts.scheme}://{parts.netloc}"
        if "." not in parts.netloc or re.fullmatch(r"[\d.]+(:\d+)?", parts.netloc):
            account, _, path = path.partition("/")
            account_url += f"/{account}"
        container, _, path = path.partition("/")
    if not (container and urlsplit(account_url).hostname):
        raise AzureUrlError(
            f"{without_rest(url)!r} does not name a container: write "
            "abfss://container@account.dfs.core.windows.net/path."
        )
    return Location(account_url, container, path)


def storage_resource(
    location: Location, environment: Mapping[str, str] = os.environ
) -> "AzureBlobStorageResource":
    """The account with the credentials that the environment names.

    A key in AZURE_STORAGE_KEY, else a token in AZURE_STORAGE_SAS_TOKEN, else the identity that
    azure-identity finds (workload or managed identity, a developer's own). The resource holds the
    variable's name, not its value.
    """
    from dagster import EnvVar
    from dagster_azure import blob

    credential: Any = blob.AzureBlobStorageDefaultCredential()
    if environment.get(KEY, "").strip():
        credential = blob.AzureBlobStorageKeyCredential(key=EnvVar(KEY))
    elif environment.get(SAS_TOKEN, "").strip():
        credential = blob.AzureBlobStorageSASTokenCredential(token=EnvVar(SAS_TOKEN))
    return blob.AzureBlobStorageResource(account_url=location.account_url, credential=credential)


def blob_service(storage: "AzureBlobStorageResource") -> "BlobServiceClient":
    """A client for the account that retries temporary failures for up to half a minute."""
    from azure.storage.blob import BlobServiceClient

    from lowslow_assets.platform.retries import StorageRetries

    secret = _secret(storage)
    credential: Any = secret.get("account_key") or secret.get("sas_token")
    if storage.credential.credential_type == "default_azure_credential":
        credential = identity(**storage.credential.kwargs)
    elif "account_key" in secret:
        account = Location(storage.account_url.rstrip("/"), "", "").account
        credential = {"account_name": account, "account_key": secret["account_key"]}
    return BlobServiceClient(
        storage.account_url,
        credential,
        retry_policy=StorageRetries(_RETRIES, _LONGEST_WAIT_SECONDS, retry_backoff_factor=0.25),
        # A failed upload is repeated from the last chunk.
        **dict.fromkeys(("max_single_put_size", "max_block_size"), _CHUNK_BYTES),
        **dict.fromkeys(("max_single_get_size", "max_chunk_get_size"), _CHUNK_BYTES),
        connection_timeout=_LONGEST_WAIT_SECONDS,
        read_timeout=_LONGEST_READ_SECONDS,
    )


def spark_settings(
    location: Location, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Settings that give Hadoop's connector (hadoop-azure) the environment's credentials.

    They are those of ``storage_resource``, but only a workload's or the machine's identity.
    """
    host = urlsplit(location.abfss()).hostname
    if key := environment.get(KEY, "").strip():
        found = {"account.auth.type": "SharedKey", "account.key": key}
    elif token := environment.get(SAS_TOKEN, "").strip():
        found = {"account.auth.type": "SAS", "sas.fixed.token": token.removeprefix("?")}
    else:
        token_file = environment.get("AZURE_FEDERATED_TOKEN_FILE", "")
        provider = "WorkloadIdentityTokenProvider" if token_file else "MsiTokenProvider"
        found = {
            "account.auth.type": "OAuth",
            "account.oauth.provider.type": f"org.apache.hadoop.fs.azurebfs.oauth2.{provider}",
            "account.oauth2.msi.tenant": environment.get("AZURE_TENANT_ID", ""),
            "account.oauth2.client.id": environment.get("AZURE_CLIENT_ID", ""),
            "account.oauth2.token.file": token_file,
        }
    return {f"spark.hadoop.fs.azure.{name}.{host}": value for name, value in found.items() if value}


def file_system(storage: "AzureBlobStorageResource") -> AzureFileSystem:
    """Arrow's file system of the account; it takes ``Location.arrow_path``."""
    parts = urlsplit(storage.account_url)
    location = Location(storage.account_url.rstrip("/"), "", "")
    endpoint = {}
    if parts.path.strip("/"):  # an emulator: the account is part of the path
        for kind in ("blob", "dfs"):
            endpoint[f"{kind}_storage_authority"] = parts.netloc
            endpoint[f"{kind}_storage_scheme"] = parts.scheme
    else:
        suffix = parts.netloc.partition(".")[2].removeprefix("blob.")
        endpoint["blob_storage_authority"] = f".blob.{suffix}"
        endpoint["dfs_storage_authority"] = f".dfs.{suffix}"
    if storage.credential.credential_type == "default_azure_credential":
        identity = storage.credential.kwargs.get("managed_identity_client_id")
        return AzureFileSystem(location.account, client_id=identity, **endpoint)
    return AzureFileSystem(location.account, **endpoint, **_secret(storage))


def reason(error: Exception) -> str:
    """Why a call to storage failed, for people, without the call, which may hold a token."""
    code = getattr(error, "error_code", None)
    if code is None and (found := re.search(r"\b(" + "|".join(_REASONS) + r")\b", str(error))):
        code = found[1]
    if code in _REASONS:
        return _REASONS[code]
    kind = type(error).__name__
    if kind in ("ServiceRequestError", "ServiceRequestTimeoutError"):
        return "it cannot be reached: its name is wrong, or this machine's network has no way to it"
    if kind == "AzureSigningError":
        return "the key is not valid: keys are base64"
    if kind in ("ClientAuthenticationError", "CredentialUnavailableError"):
        return f"no identity was found or accepted (set {KEY} or {SAS_TOKEN}, or see docs/azure.md)"
    return f"{kind} {code or getattr(error, 'status_code', None) or ''}".strip()


@cache
def identity(**options: Any) -> Any:
    """The identity that azure-identity finds; one per process, because it keeps its tokens."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(**options)


def _secret(storage: "AzureBlobStorageResource") -> dict[str, str]:
    """The secret as Arrow's file system names it; empty if an identity is used."""
    credential: Any = storage.credential
    match credential.credential_type:
        case "key":
            return {"account_key": _value(credential.key)}
        case "sas":
            # Arrow appends it to URLs unchanged; the other client accepts both forms.
            return {"sas_token": f"?{_value(credential.token).removeprefix('?')}"}
        case _:
            return {}


def _value(text: str) -> str:
    """A field's value; outside of a run, Dagster leaves a variable's name in its place."""
    from dagster import EnvVar

    return (text.get_value() or "") if isinstance(text, EnvVar) else text
