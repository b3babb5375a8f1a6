# SPDX-License-Identifier: Apache-2.0
"""install — a machine that reaches only the server becomes a member by the
line that `token create` prints; what was changed on its way is refused."""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import pytest

from mesh import DEADLINE, MESHD, Mesh, Server, families, wait_for

USER = 61234  # of no privilege, and of nobody else's
TOOLS = ("sh cat chmod cp cut curl dirname env grep head id kill mkdir mktemp "
         "mv nohup openssl printf readlink rm sed sha256sum sleep tail touch "
         "uname wget").split()


@pytest.fixture(scope="module", params=families("install"))
def shared(request, tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("install"), request.param, 2) as it:
        yield it


class Home:
    """A user's folder on machine 2, and the programs that he has."""

    def __init__(self, mesh, folder):
        self.mesh = mesh
        self.path = folder / "home"
        self.tools = folder / "tools"
        folder.chmod(0o755)
        self.path.mkdir()
        os.chown(self.path, USER, USER)
        self.tools.mkdir()
        for tool in TOOLS:
            (self.tools / tool).symlink_to(shutil.which(tool))
        self.meshd = self.path / ".local/bin/meshd"
        self.socket = self.path / ".local/state/meshd/agent.sock"

    def sh(self, script, stdin=None):
        """Both outputs as one text, and the status."""
        return subprocess.run(
            [*self.mesh.machine(2).enter, "setpriv", f"--reuid={USER}",
             f"--regid={USER}", "--clear-groups", "env", "-i",
             f"PATH={self.tools}", f"HOME={self.path}", "sh", "-c",
             f"cd; {script}"], input=stdin, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=2 * DEADLINE)

    def ok(self, script, **options):
        done = self.sh(script, **options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def refused(self, script, *words, **options):
        """In these words, and nothing is installed."""
        done = self.sh(script, **options)
        assert done.returncode != 0, done.stdout
        for word in words:
            assert word in done.stdout, done.stdout
        assert not self.meshd.exists()
        return done.stdout

    def cli(self, *words):
        return self.ok(" ".join(map(str, (
            self.meshd, *words, "--socket", self.socket))))

    def files(self):
        return {str(p.relative_to(self.path)) for p in self.path.rglob("*")}


@pytest.fixture
def home(shared):
    """Not in pytest's folders: those are for root's eyes only."""
    with tempfile.TemporaryDirectory(
            prefix="meshd-home-", ignore_cleanup_errors=True) as folder:
        it = Home(shared, pathlib.Path(folder))
        yield it
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((it.socket.parent / "agent.pid").read_text()),
                    signal.SIGKILL)
    for node in shared.cli.items("node", "list"):
        if node["name"] == "one" and not node.get("revoked"):
            shared.cli.ok("node", "revoke", "one")


@pytest.fixture
def line(shared):
    def make(form="curl"):
        return shared.token("--line", form)
    return make


def url(mesh, path=""):
    where = mesh.net.join(mesh.machine(1).ip, 15080)
    return f"https://{where}/install{path}"


def get(mesh, path="", *words):
    done = mesh.machine(2).run(
        "curl", "-sSgk", "-w", "\n%{http_code}", *words, url(mesh, path))
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def script_of(mesh):
    status, body = get(mesh)
    assert status == 200
    return body


# --- the line ---


def test_a_user_joins_by_the_line_and_serves_and_it_may_be_said_again(
        shared, home, line):
    told = home.ok(f"{line()} --name one")
    assert "signed by the server's key sha256//" in told
    assert "the program's SHA-256 is as the list says" in told
    assert "this machine is a member" in told
    assert '"state":"running"' in home.cli("status", "-o", "json").replace(
        " ", "")
    assert "one" in [n["name"] for n in shared.cli.items("node", "list")]
    shared.web(2, 8080, "hello")
    home.cli("expose", "web", "80:8080", "--protocol", "http")
    wait_for(lambda: shared.cli.usable("web"), "it serves")

    again = home.ok(f"{line()} --name one")
    assert "is there already" in again and "it runs already" in again
    assert home.meshd.read_bytes() == pathlib.Path(MESHD).read_bytes()
    (home.path / "i").write_text(script_of(shared))
    home.ok("sh i --uninstall")
    assert not home.meshd.exists() and not home.socket.exists()
    assert (home.path / ".local/state/meshd").is_dir()
    home.ok("sh i --uninstall --purge")
    assert not [f for f in home.files() if "meshd" in f]


def test_the_line_for_wget_checks_the_script_itself(shared, home, line):
    (home.tools / "curl").unlink()
    (home.tools / "openssl").unlink()
    text = line("wget")
    wrong = re.sub(r"'[0-9a-f]{64}", "'" + 64 * "0", text)
    home.refused(wrong, "meshd-install: FAILED")
    told = home.ok(f"{text} --no-start")
    assert "without openssl its signature is not looked at" in told
    assert home.meshd.exists()


