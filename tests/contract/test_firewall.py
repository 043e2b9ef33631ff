# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall rules, the lists they use, and their assignments, by the vendor's SDK."""

from __future__ import annotations

import typing as t

import deepsecurity
import orjson
import pytest

from tests.contract.support import V1, Sdk, refused, refused_by_sdk, search
from tests.lab.manager.configuration import configuration_of
from tests.lab.manager.manager import Manager
from tests.lab.manager.message import Call
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

AGENT_PORT = {
    "name": "Agent port from manager",
    **REPLACING,
}


def test_a_rule_is_made_read_changed_and_deleted(sdk: Sdk) -> None:
    rule = deepsecurity.FirewallRule(
        name="Agent port",
        action="force-allow",
        priority="4",
        direction="incoming",
        protocol="tcp",
        source_ip_type="single",
        source_ip_value="192.0.2.10",
        destination_port_type="multiple",
        destination_port_multiple=["4118"],
    )
    created = sdk.rules.create_firewall_rule(rule, V1)
    assert (created.frame_type, created.frame_number, created.frame_not) == ("ip", 2048, False)
    assert (created.source_mac_type, created.destination_ip_type, created.source_port_type) == ("any", "any", "any")
    assert (created.any_flags, created.alert_enabled, created.log_disabled, created.description) == (
        True,
        False,
        False,
        "",
    )
    modified = sdk.rules.modify_firewall_rule(
        created.id, deepsecurity.FirewallRule(source_ip_type="any", description="From anywhere"), V1
    )
    assert (modified.source_ip_type, modified.source_ip_value, modified.description) == ("any", None, "From anywhere")
    assert (modified.name, modified.destination_port_multiple) == ("Agent port", ["4118"])
    assert sdk.rules.describe_firewall_rule(created.id, V1) == modified
    assert created.id in [item.id for item in sdk.rules.list_firewall_rules(V1).firewall_rules]
    assert sdk.rules.delete_firewall_rule(created.id, V1) is None
    refused_by_sdk(404, "The firewall rule does not exist.", sdk.rules.describe_firewall_rule, created.id, V1)


def test_what_a_rule_does_not_have_is_absent(lab: LabManager) -> None:
    rule = lab.api("POST", "/firewallrules", {**AGENT_PORT, "scheduleID": 0, "contextID": 0})
    absent = {"contextID", "scheduleID", "sourceIPListID", "sourceIPValue", "sourceMACListID", "destinationPortListID"}
    assert not rule.keys() & absent


def test_every_rule_of_the_fleet_is_parsed_by_the_sdk(sdk: Sdk) -> None:
    rules = {rule.id: rule for rule in sdk.rules.list_firewall_rules(V1).firewall_rules}
    assert len(rules) >= 60
    assert (rules[20].name, rules[20].action, rules[20].destination_port_list_id) == (
        "Deep Security Agent",
        "allow",
        11,
    )
    assert (rules[22].source_ip_mask, rules[22].source_port_multiple) == ("255.255.255.0", ["4118"])
    assert (rules[27].action, rules[27].priority, rules[27].source_ip_list_id) == ("deny", "4", 3)


@pytest.mark.parametrize(
    "field, value",
    [
        ("action", "permit"),
        ("priority", "5"),
        ("priority", 4),
        ("direction", "both"),
        ("frameType", "ethernet"),
        ("protocol", "sctp"),
        ("sourceIPType", "list"),
        ("sourceMACType", "range"),
        ("destinationPortType", "single"),
        ("anyFlags", "true"),
        ("destinationPortMultiple", ["0"]),
        ("destinationPortMultiple", ["4118-4117"]),
        ("destinationPortMultiple", "4118"),
        ("destinationPortMultiple", []),
    ],
)
def test_wrong_values_of_a_rule_are_refused(lab: LabManager, field: str, value: object) -> None:
    refused(lab, 400, f"Invalid value for {field}", "POST", "/firewallrules", {**AGENT_PORT, field: value})


