# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What integration tests share: the engine in this process with its own clock, and real playbook runs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ansible_collections.workload_security.agent.plugins.module_utils._communication.document import (
    facet_document,
    read_document,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.result import Run, converge
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests import playbooks
from tests.lab.manager.process import LabManager

# Options of a module with one facet, as Ansible fills them in.
DEFAULTS: dict[str, dict[str, t.Any]] = {
    "firewall_restriction": {
        "state": "present",
        "rule_name": "Agent port: named sources only",
        "action": "bypass",
        "port": 4118,
    },
}

RESTRICTION = {"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.10"]}


@dataclass
class LabClock:
    """A clock that never really waits: sleeping moves the lab's clock, too."""

    lab: LabManager
    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds
            self.lab.advance(seconds)

    def wake(self) -> None:
        """Nobody waits."""


def connection(lab: LabManager, **options: t.Any) -> Connection:
    """How the engine reaches the lab."""
    return Connection.from_options(
        {"url": lab.url, "ca_path": lab.ca_path, "api_key": lab.api_key, "timeout": 30, **options}
    )


def run_profiles(lab: LabManager, profiles: list[dict], *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """What communication_profile does, in this process."""
    filled = [
        {name: {**DEFAULTS.get(name, {}), **value} if isinstance(value, dict) else value for name, value in one.items()}
        for one in profiles
    ]
    return _run(lab, lambda deployment: read_document(filled, deployment), check, options)


def run_facet(lab: LabManager, facet: str, params: dict, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """What a module with one facet does, in this process."""
    filled = {**DEFAULTS.get(facet, {}), **params}
    return _run(lab, lambda deployment: facet_document(facet, filled, deployment), check, options)


def _run(lab: LabManager, document: t.Callable, check: bool, options: dict) -> dict[str, t.Any]:
    stop_after = options.pop("stop_after", 10)
    reached = connection(lab, **options)
    run = Run(check, reached.concurrency, stop_after, list_targets=True)
    with Transport(reached, clock=LabClock(lab), random=lambda: 0.5) as transport:
        return converge(Client(transport), document(reached.deployment), run)


def keep(expression: str, path: Path) -> dict[str, t.Any]:
    """The task that writes the value of an expression to a file, as JSON."""
    return {
        "name": "Keep the results",
        "ansible.builtin.debug": {"msg": f"{{{{ {expression} | to_json | kept_in('{path}') }}}}"},
        "no_log": True,
    }


# Variables that all runs of ansible-playbook have, so that most of them can share a loaded Ansible. Pipelining as in
# the repository's ansible.cfg: without files for each task.
SHARED = {
    # With its connection C(elsewhere), Ansible treats this machine as another one, and must start modules.
    "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).with_name("connection")),
    # With the filter of C(keep).
    "ANSIBLE_FILTER_PLUGINS": str(Path(__file__).with_name("filter_plugins")),
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_SHOW_CUSTOM_STATS": "true",
}


def ansible_playbook(
    *arguments: str,
    environment: t.Mapping[str, str] | None = None,
    cwd: Path | None = None,
    **how: t.Any,
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook, and return the result even if it fails, as C(tests.playbooks) does.

    C(environment) is added to that of the tests and to C(SHARED). If it has variables other than those that differ
    between runs, the first run does not load Ansible for others.
    """
    own = {name: value for name, value in (environment or {}).items() if SHARED.get(name) != value}
    how = {"loaded": all(name.startswith(playbooks.OF_A_RUN) for name in own), **how}
    return playbooks.ansible_playbook(*arguments, environment={**os.environ, **SHARED, **own}, cwd=cwd, **how)


@dataclass
class Played:
    """The result of a playbook: its exit status, its whole output, and the tasks' results in order."""

    status: int
    output: str
    results: list[dict[str, t.Any]]


def play(
    lab: LabManager,
    tasks: t.Sequence[dict[str, t.Any]],
    tmp_path: Path,
    *,
    arguments: t.Sequence[str] = (),
    environment: t.Mapping[str, str] | None = None,
    defaults: t.Mapping[str, t.Any] | None = None,
    keywords: t.Mapping[str, t.Any] | None = None,
    folder: Path | None = None,
    **how: t.Any,
) -> Played:
    """Run tasks in a real ansible-playbook. A task is {module: options}, plus keywords such as check_mode.

    C(keywords) are those of the play. It is started in C(folder), by default the playbook's folder. C(how) is for
    C(tests.playbooks).

    Every task may fail. Then its result says so. By default, the connection comes from module_defaults of the action
    group, and the key from the environment.
    """
    dump = tmp_path / "results.json"
    dump.unlink(missing_ok=True)
    numbered = [
        {"name": f"Task {number}", **task, "register": f"r{number}", "ignore_errors": True}
        for number, task in enumerate(tasks)
    ]
    collected = "[" + ", ".join(f"r{number}" for number in range(len(tasks))) + "]"
    book = [
        {
            "name": "Test",
            "hosts": "localhost",
            "gather_facts": False,
            **(keywords or {}),
            "module_defaults": {
                "group/workload_security.agent.manager": {
                    "url": lab.url,
                    "ca_path": lab.ca_path,
                    **(defaults or {}),
                }
            },
            "tasks": [
                *numbered,
                keep(collected, dump),
            ],
        }
    ]
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(yaml.safe_dump(book, sort_keys=False))
    variables = {
        "WORKLOAD_SECURITY_API_KEY": lab.api_key,
        **(environment or {}),
    }
    ran = ansible_playbook(str(playbook), *arguments, environment=variables, cwd=folder or tmp_path, **how)
    results = json.loads(dump.read_text()) if dump.exists() else []
    return Played(ran.returncode, ran.stdout, results)


def policy_named(lab: LabManager, name: str) -> dict[str, t.Any]:
    """The policy with this name, with its own settings only: with all settings, the list is sixty times as large."""
    policies = lab.api("GET", "/policies", query={"overrides": "true"})["policies"]
    (policy,) = [one for one in policies if one["name"] == name]
    return policy


def computer_with_agent(lab: LabManager) -> int:
    """The ID of a computer with an agent of release 20."""
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    return next(one["ID"] for one in computers if one["agentVersion"].startswith("20."))


def writes(lab: LabManager, key: str = "admin") -> list[dict[str, t.Any]]:
    """The requests in the log that write."""
    return [request for request in lab.requests() if request["kind"] != "read" and request["key"] == key]


def changes(result: dict[str, t.Any]) -> dict[tuple[str, str], dict[str, tuple[t.Any, t.Any]]]:
    """The changes in a result's plan: by type and name of the target, each option or rule with before and after."""
    found: dict[tuple[str, str], dict[str, tuple[t.Any, t.Any]]] = {}
    for group in result["plan"]:
        assert group["count"] == len(group["policies"]) + len(group["computers"])
        for kind, targets in (("policy", group["policies"]), ("computer", group["computers"])):
            for name in targets:
                found.setdefault((kind, name), {})[group["option"]] = (group["before"], group["after"])
    return found


def names(references: t.Iterable[dict]) -> set[str]:
    """The names in a result's list of targets."""
    return {reference["name"] for reference in references}
