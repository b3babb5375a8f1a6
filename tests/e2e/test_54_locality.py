# SPDX-License-Identifier: Apache-2.0
"""locality — machines say where they lie, and others know it."""

import signal

import pytest

from mesh import Mesh, wait_for

pytestmark = pytest.mark.xdist_group("locality")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("locality"), 4) as it:
        it.file = it.folder / "where"
        it.file.write_text("eu/eu-west/rack-7\nanother line\n")
        it.vm2 = it.member(2, "--locality", f"@{it.file}")
        it.vm3 = it.member(3, "--locality", "us/us-east")
        it.vm4 = it.member(
            4, "--locality", "exec:/bin/echo  eu/eu-north",
            "--upstream", f"web={it.machine(4).at(9000)}")
        for number, agent in ((2, it.vm2), (3, it.vm3)):
            web = it.web(number, 8080, agent.name)
            agent.expose("web", f"80:{web.target}", "--protocol", "http")
        it.vm4.sees("web", 2)
        yield it


def places(cli):
    return {e["node"]: e.get("locality", "")
            for e in cli.items("endpoints", "web")}


def are(mesh, **wanted):
    """At a caller, and at the server."""
    for cli in (mesh.vm4.cli, mesh.cli):
        cli.sees("web", 2)
        wait_for(lambda c=cli: places(c) == wanted,
                 lambda c=cli: f"{wanted}: {places(c)}")


def test_each_way_to_say_it_reaches_callers(mesh):
    are(mesh, vm2="eu/eu-west/rack-7", vm3="us/us-east")
    wait_for(lambda: mesh.vm4.status().get("locality") == "eu/eu-north",
             "the program said where vm4 is")
    assert "locality" in mesh.vm2.cli.ok("status")
    assert "LOCALITY" in mesh.vm4.cli.ok("endpoints", "web")


def test_a_file_is_read_again(mesh):
    mesh.file.write_text("us/us-west\n")
    mesh.vm2.process.send_signal(signal.SIGHUP)
    are(mesh, vm2="us/us-west", vm3="us/us-east")
    mesh.file.write_text("a/b/c/d\n")
    mesh.vm2.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings stay as they were" in mesh.vm2.text,
             "the mistake is told")
    assert f"{mesh.file}:1" in mesh.vm2.text
    are(mesh, vm2="us/us-west", vm3="us/us-east")


@pytest.mark.parametrize("name, command, why", [
    ("fails", "/bin/false", "exit status 1"),
    ("odd", "/bin/echo a b", "no locality"),
    ("missing", "/nowhere/to/be/found", "No such file")])
def test_a_program_that_does_not_know_harms_nobody(mesh, name, command, why):
    agent = mesh.agent(4, "--locality", f"exec:{command}", name=name)
    mesh.vm4.stop()
    agent.start(mesh.token("--namespaces", "*")).joined()
    wait_for(lambda: any(p["kind"] == "locality" and why in p["text"]
                         for p in agent.status()["problems"]),
             lambda: f"{why}: {agent.status()['problems']}")
    assert "locality is not known" in agent.text
    agent.stop()
    mesh.agents.remove(agent)


def test_what_is_no_locality_is_refused(mesh):
    for wrong in ("a//b", "/a", "a/", "a/b/c/d", "a b", "exec:"):
        done = mesh.vm3.cli("agent", "--locality", wrong)
        assert done.returncode == 2 and "locality" in done.stderr, done
