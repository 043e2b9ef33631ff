# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach the agents' port, as communication_info and a restriction's warnings tell it of the manager's rules."""

from __future__ import annotations

import itertools
import json
import re
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._answers.communication import (
    FACET_NAMES,
    CommunicationAsked,
    describe_communication,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.preflight import Admission, assess
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall import description
from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall.admission import (
    other_users,
    shared_list,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import IP_LIST, MAC_LIST
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.support import RESTRICTION, LabClock, connection, run_facet, run_profiles
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

ALL_COUNTS = {"ipv4": 1 << 32, "ipv6": 1 << 128}

numbers = itertools.count()


def rule(lab: LabManager, **fields: t.Any) -> int:
    """A rule that replaces the hidden one; C(items) are those of its IP list."""
    number = next(numbers)
    items = fields.pop("items", None)
    if items is not None:
        fields["sourceIPType"] = "ip-list"
        fields["sourceIPListID"] = lab.api("POST", "/iplists", {"name": f"List {number}", "items": items})["ID"]
    return lab.api("POST", "/firewallrules", {"name": f"Rule {number}", **REPLACING, **fields})["ID"]


def policy(lab: LabManager, *rule_ids: int, state: str = "on", **fields: t.Any) -> dict[str, t.Any]:
    """A policy with these rules, whose agents listen and have a firewall."""
    firewall = {"state": state, "ruleIDs": list(rule_ids)}
    settings = {"platformSettingAgentCommunicationsDirection": {"value": "Bidirectional"}}
    body = {"name": f"Policy {next(numbers)}", "firewall": firewall, "policySettings": settings, **fields}
    return lab.api("POST", "/policies", body)


def describe(lab: LabManager, *some: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    params = {"policies": [one["ID"] for one in some], "facets": FACET_NAMES, **options}
    with Transport(connection(lab), clock=LabClock(lab), random=lambda: 0.5) as transport:
        result = describe_communication(Client(transport), CommunicationAsked.from_options(params, "on_premises"))
    return json.loads(json.dumps(result))


def told(lab: LabManager, *some: dict[str, t.Any], **options: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """The restriction of the first policy, and all warnings."""
    result = describe(lab, *some, **options)
    return result["targets"][0]["firewall_restriction"], result["warnings"]


WORLD = [
    {"items": ["0.0.0.0/0"]},
    {"items": ["::/0"]},
    {"items": ["0.0.0.0/1", "128.0.0.0/1"]},
    {"items": ["0.0.0.0 - 255.255.255.255 # all"]},
    {"sourceIPType": "range", "sourceIPRangeFrom": "0.0.0.0", "sourceIPRangeTo": "255.255.255.255"},
    {"sourceIPType": "masked-ip", "sourceIPValue": "10.0.0.0", "sourceIPMask": "0.0.0.0"},
    {"sourceIPType": "single", "sourceIPValue": "10.0.0.1", "sourceIPNot": True},
    {"items": ["10.0.0.1"], "sourceIPNot": True},
    {"sourceIPType": "multiple", "sourceIPMultiple": ["0.0.0.0/1", "128.0.0.0/1"]},
    {"sourceMACType": "single", "sourceMACValue": "00-00-5E-00-53-01", "sourceMACNot": True},
]


@pytest.mark.parametrize("source", WORLD, ids=json.dumps)
def test_a_port_that_is_open_to_the_world_is_never_restricted(lab, source):
    some = policy(lab, rule(lab, **source))
    facet, warnings = told(lab, some)
    assert facet["restricted"] is False and facet["hidden_rule_replaced"] is True
    assert "practically everybody" in facet["restricted_because"]
    (shown,) = facet["rules"]
    assert shown["admits_anybody"] is True and shown["replaces_hidden_rule"] is True
    (warning,) = warnings
    assert "practically everybody" in warning and some["name"] in warning
    # Preflight believes no more than that.
    host = {"connectivity": {"reachable": True, "problems": [], "endpoints": []}}
    target = {**describe(lab, some)["targets"][0], "type": "computer", "name": "web1"}
    report = assess({"web1": host}, {"targets": [target]}, Admission.from_options([], ["192.0.2.1"], None))
    assert report["hosts"][0]["firewall_restriction"]["answer"] not in ("already", "yes")
    # And a restriction next to it is undone by it.
    restriction = {"policies": [some["ID"]], **RESTRICTION}
    (warning,) = run_facet(lab, "firewall_restriction", restriction, check=True)["warnings"]
    assert f"is undone by the rule '{shown['name']}', which admits anybody" in warning


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        *(
            ({**source}, "restricts nothing by the rule '.*', which admits anybody to the agents' port")
            for source in WORLD
        ),
        (
            {"items": ["192.0.2.1"], "action": "allow", "priority": "0"},
            "restricts nothing by the rule '.*', .*: action is allow",
        ),
        ({"items": ["192.0.2.1"], "direction": "outgoing"}, "restricts nothing by .*: packet direction is outgoing"),
        ({"items": ["192.0.2.1"], "scheduleID": 1}, "may restrict nothing by .*"),
        ({"items": ["192.0.2.1"], "destinationPortMultiple": ["4118", "4119"]}, "may restrict nothing by the rule"),
        ({"items": ["192.0.2.1"]}, None),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_rule_that_is_assigned_as_it_is_is_judged(lab, fields, told):
    some, number = policy(lab), rule(lab, **fields)
    name = lab.api("GET", f"/firewallrules/{number}")["name"]
    task = {"policies": [some["ID"]], "state": "assigned", "rule_name": name}
    warnings = run_facet(lab, "firewall_restriction", task, check=True)["warnings"]
    assert [re.fullmatch(f"firewall_restriction {told}.*, on .*", one) is not None for one in warnings] == [
        True
    ] * bool(told), warnings


def test_rules_that_admit_everybody_together(lab):
    halves = [rule(lab, items=[half]) for half in ("0.0.0.0/3", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/1")]
    facet, _warnings = told(lab, policy(lab, *halves[:2]))
    assert facet["restricted"] is False and facet["admitted"] == ["0.0.0.0/2"]
    some = policy(lab, *halves)
    facet, _warnings = told(lab, some)
    assert facet["restricted"] is False and facet["admitted"] == ["all IPv4 addresses"]
    assert facet["admitted_addresses"] == {"ipv4": 1 << 32, "ipv6": 0}
    eighths = [rule(lab, items=[f"{first}.0.0.0/3"]) for first in (0, 32)]
    both = policy(lab, *eighths)
    (warning,) = run_facet(lab, "firewall_restriction", {"policies": [both["ID"]], **RESTRICTION}, check=True)[
        "warnings"
    ]
    assert re.search("is undone by the rules 'Rule .*', 'Rule .*', which together admit anybody", warning)


def test_what_is_restricted_says_to_whom(lab):
    number = rule(lab, items=["192.0.2.0/24", "198.51.100.1 - 198.51.100.9 # admins", "2001:db8::/64"])
    facet, warnings = told(lab, policy(lab, number))
    assert (facet["restricted"], facet["restricted_because"], facet["notes"], warnings) == (True, None, [], [])
    assert facet["admitted"] == ["192.0.2.0/24", "198.51.100.1 - 198.51.100.9", "2001:db8::/64"]
    assert facet["admitted_addresses"] == {"ipv4": 265, "ipv6": 1 << 64}
    assert facet["admitted_macs"] == {"count": 0, "first": []}
    (shown,) = facet["rules"]
    assert (shown["admits_anybody"], shown["cannot_be_told_because"], shown["overridden"]) == (False, None, False)


@pytest.mark.parametrize(
    ("items", "options", "warned"),
    [
        (["10.0.0.0/8"], {}, None),
        (["10.0.0.0/8", "172.16.0.0/12"], {}, "17,825,792 IPv4 addresses, more than a /8 of IPv4 or a /32 of IPv6"),
        (["10.0.0.0/8", "172.16.0.0/12"], {"warn_above_ipv4_prefix": 7}, None),
        (["2001:db8::/31"], {}, "2^97 IPv6 addresses, more than"),
        (["2001:db8::/31"], {"warn_above_ipv6_prefix": 31}, None),
        (["192.0.2.0/24"], {"warn_above_ipv4_prefix": 25}, "256 IPv4 addresses, more than a /25"),
    ],
)
def test_more_than_an_option_says_draws_a_warning(lab, items, options, warned):
    facet, warnings = told(lab, policy(lab, rule(lab, items=items)), **options)
    assert facet["restricted"] is True
    assert bool(warnings) == bool(warned) and (not warned or warned in warnings[0])


@pytest.mark.parametrize("value", [-1, 33, True, "8", 1.5])
def test_thresholds_that_cannot_be_right(value):
    with pytest.raises(OptionError, match="option 'warn_above_ipv4_prefix' .* the length of a prefix"):
        CommunicationAsked.from_options({"policies": [1], "facets": [], "warn_above_ipv4_prefix": value}, "on_premises")


def test_equal_policies_are_warned_of_together(lab):
    number = rule(lab, items=["0.0.0.0/0"])
    some = [policy(lab, number) for _count in range(3)]
    (warning,) = told(lab, *some)[1]
    assert all(one["name"] in warning for one in some)


def test_by_mac_alone_is_said_to_hold_on_the_segment_only(lab):
    number = rule(lab, sourceMACType="single", sourceMACValue="00-00-5E-00-53-01")
    facet, warnings = told(lab, policy(lab, number))
    assert (facet["restricted"], warnings) == (True, [])
    assert facet["admitted_addresses"] == {"ipv4": 0, "ipv6": 0}
    assert facet["admitted_macs"] == {"count": 1, "first": ["00-00-5E-00-53-01"]}
    assert "only identifies a sender within the agents' own network segment" in facet["notes"][0]


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        # What a list may hold that nobody here can read: replies are changed on their way.
        ({"items": ["host.example.com"]}, "'host.example.com' cannot be read"),
        ({"items": None}, "no items that can be read"),
        ({"items": []}, "an empty list"),
    ],
)
def test_what_cannot_be_read_is_not_known(lab, fields, because):
    some = policy(lab, rule(lab, items=["192.0.2.1"]))
    lists = [{**one, **fields} for one in lab.api("GET", "/iplists")["ipLists"]]
    lab.add_fault(action={"kind": "body", "body": json.dumps({"ipLists": lists})}, path="^/iplists/search$", times=0)
    facet, warnings = told(lab, some)
    assert facet["restricted"] is None and because in facet["restricted_because"]
    assert facet["admitted_addresses"] is None and facet["rules"][0]["admits_anybody"] is None
    assert because in warnings[0] and "it is not known" in warnings[0]
    restriction = {"policies": [some["ID"]], **RESTRICTION}
    warnings = run_facet(lab, "firewall_restriction", restriction, check=True)["warnings"]
    assert any("may be undone by the rule" in warning and because in warning for warning in warnings)
    assigned = {"policies": [some["ID"]], "state": "assigned", "rule_name": facet["rules"][0]["name"]}
    (warning,) = run_facet(lab, "firewall_restriction", assigned, check=True)["warnings"]
    assert "may restrict nothing by the rule" in warning and because in warning


def test_lists_and_rules_that_are_not_shown_are_not_known(lab):
    some = policy(lab, rule(lab, items=["192.0.2.1"]))
    lab.add_fault(action={"kind": "body", "body": '{"ipLists": []}'}, path="^/iplists/search$", times=0)
    facet, _warnings = told(lab, some)
    assert facet["restricted"] is None and "is not on the manager, or not shown to this API key" in str(facet)
    lab.add_fault(action={"kind": "body", "body": '{"firewallRules": []}'}, path="^/firewallrules/search$", times=0)
    facet, _warnings = told(lab, some)
    assert (facet["restricted"], facet["hidden_rule_replaced"], facet["rules"]) == (None, None, [])
    assert "does not show the rule with ID" in facet["restricted_because"]


NONSENSE = [None, True, -1, 1.5, "", "text\x1b\ud800", [], [None], [[]], {}, {"ID": 1}]


@pytest.mark.parametrize("value", NONSENSE, ids=ascii)
def test_no_field_of_a_rule_or_list_breaks_the_answer(lab, value):
    number = rule(lab, items=["192.0.2.1"])
    some = policy(lab, number)
    shown = lab.api("GET", f"/firewallrules/{number}")
    ip_list = lab.api("GET", f"/iplists/{shown['sourceIPListID']}")
    for field in [*shown, *ip_list, None]:
        if field in ("ID", "name"):
            continue
        rules = json.dumps({"firewallRules": [{**shown, field: value} if field in shown else shown]})
        lists = json.dumps({"ipLists": [{**ip_list, field: value} if field in ip_list else ip_list]})
        lab.clear_faults()
        for path, body in (
            ("^/firewallrules/search$", rules),
            ("^/policies/[0-9]+/firewall/rules$", rules),
            ("^/iplists/search$", lists),
        ):
            lab.add_fault(action={"kind": "body", "body": body}, path=path, times=0)
        try:
            facet, warnings = told(lab, some)
        except BadReply as refused:
            # What can never be right ends where replies are read.
            assert field and f"'{field}'" in str(refused)
            continue
        json.dumps([facet, warnings])
        source = field is not None and (field.startswith("source") or field == "items")
        if field is None or field == "description":
            assert facet["restricted"] is True
        elif source and not field.startswith("sourcePort") and value is not None:
            assert facet["restricted"] is not True


def test_no_rule_no_effect_and_no_list(lab):
    facet, warnings = told(lab, policy(lab))
    assert (facet["restricted"], facet["hidden_rule_replaced"], warnings) == (False, False, [])
    assert facet["admitted"] == ["all IPv4 addresses", "all IPv6 addresses"]
    assert facet["admitted_addresses"] == ALL_COUNTS
    off = policy(lab, rule(lab, items=["192.0.2.1"]), state="off")
    facet, warnings = told(lab, off)
    assert (facet["restricted"], facet["hidden_rule_replaced"], warnings) == (False, True, [])
    assert facet["restricted_because"] == "no rule has an effect: the firewall is off"
    assert facet["admitted_addresses"] == ALL_COUNTS


@pytest.mark.parametrize("pointer", ["/portLists", "/portLists/*/items"])
def test_ports_that_are_not_shown_are_not_known(lab, pointer):
    """Neither is the port said to be open, nor is a restriction next to such a rule said to be undisturbed."""
    ports = lab.api("POST", "/portlists", {"name": "Agents", "items": ["4118"]})["ID"]
    by_list = {"destinationPortType": "port-list", "destinationPortListID": ports}
    some = policy(lab, rule(lab, items=["192.0.2.1"], **by_list))
    other = policy(lab, rule(lab, **by_list))
    assert told(lab, some)[0]["restricted"] is True
    lab.add_fault(
        path="^/portlists/search$",
        times=0,
        action={"kind": "mutate", "pointer": pointer, "to": {"value": [] if pointer == "/portLists" else None}},
    )
    facet, _warnings = told(lab, some)
    assert (facet["restricted"], facet["hidden_rule_replaced"]) == (None, None)
    assert "whose ports are not shown" in facet["rules"][0]["failing_conditions"][0]
    task = {"policies": [other["ID"]], **RESTRICTION}
    (warning,) = run_facet(lab, "firewall_restriction", task, check=True)["warnings"]
    assert "undone by the rule" in warning


@pytest.mark.parametrize("state", ["", "Inherited", None])
def test_a_firewall_without_a_state_of_its_own_inherits_it(lab, state):
    """Managers word in several ways that there is no override."""
    above = policy(lab, rule(lab, items=["192.0.2.1"]), state="off")
    below = policy(lab, parentID=above["ID"])
    action = {"kind": "mutate", "pointer": "/policies/*/firewall/state", "to": {"value": state}}
    off = {"firewallSettingState": {"value": "Off"}}
    lab.add_fault(path="^/policies/search$", times=0, action=action)
    lab.add_fault(path="^/policies/default$", times=0, action={"kind": "body", "body": json.dumps(off)})
    facet, _warnings = told(lab, below)
    assert (facet["restricted"], facet["without_effect_because"]) == (False, "the firewall is off")


def test_a_firewall_with_an_unknown_state_is_not_known_to_be_on(lab):
    some = policy(lab, rule(lab, items=["192.0.2.1"]))
    action = {"kind": "mutate", "pointer": "/policies/*/firewall/state", "to": {"value": "resting"}}
    lab.add_fault(path="^/policies/search$", times=0, action=action)
    facet, _warnings = told(lab, some)
    assert facet["restricted"] is None and "whether the firewall is on" in facet["restricted_because"]


@pytest.mark.parametrize("negated", ["TCPNot", "sourcePortNot", "destinationIPNot", "destinationMACNot"])
def test_anything_negated_limits_a_rule(lab, negated):
    """All of it, negated, is nothing; and whether such a rule replaces the hidden one is not documented."""
    some = policy(lab, rule(lab, items=["192.0.2.1"], **{negated: True}))
    facet, _warnings = told(lab, some)
    assert (facet["restricted"], facet["hidden_rule_replaced"]) == (None, None)
    assert "limited by" in facet["rules"][0]["failing_conditions"][0]


def test_a_rule_is_mended_that_somebody_negated(lab):
    some = policy(lab)
    wanted = {"policies": [some["ID"]], **RESTRICTION}
    run_facet(lab, "firewall_restriction", wanted)
    (ours,) = [one for one in lab.api("GET", "/firewallrules")["firewallRules"] if one["name"].startswith("Agent port")]
    lab.api("POST", f"/firewallrules/{ours['ID']}", {"TCPNot": True})
    result = run_facet(lab, "firewall_restriction", wanted)
    assert [(one["before"], one["after"]) for one in result["objects"]] == [({"TCPNot": True}, {"TCPNot": False})]
    assert lab.api("GET", f"/firewallrules/{ours['ID']}")["TCPNot"] is False
    assert not run_facet(lab, "firewall_restriction", wanted)["changed"]


def test_what_is_not_documented_is_not_known(lab):
    several = rule(lab, items=["192.0.2.1"], destinationPortMultiple=["4118", "4119"])
    facet, _warnings = told(lab, policy(lab, several))
    assert (facet["restricted"], facet["hidden_rule_replaced"]) == (None, None)
    # Whether it replaces the hidden rule or not: everybody is admitted.
    facet, _warnings = told(lab, policy(lab, rule(lab, destinationPortMultiple=["4118", "4119"])))
    assert (facet["restricted"], facet["hidden_rule_replaced"]) == (False, None)
    # Rules beside the one that replaces it.
    narrow, allow = rule(lab, items=["192.0.2.1"]), rule(lab, action="allow", priority="0")
    facet, _warnings = told(lab, policy(lab, narrow, allow))
    assert facet["restricted"] is None and "(allow)" in facet["restricted_because"]
    facet, _warnings = told(lab, policy(lab, narrow, rule(lab, items=["192.0.2.9"], action="allow", priority="0")))
    assert facet["restricted"] is True and "(allow)" in facet["notes"][0]
    facet, _warnings = told(lab, policy(lab, narrow, rule(lab, items=["192.0.2.1"], action="allow", priority="0")))
    assert facet["restricted"] is True and facet["notes"] == []


@pytest.mark.parametrize("listed", ["overridden_properties", "assigned_rules"])
def test_a_rule_that_is_overridden_is_judged_as_it_is_there(lab, listed):
    lab.switch(rule_overrides=listed)
    narrow, wide = rule(lab, items=["192.0.2.1"]), rule(lab)
    some, other = policy(lab, narrow), policy(lab, wide)
    below = policy(lab, parentID=some["ID"])
    computer = lab.api("POST", "/computers", {"hostName": f"host{next(numbers)}", "policyID": below["ID"]})

    def override(where: str, number: int, **fields: t.Any) -> None:
        lab.api("POST", f"{where}/firewall/rules/{number}", fields)

    override(f"/policies/{some['ID']}", narrow, sourceIPType="any")
    for one in (some, below):
        facet, _warnings = told(lab, one)
        assert facet["restricted"] is False
        assert [(row["overridden"], row["admits_anybody"]) for row in facet["rules"]] == [(True, True)]
    override(f"/computers/{computer['ID']}", narrow, sourceIPType="single", sourceIPValue="192.0.2.7")
    facet, _warnings = told(lab, policies=[], computers=[computer["ID"]])
    assert (facet["restricted"], facet["admitted"]) == (True, ["192.0.2.7"])
    override(f"/policies/{other['ID']}", wide, sourceIPType="single", sourceIPValue="192.0.2.7", contextID=5)
    facet, _warnings = told(lab, other)
    assert facet["restricted"] is None and "limited by a context" in str(facet["rules"][0]["failing_conditions"])
    override(f"/policies/{other['ID']}", wide, contextID=0)
    facet, _warnings = told(lab, other)
    assert (facet["restricted"], facet["admitted"]) == (True, ["192.0.2.7"])
    override(f"/policies/{some['ID']}", narrow, destinationPortMultiple=["4119"])
    facet, _warnings = told(lab, some)
    assert (facet["restricted"], facet["hidden_rule_replaced"]) == (False, False)


def test_a_limit_of_a_rule_can_be_taken_away_where_it_is(lab):
    limited = rule(lab, items=["192.0.2.1"], contextID=5)
    some = policy(lab, limited)
    assert told(lab, some)[0]["restricted"] is None
    lab.api("POST", f"/policies/{some['ID']}/firewall/rules/{limited}", {"contextID": 0})
    assert told(lab, some)[0]["restricted"] is True


@pytest.mark.parametrize(
    ("action", "because"),
    [
        ({"kind": "status", "status": 403, "body": '{"message": "Not authorized"}'}, "it answered 403, 'Not authorized'"),
        ({"kind": "status", "status": 404, "body": '{"message": "none"}'}, "it answered 404"),
        ({"kind": "body", "body": '{"firewallRules": []}'}, "does not show the rule there"),
    ],
)  # fmt: skip
def test_a_rule_that_is_not_shown_as_it_is_there_is_not_known(lab, action, because):
    some = policy(lab, rule(lab, items=["192.0.2.1"]))
    lab.add_fault(action=action, path="^/policies/[0-9]+/firewall/rules$", times=0)
    facet, warnings = told(lab, some)
    assert facet["restricted"] is None and because in facet["restricted_because"]
    assert facet["rules"][0]["overridden"] is None and because in warnings[0]


def test_only_targets_with_a_rule_that_may_replace_the_hidden_one_are_asked(lab, monkeypatch):
    monkeypatch.setattr(description, "MOST_ASKED", 2)
    number = rule(lab, items=["192.0.2.1"])
    some = [policy(lab, number) for _count in range(4)]
    others = [policy(lab), policy(lab, rule(lab, destinationPortMultiple=["443"])), policy(lab, 20, 27)]
    lab.clear_requests()
    result = describe(lab, *others, *some)
    asked = [request["path"] for request in lab.requests() if "/firewall/rules" in request["path"]]
    assert asked == [f"/policies/{one['ID']}/firewall/rules" for one in some[:2]]
    facets = [
        target["firewall_restriction"] for target in result["targets"] if target["id"] in {one["ID"] for one in some}
    ]
    assert [facet["restricted"] for facet in facets] == [True, True, None, None]
    (warning,) = result["warnings"]
    assert "no more are checked" in warning and some[2]["name"] in warning and some[3]["name"] in warning


def test_who_else_uses_a_list(lab):
    ip_list = lab.api("POST", "/iplists", {"name": "Theirs", "items": ["192.0.2.1"]})
    mac_list = lab.api("POST", "/maclists", {"name": "Theirs, too", "items": ["00-00-5E-00-53-01"]})
    ours = rule(lab, sourceIPType="ip-list", sourceIPListID=ip_list["ID"])
    with Transport(connection(lab), clock=LabClock(lab)) as transport:
        assert shared_list(Fleet(Client(transport)), IP_LIST, ip_list, ours) is None
        assert other_users(Fleet(Client(transport)), MAC_LIST, mac_list["ID"], ours) == []
        source = rule(lab, name="Source", sourceIPType="ip-list", sourceIPListID=ip_list["ID"])
        rule(lab, name="Destination", destinationIPType="ip-list", destinationIPListID=ip_list["ID"])
        rule(lab, name="By MAC", sourceMACType="mac-list", sourceMACListID=mac_list["ID"])
        fleet = Fleet(Client(transport))
        assert other_users(fleet, IP_LIST, ip_list["ID"], ours) == ["Destination", "Source"]
        assert other_users(fleet, IP_LIST, ip_list["ID"], source) == ["Destination", f"Rule {next(numbers) - 4}"]
        assert other_users(fleet, MAC_LIST, mac_list["ID"], None) == ["By MAC"]
        reason = shared_list(fleet, IP_LIST, ip_list, ours)
    assert reason is not None and reason.startswith("the IP list 'Theirs' (ID ")
    assert "'Destination', 'Source'; name another list in option ip_list_name, or set allow_shared_lists=true" in reason


def test_a_list_of_somebody_else_that_other_rules_use_is_left_alone(lab):
    some = policy(lab)
    theirs = lab.api("POST", "/iplists", {"name": "Theirs", "items": ["192.0.2.0/25"]})
    options = {"policies": [some["ID"]], **RESTRICTION, "ip_list_name": "Theirs"}
    assert run_facet(lab, "firewall_restriction", options, check=True)["failed_targets"] == [], "nobody uses it"
    other = rule(lab, name="Other", sourceIPType="ip-list", sourceIPListID=theirs["ID"])
    result = run_facet(lab, "firewall_restriction", options)
    (failed,) = result["failed_targets"]
    assert failed["name"] == some["name"] and "'Other'; name another list in option ip_list_name" in failed["reason"]
    assert lab.api("GET", f"/iplists/{theirs['ID']}") == theirs and not result["changed"]
    # What need not be changed may be shared.
    same = {**options, "source_ips": ["192.0.2.0/25"]}
    assert run_facet(lab, "firewall_restriction", same, check=True)["failed_targets"] == []
    # Whoever shares the restriction must allow it, in whatever order they are declared.
    facet = {**RESTRICTION, "ip_list_name": "Theirs"}
    both = [
        {
            "name": f"{allowed}",
            "policies": [one["ID"]],
            "firewall_restriction": {**facet, "allow_shared_lists": allowed},
        }
        for one, allowed in ((some, True), (policy(lab), False))
    ]
    for profiles in (both, both[::-1]):
        result = run_profiles(lab, profiles)
        assert len(result["failed_targets"]) == 2 and not result["changed"]
    run_facet(lab, "firewall_restriction", {**options, "allow_shared_lists": True})
    assert lab.api("GET", f"/iplists/{theirs['ID']}")["items"] == ["192.0.2.0/24"]
    assert lab.api("GET", f"/firewallrules/{other}")["sourceIPListID"] == theirs["ID"]


def test_our_own_restriction_of_everybody_must_be_meant(lab):
    some = policy(lab)
    admitted = {"policies": [some["ID"]], "allow_manager_lockout": True}
    for source_ips in (["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0 - 9.255.255.255", "10.0.0.1 - 255.255.255.255"]):  # fmt: skip
        with pytest.raises(OptionError, match="option 'source_ips' .*practically everybody: .*allow_everybody=true"):
            run_facet(lab, "firewall_restriction", {**admitted, "source_ips": source_ips})
    result = run_facet(lab, "firewall_restriction", {**admitted, "source_ips": ["0.0.0.0/0"], "allow_everybody": True})
    assert result["changed"] and "4,294,967,296 IPv4 addresses, more than a /8" in result["warnings"][0]
    wide = {**admitted, "source_ips": ["10.0.0.0/7"]}
    (warning,) = run_facet(lab, "firewall_restriction", wide, check=True)["warnings"]
    assert "33,554,432 IPv4 addresses, more than a /8 of IPv4 or a /32 of IPv6: 10.0.0.0/7" in warning
    assert run_facet(lab, "firewall_restriction", {**wide, "warn_above_ipv4_prefix": 7}, check=True)["warnings"] == []