def test_a_type_needs_its_value(lab: LabManager) -> None:
    for fields, missing in (
        ({"sourceIPType": "single"}, "sourceIPValue"),
        ({"sourceIPType": "range", "sourceIPRangeFrom": "10.0.0.1"}, "sourceIPRangeTo"),
        ({"sourceMACType": "mac-list"}, "sourceMACListID"),
    ):
        refused(lab, 400, f"{missing} is required", "POST", "/firewallrules", {**AGENT_PORT, **fields})
    body = {**AGENT_PORT, "sourceIPType": "ip-list", "sourceIPListID": 999}
    refused(lab, 400, "Invalid value for sourceIPListID: 999 does not exist", "POST", "/firewallrules", body)
    refused(lab, 400, "Unrecognized property: source", "POST", "/firewallrules", {**AGENT_PORT, "source": "any"})


def test_rules_and_lists_have_names_of_their_own(lab: LabManager) -> None:
    refused(lab, 400, "Firewall Rule name already exists", "POST", "/firewallrules", {"name": "HTTP"})
    refused(lab, 400, "IP List name already exists", "POST", "/iplists", {"name": "Internal IP Ranges"})
    refused(lab, 400, "MAC List name already exists", "POST", "/maclists/2", {"name": "Routers"})
    refused(lab, 400, "Port List Name cannot be blank", "POST", "/portlists", {"items": ["80"]})


def test_rules_are_searched(sdk: Sdk) -> None:
    criteria = (
        deepsecurity.SearchCriteria(field_name="action", choice_test="equal", choice_value="force-allow"),
        deepsecurity.SearchCriteria(field_name="direction", choice_test="equal", choice_value="outgoing"),
        deepsecurity.SearchCriteria(field_name="protocol", choice_test="not-equal", choice_value="tcp"),
        deepsecurity.SearchCriteria(field_name="alertEnabled", boolean_test=False),
    )
    found = sdk.rules.search_firewall_rules(V1, search_filter=search(*criteria)).firewall_rules
    assert found
    assert {(rule.action, rule.direction) for rule in found} == {("force-allow", "outgoing")}
    assert "tcp" not in {rule.protocol for rule in found}


class Kind(t.NamedTuple):
    """A kind of list, as the SDK and rules call it."""

    api: str
    model: str
    method: str
    items: list[str]
    wrong: list[str]
    rule_fields: dict[str, t.Any]
    list_key: str
    title: str


