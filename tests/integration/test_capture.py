# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What communication_document writes: profiles of today's overrides, and of a file that is there only what differs."""

from __future__ import annotations

import os
import typing as t

import pytest
import yaml

from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import shown
from tests.integration.captured import APPLY, CAPTURE, assert_nothing_to_do, capture, read
from tests.integration.in_process import run_tasks
from tests.integration.support import run_profiles
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

INTERVAL = "platformSettingHeartbeatInterval"
MISSED = "platformSettingHeartbeatMissedAlertThreshold"
DIRECTION = "platformSettingAgentCommunicationsDirection"


@pytest.fixture
def small(bare_lab: LabManager) -> Small:
    return Small(bare_lab)


class Small:
    """A manager with two policies, Alpha and below it Beta, and the computers a, b and c of Beta."""

    def __init__(self, lab: LabManager) -> None:
        self.lab = lab
        self.alpha = self.policy("Alpha")
        self.beta = self.policy("Beta", parentID=self.alpha)
        self.computers = [self.computer(name, policyID=self.beta) for name in "abc"]

    def policy(self, name: str, **fields: t.Any) -> int:
        return self.lab.api("POST", "/policies", {"name": name, **fields})["ID"]

    def computer(self, name: str, **fields: t.Any) -> int:
        return self.lab.api("POST", "/computers", {"hostName": name, "platform": "Ubuntu Linux 22", **fields})["ID"]

    def put(self, kind: str, number: int, **settings: str) -> None:
        """Set or (by an empty text) take away settings: interval, missed, direction."""
        names = {"interval": INTERVAL, "missed": MISSED, "direction": DIRECTION}
        body = {names[name]: {"value": value} for name, value in settings.items()}
        self.lab.api(
            "POST", f"/{kind}/{number}", {"policySettings" if kind == "policies" else "computerSettings": body}
        )

    def restrict(self, kind: str, number: int, name: str = "By hand", **fields: t.Any) -> int:
        """Make a rule as a colleague would in the console, and assign it."""
        lists = self.lab.api(
            "POST", "/iplists", {"name": f"List of {name}", "items": ["192.0.2.7 # x", "192.0.2.0/26"]}
        )
        rule = {**REPLACING, "name": name, "sourceIPType": "ip-list", "sourceIPListID": lists["ID"], **fields}
        rule_id = self.lab.api("POST", "/firewallrules", rule)["ID"]
        self.lab.api("POST", f"/{kind}/{number}/firewall/assignments", {"ruleIDs": [rule_id]})
        return rule_id

    def rules(self, kind: str, number: int) -> set[int]:
        """The rules that are assigned to a target, or inherited by it."""
        return set(self.lab.api("GET", f"/{kind}/{number}/firewall/assignments")["assignedRuleIDs"])


def captured_into(small: Small, path, text: str) -> str:
    """The text of a file with the capture in it, which holds and is not written again."""
    path.write_text(text, encoding="utf-8")
    capture(small.lab, path)
    after = path.read_text(encoding="utf-8")
    assert_nothing_to_do(small.lab, path)
    return after


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that are gone, and those that are new."""
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    return gone, [line for line in after.splitlines() if line not in before.splitlines()]


@pytest.mark.both_cores
def test_equal_overrides_become_one_profile_by_names_where_these_are_unique(small, tmp_path):
    small.put("policies", small.beta, interval="10 Minutes", direction="Bidirectional")
    for number in small.computers[:2]:
        small.put("computers", number, interval="20 Minutes")
    twin = small.computer("B")
    odd = small.computer("odd\nname: x")
    for number in (twin, odd):
        small.put("computers", number, interval="20 Minutes")
    small.restrict("policies", small.alpha)
    result = capture(small.lab, tmp_path / "new.yml")
    assert (
        (tmp_path / "new.yml").read_text()
        == f"""---
communication_profiles:
  - name: interval 10, direction bidirectional
    policies:
      - Beta
    heartbeat:
      interval: 10
    communication_direction:
      direction: bidirectional
  - name: interval 20
    computers:
      - a
      - {small.computers[1]}  # b
      - {twin}  # B
      - {odd}  # odd\\nname: x
    heartbeat:
      interval: 20
  - name: rule By hand
    policies:
      - Alpha
    firewall_restriction:
      rule_name: By hand
      source_ips:
        - 192.0.2.0/26
        - 192.0.2.7
      ip_list_name: List of By hand
      allow_manager_lockout: true
