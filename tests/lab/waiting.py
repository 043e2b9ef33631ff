# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for what the lab's processes do in their own time."""

from __future__ import annotations

import time
import typing as t

Found = t.TypeVar("Found")


def until(condition: t.Callable[[], Found], what: str, within: float = 60.0) -> Found:
    """Ask again and again, until the answer is true; returns it.

    Raises C(AssertionError) that says C(what) did not happen and what the last answer was, after C(within) seconds:
    far more than it takes, as the processors may be busy with something else.
    """
    deadline, pause = time.monotonic() + within, 0.02
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s; at last {found!r}"
        time.sleep(pause)
        # Looking costs what it waits for some of the processor.
        pause = min(2 * pause, 0.16)
    return found