LISTS = [
    Kind(
        "ip_lists",
        "IpList",
        "ip_list",
        ["192.0.2.1", "198.51.100.0/24", "203.0.113.0/255.255.255.0", "10.0.0.2 - 10.0.0.9 # a range", "2001:db8::/32"],
        ["192.0.2.256", "10.0.0.0/33", "10.0.0.9-10.0.0.2", "host.example.com"],
        {"source_ip_type": "ip-list"},
        "source_ip_list_id",
        "IP List",
    ),
    Kind(
        "mac_lists",
        "MacList",
        "mac_list",
        ["0A-0F-FF-F0-A0-AF", "0a:0f:ff:f0:a0:ae # another"],
        ["0A-0F-FF-F0-A0", "0A-0F:FF-F0-A0-AF", "0A0FFFF0A0AF"],
        {"source_mac_type": "mac-list"},
        "source_mac_list_id",
        "MAC List",
    ),
    Kind(
        "port_lists",
        "PortList",
        "port_list",
        ["80", "20-21", "3389 # Remote Desktop"],
        ["0", "65536", "http", "21-20"],
        {"destination_port_type": "port-list"},
        "destination_port_list_id",
        "Port List",
    ),
]


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: kind.method)
def test_lists(sdk: Sdk, lab: LabManager, kind: Kind) -> None:
    api = getattr(sdk, kind.api)
    model = getattr(deepsecurity, kind.model)
    created = getattr(api, f"create_{kind.method}")(model(name="Mine", items=kind.items), V1)
    assert (created.name, created.description, created.items) == ("Mine", "", kind.items)

    def modify(**fields: t.Any) -> t.Any:
        return getattr(api, f"modify_{kind.method}")(created.id, api_version=V1, **{kind.method: model(**fields)})

    modified = modify(description="Ours")
    assert (modified.name, modified.description, modified.items) == ("Mine", "Ours", kind.items)
    fewer = modify(items=kind.items[:1])
    assert fewer.items == kind.items[:1]
    assert getattr(api, f"describe_{kind.method}")(created.id, V1) == fewer
    listed = getattr(getattr(api, f"list_{kind.method}s")(V1), f"{kind.method}s")
    assert fewer in listed
    criterion = deepsecurity.SearchCriteria(field_name="name", string_test="equal", string_value="Mine")
    found = getattr(api, f"search_{kind.method}s")(V1, search_filter=search(criterion))
    assert getattr(found, f"{kind.method}s") == [fewer]
    path = f"/{kind.method.replace('_', '')}s"
    for item in kind.wrong:
        refused(lab, 400, f"Invalid value for items: {item}", "POST", path, {"name": "Wrong", "items": [item]})
    refused(lab, 400, "Invalid value for items", "POST", path, {"name": "Wrong", "items": kind.items[0]})

    rule = sdk.rules.create_firewall_rule(
        deepsecurity.FirewallRule(name="User", protocol="tcp", **kind.rule_fields, **{kind.list_key: created.id}), V1
    )
    delete = getattr(api, f"delete_{kind.method}")
    title = f"{kind.title} {created.id}"
    message = f"{title} could not be removed because Firewall Rule {rule.id} depends on {title}"
    refused_by_sdk(400, message, delete, created.id, V1)
    sdk.rules.delete_firewall_rule(rule.id, V1)
    assert delete(created.id, V1) is None
    noun = kind.title.replace("List", "list").replace("Port", "port")
    refused_by_sdk(404, f"The {noun} does not exist.", getattr(api, f"describe_{kind.method}"), created.id, V1)


def test_rules_are_assigned_to_policies_and_computers(sdk: Sdk) -> None:
    rules = [sdk.rules.create_firewall_rule(deepsecurity.FirewallRule(name=name), V1).id for name in "abcd"]
    policy = sdk.policies.create_policy(deepsecurity.Policy(name="Assigned"), V1)
    computer = sdk.computers.create_computer(deepsecurity.Computer(host_name="one", policy_id=policy.id), V1)

    def ids(*chosen: int) -> deepsecurity.RuleIDs:
        return deepsecurity.RuleIDs(rule_ids=list(chosen))

    def of_computer(overrides: bool) -> list[int]:
        reply = sdk.computer_assignments.list_firewall_rule_ids_on_computer(computer.id, V1, overrides=overrides)
        return reply.assigned_rule_ids

    added = sdk.policy_assignments.add_firewall_rule_ids_to_policy(policy.id, ids(rules[0], rules[1]), V1)
    assert added.assigned_rule_ids == rules[:2]
    assert (of_computer(True), of_computer(False)) == ([], rules[:2])
    added = sdk.computer_assignments.add_firewall_rule_ids_to_computer(computer.id, ids(rules[2]), V1, overrides=True)
    assert added.assigned_rule_ids == [rules[2]]
    assert of_computer(False) == rules[:3]
    # What is inherited can be assigned once more, and stays when the parent lets go of it.
    sdk.computer_assignments.add_firewall_rule_ids_to_computer(computer.id, ids(rules[0]), V1)
    removed = sdk.policy_assignments.remove_firewall_rule_id_from_policy(policy.id, rules[0], V1)
    assert removed.assigned_rule_ids == [rules[1]]
    assert (of_computer(True), of_computer(False)) == ([rules[0], rules[2]], rules[:3])
    replaced = sdk.computer_assignments.set_firewall_rule_ids_on_computer(
        computer.id, V1, firewall_rule_ids=ids(rules[3]), overrides=True
    )
    assert replaced.assigned_rule_ids == [rules[3]]
    cleared = sdk.policy_assignments.set_firewall_rule_ids_on_policy(policy.id, V1)
    assert cleared.assigned_rule_ids == []
    assert of_computer(False) == [rules[3]]


