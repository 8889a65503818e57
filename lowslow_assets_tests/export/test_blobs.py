"""An export in a container: what is listed and read, and the messages when that fails."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import dagster as dg
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from lowslow_assets.engines import workers
from lowslow_assets.engines.base import Engine
from lowslow_assets.export import blobs
from lowslow_assets.export.blobs import open_blobs
from lowslow_assets.export.folders import LocalExport
from lowslow_assets.export.source import Export, SourceError, SourceUnavailable
from lowslow_assets.orchestration.assets.signins import ingest_signins
from lowslow_assets.orchestration.resources import LakeResource, SourceResource
from lowslow_assets.orchestration.sensors import new_days
from lowslow_assets.platform import azure
from lowslow_assets.platform.azure import Location
from lowslow_assets.sample_tenant import Tenant, generate
from lowslow_assets.settings import EXECUTORS, NATIVE, SIGNIN_LOGS, STAGED
from lowslow_assets_tests.orchestration.conftest import SharedEngine
from lowslow_assets_tests.support.azurite import ACCOUNT, KEY, Emulator
from lowslow_assets_tests.support.faults import BUSY, FAULTS, THROTTLED, Proxy, proxy
from lowslow_assets_tests.support.spreading import FOLDER, root_in, spread

TENANT = Tenant(seed=5, days=2, users=60, signins_per_day=100)
DAYS = [TENANT.start + timedelta(days=n) for n in range(TENANT.days)]
DAY = date(2026, 6, 3)
HOUR = "y=2026/m=06/d=03/h=00"
SIGNIN = {
    "Id": "one",
    "TimeGenerated": datetime(2026, 6, 3, 1, 2, 3, 456789, tzinfo=UTC),
    "UserPrincipalName": "ann@example.com",
    "ResultType": "50126",
    "AutonomousSystemNumber": 64500,
    "DeviceDetail": json.dumps({"browser": 'Edge "1"', "operatingSystem": "Ünix"}),
    "IsInteractive": True,
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's key in the environment; Arrow's own waits are long enough."""
    monkeypatch.setenv(azure.KEY, KEY)
    monkeypatch.delenv(azure.SAS_TOKEN, raising=False)


def url(emulator: Emulator, container: Location, folder: str = FOLDER) -> str:
    """The source in the form of the settings."""
    return f"{emulator.account_url}/{container.container}/{folder}"


def put(azurite: Emulator, container: Location, name: str, content: bytes) -> str:
    """Append to a blob of the export, as the export does."""
    blob = azurite.service.get_blob_client(container.container, f"{FOLDER}/{name}")
    if not blob.exists():
        blob.create_append_blob()
    if content:
        blob.append_block(content)
    return name


