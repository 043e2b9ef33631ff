# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HTTP proxy on loopback: tinyproxy, which requires a user name and password."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

# Not in the PATH of ordinary users on every system.
TINYPROXY = shutil.which("tinyproxy") or shutil.which("tinyproxy", path="/usr/sbin:/usr/local/sbin")

# Seconds to wait for the proxy to listen.
_START = 30.0


class LabProxy:
    """Context manager: a proxy with its files in C(folder), on a free port of 127.0.0.1.

    C(options) are additional lines of its configuration, such as C("ConnectPort 443"). It accepts C(user) with
    C(password), or everybody if there is no user.
    """

    host = "127.0.0.1"

    def __init__(
        self, folder: Path, options: tuple[str, ...] = (), user: str | None = "lab", password: str = "Pr0xy.pass-word"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.options = options
        self.user = user
        self.password = password
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The value for the option C(proxy)."""
        return f"http://{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@{self.address}"

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What the proxy has logged so far."""
        return (self.folder / "log").read_text()

    @property
    def tunnels(self) -> list[str]:
        """The HOST:PORT of each requested connection, including refused ones."""
        return re.findall(r": CONNECT (\S+) HTTP/", self.log)

    def __enter__(self) -> LabProxy:
        if TINYPROXY is None:
            raise FileNotFoundError("tinyproxy is needed: install tinyproxy")
        # Another process may take the free port before the proxy does.
        for _attempt in range(3):
            if self._start():
                return self
        raise RuntimeError(f"tinyproxy did not start: {self.log}")

    def __exit__(self, *_exception: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _start(self) -> bool:
        with socket.create_server((self.host, 0)) as probe:
            self.port = probe.getsockname()[1]
        lines = (
            *self.options,
            f"Listen {self.host}",
            f"Port {self.port}",
            f"Allow {self.host}",
            "Timeout 600",
            "LogLevel Connect",
            f'LogFile "{self.folder / "log"}"',
            *([] if self.user is None else [f"BasicAuth {self.user} {self.password}"]),
            "",
        )
        configuration = self.folder / "tinyproxy.conf"
        configuration.write_text("\n".join(lines))
        (self.folder / "log").write_text("")
        self._process = subprocess.Popen(
            [TINYPROXY, "-d", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.02)
        self._stop()
        return False