def test_an_assigned_rule_is_not_deleted(sdk: Sdk) -> None:
    rule = sdk.rules.create_firewall_rule(deepsecurity.FirewallRule(name="Kept"), V1)
    policy = sdk.policies.create_policy(
        deepsecurity.Policy(name="User", firewall=deepsecurity.FirewallPolicyExtension(rule_ids=[rule.id])), V1
    )
    title = f"Firewall Rule {rule.id}"
    message = f"{title} could not be removed because Policy {policy.id} depends on {title}"
    refused_by_sdk(400, message, sdk.rules.delete_firewall_rule, rule.id, V1)
    sdk.policy_assignments.remove_firewall_rule_id_from_policy(policy.id, rule.id, V1)
    sdk.computer_assignments.add_firewall_rule_ids_to_computer(1, deepsecurity.RuleIDs(rule_ids=[rule.id]), V1)
    message = f"{title} could not be removed because Computer 1 depends on {title}"
    refused_by_sdk(400, message, sdk.rules.delete_firewall_rule, rule.id, V1)


def test_only_rules_that_exist_are_assigned(lab: LabManager, sdk: Sdk) -> None:
    refused(
        lab,
        400,
        "Firewall Rule 9999 does not exist",
        "POST",
        "/policies/1/firewall/assignments",
        {"ruleIDs": [20, 9999]},
    )
    refused(lab, 400, "Invalid value for ruleIDs", "POST", "/policies/1/firewall/assignments", {"ruleIDs": ["20"]})
    assert sdk.policy_assignments.list_firewall_rule_ids_on_policy(1, V1).assigned_rule_ids == []
    remove = sdk.policy_assignments.remove_firewall_rule_id_from_policy
    refused_by_sdk(404, "The firewall rule does not exist.", remove, 1, 9999, V1)
    add = sdk.policy_assignments.add_firewall_rule_ids_to_policy
    refused_by_sdk(404, "The policy does not exist", add, 9999, deepsecurity.RuleIDs(rule_ids=[20]), V1)


def test_assigned_rules_are_shown_whole(sdk: Sdk) -> None:
    policy = sdk.policies.create_policy(
        deepsecurity.Policy(name="Some", firewall=deepsecurity.FirewallPolicyExtension(rule_ids=[20])), V1
    )
    computer = sdk.computers.create_computer(
        deepsecurity.Computer(
            host_name="one", policy_id=policy.id, firewall=deepsecurity.FirewallComputerExtension(rule_ids=[27])
        ),
        V1,
    )
    (shown,) = sdk.policy_rules.list_firewall_rules_on_policy(policy.id, V1).firewall_rules
    assert shown == sdk.policy_rules.describe_firewall_rule_on_policy(policy.id, 20, V1)
    assert shown == sdk.rules.describe_firewall_rule(20, V1)
    listed = sdk.computer_rules.list_firewall_rules_on_computer(computer.id, V1).firewall_rules
    assert [rule.id for rule in listed] == [20, 27]
    describe = sdk.computer_rules.describe_firewall_rule_on_computer
    refused_by_sdk(404, "The firewall rule does not exist.", describe, computer.id, 22, V1)


def targets_with_a_rule(lab: LabManager) -> tuple[int, str, str, str]:
    """A rule, and the paths of a policy that it is assigned to, of one below, and of a computer of the latter."""
    rule = lab.api("POST", "/firewallrules", {**AGENT_PORT, "sourceIPType": "ip-list", "sourceIPListID": 3})["ID"]
    above = lab.api("POST", "/policies", {"name": "Above", "firewall": {"ruleIDs": [20, rule]}})["ID"]
    below = lab.api("POST", "/policies", {"name": "Below", "parentID": above})["ID"]
    computer = lab.api("POST", "/computers", {"hostName": "one", "policyID": below})["ID"]
    return rule, f"/policies/{above}", f"/policies/{below}", f"/computers/{computer}"


