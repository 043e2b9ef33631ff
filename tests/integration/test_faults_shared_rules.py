# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several restrictions in one document, with rules and lists that they share or hand over, and what of it can fail."""

from __future__ import annotations

import pytest

from tests.integration.scene import Scene, Truth, assert_honest
from tests.integration.support import run_profiles
from tests.lab.manager.process import LabManager


def restriction(name, address="192.0.2.10"):
    """A restriction with a rule and a list of its own."""
    return {"rule_name": name, "source_ips": [address], "manager_addresses": [address]}


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


def test_a_failed_list_holds_back_its_own_rule_only(lab):
    scene = Scene(lab)
    profiles = [
        {"name": "a", "policies": ["Alpha"], "firewall_restriction": restriction("Rule A")},
        {"name": "b", "policies": ["Beta"], "firewall_restriction": restriction("Rule B")},
    ]
    lab.add_fault(method="POST", path="/iplists$", body="Rule A", times=0,
                  action={"kind": "status", "status": 400, "body": '{"message": "No"}'})  # fmt: skip
    before = Truth.of(lab)
    result = run_profiles(lab, profiles)
    lab.clear_faults()
    after = Truth.of(lab)
    assert_honest(before, after, result)
    assert "rule Rule B" in after.targets[scene.keys["Beta"]]
    assert after.targets[scene.keys["Alpha"]] == {}
    assert {failure["name"] for failure in result["failed_targets"]} == {"Rule A (IPs)", "Rule A", "Alpha"}
    result = run_profiles(lab, profiles)
    assert result["failed_targets"] == []
    assert [target["name"] for target in result["changed_targets"]] == ["Alpha"]
    assert not run_profiles(lab, profiles)["changed"]


def replaced(name):
    """Another rule in place of those applied before: one to have, two to lose."""
    return [
        {"name": "new", "policies": [name], "firewall_restriction": restriction("Rule C")},
        {"name": "old a", "policies": [name], "firewall_restriction": {"rule_name": "Rule A", "state": "absent"}},
        {"name": "old b", "policies": [name], "firewall_restriction": {"rule_name": "Rule B", "state": "absent"}},
    ]


def with_two_rules(lab):
    """The policy Alpha with the rules A and B of this collection."""
    scene = Scene(lab)
    for rule in ("Rule A", "Rule B"):
        run_profiles(lab, [{"name": "p", "policies": ["Alpha"], "firewall_restriction": restriction(rule)}])
    return scene


def test_one_rule_replaces_two(lab):
    scene = with_two_rules(lab)
    before = Truth.of(lab)
    assert set(before.targets[scene.keys["Alpha"]]) == {"rule Rule A", "rule Rule B"}
    result = run_profiles(lab, replaced("Alpha"))
    after = Truth.of(lab)
    assert result["failed_targets"] == []
    assert_honest(before, after, result)
    assert set(after.targets[scene.keys["Alpha"]]) == {"rule Rule C"}
    assert {name for _kind, name in after.objects if name.startswith("Rule ")} == {"Rule C", "Rule C (IPs)"}
    assert not run_profiles(lab, replaced("Alpha"))["changed"]


@pytest.mark.parametrize("lost", ["Rule A", "Rule B", "Rule C"])
def test_one_rule_replaces_two_and_one_step_fails(lab, lost):
    scene = with_two_rules(lab)
    before = Truth.of(lab)
    alpha = f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments"
    refusal = {"kind": "status", "status": 400, "body": '{"message": "No"}'}
    if lost == "Rule C":
        lab.add_fault(method="POST", path=f"{alpha}$", times=0, action=refusal)
    else:
        number = before.objects[("firewall_rule", lost)][0]["ID"]
        lab.add_fault(method="DELETE", path=f"{alpha}/{number}$", times=0, action=refusal)
    result = run_profiles(lab, replaced("Alpha"))
    lab.clear_faults()
    after = Truth.of(lab)
    assert_honest(before, after, result)
    failed = [one for one in result["failed_targets"] if one["state"] == "not_done"]
    assert [(failure["name"], failure["facet"]) for failure in failed] == [("Alpha", "firewall_restriction")]
    # What needs it is held back, and says so.
    held_back = [one for one in result["failed_targets"] if one["state"] == "not_tried"]
    assert held_back and all("this had to come first and failed" in one["reason"] for one in held_back)
    # The old rules are not taken away before the new one is there.
    kept = {"rule Rule A", "rule Rule B"} if lost == "Rule C" else {f"rule {lost}", "rule Rule C"}
    assert set(after.targets[scene.keys["Alpha"]]) == kept
    assert run_profiles(lab, replaced("Alpha"))["failed_targets"] == []
    assert set(Truth.of(lab).targets[scene.keys["Alpha"]]) == {"rule Rule C"}
    assert not run_profiles(lab, replaced("Alpha"))["changed"]


def sharing(rule, **more):
    """A restriction whose list has a name that others use, too."""
    return {**restriction(rule), "ip_list_name": "Shared list", **more}


def test_a_list_that_several_rules_share_goes_with_the_last(lab):
    Scene(lab)
    at_first = Truth.of(lab)
    names = {"Rule A": "Alpha", "Rule B": "Beta"}
    run_profiles(
        lab, [{"name": rule, "policies": [name], "firewall_restriction": sharing(rule)} for rule, name in names.items()]
    )
    absent = [
        {
            "name": rule,
            "policies": [name],
            "firewall_restriction": {"rule_name": rule, "state": "absent", "ip_list_name": "Shared list"},
        }
        for rule, name in names.items()
    ]
    assert run_profiles(lab, absent[:1])["failed_targets"] == []
    assert ("ip_list", "Shared list") in Truth.of(lab).objects
    before = Truth.of(lab)
    result = run_profiles(lab, absent)
    assert result["failed_targets"] == []
    assert_honest(before, Truth.of(lab), result)
    assert Truth.of(lab) == at_first
    # Both at once.
    run_profiles(
        lab, [{"name": rule, "policies": [name], "firewall_restriction": sharing(rule)} for rule, name in names.items()]
    )
    foreseen, result = run_profiles(lab, absent, check=True), run_profiles(lab, absent)
    assert result["failed_targets"] == [] and foreseen["objects"] == result["objects"]
    assert not run_profiles(lab, absent)["changed"]
    assert Truth.of(lab) == at_first


