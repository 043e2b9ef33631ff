# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules on the controller, in the network of the lab's hosts and without a playbook, which takes ten times as long.

    python -m tests.end_to_end.controller

reads tasks as JSON from standard input, so that no option of theirs is in its arguments, and prints their results.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

from tests.gates.environments import ROOT
from tests.integration.in_process import NAMESPACE, TASK_KEYWORDS, run_module
from tests.lab.hosts.process import LabHosts

Task = t.Mapping[str, t.Any]


def module_of(task: Task) -> str | None:
    """The module of this collection that is all there is to a task; C(None) where it takes Ansible to run it."""
    names = task.keys() - TASK_KEYWORDS
    return next((name for name in names if len(names) == 1 and name.startswith(f"{NAMESPACE}.")), None)


def run_on_controller(hosts: LabHosts, tasks: t.Sequence[Task], **environment: str) -> list[dict[str, t.Any]]:
    """The results of tasks that are modules of this collection, one after the other, as a playbook registers them."""
    command = [sys.executable, "-m", "tests.end_to_end.controller"]
    ran = hosts.run(command, input=json.dumps(tasks), env={**os.environ, **environment}, cwd=ROOT, timeout=300.0)
    return json.loads(ran.stdout)


def main() -> None:
    """Run what standard input holds."""
    results = []
    for task in json.load(sys.stdin):
        module = module_of(task)
        keywords = {name: task[name] for name in TASK_KEYWORDS & task.keys()}
        results.append(run_module(module, task[module], **keywords))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
