"""A lake in a container: a day is whole or missing, whoever is killed, writes too or fails."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from dagster_azure.blob import (
    AzureBlobStorageKeyCredential,
    AzureBlobStorageResource,
    AzureBlobStorageSASTokenCredential,
)
from pyarrow import fs

from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.lake import Lake, LakeError
from lowslow_assets.lake.stores import blobs
from lowslow_assets.lake.stores.base import LakeUnavailable
from lowslow_assets.lake.stores.blobs import Blobs, NativeBlobs
from lowslow_assets.lake.tables import Table
from lowslow_assets.platform import azure
from lowslow_assets.platform.azure import Location
from lowslow_assets_tests.support.azurite import ACCOUNT, KEY, Emulator
from lowslow_assets_tests.support.faults import BUSY, FAULTS, LOST, proxy

NUMBERS = Table("numbers", "Numbers.", schema("number bigint"))
MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)
NO_ENGINE = cast(Engine, None)


class Lakes:
    """Lakes on one container, each as if on another machine."""

    def __init__(self, azurite: Emulator, container: Location, folder: Path) -> None:
        self.azurite, self.container, self._folder = azurite, container, folder
        self.client = azurite.service.get_container_client(container.container)
        self._machines = 0

    def lake(self, storage: AzureBlobStorageResource | None = None) -> Lake:
        """A lake with an empty cache."""
        storage = storage or self.azurite.storage
        location = Location(storage.account_url, self.container.container, "a lake/of ours")
        lake = Lake(location.url(), NO_ENGINE, storage)
        self._machines += 1
        lake.store = Blobs(location, storage, self._folder / str(self._machines))
        return lake

    def names(self) -> list[str]:
        """All files in the lake, without write checks and names of generations."""
        found = [name.removeprefix("a lake/of ours/") for name in self.client.list_blob_names()]
        return sorted(
            re.sub("[0-9a-f]{32}", "*", name) for name in found if not name.startswith(".staging")
        )


@pytest.fixture
def lakes(azurite: Emulator, container: Location, tmp_path: Path) -> Lakes:
    return Lakes(azurite, container, tmp_path)


def write(lake: Lake, number: int, day: date = MONDAY) -> None:
    """A partition of that many rows of that number."""
    lake.write_rows(NUMBERS, [{"number": number}] * number, day, {"number": number})


def read(lake: Lake, day: date = MONDAY) -> int:
    """The number whose partition this is, whole."""
    numbers = [row["number"] for row in lake.rows(NUMBERS, [day])]
    partition = lake.partition(NUMBERS, day)
    assert partition
    assert numbers == [partition.rows] * partition.rows
    assert partition.made_from == {"number": partition.rows}
    return partition.rows


# --- one after the other ---------------------------------------------------------------------


def test_a_partition_is_files_that_its_provenance_names(lakes: Lakes):
    lake = lakes.lake()
    assert (lake.days(NUMBERS), lake.partition(NUMBERS, MONDAY)) == ([], None)
    for number in (3, 0, 2):
        write(lake, number)
        write(lake, number + 1, TUESDAY)
        for reader in (lake, lakes.lake()):
            assert (read(reader), read(reader, TUESDAY)) == (number, number + 1)
            assert reader.days(NUMBERS) == [MONDAY, TUESDAY]
            assert len(reader.rows(NUMBERS, [MONDAY, TUESDAY])) == 2 * number + 1
        assert lakes.names() == [
            f"numbers/date={day}/{file}"
            for day in (MONDAY, TUESDAY)
            for file in ("*.parquet", "_provenance.json")
        ]
    provenance = lakes.client.download_blob(
        "a lake/of ours/numbers/date=2026-06-01/_provenance.json"
    )
    assert [*json.loads(provenance.readall())] == ["rows", "schema_digest", "made_from", "files"]


def test_documents_of_one_write_are_in_one_folder(lakes: Lakes):
    lake = lakes.lake()
    for text in ("old", "new"):
        folder = lake.write_documents("pages", MONDAY, {"index.html": text, "ü <b>.json": "{}"})
        assert re.fullmatch(
            r"http.*/a%20lake/of%20ours/pages/date%3D2026-06-01/[0-9a-f]{32}", folder
        )
        found = ["*/index.html", "*/ü <b>.json", "_provenance.json"]
        assert lakes.names() == [f"pages/date=2026-06-01/{file}" for file in found]
    [page] = [blob for blob in lakes.client.list_blobs() if blob.name.endswith("index.html")]
    assert page.content_settings.content_type == "text/html"
    assert lakes.client.download_blob(page.name).readall() == b"new"
    lake.write_documents("pages", MONDAY, {})
    assert lakes.names() == ["pages/date=2026-06-01/_provenance.json"]


def test_old_days_are_dropped_with_what_killed_runs_left_there(
    lakes: Lakes, monkeypatch: pytest.MonkeyPatch
):
    lake = lakes.lake()
    for day in (MONDAY, TUESDAY):
        write(lake, 2, day)
        for name in (f"numbers/date={day}/left.parquet", f"numbers2/date={day}/other.parquet"):
            lakes.client.upload_blob(f"a lake/of ours/{name}", b"")
    assert lake.drop("numbers", MONDAY) == []
    assert lake.drop("numbers", TUESDAY) == [MONDAY]
    assert lake.days(NUMBERS) == [TUESDAY]
    # A running run may still name it.
    assert [name for name in lakes.names() if "06-01" in name] == [
        "numbers/date=2026-06-01/left.parquet",
        "numbers2/date=2026-06-01/other.parquet",
    ]
    monkeypatch.setattr(blobs, "ABANDONED_AFTER_SECONDS", -60)
    assert lake.drop("numbers", TUESDAY) == []
    write(lake, 3, TUESDAY)
    assert [name for name in lakes.names() if "left" in name] == []
    assert read(lakes.lake(), TUESDAY) == 3


def test_the_cache_keeps_what_is_used(lakes: Lakes, tmp_path: Path):
    lake = lakes.lake()
    write(lake, 1)
    write(lake, 2, TUESDAY)
    cached = {path.parent.name: path for path in tmp_path.rglob("*.parquet")}
    assert sorted(cached) == ["date=2026-06-01", "date=2026-06-02"]
    long_ago = time.time() - 4 * 24 * 3600
    for path in cached.values():
        os.utime(path, (long_ago, long_ago))
    read(lake)
    assert isinstance(lake.store, Blobs)
    lake.store._sweep_cache()
    assert [*tmp_path.rglob("*.parquet")] == [cached["date=2026-06-01"]]
    assert [path.name for path in tmp_path.rglob("date=*")] == ["date=2026-06-01"]
    assert read(lake, TUESDAY) == 2


def test_a_provenance_that_names_files_elsewhere_is_not_followed(lakes: Lakes, tmp_path: Path):
    lake = lakes.lake()
    write(lake, 1)
    folder = f"a lake/of ours/numbers/date={MONDAY}"
    provenance = json.loads(lakes.client.download_blob(f"{folder}/_provenance.json").readall())
    [(file, size)] = provenance["files"].items()
    content = lakes.client.download_blob(f"{folder}/{file}").readall()
    for elsewhere in ("../../../outside.parquet", "/outside.parquet"):
        lakes.client.upload_blob(f"{folder}/outside.parquet", content, overwrite=True)
        text = json.dumps(provenance | {"files": {elsewhere: size}})
        lakes.client.upload_blob(f"{folder}/_provenance.json", text, overwrite=True)
        lakes.lake().rows(NUMBERS, [MONDAY])
    found = [path.parent.name for path in tmp_path.rglob("outside*")]
    assert found == [f"date={MONDAY}"] * 2


def test_files_that_are_permanently_missing_are_reported(lakes: Lakes):
    lake = lakes.lake()
    write(lake, 1)
    [name] = [name for name in lakes.client.list_blob_names() if name.endswith(".parquet")]
    lakes.client.delete_blob(name)
    with pytest.raises(
        LakeError, match=r"^Files of numbers .* missing: materialize numbers again\.$"
    ):
        lakes.lake().rows(NUMBERS, [MONDAY])
    write(lake, 2)
    assert read(lakes.lake()) == 2


class Renaming:
    """Arrow's file system as with a hierarchical namespace: the emulator cannot rename."""

    def __init__(self, arrow: fs.FileSystem) -> None:
        self._arrow = arrow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._arrow, name)

    def move(self, source: str, target: str) -> None:
        self._arrow.copy_file(source, target)
        self._arrow.delete_file(source)


