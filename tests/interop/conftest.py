# SPDX-License-Identifier: Apache-2.0
"""conftest — a mesh for other people's programs: vm3 calls what vm2 offers."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

# pylint: disable-next=wrong-import-position
from mesh import Daemon, Mesh, answers, families, wait_for

UPSTREAMS = {"web": 9000, "redis": 9001, "ws": 9002, "echo": 9003, "h2": 9004}
GRPC = {"grpc": 9005, "grpc-web": 9006}  # one server, by its protocol

NGINX = """\
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {home}/access.log;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    client_max_body_size 200m;
    keepalive_requests 100000;
    server {{
        listen {listen} default_server;
        root {home}/www;
        location /connection {{ return 200 "$connection"; }}
        location /closed {{
            keepalive_timeout 0;
            try_files /small =404;
        }}
        location /put/ {{
            dav_methods PUT DELETE;
            create_full_put_path on;
            root {home}/stored;
        }}
        location /host {{ return 200 "$host $http_x_forwarded_proto"; }}
        location /xff {{ return 200 "$http_x_forwarded_for"; }}
    }}
    server {{
        listen {proxied} proxy_protocol;
        location /told/connection {{ return 200 "$connection"; }}
        location /told {{
            set $to "$proxy_protocol_server_addr $proxy_protocol_server_port";
            return 200 "$proxy_protocol_addr $proxy_protocol_port $to";
        }}
    }}
}}
"""


def start_nginx(machine, home, port):
    for name in ("www", "stored", "body"):
        (home / name).mkdir(parents=True)
    (home / "www" / "small").write_text("small\n")
    conf = home / "nginx.conf"
    conf.write_text(NGINX.format(
        home=home, listen=machine.at(port), proxied=machine.at(port + 5)))
    return Daemon(machine, ["nginx", "-c", conf, "-e", home / "error.log",
                            "-g", "user root;"], home / "nginx.log")


def start_redis(machine, home, port):
    home.mkdir()
    return Daemon(
        machine,
        ["redis-server", "--port", port, "--bind", machine.loopback,
         "--save", "", "--appendonly", "no", "--dir", home],
        home / "redis.log")


def start_nghttpd(machine, home, port):
    home.mkdir()
    (home / "small").write_text("small\n")
    (home / "index.html").write_text("index\n")
    return Daemon(
        machine,
        ["nghttpd", "--no-tls", "--echo-upload", "-a", machine.loopback,
         "-d", home, port],
        home / "nghttpd.log")


@pytest.fixture(scope="session", params=families("interop"))
def mesh(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    daemons = []
    with Mesh(folder, request.param, machines=4) as it:
        try:
            it.service, it.app = it.machine(2), it.machine(3)
            it.vm2 = it.member(2)
            words = []
            for name, port in (UPSTREAMS | GRPC).items():
                words += ["--upstream", f"{name}={it.app.at(port)}"]
            it.vm3 = it.member(3, *words)
            daemons.append(start_nginx(it.service, folder / "nginx", 8080))
            daemons.append(start_redis(it.service, folder / "redis", 6379))
            daemons.append(start_nghttpd(it.service, folder / "h2", 8083))
            for port in (8080, 6379, 8083):
                wait_for(lambda p=port: answers(it.service, p),
                         f"port {port} listens; {list(folder.iterdir())}")
            it.nginx, it.nghttpd = folder / "nginx", folder / "h2"
            it.echo(2, 8081)
            at = it.service.at
            it.vm2.expose("web", f"80:{at(8080)}", "--protocol", "http")
            it.vm2.expose("ws", f"81:{at(8082)}", "--protocol", "http")
            it.vm2.expose("told", f"83:{at(8085)}", "--protocol", "http")
            it.vm2.expose("h2", f"82:{at(8083)}", "--protocol", "http2")
            it.vm2.expose("redis", f"6379:{at(6379)}")
            it.vm2.expose("echo", f"7:{at(8081)}")
            for name in UPSTREAMS:
                it.vm3.sees(name, 1)
            yield it
        finally:
            for daemon in daemons:
                daemon.stop()


def go_program(name):
    """One that go built, of GRPC_INTEROP's folder."""
    path = pathlib.Path(os.environ["GRPC_INTEROP"]) / name
    log = path.with_name(name + ".log")
    why = log.read_text() if log.exists() else "make check-e2e builds it"
    assert path.exists(), f"there is no {name}: {why}"
    return path


@pytest.fixture(scope="session")
def grpc(mesh, tmp_path_factory):
    """gRPC's interop server as two services: their ports, and its client."""
    server = Daemon(mesh.service,
                    [go_program("grpc_server"), "-port", 8084],
                    tmp_path_factory.mktemp("grpc") / "grpc.log")
    try:
        wait_for(lambda: answers(mesh.service, 8084), "the server listens")
        for number, name in enumerate(GRPC):
            mesh.vm2.expose(name, f"{84 + number}:{mesh.service.at(8084)}",
                            "--protocol", name)
            mesh.vm3.sees(name, 1)
        yield GRPC, go_program("grpc_client")
    finally:
        server.stop()


@pytest.fixture
def curl(mesh):
    """curl on vm3, to the web service unless told else."""
    def run(path, *words, service="web", **options):
        done = mesh.app.run(
            "curl", "--silent", "--show-error", "--max-time", "60", *words,
            f"http://{mesh.app.at(UPSTREAMS[service])}{path}", **options)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout
    return run
