# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of ansible-playbook that do not start Ansible each time, which takes longer than the work of a playbook.

The first run in an environment is a separate process. For later runs, C(server.py) loads Ansible and the collection
once, in that environment, and each run is a fork of it: the same code with the same configuration. In the same way,
modules that it runs on this machine are forks of a loaded Python (C(modules.py)). Seen from outside, such processes
have the server's command line and environment. C(own_process) is for tests of these.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

_SERVER = Path(__file__).with_name("server.py")
# Variables that differ between runs, and that are not read when Ansible is loaded.
OF_A_RUN = ("ANSIBLE_CALLBACK_RESULT_FORMAT", "PWD", "PYTEST_CURRENT_TEST", "WORKLOAD_SECURITY_")
# Keys: the prefix of the command, and the environment.
_Key = t.Tuple[t.Tuple[str, ...], t.FrozenSet[t.Tuple[str, str]]]
_seen: set[_Key] = set()
# The most servers at the same time, because each one takes 100 MB of memory.
_MOST = 3
_servers: dict[_Key, _Server] = {}


def ansible_playbook(
    *arguments: str,
    environment: t.Mapping[str, str],
    cwd: Path | None = None,
    timeout: int = 300,
    prefix: t.Sequence[str] = (),
    own_process: bool = False,
    loaded: bool = False,
    tool: str = "ansible-playbook",
    meanwhile: t.Callable[[int], None] = lambda pid: None,
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook, and return the result even if it fails. C(stdout) has all its output, errors included.

    C(environment): the whole environment. C(timeout): in whole seconds. C(prefix): a command that starts a program in
    another network. C(meanwhile) gets the process ID while it runs, if there is no prefix. C(loaded): load Ansible even
    for the first run in an environment, because the run starts so many modules that this pays off. C(tool): the command
    to run instead of ansible-playbook.
    """
    folder = cwd or Path.cwd()
    command = [*prefix, str(Path(sys.executable).with_name(tool)), *arguments]
    loading = {name: value for name, value in environment.items() if not name.startswith(OF_A_RUN)}
    kept = loading.items()
    # Ansible reads a configuration in its folder when it is loaded.
    configuration = folder / "ansible.cfg"
    if "ANSIBLE_CONFIG" not in environment and configuration.exists():
        loading["ANSIBLE_CONFIG"] = str(configuration)
        kept = {**loading, "its content": configuration.read_text(encoding="utf-8")}.items()
    key = (tuple(prefix), frozenset(kept))
    if not own_process:
        if loaded or key in _seen:
            server = _server(key, loading)
            # Runs at the same time are rare, so a server handles only one run at a time.
            if server.lock.acquire(blocking=False):
                try:
                    return server.run(command[len(prefix) :], environment, folder, timeout, meanwhile)
                finally:
                    server.lock.release()
        _seen.add(key)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            meanwhile(process.pid)
            printed, _nothing = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed, "")


def _server(key: _Key, environment: t.Mapping[str, str]) -> _Server:
    """The server for runs in an environment. It becomes the last one that is ended to make room for others."""
    server = _servers.pop(key, None) or _Server(key[0], environment)
    idle = [other for other, one in _servers.items() if not one.lock.locked()]
    for other in idle[: max(0, len(_servers) + 1 - _MOST)]:
        _servers.pop(other).end()
    _servers[key] = server
    return server


def end(prefix: t.Sequence[str] = ()) -> None:
    """End the servers for commands with this C(prefix), and wait until they are gone."""
    for key in [key for key in _servers if key[0] == tuple(prefix)]:
        _servers.pop(key).end()


@dataclasses.dataclass
class _Server:
    """Ansible, loaded in one environment. It is started at the first run, and ends with this process."""

    prefix: t.Sequence[str]
    environment: t.Mapping[str, str]
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    process: subprocess.Popen[str] | None = None

    def run(
        self,
        command: t.Sequence[str],
        environment: t.Mapping[str, str],
        folder: Path,
        timeout: int,
        meanwhile: t.Callable[[int], None],
    ) -> subprocess.CompletedProcess[str]:
        """A run in a fork of the server."""
        if not self.process:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, str(_SERVER)],
                cwd="/",
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", prefix="playbook-") as output:
            told = {"argv": command, "env": dict(environment), "cwd": str(folder), "output": output.name}
            pid = self._ask({**told, "timeout": timeout})
            try:
                meanwhile(pid)
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                raise
            finally:
                status = self._ask({"wait": pid})
            if status not in (-signal.SIGALRM, -signal.SIGKILL):
                # Processes that it has started may still print.
                fcntl.flock(output, fcntl.LOCK_SH)
            if status == -signal.SIGALRM:
                raise subprocess.TimeoutExpired(command, timeout, output.read())
            return subprocess.CompletedProcess(command, status, output.read(), "")

    def _ask(self, what: dict[str, t.Any]) -> int:
        assert self.process and self.process.stdin and self.process.stdout
        print(json.dumps(what), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def end(self) -> None:
        if self.process:
            assert self.process.stdin and self.process.stdout
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
