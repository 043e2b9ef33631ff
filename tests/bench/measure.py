# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a task or a script, and what it used according to the kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from tests.bench.figures import Usage
from tests.gates.environments import ROOT, link_collection
from tests.lab.manager.process import LabManager

# The peak memory of a process starts at that of the process that forked it. So a small process must start it.
_MEASURED = """
import os, resource, subprocess, sys, time
started = time.perf_counter()
status = subprocess.run(sys.argv[2:]).returncode
wall, took = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{status} {wall} {took.ru_utime + took.ru_stime} {took.ru_maxrss}".encode())
"""


def run(command: t.Sequence[str], output: Path, **environment: str) -> Usage:
    """Run a command with its output in a file. Raises C(RuntimeError) with the output if it fails."""
    told, theirs = os.pipe()
    with output.open("wb") as file, open(told, "rb") as report:
        with open(theirs, "wb"):
            subprocess.run(
                [sys.executable, "-I", "-S", "-c", _MEASURED, str(theirs), *command],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs],
                check=True,
            )
        status, wall, cpu, memory = report.read().split()
    if int(status):
        raise RuntimeError(f"{command[0]} failed:\n{output.read_text(errors='replace')[-4000:]}")
    return Usage(float(wall), float(cpu), int(memory) * 1024)


def run_ansible(lab: LabManager, tool: str, folder: Path, *arguments: str) -> tuple[Usage, str]:
    """Run the command of Ansible that is installed next to this Python. Also returns what it printed."""
    output = folder / "output"
    usage = run(
        [str(Path(sys.executable).with_name(tool)), *arguments],
        output,
        WORKLOAD_SECURITY_API_KEY=lab.api_key,
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(link_collection()),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
    )
    return usage, output.read_text(errors="replace")


def run_play(lab: LabManager, play: dict[str, t.Any], folder: Path, *arguments: str) -> tuple[Usage, str]:
    """Run a playbook with one play in a real ansible-playbook. Also returns what it printed."""
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    return run_ansible(lab, "ansible-playbook", folder, str(playbook), *arguments)


def run_task(lab: LabManager, task: dict[str, t.Any], folder: Path, *arguments: str) -> tuple[Usage, bool]:
    """Run a playbook with one task in a real ansible-playbook. Also returns whether it changed anything."""
    play = {
        "name": "Measure",
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/workload_security.agent.manager": {"url": lab.url, "ca_path": lab.ca_path}},
        "tasks": [{"name": "Task", **task}],
    }
    usage, printed = run_play(lab, play, folder, *arguments)
    recap = re.search(r"ok=1 +changed=(\d)", printed)
    if recap is None:
        raise RuntimeError(f"ansible-playbook ended without a recap:\n{printed[-4000:]}")
    return usage, recap[1] == "1"
