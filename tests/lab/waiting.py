# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until the lab's processes have done something."""

from __future__ import annotations

import time
import typing as t

Found = t.TypeVar("Found")


def until(condition: t.Callable[[], Found], what: str, within: float = 60.0) -> Found:
    """Check a condition again and again until it is true, and return its value.

    After C(within) seconds, raises C(AssertionError) with C(what), which did not happen, and the last value. The limit
    is far more than needed, because the processors may be busy with something else.
    """
    deadline, pause = time.monotonic() + within, 0.02
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s; at last {found!r}"
        time.sleep(pause)
        # Checking takes processor time away from what we wait for.
        pause = min(2 * pause, 0.16)
    return found
