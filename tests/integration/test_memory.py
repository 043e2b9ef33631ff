# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory a task takes for each target that changes: what Python counts, so that it is the same on any machine."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._communication import apply
from tests.bench.fleet import DeclaredFleet
from tests.integration.support import run_profiles
from tests.lab.manager.process import LabManager

# Bytes for each computer of which all settings and the rule change. At 2,450, a task that wrote all of 100,000 of them took
# 392 MB.
MOST_FOR_A_TARGET = 2_350
SIZES = (400, 1_600)


@pytest.mark.slow
@pytest.mark.parametrize("check", [True, False])
def test_a_target_that_changes_takes_little_memory(monkeypatch, check):
    """The difference between two sizes of fleet: what a task takes for anything else is in both.

    One connection, so that the same pages are in memory at once, however fast they come.
    """
    # What waits to be written at once is the same for any size, from the size on that this test does not reach.
    monkeypatch.setattr(apply, "_BATCH", 100)
    peaks = []
    for size in SIZES:
        with LabManager(computers=size, policies=20, seed=2) as lab:
            profiles = DeclaredFleet(lab).profiles_of_overrides()
            gc.collect()
            tracemalloc.start()
            try:
                counts = run_profiles(lab, profiles, check=check, concurrency=1)["counts"]
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert counts["changed"] >= size and not counts["failed"]
    for_a_target = (peaks[1] - peaks[0]) / (SIZES[1] - SIZES[0])
    assert for_a_target < MOST_FOR_A_TARGET
