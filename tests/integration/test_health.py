# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agents in monitoring: what is wrong with whom, the line and the number, and what it costs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._answers.health import (
    HEALTH_ARGUMENTS,
    STATES,
    TROUBLES,
    HealthAsked,
    Threshold,
    read_health,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.gates.environments import ROOT
from tests.integration.in_process import run_tasks
from tests.integration.support import SHARED, ansible_playbook, connection
from tests.lab.manager.process import LabManager
from tests.lab.manager.settings import DIRECTION, HEARTBEAT_INTERVAL
from tests.playbooks.program import program

MODULE = "workload_security.agent.agent_health_info"
MINUTE = 60.0


def health(lab: LabManager, **options: t.Any) -> dict[str, t.Any]:
    """The result, looked at when the manager heard from an agent last."""
    dates = [
        one.get("lastAgentCommunication") or 0
        for one in lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    ]
    lab.clear_requests()
    params = {name: options.get(name, spec.get("default")) for name, spec in HEALTH_ARGUMENTS.items()}
    for level in ("warning", "critical"):
        defaults = {name: spec["default"] for name, spec in HEALTH_ARGUMENTS[level]["options"].items()}
        params[level] = {**defaults, **(params[level] or {})}
    asked = HealthAsked.from_options(params, "on_premises")
    asked = replace(asked, now=max(dates) / 1000)
    with Transport(connection(lab)) as transport:
        return read_health(Client(transport), asked)


@pytest.fixture
def alive(lab: LabManager) -> list[int]:
    """All agents beat each ten minutes, and have their policy; one computer has no agent. The IDs of the agents."""
    default = {DIRECTION: {"value": "Bidirectional"}, HEARTBEAT_INTERVAL: {"value": "10 Minutes"}}
    for policy in lab.api("GET", "/policies", query={"overrides": "true"})["policies"]:
        lab.api("POST", f"/policies/{policy['ID']}", {"policySettings": default})
    for one in lab.api("GET", "/computers", query={"overrides": "true", "expand": "computerSettings"})["computers"]:
        if one["ID"] and one.get("computerSettings"):
            lab.api("POST", f"/computers/{one['ID']}", {"computerSettings": default})
    lab.let_live()
    lab.advance(600)
    lab.api("POST", "/computers", {"hostName": "bare"})
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    return [one["ID"] for one in computers if one["agentVersion"] != "0.0.0.0"]


def test_a_fleet_that_is_well_costs_one_request_for_each_page(lab, alive):
    result = health(lab)
    assert (result["status"], result["state"]) == (0, "OK")
    assert result["counts"] == {
        "well": len(alive),
        **dict.fromkeys(TROUBLES, 0),
        "unknown": 0,
        "no_agent": 1 + 300 - len(alive),
    }
    assert result["line"].startswith(f"OK - {len(alive)} of {len(alive)} agents are well|agents={len(alive)};;;0 ")
    assert [(one["method"], one["path"]) for one in lab.requests()] == [("POST", "/computers/search")]
    assert lab.requests()[0]["query"]["expand"] == ["computerStatus", "tasks"]


