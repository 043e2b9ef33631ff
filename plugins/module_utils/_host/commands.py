# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a program of the host a question: no shell, a bare environment, a limit on the time and on the answer.

C(AnsibleModule.run_command) has neither limit. This code runs on every host, and one program that hangs must not block
the facts of a whole inventory.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from typing import Dict, NamedTuple, Optional, Sequence

# Seconds that one program may take. A package database on a busy disk takes a few.
TIMEOUT = 15.0
# Bytes of an answer, all streams together. The longest expected answer has a few kilobytes.
LONGEST = 256 * 1024

# Nothing is inherited from the caller: no search path, no home folder with settings, no language.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "LANG": "C"}


class Answer(NamedTuple):
    """What a program said: its exit status (negative: the signal that ended it) and its two streams."""

    status: int
    output: str
    errors: str


class Unanswered(Exception):
    """A program gave no usable answer. The text says why, for people."""


def find_program(paths: Sequence[str]) -> Optional[str]:
    """The first of these absolute paths that is a program; C(None) if none is."""
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def ask(arguments: Sequence[str], timeout: float = TIMEOUT, longest: int = LONGEST) -> Answer:
    """Run a program, given by its absolute path and its arguments, and return what it said.

    C(timeout) is in seconds, C(longest) in bytes. Raises C(Unanswered) if the program cannot be started, takes longer
    or says more. It is then killed, with all processes that it started.
    """
    program = arguments[0]
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command has no limits, see above
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Unanswered(f"{program} could not be started: {getattr(error, 'strerror', None) or error}.") from error
    deadline = time.monotonic() + timeout
    with process:
        try:
            streams = _read(process, deadline, longest)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except _TooMuch as error:
            _end(process)
            raise Unanswered(f"{program} was ended: it said more than {longest} bytes.") from error
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise Unanswered(f"{program} was ended: it did not answer within {timeout:g} seconds.") from error
    return Answer(status, streams["output"], streams["errors"])


class _TooMuch(Exception):
    pass


def _read(process: subprocess.Popen[bytes], deadline: float, longest: int) -> Dict[str, str]:
    """Read both streams to their ends. They end only when all processes that hold them open have ended."""
    if process.stdout is None or process.stderr is None:
        raise AssertionError("both are pipes")
    parts: Dict[str, bytearray] = {"output": bytearray(), "errors": bytearray()}
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "output")
        selector.register(process.stderr, selectors.EVENT_READ, "errors")
        while selector.get_map():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _events in selector.select(remaining):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                parts[key.data] += chunk
                if sum(len(part) for part in parts.values()) > longest:
                    raise _TooMuch
    return {name: part.decode("utf-8", "replace") for name, part in parts.items()}


def _end(process: subprocess.Popen[bytes]) -> None:
    # The program leads its own session and was not waited for yet, so its number is still the number of its group.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
