# SPDX-License-Identifier: Apache-2.0
"""Changes without harm: whatever is in flight, a new view fails none of it."""

import http.client

import pytest

import changes
from mesh import SANITIZED, Mesh
from traffic import OFFERS, Crowd, makers, offer, upstreams

# The memory after one seed is compared with that after the one before.
pytestmark = pytest.mark.xdist_group("changes")

SEEDS = (1,) if SANITIZED else (1, 2, 3, 4)
CHANGES = 125  # of each seed
TOGETHER = 5   # of them the first is waited for, the next come at once
# What an allocator keeps in pieces differs by 150 KiB from time to time.
MORE_KIB = 512
RECENT = 256  # requests of either outcome that an agent's worker remembers


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(tmp_path_factory):
    """Everything is offered on vm2, some of it on vm3; vm4 calls."""
    with Mesh(tmp_path_factory.mktemp("changes"), 4) as it:
        vm2, vm3 = it.member(2), it.member(3)
        it.app = it.machine(4)
        it.caller = it.member(4, "--workers", 1, *upstreams(it.app))
        offer(it, vm2, "v1", "web", "switch", "talk", "echo")
        offer(it, vm3, "v2", "web", "echo")
        for name, count in ("web", 2), ("switch", 1), ("talk", 1), ("echo", 2):
            it.caller.sees(name, count)
        remember(it)
        it.kib = None
        yield it


def remember(mesh):
    """Fills the rings of recent requests, which then are as large as ever."""
    at = OFFERS["web"][2]
    conn = http.client.HTTPConnection(mesh.app.loopback, at)
    conn.sock = mesh.app.connect(mesh.app.loopback, at)
    for path in ("/", "/status/503"):
        for _ in range(RECENT):
            conn.request("GET", path, headers={"host": "web"})
            conn.getresponse().read()
    conn.close()


def compare_memory(mesh, seed):
    """Without any configuration; sanitizers keep what was freed."""
    kib = {a.name: a.rss_kib() for a in mesh.agents}
    before, mesh.kib = mesh.kib or kib, kib
    for name, now in kib.items():
        assert SANITIZED or now <= before[name] + MORE_KIB, (
            seed, before, kib)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_change_harms_what_is_in_flight(mesh, seed):
    several = changes.Changes(seed)
    with Crowd(makers(mesh.app), pause=0.01) as crowd:
        for number in range(CHANGES):
            how, documents = several.next()
            revision = changes.make(mesh, how, documents)
            if number % TOGETHER == 0:
                changes.in_force(mesh, revision)
            assert not crowd.failures, (seed, number, how, documents)
    assert not crowd.failures, seed
    assert min(crowd.turns.values()) > 10, crowd.turns
    mesh.reset()
    compare_memory(mesh, seed)
