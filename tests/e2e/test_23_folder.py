# SPDX-License-Identifier: Apache-2.0
"""folder — a server that keeps to what a folder holds."""

import os
import shutil
import signal

import pytest

from mesh import Server, wait_for
from test_22_keep import GUARD, LABELLED, names
from test_24_analyze import ROUTE


def service(name, port=80):
    return (LABELLED % (name, "default", "")).replace("port: 80",
                                                      f"port: {port}")


class Folder:
    """The folder, and what its server says of it."""

    def __init__(self, meshd, words=()):
        self.meshd = meshd
        self.path = meshd.folder / "conf.d"
        self.server = Server(meshd, ["--config-dir", self.path, *words])

    def write(self, name, text):
        (self.path / name).write_text(text)

    def told(self):
        return self.meshd.json("status")["folder"]

    def comes_to(self, *wanted):
        wait_for(lambda: sorted(names(self.meshd)) == sorted(wanted),
                 lambda: f"{wanted} are there: {names(self.meshd)} "
                 f"{self.told()} {self.server.text}")
        wait_for(lambda: self.told()["state"] == "in force",
                 lambda: f"it is in force: {self.told()}")

    def is_refused(self, words):
        return wait_for(
            lambda: words in self.told().get("why", "") and self.told(),
            lambda: f'it is refused with "{words}": {self.told()}')


@pytest.fixture
def folder(meshd, request):
    meshd.ok("server", "init")
    it = Folder(meshd, getattr(request, "param", ()))
    it.path.mkdir()
    it.write("a.yaml", service("a"))
    try:
        it.server.start()
        it.comes_to("a")
        yield it
    finally:
        it.server.stop(signal.SIGKILL)


def test_files_come_change_and_go(folder, meshd):
    folder.write("b.yaml", service("b"))
    folder.comes_to("a", "b")
    folder.write("b.yaml", service("b", 81))
    wait_for(lambda: meshd.items("get", "svc", "b")[0]["spec"]["ports"][0][
        "port"] == 81, "the change is there")
    (folder.path / "a.yaml").unlink()
    folder.comes_to("b")
    row = meshd.items("history")[0]
    assert row["actor"] == f"folder {folder.path}"
    assert row["what"].startswith("deleted Service default/a")
    told = folder.told()
    assert told["path"] == str(folder.path) and told["resources"] == 1
    assert told["errors"] == [] and "why" not in told
    assert f"folder           {folder.path}: in force\n" in meshd.ok("status")


def test_all_of_a_change_is_one_mutation(folder, meshd):
    before = meshd.json("status")["revision"]
    fresh = folder.path.with_name("fresh")
    fresh.mkdir()
    for i in range(20):
        (fresh / f"{i}.yaml").write_text(service(f"s{i}"))
    for path in fresh.iterdir():
        path.rename(folder.path / path.name)
    folder.comes_to("a", *(f"s{i}" for i in range(20)))
    assert meshd.json("status")["revision"] <= before + 2


def test_a_bad_file_changes_nothing_and_is_named(folder, meshd):
    bad = folder.path / "bad.yaml"
    folder.write("good.yaml", service("good"))
    folder.comes_to("a", "good")
    (folder.path / "good.yaml").unlink()
    bad.write_text(service("bad").replace("port: 80", "port: 70000"))
    told = folder.is_refused("has mistakes")
    assert sorted(names(meshd)) == ["a", "good"]
    error, = told["errors"]
    assert error["file"] == str(bad) and error["line"] == 4
    assert error["field"] == "spec.ports[0].port"
    out = meshd.ok("status")
    assert "The folder is refused: " in out
    assert f"error: {bad}:4:" in out and "spec.ports[0].port: 70000" in out
    assert folder.server.text.count("configuration is refused") == 1
    bad.write_text("kind: [")
    wait_for(lambda: folder.told()["errors"][0]["file"] == str(bad) and
             "70000" not in str(folder.told()), "the other mistake is told")
    bad.unlink()
    folder.comes_to("a")
    assert folder.server.text.count("configuration is refused") == 2
    assert "The folder is refused" not in meshd.ok("status")


