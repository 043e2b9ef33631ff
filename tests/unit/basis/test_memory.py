# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The garbage collector rests in a block, and is afterwards as it was before, whatever ended the block."""

from __future__ import annotations

import gc

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.memory import uncollected


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_collector_is_as_it_was_before(enabled, error):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        try:
            with uncollected():
                assert not gc.isenabled()
                with uncollected():
                    pass
                assert not gc.isenabled()
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()
