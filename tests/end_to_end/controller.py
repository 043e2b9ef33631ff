# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules on the controller, in the network of the lab's hosts, without a playbook, which would take ten times as long.

    python -m tests.end_to_end.controller

reads lines of JSON with tasks and environment variables from standard input, so that no option is in its arguments. It
answers each line with a line of the tasks' results, until its input ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import typing as t
from unittest import mock

from tests.gates.environments import ROOT
from tests.integration.in_process import NAMESPACE, TASK_KEYWORDS, run_module
from tests.lab.hosts.process import LabHosts

Task = t.Mapping[str, t.Any]

# Seconds that all tasks of one line may take together.
_LONGEST = 300.0


def module_of(task: Task) -> str | None:
    """The module of this collection, if a task is nothing else; C(None) if only Ansible can run the task."""
    names = task.keys() - TASK_KEYWORDS
    return next((name for name in names if len(names) == 1 and name.startswith(f"{NAMESPACE}.")), None)


# One process for all tasks of a lab's controller, because its start takes longer than the tasks.
_running: dict[LabHosts, subprocess.Popen[str]] = {}


def run_on_controller(hosts: LabHosts, tasks: t.Sequence[Task], **environment: str) -> list[dict[str, t.Any]]:
    """Run tasks that are modules of this collection one after the other. Returns their results as a playbook would."""
    process = _running.get(hosts)
    if not process:
        command = [*hosts.prefix, sys.executable, "-m", "tests.end_to_end.controller"]
        process = _running[hosts] = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
    overdue = threading.Timer(_LONGEST, process.kill)
    overdue.start()
    try:
        print(json.dumps([tasks, {**os.environ, **environment}]), file=process.stdin, flush=True)
        answer = process.stdout.readline()
    finally:
        overdue.cancel()
    if not answer:
        end_on_controller(hosts)
        raise AssertionError("a module ended the process that runs it; see its messages above")
    return json.loads(answer)


def end_on_controller(hosts: LabHosts) -> None:
    """End the process that has run a lab's tasks, if there is one."""
    if process := _running.pop(hosts, None):
        with process:
            process.stdin.close()


def main() -> None:
    """Run the tasks from standard input."""
    for line in sys.stdin:
        results = []
        tasks, environment = json.loads(line)
        with mock.patch.dict(os.environ, environment, clear=True):
            for task in tasks:
                keywords = {name: task[name] for name in TASK_KEYWORDS & task.keys()}
                module = module_of(task)
                results.append(run_module(module, task[module], **keywords))
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