def test_with_a_connector_spark_reads_and_writes_nothing_on_this_machine(
    lakes: Lakes, tmp_path: Path
):
    location = lakes.container
    lake = lakes.lake()
    lake.store = store = NativeBlobs(location, lakes.azurite.storage, tmp_path / "native")
    arrow = store._arrow
    for number in (1, 2):
        with store.staging("numbers") as staging:
            assert re.fullmatch(r"abfss://.*/\.staging/numbers-[0-9a-f]{32}", staging.name)
            # As Spark would.
            staging.files.create_dir(f"date={MONDAY}")
            for part in range(number):
                path = f"date={MONDAY}/part-{number}-{part}.parquet"
                rows = pa.table({"number": pa.array([number], pa.int64())})
                pq.write_table(rows, path, filesystem=staging.files)
            store._arrow = cast(fs.FileSystem, Renaming(arrow))
            partition = lake._commit(NUMBERS, staging, MONDAY, {"number": number})
            store._arrow = arrow
        assert partition.rows == number
        assert [*tmp_path.rglob("*.parquet")] == []
        folder = location.abfss("numbers")
        assert store.engine_files("numbers", {MONDAY: partition.files}) == [
            f"{folder}/date={MONDAY}/part-{number}-{part}.parquet" for part in range(number)
        ]
        names = list(lakes.client.list_blob_names())
        assert len([name for name in names if re.match("numbers/date=.*/.", name)]) == number + 1
        assert [name for name in names if name.startswith(".staging/numbers")] == []
    assert read(lake) == 2


