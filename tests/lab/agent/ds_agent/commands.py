# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's commands C(dsa_control) and C(dsa_query). The daemon carries them out."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from .asking import ask


@dataclass(frozen=True)
class Installed:
    """What the package was made for.

    C(machine) distinguishes hosts, C(address) is where the agent listens, and C(folder) is where it keeps its state.
    C(tls): the first and the last TLS version that it speaks, C(None) for those of its release.
    """

    version: str
    platform: str
    machine: str
    address: str
    folder: Path
    time_factor: float
    tls: tuple[str, str] | None

    @classmethod
    def read(cls, path: Path) -> Installed:
        """From a file that came with the package."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "folder": Path(values["folder"])})


# Above lib/ds_agent.
INSTALLED = Installed.read(Path(__file__).resolve().parents[2] / "agent.json")
# The command that ends the daemon, because a host has no service manager.
STOP = ["dsa_control", "--stop"]


def main(command: list[str]) -> int:
    """Have the daemon carry out a command, print what it says; returns the exit status."""
    try:
        status, output = ask(INSTALLED.folder, command)
    except OSError as error:
        print(f"The agent does not run: {error}", file=sys.stderr)
        return 1
    print("\n".join(output))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
