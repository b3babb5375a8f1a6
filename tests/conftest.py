# SPDX-License-Identifier: Apache-2.0
"""conftest — in which order several workers begin the tests."""

import collections

import pytest


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "waits: for a time that the mesh takes, tens of seconds")


def group(item):
    """Of those that share a mesh; None if the test shares nothing."""
    mark = item.get_closest_marker("xdist_group")
    return mark and mark.args[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """What takes longest begins first, lest all wait for it at the end.

    That is what waits, then groups, from the largest down, then the complex
    files.
    """
    if not hasattr(config, "workerinput"):
        return
    sizes = collections.Counter(group(item) for item in items)
    sizes[None] = 0
    items.sort(key=lambda item: "" if group(item) else item.path.name,
               reverse=True)
    items.sort(key=lambda item: -sizes[group(item)])
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)
