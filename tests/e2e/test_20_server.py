# SPDX-License-Identifier: Apache-2.0
"""server — a mesh's configuration, kept: apply, get, delete, log, status."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest
import yaml

from mesh import DEADLINE, MESHD, Server, wait_for
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
    if role[0] == "server":
        meshd.ok("server", "init")
    taken = meshd.folder / "taken.sock"
    taken.write_text("somebody's\n")
    done = meshd(*role, "--socket", taken)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("is taken") == 1
    assert taken.read_text() == "somebody's\n"


@pytest.mark.parametrize("role", [("server", "run"), ("agent",)])
def test_a_socket_whose_path_is_too_long_is_refused(meshd, role):
    """Not cut off, to serve at another path than the one that is told."""
    if role[0] == "server":
        meshd.ok("server", "init")
    home = meshd.folder / "sockets"
    path = home / ("x" * (108 - len(f"{home}/")))
    done = meshd(*role, "--socket", path)
    assert done.returncode == 1, done.stderr
    assert f"at most 107 bytes long: {path}" in done.stderr
    assert not home.exists()


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
    assert missing.returncode == 3
    assert "is not there" in missing.stderr
    assert len(meshd.json("get")["items"]) == 2


def test_what_is_not_there_is_said(server, meshd):
    done = meshd("delete", "svc", "nobody")
    assert done.returncode == 3
    assert "nobody" in done.stderr and not done.stdout
    done = meshd("get", "service", "nobody", "-n", "shop")
    assert done.returncode == 3
    assert done.stderr == ("meshd: there is no service nobody in namespace "
                           "shop; see them with: meshd get service\n")
    assert meshd.items("get", "svc") == []
    assert meshd("log", "--limit", 0).returncode == 3


def test_server_and_agent_do_not_share_a_folder(server, meshd, tmp_path):
    done = meshd("agent", "--state", meshd.env["MESHD_STATE"])
    assert done.returncode != 0 and "is a server's" in done.stderr
    assert not (meshd.state / "node.key").exists()
    home = tmp_path / "agent"
    home.mkdir()
    (home / "node.key").touch()
    done = meshd("server", "init", "--state", home)
    assert done.returncode != 0 and "is an agent's" in done.stderr


def test_a_stale_revision_is_a_conflict(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    text = meshd.ok("get", "svc", "a", "-o", "yaml")
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "b", 80))
    done = meshd("apply", "-f", "-", stdin=text)
    assert done.returncode == 3, done.stderr
    assert "revision" in done.stderr


def test_a_dry_run_looks_at_revisions_too(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    old = meshd.ok("get", "service", "a", "-o", "yaml")
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 81))
    for words in (("--dry-run",), ()):
        done = meshd("apply", "-f", "-", *words, stdin=old)
        assert done.returncode == 3, done
        assert "was changed by " in done.stderr
        assert done.stderr.endswith(
            "get it anew with -o yaml, and change that\n"), done.stderr
    meshd.ok("delete", "service", "a")
    for words in (("--dry-run",), ()):
        done = meshd("apply", "-f", "-", *words, stdin=old)
        assert "was deleted by " in done.stderr


def test_the_log_says_who_changed_what(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % ("a", "a", 80))
    entry = meshd.json("history")["items"][0]
    assert entry["actor"] == f"uid {os.getuid()}"
    assert "a" in entry["what"]


def test_access_online_says_the_same_as_from_files(server, meshd, write):
    """By what is stored; the proxy does not ask policies yet."""
    policies = write("policies.yaml", """\
apiVersion: v1
kind: Service
metadata: {name: guarded}
spec: {selector: {app: guarded}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guarded}
spec:
  selector: {matchLabels: {app: guarded}}
  rules: [{from: [{source: {serviceAccounts: [shop]}}]}]
""")
    meshd.ok("apply", "--allow-inert", "-f", policies)
    for who, allowed in (("shop.default", True), ("shop.other", False)):
        words = ("explain", "access", "--from", who, "http://guarded/",
                 "-o", "json")
        stored = json.loads(meshd.ok(*words))
        files = json.loads(meshd.ok(*words, "--files", policies))
        assert stored["outcome"] == files["outcome"], stored
        assert stored["outcome"]["allowed"] == allowed, stored
        assert stored["enforced"] is False
    assert stored["rules"][0]["policy"] == "default/guarded", stored


def test_explain_online_says_the_same_as_from_files(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    meshd.ok("apply", "-f", path)
    words = ("explain", "request", "http://reviews/x", "-H", "who: tester",
             "-o", "json")
    online = json.loads(meshd.ok(*words))
    files = json.loads(meshd.ok(*words, "--files", path))
    for key in ("routeMatched", "clusterMatched", "virtualHostMatched"):
        assert online[key] == files[key]
    # Only the server knows that nobody is there.
    assert online["outcome"]["flag"] == "UH"
    assert files["outcome"]["status"] == 0
    assert "VirtualService/default/reviews" in json.dumps(online)


def test_explain_with_files_on_top_changes_nothing(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    meshd.ok("apply", "-f", path)
    revision = meshd.json("status")["revision"]
    other = write("other.yaml", REVIEWS.split("---\n")[2].replace(
        "name: rest", "name: other"))
    words = ("explain", "request", "http://reviews/", "-o", "json")
    assert json.loads(meshd.ok(*words))["routeMatched"] == "rest"
    told = json.loads(meshd.ok(*words, "--with", other))
    assert told["routeMatched"] == "other"
    # Where it is written, as with --files; what is stored has a revision.
    lines = pathlib.Path(other).read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "other" in line)
    assert told["origin"] == f"{other}:{number}"
    line = '{"host": "reviews"}\n'
    out = meshd.ok("explain", "--questions", "-", "--with", other,
                   stdin=line * 2)
    assert [json.loads(x)["routeMatched"] for x in out.splitlines()] == [
        "other", "other"]
    assert meshd.json("status")["revision"] == revision
    wrong = meshd("explain", "request", "http://reviews/", "--with",
                  write("wrong.yaml", WRONG))
    assert wrong.returncode == 3 and "timeuot" in wrong.stderr


def test_a_command_waits_for_what_the_line_before_started(tmp_path):
    """As people paste it: with the default paths, on a machine of its own."""
    done = subprocess.run(
        ["unshare", "-m", "-n", "sh", "-ec", """
