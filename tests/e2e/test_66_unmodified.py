# SPDX-License-Identifier: Apache-2.0
"""unmodified — nginx and PostgreSQL as they are, and curl and psql.

Nothing is said to any of them but a name: it is captured traffic, and names of
the mesh. vm2 and vm3 have both programs, so that each machine calls the other,
and itself, and either may die. A third has a database of its own at the port
that the others' have.
"""

import glob
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from mesh import Daemon, Mesh, answers, families, wait_for

PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
FAST = ("--check-interval", "200ms", "--check-timeout", "200ms",
        "--check-unhealthy", "1")
NGINX = """\
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {at};
        location / {{ return 200 "{name}\\n"; }}
    }}
}}
"""


def ran(words, **options):
    done = subprocess.run([*map(str, words)], text=True, capture_output=True,
                          timeout=60, check=False, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


class Site:
    """nginx and PostgreSQL on the loopback of one machine."""

    def __init__(self, home, number):
        self.machine, self.name = home.machine(number), f"vm{number}"
        self.folder = home.shared / self.name
        self.folder.mkdir()
        self.daemons = {}
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=self.folder, name=self.name,
                                     at=self.machine.at(8080)))
        self.words = {"web": ["nginx", "-c", conf], "db": self.database()}

    def database(self):
        data = self.folder / "data"
        data.mkdir()
        shutil.chown(data, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
        assert PROGRAMS, "PostgreSQL is there: ./bootstrap check"
        ran([*user, f"{PROGRAMS[0]}/initdb", "-D", data, "-A", "trust", "-N"],
            cwd=data)
        return [*user, f"{PROGRAMS[0]}/postgres", "-D", data, "-p", 15432,
                "-h", self.machine.loopback, "-k", "", "-F",
                "-c", f"cluster_name={self.name}"]

    def begin(self, name):
        port = {"web": 8080, "db": 15432}[name]
        log = self.folder / f"{name}.log"
        self.daemons[name] = Daemon(self.machine, self.words[name], log)
        wait_for(lambda: answers(self.machine, port),
                 lambda: f"{name} listens: {log.read_text()}")

    def end(self, name):
        """As killed; a database has children that end with it."""
        daemon = self.daemons.pop(name, None)
        if daemon is not None:
            daemon.process.terminate()
            daemon.process.wait(60)


@pytest.fixture(scope="module", params=families("unmodified"))
def home(request, tmp_path_factory):
    shared = pathlib.Path(tempfile.mkdtemp(prefix="meshd-sites-"))
    shared.chmod(0o755)  # the database has a user of its own
    folder = tmp_path_factory.mktemp("unmodified")
    sites = []
    try:
        with Mesh(folder, request.param, machines=4) as it:
            it.shared = shared
            conf = folder / "resolv.conf"
            conf.write_text(f"nameserver {it.net.ip(77)}\n")
            it.prefix = ["unshare", "--mount", "sh", "-c", 'mount --bind '
                         f'{conf} /etc/resolv.conf && exec "$@"', "sh"]
            it.sites = {}
            for number in (2, 3, 4):
                site = Site(it, number)
                sites.append(site)
                it.sites[number] = site
                site.agent = it.agent(number, "--drain", "0s")
                site.agent.start(it.token("--namespaces", "*"),
                                 prefix=it.prefix).joined().synced()
                for name in site.words:
                    site.begin(name)
            for number, db in ((2, "db"), (3, "db"), (4, "other")):
                site = it.sites[number]
                site.agent.expose(db, f"5432:{site.machine.at(15432)}",
                                  "--check", "tcp", *FAST)
            for number in (2, 3):
                site = it.sites[number]
                site.agent.expose("web", f"80:{site.machine.at(8080)}",
                                  "--protocol", "http", "--check", "http",
                                  *FAST)
            for site in sites:
                site.agent.cli.ok("capture", "on", "--dns", "--out",
                                  "0.0.0.0/0,::/0")
                for name, count in (("web", 2), ("db", 2), ("other", 1)):
                    site.agent.sees(name, count)
            yield it
    finally:
        for site in sites:
            for name in [*site.daemons]:
                site.end(name)
        shutil.rmtree(shared)


def called(home, number, words):
    """What a program of the machine says; None if it could not."""
    done = home.sites[number].machine.run(*home.prefix, *words)
    return done.stdout.strip() if done.returncode == 0 else None


def page(home, number, name="web"):
    return called(home, number, ["curl", "-sS", "-f", f"http://{name}/"])


def database(home, number, name="db"):
    """The name of the one that answers."""
    return called(home, number, [
        "psql", "-X", "-A", "-t", "-h", name, "-U", "postgres", "-c",
        "select current_setting('cluster_name')"])


def all_of(call, home, number, wanted):
    """Calls come to these, to each of them, and to nobody else."""
    seen = set()

    def is_there():
        seen.add(call(home, number))
        return seen >= wanted
    wait_for(is_there, lambda: f"{wanted} answer: {seen}")
    assert seen == wanted


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("call", [page, database])
def test_they_meet_by_names_in_both_directions(home, call, number):
    all_of(call, home, number, {"vm2", "vm3"})


def test_a_database_of_another_name_is_another_one(home):
    """All of them are called at port 5432."""
    for number in (2, 3, 4):
        assert database(home, number, "other") == "vm4"


@pytest.mark.parametrize("name, call", [("web", page), ("db", database)])
def test_who_dies_is_called_no_more_until_he_is_back(home, name, call):
    for number, other in ((2, 3), (3, 2)):
        site = home.sites[number]
        site.end(name)
        for caller in home.sites.values():
            caller.agent.sees(name, 1)
        for caller in (2, 3):  # the machine itself, too
            assert call(home, caller) == f"vm{other}"
        site.begin(name)
        for caller in home.sites.values():
            caller.agent.sees(name, 2)
        all_of(call, home, other, {"vm2", "vm3"})


def test_rows_come_whole_through_two_agents(home):
    out = called(home, 4, [
        "psql", "-X", "-A", "-t", "-h", "db", "-U", "postgres", "-c",
        "select n from generate_series(1, 100000) as n"])
    assert out.splitlines() == [str(n) for n in range(1, 100001)]


def test_a_dead_machine_is_passed_over(home):
    site = home.sites[3]
    site.agent.stop(signal.SIGKILL)
    home.sites[2].agent.sees("db", 1)
    assert database(home, 2) == "vm2" and page(home, 2) == "vm2"
    site.agent.start(prefix=home.prefix).joined()
    for caller in home.sites.values():
        caller.agent.sees("db", 2)
        caller.agent.sees("web", 2)
    # What was captured there is so again.
    all_of(database, home, 3, {"vm2", "vm3"})
