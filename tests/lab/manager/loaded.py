# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads the manager's program once for all managers of a test process. Each manager is a fork, at a sixth of the cost.

C(python -m tests.lab.manager.loaded) reads messages from its standard input, a socket, until that is closed. Each is
JSON: C(start), the arguments of a manager, with C(host), a process in whose network the manager runs, or null. The
manager's standard input and output come with the message, and the answer is its process ID. Or C(wait), such an ID. The
answer is its exit status, or the negative number of the signal that ended it.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_LONGEST = 65536


class Manager:
    """A manager that is a fork, with the parts of C(subprocess.Popen) that are needed.

    stdin: the manager runs until this is closed. stdout: what it prints.
    """

    def __init__(self, arguments: t.Sequence[str], host: int | None) -> None:
        """C(host): the first process of the lab host in whose network it runs, if any."""
        self.returncode: int | None = None
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self.stdin = open(ours_in, "w", encoding="utf-8")
        self.stdout = open(ours_out, encoding="utf-8")
        try:
            self._pid = _loaded().ask({"start": arguments, "host": host}, theirs_in, theirs_out)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; raises C(TimeoutExpired)."""
        if self.returncode is None:
            ending = os.pidfd_open(self._pid)
            try:
                if not select.select([ending], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("the lab's manager", timeout or 0.0)
            finally:
                os.close(ending)
            self.returncode = _loaded().ask({"wait": self._pid})
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._pid, signal.SIGKILL)


class _Loaded:
    """The process from which managers are forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-m", __name__], cwd=_ROOT, stdin=theirs)
        # Its CPU time is only counted if it is waited for.
        atexit.register(self._end)

    def ask(self, what: dict[str, t.Any], *descriptors: int) -> int:
        """Send a message, and return the answer."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(what).encode()], descriptors)
            return int(self._socket.recv(_LONGEST))

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()


@functools.cache
def _loaded() -> _Loaded:
    return _Loaded()


def end() -> None:
    """End the loaded process, if there is one, when no manager runs. Otherwise, it ends with this process."""
    if _loaded.cache_info().currsize:
        _loaded()._end()
        _loaded.cache_clear()


def serve(asking: socket.socket) -> dict[str, t.Any] | None:
    """Serve messages. Returns the message in the process of each manager, and at the end C(None) in this process."""
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(asking, _LONGEST, 2)
        if not message:
            return None
        told = json.loads(message)
        if "wait" in told:
            answer = os.waitstatus_to_exitcode(os.waitpid(told["wait"], 0)[1])
        elif not (answer := os.fork()):
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
            return told
        for descriptor in descriptors:
            os.close(descriptor)
        asking.send(str(answer).encode())


def enter(pid: int) -> None:
    """Move this process into the network and PID namespace of another one, with which it ends; see Host.network_prefix."""
    for kind in ("net", "pid"):
        with open(f"/proc/{pid}/ns/{kind}", "rb") as namespace:
            # What os.setns does from Python 3.12 on.
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
    # Only children are in the PID namespace.
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def main() -> None:
    """Load the program, and serve messages; each fork then runs as a manager."""
    # Not at the top, because those who ask for managers import this module, too.
    from tests.lab.manager import __main__ as program

    gc.collect()
    gc.freeze()
    # Ctrl-C is for the process that asks. When that ends, this process ends, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as asking:
        told = serve(asking)
    if told:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if told["host"]:
            enter(told["host"])
        sys.argv[1:] = told["start"]
        program.main()


if __name__ == "__main__":
    main()