def test_what_others_brought_is_theirs(folder, meshd):
    meshd.ok("apply", "-f", "-", stdin=service("theirs"))
    folder.write("b.yaml", service("b") + "---\n" + service("theirs", 81))
    told = folder.is_refused("not its own")
    assert "Service/default/theirs is there already" in \
        told["errors"][0]["message"]
    assert told["errors"][0]["file"] == str(folder.path / "b.yaml")
    assert sorted(names(meshd)) == ["a", "theirs"]
    # What was in its way goes: the folder is looked at again.
    meshd.ok("delete", "svc", "theirs")
    folder.comes_to("a", "b", "theirs")
    # And what others brought is not taken away with the folder's own.
    meshd.ok("apply", "-f", "-", stdin=service("other"))
    folder.write("b.yaml", service("b"))
    folder.comes_to("a", "b", "other")


def test_the_same_from_somebody_else_becomes_the_folders(folder, meshd):
    meshd.ok("apply", "-f", "-", stdin=service("b"))
    folder.write("b.yaml", service("b"))
    wait_for(lambda: folder.told()["resources"] == 2, "it is taken over")
    (folder.path / "b.yaml").unlink()
    folder.comes_to("a")


def test_what_the_folder_keeps_is_changed_there(folder, meshd):
    then = meshd.json("status")["revision"]
    folder.write("a.yaml", service("a", 81))
    wait_for(lambda: meshd.json("status")["revision"] > then, "it is there")
    for words in (("apply", "-f", "-"), ("delete", "svc", "a"),
                  ("rollback", then)):
        done = meshd(*words, stdin=service("a", 90))
        assert done.returncode == 3
        assert f"Service/default/a is kept by the folder {folder.path}" in \
            done.stderr, done.stderr
    assert meshd("diff", "-f", "-", stdin=service("a", 90)).returncode == 1


def test_it_is_the_folders_after_a_restart(folder, meshd):
    folder.write("b.yaml", service("b"))
    folder.comes_to("a", "b")
    folder.server.stop()
    (folder.path / "b.yaml").unlink()
    folder.server.start()
    folder.comes_to("a")
    folder.server.stop()
    # Without the folder they are everybody's, and whose hand was last.
    alone = Server(meshd)
    try:
        alone.start()
        assert "folder" not in meshd.json("status")
        meshd.ok("apply", "-f", "-", stdin=service("a", 90))
    finally:
        alone.stop()
    folder.server.start()
    folder.is_refused("not its own")


def test_atomic_renames_and_editors_beside_the_file(folder, meshd):
    for name in (".a.yaml.swp", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913",
                 "sedX1"):
        folder.write(name, "kind: [")
    new = folder.path / ".a.yaml.tmp"
    new.write_text(service("a", 82))
    new.rename(folder.path / "a.yaml")
    wait_for(lambda: meshd.items("get", "svc", "a")[0]["spec"]["ports"][0][
        "port"] == 82, "the renamed file is there")
    assert folder.told()["state"] == "in force"


def mounted(path, generation, *services):
    """What a mounted secret does: files behind a link that is swapped."""
    (path / generation).mkdir()
    for name in services:
        (path / generation / f"{name}.yaml").write_text(service(name))
        link = path / f"{name}.yaml"
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}.yaml")
    (path / "..data_tmp").symlink_to(generation)
    os.replace(path / "..data_tmp", path / "..data")
    for link in path.glob("*.yaml"):
        if link.is_symlink() and not link.exists():
            link.unlink()


def test_links_that_are_swapped_as_mounted_secrets_are(folder):
    mounted(folder.path, "..one", "x", "y")
    folder.comes_to("a", "x", "y")
    mounted(folder.path, "..two", "x", "z")
    shutil.rmtree(folder.path / "..one")
    folder.comes_to("a", "x", "z")


