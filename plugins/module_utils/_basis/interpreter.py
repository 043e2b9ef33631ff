# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Python runs work on a large fleet: garbage, threads, and memory."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

# Seconds that a thread may keep others waiting for Python's lock; Python's own default is 0.005. A thread that receives
# a reply needs the lock again for every 16 KiB, so while another thread computes, it would receive almost nothing.
_TURN = 0.001


@contextlib.contextmanager
def fit_for_fleets() -> Iterator[None]:
    """Do the work in this block with the garbage collector off, and with shorter turns of threads.

    The work creates hundreds of thousands of lasting objects. The collector would search all of them, and everything that
    Ansible has loaded, again and again, and find nothing.
    """
    enabled, turn = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
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
