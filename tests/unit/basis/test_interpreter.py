# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In a block, the garbage collector rests and threads take short turns. Afterwards, both are as before."""

from __future__ import annotations

import gc
import resource
import sys
import weakref
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.interpreter import (
    fit_for_fleets,
    give_back,
)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_interpreter_is_as_it_was_before(enabled, error):
    was, turn = gc.isenabled(), sys.getswitchinterval()
    try:
        (gc.enable if enabled else gc.disable)()
        try:
            with fit_for_fleets():
                assert not gc.isenabled() and sys.getswitchinterval() < turn
                with fit_for_fleets():
                    pass
                assert not gc.isenabled() and sys.getswitchinterval() < turn
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        assert gc.isenabled() == enabled and sys.getswitchinterval() == turn
    finally:
        (gc.enable if was else gc.disable)()


def test_what_was_made_is_old_afterwards_and_is_still_collected():
    class Node:
        pass

    with fit_for_fleets():
        node = Node()
        node.itself = node
    assert any(one is node for one in gc.get_objects(generation=2))
    still_there = weakref.ref(node)
    del node
    gc.collect()
    assert still_there() is None


def test_what_is_free_goes_back():
    """Of blocks that lie in a row, all are free but the last one, without which the C library would not keep the others."""

    def used() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    blocks = [b"x" * 100_000 for _block in range(300)]
    del blocks[:-1]
    before = used()
    give_back()
    assert before - used() > 15_000_000
    assert blocks