"""
    )
    assert result["summary"] == "7 overrides of 6 targets; profiles: 3 added"
    assert result["requests"] == {"sent": result["requests"]["sent"], "writes": 0}
    assert_nothing_to_do(small.lab, tmp_path / "new.yml")


def test_a_document_applied_and_captured_gives_back_what_was_there(small, tmp_path):
    """Whatever is changed on the manager meanwhile."""
    small.put("policies", small.beta, interval="10 Minutes", missed="Unlimited")
    small.restrict("computers", small.computers[0])
    capture(small.lab, tmp_path / "before.yml")
    profiles = read((tmp_path / "before.yml").read_text())["communication_profiles"]
    small.put("policies", small.beta, interval="", missed="5")
    rules = small.lab.api("GET", f"/computers/{small.computers[0]}/firewall/assignments")["assignedRuleIDs"]
    for rule in rules:
        small.lab.api("DELETE", f"/computers/{small.computers[0]}/firewall/assignments/{rule}")
    assert run_profiles(small.lab, profiles)["changed"]
    assert not capture(small.lab, tmp_path / "before.yml")["changed"]


FILE = """\
---
# Head
secret: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  313233
unknown:   {a: [1,  2],   b: "q"}   # as it is
communication_profiles:
    # Why
    - name: "both"   # eol
      policies:
      - 'Alpha'   # first
      # between
      - Beta      # second
      heartbeat: &hb
        interval: 10   # minutes
        missed_before_alert: "3"

    # Another
    - name: c
      computers: [c]   # alone
      heartbeat: *hb
# Tail
last: 1
"""


def set_both(small: Small) -> None:
    for kind, number in (("policies", small.alpha), ("policies", small.beta), ("computers", small.computers[2])):
        small.put(kind, number, interval="10 Minutes", missed="3")


def test_a_file_that_holds_is_not_written(small, tmp_path):
    set_both(small)
    path = tmp_path / "file.yml"
    path.write_text(FILE)
    os.chmod(path, 0o400)
    before = path.stat()
    assert not capture(small.lab, path)["changed"]
    assert path.read_text() == FILE and path.stat() == before


@pytest.mark.both_cores
def test_a_profile_is_split_with_the_least_change(small, tmp_path):
    set_both(small)
    small.put("policies", small.beta, missed="7")
    after = captured_into(small, tmp_path / "file.yml", FILE)
    gone, _new = changed_lines(FILE, after)
    assert gone == ["      - Beta      # second"]
    assert read(after)["communication_profiles"][2] == {
        "name": "interval 10, missed_before_alert 7",
        "policies": ["Beta"],
        "heartbeat": {"interval": 10, "missed_before_alert": 7},
    }
    assert after.index("- name: interval 10") < after.index("# Tail")


def test_a_value_that_all_have_is_changed_in_its_place(small, tmp_path):
    set_both(small)
    for kind, number in (("policies", small.alpha), ("policies", small.beta), ("computers", small.computers[2])):
        small.put(kind, number, interval="20 Minutes", missed="4")
    after = captured_into(small, tmp_path / "file.yml", FILE)
    assert after == FILE.replace("interval: 10 ", "interval: 20 ").replace('"3"', "4")


def test_what_shares_an_anchor_leaves_it_alone(small, tmp_path):
    set_both(small)
    small.put("computers", small.computers[2], interval="")
    after = captured_into(small, tmp_path / "file.yml", FILE)
    gone, _new = changed_lines(FILE, after)
    assert gone == ["      heartbeat: *hb"]
    assert read(after)["communication_profiles"][1]["heartbeat"] == {
        "interval": "inherited",
        "missed_before_alert": "3",
    }


def test_what_is_merged_in_is_overridden_there_alone(small, tmp_path):
    set_both(small)
    text = """\
defaults: &d {interval: 10, missed_before_alert: 3}
communication_profiles:
- name: x
  policies: [Alpha, Beta]
  heartbeat:
    <<: *d