def test_the_folder_goes_and_comes_back(folder, meshd):
    away = folder.path.with_name("away")
    folder.path.rename(away)
    folder.is_refused("cannot be read")
    assert names(meshd) == ["a"]
    folder.path.mkdir()
    folder.is_refused("holds no .yaml")
    assert names(meshd) == ["a"]
    folder.write("b.yaml", service("b"))
    folder.comes_to("b")
    shutil.rmtree(folder.path)
    folder.is_refused("cannot be read")
    away.rename(folder.path)
    folder.comes_to("a")
    # A file without a document takes all away, which nothing else does.
    (folder.path / "a.yaml").write_text("# nothing any more\n")
    folder.comes_to()


def test_a_folder_that_is_a_link_is_followed_where_it_leads(folder):
    other = folder.path.with_name("other")
    other.mkdir()
    (other / "o.yaml").write_text(service("o"))
    link = folder.path.with_name("link")
    link.symlink_to(other)
    shutil.rmtree(folder.path)
    os.replace(link, folder.path)
    folder.comes_to("o")
    (other / "p.yaml").write_text(service("p"))
    folder.comes_to("o", "p")


def test_what_limits_access_waits_until_it_is_in_force(folder, meshd):
    folder.write("guard.yaml", GUARD)
    told = folder.is_refused("not in force yet")
    assert told["errors"][0]["id"] == "MSH0002"
    assert "[MSH0002]" in meshd.ok("status")
    assert names(meshd) == ["a"]


@pytest.mark.parametrize("folder", [("--config-allow-inert",)], indirect=True)
def test_unless_the_server_was_told_to_keep_it(folder):
    folder.write("guard.yaml", GUARD)
    folder.comes_to("a", "strict")


def test_one_key_in_two_files_is_told_with_both_places(folder, meshd):
    folder.write("b.yaml", "# again\n" + service("a", 81))
    error, = folder.is_refused("has mistakes")["errors"]
    assert (error["file"], error["line"]) == (str(folder.path / "b.yaml"), 2)
    assert error["message"] == (
        f"Service/default/a is in {folder.path}/a.yaml:1 already; one of them "
        "has to go")
    done = meshd("apply", "--dry-run", "-f", folder.path)
    assert done.returncode == 3 and done.stderr.startswith(
        f"error: {folder.path}/b.yaml:2: Service/default/a is in ")


def test_what_brings_errors_beside_the_rest_waits_for_it(folder, meshd):
    folder.write("r.yaml", ROUTE % ("r", "shop.org", "b"))
    told = folder.is_refused("brings errors (IST0101)")
    error, = told["errors"]
    assert error["file"] == str(folder.path / "r.yaml")
    assert error["line"] == 8 and error["id"] == "IST0101"
    assert "r.yaml:8" in meshd.ok("status")
    assert names(meshd) == ["a"]
    # Somebody else brings what it waits for.
    meshd.ok("apply", "-f", "-", stdin=service("b"))
    folder.comes_to("a", "b", "r")
    # Nor may it take away what others need.
    meshd.ok("apply", "-f", "-", stdin=ROUTE % ("s", "other.org", "a"))
    (folder.path / "a.yaml").unlink()
    folder.is_refused("brings errors (IST0101)")
    assert "a" in names(meshd)


@pytest.mark.parametrize("folder", [("--config-force",)], indirect=True)
def test_unless_the_server_was_told_not_to_mind(folder):
    folder.write("r.yaml", ROUTE % ("r", "shop.org", "b"))
    folder.comes_to("a", "r")


def test_many_changes_in_a_row_end_in_the_last(folder, meshd):
    for i in range(60):
        folder.write("a.yaml", service("a", 100 + i))
    wait_for(lambda: "port: 159\n" in meshd("get", "svc", "a", "-o",
                                            "yaml").stdout,
             "the last one is there")
    assert len(meshd.items("history", "--limit", "1000", "svc", "a")) < 20


def test_a_stop_in_the_middle_is_in_order(folder):
    for i in range(200):
        folder.write(f"s{i}.yaml", service(f"s{i}"))
    assert folder.server.stop() == 0
    folder.server.start()
    folder.comes_to("a", *(f"s{i}" for i in range(200)))