@pytest.mark.parametrize("refused", [True, False])
def test_a_list_that_the_last_rule_leaves_goes_in_the_same_run(lab, refused):
    """And not if the rule still has it."""
    Scene(lab)
    wanted = {"name": "a", "policies": ["Alpha"], "firewall_restriction": restriction("Rule A")}
    run_profiles(lab, [{**wanted, "firewall_restriction": {**restriction("Rule A"), "ip_list_name": "Rule B (IPs)"}}])
    profiles = [
        wanted,
        {"name": "b", "policies": ["Beta"], "firewall_restriction": {"rule_name": "Rule B", "state": "absent"}},
    ]
    if refused:
        number = Truth.of(lab).objects["firewall_rule", "Rule A"][0]["ID"]
        lab.add_fault(
            method="POST", path=f"^/firewallrules/{number}$", times=0, action={"kind": "status", "status": 400}
        )
    foreseen, before = run_profiles(lab, profiles, check=True), Truth.of(lab)
    result = run_profiles(lab, profiles)
    lab.clear_faults()
    after = Truth.of(lab)
    assert_honest(before, after, result)
    assert (("ip_list", "Rule B (IPs)") in after.objects) == refused == bool(result["failed_targets"])
    if not refused:
        assert result["objects"] == foreseen["objects"] and not run_profiles(lab, profiles)["changed"]


@pytest.mark.parametrize("there", [True, False])
def test_lists_whose_names_differ_by_a_blank_at_the_end_are_two(lab, there):
    """Otherwise, one of them would be thought to be done, and a rule would admit others than declared."""
    Scene(lab)
    wanted = {"Plant": "192.0.2.10", "Plant ": "198.51.100.10", " Plant": "203.0.113.10"}
    for name in wanted if there else ():
        lab.api("POST", "/iplists", {"name": name, "items": ["10.0.0.0/8"]})
    profiles = [
        {
            "name": address,
            "policies": [policy],
            "firewall_restriction": {**restriction(address, address), "ip_list_name": name},
        }
        for policy, (name, address) in zip(("Alpha", "Beta", 1), wanted.items())
    ]
    foreseen, result = run_profiles(lab, profiles, check=True), run_profiles(lab, profiles)
    assert result["failed_targets"] == [] and len(result["objects"]) == 6
    assert foreseen["objects"] == result["objects"]
    objects = Truth.of(lab).objects
    for name, address in wanted.items():
        (made,), (rule,) = objects["ip_list", name], objects["firewall_rule", address]
        assert made["items"] == [address] and rule["sourceIPListID"] == made["ID"]
    assert not run_profiles(lab, profiles)["changed"]


def test_a_list_is_handed_over_from_rule_to_rule(lab):
    """A rule gets another name, and keeps its list."""
    scene = Scene(lab)
    run_profiles(lab, [{"name": "a", "policies": ["Alpha"], "firewall_restriction": sharing("Rule A")}])
    before = Truth.of(lab)
    profiles = [
        {"name": "new", "policies": ["Alpha"], "firewall_restriction": sharing("Rule B")},
        {
            "name": "old",
            "policies": ["Alpha"],
            "firewall_restriction": {"rule_name": "Rule A", "state": "absent", "ip_list_name": "Shared list"},
        },
    ]
    foreseen, result = run_profiles(lab, profiles, check=True), run_profiles(lab, profiles)
    after = Truth.of(lab)
    assert result["failed_targets"] == []
    assert foreseen["objects"] == result["objects"]
    assert_honest(before, after, result)
    assert set(after.targets[scene.keys["Alpha"]]) == {"rule Rule B"}
    assert before.objects[("ip_list", "Shared list")] == after.objects[("ip_list", "Shared list")]
    assert not run_profiles(lab, profiles)["changed"]


@pytest.mark.parametrize("refused", ["firewallrules", "iplists"])
def test_an_old_rule_stays_until_the_new_one_admits_whom_it_should(lab, refused):
    """The new rule is assigned already, and cannot be brought to what is declared."""
    scene = with_two_rules(lab)
    rules = {item["name"]: item for item in lab.api("GET", "/firewallrules")["firewallRules"]}
    lab.api("POST", f"/firewallrules/{rules['Rule B']['ID']}", {"action": "log-only"})
    lab.api("POST", f"/iplists/{rules['Rule B']['sourceIPListID']}", {"items": ["0.0.0.0/0"]})
    action = {"kind": "status", "status": 403, "body": '{"message": "No"}'}
    lab.add_fault(method="POST", path=rf"^/{refused}/\d+$", times=0, action=action)
    result = run_profiles(
        lab,
        [
            {"name": "new", "policies": ["Alpha"], "firewall_restriction": restriction("Rule B")},
            {"name": "old", "policies": ["Alpha"], "firewall_restriction": {"rule_name": "Rule A", "state": "absent"}},
        ],
    )
    lab.clear_faults()
    assert {one["state"] for one in result["failed_targets"]} == {"not_done", "not_tried"}
    assert set(Truth.of(lab).targets[scene.keys["Alpha"]]) == {"rule Rule A", "rule Rule B"}