def test_by_hand_the_program_is_checked_as_well(shared, home, line):
    (home.tools / "curl").unlink()
    (home.tools / "wget").unlink()
    (home.path / "install").write_text(script_of(shared))
    text = line("manual")
    assert hashlib.sha256(
        script_of(shared).encode()).hexdigest() in text
    home.refused(text.splitlines()[-1].removeprefix("3. ").replace(
        " --program meshd-linux-ARCH", ""), "neither curl nor wget", "--program")
    whole = pathlib.Path(MESHD).read_bytes()
    call = text.splitlines()[-1].removeprefix("3. ").replace("ARCH", "amd64")
    program = home.path / "meshd-linux-amd64"
    program.write_bytes(whole[:-1])
    home.refused(call, "SHA-256", "cut or changed on its way")
    program.write_bytes(whole)
    assert "installed" in home.ok(f"{call} --no-start")


def test_a_dry_run_says_every_step_and_does_none(home, line):
    told = home.ok(f"{line()} --dry-run")
    assert re.search(r"\+ fetch https://\S+/install/meshd-linux-", told)
    for step in ("+ check that its SHA-256 is", "+ install it as",
                 "+ start "):
        assert step in told
    assert "mj1." not in told
    assert not home.files()


def test_a_token_is_printed_alone_for_programs(shared):
    assert re.fullmatch(r"mj1\.\S+\n", shared.cli.ok("token", "create"))
    done = shared.cli("token", "create", "--line", "ftp")
    assert done.returncode == 2 and "curl, wget or manual" in done.stderr
    done = shared.cli("token", "create", "--role", "viewer", "--line", "curl")
    assert done.returncode == 1 and "an operator's has none" in done.stderr


def test_a_terminal_is_told_what_to_paste(shared):
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb") as screen, os.fdopen(theirs, "wb") as out:
        done = subprocess.run(
            [MESHD, "token", "create"], env=shared.cli.env, check=False,
            stdout=out, timeout=DEADLINE)
        told = screen.read1(8192).decode()
    assert done.returncode == 0
    token = told.split()[0]
    assert token.startswith("mj1.")
    assert re.search(r"^curl -fsSLk --pinnedpubkey 'sha256//\S+' "
                     rf"{re.escape(url(shared))} \| sh -s -- --pin \S+ "
                     rf"--join {re.escape(token)}\r$", told, re.M), told


# --- what was changed on its way ---


def test_another_pin_is_refused_by_curl_and_by_the_script(shared, home, line):
    pin = shared.cli.json("ca", "show")["apiPin"]
    other = "sha256//" + 43 * "A" + "="
    done = home.sh(line().replace(pin, other))
    assert "does not match" in done.stdout and not home.files()
    (home.path / "i").write_text(script_of(shared))
    home.refused(f"sh i --pin {other} --no-start", "this installer is of",
                 pin, other)
    # Who stands in between cannot show the key.
    (home.path / "i").write_text(script_of(shared).replace(pin, other))
    (home.tools / "openssl").unlink()
    home.refused("sh i --no-start", "shows another key than")


def test_a_changed_list_or_program_is_refused(shared, home):
    script = re.sub(r"(digests=')[0-9a-f]{8}", r"\g<1>00000000",
                    script_of(shared))
    (home.path / "i").write_text(script)
    home.refused("sh i --no-start", "is not signed by the server's key")
    (home.tools / "openssl").unlink()
    home.refused("sh i --no-start", "SHA-256 is", "nothing was installed")


