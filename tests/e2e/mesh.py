# SPDX-License-Identifier: Apache-2.0
"""mesh — real processes on machines of their own: what scenarios stand on.

A machine is a network namespace on a bridge; a server and agents are the
real binary. Programs of a machine (services, clients) are threads of the
test whose sockets were made in its namespace.
"""

import contextlib
import ctypes
import http.client
import http.server
import itertools
import json
import os
import pathlib
import signal
import socket
import socketserver
import subprocess
import threading
import time
import zlib

import pytest

MESHD = os.environ["MESHD"]
# Sanitizers start slowly, and keep what was freed.
SANITIZED = any(s in MESHD for s in ("/asan/", "/tsan/"))
DEADLINE = 60.0  # when to give up: the machine is busy, and TSan is slow
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def wait_for(condition, what, deadline=DEADLINE):
    """The condition's value once it holds; fails after the deadline.

    To ask takes a core from who is waited for, the more so under sanitizers:
    there is as long a pause as an answer takes, and longer ones later.
    """
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > began + deadline:
            text = what() if callable(what) else what
            pytest.fail(f"in {deadline:.0f} s it did not come to this: {text}")
        time.sleep(max(0.02, now - asked, (now - began) / 20))


def families(name, shared=True):
    """Parameters of the fixture `name`: IPv4, then IPv6.

    Those of one family go to one worker if they share a mesh, so each is made
    once. What a sanitizer finds seldom hangs on the family: each of the two
    takes one, and the other takes the other.
    """
    numbers = [4, 6]
    if SANITIZED:
        at = zlib.crc32(name.encode()) + ("/tsan/" in MESHD)
        numbers = [numbers[at % 2]]
    return [pytest.param(
        n, id=f"IPv{n}",
        marks=[pytest.mark.xdist_group(f"{name} IPv{n}")] if shared else [])
        for n in numbers]


# --- the command line ---


class Meshd:
    """The command line, with its own socket and no settings from outside."""

    def __init__(self, folder, socket_name="server.sock", machine=None):
        self.machine = machine
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / socket_name
        self.state = self.folder / "state"
        self.env = {
            "PATH": os.environ["PATH"],
            "MESHD_SOCKET": str(self.socket),
            "MESHD_STATE": str(self.state),
        }

    def __call__(self, *words, stdin=None, env=None, **options):
        enter = self.machine.enter if self.machine else []
        return subprocess.run(
            [*enter, MESHD, *map(str, words)], input=stdin, text=True,
            capture_output=True, timeout=60, check=False,
            env={**self.env, **(env or {})}, **options)

    def ok(self, *words, **options):
        done = self(*words, **options)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok(*words, "-o", "json"))

    def items(self, *words):
        return self.json(*words)["items"]

    def usable(self, service):
        """Its endpoints that are in use, as far as is known."""
        told = self.told(f"/v1/endpoints?service={service}")
        return [e for e in told.get("items", []) if e["status"] == "in use"]

    def sees(self, service, count):
        """Waits until so many endpoints of the service are in use."""
        wait_for(lambda: len(self.usable(service)) == count,
                 lambda: f"{count} endpoints of {service} are in use at "
                 f"{self.folder}: {self('endpoints').stdout}")

    def api(self, path):
        """GET over the unix socket, decoded."""
        with contextlib.closing(http.client.HTTPConnection("local")) as conn:
            conn.sock = socket.socket(socket.AF_UNIX)
            conn.sock.settimeout(DEADLINE)
            conn.sock.connect(str(self.socket))
            conn.request("GET", path)
            return json.loads(conn.getresponse().read())

    def told(self, path):
        """The same, and {} as long as nobody answers: what waits asks this,
        for a command each time takes a core."""
        try:
            return self.api(path)
        except (OSError, http.client.HTTPException):
            return {}


