# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agents that are installed in lab hosts."""

from __future__ import annotations

import subprocess
import time
import typing as t
from pathlib import Path

from tests.lab.agent.ds_agent.asking import ask
from tests.lab.agent.package import DATA, PROGRAM, package, settings

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

DEFAULT_VERSION = "20.0.0.8438"
DEFAULT_TIME_FACTOR = 200.0
DEFAULT_PLATFORM = "Debian Linux 12 (64 bit)"

_UP_WITHIN = 30.0


class Agent:
    """An agent that is installed somewhere: C(find) tells the folder of its data now, C(start) starts its daemon."""

    def __init__(self, version: str, find: t.Callable[[], Path], start: t.Callable[[], t.Any]) -> None:
        self.version = version
        self._find = find
        self._start = start
        self._daemon: t.Any = None

    def start(self) -> None:
        """Start the daemon, as after the host was powered on, and wait until it accepts commands."""
        self._daemon = self._start()
        deadline = time.monotonic() + _UP_WITHIN
        while self.query("GetPluginVersion", check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the agent does not start within {_UP_WITHIN} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the daemon: the service is stopped."""
        self._daemon.terminate()

    def control(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Do what C(dsa_control) does, without a Python of its own for it."""
        return self._checked(("dsa_control", *arguments), check)

    def query(self, name: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Do what C(dsa_query -c) does."""
        return self._checked(("dsa_query", "-c", name), check)

    def _checked(self, command: t.Sequence[str], check: bool) -> subprocess.CompletedProcess[str]:
        try:
            status, output = ask(self._find(), list(command))
            done = subprocess.CompletedProcess(command, status, "\n".join(output) + "\n", "")
        except OSError as error:
            done = subprocess.CompletedProcess(command, 1, "", f"The agent does not run: {error}\n")
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def activate(self, url: str, *parameters: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Activate at C(dsm://host:port/) with parameters such as C(policyid:1)."""
        return self.control("-a", url, *parameters, check=check)

    def heartbeat(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Send a heartbeat now."""
        return self.control("-m", check=check)

    def reset(self) -> None:
        """Forget the manager."""
        self.control("-r")

    def move_clock(self, minutes: float) -> None:
        """Set the host's clock forward, or back."""
        self.control("--move-clock", str(60 * minutes))

    def status(self) -> dict[str, str]:
        """The answer to C(GetAgentStatus), without its index. It has C(dsmUrl) if the agent is activated."""
        lines = self.query("GetAgentStatus").stdout.splitlines()
        pairs = (line.removeprefix("AgentStatus.").split(": ", 1) for line in lines)
        return {name: value for name, value in pairs if not name.isdigit()}


def install_agent(
    host: Host,
    version: str = DEFAULT_VERSION,
    *,
    platform: str = DEFAULT_PLATFORM,
    time_factor: float = DEFAULT_TIME_FACTOR,
    tls: tuple[str, str] | None = None,
    start: bool = True,
) -> Agent:
    """Install the package of an agent's version in a lab host, over any that is there, and start its daemon.

    C(time_factor) must be the manager's, so that ten minutes between heartbeats are equally long for both. C(tls): the
    first and the last TLS version that the agent speaks, such as C(1.0), instead of those that are likely for its
    release.
    """
    file = host.root / "tmp" / "ds-agent.deb"
    file.write_bytes(package(version, host))
    host.run(["dpkg", "--install", "/tmp/ds-agent.deb"])
    file.unlink()
    host.write(
        f"{PROGRAM}/agent.json",
        settings(
            version=version,
            platform=platform,
            machine=host.mac,
            address="::",
            folder=DATA,
            time_factor=time_factor,
            tls=tls,
        ),
    )

    agent = Agent(version, lambda: host.root / DATA[1:], lambda: host.start([f"{PROGRAM}/ds_agent"]))
    if start:
        agent.start()
    return agent