# --- killed ----------------------------------------------------------------------------------


class Killer:
    """Ends a run at its n-th call that changes something, before or after the change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
        self.killed = False
        self._left: int | None = None
        send = RequestsTransport.send

        def killing(transport: Any, request: Any, **options: Any) -> Any:
            if self._left is None or request.method not in ("PUT", "DELETE"):
                return send(transport, request, **options)
            self._left -= 1
            if self._left > 0:
                return send(transport, request, **options)
            if not before:
                send(transport, request, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(RequestsTransport, "send", killing)

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """The block is killed at that moment, if it lasts as long."""
        self.killed, self._left = False, moment
        try:
            yield
        except KeyboardInterrupt:
            self.killed = True
        finally:
            self._left = None


@pytest.mark.parametrize("before", [True, False])
def test_a_write_that_is_killed_leaves_the_old_or_the_new(
    lakes: Lakes, monkeypatch: pytest.MonkeyPatch, before: bool
):
    killer = Killer(monkeypatch, before)
    seen: list[int] = []
    while not seen or killer.killed:
        write(lakes.lake(), 1)
        number = len(seen) + 2
        with killer.at(len(seen) + 1):
            write(lakes.lake(), number)
        seen.append(read(lakes.lake()))
        assert seen[-1] in (1, number)
    # Checked, uploaded, named, the old files removed, and then not killed any more.
    assert [number == 1 for number in seen] == [True, True, before, False, False]
    # A later write removes what was left.
    assert len(lakes.names()) > 2
    monkeypatch.setattr(blobs, "ABANDONED_AFTER_SECONDS", -60)
    write(lakes.lake(), 1)
    assert len(lakes.names()) == 2


@pytest.mark.parametrize("before", [True, False])
def test_documents_whose_write_is_killed_are_the_old_or_the_new(
    lakes: Lakes, monkeypatch: pytest.MonkeyPatch, before: bool
):
    def documents() -> list[bytes]:
        folder = f"a lake/of ours/pages/date={MONDAY}/"
        provenance = lakes.client.download_blob(f"{folder}_provenance.json").readall()
        files = sorted(json.loads(provenance)["files"])
        return [lakes.client.download_blob(f"{folder}{file}").readall() for file in files]

    killer = Killer(monkeypatch, before)
    seen: list[list[bytes]] = []
    while not seen or killer.killed:
        lakes.lake().write_documents("pages", MONDAY, {"a": "old", "b": "old", "c": "old"})
        with killer.at(len(seen) + 1):
            lakes.lake().write_documents("pages", MONDAY, {"a": "new", "b": "new"})
        seen.append(documents())
    assert {len(each) for each in seen} == {2, 3}
    assert all(each in ([b"old"] * 3, [b"new"] * 2) for each in seen)


@pytest.mark.parametrize("before", [True, False])
def test_a_drop_that_is_killed_leaves_a_day_complete_or_removed(
    lakes: Lakes, monkeypatch: pytest.MonkeyPatch, before: bool
):
    killer = Killer(monkeypatch, before)
    there: list[bool] = []
    while not there or killer.killed:
        write(lakes.lake(), 2)
        with killer.at(len(there) + 1):
            lakes.lake().drop("numbers", TUESDAY)
        reader = lakes.lake()
        there.append(bool(reader.days(NUMBERS)))
        assert not there[-1] or read(reader) == 2
    assert there == [before, False, False]


# --- at the same time ------------------------------------------------------------------------


def test_writers_of_a_day_replace_each_other_and_readers_see_one_of_them(lakes: Lakes):
    write(lakes.lake(), 1)
    done = threading.Event()
    seen: list[int] = []

    def watch(reader: Lake) -> None:
        while not done.is_set():
            # A reader whose partition is replaced three times in a row gets an error that says so.
            with suppress(LakeError):
                seen.append(read_rows(reader))

    def read_rows(reader: Lake) -> int:
        numbers = [row["number"] for row in reader.rows(NUMBERS, [MONDAY])]
        assert numbers == [len(numbers)] * len(numbers)
        return len(numbers)

    def keep_writing(first: int) -> None:
        lake = lakes.lake()
        for number in range(first, first + 10):
            write(lake, number)

    with ThreadPoolExecutor(6) as pool:
        watchers = [pool.submit(watch, lakes.lake()) for _ in range(2)]
        try:
            list(pool.map(keep_writing, (10, 20, 30)))
        finally:
            done.set()
        for watcher in watchers:
            watcher.result()
    assert len(set(seen)) > 5
    assert read(lakes.lake()) in {*range(10, 40)}
    assert lakes.names() == [
        f"numbers/date={MONDAY}/{n}" for n in ("*.parquet", "_provenance.json")
    ]


def test_one_who_comes_second_by_a_moment_yields(lakes: Lakes, monkeypatch: pytest.MonkeyPatch):
    first, second = lakes.lake(), lakes.lake()
    write(first, 1)
    assert isinstance(second.store, Blobs)
    upload = second.store._upload

    def after_the_first(name: str, content: Any, **condition: Any) -> None:
        if name.endswith("_provenance.json"):
            write(first, 2)
        upload(name, content, **condition)

    monkeypatch.setattr(second.store, "_upload", after_the_first)
    write(second, 3)
    assert read(lakes.lake()) == 2
    assert len(lakes.names()) == 2


def test_days_are_written_at_the_same_time(lakes: Lakes):
    days = [MONDAY + timedelta(days=n) for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write(lakes.lake(), n, days[n]), range(12)))
    reader = lakes.lake()
    assert reader.days(NUMBERS) == days
    assert [read(reader, day) for day in days] == [*range(12)]


# --- what fails ------------------------------------------------------------------------------


def test_one_call_in_five_fails_and_the_writes_end_right(lakes: Lakes, azurite: Emulator):
    days = [MONDAY + timedelta(days=n) for n in range(5)]
    with proxy(azurite) as between:
        for generation in (1, 2):
            for number, day in enumerate(days, start=generation):
                lake = lakes.lake(between.emulator.storage)
                write(lake, number, day)
                lake.write_documents("pages", day, {"index.html": str(number) * 1000})
        reader = lakes.lake(between.emulator.storage)
        assert reader.days(NUMBERS) == days
        assert [read(reader, day) for day in days] == [*range(2, 7)]
        assert reader.drop("numbers", days[1]) == days[:1]
    assert {*between.done} >= {*FAULTS}
    reader = lakes.lake()
    assert [read(reader, day) for day in days[1:]] == [*range(3, 7)]
    assert lakes.names() == sorted(
        f"{name}/date={day}/{file}"
        for name, kept, data in (
            ("numbers", days[1:], "*.parquet"),
            ("pages", days, "*/index.html"),
        )
        for day in kept
        for file in (data, "_provenance.json")
    )


def test_an_answer_that_is_lost_is_not_taken_for_another_writer(lakes: Lakes, azurite: Emulator):
    write(lakes.lake(), 1)
    # Each second call for a provenance is the one that replaces it.
    with proxy(azurite, one_in=2, faults=(LOST,), only="_provenance.json") as between:
        write(lakes.lake(between.emulator.storage), 2)
    calls = [call.split()[0] for call in between.calls if "_provenance" in call]
    assert calls[:3] == ["GET", "PUT", "PUT"]
    assert read(lakes.lake()) == 2
    assert len(lakes.names()) == 2


def error_of(lake: Lake, kind: type[Exception] = LakeError) -> str:
    with pytest.raises(kind) as caught:
        write(lake, 1)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    said = str(caught.value)
    assert re.fullmatch(r"LOWSLOW_LAKE 'abfss:[^']+' cannot be (read|written): [^\n]+\.", said)
    assert "sig=" not in said
    return said


def test_an_unusable_container_is_reported_in_one_sentence(
    lakes: Lakes, azurite: Emulator, monkeypatch: pytest.MonkeyPatch
):
    def by_key(key: str, url: str = azurite.account_url) -> AzureBlobStorageResource:
        credential = AzureBlobStorageKeyCredential(key=key)
        return AzureBlobStorageResource(account_url=url, credential=credential)

    token = generate_container_sas(
        ACCOUNT,
        lakes.container.container,
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    read_only = AzureBlobStorageResource(
        account_url=azurite.account_url, credential=AzureBlobStorageSASTokenCredential(token=token)
    )
    assert "the key or token is wrong" in error_of(lakes.lake(by_key("d3Jvbmc=")))
    assert "base64" in error_of(lakes.lake(by_key("abcde")))
    assert "lacks the permission" in error_of(lakes.lake(read_only))
    write(lakes.lake(), 2)
    assert read(lakes.lake(read_only)) == 2
    missing = Lakes(azurite, Location(azurite.account_url, "missing", ""), lakes._folder / "m")
    assert "there is no such container" in error_of(missing.lake())
    with pytest.raises(LakeError, match="there is no such container"):
        missing.lake().days(NUMBERS)
    monkeypatch.setattr(azure, "_RETRIES", 1)
    nowhere = f"http://127.0.0.1:1/{ACCOUNT}"
    assert "cannot be reached" in error_of(lakes.lake(by_key(KEY, nowhere)), LakeUnavailable)
    with proxy(azurite, one_in=1, faults=(BUSY,)) as between:
        said = error_of(lakes.lake(between.emulator.storage), LakeUnavailable)
    assert "it is busy or out of order (status 503)" in said


@pytest.mark.parametrize(
    "url", ["abfss://account.dfs.core.windows.net/lake", "https://host/?sig=x"]
)
def test_an_unusable_url_is_reported_in_one_sentence(url: str):
    with pytest.raises(LakeError) as caught:
        Lake(url, NO_ENGINE)
    assert re.fullmatch(r"LOWSLOW_LAKE cannot be used: [^\n]+\.", str(caught.value))
    assert "sig=x" not in str(caught.value)
