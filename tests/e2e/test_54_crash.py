# SPDX-License-Identifier: Apache-2.0
"""crash — a few of the kills that `make crash` makes a thousand of."""

import pytest

from crash import Crash
from mesh import SANITIZED, Mesh, families

SEED = 54
KILLS = 10 if SANITIZED else 30


@pytest.mark.parametrize("family", families("crash")[:1])
def test_what_was_acknowledged_is_there_whoever_is_killed(tmp_path, family):
    """One family is enough: nothing here looks at addresses."""
    with Mesh(tmp_path, family, machines=4) as mesh:
        with Crash(mesh, SEED) as crash:
            crash.run(KILLS)
        assert not crash.bad, (SEED, crash.bad)
        assert crash.total >= KILLS and all(
            turns.good > 0 for turns in crash.turns.values()), crash.done()
