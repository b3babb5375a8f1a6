# SPDX-License-Identifier: Apache-2.0
"""run — programs that are in the mesh as long as they live.

vm2 serves and vm3 calls. Neither program was told of a proxy: their cgroups
are captured, and each calls as an account of its own.
"""

import pathlib
import signal
import subprocess

import pytest

from bus import Bus
from mesh import DEADLINE, MESHD, Mesh, families, wait_for

# A machine of its own has cgroups, and a name server that is far away.
ENTER = ("sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup; '
         'mount --bind "$0" /etc/resolv.conf; exec "$@"')
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
        listen 127.0.0.1:{port};
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""
CALLER = "spiffe://mesh.internal/ns/default/sa/"


class Run:
    """`meshd run`, on the machine of an agent."""

    def __init__(self, agent, *words, enter):
        self.process = subprocess.Popen(
            [*agent.machine.enter, *enter, MESHD, "run", *map(str, words)],
            env=agent.cli.env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ends(self):
        """Its exit status, and all that it said."""
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


@pytest.fixture(scope="module", params=families("run")[:1])
def home(request, tmp_path_factory):
    """One family is enough: who calls does not hang on addresses."""
    folder = tmp_path_factory.mktemp("run")
    resolv = folder / "resolv.conf"
    with Mesh(folder, request.param, machines=3) as it:
        resolv.write_text(f"nameserver {it.net.ip(77)}\n")
        it.enter = (*ENTER, resolv)
        it.folder = folder

        def member(number):
            agent = it.agent(number, "--drain", "0s", "--access-log",
                             folder / f"vm{number}.log", "--log-success")
            token = it.token("--namespaces", "*")
            return agent.start(token, prefix=it.enter).joined().synced()
        it.serving, it.caller = member(2), member(3)
        it.run = lambda agent, *words: Run(agent, *words, enter=it.enter)
        yield it


def runs(agent):
    return agent.cli.json("capture", "status")["programs"]


def exposed(agent):
    return [e["name"] for e in agent.cli.items("exposed")]


def is_gone(pid):
    """Whoever inherited it may not have taken note yet."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


def is_over(agent):
    """Nothing is left of what ran there."""
    wait_for(lambda: not runs(agent) and not exposed(agent),
             lambda: f"{runs(agent)} {exposed(agent)}")
    done = agent.machine.run("nft", "list", "table", "inet", "meshd")
    wait_for(lambda: agent.machine.run(
        "nft", "list", "table", "inet", "meshd").returncode != 0,
        done.stdout)


@pytest.fixture
def nginx(home):
    """nginx as it is, offered as long as it lives."""
    conf = home.folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=home.folder, port=8080))
    run = home.run(home.serving, "--service", "web", "--port", "80:8080",
                   "--protocol", "http", "--account", "web", "--",
                   "nginx", "-c", conf)
    try:
        # The caller may know one that was there before, and an agent that
        # is killed sooner keeps it from beginning.
        wait_for(lambda: exposed(home.serving) == ["web"] and
                 [r["state"] for r in runs(home.serving)] == ["captured"],
                 lambda: f"it is offered: {home.serving.text}")
        home.caller.sees("web", 1)
        yield run
    finally:
        run.process.terminate()
        run.ends()
        is_over(home.serving)


def test_two_programs_meet_by_name_and_each_is_itself(home, nginx):
    """The other end knows who calls; of one machine each is its own."""
    def curl(account):
        return home.run(home.caller, "--account", account, "--",
                        "curl", "-sS", "http://web/").ends()
    for account in ("caller", "other", "caller"):
        assert curl(account) == (0, "hello\n", "")
    callers = [c["source"] for c in
               home.serving.cli.api("/v1/connections")["items"]]
    assert sorted(set(callers)) == [CALLER + "caller", CALLER + "other"]
    is_over(home.caller)


POLICY = """\
apiVersion: meshd.dev/v1
kind: HealthCheckPolicy
metadata: {name: all}
spec: {http: {path: /}, interval: 100ms}
"""


def test_a_policy_comes_before_the_check_that_nobody_asked_for(home, nginx):
    def check():
        row = home.serving.cli.items("exposed")[0]
        return row.get("check"), row["health"]  # none of a service just made
    wait_for(lambda: check() == ("tcp", "healthy"), check)
    home.apply(POLICY)
    wait_for(lambda: check() == ("http (default/all)", "healthy"), check)
    home.cli.ok("delete", "HealthCheckPolicy", "all")
    wait_for(lambda: check() == ("tcp", "healthy"), check)


def test_who_is_not_run_does_not_call_as_one_that_is(home, nginx):
    """Another program of the machine, at the same time, is not captured."""
    ready = home.folder / "ready"
    run = home.run(home.caller, "--account", "caller", "--",
                   "sh", "-c", f"touch {ready}; exec sleep 600")
    try:
        wait_for(ready.exists, "it runs")
        done = home.caller.machine.run(
            *home.enter, "curl", "-sS", "-m", "1", "http://web/")
        assert done.returncode != 0
    finally:
        run.process.terminate()
        assert run.ends()[0] == -signal.SIGTERM
    is_over(home.caller)


@pytest.mark.parametrize("script, code", [
    ("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -signal.SIGKILL)])
def test_its_end_is_that_of_the_command(home, script, code):
    run = home.run(home.caller, "--", "sh", "-c", script)
    assert run.ends()[0] == code
    is_over(home.caller)


def test_signals_are_passed_on(home):
    run = home.run(
        home.caller, "--", "sh", "-c",
        'trap "echo one" USR1; trap "echo end; exit 5" TERM; echo ready; '
        "while :; do sleep 0.05; done")
    assert run.process.stdout.readline() == "ready\n"
    run.process.send_signal(signal.SIGUSR1)
    assert run.process.stdout.readline() == "one\n"
    run.process.terminate()
    assert run.ends()[:2] == (5, "end\n")
    is_over(home.caller)


def test_what_it_leaves_behind_ends_with_it(home):
    run = home.run(home.caller, "--", "sh", "-c",
                   "sleep 600 >/dev/null 2>&1 & echo $!")
    code, out, err = run.ends()
    assert code == 0 and "left behind" in err
    assert is_gone(int(out))


def test_a_killed_run_takes_its_command_along(home):
    run = home.run(home.serving, "--service", "gone", "--port", "8090", "--",
                   "sh", "-c", "echo $$; exec sleep 600")
    pid = int(run.process.stdout.readline())
    wait_for(lambda: exposed(home.serving) == ["gone"], "it is offered")
    run.process.kill()
    run.process.wait(DEADLINE)
    is_over(home.serving)
    wait_for(lambda: is_gone(pid), "the command has ended")
    run.ends()


def test_an_agent_that_starts_again_is_told_again(home, nginx):
    for how in (signal.SIGKILL, signal.SIGTERM):
        home.serving.stop(how)
        home.serving.start(prefix=home.enter).joined()
        wait_for(lambda: exposed(home.serving) == ["web"] and
                 [r["state"] for r in runs(home.serving)] == ["captured"],
                 lambda: f"{runs(home.serving)} {home.serving.text}")
        home.caller.sees("web", 1)
    assert nginx.process.poll() is None
    home.serving.stop(signal.SIGKILL)
    nginx.process.terminate()
    nginx.process.wait(DEADLINE)
    home.serving.start(prefix=home.enter).joined()
    assert exposed(home.serving) == []


def test_capture_beside_it_stays_as_it_is(home):
    ready = home.folder / "beside"
    home.caller.cli.ok("capture", "on", "--out", "10.1.0.0/16")
    run = home.run(home.caller, "--", "sh", "-c",
                   f"touch {ready}; exec sleep 600")

    def rules():
        return [r["rule"] for r in
                home.caller.cli.json("capture", "status")["rules"]]
    try:
        wait_for(ready.exists, "it runs")
        assert any("10.1.0.0/16" in r for r in rules())
        assert any("come to the proxy, port 151" in r for r in rules())
        home.caller.cli.ok("capture", "off")
        assert not any("10.1.0.0/16" in r for r in rules())
        assert any("come to the proxy, port 151" in r for r in rules())
    finally:
        run.process.terminate()
        run.ends()
    is_over(home.caller)


def test_what_cannot_be_is_said(home, nginx):
    def refused(agent, *words):
        code, _, err = home.run(agent, *words).ends()
        assert code != 0
        return err
    assert "behind --" in refused(home.caller, "curl")
    assert "account: a name consists" in refused(
        home.caller, "--account", "Not_one", "--", "true")
    assert "go together" in refused(
        home.caller, "--service", "x", "--", "true")
    assert "exposed already" in refused(
        home.serving, "--service", "web", "--port", "80:8080", "--", "true")
    assert "cannot run no-such-program" in refused(
        home.caller, "--", "no-such-program")
    done = subprocess.run(
        [*home.caller.machine.enter, MESHD, "run", "--", "true"], text=True,
        env=home.caller.cli.env, capture_output=True, timeout=DEADLINE,
        check=False)
    assert done.returncode != 0 and "mount -t cgroup2" in done.stderr
    done = home.caller.machine.run(
        *home.enter, "setpriv", "--reuid=15998", "--clear-groups", MESHD,
        "run", "--", "true", env=home.caller.cli.env)
    assert done.returncode != 0 and "Delegate=yes" in done.stderr
    is_over(home.caller)


# --- units of systemd ---

WITH_SYSTEMD = ("sh", "-c", 'mount --bind "$0" /etc/systemd/system; exec "$@"')


class Unit:
    """A service of systemd, run as systemd would by what its drop-in says."""

    def __init__(self, home, name, *words):
        self.home, self.words = home, words
        self.name = f"{name}-{home.net.prefix}.service"
        self.units = home.folder / "units"
        self.units.mkdir(exist_ok=True)
        self.group = f"/sys/fs/cgroup/system.slice/{self.name}"
        self.process = None

    @property
    def drop_in(self):
        return self.units / f"{self.name}.d/50-meshd.conf"

    def meshd(self, *words, **env):
        """A command that sees the folder of systemd's units."""
        agent = self.home.serving
        return agent.machine.run(
            *self.home.enter, *WITH_SYSTEMD, self.units, MESHD, *words,
            env={**agent.cli.env, **env})

    def line(self, key):
        for line in self.drop_in.read_text().splitlines():
            if line.startswith(f"{key}=+-"):
                return line.partition("=+-")[2].replace("%n", self.name)
        return "true"

    def inside(self, script):
        agent = self.home.serving
        return subprocess.Popen(
            [*agent.machine.enter, *self.home.enter, "sh", "-c",
             f"mkdir -p {self.group}; echo $$ >{self.group}/cgroup.procs; "
             f"{script}", "sh", *map(str, self.words)],
            env=agent.cli.env, stdout=subprocess.DEVNULL)

    def start(self):
        before = self.line("ExecStartPre") if self.drop_in.exists() else ":"
        self.process = self.inside(f'{before} || :; exec "$@"')

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        after = self.line("ExecStopPost") if self.drop_in.exists() else ":"
        self.inside(after).wait(DEADLINE)  # its "-": whatever comes of it
        machine = self.home.serving.machine
        wait_for(lambda: machine.run(*self.home.enter, "rmdir", self.group
                                     ).returncode == 0, "its cgroup is empty")
        machine.run(*self.home.enter, "rmdir", pathlib.Path(self.group).parent)


@pytest.fixture
def unit(home):
    conf = home.folder / "unit.conf"
    conf.write_text(NGINX.format(folder=home.folder, port=8085))
    it = Unit(home, "web", "nginx", "-c", conf)
    yield it
    if it.process.poll() is None:
        it.stop()
    it.meshd("unexpose", "--unit", it.name)
    is_over(home.serving)


def programs(home):
    return [(p["unit"], p["state"]) for p in runs(home.serving)]


def is_active(home, unit):
    wait_for(lambda: programs(home) == [(unit.name, "captured")],
             lambda: f"{runs(home.serving)} {home.serving.text}")
    home.caller.sees("unit", 1)


def test_a_unit_is_in_the_mesh_while_it_is_active(home, unit):
    done = unit.meshd("expose", "--unit", unit.name, "--account", "unit",
                      "--protocol", "http", "unit", "80:8085")
    assert done.returncode == 0, done.stderr
    assert str(unit.drop_in.name) in done.stdout
    assert f"systemctl restart {unit.name}" in done.stderr
    assert exposed(home.serving) == []
    for _ in range(2):  # its cgroup is another one each time
        unit.start()
        is_active(home, unit)
        curl = home.run(home.caller, "--", "curl", "-sS", "http://unit/")
        assert curl.ends() == (0, "hello\n", "")
        unit.stop()
        assert programs(home) == [] and exposed(home.serving) == []
    unit.start()
    is_active(home, unit)
    home.serving.stop(signal.SIGKILL)
    home.serving.start(prefix=home.enter).joined()
    is_active(home, unit)
    # It begins anew while nobody is there to be told.
    home.serving.stop(signal.SIGKILL)
    unit.stop()
    unit.start()
    home.serving.start(prefix=home.enter).joined()
    is_active(home, unit)
    done = unit.meshd("unexpose", "--unit", unit.name)
    assert done.returncode == 0, done.stderr
    assert not unit.drop_in.parent.exists()
    is_over(home.serving)
    assert unit.process.poll() is None


def test_a_unit_knows_whom_to_call_after_a_boot_without_a_server(home, unit):
    """It ended before the agent did, as systemd has it, and begins behind it.
    """
    done = unit.meshd("expose", "--unit", unit.name, "--account", "unit",
                      "--protocol", "http", "unit", "80:8085")
    assert done.returncode == 0, done.stderr
    home.serving.synced()
    unit.start()
    is_active(home, unit)
    assert [p["missed"] for p in runs(home.serving)] == [""]
    unit.stop()
    home.serving.stop()
    home.server.stop(signal.SIGKILL)
    try:
        home.serving.start(prefix=home.enter).joined()
        unit.start()
        wait_for(lambda: programs(home) == [(unit.name, "captured")],
                 lambda: f"{runs(home.serving)} {home.serving.text}")
        assert [p["missed"] for p in runs(home.serving)] == [""]
    finally:
        home.server.start()


def test_a_unit_that_is_active_already_is_captured_from_now_on(home, unit):
    unit.start()
    bus = Bus(home.folder / "bus")
    done = unit.meshd(
        "expose", "--unit", unit.name[:-len(".service")], "--now", "unit",
        "80:8085", DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={bus.path}")
    assert done.returncode == 0, done.stderr
    assert bus.calls == [("Hello", []), ("Reload", []),
                         ("RestartUnit", [unit.name, "replace"])]
    bus.close()
    is_active(home, unit)


def test_what_no_unit_can_be_is_said(home, unit):
    unit.start()
    for words, what in (
            (["expose", "--unit", "../x", "a", "80"], "no name of a service"),
            (["expose", "--unit", "x.socket", "a", "80"], "no name"),
            (["expose", "--unit", "x", "a"], "or neither"),
            (["expose", "--now", "a", "80"], "is for --unit"),
            (["unexpose", "--unit", "x"], "knows of no unit"),
            (["unit", "stopped", "x.service"], "knows of no unit"),
            (["unit", "started", "x.service"], "is none of x.service")):
        done = unit.meshd(*words)
        assert done.returncode != 0 and what in done.stderr
    assert list(unit.units.iterdir()) == []