def sas(container: Location, **permissions: bool) -> str:
    """A token for this container only."""
    return generate_container_sas(
        ACCOUNT,
        container.container,
        account_key=KEY,
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


def upload(azurite: Emulator, container: Location, root: Path) -> None:
    client = azurite.service.get_container_client(container.container)
    for path in root.rglob("*.*"):
        name = f"{FOLDER}/{path.relative_to(root).as_posix()}"
        client.upload_blob(name, path.read_bytes(), overwrite=True)


# --- listing ---------------------------------------------------------------------------------


def test_days_and_files_are_those_of_the_same_tree_on_a_disk(
    azurite: Emulator, container: Location, tmp_path: Path
):
    for name in (
        *(f"{HOUR}/m=00/PT05M.json", f"{HOUR}/m=00/PT05M_1.json", f"{HOUR}/PT5M.json.gz"),
        *(f"{HOUR}/notes.txt", f"{HOUR}/.PT05M.json", "y=2026/m=06/d=03/_temporary/PT05M.json"),
        *("y=2026/m=6/d=3/h=1/m=0/PT05M.json", "y=2026/m=06/d=30/PT05M.json"),
        *("timestamp=2026-06-03T05/a.parquet", "timestamp=2026-06-04T00/a.parquet"),
        *("year=2025/month=12/day=31/hour=23/a.parquet", "year=2026/m=06/d=01/a.json"),
        *("y=2026/m=02/d=30/a.json", "PT05M.json", "y=2026/PT05M.json"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    upload(azurite, container, tmp_path)
    local, remote = LocalExport(str(tmp_path)), open_blobs(url(azurite, container), STAGED)
    expected = [date(2026, 6, 30), date(2026, 6, 4), DAY, date(2025, 12, 31)]
    assert list(local.days()) == list(remote.days()) == expected
    for day in [*expected, date(2026, 2, 1)]:
        ours, theirs = local.list_day(day), remote.list_day(day)
        assert [(f.name, f.size) for f in theirs.files] == [(f.name, f.size) for f in ours.files]
    listed = remote.list_day(DAY)
    assert len(listed.readable) == 5
    assert [name for name, _ in listed.refused] == [f"{HOUR}/notes.txt"]
    # A container can also be the root.
    root = open_blobs(f"{azurite.account_url}/{container.container}/", STAGED)
    assert list(root.days()) == []


def test_the_version_changes_with_each_append_and_only_then(azurite: Emulator, container: Location):
    def version() -> str:
        return open_blobs(url(azurite, container), STAGED).list_day(DAY).version

    seen = [version()]
    for name, content in (
        (f"{HOUR}/m=00/PT05M.json", b"{}\n"),
        (f"{HOUR}/m=05/PT05M.json", b"{}\n"),
        (f"{HOUR}/m=00/PT05M.json", b"{}\n"),  # late
        (f"{HOUR}/m=00/PT05M_1.json", b""),
    ):
        put(azurite, container, name, content)
        seen.append(version())
    assert len(set(seen)) == len(seen)
    put(azurite, container, "y=2026/m=06/d=04/h=00/m=00/PT05M.json", b"{}\n")
    assert version() == seen[-1]


def test_a_look_at_a_long_export_takes_few_calls(
    azurite: Emulator, container: Location, monkeypatch: pytest.MonkeyPatch
):
    for day in range(1, 29):
        for month in (4, 5):
            put(azurite, container, f"y=2026/m={month:02}/d={day:02}/h=00/m=00/PT05M.json", b"{}\n")
    with proxy(azurite, faults=()) as between:
        source = SourceResource(root=url(between.emulator, container))
        context = dg.build_sensor_context(resources={"source": source})
        found = new_days(context)
        assert isinstance(found, dg.SensorResult)
        assert [run.partition_key for run in found.run_requests or []] == [
            f"2026-05-{day}" for day in range(22, 29)
        ]
        # Years, months, days of the newest month; then one listing per watched day.
        assert len(between.calls) == 3 + 7


# --- reading ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tenant's export, with all other kinds of files that occur."""
    root = tmp_path_factory.mktemp("tenant")
    generate(TENANT, root / "signins", root / "labels.csv")
    folder = next((root / "signins").glob("y=*/m=*/d=*"))
    (folder / "packed.json.gz").write_bytes(
        gzip.compress(b"\xef\xbb\xbfno JSON\r\n\xff\xc3(\rlast")
    )
    (folder / "cut.json.gz").write_bytes(gzip.compress(bytes(range(256)) * 99)[:-9])
    (folder / "empty.json").touch()
    (folder / "h=00 +%20ü.json").write_bytes(b"a name\n")
    (folder / "colon 02:05.json").write_bytes(b"{}\n")
    rows = pa.Table.from_pylist([SIGNIN, SIGNIN | {"Id": None, "UserPrincipalName": "ü\n\"x'"}])
    pq.write_table(rows, folder / "rows.parquet")
    pq.write_table(pa.table({"Id": [1], "ResultType": [0]}), folder / "numbers.parquet")
    (folder / "junk.parquet").write_bytes(b"PAR1junk")
    return root / "signins"


def ingest(
    source: SourceResource, lake: Path, engine: Engine, **options: object
) -> dg.ExecuteInProcessResult:
    """Both tables of all days, in one run; errors are raised."""
    shared = SharedEngine.of_tests(engine)
    return dg.materialize(
        [ingest_signins],
        resources={
            "source": source,
            "lake": LakeResource(root=str(lake), engine=shared),
            "engine": shared,
        },
        tags={
            "dagster/asset_partition_range_start": str(DAYS[0]),
            "dagster/asset_partition_range_end": str(DAYS[-1]),
        },
        **options,  # type: ignore[arg-type]
    )


def tables(lake: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of both tables, in an order that depends only on the rows."""
    return {
        name: sorted(
            ds.dataset(lake / name, format="parquet", partitioning="hive").to_table().to_pylist(),
            key=lambda row: json.dumps(row, default=str),
        )
        for name in ("raw_signins", "rejected_signins")
    }


@pytest.fixture(scope="module")
def local_tables(
    duckdb_engine: Engine, tenant: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, object]]]:
    """The result that every other way must have."""
    lake = tmp_path_factory.mktemp("lake")
    ingest(SourceResource(root=str(tenant)), lake, duckdb_engine)
    found = tables(lake)
    assert len(found["raw_signins"]) > 150
    assert {re.sub(".*/", "", str(row["file"])) for row in found["rejected_signins"]} >= {
        *("packed.json.gz", "cut.json.gz", "h=00 +%20ü.json", "colon 02:05.json"),
        *("rows.parquet", "numbers.parquet", "junk.parquet"),
    }
    return found


@pytest.fixture
def filled(azurite: Emulator, container: Location, tenant: Path) -> Location:
    """A container that holds the tenant's export."""
    upload(azurite, container, tenant)
    return container


@pytest.fixture
def elsewhere(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that parses files in other processes, whose environment has the key."""
    monkeypatch.setattr(workers, "_BYTES_PER_WORKER", 1)
    if spark := getattr(engine, "session", None):
        # The shared session is older than our environment.
        monkeypatch.setitem(spark.sparkContext.environment, azure.KEY, KEY)
    return engine


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_tables_are_those_of_the_local_path(
    azurite: Emulator,
    filled: Location,
    tmp_path: Path,
    elsewhere: Engine,
    local_tables: dict[str, list[dict[str, object]]],
    read: str,
):
    ingest(SourceResource(root=url(azurite, filled), read=read), tmp_path, elsewhere)
    assert tables(tmp_path) == local_tables


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_faults_on_the_way_change_nothing(
    azurite: Emulator,
    filled: Location,
    tmp_path: Path,
    duckdb_engine: Engine,
    local_tables: dict[str, list[dict[str, object]]],
    read: str,
):
    with proxy(azurite, one_in=11) as between:
        source = SourceResource(root=url(between.emulator, filled), read=read)
        ingest(source, tmp_path, duckdb_engine)
        assert all(between.done[fault] > 3 for fault in FAULTS)
    assert tables(tmp_path) == local_tables


LOG = "AADNonInteractiveUserSignInLogs"


@pytest.fixture(scope="module")
def two_logs(
    azurite: Emulator, tenant: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of SigninLogs; about half of the sign-ins are in another log's container."""
    account = tmp_path_factory.mktemp("account")
    spread(tenant, account, LOG)
    containers = [azurite.location(f"am-{log.lower()}") for log in (SIGNIN_LOGS, LOG)]
    for log, container in zip((SIGNIN_LOGS, LOG), containers, strict=True):
        azurite.service.create_container(container.container)
        upload(azurite, container, root_in(account, log))
    yield url(azurite, containers[0])
    for container in containers:
        azurite.service.delete_container(container.container)


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_sign_ins_in_two_containers_make_the_tables_of_one(
    two_logs: str,
    tmp_path: Path,
    duckdb_engine: Engine,
    local_tables: dict[str, list[dict[str, object]]],
    read: str,
):
    source = SourceResource(root=two_logs, read=read, logs=[SIGNIN_LOGS, LOG])
    ingest(source, tmp_path, duckdb_engine)
    found = tables(tmp_path)
    assert found["raw_signins"] == local_tables["raw_signins"]
    files = [str(row["file"]) for row in found["rejected_signins"]]
    assert {name.startswith(f"{LOG}/") for name in files} == {True, False}
    for row in found["rejected_signins"]:
        row["file"] = str(row["file"]).removeprefix(f"{LOG}/")
    in_any_order = Counter(json.dumps(row, default=str) for row in found["rejected_signins"])
    assert in_any_order == Counter(
        json.dumps(row, default=str) for row in local_tables["rejected_signins"]
    )


def test_a_log_without_a_container_is_reported(two_logs: str):
    with pytest.raises(SourceError) as caught:
        SourceResource(root=two_logs, logs=[SIGNIN_LOGS, "ADFSSignInLogs"]).open()
    assert_sentence(caught.value, "LOWSLOW_LOGS names ADFSSignInLogs, but ", "no such container")


def test_a_connector_is_given_the_urls_that_it_knows(azurite: Emulator, container: Location):
    name = put(azurite, container, f"{HOUR}/m=10/PT 05M+ü.json", b"{}\n")
    export = open_blobs(url(azurite, container), NATIVE)
    [file] = export.inputs([export.list_day(DAY)])
    assert export.open_files is None
    assert (file.day, file.name, file.size) == (DAY, name, 3)
    assert file.location == f"abfss://{container.container}@127.0.0.1/{FOLDER}/{name}"
    odd = put(azurite, container, f"{HOUR}/m=10/02:05.json", b"{}\n")
    files = export.list_day(DAY)
    assert [name for name, _ in files.refused] == [odd]
    assert export.inputs([files]) == [file]


def contents(export: Export, day: date = DAY) -> dict[str, bytes]:
    """The day's files that are opened, by name."""
    files = export.inputs([export.list_day(day)])
    assert export.open_files
    return {file.name: content.read() for file, content in export.open_files(files)}


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_content_is_what_was_listed(azurite: Emulator, container: Location, read: str):
    name = put(azurite, container, f"{HOUR}/m=00/PT05M.json", b"one\n")
    with open_blobs(url(azurite, container), read) as export:
        files = export.list_day(DAY)
        put(azurite, container, name, b"two\n")
        inputs = export.inputs([files])
        assert export.open_files
        assert [opened.read() for _, opened in export.open_files(inputs)] == [b"one\n"]
        assert contents(export) == {name: b"one\ntwo\n"}


def test_copies_are_removed_by_the_next_call_and_the_end(azurite: Emulator, container: Location):
    put(azurite, container, f"{HOUR}/m=00/PT05M.json", b"one\n")
    with open_blobs(url(azurite, container), STAGED) as export:
        files = export.list_day(DAY)
        [first] = export.inputs([files])
        [second] = export.inputs([files])
        assert not Path(first.location).exists()
        assert Path(second.location).read_bytes() == b"one\n"
    assert not Path(second.location).parent.exists()


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_a_file_that_was_removed_or_cut_meanwhile_is_retried_later(
    azurite: Emulator, container: Location, monkeypatch: pytest.MonkeyPatch, read: str
):
    monkeypatch.setattr(blobs, "_WAITS", ())
    client = azurite.service.get_container_client(container.container)
    for content, words in ((b"a", "the connection broke"), (None, "removed meanwhile")):
        name = put(azurite, container, f"{HOUR}/m=00/PT05M.json", b"one\n")
        with open_blobs(url(azurite, container), read) as export:
            listed = export.list_day(DAY)
            client.delete_blob(f"{FOLDER}/{name}")
            if content:
                put(azurite, container, name, content)
            with pytest.raises(SourceUnavailable, match=words):
                list(export.open_files(export.inputs([listed])))  # type: ignore[misc]


@pytest.mark.parametrize("read", [STAGED, EXECUTORS])
def test_blobs_are_read_whatever_their_names_are_but_those_that_no_file_can_have(
    azurite: Emulator, container: Location, read: str
):
    client = azurite.service.get_container_client(container.container)
    odd = [f"{HOUR}/{name}.json" for name in ("x" * 300, "02:05 ?#%20+ü", "new\nline")]
    bad = f"{HOUR}/m=00//PT05M.json"
    for name in [*odd, bad]:
        client.upload_blob(f"{FOLDER}/{name}", name.encode())
    with open_blobs(url(azurite, container), read) as export:
        assert [name for name, _ in export.list_day(DAY).refused] == [bad]
        assert contents(export) == {name: name.encode() for name in odd}


# --- errors ----------------------------------------------------------------------------------


def assert_sentence(error: BaseException, *words: str) -> None:
    text = str(error)
    assert re.fullmatch(r"[^\n]+\.", text)
    assert all(word in text for word in ("LOWSLOW_SOURCE", *words)), text


def test_what_azure_refuses_is_one_sentence_and_not_tried_again(
    azurite: Emulator, container: Location, monkeypatch: pytest.MonkeyPatch
):
    put(azurite, container, f"{HOUR}/PT05M.json", b"{}\n")
    missing = Location(azurite.account_url, "missing", "")
    for variables, place, words in (
        ({azure.KEY: "d3Jvbmc="}, container, "the key or token is wrong"),
        ({}, missing, "there is no such container"),
        ({azure.KEY: "", azure.SAS_TOKEN: sas(container, read=True)}, container, "permission"),
        ({azure.KEY: "", azure.SAS_TOKEN: "sv=1&sig=x"}, container, "token"),
    ):
        with monkeypatch.context() as patch, proxy(azurite, faults=()) as between:
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SourceError) as caught:
                open_blobs(url(between.emulator, place), STAGED).require_days()
            assert_sentence(caught.value, words)
            assert len(between.calls) == 1
            assert "sig=" not in str(caught.value)


def test_a_container_without_days_and_a_url_without_container_are_said(
    azurite: Emulator, container: Location
):
    with pytest.raises(SourceError) as caught:
        open_blobs(url(azurite, container), STAGED).require_days()
    assert_sentence(caught.value, "y=YYYY/m=MM/d=DD", FOLDER)
    with pytest.raises(SourceError) as caught:
        open_blobs("abfss://account.dfs.core.windows.net/x", STAGED)
    assert_sentence(caught.value, "does not name a container")


def test_reading_without_permission_is_said_too(
    azurite: Emulator, container: Location, monkeypatch: pytest.MonkeyPatch
):
    put(azurite, container, f"{HOUR}/PT05M.json", b"{}\n")
    monkeypatch.setenv(azure.KEY, "")
    monkeypatch.setenv(azure.SAS_TOKEN, sas(container, list=True))
    with open_blobs(url(azurite, container), STAGED) as export:
        files = export.list_day(DAY)
        with pytest.raises(SourceError) as caught:
            export.inputs([files])
    assert_sentence(caught.value, "lacks the permission")


# --- the sensor ------------------------------------------------------------------------------


@pytest.fixture
def out_of_order(azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A connection on which every call fails."""
    monkeypatch.setattr(azure, "_RETRIES", 1)
    with proxy(azurite, one_in=1, faults=(BUSY, THROTTLED)) as between:
        yield between


def test_a_busy_source_is_a_reason_to_skip_and_the_next_tick_finds_what_came(
    azurite: Emulator, container: Location, out_of_order: Proxy
):
    def tick(emulator: Emulator, cursor: str | None) -> dg.SensorResult:
        source = SourceResource(root=url(emulator, container))
        found = new_days(dg.build_sensor_context(cursor=cursor, resources={"source": source}))
        assert isinstance(found, dg.SensorResult)
        return found

    name = put(azurite, container, f"{HOUR}/m=00/PT05M.json", b"{}\n")
    first = tick(azurite, None)
    assert [run.partition_key for run in first.run_requests or []] == [str(DAY)]
    put(azurite, container, name, b"{}\n")
    busy = tick(out_of_order.emulator, first.cursor)
    assert isinstance(busy.skip_reason, dg.SkipReason)
    assert "should pass" in (busy.skip_reason.skip_message or "")
    assert (busy.run_requests or [], busy.cursor) == ([], None)
    again = tick(azurite, first.cursor)
    assert [run.partition_key for run in again.run_requests or []] == [str(DAY)]
    assert tick(azurite, again.cursor).run_requests == []


# --- secrets ---------------------------------------------------------------------------------


def recognizable(token: str) -> str:
    """A part of the token's signature that is the same in every quoting."""
    return max(re.findall("[A-Za-z0-9]+", unquote(token.partition("sig=")[2])), key=len)


@pytest.mark.parametrize(
    ("read", "may_read", "words"), [(STAGED, True, "status 429"), (EXECUTORS, False, "permission")]
)
def test_no_secret_is_in_the_events_of_a_run_that_gives_up(
    azurite: Emulator,
    filled: Location,
    duckdb_engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: str,
    may_read: bool,
    words: str,
):
    token = sas(filled, list=True, read=may_read)
    monkeypatch.setattr(blobs, "_WAITS", ())
    # Executors are other processes, whose errors arrive as text.
    monkeypatch.setattr(workers, "_BYTES_PER_WORKER", 1)
    monkeypatch.setenv(azure.KEY, "")
    monkeypatch.setenv(azure.SAS_TOKEN, token)
    # Arrow's errors then contain the blob's address, with the token.
    with (
        proxy(azurite, one_in=1, faults=[THROTTLED] * may_read, only="PT05M") as between,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        source = SourceResource(root=url(between.emulator, filled), read=read)
        done = ingest(source, tmp_path, duckdb_engine, instance=instance, raise_on_error=False)
        assert not done.success
        [failure] = [event for event in done.all_events if event.is_step_failure]
        error = failure.step_failure_data.error
        assert error
        said = (error.cause or error).message
        assert re.fullmatch(r"\S+: LOWSLOW_SOURCE [^\n]+\.\n*", said)
        assert words in said
        events = "\n".join(map(dg.serialize_value, instance.all_logs(done.run_id)))
    assert recognizable(token) not in events


def test_no_secret_is_in_what_runs_print_and_record(
    azurite: Emulator, filled: Location, tmp_path: Path
):
    """Two runs as a person starts them: one works, one is refused."""
    token = sas(filled, list=True)
    secrets = [KEY, recognizable(token)]
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [sys.executable, "-m", "dagster", "asset", "materialize"]
    command += ["-m", "lowslow_assets.definitions", "--select", "key:raw_signins"]
    said = b""
    for variables, status in (
        ({azure.KEY: KEY, "LOWSLOW_READ": EXECUTORS}, 0),
        ({azure.SAS_TOKEN: token, azure.KEY: "", "LOWSLOW_READ": STAGED}, 1),
    ):
        done = subprocess.run(
            [*command, "--partition", str(DAYS[0])],
            env=os.environ
            | {"DAGSTER_HOME": str(home), "LOWSLOW_SOURCE": url(azurite, filled)}
            | {"LOWSLOW_LAKE": str(tmp_path / "lake")}
            | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode != 0) == status, done.stdout.decode()[-2000:]
        said += done.stdout
    assert b"lacks the permission" in said
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"lacks the permission" in content for content in kept)
    for secret in secrets:
        assert not any(secret.encode() in content for content in [said, *kept])