class Cutter:
    """Relays to the server and ends after so many bytes of its answer."""

    def __init__(self, mesh, count):
        self.mesh = mesh
        self.count = count
        self.listener = mesh.machine(2).listen(mesh.machine(2).loopback, 15999)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.relay(self.listener.accept()[0])

    def relay(self, client):
        server = self.mesh.machine(2).connect(
            self.mesh.machine(1).ip, 15080)

        def up():
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    server.sendall(data)
        threading.Thread(target=up, daemon=True).start()
        left = self.count
        with contextlib.suppress(OSError):
            while left > 0 and (data := server.recv(min(left, 65536))):
                client.sendall(data)
                left -= len(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_a_download_that_is_cut_installs_nothing(shared, home):
    (home.path / "i").write_text(script_of(shared))
    with contextlib.closing(Cutter(shared, 300_000)):
        where = shared.net.join(shared.machine(2).loopback, 15999)
        home.refused(f"sh i --no-start --from https://{where}",
                     "could not be fetched")
    assert not [f for f in home.files() if f.startswith(".local/bin/")]


def test_a_script_that_is_cut_does_nothing(shared, home):
    script = script_of(shared)
    for part in range(1, 12):
        home.sh("sh -s -- --no-start",
                stdin=script[:len(script) * part // 12])
        assert not home.files()
    home.sh("sh -s -- --no-start", stdin=script.removesuffix(' "$@"\n')[:-1])
    assert not home.files()


# --- what is served ---


def test_a_stranger_gets_programs_and_digests_and_nothing_secret(shared):
    script = script_of(shared)
    assert "PRIVATE" not in script and "mj1.A" not in script
    status, digests = get(shared, "/SHA256SUMS")
    assert status == 200
    own = hashlib.sha256(pathlib.Path(MESHD).read_bytes()).hexdigest()
    assert digests.startswith(own) and digests.strip() in script
    for path, words in (("/meshd-linux-mips", "amd64 and arm64"),
                        ("/x", "SHA256SUMS"), ("/../v1/status", "")):
        status, told = get(shared, path, "--path-as-is")
        assert status in (401, 404) and words in told, told
    assert get(shared, "", "-I")[0] == 200
    assert get(shared, "", "-X", "POST")[0] == 401


def test_the_signature_is_of_the_list_and_of_the_pinned_key(
        shared, tmp_path):
    key = re.search(r"key='(.*?)'", script_of(shared), re.S)[1]
    (tmp_path / "key").write_text(key + "\n")
    (tmp_path / "list").write_text(get(shared, "/SHA256SUMS")[1])
    done = shared.machine(2).run(
        "curl", "-sgk", "-o", tmp_path / "sig", url(shared, "/SHA256SUMS.sig"))
    assert done.returncode == 0
    done = shared.machine(2).run(
        "openssl", "dgst", "-sha256", "-verify", tmp_path / "key",
        "-signature", tmp_path / "sig", tmp_path / "list")
    assert done.stdout == "Verified OK\n"


def test_a_program_for_another_machine_is_put_into_a_folder(shared):
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    status, told = get(shared, f"/meshd-linux-{other}")
    folder = shared.cli.state / "dist"
    assert status == 404 and f"{folder}/meshd-linux-{other}" in told
    folder.mkdir()
    path = folder / f"meshd-linux-{other}"
    try:
        for text in ("one", "another"):
            path.write_text(text)
            assert get(shared, f"/meshd-linux-{other}") == (200, text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            assert f"{digest}  meshd-linux-{other}" in script_of(shared)
    finally:
        shutil.rmtree(folder)


def test_downloads_are_so_many_at_a_time_and_held_back(shared):
    """A client that does not read costs a few pieces, not the file."""
    context = ssl._create_unverified_context()  # pylint: disable=W0212
    ip = shared.machine(1).ip
    program = "amd64" if os.uname().machine == "x86_64" else "arm64"
    before = shared.server.rss_kib()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            conn = stack.enter_context(context.wrap_socket(
                shared.machine(2).connect(ip, 15080)))
            conn.sendall(f"GET /install/meshd-linux-{program} HTTP/1.1\r\n"
                         "host: a\r\n\r\n".encode())
            assert b" 200 " in conn.recv(100)
        status, told = get(shared, f"/meshd-linux-{program}")
        assert status == 503 and "too many downloads" in told
        assert get(shared)[0] == 200
        size_kib = pathlib.Path(MESHD).stat().st_size // 1024
        assert shared.server.rss_kib() - before < size_kib
    wait_for(lambda: get(shared, f"/meshd-linux-{program}", "-o",
                         "/dev/null")[0] == 200, "there is room again")


def test_those_who_leave_at_once_leave_nothing_behind(shared):
    context = ssl._create_unverified_context()  # pylint: disable=W0212
    ip = shared.machine(1).ip
    program = "amd64" if os.uname().machine == "x86_64" else "arm64"
    ask = f"GET /install/meshd-linux-{program} HTTP/1.1\r\nhost: a\r\n\r\n"
    for _ in range(60):
        with contextlib.suppress(OSError), context.wrap_socket(
                shared.machine(2).connect(ip, 15080)) as conn:
            conn.sendall(ask.encode())
    wait_for(lambda: get(shared, f"/meshd-linux-{program}", "-o",
                         "/dev/null")[0] == 200, "there is room")
    assert shared.server.is_running


def test_it_can_be_switched_off(meshd):
    meshd.ok("server", "init")
    done = meshd("server", "run", "--installer", "maybe")
    assert done.returncode == 2 and "on or off" in done.stderr
    server = Server(meshd, ["--installer", "off"])
    try:
        server.start()
        assert meshd.ok("token", "create").startswith("mj1.")
        done = meshd("token", "create", "--line", "curl")
        assert done.returncode == 1 and "installer = off" in done.stderr
        done = subprocess.run(
            ["curl", "-sk", "-w", "%{http_code}", "-o", "/dev/null",
             "https://127.0.0.1:15080/install"], text=True,
            capture_output=True, timeout=DEADLINE, check=False)
        assert done.stdout == "401"
    finally:
        server.stop(signal.SIGKILL)