- name: y
  computers: [c]
  heartbeat: {<<: *d}
"""
    small.put("computers", small.computers[2], missed="")
    after = captured_into(small, tmp_path / "file.yml", text)
    assert changed_lines(text, after) == (
        ["  heartbeat: {<<: *d}"],
        ["  heartbeat: {<<: *d, missed_before_alert: inherited}"],
    )


def test_a_query_excludes_those_of_which_it_is_not_true(small, tmp_path):
    for number in small.computers:
        small.put("computers", number, interval="10 Minutes")
    small.put("computers", small.computers[1], interval="5 Minutes")
    text = """\
---
communication_profiles:
  - name: all
    computers_query: "[?contains(platform, 'Ubuntu')]"
    heartbeat: {interval: 10}
"""
    after = captured_into(small, tmp_path / "file.yml", text)
    query = f"[?contains(platform, 'Ubuntu')] | [?!contains(`[{small.computers[1]}]`, id)]"
    assert f'    computers_query: "{query}"\n' in after
    assert read(after)["communication_profiles"][1] == {
        "name": "interval 5",
        "computers": ["b"],
        "heartbeat": {"interval": 5},
    }
    # One more of them, and the condition grows instead of being joined by another.
    small.put("computers", small.computers[0], interval="")
    again = captured_into(small, tmp_path / "file.yml", after)
    assert (
        f"[?!contains(`[{small.computers[0]}, {small.computers[1]}]`, id)]" in again and again.count("contains(`") == 1
    )


def test_what_is_gone_is_inherited_and_a_restriction_is_no_longer_declared(small, tmp_path):
    rule = small.restrict("policies", small.alpha)
    small.put("policies", small.alpha, interval="10 Minutes")
    path = tmp_path / "file.yml"
    capture(small.lab, path)
    small.put("policies", small.alpha, interval="")
    small.lab.api("DELETE", f"/policies/{small.alpha}/firewall/assignments/{rule}")
    assert capture(small.lab, path)["profiles"] == {"added": 0, "changed": 1, "removed": 0, "count": 1}
    (profile,) = read(path.read_text())["communication_profiles"]
    assert profile == {
        "name": "interval 10, rule By hand",
        "policies": ["Alpha"],
        "heartbeat": {"interval": "inherited"},
    }
    assert_nothing_to_do(small.lab, path)


def test_what_a_restriction_says_of_the_manager_stays_as_long_as_it_is_admitted(small, tmp_path):
    rule = small.restrict("policies", small.alpha)
    text = """\
communication_profiles:
- name: mine
  policies: [Alpha]
  firewall_restriction:
    rule_name: By hand
    action: bypass   # the default
    ip_list_name: List of By hand
    source_ips:
    - 192.0.2.7/32        # the manager
    - 192.0.2.0 - 192.0.2.63
    manager_addresses: [192.0.2.7]