def test_a_rule_is_overridden_and_reset_by_the_sdk(sdk: Sdk, lab: LabManager) -> None:
    number, above, _below, computer = targets_with_a_rule(lab)
    rule = sdk.rules.describe_firewall_rule(number, V1)
    for path, api, noun in ((above, sdk.policy_rules, "policy"), (computer, sdk.computer_rules, "computer")):
        target = int(path.rsplit("/", 1)[1])
        describe = getattr(api, f"describe_firewall_rule_on_{noun}")
        modify = getattr(api, f"modify_firewall_rule_on_{noun}")
        reset = getattr(api, f"reset_firewall_rule_on_{noun}")
        show = getattr(api, f"list_firewall_rules_on_{noun}")
        written = deepsecurity.FirewallRule(source_ip_type="any", description="Here")
        own = deepsecurity.FirewallRule(id=number, source_ip_type="any", description="Here")
        changed = modify(target, number, written, V1)
        assert (changed.source_ip_type, changed.source_ip_list_id, changed.description) == ("any", None, "Here")
        assert (changed.id, changed.name, changed.destination_port_multiple) == (number, rule.name, ["4118"])
        assert describe(target, number, V1) == changed and changed in show(target, V1).firewall_rules
        assert describe(target, number, V1, overrides=True) == own
        assert show(target, V1, overrides=True).firewall_rules == [own]
        # Further properties come beside those that are overridden already.
        more = modify(target, number, deepsecurity.FirewallRule(alert_enabled=True), V1, overrides=True)
        assert (more.alert_enabled, more.description, more.name) == (True, "Here", None)
        assert reset(target, number, V1) == describe(target, number, V1) == rule
        assert show(target, V1, overrides=True).firewall_rules == []
        assert reset(target, number, V1, overrides=True) == deepsecurity.FirewallRule(id=number)
    assert sdk.rules.describe_firewall_rule(number, V1) == rule, "the rule itself stayed as it was"


def test_what_is_overridden_of_a_rule_is_inherited(lab: LabManager) -> None:
    rule, above, below, computer = targets_with_a_rule(lab)

    def shown(path: str, *keys: str, overrides: str = "false") -> list[t.Any]:
        one = lab.api("GET", f"{path}/firewall/rules/{rule}", query={"overrides": overrides})
        (listed,) = [item for item in lab.api("GET", f"{path}/firewall/rules")["firewallRules"] if item["ID"] == rule]
        assert overrides == "true" or listed == one
        return [one.get(key) for key in keys]

    lab.api("POST", f"{above}/firewall/rules/{rule}", {"sourceIPType": "any", "description": "Above"})
    lab.api("POST", f"{below}/firewall/rules/{rule}", {"description": "Below", "sourceIPType": "single",
                                                       "sourceIPValue": "192.0.2.1"})  # fmt: skip
    lab.api("POST", f"{computer}/firewall/rules/{rule}", {"description": "One", "sourceIPValue": "192.0.2.2"})
    keys = ("description", "sourceIPType", "sourceIPValue", "sourceIPListID")
    assert shown(above, *keys) == ["Above", "any", None, None]
    assert shown(below, *keys) == ["Below", "single", "192.0.2.1", None]
    assert shown(computer, *keys) == ["One", "single", "192.0.2.2", None]
    assert shown(computer, *keys, overrides="true") == ["One", None, "192.0.2.2", None]
    # A computer of another policy has the rule as it is, and what is the same as above is no override.
    other = lab.api("POST", "/computers", {"hostName": "other", "firewall": {"ruleIDs": [rule]}})["ID"]
    assert shown(f"/computers/{other}", *keys) == ["", "ip-list", None, 3]
    lab.api("POST", f"{computer}/firewall/rules/{rule}", {"description": "Below"})
    assert shown(computer, *keys, overrides="true") == [None, None, "192.0.2.2", None]
    # The rule changes beneath all of that.
    lab.api("POST", f"/firewallrules/{rule}", {"sourceIPType": "any", "logDisabled": True})
    assert shown(computer, *keys, "logDisabled") == ["Below", "single", "192.0.2.2", None, True]
    lab.api("DELETE", f"{below}/firewall/rules/{rule}")
    assert shown(computer, *keys) == ["Above", "any", None, None]
    lab.api("DELETE", f"{above}/firewall/rules/{rule}")
    assert shown(computer, *keys) == ["", "any", None, None]


