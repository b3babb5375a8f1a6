# SPDX-License-Identifier: Apache-2.0
"""mesh — a server and agents of meshd, each on an address of its own."""

import http.client
import json
import os
import socket
import subprocess

from machine import LOAD_CORE, PROXY_CORE, wait_for

SERVER_ADDRESS = "10.99.0.1"


def agent_address(number):
    return f"10.99.0.{number + 1}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("meshd", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Local:
    """Commands and the API of whoever serves this unix socket."""

    def __init__(self, meshd, path):
        self.meshd, self.path = meshd, path
        self.connection = None

    def command(self, *words, stdin=None):
        done = subprocess.run(
            [self.meshd, *words, "--socket", self.path], input=stdin,
            text=True, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def call(self, method, path, body=None):
        if self.connection is None:
            self.connection = UnixConnection(self.path)
        self.connection.request(
            method, path, body if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        tree = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {tree}")
        return tree

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)


class Mesh:
    def __init__(self, stage, meshd, core=LOAD_CORE):
        self.stage, self.meshd = stage, meshd
        self.state = stage.path("server")
        self.local = Local(meshd, stage.path("server.sock"))
        subprocess.run([meshd, "server", "init", "--state", self.state],
                       check=True, capture_output=True)
        self.server = self.start_server(core)

    def start_server(self, core):
        """Waits until it is ready: all that is stored is at hand."""
        server = self.stage.start("server", [
            self.meshd, "server", "run", "--state", self.state,
            "--socket", self.local.path, "--name", "server",
            "--control", f"{SERVER_ADDRESS}:15012",
            "--gossip", f"{SERVER_ADDRESS}:15946",
            "--advertise", SERVER_ADDRESS], core)
        server.wait_port(SERVER_ADDRESS, 15012)
        wait_for(lambda: os.path.exists(self.local.path), "the server's socket")
        return server

    def restart_server(self, core):
        self.server.stop()
        self.server = self.start_server(core)

    def token(self, uses):
        return self.local.command("token", "create", "--uses",
                                  str(uses)).strip().split("\n")[-1]

    def agent(self, number, token=None, upstreams=(), **more):
        """`upstreams` are those of --upstream; listening is not awaited."""
        return Agent(self, number, token, upstreams, **more)

    def pair(self, offers, first=1, **more):
        """Two agents; of a name the first offers (port, protocol, target),
        and the second has it at the last of the four."""
        token = self.token(2)
        server = self.agent(first, token, **more).joined()
        for name, (port, protocol, target, _) in offers.items():
            server.expose(name, port, target, protocol)
        client = self.agent(first + 1, token, [
            f"{name}={front}" for name, (*_, front) in offers.items()],
            **more).joined()
        return [client.program, server.program]

    def apply(self, text):
        return self.local.command("apply", "-f", "-", stdin=text)


class Agent:
    def __init__(self, mesh, number, token, upstreams, core=PROXY_CORE,
                 workers=1, dns=("--dns", "off")):
        self.number = number
        self.address = agent_address(number)
        self.local = Local(mesh.meshd, mesh.stage.path(f"agent{number}.sock"))
        argv = [mesh.meshd, "agent", "--workers", str(workers),
                "--name", f"vm{number}", "--address", self.address,
                "--state", mesh.stage.path(f"agent{number}"),
                "--socket", self.local.path,
                "--hbone", f"{self.address}:15008",
                "--gossip", f"{self.address}:15946",
                "--metrics", f"{self.address}:15020",
                "--health", f"{self.address}:15021", "--admin", "off",
                "--access-log", "off", *dns]
        if token:
            argv += ["--join", token]
        for upstream in upstreams:
            argv += ["--upstream", upstream]
        self.program = mesh.stage.start(f"agent{number}", argv, core)

    def joined(self):
        """Waits until it serves commands and is a member."""
        wait_for(lambda: os.path.exists(self.local.path), "the agent's socket")
        wait_for(lambda: self.local.command("members"), "the agent joined")
        return self

    def expose(self, name, port, target, protocol):
        self.local.command("expose", name, f"{port}:{target}",
                           "--protocol", protocol)
