# SPDX-License-Identifier: Apache-2.0
"""tutorial — who follows README or a page to begin with sees what they show."""

import contextlib
import pathlib

import pytest

from mesh import Net
from tutorial import Reader, markdown_blocks, mdoc_blocks

TREE = pathlib.Path(__file__).parents[2]


@pytest.fixture
def reader(tmp_path):
    """Machines without an address of IPv6, as most pages show them."""
    net = Net(3, 4)
    try:
        net.open()
        with contextlib.closing(Reader(net, tmp_path)) as it:
            yield it
    finally:
        net.close()


def test_readme(reader):
    blocks = markdown_blocks((TREE / "README.md").read_text(),
                             "Five minutes on real machines")
    assert len(blocks) > 3
    reader.follow(blocks)


def page(name, section=None):
    blocks = list(mdoc_blocks(
        (TREE / f"man/{name}").read_text(), section))
    assert len(blocks) > 1
    return blocks


def test_quickstart(reader):
    reader.follow(page("meshd-quickstart.7"))


CLUSTER = """\
cat >istio.yaml <<END
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: VirtualService
  metadata: {name: reviews, namespace: shop, generation: 3}
  spec:
    hosts: [reviews]
    http: [{route: [{destination: {host: reviews}}]}]
- apiVersion: v1
  kind: Service
  metadata: {name: reviews, namespace: shop}
  spec:
    ports: [{name: http, port: 9080, protocol: TCP, targetPort: 9080}]
    selector: {app: reviews}
    type: ClusterIP
  status: {loadBalancer: {}}
END"""


def test_who_comes_from_istio_brings_a_configuration(reader):
    assert reader.terminal("server").type(CLUSTER)[0] == 0
    reader.follow(page("meshd-istio.7", "BRINGING A CONFIGURATION OVER"))


def test_who_comes_from_consul_brings_services(reader):
    reader.follow(page("meshd-consul.7", "BRINGING SERVICES OVER"))
