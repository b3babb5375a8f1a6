# SPDX-License-Identifier: Apache-2.0
"""backup — a copy of the mesh while it runs, and a server from it."""

import http.client
import json
import shutil
import signal
import sqlite3
import ssl

import pytest

from mesh import Mesh, Server, wait_for
from test_10_offline import REVIEWS
from test_20_server import SERVICE
from test_22_keep import bodies, names


def test_a_backup_says_what_is_in_it_and_what_is_not(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    file = meshd.folder / "backup"
    told = meshd.ok("server", "backup", "backup", cwd=meshd.folder)
    revision = meshd.json("status")["revision"]
    assert told.splitlines() == [
        f"{file} holds the mesh as of revision {revision}",
        f"THE KEY IS NOT IN IT: without {meshd.state}/seal.key nobody can "
        "restore it; keep a copy of that, elsewhere"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in meshd.folder.glob("backup*")) == ["backup"]
    key = (meshd.state / "seal.key").read_bytes()
    assert key not in file.read_bytes()
    assert b"PRIVATE KEY" not in file.read_bytes()
    told = meshd.ok("server", "backup", "--with-key", file)
    assert f"{file}.key OPENS EVERY SECRET IN IT" in told
    beside = meshd.folder / "backup.key"
    assert beside.read_bytes() == key
    assert beside.stat().st_mode & 0o777 == 0o600


def test_a_backup_is_whole_while_others_write(server, meshd):
    for i in range(30):
        meshd.ok("apply", "-f", "-", stdin=SERVICE % (f"s{i}", "x", 80))
        if i % 10 == 5:
            meshd.ok("server", "backup", meshd.folder / f"b{i}")
            held = sqlite3.connect(meshd.folder / f"b{i}")
            count, = held.execute("SELECT count(*) FROM resources").fetchone()
            assert count == i + 1
            assert held.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            held.close()


def test_where_it_cannot_be_written_is_said_and_the_server_goes_on(
        server, meshd):
    for path in ("/nowhere/at/all", meshd.folder):
        done = meshd("server", "backup", path)
        assert done.returncode != 0 and done.stdout == ""
        assert "cannot be written" in done.stderr
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    assert meshd("server", "backup").returncode == 2


@pytest.fixture
def backup(server, meshd):
    """A backup with its key; the server is gone for good."""
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    file = meshd.folder / "backup"
    meshd.ok("server", "backup", "--with-key", file)
    meshd.kept = bodies(meshd)
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("late", "x", 80))
    server.stop(signal.SIGKILL)
    shutil.rmtree(meshd.state)
    return file


def test_a_server_comes_back_on_an_empty_machine(server, meshd, backup):
    told = meshd.ok("server", "restore", backup)
    assert f"{meshd.state} holds the mesh as of revision" in told
    assert sorted(p.name for p in meshd.state.iterdir()) == [
        "mesh.db", "seal.key"]
    server.start()
    assert bodies(meshd) == meshd.kept
    assert "restored from a backup" in meshd.ok("history")
    # What is written from now on has revisions that nobody saw before.
    before = meshd.json("status")["revision"]
    assert before > 1000000000
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("new", "x", 80))
    assert meshd.json("status")["revision"] == before + 1
    assert len(meshd.items("history", "svc", "reviews")) == 1
    meshd.ok("rollback", before)
    assert bodies(meshd) == meshd.kept


def refused(meshd, *words):
    done = meshd("server", "restore", *words)
    assert done.returncode != 0 and done.stdout == ""
    return done.stderr


