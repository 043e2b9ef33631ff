# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks that run on the controller of the lab."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.lab.hosts.process import Host, LabHosts

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))


@dataclass
class Played:
    """What a playbook left: its exit status, all it printed, and each task's result by its place."""

    status: int
    output: str
    results: list[dict[str, t.Any]]


def run_playbook(
    hosts: LabHosts, playbook: Path, inventory: Path | str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end, however it ends; the inventory is a file or a list of names with a comma."""
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"}
    command = [PLAYBOOK, "-i", str(inventory), str(playbook), *arguments]
    return hosts.run(command, env=environment, timeout=300.0, check=False)


def play(
    hosts: LabHosts,
    folder: Path,
    *tasks: dict[str, t.Any],
    arguments: t.Sequence[str] = (),
    on: Host | None = None,
) -> Played:
    """Run tasks on the controller itself, or C(on) a machine over SSH, whether it is in the lab's inventory or not.

    A task is {module: options}, with C(check_mode) and such beside it.

    Every task may fail: its result says so.
    """
    numbered = [
        {"name": f"Task {number}", **task, "register": f"r{number}", "ignore_errors": True}
        for number, task in enumerate(tasks)
    ]
    # Printed, as writing a file takes a second. Encoded, as a secret in it is not what the output is searched for.
    results = "[" + ", ".join(task["register"] for task in numbered) + "]"
    keep = {
        "name": "Keep the results",
        "ansible.builtin.debug": {"msg": f"RESULTS:{{{{ {results} | to_json | b64encode }}}}:END"},
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    machines = {"localhost": local, **({on.name: on.connection} if on else {})}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": machines}}), encoding="utf-8")
    book = [
        {
            "name": "Test",
            "hosts": on.name if on else "localhost",
            "gather_facts": False,
            "tasks": [*numbered, keep],
        }
    ]
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump(book, sort_keys=False), encoding="utf-8")
    ran = run_playbook(hosts, playbook, inventory, *arguments)
    kept = re.search("RESULTS:([A-Za-z0-9+/=]+):END", ran.stdout)
    return Played(ran.returncode, ran.stdout + ran.stderr, json.loads(base64.b64decode(kept[1])) if kept else [])