class Process:
    """A role that stays, until it is stopped by its own pid."""

    def __init__(self, meshd, words, machine=None, log="meshd.log"):
        self.meshd = meshd
        self.words = [str(word) for word in words]
        self.machine = machine
        self.path = meshd.folder / log
        self.process = None

    def start(self, env=None, stdin=None, prefix=()):
        """Starts it; waiting is the caller's."""
        enter = self.machine.enter if self.machine else []
        with open(self.path, "ab") as log:
            self.process = subprocess.Popen(
                [*enter, *prefix, MESHD, *self.words], stdout=log,
                stderr=log, env={**self.meshd.env, **(env or {})},
                stdin=subprocess.PIPE if stdin is not None else
                subprocess.DEVNULL)
        if stdin is not None:
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()
        return self

    @property
    def text(self):
        return self.path.read_text(errors="replace")

    def says(self, words):
        return wait_for(lambda: words in self.text,
                        lambda: f'it says "{words}"; its log: {self.text}')

    def lines(self):
        return self.text.splitlines()

    def ends(self):
        """Its exit status, once it has ended by itself."""
        return self.process.wait(DEADLINE)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def rss_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(
            encoding="ascii")
        return int(text.partition("VmRSS:")[2].split()[0])

    def stop(self, with_signal=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        code = self.process.wait(DEADLINE)
        self.process = None
        return code


class Server(Process):
    """`meshd server run`."""

    def __init__(self, meshd, words=(), machine=None):
        super().__init__(meshd, ["server", "run", *words], machine,
                         "server.log")

    def start(self, **options):
        super().start(**options)
        wait_for(lambda: self.meshd("status").returncode == 0,
                 lambda: f"the server serves; its log: {self.text}")
        return self


class Agent(Process):
    """`meshd agent` or `meshd gateway` on a machine; the commands talk to it
    as `cli`."""

    def __init__(self, folder, name, machine, words=(), role="agent"):
        self.name = name
        self.cli = Meshd(folder, "agent.sock")
        super().__init__(
            self.cli, [role, "--name", name, *words], machine, "agent.log")

    def start(self, token=None, **options):
        env = {"MESHD_JOIN": token} if token else {}
        super().start(env=env, **options)
        return self

    def status(self):
        return self.cli.told("/v1/status")

    def joined(self):
        wait_for(lambda: self.status().get("state") == "running",
                 lambda: f"{self.name} runs; its log: {self.text}")
        return self

    def synced(self):
        wait_for(lambda: self.status().get("synced"),
                 lambda: f"{self.name} is synced; it is {self.status()}; "
                         f"its log: {self.text}")
        return self

    def sees(self, service, count):
        self.cli.sees(service, count)

    def usable(self, service):
        return self.cli.usable(service)

    def is_configured(self):
        """True while a resource is here, or a Service in its view."""
        return self.status()["resources"] > 0 or any(
            "Service/" in s["origin"] for s in self.cli.items("services"))

    def expose(self, name, where, *words):
        self.cli.ok("expose", name, where, *words)


# --- machines ---


def run_batch(lines, *ip_words):
    """Lines for ip(8); the first failure fails the test."""
    subprocess.run(["ip", *ip_words, "-batch", "-"], check=True, text=True,
                   input="\n".join(lines) + "\n", capture_output=True,
                   timeout=60)


class Machine:
    """A network namespace with one address on the bridge."""

    def __init__(self, net, number):
        self.net = net
        self.number = number
        self.name = f"{net.prefix}-{number}"
        self.port = f"p{number}"

    @property
    def enter(self):
        return ["ip", "netns", "exec", self.name]

    @property
    def ip(self):
        return self.net.ip(self.number)

    @property
    def loopback(self):
        return self.net.loopback

    def at(self, port):
        """An address of its loopback, as flags write it."""
        return self.net.join(self.loopback, port)

    def inside(self, work):
        """Does the work in a thread that lives in the namespace."""
        result = []

        def enter_and_work():
            fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if LIBC.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                result.append(work())
            except OSError as why:
                result.append(why)
            finally:
                os.close(fd)

        thread = threading.Thread(target=enter_and_work)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def connect(self, ip, port, timeout=DEADLINE):
        return self.inside(
            lambda: socket.create_connection((ip, port), timeout))

    def listen(self, ip, port):
        def make():
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            return socket.create_server((ip, port), family=family, backlog=64)
        return self.inside(make)

    def run(self, *words, **options):
        return subprocess.run(
            [*self.enter, *map(str, words)], text=True, capture_output=True,
            timeout=60, check=False, **options)

    def fetch(self, port, path="/", method="GET", headers=None, body=None,
              ip=None, timeout=DEADLINE):
        """One request to its own loopback, on a connection of its own."""
        ip = ip or self.loopback
        with contextlib.closing(
                http.client.HTTPConnection(ip, port, timeout)) as http_conn:
            http_conn.sock = self.connect(ip, port, timeout)
            http_conn.request(method, path, body=body, headers=headers or {})
            answer = http_conn.getresponse()
            return Answer(answer, answer.read())

    def cut_from(self, other, isolated=True):
        """A partition: the bridge forwards nothing between the two."""
        word = "on" if isolated else "off"
        run_batch([f"link set {m.port} type bridge_slave isolated {word}"
                   for m in (self, other)], "-n", self.net.switch)


    def plug(self, is_in):
        """In or out of the switch: all of the network, or none."""
        word = "up" if is_in else "down"
        run_batch([f"link set {self.port} {word}"], "-n", self.net.switch)


def is_cut(conn, sent=b""):
    """An end or a reset, whether it waits for the bytes or has waited enough;
    a timeout fails the test."""
    try:
        conn.sendall(sent)
        return conn.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


class Answer:
    """What came back, read whole."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def json(self):
        return json.loads(self.body)


class Net:
    """Machines on a bridge that lies in a namespace of its own."""

    numbers = itertools.count()

    def __init__(self, count, family):
        self.family = family
        self.prefix = f"mt{os.getpid()}x{next(self.numbers)}"
        self.switch = f"{self.prefix}-s"
        self.machines = [Machine(self, n) for n in range(1, count + 1)]
        self.loopback = "::1" if family == 6 else "127.0.0.1"

    def ip(self, number):
        return f"fd99::{number}" if self.family == 6 else f"10.99.0.{number}"

    @staticmethod
    def join(ip, port):
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def open(self):
        names = [self.switch, *(m.name for m in self.machines)]
        run_batch([f"netns add {name}" for name in names])
        run_batch(["link add br0 type bridge", "link set br0 up"],
                  "-n", self.switch)
        run_batch([f"link add eth0 netns {m.name} type veth "
                   f"peer name {m.port} netns {self.switch}"
                   for m in self.machines])
        run_batch([f"link set {m.port} master br0 up"
                   for m in self.machines], "-n", self.switch)
        plain = "/64 dev eth0 nodad" if self.family == 6 else "/24 dev eth0"
        for m in self.machines:
            run_batch(["link set lo up", f"addr add {m.ip}{plain}",
                       "link set eth0 up"], "-n", m.name)

    def close(self):
        for name in (*(m.name for m in self.machines), self.switch):
            subprocess.run(["ip", "netns", "del", name], check=False,
                           stderr=subprocess.DEVNULL)


# --- a whole mesh ---


class Mesh:
    """A server on machine 1 and agents on the others."""

    def __init__(self, folder, family, machines=4, init=()):
        self.folder = pathlib.Path(folder)
        self.init = init  # options of `server init`
        self.net = Net(machines, family)
        self.cli = None
        self.server = None
        self.agents = []
        self.homes = itertools.count()
        self.services = []

    def __enter__(self):
        try:
            self.net.open()
            home = self.folder / "server"
            home.mkdir()
            self.cli = Meshd(home)
            self.cli.ok("server", "init", *self.init)
            self.server = Server(self.cli, machine=self.machine(1)).start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for service in self.services:
            service.close()
        for process in (*self.agents, self.server):
            if process is not None:
                process.stop(signal.SIGKILL)
        self.net.close()

    def machine(self, number):
        return self.net.machines[number - 1]

    def token(self, *words):
        return self.cli.ok("token", "create", *words).strip()

    def agent(self, number, *words, name=None, role="agent"):
        """An agent that was not started yet, with a folder of its own."""
        name = name or f"vm{number}"
        # Short, for the path of a socket has 107 bytes at most.
        home = self.folder / f"agent{next(self.homes)}-{name[-30:]}"
        home.mkdir()
        agent = Agent(home, name, self.machine(number), words, role)
        self.agents.append(agent)
        return agent

    def member(self, number, *words, **options):
        """An agent that has joined by a token of its own."""
        agent = self.agent(number, *words, **options)
        return agent.start(self.token("--namespaces", "*")).joined().synced()

    def web(self, number, port, text, **options):
        service = Web(self.machine(number), port, text, **options)
        self.services.append(service)
        return service

    def echo(self, number, port):
        service = Echo(self.machine(number), port)
        self.services.append(service)
        return service

    def apply(self, text, *words):
        """In force on every agent when it returns."""
        self.cli.ok("apply", "-f", "-", *words, stdin=text)
        self.settle()

    def settle(self):
        """Waits until the configuration is in force on all that run."""
        revision = max(int(item["metadata"]["resourceVersion"])
                       for item in self.cli.items("get", "all"))
        running = sum(agent.is_running for agent in self.agents)

        def acknowledged():
            told = self.cli.api("/v1/agents")["items"]
            return len(told) == running and all(
                agent["revision"] >= revision for agent in told)
        wait_for(acknowledged, lambda: f"{running} agents acknowledged "
                 f"revision {revision}: {self.cli.api('/v1/agents')}")

    def reset(self):
        """Takes all configuration away."""
        if not self.cli.items("get", "all"):
            return
        self.cli.ok("delete", "-f", "-",
                    stdin=self.cli.ok("get", "all", "-o", "yaml"))
        for agent in self.agents:
            if agent.is_running:
                wait_for(lambda a=agent: not a.is_configured(),
                         f"{agent.name} has no configuration any more")


# --- services ---


class Daemon:
    """A program of somebody else on a machine, ended by its pid."""

    def __init__(self, machine, words, log):
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [*machine.enter, *map(str, words)], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait(10)


def answers(machine, port):
    """True once somebody listens there."""
    try:
        machine.connect(machine.loopback, port, 1).close()
    except OSError:
        return False
    return True


class WebHandler(http.server.BaseHTTPRequestHandler):
    """Answers with what it saw, as JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # an answer is one write: whole, or not begun

    def do_any(self):
        """/status/N answers N; /wait answers when the test says so."""
        web = self.server.web
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        web.seen.append(self.path)
        web.arrived.set()
        if self.path.startswith("/wait"):
            web.gate.wait(DEADLINE)
        status = 200
        if self.path.startswith("/status/"):
            status = int(self.path.split("/")[2].split("?")[0])
        told = json.dumps({
            "text": web.text, "method": self.command, "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": body.decode("latin-1")}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-from", web.text)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_any

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """The test looks at answers, not at a log."""


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Takes a listener that was made in a namespace."""

    daemon_threads = True

    def __init__(self, listener, handler):
        super().__init__(listener.getsockname()[:2], handler, False)
        self.socket.close()
        self.socket = listener
        self.connections = set()

    def get_request(self):
        taken = super().get_request()
        self.connections.add(taken[0])
        return taken

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that went away is part of many scenarios."""

    def cut(self):
        """Ends every connection at once, by a reset."""
        for one in list(self.connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Service:
    """A service on a machine, on its loopback if no IP is given, in a thread."""

    def __init__(self, machine, port, handler, ip=None):
        self.machine = machine
        self.port = port
        self.server = Threaded(
            machine.listen(ip or machine.loopback, port), handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.is_open = True

    @property
    def target(self):
        return self.machine.at(self.port)

    def close(self):
        """Dies as a killed program does: the port and all connections."""
        if not self.is_open:
            return
        self.is_open = False
        self.server.shutdown()
        self.server.server_close()
        self.server.cut()


class Web(Service):
    """HTTP/1.1."""

    def __init__(self, machine, port, text, ip=None):
        self.text = text
        self.seen = []
        self.arrived = threading.Event()
        self.gate = threading.Event()
        super().__init__(machine, port, WebHandler, ip)
        self.server.web = self

    def close(self):
        self.gate.set()
        super().close()


class Banner:
    """Speaks first, then gives back lines."""

    def __init__(self, machine, port, ip=None):
        self.listener = machine.listen(ip or machine.loopback, port)
        self.listener.settimeout(DEADLINE)
        self.target = machine.at(port)

    def accept(self):
        conn, _ = self.listener.accept()
        conn.sendall(b"220 hello\r\n")
        return conn

    def close(self):
        self.listener.close()


class EchoHandler(socketserver.BaseRequestHandler):
    """Sends back what comes, then the end of it."""

    def handle(self):
        while True:
            data = self.request.recv(65536)
            if not data:
                return
            self.request.sendall(data)


class Echo(Service):
    """TCP."""

    def __init__(self, machine, port):
        super().__init__(machine, port, EchoHandler)