def test_each_agent_has_the_trouble_that_the_manager_shows(lab, alive):
    offline, error, silent, waiting, both = alive[:2], alive[2:4], alive[4:7], alive[7], alive[8]
    lab.let_live([*offline, both], beats=False, messages=["Offline", "Communication error"])
    lab.let_live(error, messages=["Unable to resolve hostname"])
    lab.let_live(silent, beats=False)
    # Its agent beats, and is not sent its policy: the request that is waiting is one from before.
    task = {
        "name": "Send",
        "type": "send-policy",
        "runNow": True,
        "scheduleDetails": {"recurrenceType": "none", "recurrenceCount": 1, "onceOnlyScheduleParameters": {"startTime": 0}},
        "sendPolicyTaskParameters": {"computerFilter": {"type": "computer", "computerID": waiting}},
    }  # fmt: skip
    lab.let_live([waiting], beats=False)
    lab.api("POST", "/scheduledtasks", task)
    lab.advance(50 * MINUTE)
    result = health(lab, computers_most=5)
    assert result["counts"] == {
        "well": len(alive) - 9, "offline": 3, "errors": 2, "silent": 4, "not_arrived": 0, "unknown": 0,
        "no_agent": 301 - len(alive),
    }  # fmt: skip
    again = health(lab, silent_after=10_000, not_arrived_after=45)
    assert (again["counts"]["silent"], again["counts"]["not_arrived"]) == (0, 1)
    (row,) = [one for one in again["computers"] if one["trouble"] == "not_arrived"]
    assert row["id"] == waiting and row["not_arrived_for"] >= 49
    troubles = {(one["trouble"], one["status"]): one["computers"] for one in result["troubles"]}
    assert troubles == {
        ("silent", None): 4,
        ("offline", "Offline"): 3,
        ("errors", "Unable to resolve hostname"): 2,
    }
    assert [one["trouble"] for one in result["computers"]] == ["offline"] * 3 + ["errors"] * 2
    assert all(one["silent_for"] >= 50 for one in health(lab)["computers"] if one["trouble"] == "silent")
    assert result["status"] == 1 and "3 offline (" in result["line"] and "silent for more than 30 min" in result["line"]


