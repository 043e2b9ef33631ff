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
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import playbooks
from tests.end_to_end.controller import module_of, run_on_controller
from tests.lab.hosts.process import Host, LabError, LabHosts

# Ansible's own, until this process ends.
_FOLDER = tempfile.TemporaryDirectory(prefix="lab-ansible-")


@dataclass
class Played:
    """What a playbook left: its exit status, all it printed, and each task's result by its place."""

    status: int
    output: str
    results: list[dict[str, t.Any]]


def run_playbook(
    hosts: LabHosts,
    playbook: Path,
    inventory: Path | str,
    *arguments: str,
    check: bool = False,
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end, with C(check) to a good one; the inventory is a file or names with a comma.

    C(cwd): the folder to run it in, an empty one unless given. All that it prints is its C(stdout).
    """
    # Alike for all runs, so that one loaded Ansible does for a lab. As in the repository's ansible.cfg, unless a test
    # wants it otherwise: without files for each task.
    defaults = {
        "ANSIBLE_HOME": _FOLDER.name,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "true",
    }
    if cwd is None:
        # What is printed is looked at; elsewhere much is, and JSON is written sooner.
        defaults["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "yaml"
    variables = {**defaults, **os.environ, **environment}
    folder = cwd or Path(_FOLDER.name)
    ran = playbooks.ansible_playbook(
        "-i", str(inventory), str(playbook), *arguments, environment=variables, cwd=folder, prefix=hosts.prefix
    )
    if check and ran.returncode:
        raise LabError(f"{playbook.name} ended with status {ran.returncode}:\n{ran.stdout}")
    return ran


def keep(expression: str) -> dict[str, t.Any]:
    """The task that prints what an expression gives on each host, for C(kept) to read.

    Printed, as writing a file takes a second. Encoded, as a secret in it is not what the output is searched for, and
    as one word, since lines may be folded between words.
    """
    message = f"RESULT:{{{{ inventory_hostname }}}}:{{{{ {expression} | to_json | b64encode }}}}:END"
    return {"name": "Keep the result", "ansible.builtin.debug": {"msg": message}}


def kept(output: str) -> dict[str, t.Any]:
    """What C(keep) printed, by host."""
    shown = re.findall(r"RESULT:([^:\s]+):([A-Za-z0-9+/=]+):END", output)
    return {host: json.loads(base64.b64decode(result)) for host, result in shown}


def play(
    hosts: LabHosts,
    folder: Path,
    *tasks: dict[str, t.Any],
    arguments: t.Sequence[str] = (),
    on: Host | None = None,
) -> Played:
    """Run tasks on the controller itself, or C(on) a machine over SSH, whether it is in the lab's inventory or not.

    A task is {module: options}, with C(check_mode) and such beside it. On the controller, modules of this collection
    run without a playbook, unless there are C(arguments) for one.

    Every task may fail: its result says so.
    """
    if on is None and not arguments and all(module_of(task) for task in tasks):
        results = run_on_controller(hosts, tasks)
        return Played(0, json.dumps(results), results)
    numbered = [
        {"name": f"Task {number}", **task, "register": f"r{number}", "ignore_errors": True}
        for number, task in enumerate(tasks)
    ]
    results = "[" + ", ".join(task["register"] for task in numbered) + "]"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    # Without a terminal, which would change what raw commands print.
    machines = {"localhost": local, **({on.name: {**on.connection, "ansible_ssh_use_tty": False}} if on else {})}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": machines}}), encoding="utf-8")
    book = [
        {
            "name": "Test",
            "hosts": on.name if on else "localhost",
            "gather_facts": False,
            "tasks": [*numbered, keep(results)],
        }
    ]
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump(book, sort_keys=False), encoding="utf-8")
    ran = run_playbook(hosts, playbook, inventory, *arguments)
    return Played(ran.returncode, ran.stdout, kept(ran.stdout).get(book[0]["hosts"], []))
