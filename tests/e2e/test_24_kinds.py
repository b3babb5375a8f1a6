# SPDX-License-Identifier: Apache-2.0
"""kinds — configuration that is of the whole mesh, or that nobody may see."""

MESH = """\
accessLogFile: /dev/stdout
connectTimeout: 5s
---
networks:
  east: {endpoints: [{fromCidr: 10.0.0.0/8}]}
  west: {gateways: [{address: 192.0.2.1, port: 15443}]}
"""


def test_plain_documents_of_the_mesh_are_kept_as_kinds(server, meshd):
    done = meshd.ok("apply", "-n", "prod", "-f", "-", stdin=MESH)
    assert done.splitlines() == [
        "MeshConfig/default created", "Network/east created",
        "Network/west created"]
    again = meshd.ok("apply", "-f", "-", stdin=MESH)
    assert again.count("unchanged") == 3

    kept = meshd.ok("get", "-o", "yaml", "meshconfig", "default")
    assert "connectTimeout: 5s" in kept
    assert "namespace" not in kept
    assert "unchanged" in meshd.ok("apply", "-f", "-", stdin=kept)

    assert "Network/east" in meshd.ok("delete", "network", "east")
    meshd.ok("delete", "-n", "prod", "-f", "-",
             stdin=meshd.ok("get", "-o", "yaml", "networks"))
    assert meshd.items("get", "networks") == []


def test_a_mistake_in_a_plain_document_is_told_as_it_was_written(server,
                                                                  meshd):
    done = meshd("apply", "-f", "-", stdin="networks:\n  e:\n    gateways:\n"
                 "    - {address: nowhere, port: 1}\n")
    assert done.returncode == 3
    assert '4:8: networks["e"].gateways[0].address: ' in done.stderr
    assert meshd.items("get") == []
