# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook preflight asks the manager about all hosts at once: which computers these are, and what of Windows."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.gates.environments import ROOT
from tests.integration.support import ansible_playbook
from tests.lab.manager.process import LabManager

pytestmark = pytest.mark.slow

# Hosts of the inventory, with the computers that the manager has of these names.
COMPUTERS = {
    "web1.example.com": ["Web1.Example.COM"],
    "DB1": ["db1"],
    "twice": ["Twice", "TWICE"],
    "Two": ["two"],
    "TWO": [],
    "`odd' name": [],
    "nowhere": [],
}


def test_computers_are_found_whatever_their_case_and_windows_hosts_by_their_heartbeat(
    lab: LabManager, tmp_path: Path
) -> None:
    # One that has an agent, which those that are made here have not.
    fleet = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    windows = next(one for one in fleet if "Windows" in one["platform"] and one.get("lastAgentCommunication"))
    made = {windows["hostName"].swapcase(): windows["ID"]}
    for host, names in COMPUTERS.items():
        for name in names:
            made[host] = lab.api("POST", "/computers", {"hostName": name, "policyID": 1})["ID"]
    heard = int(time.time() * 1000) - 5 * 60_000
    pointer = "/computers/*/lastAgentCommunication"
    lab.add_fault(path="/computers/search", action={"kind": "mutate", "pointer": pointer, "to": {"value": heard}})
    lab.clear_requests()
    win = windows["hostName"].swapcase()
    inventory = tmp_path / "hosts.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts: dict[str, dict[str, str]] = {**dict.fromkeys(COMPUTERS, {}), win: {"ansible_shell_type": "powershell"}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": local}}))
    variables = {
        "connectivity_manager": {"url": lab.url, "ca_path": lab.ca_path},
        # Two nodes, as a URL and as agents have it. Nobody is there, which the hosts find out at once.
        "connectivity_manager_host": ["127.0.0.1", "dsm://localhost:14120/"],
        "connectivity_directory": str(tmp_path / "reports"),
        "connectivity_timeout": 2,
    }
    environment = {"WORKLOAD_SECURITY_API_KEY": lab.api_key}
    playbook = str(ROOT / "playbooks" / "preflight.yml")
    command = ("-i", str(inventory), playbook, "-e", json.dumps(variables))
    ran = ansible_playbook(*command, environment=environment, cwd=tmp_path)
    assert (tmp_path / "reports" / "preflight.json").exists(), ran.stdout
    rows = {row["name"]: row for row in json.loads((tmp_path / "reports" / "preflight.json").read_text())["hosts"]}
    assert rows.keys() == hosts.keys()
    for host in ("web1.example.com", "DB1", win):
        assert rows[host]["computer_id"] == made[host], json.dumps(rows[host])
    for host, told in (
        ("twice", "the manager has 2 computers with the host name twice (IDs "),
        ("Two", "could be any of the hosts Two, TWO"),
        ("TWO", "could be any of the hosts Two, TWO"),
        ("nowhere", "the manager has no computer with the host name nowhere"),
        ("`odd' name", "the manager has no computer with the host name `odd' name"),
    ):
        assert rows[host]["computer_id"] is None and told in str(rows[host]).replace("\\'", "'"), rows[host]
    found = rows[win]["agent_initiated"]
    assert found["answer"] in ("yes", "already"), found
    assert "but the manager last heard from the agent at " in found["reasons"][0]
    looked = rows["DB1"]["agent_initiated"]
    assert looked["answer"] == "no", "a host that can look is believed"
    for node in ("127.0.0.1 port 4120: ", "localhost port 14120: "):
        assert any(reason.startswith(node) for reason in looked["reasons"]), "each node is needed"
    requests = lab.requests()
    assert len(requests) <= 10 and {one["kind"] for one in requests} == {"read"}
