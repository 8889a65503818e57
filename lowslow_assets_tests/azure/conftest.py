"""A real emulator for the tests here, and a container of one's own in it."""

import uuid
from collections.abc import Iterator

import pytest

from lowslow_assets.azure import Location
from lowslow_assets_tests.azure import emulator
from lowslow_assets_tests.azure.emulator import Emulator


@pytest.fixture(scope="session")
def azurite(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """Azurite, installed once into pytest's cache."""
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("azurite")
    try:
        emulator.install(folder)
    except emulator.NotInstalled as error:
        pytest.skip(str(error))
    with emulator.running(folder) as running:
        yield running


@pytest.fixture
def container(azurite: Emulator) -> Location:
    """A new container."""
    name = f"test-{uuid.uuid4().hex}"
    azurite.service.create_container(name)
    return azurite.location(name)
