# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads that carry out a plan: each write once, results in order, and nothing begun after an unexpected error."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._communication.apply import _each


@given(st.integers(1, 8), st.integers(0, 40))
def test_each_item_is_done_once_and_results_are_in_order(threads, number):
    done: list[int] = []

    def do(item: int) -> int:
        done.append(item)
        return 2 * item

    with ThreadPoolExecutor(threads) as pool:
        assert _each(pool, threads, do, range(number)) == [2 * item for item in range(number)]
    assert sorted(done) == list(range(number))


def test_items_are_done_at_the_same_time():
    together = threading.Barrier(4, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(_each(pool, 4, lambda _item: together.wait(), range(8))) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("kind", [AssertionError, KeyboardInterrupt])
def test_after_an_unexpected_error_nothing_else_is_begun(kind):
    """Whichever thread it is in. The other one ends what it does, and may have taken some more."""
    begun: list[int] = []
    failed = threading.Event()

    def do(item: int) -> None:
        begun.append(item)
        if item == 1:
            try:
                raise kind("wrong")
            finally:
                failed.set()
        failed.wait(60)
        time.sleep(0.02)

    with ThreadPoolExecutor(2) as pool, pytest.raises(kind, match="wrong"):
        _each(pool, 2, do, range(100))
    assert len(begun) < 50
