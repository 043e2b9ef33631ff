# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a large fleet takes: when Python looks for garbage, and what becomes of memory that is free again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector rest in the block: for work that makes hundreds of thousands of objects, which all stay.

    It would go through all of them, and all that Ansible has loaded, again and again, and find nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # To the oldest generation, without a look at it: the next collection would go through all that is young.
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()


def give_back() -> None:
    """Let the C library give memory that is free back to the system, where it is one that keeps much of it.

    That of Linux keeps what the bodies of replies took, for each thread apart, and Python's objects are not made there.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        # Here, as few tasks need it, and some Pythons lack it.
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
