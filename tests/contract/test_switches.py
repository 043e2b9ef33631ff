# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every answer that the vendor's documents leave open, with each of its switch's positions."""

from __future__ import annotations

import json
import typing as t
from email.utils import parsedate_to_datetime

import deepsecurity
import pytest

from tests.contract import test_agents
from tests.contract.support import (
    ACTIVATION,
    CLOCK_CHANGE,
    DIRECTION,
    INTERVAL,
    MISSED,
    V1,
    Raw,
    Sdk,
    admin_headers,
    refused,
    refused_by_sdk,
    search,
    send,
)
from tests.contract.test_sending import send_task
from tests.lab.manager.process import LabError, LabManager
from tests.lab.manager.switches import CHOICES, NUMBERS

OVERRIDES = {"overrides": "true"}


def every_answer(name: str, argument: str = "answer") -> pytest.MarkDecorator:
    """Run a test with each position of a switch, the default one first."""
    return pytest.mark.parametrize(argument, CHOICES[name], ids=str)


def test_every_switch_has_a_test() -> None:
    tests = {name.removeprefix("test_") for name in {*globals(), *vars(test_agents)} if name.startswith("test_")}
    assert CHOICES.keys() | NUMBERS.keys() <= tests


def test_switches_are_read_set_and_put_back(lab: LabManager) -> None:
    defaults = lab.switch()
    likeliest = {name: choices[0] for name, choices in CHOICES.items()}
    assert defaults == {**likeliest, "retry_after": 0, "clock_skew": 0, "largest_page": 5000, "scheduled_task_start": 0}
    assert lab.switch(delete_status=200)["delete_status"] == 200
    for wrong in (
        *({"delete_status": 201}, {"nonsense": 1}, {"shuffled": 1}),
        *({"retry_after": -1}, {"retry_after": "soon"}, {"clock_skew": True}, {"largest_page": 0}),
    ):
        with pytest.raises(LabError) as caught:
            lab.switch(no_policy_id="zero", **wrong)
        assert caught.value.status == 400
    assert lab.switch()["no_policy_id"] == "absent", "one wrong switch, and none is set"
    lab.reset()
    assert lab.switch() == defaults


def computer_without_anything(lab: LabManager) -> int:
    """The ID of a computer that sets nothing itself."""
    return lab.api("POST", "/computers", {"hostName": "plain", "policyID": policy_with_rules(lab)})["ID"]


def policy_with_rules(lab: LabManager) -> int:
    """The ID of a policy with rule 20, below one with rule 22."""
    above = lab.api("POST", "/policies", {"name": "Above", "firewall": {"ruleIDs": [22]}})["ID"]
    return lab.api("POST", "/policies", {"name": "Below", "parentID": above, "firewall": {"ruleIDs": [20]}})["ID"]