"""
    path = tmp_path / "file.yml"
    assert captured_into(small, path, text) == text
    number = small.lab.api("GET", f"/firewallrules/{rule}")["sourceIPListID"]
    small.lab.api("POST", f"/iplists/{number}", {"items": ["192.0.2.7", "198.51.100.9"]})
    after = captured_into(small, path, text)
    assert changed_lines(text, after) == (["    - 192.0.2.0 - 192.0.2.63"], ["    - 198.51.100.9"])
    small.lab.api("POST", f"/iplists/{number}", {"items": ["198.51.100.9"]})
    after = captured_into(small, path, after)
    assert "manager_addresses" not in after and "    allow_manager_lockout: true\n" in after
    assert "# the default" in after


LEFT_OUT: dict[str, tuple[dict[str, t.Any], str]] = {
    "at night": ({"scheduleID": 1}, "scheduleID differs"),
    "in the rule": ({"sourceIPType": "single", "sourceIPValue": "192.0.2.1"}, "named in the rule itself (single)"),
    "but these": ({"sourceIPNot": True}, "sourceIPNot differs"),
    "two ports": ({"destinationPortMultiple": ["4118", "1"]}, "its destination is 4118, 1, not one port"),
    "anybody": ({"sourceIPType": "any"}, "it admits anybody"),
    "{{ evil }}\n- name: x": ({"scheduleID": 1}, "scheduleID differs"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_options_cannot_say_is_left_out_and_said(small, tmp_path, name):
    fields, reason = LEFT_OUT[name]
    small.restrict("policies", small.beta, name, **fields)
    path = tmp_path / "new.yml"
    result = capture(small.lab, path)
    (left_out,) = result["left_out"]
    assert reason in left_out["reason"] and left_out["facet"] == "firewall_restriction"
    assert (left_out["policies"], left_out["computers"], left_out["count"]) == (["Beta"], [], 1)
    assert any(reason in warning for warning in result["warnings"])
    text = path.read_text()
    assert read(text) == {"communication_profiles": []}
    (note,) = [line for line in text.splitlines() if line.startswith("# not captured: ")]
    assert reason in note and text.endswith(f"{note}\n")
    assert_nothing_to_do(small.lab, path)
    # Once it is gone, so is the comment.
    small.lab.api("POST", f"/policies/{small.beta}", {"firewall": {"ruleIDs": []}})
    for rule in small.lab.api("GET", f"/policies/{small.beta}/firewall/assignments")["assignedRuleIDs"]:
        small.lab.api("DELETE", f"/policies/{small.beta}/firewall/assignments/{rule}")
    capture(small.lab, path)
    assert path.read_text() == "---\ncommunication_profiles: []\n"


def test_a_rule_whose_name_is_another_ones_but_for_a_blank_is_left_out(small, tmp_path):
    plant = small.restrict("policies", small.beta, "Plant")
    ips = small.lab.api("GET", f"/firewallrules/{plant}")["sourceIPListID"]
    rule = small.restrict("policies", small.beta, "Plant ", sourceIPListID=ips)
    small.lab.api("PUT", f"/policies/{small.beta}/firewall/assignments", {"ruleIDs": [rule]})
    path = tmp_path / "new.yml"
    (left_out,) = capture(small.lab, path)["left_out"]
    assert "begins or ends with a blank" in left_out["reason"]
    assert_nothing_to_do(small.lab, path)
    other = [{"name": "a", "policies": ["Alpha"], "heartbeat": {"interval": "inherited"}}]
    (removed,) = run_tasks(small.lab, [{APPLY: {"profiles": other, "undeclared": "remove", "scope": "fleet"}}]).results
    (told,) = [one for one in removed["warnings"] if "no document can declare it" in one]
    assert told.endswith("begins or ends with a blank, and rule_name cannot")
    assert small.rules("policies", small.beta) == {rule}


def test_two_restrictions_of_one_target_are_left_out(small, tmp_path):
    small.restrict("policies", small.beta, "One")
    small.restrict("policies", small.beta, "Two")
    (left_out,) = capture(small.lab, tmp_path / "new.yml")["left_out"]
    assert "several rules restrict it: 'One', 'Two'" in left_out["reason"]


def test_directions_that_a_mac_cannot_take_are_left_out(small, tmp_path):
    small.put("policies", small.beta, direction="Bidirectional")
    mac = small.computer("mac", policyID=small.beta, platform="macOS 14")
    (left_out,) = capture(small.lab, tmp_path / "new.yml")["left_out"]
    assert "agents on macOS only support agent_initiated" in left_out["reason"]
    small.put("computers", mac, direction="Agent/Appliance Initiated")
    assert capture(small.lab, tmp_path / "new.yml")["left_out"] == []
    assert len(read((tmp_path / "new.yml").read_text())["communication_profiles"]) == 2


def test_values_that_nobody_knows_are_left_out(small, tmp_path):
    small.put("policies", small.beta, interval="10 Minutes")
    action = {"kind": "mutate", "pointer": f"/policies/*/policySettings/{INTERVAL}/value", "to": {"value": "7 Weeks"}}
    small.lab.add_fault(path="^/policies/search$", times=0, action=action)
    (left_out,) = capture(small.lab, tmp_path / "new.yml")["left_out"]
    small.lab.clear_faults()
    assert "'7 weeks'" in left_out["reason"].lower()


MAC_BELOW = {
    "set there": ({"direction": "bidirectional"}, "Bidirectional", {}),
    "taken from above": ({"direction": "bidirectional", "accept_inherited": True}, "", {"direction": "inherited"}),
}


@pytest.mark.parametrize("case", MAC_BELOW)
@pytest.mark.parametrize("targets", [{"policies": ["Beta"]}, {"computers": ["mac"]}])
def test_what_would_be_refused_is_no_longer_declared(small, tmp_path, case, targets):
    declared, direction, becomes = MAC_BELOW[case]
    mac = small.computer("mac", policyID=small.beta, platform="macOS 14")
    small.put("policies", small.alpha, direction="Bidirectional")
    (kind,) = targets
    small.put(kind, {"policies": small.beta, "computers": mac}[kind], direction=direction)
    profile = {"name": "x", **targets, "communication_direction": declared}
    path = tmp_path / "file.yml"
    path.write_text(yaml.safe_dump({"communication_profiles": [profile]}))
    result = capture(small.lab, path)
    labels = {name for one in result["left_out"] for name in (*one["policies"], *one["computers"])}
    assert labels == ({*targets[kind]} if direction else {"Alpha"})
    kept = [one for one in read(path.read_text())["communication_profiles"] if one["name"] == "x"]
    assert kept == ([{**profile, "communication_direction": {**declared, **becomes}}] if becomes else [])
    assert_nothing_to_do(small.lab, path)


def test_an_accepted_value_stays_accepted_where_another_profile_has_the_rest(small, tmp_path):
    small.put("policies", small.beta, missed="Unlimited")
    small.put("computers", small.computers[0], interval="5 Minutes")
    for number in small.computers[1:]:
        small.put("computers", number, direction="Manager Initiated")
    text = """\
