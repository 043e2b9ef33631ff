# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab's name servers have in common: a host, a configuration, and a process that answers."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host, Process

# Seconds to wait for the first answer.
_START = 20.0


class NameServer:
    """A name server on a host of the lab, as a context manager: configured and started on entry, stopped on exit.

    It listens on port 53 of all addresses of its host. C(address) is one of them.
    """

    program: str

    def __init__(self, host: Host) -> None:
        self.host = host
        self.address = host.address
        self._process: Process | None = None

    def __enter__(self) -> t.Self:
        self.configure()
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def configure(self) -> None:
        """Write the site's configuration to the host."""
        raise NotImplementedError

    @property
    def command(self) -> list[str]:
        """The command that starts the server: in the foreground, but otherwise as Debian does."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self.host.read(f"/var/log/{self.program}.log")

    def start(self) -> None:
        """Start the server and wait until it answers; raises C(RuntimeError) with its log if it does not."""
        self._process = self.host.start(self.command)
        # Any answer is enough, even a refusal. dig only fails without an answer.
        asking = ["dig", "@127.0.0.1", "localhost", "+tries=1", "+time=1"]
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self._process.alive:
            if self.host.run(asking, check=False).returncode == 0:
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.program} does not answer: {self.log}")

    def stop(self) -> None:
        """Stop the server if it is running. Its files stay."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()

    def restart(self) -> None:
        """Restart the server, so that it reads all of its configuration."""
        self.stop()
        self.start()

    def answer(self, name: str, kind: str = "A", *options: str) -> list[str]:
        """The sorted output of C(dig +short) for a name, empty if there is none. C(options) are more options of dig."""
        asked = self.host.run(["dig", f"@{self.address}", "+short", *options, name, kind])
        return sorted(asked.stdout.splitlines())
