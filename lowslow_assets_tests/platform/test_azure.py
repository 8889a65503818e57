"""What a URL names, and that both clients reach it with a resource's credentials."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from dagster_azure.blob import (
    AzureBlobStorageKeyCredential,
    AzureBlobStorageResource,
    AzureBlobStorageSASTokenCredential,
)
from pyarrow import fs

from lowslow_assets.platform import azure
from lowslow_assets.platform.azure import AzureUrlError, Location, locate
from lowslow_assets.platform.spark import LOCAL_SPARK
from lowslow_assets_tests.support.azurite import ACCOUNT, KEY, Emulator

HOST = "account.dfs.core.windows.net"
PROVIDERS = "org.apache.hadoop.fs.azurebfs.oauth2"
BLOB = "https://account.blob.core.windows.net"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("abfss://logs@account.dfs.core.windows.net/a/b/", (BLOB, "logs", "a/b")),
        ("abfss://logs@account.dfs.core.windows.net", (BLOB, "logs", "")),
        ("abfss://l@eu.dfs.core.cloudapi.cn/a", ("https://eu.blob.core.cloudapi.cn", "l", "a")),
        ("az://logs/WorkspaceResourceId=/x", (BLOB, "logs", "WorkspaceResourceId=/x")),
        ("az://logs@account.dfs.core.windows.net/a", (BLOB, "logs", "a")),
        ("https://account.blob.core.windows.net/logs/a%20b", (BLOB, "logs", "a b")),
        ("http://127.0.0.1:10000/dev/logs/a", ("http://127.0.0.1:10000/dev", "logs", "a")),
        ("http://azurite:10000/dev/logs", ("http://azurite:10000/dev", "logs", "")),
    ],
)  # fmt: skip
def test_a_url_names_a_folder_of_a_container(url: str, location: tuple[str, str, str]):
    assert locate(url, {azure.ACCOUNT: "account"}) == Location(*location)
    assert azure.is_azure(url)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("az://logs/a", azure.ACCOUNT),
        ("abfss://account.dfs.core.windows.net/logs", "does not name a container"),
        ("https://account.blob.core.windows.net/", "'https://...' does not name a container"),
        ("https://account.blob.core.windows.net/logs?sig=hidden", azure.SAS_TOKEN),
    ],
)
def test_a_url_without_a_container_is_reported_without_its_query(url: str, word: str):
    with pytest.raises(AzureUrlError) as caught:
        locate(url, {})
    assert re.fullmatch(r"[^\n]+\.", str(caught.value))
    assert word in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_local_paths_are_not_in_azure():
    assert not any(map(azure.is_azure, ["/data", "data", "file:///data", "C:\\data"]))


def test_a_location_has_a_name_for_each_way_in():
    location = Location(BLOB, "logs", "a b/c")
    assert location.account == "account"
    assert location.arrow_path == "logs/a b/c"
    assert location.url("d") == f"{BLOB}/logs/a%20b/c/d"
    assert location.abfss("d") == "abfss://logs@account.dfs.core.windows.net/a b/c/d"
    assert Location("http://127.0.0.1:10000/dev", "logs", "").account == "dev"


def test_credentials_come_from_the_environment_by_name_only():
    location = Location(BLOB, "logs", "")
    for environment, kind in (
        ({}, "default_azure_credential"),
        ({azure.SAS_TOKEN: "sig=planted"}, "sas"),
        ({azure.SAS_TOKEN: "sig=planted", azure.KEY: "planted"}, "key"),
    ):
        storage = azure.storage_resource(location, environment)
        assert storage.credential.credential_type == kind
        assert storage.account_url == BLOB
        assert "planted" not in repr(storage)


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        (
            {azure.KEY: "planted"},
            {f"account.auth.type.{HOST}": "SharedKey", f"account.key.{HOST}": "planted"},
        ),
        (
            {azure.SAS_TOKEN: "?sig=planted"},
            {f"account.auth.type.{HOST}": "SAS", f"sas.fixed.token.{HOST}": "sig=planted"},
        ),
        (
            {"AZURE_CLIENT_ID": "us"},
            {
                f"account.auth.type.{HOST}": "OAuth",
                f"account.oauth.provider.type.{HOST}": f"{PROVIDERS}.MsiTokenProvider",
                f"account.oauth2.client.id.{HOST}": "us",
            },
        ),
        (
            {"AZURE_FEDERATED_TOKEN_FILE": "/token", "AZURE_TENANT_ID": "here"},
            {
                f"account.auth.type.{HOST}": "OAuth",
                f"account.oauth.provider.type.{HOST}": f"{PROVIDERS}.WorkloadIdentityTokenProvider",
                f"account.oauth2.msi.tenant.{HOST}": "here",
                f"account.oauth2.token.file.{HOST}": "/token",
            },
        ),
    ],
)
def test_a_connector_of_spark_has_the_same_credentials_and_spark_shows_none(
    environment: dict[str, str], settings: dict[str, str]
):
    found = azure.spark_settings(Location(BLOB, "logs", "a"), environment)
    assert found == {f"spark.hadoop.fs.azure.{name}": value for name, value in settings.items()}
    hidden = {name for name in found if re.search(LOCAL_SPARK["spark.redaction.regex"], name)}
    assert {name for name, value in found.items() if "planted" in value} <= hidden
    assert not any(name.endswith(f"auth.type.{HOST}") for name in hidden)


def sas(location: Location, **permissions: bool) -> AzureBlobStorageResource:
    """The account with a token for this container only."""
    token = generate_container_sas(
        ACCOUNT,
        location.container,
        account_key=KEY,
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return AzureBlobStorageResource(
        account_url=location.account_url,
        credential=AzureBlobStorageSASTokenCredential(token=token),
    )


def test_both_ways_in_see_the_same(azurite: Emulator, container: Location):
    for storage in (azurite.storage, sas(container, read=True, write=True, list=True)):
        client = azure.blob_service(storage).get_container_client(container.container)
        client.upload_blob("a/b.txt", b"text", overwrite=True)
        arrow = azure.file_system(storage)
        found = arrow.get_file_info(fs.FileSelector(f"{container.arrow_path}/a"))
        assert [(info.base_name, info.size) for info in found] == [("b.txt", 4)]
        assert [blob.name for blob in client.list_blobs()] == ["a/b.txt"]


def refused(storage: AzureBlobStorageResource, location: Location) -> set[str]:
    """The reasons that each client gives for not writing."""
    with pytest.raises(AzureError) as by_client:
        azure.blob_service(storage).get_blob_client(location.container, "a").upload_blob(b"")
    arrow = azure.file_system(storage)
    with pytest.raises(OSError, match="Azure Error") as by_arrow:
        arrow.open_output_stream(f"{location.container}/a").close()
    return {azure.reason(by_client.value), azure.reason(by_arrow.value)}


def test_what_is_refused_has_a_reason(azurite: Emulator, container: Location):
    key = AzureBlobStorageKeyCredential(key="d3Jvbmc=")
    wrong = AzureBlobStorageResource(account_url=azurite.account_url, credential=key)
    for storage, location, words in (
        (wrong, container, "the key or token is wrong"),
        (azurite.storage, azurite.location("missing"), "there is no such container"),
        (sas(container, read=True), container, "lacks the permission"),
    ):
        reasons = refused(storage, location)
        assert len(reasons) == 1, reasons
        assert words in reasons.pop()


def test_no_key_and_no_server_have_reasons(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(azure, "_RETRIES", 0)
    nowhere = "http://127.0.0.1:1/account"
    for key, words in (("abcde", "base64"), (KEY, "cannot be reached")):
        credential = AzureBlobStorageKeyCredential(key=key)
        storage = AzureBlobStorageResource(account_url=nowhere, credential=credential)
        with pytest.raises(AzureError) as caught:
            next(azure.blob_service(storage).list_containers())
        assert words in azure.reason(caught.value)
