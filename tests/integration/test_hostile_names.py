# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on the manager that would steer a terminal, forge a line or keep a result from being written do none of that.

Real playbooks, since what people see is what counts: messages, warnings, diffs and results.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from tests.integration.support import RESTRICTION, computer_with_agent, play, run_facet, run_profiles

NAMESPACE = "workload_security.agent"
EVIL = "evil\x1b[2J\r\n[ERROR]: forged\u202e\xa0\x07"
# As JSON, since Python's own would not be sent: half of a pair, and a key that Ansible takes for its own.
SURROGATE = r'"half \ud800 \u001b[31m"'


def assert_harmless(output: str, but: str = "") -> None:
    """Nothing but line breaks that is not a character to be seen, and no line that somebody else made up."""
    hidden = {c for c in output if c not in f"\n {but}" and unicodedata.category(c)[0] in "CZ"}
    assert hidden == set(), [line for line in output.splitlines() if hidden & set(line)]
    assert not [line for line in output.splitlines() if line.lstrip().startswith("[ERROR]: forged")]


def test_no_name_reaches_a_terminal_as_it_is(lab, tmp_path):
    policy = lab.api("POST", "/policies", {"name": EVIL, "description": EVIL})["ID"]
    lab.api("POST", "/policies", {"name": EVIL + "2", "parentID": policy})
    for number in range(2):
        computer = {"hostName": f"{EVIL}{number}", "displayName": EVIL, "policyID": policy, "platform": "macOS 14"}
        lab.api("POST", "/computers", computer)
    # One with an agent that beats, so that a wave can have it.
    agent = computer_with_agent(lab)
    lab.api("POST", f"/computers/{agent}", {"hostName": f"{EVIL}2", "displayName": EVIL})
    lab.let_live([agent])
    lab.api("POST", "/iplists", {"name": EVIL, "items": ["192.0.2.1"]})
    targets = {"policies": [policy], "computers_query": "[?contains(host_name, 'evil')]"}
    restriction = {"rule_name": EVIL, "source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.1"]}
    profile = {"name": EVIL, **targets, "heartbeat": {"interval": "7"}, "firewall_restriction": restriction}
    plan, waves, before = (str(tmp_path / name) for name in ("plan.json", "waves.json", "before.json"))
    gate = {"waves_file": waves, "wave": 1, "before_file": before}
    tasks = [
        {f"{NAMESPACE}.communication_profile": {"profiles": [profile]}, "check_mode": True, "diff": True},
        {f"{NAMESPACE}.communication_profile": {"profiles": [profile], "list_targets": True}, "diff": True},
        # Agents on macOS cannot take it: refused, by name.
        {f"{NAMESPACE}.communication_direction": {**targets, "direction": "bidirectional"}},
        {f"{NAMESPACE}.heartbeat": {"policies": [EVIL + "3"], "interval": "7"}},
        {f"{NAMESPACE}.communication_info": targets},
        {f"{NAMESPACE}.communication_fleet_info": {"computers_query": targets["computers_query"]}},
        {f"{NAMESPACE}.computer_info": {"computers": [EVIL]}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": targets["computers_query"], "computers": "all"}},
        {f"{NAMESPACE}.agent_initiated_activation": {"policy": EVIL, "allow": "any_computer"}, "diff": True},
        {f"{NAMESPACE}.agent_health_info": {"computers_query": targets["computers_query"]}},
        {f"{NAMESPACE}.policy_sending": {"policies": [policy], "list_targets": True}, "diff": True},
        {f"{NAMESPACE}.agent_deployment_script_info": {"platform": "linux", "policy": EVIL}},
        {f"{NAMESPACE}.communication_document": {"path": str(tmp_path / "captured.yml")}, "diff": True},
        # A rollout of another interval, with names that nobody has, too.
        {
            f"{NAMESPACE}.communication_profile": {
                "profiles": [{**profile, "heartbeat": {"interval": "9"}}],
                "plan_file": plan,
            },
            "check_mode": True,
        },
        {
            f"{NAMESPACE}.rollout_plan": {
                "plan_file": plan,
                "waves_file": waves,
                "waves": [{"name": EVIL, "computers": [agent]}],
                "hosts": [[EVIL, "nobody"], ["a host", f"{EVIL}2"]],
            },
            "diff": True,
        },
        {f"{NAMESPACE}.rollout_gate": {**gate, "judge": False}},
        {f"{NAMESPACE}.rollout_gate": gate, "check_mode": True},
    ]
    played = play(lab, tasks, tmp_path, arguments=["-v"])
    assert_harmless(played.output)
    failed = [bool(result.get("failed")) for result in played.results]
    assert failed == [number in (2, 3, 6) for number in range(len(tasks))], played.output
    shown = r"evil\x1b[2J\r\n[ERROR]: forged\u202e\xa0\x07"
    assert played.results[1]["changed_targets"][0]["name"] == shown
    assert shown in played.results[2]["msg"] and shown in played.results[3]["msg"]
    rollout = played.results[14]
    assert rollout["waves"][0]["name"] == shown and shown in rollout["warnings"][0]
    assert [host["name"] for host in rollout["hosts"]] == ["a host"]
    # Files for later runs do nothing to a terminal that shows them, either.
    for name in ("plan.json", "waves.json", "before.json", "captured.yml"):
        assert_harmless((tmp_path / name).read_text(encoding="utf-8"))
    assert EVIL in {profile["name"] for profile in json.loads(Path(plan).read_text())["document"]["profiles"]}
    assert f"- {policy}  # {shown}" in (tmp_path / "captured.yml").read_text(encoding="utf-8")
    # What is asked for as it is comes as it is, but for what turns the direction of text.
    played = play(lab, [{f"{NAMESPACE}.policy_info": {"policies": [policy]}}], tmp_path, arguments=["-v"])
    assert_harmless(played.output, but="\xa0")
    assert played.results[0]["policies"][0]["name"] == EVIL.replace("\u202e", r"\u202e")


def test_half_a_character_loses_no_result(lab, tmp_path):
    """The names of all computers cannot be written in UTF-8, in every reply, and 300 are changed."""
    for pointer in ("/computers/*/hostName", "/computers/*/displayName", "/computers/*/description"):
        lab.add_fault(
            path="^/computers/search$",
            times=0,
            action={"kind": "mutate", "pointer": pointer, "to": {"text": SURROGATE}},
        )
    # One name for all: they are told apart by their IDs.
    tasks = [
        {f"{NAMESPACE}.heartbeat": {"computers_query": "[?id > `0`]", "interval": "7"}, "diff": True},
        {f"{NAMESPACE}.computer_info": {"query": "[0]"}},
        {f"{NAMESPACE}.communication_document": {"path": str(tmp_path / "captured.yml")}, "diff": True},
    ]
    played = play(lab, tasks, tmp_path, arguments=["-v"])
    assert_harmless(played.output)
    changed, info, captured = played.results
    assert captured["profiles"]["added"] and not captured.get("failed")
    assert changed["changed"] and changed["counts"]["changed"] == 300
    assert info["result"]["hostName"].startswith("half \\ud800")


def test_keys_that_ansible_takes_for_its_own_do_no_harm(lab, tmp_path):
    body = json.dumps(
        {"policies": [{"ID": 1, "name": "Base", "__ansible_type": "_AnsibleTaggedStr", "x": {"__ansible_unsafe": "y"}}]}
    )
    lab.add_fault(path="^/policies/search$", times=0, action={"kind": "body", "body": body})
    (result,) = play(lab, [{f"{NAMESPACE}.policy_info": {}}], tmp_path).results
    assert not result.get("failed") and result["policies"][0]["name"] == "Base"


def test_diffs_in_process_are_harmless(lab):
    policy = lab.api("POST", "/policies", {"name": EVIL})["ID"]
    result = run_facet(lab, "heartbeat", {"policies": [policy], "interval": "7"}, check=True)
    assert_harmless(result["diff"]["before"] + result["diff"]["after"] + result["summary"])


@pytest.mark.parametrize("option", ["rule_name", "ip_list_name", "mac_list_name", "port_list"])
@pytest.mark.parametrize("check", [True, False])
def test_half_a_character_is_no_name_of_a_rule_or_list(lab, option, check):
    """Otherwise, check mode would promise what the manager cannot even read."""
    macs = {"source_macs": ["00:11:22:33:44:55"], "manager_macs": ["00:11:22:33:44:55"]}
    profiles = [
        {"name": "a", "policies": "all", "firewall_restriction": {**RESTRICTION, **macs, option: "half \ud800"}}
    ]
    with pytest.raises(OptionError, match=rf"'profiles\[a\].firewall_restriction.{option}' .*UTF-8"):
        run_profiles(lab, profiles, check=check)
    assert lab.requests() == []