mount -t tmpfs none /run
"$0" server init --state "$1"
"$0" server run --state "$1" --advertise 192.0.2.1 &
"$0" token create || bad=1
kill $!
wait
exit ${bad:-0}
""", MESHD, tmp_path / "state"], capture_output=True, text=True, timeout=30,
        env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 0, done.stderr
    assert "mj1." in done.stdout


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


def test_the_limit_of_descriptors_is_raised(meshd):
    meshd.ok("server", "init")
    server = Server(meshd)
    try:
        server.start(prefix=("prlimit", "--nofile=256:4096"))
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits")
        assert re.search(r"Max open files +4096 +4096", limits.read_text())
    finally:
        server.stop(signal.SIGKILL)


def test_without_standard_descriptors_no_socket_gets_the_log(meshd):
    meshd.ok("server", "init")
    server = Server(meshd)
    try:
        server.start(prefix=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
        for number in range(3):
            assert os.readlink(
                f"/proc/{server.process.pid}/fd/{number}") == "/dev/null"
    finally:
        server.stop(signal.SIGKILL)


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
    wait_for(lambda: len(acknowledged) >= 20 or not writer.is_alive(),
             "twenty writes are acknowledged")
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


def test_every_command_answers_programs_too(server, meshd):
    """-o json and -o yaml, and the same in both."""
    def both(*words, stdin=None):
        as_json = json.loads(meshd.ok(*words, "-o", "json", stdin=stdin))
        as_yaml = yaml.safe_load(meshd.ok(*words, "-o", "yaml", stdin=stdin))
        assert as_json.keys() == as_yaml.keys()
        return as_json
    text = SERVICE % ("a", "a", 80)
    changes = both("apply", "-f", "-", "--dry-run", stdin=text)["changes"]
    assert changes[0]["outcome"] == "created"
    both("apply", "-f", "-", stdin=text)
    items = both("validate", "-", stdin=text)["items"]
    assert [i["verdict"] for i in items] == ["valid"]
    assert both("token", "create")["token"].startswith("mj1.")
    for words in (("token", "list"), ("node", "list"), ("members",),
                  ("services",), ("endpoints",), ("log",), ("log", "level"),
                  ("status",), ("ca", "show"), ("version",),
                  ("explain", "request", "http://a/")):
        both(*words)
    token = meshd.items("token", "list")[0]["id"]
    both("token", "revoke", token)
    both("log", "level", "info")
    done = json.loads(meshd.ok("delete", "service", "a", "-o", "json"))
    assert done["changes"][0]["outcome"] == "deleted"


@pytest.mark.parametrize("lost, words", [
    ("seal.key", "nothing else opens the secrets in mesh.db"),
    ("mesh.db", "restore it from a backup, or, if `meshd server init` was")])
def test_a_file_that_is_lost_is_named(meshd, lost, words):
    meshd.ok("server", "init")
    (meshd.state / lost).unlink()
    done = meshd("server", "run")
    assert done.returncode == 1
    assert f"{meshd.state}/{lost} is missing" in done.stderr, done.stderr
    assert words in done.stderr
    assert not (meshd.state / lost).exists(), "nothing was made in its place"


def test_a_damaged_store_is_told_in_one_line(meshd):
    meshd.ok("server", "init")
    store = meshd.state / "mesh.db"
    data = bytearray(store.read_bytes())
    for at in range(2 * 4096, 8 * 4096):
        data[at] ^= 0x5a
    store.write_bytes(data)
    done = meshd("server", "run")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.endswith("restore a backup\n"), done.stderr
    assert store.read_bytes() == data, "it is left as it is"


def test_init_makes_the_folders_above_or_says_what_to_do(meshd, tmp_path):
    """As in an empty root, where there is no /var."""
    deep = tmp_path / "var" / "lib" / "mesh"
    meshd.ok("server", "init", "--state", deep)
    assert deep.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    done = meshd("server", "init", "--state", tmp_path / "file" / "x")
    assert done.returncode == 1
    assert f"{tmp_path}/file is there, and no folder" in done.stderr


def test_a_state_directory_of_somebody_else_is_told(meshd, tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    state = tmp_path / "theirs"
    meshd.ok("server", "init", "--state", state)
    # Nothing but the state is in their way.
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    for verb in ("init", "run"):
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             MESHD, "server", verb, "--state", state], text=True,
            capture_output=True, timeout=60, check=False,
            env={**meshd.env, "MESHD_SOCKET": str(tmp_path / "run" / "sock")})
        assert done.returncode != 0
        assert f"{state} is not ours to use: Permission denied; run as " \
            "the user that owns it" in done.stderr, done.stderr


def test_tokens_are_listed_the_newest_first_with_their_bounds(server, meshd):
    for note in ("one", "two", "three"):
        meshd.ok("token", "create", "--note", note, "--cidr", "10.1.0.0/16")
    shown = meshd.items("token", "list")
    times = [token["created"] for token in shown]
    assert times == sorted(times, reverse=True)
    assert shown[0]["cidrs"] == ["10.1.0.0/16"]
