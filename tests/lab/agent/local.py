# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agents as processes of this machine, for tests that need no separate hosts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from tests.lab.agent.install import DEFAULT_PLATFORM, DEFAULT_TIME_FACTOR, DEFAULT_VERSION, Agent
from tests.lab.agent.package import MODULES, lay_out, settings


class LocalAgent(Agent):
    """An agent on loopback, its files in C(folder)."""

    folder: Path

    @property
    def ruleset(self) -> str:
        """The last input of nft, empty if there was none."""
        path = self.folder / "ruleset"
        return path.read_text(encoding="utf-8") if path.exists() else ""


class _Daemon:
    """The daemon of an agent on this machine."""

    def __init__(self, command: t.Sequence[str], folder: Path, environment: t.Mapping[str, str]) -> None:
        # The pipe closes when this process ends, even if it is killed, and then the agent ends, too.
        self._process = subprocess.Popen(
            [*command, "--exit-with-parent"], cwd=folder, env=environment, stdin=subprocess.PIPE
        )

    def terminate(self) -> None:
        """End it, and wait until it has."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def local_agent(
    address: str,
    version: str = DEFAULT_VERSION,
    *,
    platform: str = DEFAULT_PLATFORM,
    time_factor: float = DEFAULT_TIME_FACTOR,
) -> t.Iterator[LocalAgent]:
    """An agent as a process of this machine, for tests that need no separate hosts.

    C(address), one of 127.0.0.0/8, is where it listens and connects from. Its firewall is only recorded.
    """
    with tempfile.TemporaryDirectory(prefix="lab-agent-") as folder:
        program = Path(folder)
        lay_out(program)
        (program / "agent.json").write_text(
            settings(
                version=version,
                platform=platform,
                machine=address,
                address=address,
                folder=folder,
                time_factor=time_factor,
            )
        )
        # This nft records its input and enforces nothing.
        nft = program / "bin" / "nft"
        nft.parent.mkdir()
        nft.write_text(f"#!/bin/sh\nexec cat >{program}/ruleset\n")
        nft.chmod(0o755)
        environment = {**os.environ, "PATH": f"{nft.parent}{os.pathsep}{os.environ['PATH']}"}
        daemons: list[_Daemon] = []

        def start() -> _Daemon:
            command = [sys.executable, "-m", f"ds_agent.{MODULES['ds_agent']}"]
            daemons.append(_Daemon(command, program / "lib", environment))
            return daemons[-1]

        agent = LocalAgent(version, lambda: program, start)
        agent.folder = program
        try:
            agent.start()
            yield agent
        finally:
            for daemon in daemons:
                daemon.terminate()
