# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory for large fleets: when Python collects garbage, and when freed memory goes back to the system."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Turn the garbage collector off in this block, for work that creates hundreds of thousands of lasting objects.

    The collector would search all of them, and everything that Ansible has loaded, again and again, and find nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Moves all objects to the oldest generation without searching them. The next collection would search all young
        # ones.
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()


def give_back() -> None:
    """Make the C library return free memory to the system, if it is a library that otherwise keeps much of it.

    The one of Linux keeps, for each thread, the memory that bodies of replies took. Python's own objects are elsewhere.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        # Imported here, because few tasks need it and some builds of Python lack it.
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
