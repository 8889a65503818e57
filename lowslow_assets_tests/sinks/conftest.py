"""The server, and small incidents."""

import pytest

from lowslow_assets_tests.support.workspace import serve


@pytest.fixture(scope="session")
def connection():
    """Makes connections to workspaces behind one server."""
    with serve() as make:
        yield make
