# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One machine of the lab."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

from tests.lab.hosts.errors import LabError
from tests.lab.hosts.namespaces import NAMESPACES, REAPING, UNSHARE, Command, child_of, enter, kill, run, words
from tests.lab.hosts.network import Port

# The first process of a machine, which starts it. There is no init: tests start the services that they need.
_BOOT = f"""\
mount -t proc proc /proc
mount -t sysfs -o ro sysfs /sys
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/lock /run/sshd
hostname "$(cat /etc/hostname)"
ip link set lo up
echo up
exec {shlex.join(REAPING)} sleep infinity
"""

# Machines share the kernel with the one that runs the tests, so they must not set its clock.
_NOT_ALLOWED = "-sys_boot,-sys_module,-sys_rawio,-sys_time"

_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}

# Seconds that a program has to end after it is told to.
_ENDED_WITHIN = 10.0


class Process:
    """A program in the background of a host, until it ends or the host is powered off."""

    def __init__(self, command: list[str]) -> None:
        # nsenter, which ends after the program.
        self._nsenter = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._nsenter.poll() is None

    def terminate(self) -> None:
        """Tell it to end, and wait until it has; kill it if it does not."""
        pid = child_of(self._nsenter.pid)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        try:
            self._nsenter.wait(_ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            kill(self._nsenter)

    def wait(self) -> None:
        """Wait until it ends by itself, or with its host."""
        self._nsenter.wait()


class Host:
    """A machine with its own processes, network, name, disk and SSH server. C(LabHosts.add) creates it.

    name: its host name; address, address6, mac: of its only network interface, C(eth0).
    connection: how Ansible reaches it over SSH, as variables of an inventory.
    """

    def __init__(self, name: str, port: Port, connection: dict[str, str], anchor: int) -> None:
        self.name = name
        self.address, self.address6, self.mac = port.address, port.address6, port.mac
        self.connection = {"ansible_host": port.address, **connection}
        self._port = port
        self._anchor = anchor
        self._first: subprocess.Popen[str] | None = None
        self._pid = 0
        self._started: list[Process] = []

    @property
    def powered_on(self) -> bool:
        """Whether it has been started, and not been powered off since."""
        return bool(self._pid)

    @property
    def pid(self) -> int:
        """The machine's first process, as seen from the tests. Raises C(LabError) while it is powered off."""
        if not self._pid:
            raise LabError(f"{self.name} is powered off")
        return self._pid

    @property
    def root(self) -> Path:
        """Its root folder as seen from the tests. Absolute links lead outside; C(read) and C(write) avoid this."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def prefix(self) -> list[str]:
        """A command prefix: the command runs on this machine, with the machine's own files and programs only."""
        return [
            *self._entering,
            "env",
            "--ignore-environment",
            *(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
        ]

    @property
    def _entering(self) -> list[str]:
        """The same for a program that is started with the machine's environment."""
        return enter(self.pid, *NAMESPACES, "--root", "--wd", drop=_NOT_ALLOWED)

    @property
    def network_prefix(self) -> list[str]:
        """A command prefix: a program of the machine that runs the tests runs in this machine's network."""
        return enter(self.pid, "--net", "--pid")

    def run(
        self,
        command: Command,
        *,
        timeout: float = 60.0,
        check: bool = True,
        input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, at most C(timeout) seconds; a string is a script for the shell."""
        return run([*self._entering, *words(command)], timeout=timeout, check=check, input=input, env=_ENVIRONMENT)

    def reaches(self, address: str, port: int, within: int = 1) -> bool:
        """Whether a TCP connection from this machine is accepted within C(within) seconds."""
        # By the shell, as the start of ncat takes ten times as long; timeout ends with 124.
        opening = ["bash", "-c", ': >"/dev/tcp/$0/$1"', address, str(port)]
        attempt = self.run(["timeout", str(within), *opening], check=False)
        if attempt.returncode not in (0, 1, 124):
            raise LabError(f"bash on {self.name} ended with {attempt.returncode}: {attempt.stderr}")
        return attempt.returncode == 0

    def start(self, command: Command, log: str | None = None) -> Process:
        """Start a command in the background; its output goes to C(/var/log/PROGRAM.log), or to the file C(log)."""
        program = words(command)
        log = log or f"/var/log/{Path(program[0]).name}.log"
        script = ["sh", "-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", log]
        process = Process([*self.prefix, *script, *program])
        self._started.append(process)
        return process

    def read(self, path: str) -> str:
        """The exact content of a file."""
        return self.run(["cat", path]).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Create or overwrite a file, and create its folders."""
        script = 'mkdir -p "${1%/*}" && cat >"$1" && chmod "$2" "$1"'
        self.run(["sh", "-c", script, "sh", path, f"{mode:o}"], input=text)

    def mount_tmpfs(self, path: str, size: str) -> None:
        """Mount an empty disk of a limited C(size), such as C(64k), on a folder, to test what happens if it is full."""
        self.run(["mkdir", "-p", path])
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path])

    def use_resolvers(self, *addresses: str) -> None:
        """Make the machine ask only the name servers at C(addresses)."""
        self.write("/etc/resolv.conf", "".join(f"nameserver {address}\n" for address in addresses))

    def power_on(self) -> None:
        """Start the machine from its disk, with its network and its SSH server only."""
        if self._pid:
            raise LabError(f"{self.name} is powered on")
        command = [*enter(self._anchor, *NAMESPACES, "--wd"), *UNSHARE, f"--root=/mnt/{self.name}/root", "--wd=/"]
        self._first = subprocess.Popen(
            [*command, "sh", "-ec", _BOOT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._first.stdout.readline() != "up\n":
            raise LabError(f"{self.name} does not start: {self._first.communicate()[1]}")
        # nsenter, unshare, and the first process.
        self._pid = child_of(child_of(self._first.pid))
        self._ip(self._port.plug_in(self._pid))
        # sshd writes its process id down when it listens.
        start = "ip -batch - && /usr/sbin/sshd -E /var/log/sshd.log && until [ -e /run/sshd.pid ]; do sleep 0.01; done"
        self.run(start, input=self._port.configure())

    def power_off(self) -> None:
        """Stop the machine at once, like a virtual machine that is switched off. Its disk stays."""
        pid, self._pid = self.pid, 0
        # This comes first, so that no other machine receives packets that end connections.
        self._ip(self._port.pull_out())
        os.kill(pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Wait until the machine, and everything on it, has stopped."""
        if self._first:
            self._first.communicate()
        for process in self._started:
            process.wait()
        self._started.clear()

    def _ip(self, commands: str) -> None:
        # Not in the anchor's PID namespace, where process IDs mean other processes.
        run([*enter(self._anchor, "--net"), "ip", "-batch", "-"], input=commands)