def test_overrides_of_rules_are_checked_and_go_with_the_rule(lab: LabManager) -> None:
    rule, above, below, computer = targets_with_a_rule(lab)
    path = f"{above}/firewall/rules/{rule}"
    for body, message in (
        ({"action": "permit"}, "Invalid value for action"),
        ({"priority": "2"}, "action bypass requires priority 4"),
        ({"sourceIPListID": 999}, "Invalid value for sourceIPListID: 999 does not exist"),
        ({"sourceMACType": "single"}, "sourceMACValue is required"),
        ({"source": "any"}, "Unrecognized property: source"),
    ):
        refused(lab, 400, message, "POST", path, body)
    refused(lab, 404, "The firewall rule does not exist.", "POST", f"{above}/firewall/rules/22", {})
    refused(lab, 404, "The firewall rule does not exist.", "DELETE", f"{below}/firewall/rules/99999")
    refused(lab, 405, "Not Allowed", "PUT", path, {})
    refused(lab, 405, "Not Allowed", "POST", f"{above}/firewall/rules", {})
    refused(lab, 403, "Not authorized to modify policies", "DELETE", path, key="read_only")
    assert lab.api("GET", f"{above}/firewall/rules", query={"overrides": "true"}) == {"firewallRules": []}
    # A list that only an override uses is in use.
    lab.api("POST", f"{computer}/firewall/rules/{rule}", {"sourceIPListID": 4})
    lab.api("POST", path, {"contextID": 5})
    refused(lab, 400, f"because Firewall Rule {rule} depends on IP List 4", "DELETE", "/iplists/4")
    lab.api("DELETE", f"{above}/firewall/assignments/{rule}")
    lab.api("POST", f"{above}/firewall/assignments", {"ruleIDs": [rule]})
    assert "contextID" not in lab.api("GET", path)
    lab.clear_requests()
    lab.api("POST", path, {"contextID": 5})
    lab.api("POST", f"{below}/firewall/rules/{rule}", {"contextID": 0})
    assert lab.api("GET", path)["contextID"] == 5
    assert "contextID" not in lab.api("GET", f"{below}/firewall/rules/{rule}")
    lab.api("DELETE", path)
    assert [one["kind"] for one in lab.requests()] == ["settings", "settings", "read", "read", "settings"]
    lab.switch(delete_in_use="deleted")
    lab.api("DELETE", "/iplists/4")
    assert lab.api("GET", f"{computer}/firewall/rules/{rule}")["sourceIPType"] == "any"
    lab.api("DELETE", f"/firewallrules/{rule}")
    assert lab.api("GET", f"{computer}/firewall/rules", query={"overrides": "true"}) == {"firewallRules": []}


def test_agents_are_told_rules_as_they_are_overridden() -> None:
    manager = Manager("on_premises", 0, {"computers": 1, "policies": 1})

    def post(path: str, body: dict[str, t.Any]) -> int:
        return orjson.loads(manager.process(Call("POST", path, body=orjson.dumps(body))).body)["ID"]

    policy = post("/policies", {"name": "Some", "firewall": {"state": "on", "ruleIDs": [20, 27]}})
    computer = post("/computers", {"hostName": "one", "policyID": policy})
    post(f"/policies/{policy}/firewall/rules/27", {"action": "force-allow", "sourceIPListID": 4})
    post(f"/computers/{computer}/firewall/rules/27", {"direction": "outgoing"})
    told = configuration_of(manager.state, manager.state.computers.items[computer], manager.switches)
    _agent_port, rule = told["firewall"]["rules"]
    assert (rule["ID"], rule["action"], rule["direction"]) == (27, "force-allow", "outgoing")
    assert rule["sourceIPListItems"] == manager.state.ip_lists.items[4]["items"]