def test_what_cannot_be_restored_is_said_and_leaves_nothing(meshd, backup):
    other = meshd.folder / "other.key"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    broken = meshd.folder / "broken"
    whole = backup.read_bytes()
    assert "made under another sealing key" in refused(
        meshd, "--key", other, backup)
    assert "name it with --key" in refused(meshd, "--key", "/nowhere", backup)
    assert "cannot read /nowhere" in refused(
        meshd, "--key", f"{backup}.key", "/nowhere")
    for damage in (b"", whole[:len(whole) // 2], b"not a database" * 50,
                   whole[:8192] + bytes(4096) + whole[12288:]):
        broken.write_bytes(damage)
        assert "cannot be restored: " in refused(
            meshd, "--key", f"{backup}.key", broken)
        assert not meshd.state.exists()
    newer = meshd.folder / "newer"
    newer.write_bytes(whole)
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "made by a newer meshd" in refused(
        meshd, "--key", f"{backup}.key", newer)
    assert not meshd.state.exists()
    meshd.ok("server", "restore", backup)


def test_a_folder_that_holds_anything_is_left_as_it_is(meshd, backup):
    meshd.state.mkdir()
    (meshd.state / "thesis.txt").write_text("mine\n")
    assert "is not empty, it holds thesis.txt" in refused(meshd, backup)
    assert [p.name for p in meshd.state.iterdir()] == ["thesis.txt"]


def test_who_may_not_is_refused(tmp_path):
    with Mesh(tmp_path, 4, machines=2) as mesh:
        token = mesh.token("--role", "admin")
        done = mesh.cli("server", "backup", "/tmp/x", env={
            "MESHD_TOKEN": token, "MESHD_SOCKET": "/nowhere.sock"})
        assert done.returncode == 4  # it never asks elsewhere
        status, words = mesh.machine(2).inside(
            lambda: ask_there(mesh, token))
        assert status == 403 and "at its socket" in words


def ask_there(mesh, token):
    """The request of an admin elsewhere, without our own client."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    conn = http.client.HTTPSConnection(
        mesh.machine(1).ip, 15080, timeout=20, context=context)
    conn.request("POST", "/v1/backup", json.dumps({"path": "/tmp/x"}),
                 {"Authorization": f"Bearer {token}"})
    answer = conn.getresponse()
    return answer.status, answer.read().decode()


def test_agents_go_on_with_the_server_that_came_back(mesh, tmp_path):
    service = mesh.web(2, 8080, "web")
    web = mesh.member(2)
    web.expose("web", f"80:{service.target}", "--protocol", "http")
    app = mesh.member(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    app.sees("web", 1)
    mesh.cli.sees("web", 1)
    mesh.apply(ROUTE % 5)
    file = tmp_path / "backup"
    mesh.cli.ok("server", "backup", "--with-key", file)
    late = mesh.member(4)
    mesh.apply(ROUTE % 6)
    mesh.server.stop(signal.SIGKILL)
    shutil.rmtree(mesh.cli.state)
    assert mesh.machine(3).fetch(9000).status == 200
    mesh.cli.ok("server", "restore", file)
    mesh.server = Server(mesh.cli, machine=mesh.machine(1)).start()

    def timeout_of(agent):
        return [r["spec"]["http"][0]["timeout"]
                for r in agent.cli.items("get", "vs")]

    for agent in (web, app):
        wait_for(lambda a=agent: a.status().get("connected"),
                 lambda a=agent: f"{a.name} is back: {a.text}")
    # What agents got after the backup is taken back, and news arrive.
    wait_for(lambda: timeout_of(app) == ["5s"],
             lambda: f"the route of then is there: {app.text}")
    mesh.cli.sees("web", 1)
    mesh.cli.ok("apply", "-f", "-", stdin=ROUTE % 7)
    wait_for(lambda: timeout_of(app) == ["7s"], "and that of now")
    assert mesh.machine(3).fetch(9000).status == 200
    # Who joined after the backup is a stranger, and is told so.
    late.says("this server knows no such node")
    assert sorted(n["name"] for n in mesh.cli.items("node", "list")) == [
        "vm2", "vm3"]
    late.stop(signal.SIGKILL)
    assert names(mesh.cli) == ["web"]
    wait_for(lambda: {m["name"]: m["status"] for m in mesh.cli.items(
        "members")}.get("vm2") == "up", "the members find each other")
    back = mesh.agent(4, name="again")
    back.start(mesh.token("--namespaces", "*")).joined().synced()


ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - timeout: %ds
    route: [{destination: {host: web}}]
"""
