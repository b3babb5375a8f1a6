# SPDX-License-Identifier: Apache-2.0
"""discover — what listens on a machine, and the command that exposes it."""

import threading

import pytest

from mesh import Mesh

pytestmark = pytest.mark.xdist_group("discover")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("discover"), 2) as it:
        it.vm2 = it.member(2)
        it.vm2.cli.machine = it.machine(2)  # where it looks
        it.sockets = []
        yield it
        for one in it.sockets:
            one.close()


def listen(mesh, ip, port):
    it = mesh.machine(2).listen(ip, port)
    mesh.sockets.append(it)
    return it


def found(mesh, *words):
    return {int(row["listens"].rpartition(":")[2]): row
            for row in mesh.vm2.cli.items("discover", *words)}


def test_what_could_be_exposed_has_its_command_and_nothing_is_exposed(mesh):
    web = mesh.web(2, 8080, "vm2")
    listen(mesh, "0.0.0.0", 5432)
    own = listen(mesh, mesh.machine(2).ip, 6000)
    listen(mesh, mesh.machine(2).ip, 22)
    rows = found(mesh)
    assert rows[8080]["reachedFrom"] == "this machine"
    assert rows[8080]["state"] == "could be exposed"
    assert rows[8080]["command"] == \
        "meshd expose web 8080 --protocol http"
    assert rows[5432]["reachedFrom"] == "everywhere"
    assert rows[5432]["command"] == \
        "meshd expose postgres 5432 --protocol tcp"
    assert rows[6000]["command"].endswith(
        f" {mesh.machine(2).ip}:6000 --protocol tcp")
    assert "command" not in rows[22] and "left alone" in rows[22]["state"]
    assert rows[15008]["state"] == "meshd's own"
    assert not mesh.vm2.cli.items("exposed")
    # Nobody was connected to.
    own.setblocking(False)
    with pytest.raises(BlockingIOError):
        own.accept()
    assert not web.seen


def test_the_command_exposes_it_and_then_it_says_so(mesh):
    words = found(mesh)[8080]["command"].split()
    mesh.vm2.cli.ok(*words[1:])
    row = found(mesh)[8080]
    assert row["state"] == "is exposed"
    assert row["exposedAs"] == "web.default:8080"
    assert "command" not in row
    assert "EXPOSED AS" in mesh.vm2.cli.ok("discover")
    mesh.vm2.cli.ok("unexpose", "web")


def test_a_probe_finds_out_who_speaks_http(mesh):
    mesh.web(2, 7001, "vm2")
    greeter = listen(mesh, "127.0.0.1", 7002)

    def greet():
        conn, _ = greeter.accept()
        conn.sendall(b"220 ready\r\n")
        conn.close()
    threading.Thread(target=greet, daemon=True).start()
    assert found(mesh)[7001]["protocol"] == "tcp"
    rows = found(mesh, "--probe")
    assert rows[7001]["protocol"] == "http"
    assert rows[7001]["command"].endswith("7001 --protocol http")
    assert rows[7002]["protocol"] == "tcp"


def test_without_an_agent_it_says_what_it_cannot_know(mesh):
    mesh.vm2.stop()
    done = mesh.vm2.cli("discover")
    assert done.returncode == 0
    assert "no agent answers" in done.stderr
    assert "could be exposed, or is" in done.stdout
