# SPDX-License-Identifier: Apache-2.0
"""Node's http and http2, and HAProxy, before the one agent and behind the
other, in every combination of versions."""

import pytest

from conftest import (BOTH, SERVICES, VERSIONS, calls, home_port, program,
                      whole)

HAPROXY = """\
global
    maxconn 500
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
"""


@pytest.fixture(scope="module")
def haproxies(pair, serve, nodes):
    """One on vm2 before Node, one on vm3 before the agent.

    On vm3 8200 + 10 * c + s speaks version c with clients and s with us.
    """
    haproxy = program("haproxy")
    behind = HAPROXY
    for name, inner in (("proxied", "node"), ("proxied2", "node2")):
        proto = " proto h2" if VERSIONS[name] == "2" else ""
        behind += (
            f"listen {name}\n"
            f"    bind {pair.service.at(home_port(name))}{proto}\n"
            f"    server node {pair.service.at(home_port(inner))}{proto}\n")
    before = HAPROXY
    for client, own in BOTH:
        port = SERVICES["node" if own == "1" else "proxied2"][0]
        before += (
            f"listen front{client}{own}\n"
            f"    bind {pair.app.at(8200 + 10 * int(client) + int(own))}"
            f"{' proto h2' if client == '2' else ''}\n"
            f"    server mesh {pair.app.at(port)}"
            f"{' proto h2' if own == '2' else ''}\n")
    for name, text in (("behind", behind), ("before", before)):
        (pair.home / name).write_text(text)
    serve("proxied", haproxy, "-db", "-f", pair.home / "behind")
    serve("before", haproxy, "-db", "-f", pair.home / "before",
          machine=pair.app, port=8211)


def upload_by(versions):
    """Between two connections of HTTP/2 HAProxy 2.6 itself, with Node alone
    around it, stops in an echo that is larger than a window."""
    return 32 << 10 if versions == "2" else 1 << 20


@pytest.mark.parametrize("name", ["node", "node2"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_node_calls_node(pair, nodes, version, name):
    assert calls(pair, version, SERVICES[name][0]) == whole(VERSIONS[name])


@pytest.mark.parametrize("name", ["proxied", "proxied2"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_node_calls_haproxy(pair, haproxies, version, name):
    seen = calls(pair, version, SERVICES[name][0], upload_by(VERSIONS[name]))
    assert seen == whole(VERSIONS[name])


@pytest.mark.parametrize("client,own", BOTH)
def test_haproxy_calls_node(pair, haproxies, client, own):
    seen = calls(pair, client, 8200 + 10 * int(client) + int(own),
                 upload_by(min(client, own)))
    assert seen == whole(own)