communication_profiles:
- name: p0
  computers: [a, b, c]
  heartbeat: {missed_before_alert: unlimited, accept_inherited: true}
  communication_direction: {direction: manager_initiated}
- name: p2
  computers: [a]
  heartbeat: {interval: 5, accept_inherited: true}
"""
    after = captured_into(small, tmp_path / "file.yml", text)
    assert {
        "name": "missed_before_alert unlimited, direction inherited",
        "computers": ["a"],
        "heartbeat": {"missed_before_alert": "unlimited", "accept_inherited": True},
        "communication_direction": {"direction": "inherited"},
    } in read(after)["communication_profiles"]


@pytest.mark.parametrize("given", ["Alpha, Beta", "Beta ,Alpha", "Alpha,Beta"])
def test_a_list_in_one_text_is_taken_apart(small, tmp_path, given):
    gamma = small.policy("Gamma")
    for number in (small.alpha, small.beta, gamma):
        small.put("policies", number, interval="30 Minutes")
    text = f"communication_profiles:\n- name: x\n  policies: {given}\n  heartbeat: {{interval: 30}}\n"
    path = tmp_path / "file.yml"
    after = captured_into(small, path, text)
    (profile,) = read(after)["communication_profiles"]
    assert profile["policies"] == [*(name.strip() for name in given.split(",")), "Gamma"]
    # One that leaves is taken out of it.
    small.put("policies", small.beta, interval="5 Minutes")
    small.put("policies", gamma, interval="")
    first, second = read(captured_into(small, path, text))["communication_profiles"]
    assert (first["policies"], second["policies"]) == (["Alpha"], ["Beta"])


def test_a_second_capture_of_some_targets_finds_nothing_to_do(small, tmp_path):
    small.computer("mac", policyID=small.beta, platform="macOS 14")
    small.put("policies", small.beta, direction="Bidirectional")
    small.restrict("policies", small.alpha, "at night", scheduleID=1)
    path = tmp_path / "file.yml"
    capture(small.lab, path)
    (note,) = [line for line in path.read_text().splitlines() if "at night" in line]
    path.write_text(
        "communication_profiles:\n- name: x\n  policies: [Beta]\n"
        f"  communication_direction: {{direction: agent_initiated}}\n{note}\n"
    )
    some = {"policies": ["Alpha"], "facets": ["communication_direction"]}
    first = capture(small.lab, path, **some)
    assert [one["policies"] for one in first["left_out"]] == [["Beta"]], "who is no longer one of the document's"
    assert path.read_text() == f"communication_profiles: []\n{note}\n", "a facet that is not looked at"
    assert not capture(small.lab, path, **some)["changed"]
    assert not capture(small.lab, path, policies=["Beta"], facets=["heartbeat"])["changed"]
    assert not capture(small.lab, path, policies=["Alpha"])["changed"]


def test_a_document_that_declares_nothing_can_be_applied(small, tmp_path):
    path = tmp_path / "new.yml"
    capture(small.lab, path)
    assert read(path.read_text()) == {"communication_profiles": []}
    assert_nothing_to_do(small.lab, path)
    (kept,) = run_tasks(small.lab, [{APPLY: {"profiles": []}}]).results
    assert not kept["failed"] and "profiles is an empty list: nothing is declared" in kept["warnings"]
    # A list that is empty by mistake must not empty the manager.
    (removing,) = run_tasks(small.lab, [{APPLY: {"profiles": [], "undeclared": "remove", "scope": "fleet"}}]).results
    assert removing["failed"] and removing["failure"]["option"] == "profiles"


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_no_document_can_declare_is_not_removed_as_undeclared(small, tmp_path, name):
    rule = small.restrict("policies", small.beta, name, **LEFT_OUT[name][0])
    two = {small.restrict("computers", small.computers[0], one) for one in ("One", "Two")}
    lone = small.restrict("computers", small.computers[1], "Three")
    small.put("policies", small.alpha, interval="10 Minutes")
    path = tmp_path / "new.yml"
    capture(small.lab, path)
    document = [one for one in read(path.read_text())["communication_profiles"] if "firewall_restriction" not in one]
    options = {"profiles": document, "scope": "fleet", "list_targets": True}
    (reported,) = run_tasks(small.lab, [{APPLY: {**options, "undeclared": "report"}}]).results
    assert {one["option"] for one in reported["undeclared"]} == {shown(name), "One", "Two", "Three"}
    (removed,) = run_tasks(small.lab, [{APPLY: {**options, "undeclared": "remove"}}]).results
    assert not removed["failed"] and [one["option"] for one in removed["plan"]] == ["Three"]
    for result in (reported, removed):
        told = [one for one in result["warnings"] if "no document can declare it" in one]
        assert len(told) == 3 and any(LEFT_OUT[name][1] in one and "policy 'Beta'" in one for one in told)
    assert small.rules("policies", small.beta) == {rule}
    assert [small.rules("computers", number) - {rule} for number in small.computers] == [two, set(), set()]
    assert lone not in small.rules("computers", small.computers[1])


def test_advice_names_what_a_policy_could_say_once(small, tmp_path):
    for number in small.computers:
        small.put("computers", number, interval="20 Minutes", missed="4")
    small.put("computers", small.computers[0], missed="5")
    path = tmp_path / "new.yml"
    result = capture(small.lab, path)
    advice = {"facet": "heartbeat", "option": "interval", "value": 20, "computers": 3}
    # The topmost policy whose computers all have it, and none else takes it from.
    policy = {"type": "policy", "id": 1, "name": "Base Policy"}
    top = small.lab.api("GET", f"/policies/{small.alpha}").get("parentID")
    expected = policy if top else {"type": "policy", "id": small.alpha, "name": "Alpha"}
    assert result["advice"] == [{"policy": expected, **advice, "saved": 2}]
    assert [warning for warning in result["warnings"] if "saves 2 overrides" in warning]
    # Where the policy says it already, none of them is needed.
    small.put("policies", small.beta, interval="20 Minutes")
    assert capture(small.lab, path)["advice"] == [
        {"policy": {"type": "policy", "id": small.beta, "name": "Beta"}, **advice, "saved": 3}
    ]
    # One that inherits would get another value.
    small.computer("d", policyID=small.beta)
    assert capture(small.lab, path)["advice"] == []


def test_templates_and_vaults_stay_and_are_not_judged(small, tmp_path):
    small.put("policies", small.alpha, interval="20 Minutes", missed="4")
    text = """\
