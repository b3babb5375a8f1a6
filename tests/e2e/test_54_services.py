# SPDX-License-Identifier: Apache-2.0
"""services — what a machine offers, by files in a folder."""

import signal

import pytest

from mesh import Mesh, wait_for
from test_54_groups import rows

pytestmark = pytest.mark.xdist_group("services")

WEB = """\
# Callers address it at port 80.
[web]
check = tcp
check-interval = 200ms
target = 80:{target}
protocol = http
label = version=v1
label = site=berlin

[pay.shop]
target = {target}
account = pay
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("services"), 3) as it:
        it.web_2 = it.web(2, 8080, "vm2")
        it.files = it.folder / "services.d"
        it.files.mkdir()
        (it.files / "web.conf").write_text(
            WEB.format(target=it.web_2.target))
        (it.files / "README").write_text("is not read\n")
        it.vm2 = it.member(2, "--services", str(it.files))
        it.vm3 = it.member(
            3, "--upstream", f"web={it.machine(3).at(9000)}")
        it.vm3.sees("web", 1)
        yield it


def again(mesh, text=None, name="web.conf"):
    if text is None:
        (mesh.files / name).unlink()
    else:
        (mesh.files / name).write_text(text)
    mesh.vm2.process.send_signal(signal.SIGHUP)


def test_what_files_say_is_offered_from_the_start(mesh):
    assert mesh.machine(3).fetch(9000).json()["text"] == "vm2"
    mesh.vm3.sees("pay.shop", 1)
    web = rows(mesh.vm2)["web", 80]
    assert web["from"] == f"{mesh.files}/web.conf:3"
    assert web["check"] == "tcp" and web["protocol"] == "http"
    pay = rows(mesh.vm2)["pay", 8080]
    assert pay["namespace"] == "shop" and pay["account"] == "pay"


def test_commands_do_not_change_what_a_file_says(mesh):
    for words in (("unexpose", "web"), ("expose", "web", "80:8081")):
        done = mesh.vm2.cli(*words)
        assert done.returncode != 0 and "web.conf:3" in done.stderr
    # And the other way round: who was first has it.
    mesh.vm2.expose("own", "8085")
    again(mesh, "[own]\ntarget = 8085\n", "own.conf")
    wait_for(lambda: any(
        p["kind"] == "service" and p["about"].endswith("own.conf:2") and
        "by command" in p["text"] for p in mesh.vm2.status()["problems"]),
        lambda: f"the clash is told: {mesh.vm2.status()['problems']}")
    mesh.vm2.cli.ok("unexpose", "own")
    again(mesh, "[own]\ntarget = 8085\n", "own.conf")
    wait_for(lambda: rows(mesh.vm2).get(("own", 8085), {}).get(
        "from", "").endswith("own.conf:2"), "the file has it")
    again(mesh, None, "own.conf")
    wait_for(lambda: ("own", 8085) not in rows(mesh.vm2), "own is gone")


@pytest.mark.parametrize("text, line, words", [
    ("[a]\ntarget = 1\nprotokoll = http\n", 3, '"protocol"'),
    ("[a]\nprotocol = http\n", 2, "one target"),
    ("[a]\ntarget = 1\ntarget = 2\n", 2, "one target"),
    ("[a]\ntarget = web\n", 2, "PORT"),
    ("[a]\nlabel = nothing\ntarget = 1\n", 2, "label"),
    ("[a]\ntarget = 1\ncheck = telnet\n", 3, "exec:COMMAND"),
    ("[a]\ncheck-interval = 1s\ntarget = 1\n", 2, "--check"),
    ("[a]\ntarget = 1\nnamespace = x\n", 3, "no setting"),
    ("target = 1\n", 1, "before any section"),
    ("[a]\ntarget = 1\n[b]\ntarget = 2\n[a]\ntarget = 1\n", 6, "bad.conf:2"),
])
def test_a_mistake_is_told_with_its_line_and_changes_nothing(
        mesh, text, line, words):
    before = len(mesh.vm2.text)
    again(mesh, text, "bad.conf")
    wait_for(lambda: "settings stay as they were" in mesh.vm2.text[before:],
             "the mistake is told")
    told = mesh.vm2.text[before:]
    assert f"bad.conf:{line}" in told and words in told, told
    assert ("web", 80) in rows(mesh.vm2)
    done = mesh.vm3.cli("agent", "--services", str(mesh.files))
    assert done.returncode == 2 and f"bad.conf:{line}" in done.stderr
    (mesh.files / "bad.conf").unlink()


def test_what_is_taken_out_of_files_is_offered_no_longer(mesh):
    again(mesh, "[web]\ntarget = 80:8080\n")
    wait_for(lambda: ("pay", 8080) not in rows(mesh.vm2), "pay is gone")
    mesh.vm3.sees("pay.shop", 0)
    assert "check" not in rows(mesh.vm2)["web", 80]
    assert mesh.machine(3).fetch(9000).status == 200
    again(mesh, None)
    mesh.vm3.sees("web", 0)


