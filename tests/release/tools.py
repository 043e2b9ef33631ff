# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tools that a release needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(sys.executable).parent


class ReleaseError(Exception):
    """The reason why a release is not possible. Nothing was published."""


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in an environment without a manager and the checkout. Its C(stdout) has both output streams."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKLOAD_SECURITY_")}
    inherited.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**inherited, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
        errors="replace",
    )


def succeed(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The output of a tool. Raises C(ReleaseError) with the output if the tool fails."""
    done = run(*command, cwd=cwd, **environment)
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout
