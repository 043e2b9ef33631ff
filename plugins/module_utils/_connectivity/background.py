# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in the background that nobody has to wait for: a lookup that hangs must not block the module."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import Any, Callable, Optional, TypeVar

T = TypeVar("T")


def in_background(function: Callable[..., T], *arguments: Any) -> concurrent.futures.Future[T]:
    """Start a function in its own thread, which ends with the process even if the function never ends."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            result = function(*arguments)
        except BaseException as error:  # raised again when the result is asked for
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    return future


def wait_until(future: concurrent.futures.Future[T], deadline: float) -> Optional[T]:
    """What a background function returned, or C(None) if it has not returned by C(deadline) (C(time.monotonic()))."""
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except concurrent.futures.TimeoutError:
        return None
