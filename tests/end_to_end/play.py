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

# Ansible's own folder, until this process ends.
_FOLDER = tempfile.TemporaryDirectory(prefix="lab-ansible-")


@dataclass
class Played:
    """The result of a playbook: its exit status, its whole output, and the tasks' results in order."""

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
    """Run a playbook to its end. The inventory is a file, or names with a comma.

    C(check): raise C(LabError) if it fails. C(cwd): the folder to run it in, by default an empty one. C(stdout) has all
    its output, errors included.
    """
    # The same for all runs, so that one loaded Ansible is enough for a lab. Pipelining as in the repository's
    # ansible.cfg, unless a test asks for something else: without files for each task.
    defaults = {
        "ANSIBLE_HOME": _FOLDER.name,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "true",
    }
    if cwd is None:
        # The output is read by tests. Elsewhere, there is much output, and JSON is written faster.
        defaults["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "yaml"
    variables = {**defaults, **os.environ, **environment}
    folder = cwd or Path(_FOLDER.name)
    ran = playbooks.ansible_playbook(
        *("-i", str(inventory), str(playbook), *arguments),
        environment=variables,
        cwd=folder,
        prefix=hosts.prefix,
        # Nearly every environment has several runs.
        loaded=True,
    )
    if check and ran.returncode:
        raise LabError(f"{playbook.name} ended with status {ran.returncode}:\n{ran.stdout}")
    return ran


def keep(expression: str) -> dict[str, t.Any]:
    """The task that prints the value of an expression on each host, for C(kept) to read.

    It is printed, because writing a file takes a second. It is encoded, so that tests that search the output for
    secrets do not find it here. It is one word, because lines may be folded between words.
    """
    message = f"RESULT:{{{{ inventory_hostname }}}}:{{{{ {expression} | to_json | b64encode }}}}:END"
    return {"name": "Keep the result", "ansible.builtin.debug": {"msg": message}}


def kept(output: str) -> dict[str, t.Any]:
    """The values that C(keep) printed, by host."""
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

    A task is {module: options}, plus keywords such as C(check_mode). On the controller, modules of this collection run
    without a playbook, unless there are C(arguments) for one.

    Every task may fail. Then its result says so.
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
    # Without a terminal, because it would change what raw commands print.
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
