# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real OpenSSH server on loopback, with its own keys. It lets in the user who started it."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

# Not in the PATH of ordinary users on Debian.
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

# Seconds to wait for the server to listen.
_START = 10.0


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Create an SSH key pair at C(path) and C(path.pub), and return C(path)."""
    # Creating an RSA key of the usual size takes a second or more.
    size = ["-b", "2048"] if kind == "rsa" else []
    command = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "lab", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


class SshServer:
    """Context manager: an sshd with its files in C(folder), on a free port of 127.0.0.1.

    C(options) are additional lines of its configuration, such as C("PermitOpen none").
    private_key lets the user in; known_hosts contains the server's host key.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.options = options
        self.user = getpass.getuser()
        self.port = 0
        self.host_key = make_key(folder / "host_key")
        self.private_key = make_key(folder / "user_key")
        self.known_hosts = folder / "known_hosts"
        self._process: subprocess.Popen | None = None

    @property
    def way(self) -> dict[str, str | int]:
        """The options for this server in modules that use an SSH server."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "private_key": str(self.private_key),
            "known_hosts": str(self.known_hosts),
        }

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return (self.folder / "log").read_text()

    def __enter__(self) -> SshServer:
        if SSHD is None:
            raise FileNotFoundError("sshd is needed: install openssh-server")
        # Another process may take the free port before sshd does.
        for _attempt in range(3):
            if self._start():
                return self
        raise RuntimeError(f"sshd did not start: {self.log}")

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and its sessions."""
        self.drop_sessions()
        self._process.terminate()
        self._process.wait()

    def drop_sessions(self) -> None:
        """Kill all sessions without closing their connections properly. The server keeps listening."""
        for pid in _descendants(self._process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _start(self) -> bool:
        if os.geteuid() == 0:
            # sshd confines itself to this folder before login. Debian's service, which does not run here, creates it.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with socket.create_server((self.host, 0)) as probe:
            self.port = probe.getsockname()[1]
        public = (self.folder / "host_key.pub").read_text().split()
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {public[0]} {public[1]}\n")
        config = self.folder / "sshd_config"
        config.write_text(
            "\n".join(
                (
                    # For each option, only the first line counts.
                    *self.options,
                    f"ListenAddress {self.host}:{self.port}",
                    f"HostKey {self.host_key}",
                    f"AuthorizedKeysFile {self.private_key}.pub",
                    "PidFile none",
                    "UsePAM no",
                    # Temporary folders belong to other users, or are writable by them.
                    "StrictModes no",
                    "PermitRootLogin prohibit-password",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "LogLevel VERBOSE",
                    "",
                )
            )
        )
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as connection:
                    return connection.recv(4) == b"SSH-"
            except OSError:
                time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        return False


def _descendants(pid: int) -> list[int]:
    """The processes that C(pid) started, and those that they started in turn."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may contain spaces. The state and the parent follow it.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass
    found = [pid]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]