def test_thresholds_decide_on_the_state(lab, alive):
    lab.let_live(alive[:30], beats=False, messages=["Offline"])
    least = -(-len(alive) * 10 // 100)
    assert least == 30, "a tenth of all agents"
    for options, state in (
        ({}, "CRITICAL"),
        ({"critical": {"offline": "31"}}, "WARNING"),
        ({"critical": {"offline": "10.5%"}}, "WARNING"),
        ({"critical": {"offline": "never"}, "warning": {"offline": "31"}}, "OK"),
        ({"critical": {"offline": "never"}, "warning": {"offline": "never"}}, "OK"),
        ({"critical": {"offline": "30"}}, "CRITICAL"),
    ):
        result = health(lab, **options)
        assert result["state"] == state == STATES[result["status"]] == result["line"].partition(" - ")[0], options
    assert f"offline=30;1;{least};0;{len(alive)}" in health(lab)["line"]


def test_what_is_not_told_is_unknown_and_never_ok(lab, alive):
    for fields in (["lastAgentCommunication"], ["computerStatus", "tasks"], ["agentVersion"]):
        lab.add_fault(path="/computers/search", action={"kind": "drop_fields", "fields": fields})
        result = health(lab)
        assert (result["state"], result["status"]) == ("UNKNOWN", 3), fields
        assert result["counts"]["unknown"] == len(alive) and "says too little" in result["line"]


def test_a_policy_that_waits_since_nobody_knows_when_is_not_well(lab, alive):
    said = {"agentVersion": "20.0.0.877", "lastAgentCommunication": 1_700_000_000_000}
    shown = {"computerStatus": {"agentStatus": "active"}, "tasks": {"agentTasks": ["Sending Policy"]}}
    dates = [{}, {"lastSendPolicyRequest": 1_700_000_000_000}]
    computers = [{"ID": at, "hostName": f"web{at}", **said, **shown, **date} for at, date in enumerate(dates, 1)]
    body = json.dumps({"computers": computers})
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": body})
    asked = HealthAsked(now=1_700_000_000)
    with Transport(connection(lab)) as transport:
        result = read_health(Client(transport), asked)
    assert (result["state"], result["counts"]["unknown"], result["counts"]["well"]) == ("UNKNOWN", 1, 1)


def test_an_agent_that_communicates_is_not_offline_because_an_engine_is(lab, alive):
    lab.let_live(alive[:2], messages=["Anti-Malware Engine Offline", "The Firewall Engine is offline"])
    result = health(lab)
    assert (result["counts"]["offline"], result["counts"]["well"]) == (0, len(alive)), result["line"]


def test_a_choice_without_agents_is_unknown(lab, alive):
    result = health(lab, computers_query="[?host_name == 'bare']")
    assert result["state"] == "UNKNOWN" and "no agent to check" in result["line"]


def test_names_do_not_break_the_line(lab, alive):
    lab.api("POST", f"/computers/{alive[0]}", {"hostName": "a|b=1;2\n\x1b[2J"})
    lab.let_live(alive[:1], beats=False, messages=["Offline|x\ny"])
    result = health(lab)
    assert result["line"].count("|") == 1 and result["line"].isprintable()
    assert result["troubles"][0]["status"].isprintable()


@pytest.mark.parametrize("text", ["0", "-1", "x", "101%", "0%", "1.5", "%", "1 %", "1e3", "٣", "9" * 20])
def test_what_is_no_threshold_is_refused(lab, text):
    (result,) = run_tasks(lab, [{MODULE: {"warning": {"silent": text}}}]).results
    assert result["failure"]["option"] == "warning.silent" and repr(text)[1:-1] in result["msg"]


@given(st.integers(1, 1000), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_percentage_is_reached_where_arithmetic_says_so(tenths, agents, count):
    least = Threshold.read("critical.offline", f"{tenths / 10}%").least(agents)
    assert least is not None and (count >= least) == (count >= 1 and count * 1000 >= tenths * agents)


def test_minutes_are_a_range():
    with pytest.raises(OptionError):
        HealthAsked.from_options({"silent_after": 0, "not_arrived_after": 1}, "cloud")


# -- the playbook


def run_health(lab: LabManager, folder: Path, hosts: dict[str, t.Any], *arguments: str) -> tuple[int, str]:
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    environment = {"WORKLOAD_SECURITY_API_KEY": lab.read_only_api_key}
    command = ("-i", "hosts.yml", "workload_security.agent.health", "-e", "health_directory=out", *arguments)
    ran = ansible_playbook(*command, environment=environment, cwd=folder)
    return ran.returncode, ran.stdout


def run_check(lab: LabManager, folder: Path, host: str) -> tuple[int, str, str]:
    """Run the script of docs/health.md as it stands there: its status and output, and that of the playbook."""
    (script,) = re.findall(r"```shell\n(#!/bin/sh\n.*?)```", (ROOT / "docs" / "health.md").read_text(), re.DOTALL)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
        "HEALTH_INVENTORY": str(folder / "hosts.yml"),
        "HEALTH_DIRECTORY": str(folder / "out"),
        "WORKLOAD_SECURITY_API_KEY": lab.read_only_api_key,
        **SHARED,
    }
    command = ["/bin/sh", "-c", script, "check_agents", host]
    with program(folder / "programs") as runs:
        ran = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    return ran.returncode, ran.stdout, "".join(run.printed for run in runs)


@pytest.mark.slow
@pytest.mark.both_cores
def test_the_playbook_tells_monitoring(lab, alive, tmp_path):
    lab.let_live(alive[:1], beats=False, messages=["Offline"])
    out = tmp_path / "out"
    manager = {"communication_manager": {"url": lab.url, "ca_path": lab.ca_path}, "health_silent_after": 500_000}
    strict = {**manager, "health_critical": {"offline": "1"}}
    well = {**manager, "health_warning": {"offline": "2"}}
    lab.clear_requests()
    hosts = {"one": manager, "strict": strict, "../wrong": {**manager, "health_silent_after": 0}}
    status, output = run_health(lab, tmp_path, hosts)
    assert status == 2, output
    assert out.stat().st_mode & 0o777 == 0o700
    # No name of a host leads out of the folder.
    wrong = "_._wrong~" + hashlib.sha256(b"../wrong").hexdigest()[:12]
    lines = {path.stem: path.read_text() for path in out.glob("*.txt")}
    assert lines["strict"].startswith("CRITICAL - ") and lines["one"].startswith("WARNING - ")
    assert lines["one"].rstrip("\n") in output.replace('\\"', '"')
    assert lines[wrong].startswith("UNKNOWN - option 'silent_after'") and "|" not in lines[wrong]
    assert [json.loads((out / f"{name}.json").read_text())["status"] for name in ("one", "strict", wrong)] == [1, 2, 3]
    assert sorted(os.listdir(out)) == [f"{name}.{end}" for name in (wrong, "one", "strict") for end in ("json", "txt")]
    # The check of the documentation, with all four numbers: for monitoring, a warning is none for Ansible.
    (out / "nobody.txt").write_text("OK - from yesterday\n")
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {**hosts, "well": well}}}))
    for host, number, line in (
        ("well", 0, "OK - "),
        ("one", 1, lines["one"]),
        ("strict", 2, lines["strict"]),
        ("nobody", 3, "UNKNOWN - the playbook did not end\n"),
    ):
        status, output, printed = run_check(lab, tmp_path, host)
        assert status == number and output.startswith(line) and output.count("\n") == 1, (host, status, output)
        assert ("failed=0" in printed) is (host in ("well", "one")), printed
    # What cannot be replaced is not said again.
    (out / "one.txt").unlink()
    (out / "one.txt").mkdir()
    status, output, printed = run_check(lab, tmp_path, "one")
    assert status == 3 and printed == "" and output.startswith("UNKNOWN - ") and output.count("\n") == 1
    assert lab.summary()["total"] == lab.summary()["read"]


