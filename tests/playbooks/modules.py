# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Python for modules, started once: each run of a module is a fork of it, instead of three new processes.

It has loaded what every module imports from the standard library and from Ansible, which is the same code that Ansible
packs for the module. Everything else comes from the package of the module, as always. A message requests a run: it has
the state for the process as JSON, its standard input, output and error, and a pipe for its exit status.
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

# What almost every module imports first.
LOADED = (
    *("argparse", "base64", "concurrent.futures", "csv", "ctypes", "hashlib", "http.client", "ipaddress", "runpy"),
    *("shutil", "socket", "ssl", "tempfile", "urllib.request", "uuid", "zipfile", "zipimport"),
    *("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader"),
)
# The exit status that a shell reports for a process that SIGKILL has ended.
KILLED = 128 + signal.SIGKILL


class Modules:
    """The client: stands in for C(subprocess) where Ansible starts processes for a module on this machine."""

    PIPE = subprocess.PIPE

    def __init__(self) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # All other commands, such as with another Python, with variables or as another user, are started as usual.
        self._commands = (f"/bin/sh -c {sys.executable}", f"/bin/sh -c '{sys.executable} && sleep 0'")
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(other.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
        )
        other.close()

    def Popen(self, command: t.Any, **how: t.Any) -> t.Any:  # pylint: disable=invalid-name
        """A run of a module, if the command is for one, otherwise a process as usual."""
        if command in self._commands and how["stdin"] == self.PIPE:
            return _Run(self._channel, how["cwd"])
        return subprocess.Popen(command, **how)

    def end(self) -> None:
        """End it, as soon as no process is left that could send requests."""
        self._channel.close()
        self._process.wait()


class _Run:
    """A process that Ansible has started, with the parts that Ansible needs."""

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
        """Run it. Returns everything that it and the processes that it has started have printed."""
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
        # Processes that it has left running may still hold this pipe open.
        with open(told, "rb", buffering=0) as pipe:
            status = pipe.read(16)
        self.returncode = int(status or KILLED)
        # The shell says this, too.
        return output, error if status else error + b"Killed\n"


def _read(pipes: list[int]) -> list[bytes]:
    """Everything that comes out of some pipes, which are closed after that."""
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
    """Wait for runs. Returns the message in the process of each run, and at the end C(None) in this process."""
    while True:
        message, given, _flags, _address = socket.recv_fds(channel, 2**20, 4)
        with contextlib.suppress(ChildProcessError):
            # Their CPU time only counts after they were waited for.
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not message:
            return None
        if not os.fork():
            return json.loads(message), given
        for end in given:
            os.close(end)


def run(told: dict[str, t.Any], given: list[int]) -> None:
    """Become the process that reads a module from its standard input, and run the module to its end."""
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
    """Do the last thing in this process, and end it as Python does, but without cleaning up everything that is loaded.

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
