# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sure to be needed is asked for at once; and that is all: the manager sees the same requests as without."""

from __future__ import annotations

import json
import threading
import typing as t
from collections import Counter

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._manager.pool import Pool
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.bench.fleet import MODULE, SERVERS, DeclaredFleet
from tests.integration.in_process import run_tasks
from tests.integration.support import RESTRICTION
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
HEARTBEAT = {"heartbeat": {"interval": 7, "accept_inherited": True}}
EVERYBODY = {"policies": "all", "computers_query": "[]"}

# Tasks in whose course different things are needed, and not always what their options would let expect.
TASKS: dict[str, dict[str, t.Any]] = {
    "policies": {f"{NAMESPACE}.heartbeat": {"policies": "all", "interval": 7}},
    "inherited": {f"{NAMESPACE}.heartbeat": {**EVERYBODY, "interval": "inherited"}},
    "computers alone": {f"{NAMESPACE}.heartbeat": {"computers_query": "[]", "interval": 7, "accept_inherited": True}},
    "by policy": {f"{NAMESPACE}.heartbeat": {"computers_query": "[?policy=='Linux Server']", "interval": 7}},
    "by group": {
        f"{NAMESPACE}.heartbeat": {"computers_query": "[?group!='None']", "interval": 7, "allow_missing": True}
    },
    "five computers": {f"{NAMESPACE}.heartbeat": {"computers": [1, 2, 3, 4, 5], "interval": 7, "allow_missing": True}},
    "nobody": {f"{NAMESPACE}.heartbeat": {"policies": [], "computers": [], "allow_empty": True, "interval": 7}},
    "nobody that is there": {
        f"{NAMESPACE}.firewall_restriction": {"policies": ["None"], "allow_missing": True, "allow_empty": True}
        | RESTRICTION
    },
    "wrong name": {f"{NAMESPACE}.firewall_restriction": {**EVERYBODY, "policies": ["None"], **RESTRICTION}},
    "restriction": {f"{NAMESPACE}.firewall_restriction": {**EVERYBODY, **RESTRICTION, "accept_inherited": True}},
    "restriction by MAC": {
        f"{NAMESPACE}.firewall_restriction": {
            **EVERYBODY,
            "source_macs": ["00:00:5E:00:53:01"],
            "allow_manager_lockout": True,
            "port_list": "Deep Security Agent",
        }
    },
    "no restriction": {f"{NAMESPACE}.firewall_restriction": {**EVERYBODY, "state": "absent"}},
    "directions": {f"{NAMESPACE}.communication_direction": {**EVERYBODY, "direction": "agent_initiated"}},
    "undeclared": {
        MODULE: {
            "profiles": [{"name": "all", "policies": "all", **HEARTBEAT, "firewall_restriction": RESTRICTION}],
            "undeclared": "report",
            "scope": "fleet",
        }
    },
    "capture": {f"{NAMESPACE}.communication_document": {"path": "captured.yml"}},
    "fleet": {f"{NAMESPACE}.communication_fleet_info": {}},
    "health": {f"{NAMESPACE}.agent_health_info": {"query": "[?group!='None']"}},
    "objects": {f"{NAMESPACE}.computer_info": {"overrides": True}},
    "sending": {f"{NAMESPACE}.policy_sending": {"policies": "all"}},
}


def seen(lab: LabManager) -> Counter[str]:
    """The requests of tasks, whatever their order."""
    return Counter(
        json.dumps([request[part] for part in ("method", "path", "query", "body")])
        for request in lab.requests()
        if request["key"] == "admin"
    )


@pytest.mark.parametrize("largest_page", [5000, 50, 7])
def test_the_manager_sees_the_same_requests(lab, monkeypatch, tmp_path, largest_page):
    """Whether its pages end early, and for tasks that fail; with nothing begun that nobody asks for."""
    monkeypatch.chdir(tmp_path)
    lab.switch(largest_page=largest_page)
    begun = []
    ahead = Transport.ahead
    monkeypatch.setattr(Transport, "ahead", lambda self, *asked, **how: (begun.append(how), ahead(self, *asked, **how)))
    with_ahead = {}
    for name, task in TASKS.items():
        lab.clear_requests()
        (result,) = run_tasks(lab, [task], check=True).results
        with_ahead[name] = (seen(lab), result.get("msg"), result.get("requests"))
    assert len(begun) > len(TASKS)
    monkeypatch.setattr(Transport, "ahead", lambda *_arguments, **_options: None)
    for name, task in TASKS.items():
        lab.clear_requests()
        (result,) = run_tasks(lab, [task], check=True).results
        assert (seen(lab), result.get("msg"), result.get("requests")) == with_ahead[name], name


def meet(monkeypatch: pytest.MonkeyPatch, *groups: t.Collection[str]) -> list[t.Any]:
    """Let requests whose target has one of the texts of a group wait until all of the group are about to be sent.

    Returns what of it has not come.
    """
    barriers = [threading.Barrier(len(group), timeout=120) for group in groups]
    waiting = [(barrier, text) for barrier, group in zip(barriers, groups) for text in group]
    lock = threading.Lock()
    attempt = Pool.attempt

    def attempted(pool: Pool, method: str, target: str, payload: bytes | None) -> t.Any:
        with lock:
            met = [one for one in waiting if one[1] in target]
            waiting[:] = [one for one in waiting if one not in met]
        for barrier, _text in met:
            barrier.wait()
        return attempt(pool, method, target, payload)

    monkeypatch.setattr(Pool, "attempt", attempted)
    return waiting


def test_what_does_not_depend_on_each_other_is_under_way_at_once(lab, monkeypatch):
    """Where one waited for another, none of them would ever be sent."""
    waiting = meet(
        monkeypatch,
        ("/policies/search", "/computergroups/search"),
        ("/policies/default", "/firewallrules/search", "/iplists/search", "computers/search?expand=computerSettings"),
    )
    fleet = DeclaredFleet(lab)
    profiles = fleet.profiles()
    profiles[0]["computers_query"] = f"{SERVERS} | [?group!='']"
    lab.clear_requests()
    (result,) = run_tasks(lab, [{MODULE: {"profiles": profiles}}], check=True).results
    assert not (result["failed"] or waiting), result.get("msg")
    assert result["requests"] == {"sent": len(lab.requests()), "writes": 0}


def test_a_task_with_one_connection_needs_no_other(lab):
    """What is begun ahead waits for its turn like everything else."""
    (result,) = run_tasks(lab, [DeclaredFleet(lab).task()], check=True, defaults={"concurrency": 1}).results
    assert not result["failed"] and result["changed"]


def test_the_read_that_would_have_come_first_says_why_it_failed(lab):
    """Rules and lists are refused at once; the rules are what is read first."""
    for path, status in (("/iplists", 403), ("/firewallrules", 404)):
        action = {"kind": "status", "status": status, "body": json.dumps({"message": f"no {path}"})}
        lab.add_fault(path=f"^{path}/search$", times=0, action=action)
    (result,) = run_tasks(lab, [TASKS["restriction"]]).results
    assert result["failed"] and "404" in result["msg"] and "no /firewallrules" in result["msg"]
