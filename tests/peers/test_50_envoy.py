# SPDX-License-Identifier: Apache-2.0
"""Envoy before the one agent and behind the other, with Node around them.

ENVOY names the program.
"""

import json
import os

import pytest

from conftest import (BOTH, SERVICES, VERSIONS, calls, home_port, program,
                      whole)

TYPE = "type.googleapis.com/envoy.extensions."


def address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def listener(name, host, port):
    """Either version of HTTP, told apart by the first bytes; all to `name`."""
    manager = {
        "@type": f"{TYPE}filters.network.http_connection_manager.v3"
                 ".HttpConnectionManager",
        "stat_prefix": name, "codec_type": "AUTO",
        "http_protocol_options": {"enable_trailers": True},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": f"{TYPE}filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": [{
                "match": {"prefix": "/"},
                "route": {"cluster": name, "timeout": "0s"}}]}]}}
    return {"name": name, "address": address(host, port), "filter_chains": [
        {"filters": [{"name": "http", "typed_config": manager}]}]}


def cluster(name, host, port, version):
    options = {"http2_protocol_options": {}} if version == "2" else {
        "http_protocol_options": {"enable_trailers": True}}
    return {
        "name": name, "type": "STATIC", "connect_timeout": "10s",
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {
                "address": address(host, port)}}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": options}}}


def config(ways):
    """Of (name, (host, port), (host, port), version)."""
    return json.dumps({"static_resources": {
        "listeners": [listener(name, *at) for name, at, _, _ in ways],
        "clusters": [cluster(name, *to, v) for name, _, to, v in ways]}})


@pytest.fixture(scope="module")
def envoys(pair, serve, nodes):
    """On vm3, 8301 speaks HTTP/1.1 with us and 8302 HTTP/2."""
    binary = program(os.environ.get("ENVOY", "envoy"))
    home, loopback = pair.service.loopback, pair.app.loopback
    sides = {
        "behind": [(name, (home, home_port(name)), (home, home_port(inner)),
                    VERSIONS[name])
                   for name, inner in (("envoy", "node"),
                                       ("envoy2", "node2"))],
        "before": [(f"own{own}", (loopback, 8300 + int(own)), (
            loopback, SERVICES["node" if own == "1" else "node2"][0]), own)
                   for own in ("1", "2")]}
    for side, ways in sides.items():
        (pair.home / f"envoy-{side}.json").write_text(config(ways))
    words = [binary, "--concurrency", 1, "--disable-hot-restart", "-l",
             "error", "-c"]
    serve("envoy", *words, pair.home / "envoy-behind.json")
    serve("envoy-before", *words, pair.home / "envoy-before.json",
          machine=pair.app, port=8301)


@pytest.mark.parametrize("name", ["envoy", "envoy2"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_node_calls_envoy(pair, envoys, version, name):
    assert calls(pair, version, SERVICES[name][0]) == whole(VERSIONS[name])


@pytest.mark.parametrize("client,own", BOTH)
def test_envoy_calls_node(pair, envoys, client, own):
    assert calls(pair, client, 8300 + int(own)) == whole(own)
