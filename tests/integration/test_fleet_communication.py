# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking stock of a fleet: the same answers as for each target alone, in as many requests as a check."""

from __future__ import annotations

import csv
import io
import json
import typing as t
from collections import Counter

import pytest
import yaml

from ansible_collections.workload_security.agent.plugins.module_utils._answers.fleet_communication import (
    COLUMNS,
    FleetAsked,
    read_fleet,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.modules import communication_fleet_info
from tests.integration.in_process import run_tasks
from tests.integration.support import RESTRICTION, connection, play, policy_named, run_facet, run_profiles
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
RULE = "Agent port: named sources only"
HEARTBEAT = {"heartbeat": {"interval": 7}}


def stock(lab: LabManager, **options: t.Any) -> dict[str, t.Any]:
    """The result of C(communication_fleet_info), with all computers in it."""
    (result,) = run_tasks(
        lab, [{f"{NAMESPACE}.communication_fleet_info": {"computers_most": 10**6, **options}}]
    ).results
    assert not result["failed"], result
    return result


def taken(lab: LabManager, now: float = 0, deployment: str = "on_premises") -> dict[str, t.Any]:
    """The same at another time."""
    with Transport(connection(lab)) as transport:
        return read_fleet(Client(transport), FleetAsked(deployment, most=10**6, now=now))


def by_id(rows: list[dict[str, t.Any]]) -> dict[int, dict[str, t.Any]]:
    return {row["id"]: row for row in rows}


def servers(lab: LabManager) -> list[dict[str, t.Any]]:
    """The lab's computers with a policy and no Mac among them."""
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    return [one for one in computers if one.get("policyID") and "macOS" not in one.get("platform", "")]


@pytest.fixture
def varied(lab) -> LabManager:
    """A fleet with a restriction of a policy, and computers with directions, rules and heartbeats of their own."""
    first, second, third = servers(lab)[:3]
    run_facet(lab, "firewall_restriction", {"policies": ["Linux Server", "Windows Server"], **RESTRICTION})
    own = {"rule_name": "Own", "source_ips": ["203.0.113.7"], "manager_addresses": ["203.0.113.7"]}
    run_facet(lab, "firewall_restriction", {"computers": [first["ID"]], **own})
    run_profiles(lab, [{"name": "Two", "computers": [second["ID"]], **HEARTBEAT}])
    run_facet(lab, "communication_direction", {"computers": [third["ID"]], "direction": "agent_initiated"})
    lab.clear_requests()
    return lab


def test_each_target_is_told_as_it_is_alone(varied):
    result = stock(varied)
    targets = {"policies": [row["id"] for row in result["policies"]], "computers_query": "[?id < `200`]"}
    (alone,) = run_tasks(varied, [{f"{NAMESPACE}.communication_info": targets}]).results
    rows = {("policy", row["id"]): row for row in result["policies"]}
    rows.update({("computer", row["id"]): row for row in result["computers"]})
    assert len(rows) == 330 and len(alone["targets"]) > 100
    states = Counter()
    for target in alone["targets"]:
        row = rows[target["type"], target["id"]]
        for key in ("name", "policy", "policy_path", "group_path", "host_name", "platform", "last_agent_communication"):
            assert row[key] == target[key]
        assert row["direction"] == target["communication_direction"]["direction"]["effective"]
        assert row["interval"] == target["heartbeat"]["interval"]["effective"]
        port = target["firewall_restriction"]
        listens = row["direction"] != "agent_initiated"
        expected = {True: "restricted", False: "open", None: "unknown"}[port["restricted"]]
        assert row["agent_port"] == (expected if listens else "not_listening"), (row, port)
        if listens:
            assert row["admitted"] == (port["admitted"] and ", ".join(port["admitted"]))
        facets = {**target["heartbeat"], **target["communication_direction"]}
        noted = [f"{name}: " for name, one in facets.items() if one["override"] is not None]
        assert [note for note in row["overrides"] if not note.startswith("rule: ")] == [
            note for start in noted for note in row["overrides"] if note.startswith(start)
        ] and len(noted) == sum(not note.startswith("rule: ") for note in row["overrides"])
        states[row["agent_port"]] += 1
    assert set(states) >= {"restricted", "open", "not_listening"}


def test_the_counts_are_those_of_the_list(varied):
    result = stock(varied)
    rows, policies = result["computers"], result["policies"]
    summary = result["summary"]
    assert summary["computers"] == len(rows) == 300 and summary["policies"] == len(policies) == 30
    for key, field in (("directions", "direction"), ("agent_port", "agent_port"), ("contact", "contact")):
        assert {value: count for value, count in summary[key].items() if count} == Counter(row[field] for row in rows)
    assert summary["overriding"] == sum(bool(row["overrides"]) for row in rows)
    for kind, field in (("policy", "policy_path"), ("group", "group_path"), ("platform", "platform_name")):
        told = result["breakdowns"][kind]
        assert {one["name"]: one["computers"] for one in told} == Counter(row[field] for row in rows)
        for key in ("open", "restricted"):
            assert sum(one["agent_port"][key] for one in told) == summary["agent_port"][key]
    for part in ("heartbeats", "directions", "ports"):
        assert sum(one["computers"] for one in result[part]) == 300
        assert sum(len(one["policies"]) for one in result[part]) == 30
    assert sum(row["computers"] for row in policies) == sum(row["policy"] is not None for row in rows)
    lines = list(csv.DictReader(io.StringIO(result["targets_csv"])))
    assert tuple(lines[0]) == COLUMNS
    assert [(line["type"], int(line["id"])) for line in lines if line["type"] == "policy"] == [
        ("policy", row["id"]) for row in policies
    ]
    told = by_id(rows)
    for line in lines[30:]:
        row = told[int(line["id"])]
        assert (line["name"], line["policy_path"], line["group_path"]) == (
            row["name"],
            row["policy_path"] or "",
            row["group_path"] or "",
        )


def test_who_overrides_what(varied):
    first, second, third = servers(varied)[:3]
    result = stock(varied)
    found = {(one["facet"], one["option"], one["value"]): one for one in result["overrides"]}
    rule = found["firewall_restriction", "rule", RULE]
    assert (rule["policies"], rule["computers"]) == (["Base Policy/Linux Server", "Base Policy/Windows Server"], 0)
    own = found["firewall_restriction", "rule", "Own"]
    assert (own["policies"], own["computers"], own["examples"]) == ([], 1, [first["hostName"]])
    heartbeat = found["heartbeat", "interval", 7]
    assert heartbeat["examples"] == [second["hostName"]]
    assert "interval: 7, not 10" in by_id(result["computers"])[second["ID"]]["overrides"]
    assert by_id(result["computers"])[third["ID"]]["direction_set_by"] == "here"


def test_a_report_costs_what_a_check_costs(varied):
    stock(varied)
    told = varied.summary()
    paths = [request["path"] for request in varied.requests()]
    assert told["total"] == told["read"] == len(paths)
    # Two of each page of computers, and one each for what else there is. More could follow 300 computers and 30 policies.
    assert Counter(paths) == {
        "/computers/search": 3,
        "/policies/search": 2,
        "/policies/default": 1,
        "/firewallrules/search": 1,
        "/portlists/search": 1,
        "/iplists/search": 1,
        "/computergroups/search": 1,
    }
    varied.clear_requests()
    stock(varied, rule_overrides=True)
    more = Counter(request["path"] for request in varied.requests()) - Counter(paths)
    assert set(more) and all(path.startswith("/policies/") and path.endswith("/firewall/rules") for path in more)


def test_policies_are_asked_for_rules_that_they_override_where_that_is_wanted(varied):
    policy = policy_named(varied, "Linux Server")
    (rule,) = [one for one in varied.api("GET", "/firewallrules")["firewallRules"] if one["name"] == RULE]
    fields = {"sourceIPType": "single", "sourceIPValue": "198.51.100.1"}
    varied.api("POST", f"/policies/{policy['ID']}/firewall/rules/{rule['ID']}", fields)
    as_defined, asked = stock(varied), stock(varied, rule_overrides=True)
    assert by_id(as_defined["policies"])[policy["ID"]]["admitted"] == "192.0.2.0/24"
    assert by_id(asked["policies"])[policy["ID"]]["admitted"] == "198.51.100.1"
    below = [row["admitted"] for row in asked["computers"] if row["policy"] == "Linux Server" and not row["overrides"]]
    assert set(below) == {"198.51.100.1"}


def test_an_agent_is_silent_after_two_heartbeats(lab):
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    heard = {one["ID"]: one.get("lastAgentCommunication") for one in computers}
    intervals = {row["id"]: row["interval"] for row in stock(lab)["computers"]}
    now = sorted(filter(None, heard.values()))[-1] / 1000 + 1
    contacts = {row["id"]: row["contact"] for row in taken(lab, now)["computers"]}
    expected = {
        number: "no_agent" if date is None else "silent" if now - date / 1000 > 120 * intervals[number] else "heard"
        for number, date in heard.items()
    }
    assert contacts == expected and set(contacts.values()) >= {"silent", "heard"}


@pytest.mark.parametrize(
    ("date", "told"), [(None, "never"), (0, "never"), ("soon", "never"), (17 * 10**14, "never"), (10**30, "never")]
)
def test_an_agent_that_the_manager_has_no_date_of(lab, date, told):
    computer = {"ID": 1, "hostName": "web", "agentVersion": "20.0.0.877", "lastAgentCommunication": date}
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": body({"computers": [computer]})})
    (row,) = taken(lab, now=1.0)["computers"]
    assert (row["contact"], row["last_agent_communication"]) == (told, None)


def test_a_computer_that_had_an_agent_is_not_silent(lab):
    computer = {"ID": 1, "hostName": "web", "agentVersion": "0.0.0.0", "lastAgentCommunication": 1_600_000_000_000}
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": body({"computers": [computer]})})
    (row,) = taken(lab, now=1.7e9)["computers"]
    assert (row["contact"], row["last_agent_communication"]) == ("no_agent", "2020-09-13T12:26:40Z")


def test_what_is_not_told_is_null(lab):
    """A computer of which the manager says nothing, and settings that it does not show."""
    other = {"platformSettingAgentEventsSendInterval": {"value": "60 Seconds"}}
    computers = body(
        {"computers": [{"ID": 7, "displayName": "x"}, {"ID": 8, "displayName": "y", "lastAgentCommunication": 1}]}
    )
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": computers})
    lab.add_fault(path="^/policies/default", times=0, action={"kind": "body", "body": body(other)})
    result = taken(lab, now=1e9)
    row, heard = result["computers"]
    assert row["contact"] == "no_agent" and heard["contact"] == "unknown"
    keys = ("direction", "interval", "policy", "policy_path", "group_path", "platform", "platform_name", "host_name")
    assert {row[key] for key in keys} == {None}
    assert result["summary"]["directions"]["unknown"] == 2
    (cloud,) = [one for one in taken(lab, now=1e9, deployment="cloud")["computers"] if one["id"] == 8]
    assert cloud["contact"] == "silent", "the cloud fixes the interval"


def test_groups_that_a_key_may_not_see_are_null(lab):
    lab.add_fault(path="^/computergroups/search", times=0, action={"kind": "status", "status": 403})
    result = stock(lab)
    assert {row["group_path"] for row in result["computers"]} == {None}
    assert [one["name"] for one in result["breakdowns"]["group"]] == [None]
    computer = result["computers"][0]["id"]
    (alone,) = run_tasks(lab, [{f"{NAMESPACE}.communication_info": {"computers": [computer]}}]).results
    assert not alone["failed"] and alone["targets"][0]["group_path"] is None


def test_a_manager_without_computers(lab):
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": '{"computers": []}'})
    result = stock(lab)
    assert result["summary"]["computers"] == 0 and result["computers"] == []
    assert result["breakdowns"] == {"policy": [], "group": [], "platform": []}
    assert len(result["targets_csv"].splitlines()) == 31


def test_a_query_and_the_number_of_computers(lab):
    result = stock(lab, computers_query="[?starts_with(platform, 'macOS')]", computers_most=2)
    assert 2 < result["summary"]["computers"] < 40 and len(result["computers"]) == 2
    assert result["summary"]["directions"]["agent_initiated"] == result["summary"]["computers"]


@pytest.mark.slow
def test_the_example_says_which_ports_are_open(lab, tmp_path):
    counted, judged = yaml.safe_load(communication_fleet_info.EXAMPLES)[:2]
    del counted[f"{NAMESPACE}.communication_fleet_info"]["url"]
    told = play(lab, [counted, judged], tmp_path, keywords={"vars": {"stock": "{{ r0 }}"}}).results[1]
    assert told["failed"] and "agent_port: open" in told["msg"] and "admits anybody" in told["msg"], told


def body(content: t.Any) -> str:
    """A reply."""
    return json.dumps(content)
