# SPDX-License-Identifier: Apache-2.0
"""tutorial — who follows README or meshd-quickstart(7) sees what they show."""

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


def test_quickstart(reader):
    blocks = list(mdoc_blocks((TREE / "man/meshd-quickstart.7").read_text()))
    assert len(blocks) > 3
    reader.follow(blocks)
