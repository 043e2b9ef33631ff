# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Python for modules, started once: each run of a module is a fork of it, and not a start of three processes.

It has loaded what every module imports of the standard library and of Ansible, which is what Ansible packs for it; all
else comes from the package of the module, as ever. A run is asked for by a message: what its process has to be, as
JSON, and its standard input, output, error and where it tells its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import types
import typing as t

# What nearly every module imports first.
LOADED = (
    *("argparse", "base64", "concurrent.futures", "csv", "ctypes", "hashlib", "http.client", "ipaddress", "runpy"),
    *("shutil", "socket", "ssl", "tempfile", "urllib.request", "uuid", "zipfile", "zipimport"),
    *("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader"),
)
# As a shell tells it of what SIGKILL has ended.
KILLED = 128 + signal.SIGKILL


class Modules:
    """The side of who asks: stands in for C(subprocess) where Ansible starts what a module needs on this machine."""

    PIPE = subprocess.PIPE

    def __init__(self) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Whatever else a shell is told, such as another Python, variables or another user, is started.
        self._commands = (f"/bin/sh -c {sys.executable}", f"/bin/sh -c '{sys.executable} && sleep 0'")
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(other.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
        )
        other.close()

    def Popen(self, command: t.Any, **how: t.Any) -> t.Any:  # pylint: disable=invalid-name
        """A run of a module, if that is what the command is."""
        if command in self._commands and how["stdin"] == self.PIPE:
            return _Run(self._channel, how["cwd"])
        return subprocess.Popen(command, **how)

    def end(self) -> None:
        """End it, as soon as no process is left that could ask."""
        self._channel.close()
        self._process.wait()


class _Run:
    """What Ansible needs of a process that it has started."""

    returncode: int

    def __init__(self, channel: socket.socket, folder: str | bytes | None) -> None:
        self._channel = channel
        umask = os.umask(0)
        os.umask(umask)
        self._told = {
            "folder": os.path.abspath(os.fsdecode(folder or ".")),
            "environment": dict(os.environ),
            "umask": umask,
        }

    def communicate(self, source: bytes | None) -> tuple[bytes, bytes]:
        """Run it; returns what it has printed to the end, by what it has started, too."""
        given = os.memfd_create("source")
        os.write(given, source or b"")
        os.lseek(given, 0, os.SEEK_SET)
        pipes = [os.pipe() for _place in ("output", "error", "status")]
        theirs = [given, *(end for _ours, end in pipes)]
        socket.send_fds(self._channel, [json.dumps(self._told).encode()], theirs)
        for end in theirs:
            os.close(end)
        *printed, told = [ours for ours, _end in pipes]
        output, error = _read(printed)
        # What it has left running may still hold this one.
        with open(told, "rb", buffering=0) as pipe:
            status = pipe.read(16)
        self.returncode = int(status or KILLED)
        # As the shell says it, too.
        return output, error if status else error + b"Killed\n"


def _read(pipes: list[int]) -> list[bytes]:
    """All that comes out of pipes, which are closed then."""
    found = {pipe: b"" for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select():
                piece = os.read(key.fd, 2**16)
                found[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return list(found.values())


def serve(channel: socket.socket) -> tuple[dict[str, t.Any], list[int]] | None:
    """Wait for runs; returns in the process of each what it has to be, and C(None) in this one at the end."""
    while True:
        message, given, _flags, _address = socket.recv_fds(channel, 2**20, 4)
        with contextlib.suppress(ChildProcessError):
            # What they have taken counts once they were waited for.
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not message:
            return None
        if not os.fork():
            return json.loads(message), given
        for end in given:
            os.close(end)


def run(told: dict[str, t.Any], given: list[int]) -> None:
    """Be the process that reads a module from its standard input, to its end."""
    *standard, status = given
    for place, theirs in enumerate(standard):
        os.dup2(theirs, place)
        os.close(theirs)
    os.umask(told["umask"])
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv[:] = [""]
    sys.path[0] = ""
    main = sys.modules["__main__"] = types.ModuleType("__main__")

    def of_the_module() -> None:
        exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), vars(main))  # pylint: disable=exec-used

    end(of_the_module, lambda code: os.write(status, b"%d" % code))


def end(last: t.Callable[[], t.Any], told: t.Callable[[int], t.Any] = lambda code: None) -> t.NoReturn:
    """Do the last thing in this process, and end it as Python does, but without taking apart all that is loaded.

    C(told) gets the exit status.
    """
    code = 0
    try:
        last()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if ended.code is not None and not isinstance(ended.code, int):
            print(ended.code, file=sys.stderr)
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    told(code)
    os._exit(code)


if __name__ == "__main__":
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as CHANNEL:
        ASKED = serve(CHANNEL)
    if ASKED:
        run(*ASKED)
