# SPDX-License-Identifier: Apache-2.0
"""run — programs that are in the mesh as long as they live.

vm2 serves and vm3 calls. Neither program was told of a proxy: their cgroups
are captured, and each calls as an account of its own.
"""

import pathlib
import signal
import subprocess

import pytest

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
    resolv.write_text("nameserver 10.99.0.77\n")
    with Mesh(folder, request.param, machines=3) as it:
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
    return agent.cli.api("/v1/runs")["items"]


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
