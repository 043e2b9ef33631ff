# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which thread gets the signals that end work: the main thread, and none that this collection starts."""

from __future__ import annotations

import signal

# Those that Ansible handles: interruptions, and the alarm of a task's C(timeout).
HANDLED = frozenset((signal.SIGALRM, signal.SIGINT, signal.SIGTERM))


def leave_signals() -> None:
    """Leave signals to other threads. To be called in each thread, when it starts.

    Not in threads that start programs, because these would inherit that, and could not be ended.

    Python handles signals in its main thread only, but the system may give them to any thread. If another one than the
    main thread gets a signal, that does not wake the main thread. If this waits for threads that write, it would only
    handle an interruption when everything is written.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