@pytest.mark.slow
def test_the_folder_may_be_left_out_but_not_empty(lab, alive, tmp_path):
    hosts = {"one": {"communication_manager": {"url": lab.url, "ca_path": lab.ca_path}, "health_silent_after": 500_000}}
    lab.clear_requests()
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    environment = {"WORKLOAD_SECURITY_API_KEY": lab.read_only_api_key}
    command = ("-i", "hosts.yml", "workload_security.agent.health")
    ran = ansible_playbook(*command, environment=environment, cwd=tmp_path)
    assert ran.returncode == 0 and "agents are well|" in ran.stdout and "[WARNING]" not in ran.stdout, ran.stdout
    for empty in ('{"health_directory": ""}', '{"health_directory": null}'):
        ran = ansible_playbook(*command, "-e", empty, environment=environment, cwd=tmp_path)
        assert ran.returncode == 2 and "health_directory is empty" in ran.stdout, ran.stdout
    assert not list(tmp_path.glob("one.*"))


@pytest.mark.slow
def test_variables_without_a_value_are_left_out_and_no_number_is_said(lab, alive, tmp_path):
    manager = {"url": lab.url, "ca_path": lab.ca_path}
    names = (
        "fail_from",
        "silent_after",
        "not_arrived_after",
        "computers_most",
        "warning",
        "critical",
        "computer_groups",
    )
    empty = {f"health_{name}": None for name in names}
    lab.let_live(alive[:1], beats=False, messages=["Offline"])
    status, output = run_health(lab, tmp_path, {"one": {"communication_manager": manager, **empty}})
    (line,) = (tmp_path / "out").glob("one.txt")
    assert status == 0 and line.read_text().startswith("WARNING - "), output
    well = {"communication_manager": manager, **empty}
    status, output = run_health(lab, tmp_path, {"one": {**well, "health_fail_from": "critical"}})
    assert status == 2 and line.read_text().startswith("UNKNOWN - health_fail_from is 'critical': "), output
    assert run_health(lab, tmp_path, {"one": {**well, "health_fail_from": "1"}})[0] == 2
    status, output = run_health(lab, tmp_path, {"one": {**well, "communication_manager": json.dumps(manager)}})
    assert status == 2 and "communication_manager must be a dictionary" in line.read_text(), output