@every_answer("inherited_single_setting")
def test_inherited_single_setting(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(inherited_single_setting=answer)
    expected = {"empty_object": {}, "null_value": {"value": None}, "empty_value": {"value": ""}}[answer]
    for path in ("/policies/1", "/computers/1"):
        single = f"{path}/settings/{MISSED}"
        lab.api("POST", single, {"value": "4"})
        assert lab.api("GET", single, query=OVERRIDES) == {"value": "4"}
        assert lab.api("POST", single, {"value": ""}, query=OVERRIDES) == expected
        assert lab.api("GET", single, query=OVERRIDES) == expected
        assert lab.api("DELETE", single, query=OVERRIDES) == expected
        assert lab.api("GET", single)["value"]
    assert not sdk.policies.describe_policy_setting(1, MISSED, V1, overrides=True).value


@every_answer("computer_without_overrides")
def test_computer_without_overrides(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(computer_without_overrides=answer)
    number = computer_without_anything(lab)
    query = {"overrides": "true", "expand": "computerSettings"}
    body = {"searchCriteria": [{"fieldName": "ID", "idTest": "equal", "idValue": number}]}
    listed = lab.api("POST", "/computers/search", body, query=query)["computers"]
    one = lab.api("GET", f"/computers/{number}", query=query)
    if answer == "null_object":
        assert listed == [one] and set(one.values()) == {None} and "computerSettings" in one
    else:
        assert listed == ([] if answer == "omitted" else [{"ID": number}])
        assert one == {"ID": number}
    parsed = sdk.computers.describe_computer(number, V1, expand=["computerSettings"], overrides=True)
    assert (parsed.host_name, parsed.computer_settings) == (None, None)
    lab.api("POST", f"/computers/{number}/settings/{MISSED}", {"value": "4"})
    (listed,) = lab.api("POST", "/computers/search", body, query=query)["computers"]
    assert (listed["ID"], listed["computerSettings"]) == (number, {MISSED: {"value": "4"}})


@every_answer("override_replies")
@every_answer("computer_without_overrides", "absent")
def test_override_replies(lab: LabManager, sdk: Sdk, answer: str, absent: str) -> None:
    lab.switch(override_replies=answer, computer_without_overrides=absent)
    policy = policy_with_rules(lab)
    plain = lab.api("POST", "/computers", {"hostName": "plain", "policyID": policy, "groupID": 1})["ID"]
    number = lab.api("POST", "/computers", {"hostName": "own", "policyID": policy, "groupID": 1})["ID"]
    own = {MISSED: {"value": "4"}}
    expected = {"policySettings": own, "firewall": {"ruleIDs": [20]}}
    basic = lab.api("POST", f"/policies/{policy}", {"policySettings": own})
    basic = {key: basic[key] for key in ("name", "description", "parentID", "recommendationScanMode", "ID")}
    basic["autoRequiresUpdate"] = "on"
    query = {"overrides": "true", "expand": ["computerSettings", "firewall"]}
    written = {"computerSettings": own, "firewall": {"state": "on"}}
    of_write = lab.api("POST", f"/computers/{number}", written, query=query)
    basics = lab.api("GET", f"/computers/{number}", query={"expand": "none"})

    def beside(whole: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            "whole": whole,
            "id_only": {"ID": whole["ID"]},
            "null_properties": {**dict.fromkeys(whole), "ID": whole["ID"]},
            "without_parent": {
                key: value for key, value in whole.items() if key not in ("parentID", "policyID", "groupID")
            },
        }[answer]

    def both(path: str, object_id: int) -> list[dict[str, t.Any]]:
        body = {"searchCriteria": [{"idTest": "equal", "idValue": object_id}]}
        return [
            lab.api("GET", f"{path}/{object_id}", query=query),
            *lab.api("POST", f"{path}/search", body, query=query)[path[1:]],
        ]

    assert both("/policies", policy) == [beside(basic) | expected] * 2
    expected = {"computerSettings": own, "firewall": {"state": "on", "ruleIDs": []}}
    assert [*both("/computers", number), of_write] == [beside(basics) | expected] * 3
    top = both("/policies", 1)[0]
    assert top["ID"] == 1 and (top.get("parentID") is None) and ("parentID" in top) == (answer == "null_properties")
    # Those without overrides are what they are without this switch.
    nothing, *listed = both("/computers", plain)
    assert (nothing.get("ID"), len(listed)) == {
        "null_object": (None, 1),
        "omitted": (plain, 0),
        "id_only": (plain, 1),
    }[absent]
    assert nothing.get("hostName") is None
    assert lab.api("GET", f"/computers/{number}", query={"expand": "none"})["policyID"] == policy
    parsed = sdk.policies.describe_policy(policy, V1, overrides=True)
    assert (parsed.id, parsed.name) == (policy, "Below" if answer in ("whole", "without_parent") else None)


@every_answer("delete_status")
def test_delete_status(lab: LabManager, sdk: Sdk, answer: int) -> None:
    lab.switch(delete_status=answer)
    number = lab.api("POST", "/iplists", {"name": "Gone"})["ID"]
    reply = send(lab, "DELETE", f"/iplists/{number}", admin_headers(lab))
    assert (reply.status, reply.body) == (answer, b"")
    rule = lab.api("POST", "/firewallrules", {"name": "Gone"})["ID"]
    assert sdk.rules.delete_firewall_rule(rule, V1) is None


@every_answer("delete_in_use")
def test_delete_in_use(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(delete_in_use=answer)
    policy = policy_with_rules(lab)
    computer = lab.api("POST", "/computers", {"hostName": "one", "firewall": {"ruleIDs": [20, 27]}})["ID"]
    users = (f"/policies/{policy}/firewall/assignments", f"/computers/{computer}/firewall/assignments")
    uses_lists = {"name": "Uses lists", "protocol": "tcp", "sourceIPType": "ip-list", "sourceIPListID": 4}
    uses_lists |= {"sourceMACType": "mac-list", "sourceMACListID": 2}
    uses_lists |= {"destinationPortType": "port-list", "destinationPortListID": 14}
    rule = lab.api("POST", "/firewallrules", uses_lists)
    lists = {"iplists": (4, "sourceIP"), "maclists": (2, "sourceMAC"), "portlists": (14, "destinationPort")}
    if answer == "rejected":
        refused(lab, 400, f"because Policy {policy} depends on Firewall Rule 20", "DELETE", "/firewallrules/20")
        for path, (number, _end) in lists.items():
            refused(lab, 400, f"because Firewall Rule {rule['ID']} depends on", "DELETE", f"/{path}/{number}")
        assert lab.api("GET", f"/firewallrules/{rule['ID']}") == rule
        assert [lab.api("GET", user, query=OVERRIDES)["assignedRuleIDs"] for user in users] == [[20], [20, 27]]
        return
    assert sdk.rules.delete_firewall_rule(20, V1) is None
    refused(lab, 404, "The firewall rule does not exist.", "GET", "/firewallrules/20")
    assert [lab.api("GET", user, query=OVERRIDES)["assignedRuleIDs"] for user in users] == [[], [27]]
    assert lab.api("GET", users[0]) == {"assignedRuleIDs": [22]}
    assert lab.api("GET", f"/policies/{policy}")["firewall"]["ruleIDs"] == [22]
    for path, (number, end) in lists.items():
        lab.api("DELETE", f"/{path}/{number}")
        del rule[f"{end}ListID"]
        rule[f"{end}Type"] = "any"
        assert lab.api("GET", f"/firewallrules/{rule['ID']}") == rule
    # A policy that something is below stays in any case.
    above = lab.api("GET", f"/policies/{policy}")["parentID"]
    refused(lab, 400, f"because Policy {policy} depends on Policy {above}", "DELETE", f"/policies/{above}")


@every_answer("direction_wording")
def test_direction_wording(lab: LabManager, answer: str) -> None:
    lab.switch(direction_wording=answer)
    path = f"/policies/1/settings/{DIRECTION}"
    for written in ("Agent/Appliance Initiated", "Agent Initiated", "1"):
        assert lab.api("POST", path, {"value": written}) == {"value": answer}
    assert lab.api("GET", "/policies/1", query=OVERRIDES)["policySettings"][DIRECTION] == {"value": answer}
    below = lab.api("POST", "/policies", {"name": "Below", "parentID": 1})
    assert below["policySettings"][DIRECTION] == {"value": answer}
    lab.api("POST", f"/policies/default/settings/{DIRECTION}", {"value": "1"})
    assert lab.api("GET", "/policies/default")[DIRECTION] == {"value": answer}


@every_answer("direction_accepts")
def test_direction_accepts(lab: LabManager, answer: str) -> None:
    lab.switch(direction_accepts=answer, direction_wording="Agent Initiated")
    path = f"/policies/1/settings/{DIRECTION}"
    for written in ("Agent Initiated", "1", "Bidirectional", "3"):
        lab.api("POST", path, {"value": written})
    if answer == "both":
        assert lab.api("POST", path, {"value": "Agent/Appliance Initiated"}) == {"value": "Agent Initiated"}
    else:
        refused(lab, 400, "Invalid value for setting", "POST", path, {"value": "Agent/Appliance Initiated"})


@every_answer("time_shift_wording")
def test_time_shift_wording(lab: LabManager, answer: str) -> None:
    path = f"/policies/1/settings/{CLOCK_CHANGE}"
    own, other = {"minutes": ("30 Minutes", "30"), "bare": ("30", "30 Minutes")}[answer]
    lab.api("POST", path, {"value": "30 Minutes"})
    lab.switch(time_shift_wording=answer)
    assert lab.api("GET", path) == {"value": own}
    assert lab.api("POST", path, {"value": own}) == {"value": own}
    refused(lab, 400, f"Invalid value for setting {CLOCK_CHANGE}: {other}", "POST", path, {"value": other})
    assert lab.api("POST", path, {"value": "Unlimited"}) == {"value": "Unlimited"}


@every_answer("heartbeat_interval_wording")
def test_heartbeat_interval_wording(lab: LabManager, answer: str) -> None:
    lab.switch(heartbeat_interval_wording=answer)
    path = f"/policies/1/settings/{INTERVAL}"
    wordings = {"60 Minutes": "1 Hour", "120 Minutes": "2 Hours", "90 Minutes": "90 Minutes", "1 Minute": "1 Minute"}
    for minutes, hours in wordings.items():
        own, other = (minutes, hours) if answer == "minutes" else (hours, minutes)
        assert lab.api("POST", path, {"value": own}) == {"value": own}
        if own != other:
            refused(lab, 400, f"Invalid value for setting {INTERVAL}: {other}", "POST", path, {"value": other})


@every_answer("cloud_heartbeat_write")
def test_cloud_heartbeat_write(cloud_lab: LabManager, answer: str) -> None:
    cloud_lab.switch(cloud_heartbeat_write=answer)
    fixed = {INTERVAL: "10 Minutes", MISSED: "2", CLOCK_CHANGE: "Unlimited"}
    policy = cloud_lab.api("POST", "/policies", {"name": "Fresh"})["ID"]
    for name, value in fixed.items():
        path = f"/policies/{policy}/settings/{name}"
        if answer == "rejected":
            refused(cloud_lab, 400, f"Setting {name} cannot be configured", "POST", path, {"value": "5"})
        else:
            cloud_lab.api("POST", path, {"value": "5"})
        assert cloud_lab.api("GET", path) == {"value": value}
        assert cloud_lab.api("GET", path, query=OVERRIDES) == {}
    offline = f"/policies/{policy}/settings/platformSettingHeartbeatInactiveVmOfflineAlertEnabled"
    assert cloud_lab.api("POST", offline, {"value": "true"}) == {"value": "true"}


@every_answer("activation_nobody_wording")
def test_activation_nobody_wording(lab: LabManager, answer: str) -> None:
    lab.switch(activation_nobody_wording=answer)
    path = f"/systemsettings/{ACTIVATION}Enabled"
    for written in (answer, "0"):
        assert lab.api("POST", path, {"value": "For existing computers"})["value"] == "For existing computers"
        assert lab.api("POST", path, {"value": written}) == {"value": answer}
    assert lab.api("GET", "/systemsettings")[f"{ACTIVATION}Enabled"] == {"value": answer}
    for other in {*CHOICES["activation_nobody_wording"], "Never"} - {answer}:
        refused(lab, 400, f"Invalid value for setting {ACTIVATION}Enabled: {other}", "POST", path, {"value": other})


@every_answer("id_setting_wording")
def test_id_setting_wording(lab: LabManager, answer: str) -> None:
    lab.switch(id_setting_wording=answer)
    for name, known, number in (("PolicyId", "Base Policy", "1"), ("WithinIpListId", "Internal IP Ranges", "3")):
        path = f"/systemsettings/{ACTIVATION}{name}"
        for written in (number, known):
            assert lab.api("POST", path, {"value": written}) == {"value": {"id": number, "name": known}[answer]}
        refused(lab, 400, f"Invalid value for setting {ACTIVATION}{name}: 999", "POST", path, {"value": "999"})


@every_answer("no_id_setting")
def test_no_id_setting(lab: LabManager, answer: str) -> None:
    lab.switch(no_id_setting=answer)
    none = {"empty": "", "zero": "0"}[answer]
    for name in ("PolicyId", "WithinIpListId"):
        path = f"/systemsettings/{ACTIVATION}{name}"
        assert lab.api("GET", path) == {"value": none}
        for written in ("", "0"):
            assert lab.api("POST", path, {"value": "1"}) == {"value": "1"}
            assert lab.api("POST", path, {"value": written}) == {"value": none}


@every_answer("scripts_for_read_only_keys")
def test_scripts_for_read_only_keys(lab: LabManager, answer: bool) -> None:
    lab.switch(scripts_for_read_only_keys=answer)
    wanted = ("POST", "/agentdeploymentscripts", {"platform": "linux"})
    assert lab.api(*wanted)["scriptBody"]
    if answer:
        assert lab.api(*wanted, key="read_only")["scriptBody"]
    else:
        refused(lab, 403, "Not authorized to create agent deployment scripts", *wanted, key="read_only")


@every_answer("rule_ids_with_overrides")
def test_rule_ids_with_overrides(lab: LabManager, answer: str) -> None:
    lab.switch(rule_ids_with_overrides=answer)
    policy = policy_with_rules(lab)
    own, plain = (
        lab.api("POST", "/computers", {"hostName": name, "policyID": policy})["ID"] for name in ("own", "plain")
    )
    lab.api("POST", f"/computers/{own}/firewall/assignments", {"ruleIDs": [27]})
    query = {"overrides": "true", "expand": "firewall"}

    def rule_ids(path: str) -> list[int] | None:
        return (lab.api("GET", path, query=query).get("firewall") or {}).get("ruleIDs")

    shown = [rule_ids(path) for path in (f"/policies/{policy}", f"/computers/{own}", f"/computers/{plain}")]
    assert (
        shown
        == {
            "direct": [[20], [27], None],
            "effective": [[20, 22], [20, 22, 27], [20, 22]],
            "absent": [None, None, None],
        }[answer]
    )
    listed = {
        item["ID"]: item["firewall"].get("ruleIDs") for item in lab.api("GET", "/policies", query=query)["policies"]
    }
    assert listed[policy] == shown[0]
    for path, object_id, expected in zip(("policies", "computers", "computers"), (policy, own, plain), shown):
        body = {"searchCriteria": [{"idTest": "equal", "idValue": object_id}]}
        (found,) = lab.api("POST", f"/{path}/search", body, query=query)[path]
        assert (found.get("firewall") or {}).get("ruleIDs") == expected
    # Without overrides it is what is effective, whatever the switch says.
    assert lab.api("GET", f"/computers/{own}")["firewall"]["ruleIDs"] == [20, 22, 27]


@every_answer("rule_overrides")
def test_rule_overrides(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(rule_overrides=answer)
    policy = policy_with_rules(lab)
    computer = lab.api("POST", "/computers", {"hostName": "one", "policyID": policy, "firewall": {"ruleIDs": [27]}})
    for path, inherited, assigned in ((f"/policies/{policy}", 22, 20), (f"/computers/{computer['ID']}", 20, 27)):
        lab.api("POST", f"{path}/firewall/rules/{inherited}", {"description": "Here"})
        listed = lab.api("GET", f"{path}/firewall/rules", query=OVERRIDES)["firewallRules"]
        if answer == "overridden_properties":
            assert listed == [{"description": "Here", "ID": inherited}]
        else:
            assert listed == [lab.api("GET", f"/firewallrules/{assigned}")]
        everything = lab.api("GET", f"{path}/firewall/rules")["firewallRules"]
        assert [rule["ID"] for rule in everything] == ([20, 22] if inherited == 22 else [20, 22, 27])
        one = lab.api("GET", f"{path}/firewall/rules/{inherited}", query=OVERRIDES)
        assert one == {"description": "Here", "ID": inherited}
    found = sdk.policy_rules.list_firewall_rules_on_policy(policy, V1, overrides=True).firewall_rules
    assert [(rule.id, rule.description) for rule in found] == {
        "overridden_properties": [(22, "Here")],
        "assigned_rules": [(20, "")],
    }[answer]


@every_answer("no_assigned_rules")
def test_no_assigned_rules(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(no_assigned_rules=answer)
    none = {"empty_list": {"assignedRuleIDs": []}, "null": {"assignedRuleIDs": None}, "absent": {}}[answer]
    policy = lab.api("POST", "/policies", {"name": "Bare"})["ID"]
    computer = lab.api("POST", "/computers", {"hostName": "bare", "policyID": policy})["ID"]
    for path in (f"/policies/{policy}/firewall/assignments", f"/computers/{computer}/firewall/assignments"):
        assert lab.api("GET", path) == lab.api("GET", path, query=OVERRIDES) == none
        assert lab.api("POST", path, {"ruleIDs": [20]}) == {"assignedRuleIDs": [20]}
        assert lab.api("DELETE", f"{path}/20") == none
        lab.api("POST", path, {"ruleIDs": [20]})
        assert lab.api("PUT", path, {"ruleIDs": []}) == none
    assert not sdk.policy_assignments.list_firewall_rule_ids_on_policy(policy, V1).assigned_rule_ids


@every_answer("id_criteria_field_name")
def test_id_criteria_field_name(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(id_criteria_field_name=answer)
    for path, envelope in (("policies", "policies"), ("computers", "computers"), ("firewallrules", "firewallRules")):
        bare = {"idTest": "equal", "idValue": 1}
        assert [item["ID"] for item in lab.api("POST", f"/{path}/search", {"searchCriteria": [bare]})[envelope]] == [1]
        named = {"searchCriteria": [{**bare, "fieldName": "ID"}]}
        if answer == "accepted":
            assert [item["ID"] for item in lab.api("POST", f"/{path}/search", named)[envelope]] == [1]
        else:
            refused(lab, 400, "Invalid SearchFilter: unknown fieldName: ID", "POST", f"/{path}/search", named)
    by_id = deepsecurity.SearchCriteria(id_test="less-than-or-equal", id_value=1)
    assert [one.id for one in sdk.policies.search_policies(V1, search_filter=search(by_id)).policies] == [1]


@every_answer("string_tests_ignore_case")
def test_string_tests_ignore_case(lab: LabManager, sdk: Sdk, answer: bool) -> None:
    lab.switch(string_tests_ignore_case=answer)
    one = lab.api("POST", "/computers", {"hostName": "Web-01.example.com"})["ID"]

    def found(name: str, **test: t.Any) -> list[int]:
        by_name = deepsecurity.SearchCriteria(field_name="hostName", string_value=name, **test)
        return [item.id for item in sdk.computers.search_computers(V1, search_filter=search(by_name)).computers]

    for plain in ({"string_test": "equal", "string_wildcards": False}, {"string_test": "equal"}):
        assert found("Web-01.example.com", **plain) == [one]
        assert found("WEB-01.EXAMPLE.COM", **plain) == ([one] if answer else [])
    assert found("WEB-01%", string_test="equal") == ([one] if answer else [])
    assert (one in found("WEB-01.EXAMPLE.COM", string_test="not-equal", string_wildcards=False)) is not answer


@every_answer("search_leaves_out")
@pytest.mark.parametrize("overrides", ["true", "false"])
def test_search_leaves_out(lab: LabManager, sdk: Sdk, answer: str, overrides: str) -> None:
    policy = policy_with_rules(lab)
    computer = lab.api("POST", "/computers", {"hostName": "one", "displayName": "One", "policyID": policy})["ID"]
    own = {MISSED: {"value": "4"}}
    lab.api("POST", f"/policies/{policy}", {"policySettings": own})
    lab.api("POST", f"/computers/{computer}", {"computerSettings": own})
    query = {"overrides": overrides, "expand": ["computerSettings", "firewall"]}

    def both(path: str, object_id: int) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        body = {"searchCriteria": [{"idTest": "equal", "idValue": object_id}]}
        (found,) = lab.api("POST", f"/{path}/search", body, query=query)[path]
        return found, lab.api("GET", f"/{path}/{object_id}", query=query)

    whole = {path: both(path, number) for path, number in (("policies", policy), ("computers", computer))}
    lab.switch(search_leaves_out=answer)
    for path, number, key in (("policies", policy, "policySettings"), ("computers", computer, "computerSettings")):
        found, alone = both(path, number)
        assert alone == whole[path][1] == whole[path][0]
        if answer == "value":
            assert found == {**alone, key: dict.fromkeys(alone[key], {})} and MISSED in found[key]
        elif answer == "ruleIDs":
            firewall = {name: value for name, value in alone["firewall"].items() if name != "ruleIDs"}
            assert found == {**alone, "firewall": firewall} and firewall != alone["firewall"]
        else:
            gone = ("name", "hostName", "displayName") if answer == "names" else (answer,)
            assert found == {name: value for name, value in alone.items() if name not in gone}
    assert {rule["ID"] for rule in lab.api("POST", "/firewallrules/search", {})["firewallRules"] if rule["name"]}
    first = deepsecurity.SearchCriteria(id_test="equal", id_value=policy)
    (parsed,) = sdk.policies.search_policies(V1, search_filter=search(first), overrides=overrides == "true").policies
    assert (parsed.name, bool(parsed.policy_settings)) == (
        None if answer == "names" else "Below",
        answer != "policySettings",
    )


@every_answer("unassign_inherited")
def test_unassign_inherited(lab: LabManager, answer: str) -> None:
    lab.switch(unassign_inherited=answer)
    policy = policy_with_rules(lab)
    path = f"/policies/{policy}/firewall/assignments"
    if answer == "ignored":
        assert lab.api("DELETE", f"{path}/22") == {"assignedRuleIDs": [20, 22]}
    elif answer == "rejected":
        refused(lab, 400, "because it is inherited", "DELETE", f"{path}/22")
    else:
        refused(lab, 404, "The firewall rule does not exist.", "DELETE", f"{path}/22")
    assert lab.api("GET", path) == {"assignedRuleIDs": [20, 22]}


@every_answer("list_items")
def test_list_items(lab: LabManager, answer: str) -> None:
    lab.switch(list_items=answer)
    written = {
        "iplists": ["10.0.0.2 - 10.0.0.9", "192.0.2.0/255.255.255.0 # office", "2001:DB8::/32"],
        "maclists": ["0a:0f:ff:f0:a0:ae", "00-00-5E-00-53-01 # router"],
        "portlists": ["443", "20 - 21", "443 # again"],
    }
    normal = {
        "iplists": ["10.0.0.2-10.0.0.9", "192.0.2.0/24", "2001:db8::/32"],
        "maclists": ["0A:0F:FF:F0:A0:AE", "00-00-5E-00-53-01"],
        "portlists": ["443", "20-21"],
    }
    for path, items in written.items():
        created = lab.api("POST", f"/{path}", {"name": "Some", "items": items})
        if answer == "as_written":
            assert created["items"] == items
        elif answer == "reordered":
            assert created["items"] != items and sorted(created["items"]) == sorted(items)
        else:
            assert created["items"] == normal[path]
        assert lab.api("GET", f"/{path}/{created['ID']}") == created


@every_answer("mac_separator")
def test_mac_separator(lab: LabManager, answer: str) -> None:
    lab.switch(mac_separator=answer)
    written = ["0A-0F-FF-F0-A0-AF # well-known", "0a:0f:ff:f0:a0:ae"]
    shown = {
        "as_written": written,
        "-": ["0A-0F-FF-F0-A0-AF # well-known", "0a-0f-ff-f0-a0-ae"],
        ":": ["0A:0F:FF:F0:A0:AF # well-known", "0a:0f:ff:f0:a0:ae"],
    }[answer]
    assert lab.api("POST", "/maclists", {"name": "Some", "items": written})["items"] == shown
    rule = {"name": "Some", "sourceMACType": "multiple", "sourceMACMultiple": [written[1]]}
    rule |= {"destinationMACType": "single", "destinationMACValue": "0A-0F-FF-F0-A0-AF"}
    created = lab.api("POST", "/firewallrules", rule)
    assert [*created["sourceMACMultiple"], created["destinationMACValue"]] == [shown[1], shown[0].split(" ")[0]]


@every_answer("several_invalid_settings")
def test_several_invalid_settings(lab: LabManager, answer: str) -> None:
    lab.switch(several_invalid_settings=answer)
    reasons = [f"Invalid value for setting {INTERVAL}: soon", f"Invalid value for setting {MISSED}: none"]
    body = {"policySettings": {INTERVAL: {"value": "soon"}, MISSED: {"value": "none"}}}
    reply = send(lab, "POST", "/policies/1", admin_headers(lab), json.dumps(body).encode())
    expected = {"message": {"message": "; ".join(reasons)}, "errors": {"errors": reasons}}[answer]
    assert (reply.status, json.loads(reply.body)) == (400, expected)
    del body["policySettings"][MISSED]
    reply = send(lab, "POST", "/policies/1", admin_headers(lab), json.dumps(body).encode())
    assert json.loads(reply.body) == {"message": reasons[0]}


def refused_by_the_limit(lab: LabManager) -> Raw:
    """The answer to one request too many."""
    for _call in range(300):
        lab.api("GET", "/apikeys/current", key="admin")
    reply = send(lab, "GET", "/apikeys/current", admin_headers(lab))
    assert reply.status == 429
    return reply


def dated(reply: Raw, header: str = "Date") -> float:
    """Seconds since 1970 that a header of a reply tells."""
    return parsedate_to_datetime(reply.headers[header]).timestamp()


@pytest.mark.parametrize("seconds", [0, 17])
def test_retry_after(lab: LabManager, seconds: int) -> None:
    lab.switch(retry_after=seconds)
    assert refused_by_the_limit(lab).headers.get("Retry-After") == (str(seconds) if seconds else None)


@pytest.mark.parametrize("skew", [0, -90_000])
@every_answer("retry_after_form")
def test_retry_after_form(lab: LabManager, answer: str, skew: int) -> None:
    lab.switch(retry_after_form=answer, clock_skew=skew)
    assert "Retry-After" not in refused_by_the_limit(lab).headers
    lab.switch(retry_after=17)
    reply = send(lab, "GET", "/apikeys/current", admin_headers(lab))
    if answer == "seconds":
        assert reply.headers["Retry-After"] == "17"
    else:
        assert dated(reply, "Retry-After") == dated(reply) + 17


@pytest.mark.parametrize("skew", [0, 7200, -7200])
def test_clock_skew(lab: LabManager, skew: int) -> None:
    headers = admin_headers(lab)
    first = send(lab, "GET", "/policies/1", headers)
    lab.switch(clock_skew=skew)
    lab.advance(100_000)
    number = lab.api("POST", "/iplists", {"name": "Gone"})["ID"]
    lab.add_fault(path="^/policies/2", action={"kind": "status", "status": 503})
    lab.add_fault(path="^/computers/1", action={"kind": "cut", "when": "after_reply"})
    replies = [
        send(lab, "GET", "/policies/1", headers),
        send(lab, "GET", "/policies/2", headers),
        send(lab, "GET", "/computers/1", headers),
        send(lab, "DELETE", f"/iplists/{number}", headers),
        send(lab, "GET", "/policies/1", {}),
    ]
    assert [reply.status for reply in replies] == [200, 503, 200, 204, 401]
    for reply in replies:
        # What passes between two requests is small beside the hours that are told apart.
        assert 100_000 + skew <= dated(reply) - dated(first) < 100_000 + skew + 1800


@pytest.mark.parametrize("largest", [5000, 30, 1])
def test_largest_page(lab: LabManager, sdk: Sdk, largest: int) -> None:
    every = [item["ID"] for item in lab.api("GET", "/computers", query={"expand": "none"})["computers"]]
    lab.switch(largest_page=largest)

    def page(**search_filter: t.Any) -> list[int]:
        found = lab.api("POST", "/computers/search", search_filter, query={"expand": "none"})
        return [item["ID"] for item in found["computers"]]

    assert page() == page(maxItems=5000) == every[:largest]
    assert page(maxItems=20) == every[: min(20, largest)]
    after = deepsecurity.SearchCriteria(id_test="greater-than", id_value=every[99])
    found = sdk.computers.search_computers(V1, search_filter=search(after, max_items=200), expand=["none"])
    assert [computer.id for computer in found.computers] == every[100:][:largest]


@every_answer("policy_rule_ids_on_modify")
def test_policy_rule_ids_on_modify(lab: LabManager, answer: str) -> None:
    lab.switch(policy_rule_ids_on_modify=answer)
    policy = policy_with_rules(lab)
    computer = lab.api("POST", "/computers", {"hostName": "one", "firewall": {"ruleIDs": [20]}})["ID"]
    expected = {"ignored": [20], "merged": [20, 27], "replaced": [27]}[answer]
    for path in (f"/policies/{policy}", f"/computers/{computer}"):
        changed = lab.api("POST", path, {"firewall": {"ruleIDs": [27]}}, query={"overrides": "true"})
        assert changed["firewall"]["ruleIDs"] == expected
        assert lab.api("GET", f"{path}/firewall/assignments", query=OVERRIDES) == {"assignedRuleIDs": expected}


@every_answer("no_policy_id")
def test_no_policy_id(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.api("GET", "/computers", query={"expand": "none"})
    lab.switch(no_policy_id=answer)
    number = lab.api("POST", "/computers", {"hostName": "free"})["ID"]
    assert lab.api("GET", f"/computers/{number}").get("policyID") == {"absent": None, "zero": 0}[answer]
    without = [one for one in sdk.computers.list_computers(V1, expand=["none"]).computers if not one.policy_id]
    assert len(without) > 1 and {one.policy_id for one in without} == {{"absent": None, "zero": 0}[answer]}


@every_answer("no_date")
def test_no_date(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(no_date=answer)
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    never = [one for one in computers if "lastAgentCommunication" in one and not one.get("lastSendPolicySuccess")]
    assert never and {one.get("lastSendPolicySuccess", "absent") for one in never} == {
        {"absent": "absent", "null": None}[answer]
    }
    told = sdk.computers.describe_computer(never[0]["ID"], V1, expand=["none"])
    assert (told.last_send_policy_request, told.last_send_policy_success) == (None, None)


@every_answer("date_unit")
def test_date_unit(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(date_unit=answer)
    told = sdk.computers.describe_computer(1, V1, expand=["none"])
    for date in (told.last_agent_communication, told.last_send_policy_request, told.last_send_policy_success):
        assert len(str(date)) == {"milliseconds": 13, "seconds": 10}[answer]


@every_answer("finished_scheduled_task")
def test_finished_scheduled_task(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(finished_scheduled_task=answer)
    made = sdk.tasks.create_scheduled_task(send_task(type="all-computers"), V1)
    left = [task.id for task in sdk.tasks.list_scheduled_tasks(V1).scheduled_tasks or ()]
    assert left == {"gone": [], "kept": [made.id]}[answer]


@every_answer("scheduled_task_names")
def test_scheduled_task_names(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(scheduled_task_names=answer, finished_scheduled_task="kept")
    task = send_task(type="all-computers")
    sdk.tasks.create_scheduled_task(task, V1)
    if answer == "unique":
        message = f"Scheduled Task name already exists: {task.name}"
        refused_by_sdk(400, message, sdk.tasks.create_scheduled_task, task, V1)
    else:
        sdk.tasks.create_scheduled_task(task, V1)


@pytest.mark.parametrize("seconds", [0, 90])
def test_scheduled_task_start(lab: LabManager, sdk: Sdk, seconds: int) -> None:
    lab.switch(scheduled_task_start=seconds)
    before = sdk.computers.describe_computer(1, V1, expand=["none"]).last_send_policy_request
    lab.advance(1)
    made = sdk.tasks.create_scheduled_task(send_task(type="computer", computer_id=1), V1)
    if seconds:
        assert sdk.computers.describe_computer(1, V1, expand=["none"]).last_send_policy_request == before
        assert sdk.tasks.describe_scheduled_task(made.id, V1).last_run_time is None
        lab.advance(seconds)
    assert sdk.computers.describe_computer(1, V1, expand=["none"]).last_send_policy_request > before


@every_answer("unknown_fields")
def test_unknown_fields(lab: LabManager, sdk: Sdk, answer: bool) -> None:
    lab.switch(unknown_fields=answer)

    def objects(value: t.Any) -> t.Iterator[dict[str, t.Any]]:
        if isinstance(value, dict):
            yield value
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from objects(item)

    for path in (
        "/policies/1",
        "/computers/1",
        "/firewallrules",
        "/policies/default",
        "/policies/1/firewall/assignments",
    ):
        shown = [item for item in objects(lab.api("GET", path)) if item != {"value": "unknown"}]
        assert {"laterAddition" in item for item in shown} == {answer}
    assert sdk.policies.describe_policy(1, V1).firewall.state == "off"
    assert sdk.computers.describe_computer(1, V1).computer_settings.platform_setting_heartbeat_interval.value


@every_answer("shuffled")
def test_shuffled(lab: LabManager, answer: bool) -> None:
    def ids(path: str, body: dict[str, t.Any] | None = None) -> list[int]:
        method = "GET" if body is None else "POST"
        return [item["ID"] for item in lab.api(method, path, body)["firewallRules"]]

    lab.api("PUT", "/policies/1/firewall/assignments", {"ruleIDs": [20, 22, 27, 1, 2, 3]})
    rule = lab.api("GET", "/firewallrules/20")
    plain = ids("/firewallrules")
    lab.switch(shuffled=answer)
    again = lab.api("GET", "/firewallrules/20")
    assert again == rule and (list(again) != list(rule)) == answer
    assert sorted(ids("/firewallrules")) == plain and (ids("/firewallrules") != plain) == answer
    assert ids("/firewallrules") == ids("/firewallrules"), "always in the same way"
    assigned = lab.api("GET", "/policies/1/firewall/assignments")["assignedRuleIDs"]
    assert (assigned != sorted(assigned)) == answer
    # Where the order is documented, it stays.
    assert ids("/firewallrules/search", {"sortByObjectID": True}) == plain
    assert ids("/firewallrules/search", {"searchCriteria": [{"idTest": "greater-than", "idValue": 0}]}) == plain
    items = ["20-21", "80", "443", "22", "25"]
    assert lab.api("POST", "/portlists", {"name": "Some", "items": items})["items"] == items


@every_answer("list_envelope_without_results")
def test_list_envelope_without_results(lab: LabManager, sdk: Sdk, answer: str) -> None:
    lab.switch(list_envelope_without_results=answer)
    body = {"searchCriteria": [{"fieldName": "name", "stringTest": "equal", "stringValue": "nobody"}]}
    for path, envelope in (("policies", "policies"), ("iplists", "ipLists"), ("firewallrules", "firewallRules")):
        expected = {"empty_list": {envelope: []}, "absent": {}}[answer]
        assert lab.api("POST", f"/{path}/search", body) == expected
    assert len(sdk.policies.list_policies(V1).policies) == 20


@every_answer("bypass_priority_enforced")
def test_bypass_priority_enforced(lab: LabManager, answer: bool) -> None:
    lab.switch(bypass_priority_enforced=answer)
    right = {"bypass": "4", "log-only": "4", "allow": "0", "deny": "2", "force-allow": "1"}
    for action, priority in right.items():
        lab.api("POST", "/firewallrules", {"name": f"right {action}", "action": action, "priority": priority})
    for action, priority in {"bypass": "3", "log-only": "0", "allow": "4"}.items():
        rule = {"name": f"wrong {action}", "action": action, "priority": priority}
        if answer:
            needed = f"action {action} requires priority {right[action]}"
            refused(lab, 400, needed, "POST", "/firewallrules", rule)
        else:
            assert lab.api("POST", "/firewallrules", rule)["priority"] == priority
