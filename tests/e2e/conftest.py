# SPDX-License-Identifier: Apache-2.0
"""conftest — what the scenarios ask for by name."""

import signal

import pytest

from mesh import Mesh, Meshd, Server, families


@pytest.fixture
def meshd(tmp_path):
    return Meshd(tmp_path)


@pytest.fixture
def server(meshd):
    meshd.ok("server", "init")
    it = Server(meshd)
    try:
        it.start()
        yield it
    finally:
        it.stop(signal.SIGKILL)


@pytest.fixture(params=families("machines", shared=False))
def mesh(request, tmp_path_factory):
    """A server, and machines 2 to 4 without agents."""
    with Mesh(tmp_path_factory.mktemp("mesh"), request.param) as it:
        yield it


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path
    return write_file