communication_profiles:
- name: mine
  policies: [Alpha]
  heartbeat: {interval: "{{ interval }}"}
  communication_direction: {direction: !vault "x"}
"""
    path = tmp_path / "file.yml"
    path.write_text(text)
    result = capture(small.lab, path)
    assert not result["changed"] and path.read_text() == text
    assert any("profile 'mine' keeps communication_direction, heartbeat as it is" in one for one in result["warnings"])
    path.write_text(text.replace("[Alpha]", '"{{ those }}"'))
    (result,) = run_tasks(small.lab, [{CAPTURE: {"path": str(path)}}]).results
    assert result["failed"] and result["failure"]["option"] == "communication_profiles[mine].policies"


def test_only_what_is_asked_for(small, tmp_path):
    for kind, number in (("policies", small.alpha), ("policies", small.beta), ("computers", small.computers[0])):
        small.put(kind, number, interval="20 Minutes", direction="Bidirectional")
    path = tmp_path / "new.yml"
    capture(small.lab, path, policies=["Beta"], facets=["heartbeat"], variable="mine")
    assert read(path.read_text()) == {
        "mine": [{"name": "interval 20", "policies": ["Beta"], "heartbeat": {"interval": 20}}]
    }
    capture(small.lab, path, computers=["a"], facets=["heartbeat"], variable="mine")
    assert read(path.read_text())["mine"][0]["computers"] == ["a"], "a profile that says the same takes it in"
    # Another facet is not looked at, and what the file has of it stays.
    path.write_text(path.read_text() + "    communication_direction: {direction: manager_initiated}\n")
    assert not capture(small.lab, path, policies=["Beta"], facets=["heartbeat"], variable="mine")["changed"]


def test_the_file_keeps_its_mode_and_links_and_line_ends(small, tmp_path):
    small.put("policies", small.beta, interval="20 Minutes")
    real, link = tmp_path / "real.yml", tmp_path / "link.yml"
    real.write_bytes(b"\xef\xbb\xbfother: 1\r\ncommunication_profiles: []\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    run_tasks(small.lab, [{CAPTURE: {"path": str(link)}}])
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    written = real.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfother: 1\r\ncommunication_profiles:\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yml", "real.yml"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "---\n"),
        ("---", "---\n"),
        ("---\n", "---\n"),
        ("---\n\n# Plant\n", "---\n\n# Plant\n"),
        ("# Plant\n--- # yes\n# no", "# Plant\n--- # yes\n# no\n"),
        ("%YAML 1.1\n---\n", "%YAML 1.1\n---\n"),
        ("---\n...\n", "---\n"),
        ("--- null\n", ""),
        ("# Plant\nnull  # none yet\n", "# Plant\n"),
        ("\ufeff---\r\n", "\ufeff---\n"),
    ],
)
def test_a_file_without_variables_keeps_its_start(small, tmp_path, text, start):
    small.put("policies", small.beta, interval="10 Minutes")
    after = captured_into(small, tmp_path / "stub.yml", text)
    assert after.startswith(f"{start}communication_profiles:\n  - name: interval 10\n")
    assert read(after)["communication_profiles"][0]["policies"] == ["Beta"]


def test_a_new_file_is_as_open_as_any_and_its_folder_is_made(small, tmp_path):
    path = tmp_path / "some" / "where" / "new.yml"
    mask = os.umask(0o027)
    try:
        (check, real) = run_tasks(
            small.lab, [{CAPTURE: {"path": str(path)}, "check_mode": check} for check in (True, False)]
        ).results
    finally:
        os.umask(mask)
    assert check["changed"] and real["changed"] and path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["new.yml", "some/where/new.yml"])
def test_a_folder_of_others_fails_in_check_mode_too(small, tmp_path, monkeypatch, name):
    """As whom this runs may write everywhere; what others get is in tests/unit/communication/test_snapshot_file.py."""
    small.put("policies", small.beta, interval="20 Minutes")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: not mode & os.W_OK and access(path, mode, **more))
    (result,) = run_tasks(small.lab, [{CAPTURE: {"path": str(tmp_path / name)}, "check_mode": True}]).results
    assert result["failed"] and (result["failure"]["code"], result["failure"]["option"]) == ("unwritable", "path")
    assert f"option 'path' is '{tmp_path / name}': the file cannot be written: Permission denied" in result["msg"]
    assert not list(tmp_path.iterdir())


FAULTS: dict[str, tuple[bytes, str, str]] = {
    "no YAML": (b"a: [1\n", "path", "at line 2"),
    "twice": (b"a: 1\na: 2\n", "path", "at line 2"),
    "several": (b"a: 1\n---\nb: 2\n", "path", "line 2"),
    "a list": (b"- 1\n", "path", "which is a mapping"),
    "no UTF-8": (b"a: \xff\n", "path", "a file in UTF-8"),
    "no profiles": (b"communication_profiles: 7\n", "communication_profiles", "a list of profiles"),
    "a template": (b'communication_profiles: "{{ x }}"\n', "communication_profiles", "written out"),
    "no profile": (b"communication_profiles: [7]\n", "communication_profiles[0]", "a mapping of options"),
    "wrong": (
        b"communication_profiles: [{name: x, policies: [Alpha], heartbeat: {interval: 0}}]\n",
        "communication_profiles[x].heartbeat.interval",
        "from 1 to 43200",
    ),
    "wrong type": (
        b"communication_profiles: [{name: x, policies: [Alpha], heartbeat: [1]}]\n",
        "communication_profiles[x].heartbeat",
        "a mapping of options",
    ),
    "nobody": (
        b"communication_profiles: [{name: x, policies: [Alpa], heartbeat: {interval: 1}}]\n",
        "communication_profiles[x].policies",
        "Alpha",
    ),
    "no targets": (
        b"communication_profiles: [{name: x, heartbeat: {interval: 1}}]\n",
        "communication_profiles[x]",
        "targets must be chosen",
    ),
    "itself": (b"--- &root\ncommunication_profiles: []\nx: *root\n", "path", "stands in itself by an alias"),
    "aliases": (
        b"communication_profiles: []\nx0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + b"".join(b"x%d: &x%d [%s]\n" % (n, n, b", ".join([b"*x%d" % (n - 1)] * 10)) for n in range(1, 30)),
        "path",
        "its aliases make more than 1000000 values",
    ),
    "huge name": (
        b"communication_profiles: [{name: 0x%s, policies: [Alpha], heartbeat: {interval: 1}}]\n" % (b"f" * 5000),
        "path",
        "a number with thousands of digits",
    ),
    "too deep": (b"a: " + b"[" * 700 + b"]" * 700 + b"\n", "path", "nested too deeply"),
    "namesakes": (
        b"communication_profiles: [{name: x, policies: [Alpha]}, {name: x, policies: [Beta]}]\n",
        "communication_profiles[1].name",
        "no other profile has",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_understood_stays_as_it_is(small, tmp_path, fault):
    content, option, right = FAULTS[fault]
    path = tmp_path / "file.yml"
    path.write_bytes(content)
    (result,) = run_tasks(small.lab, [{CAPTURE: {"path": str(path)}}]).results
    assert result["failed"] and result["failure"]["option"] == option, result
    assert right in result["msg"]
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"path": "/"}, "path"),
        ({"path": "/dev/null/x.yml"}, "path"),
        ({"path": "documents/"}, "path"),
        ({"path": "x.yml", "variable": "a b"}, "variable"),
        ({"path": "x.yml", "facets": []}, "facets"),
        ({"path": "x.yml", "policies": []}, "policies"),
    ],
)
def test_options_that_cannot_be_right(small, tmp_path, monkeypatch, options, option):
    monkeypatch.chdir(tmp_path)
    (result,) = run_tasks(small.lab, [{CAPTURE: options}]).results
    assert result["failed"] and result["failure"]["option"] == option, result
    assert not list(tmp_path.iterdir())


def test_a_capture_costs_pages_as_a_check_does(lab, tmp_path):
    """300 computers and 30 policies, in pages of 100."""
    path = tmp_path / "new.yml"
    lab.switch(largest_page=100)
    lab.clear_requests()
    first = run_tasks(lab, [{CAPTURE: {"path": str(path)}}]).results[0]
    assert first["changed"] and first["requests"] == {"sent": len(lab.requests()), "writes": 0}
    # Computers and their overrides are three pages each; policies, rules and what such a page lists for sure, one each.
    assert first["requests"]["sent"] <= 12, [request["path"] for request in lab.requests()]
    again = run_tasks(lab, [{CAPTURE: {"path": str(path)}}]).results[0]
    assert not again["changed"] and again["requests"]["sent"] <= 12
