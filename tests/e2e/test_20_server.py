# SPDX-License-Identifier: Apache-2.0
"""server — a mesh's configuration, kept: apply, get, delete, log, status."""

import json
import os
import signal
import subprocess
import threading

import pytest

from mesh import DEADLINE, MESHD, Server
from test_10_offline import REVIEWS, WRONG

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s}
spec:
  selector: {app: %s}
  ports: [{name: http, port: %d}]
"""


def test_a_mesh_is_made_once(meshd):
    meshd.ok("server", "init")
    again = meshd("server", "init")
    assert again.returncode == 1
    assert "holds a mesh already" in again.stderr


def test_without_a_mesh_the_server_says_what_to_do(meshd):
    done = meshd("server", "run")
    assert done.returncode == 1
    assert "server init" in done.stderr


def test_a_second_server_on_the_same_state_is_refused(server, meshd):
    done = meshd("server", "run", "--socket", meshd.folder / "other.sock")
    assert done.returncode == 1
    assert "server" in done.stderr
    assert meshd("status").returncode == 0


@pytest.mark.parametrize("role", [("server", "run"), ("agent",)])
def test_a_file_in_the_place_of_the_socket_is_left_alone(meshd, role):
    meshd.ok("server", "init")
    taken = meshd.folder / "taken.sock"
    taken.write_text("somebody's\n")
    done = meshd(*role, "--socket", taken)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("is taken") == 1
    assert taken.read_text() == "somebody's\n"


def test_nobody_answers_without_a_server(meshd):
    done = meshd("get")
    assert done.returncode == 4
    assert "nobody answers" in done.stderr


def test_how_much_is_logged_changes_while_it_runs(server, meshd):
    def levels():
        rows = meshd.items("log", "level")
        return {row["module"]: row["level"] for row in rows}

    assert levels()["server"] == "info"
    assert meshd.ok("log", "level", "server=debug") == "changed\n"
    assert levels()["server"] == "debug" and levels()["main"] == "info"
    meshd.ok("log", "level", "warn")
    assert set(levels().values()) == {"warn"}
    for wrong, words in (("nobody=info", "no module"), ("loud", "no level")):
        done = meshd("log", "level", wrong)
        assert done.returncode != 0 and words in done.stderr


def test_apply_says_what_it_did(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    assert meshd.ok("apply", "-f", path).splitlines() == [
        "Service/default/reviews created",
        "DestinationRule/default/reviews created",
        "VirtualService/default/reviews created"]
    assert meshd.ok("apply", "-f", path).count("unchanged") == 3


def test_dry_run_changes_nothing(server, meshd):
    out = meshd.ok("apply", "--dry-run", "-f", "-", stdin=REVIEWS)
    assert out.count("would be created") == 3
    assert meshd.json("get")["items"] == []


def test_mistakes_are_refused_whole(server, meshd):
    done = meshd("apply", "-f", "-", stdin=REVIEWS + "---\n" + WRONG)
    assert done.returncode == 3
    assert "nothing was applied" in done.stderr
    assert meshd.json("get")["items"] == []


def test_what_was_applied_can_be_got_and_applied_again(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    text = meshd.ok("get", "all", "-o", "yaml")
    assert meshd.ok("apply", "-f", "-", stdin=text).count("unchanged") == 3
    assert meshd.ok("get", "all", "-o", "yaml") == text


def test_get_by_kind_name_and_namespace(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    meshd.ok("apply", "-n", "shop", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    names = [item["metadata"]["name"]
             for item in meshd.json("get", "services")["items"]]
    assert names == ["reviews", "a"]
    assert len(meshd.json("get", "svc", "reviews")["items"]) == 1
    assert len(meshd.json("get", "all", "-n", "shop")["items"]) == 1
    assert "VirtualService" in meshd.ok("get")
    done = meshd("get", "servises")
    assert done.returncode == 3
    assert "no kind" in done.stderr


def test_delete_by_name_and_from_a_file(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    meshd.ok("apply", "-f", path)
    assert meshd.ok("delete", "vs", "reviews") == \
        "VirtualService/default/reviews deleted\n"
    missing = meshd("delete", "-f", path)
    assert missing.returncode == 1
    assert "is not there" in missing.stderr
    assert len(meshd.json("get")["items"]) == 2


def test_a_stale_revision_is_a_conflict(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    text = meshd.ok("get", "svc", "a", "-o", "yaml")
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "b", 80))
    done = meshd("apply", "-f", "-", stdin=text)
    assert done.returncode == 3, done.stderr
    assert "revision" in done.stderr


def test_the_log_says_who_changed_what(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    entry = meshd.json("history")["items"][0]
    assert entry["actor"] == f"uid {os.getuid()}"
    assert "a" in entry["what"]


def test_explain_online_says_the_same_as_from_files(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    meshd.ok("apply", "-f", path)
    words = ("explain", "request", "http://reviews/x", "-H", "who: tester",
             "-o", "json")
    online = json.loads(meshd.ok(*words))
    files = json.loads(meshd.ok(*words, "--files", path))
    for key in ("routeMatched", "clusterMatched", "virtualHostMatched",
                "outcome"):
        assert online[key] == files[key]
    assert "VirtualService/default/reviews" in json.dumps(online)


def test_settings_come_from_flag_environment_and_file_in_this_order(
        server, meshd, write):
    conf = write("meshd.conf", f"[cli]\nsocket = {meshd.socket}\n")
    from_file = {"MESHD_SOCKET": "", "MESHD_CONF": str(conf)}
    meshd.ok("status", env=from_file)
    done = meshd("status", env={**from_file, "MESHD_SOCKET": "/nowhere"})
    assert done.returncode == 4
    meshd.ok("status", "--socket", meshd.socket,
             env={"MESHD_SOCKET": "/nowhere"})


def test_a_wrong_setting_is_named_with_its_line(meshd, write):
    conf = write("meshd.conf", "[cli]\n\nsokcet = /x\n")
    done = meshd("status", env={"MESHD_CONF": str(conf)})
    assert done.returncode == 3
    assert f"{conf}:3" in done.stderr and "sokcet" in done.stderr


def test_sigterm_ends_in_order(server, meshd):
    assert server.stop() == 0
    assert not meshd.socket.exists()


def test_what_was_acknowledged_survives_kill_9(server, meshd):
    acknowledged = []

    def apply_many():
        for i in range(200):
            done = meshd("apply", "-f", "-",
                         stdin=SERVICE % (f"s{i}", "x", 1 + i))
            if done.returncode != 0:
                return
            acknowledged.append(f"s{i}")

    writer = threading.Thread(target=apply_many)
    writer.start()
    while len(acknowledged) < 20 and writer.is_alive():
        pass
    server.stop(signal.SIGKILL)
    writer.join(60)
    assert len(acknowledged) >= 20
    server.start()
    names = {item["metadata"]["name"] for item in meshd.json("get")["items"]}
    assert set(acknowledged) <= names


needs_root = pytest.mark.xfail(
    os.getuid() != 0, reason="another user can only be tried by root",
    strict=True)


@needs_root
def test_another_user_reads_but_does_not_write(server, meshd):
    for folder in (meshd.folder, *meshd.folder.parents[:3]):
        folder.chmod(0o755)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534",
                 "--clear-groups", MESHD]
    read = subprocess.run([*as_nobody, "get"], env=meshd.env, text=True,
                          capture_output=True, timeout=DEADLINE, check=False)
    assert read.returncode == 0, read.stderr
    write = subprocess.run([*as_nobody, "apply", "-f", "-"], env=meshd.env,
                           input=SERVICE % ("a", "a", 80), text=True,
                           capture_output=True, timeout=DEADLINE, check=False)
    assert write.returncode == 5
    assert "may only read" in write.stderr


@needs_root
def test_a_full_disk_is_told_and_nothing_is_lost(meshd):
    meshd.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs",
                    meshd.state], check=True)
    server = Server(meshd)
    try:
        meshd.ok("server", "init")
        server.start()
        meshd.ok("apply", "-f", "-", stdin=SERVICE % ("kept", "x", 80))
        (meshd.state / "ballast").write_bytes(
            b"x" * (os.statvfs(meshd.state).f_bavail * 4096 - 8192))
        done = meshd("apply", "-f", "-", stdin="---\n".join(
            SERVICE % (f"s{i}", "x", 80) for i in range(300)))
        assert done.returncode != 0
        assert "space" in done.stderr, done.stderr
        (meshd.state / "ballast").unlink()
        meshd.ok("apply", "-f", "-", stdin=SERVICE % ("more", "x", 80))
        names = [i["metadata"]["name"] for i in meshd.json("get")["items"]]
        assert names == ["kept", "more"]
    finally:
        server.stop(signal.SIGKILL)
        subprocess.run(["umount", meshd.state], check=True)
