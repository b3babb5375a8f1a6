# SPDX-License-Identifier: Apache-2.0
"""conftest — in which order several workers begin the tests."""

import collections

import pytest


def group(item):
    """Of those that share a mesh; None if the test shares nothing."""
    mark = item.get_closest_marker("xdist_group")
    return mark and mark.args[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """What takes longest begins first, lest all wait for it at the end.

    That is the groups, from the largest down, then the complex files.
    """
    if not hasattr(config, "workerinput"):
        return
    sizes = collections.Counter(group(item) for item in items)
    sizes[None] = 0
    items.sort(key=lambda item: "" if group(item) else item.path.name,
               reverse=True)
    items.sort(key=lambda item: -sizes[group(item)])
