# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes in their own namespaces, and commands that run in these namespaces."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

Command = str | t.Sequence[str | Path]

NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")

# Runs a command as the first process of new namespaces. All others in them end with it, and it ends with our process.
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--kill-child")

# The first process adopts orphans. If it ignores SIGCHLD, the kernel removes them when they end.
REAPING = ("env", "--ignore-signal=CHLD")


def enter(pid: int, *options: str, drop: str = "") -> list[str]:
    """A prefix that makes a command run in the namespaces of the process C(pid).

    C(options) are nsenter's. C(drop) names capabilities that the command does not get, such as C(-sys_time,-sys_boot).
    A command in another pid namespace is a child of nsenter: it is told to end when nsenter is.
    """
    bounds = ["--bounding-set", drop] if drop else []
    return ["nsenter", "--target", str(pid), *options, "--", "setpriv", "--pdeathsig", "TERM", *bounds, "--"]


def words(command: Command) -> list[str]:
    """The command as a list; a string is a script for the shell."""
    return ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]


def run(
    command: t.Sequence[str],
    *,
    timeout: float | None = None,
    check: bool = True,
    input: str | None = None,
    **options: t.Any,
) -> subprocess.CompletedProcess[str]:
    """Like C(subprocess.run), with the unchanged output (also line ends) captured until the command ends.

    Raises C(CalledProcessError) with the output in its notes, C(TimeoutExpired) after C(timeout) seconds.
    """
    source = subprocess.DEVNULL if input is None else subprocess.PIPE
    # Files instead of pipes, so that a daemon that keeps its output open does not block.
    with tempfile.TemporaryFile() as stdout_file, tempfile.TemporaryFile() as stderr_file:
        with subprocess.Popen(command, stdin=source, stdout=stdout_file, stderr=stderr_file, **options) as process:
            try:
                process.communicate(None if input is None else input.encode("utf-8", "surrogateescape"), timeout)
            except BaseException:
                kill(process)
                raise
        stdout, stderr = _content(stdout_file), _content(stderr_file)
    if check and process.returncode:
        error = subprocess.CalledProcessError(process.returncode, command, stdout, stderr)
        error.add_note(f"stdout:\n{stdout}\nstderr:\n{stderr}")
        raise error
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def child_of(pid: int) -> int:
    """The process ID of the only child of C(pid), as soon as there is one; 0 if C(pid) ends first."""
    while os.path.exists(f"/proc/{pid}/exe"):
        children = _children(pid)
        if children:
            return children[0]
        time.sleep(0.001)
    return 0


def kill(process: subprocess.Popen[t.Any]) -> None:
    """Kill the command that C(process), an nsenter, has started, and wait for it.

    If nsenter were killed first, this machine's first process would adopt orphans. If that process does not remove
    them, as in some containers, the namespace could never end.
    """
    for pid in _descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def _content(file: t.BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "surrogateescape")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]
