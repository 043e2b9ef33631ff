# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents over targets of every kind: what is resolved, refused, planned in order, and warned about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from tests.integration.support import RESTRICTION, changes, names, run_facet, run_profiles, writes
from tests.lab.manager.switches import CHOICES
from tests.lab.replacing_rule import REPLACING

DIRECTION = "platformSettingAgentCommunicationsDirection"
INTERVAL = "platformSettingHeartbeatInterval"


def policies(lab, **query):
    return lab.api("POST", "/policies/search", {}, query=query)["policies"]


def computers(lab):
    return lab.api("GET", "/computers", query={"expand": "none"})["computers"]


def lineage(lab, policy_id):
    known = {policy["ID"]: policy for policy in policies(lab)}
    result = []
    while policy_id:
        result.append(known[policy_id])
        policy_id = known[policy_id].get("parentID")
    return result


def without_mac(lab):
    """A computer that is no Mac, under a policy that reaches no Mac."""
    return next(one for one in computers(lab) if "mac" not in one["platform"].lower() and one.get("policyID"))


def mac(lab):
    return next(one for one in computers(lab) if "macos" in one["platform"].lower() and one.get("policyID"))


def setting(lab, kind, number, name, overrides="false"):
    return lab.api("GET", f"/{kind}/{number}/settings/{name}", query={"overrides": overrides}).get("value")


def test_names_and_ids_host_names_and_display_names(lab):
    listed = computers(lab)
    by_host = next(one for one in listed if one.get("hostName"))
    by_display = next(
        one
        for one in listed
        if one.get("displayName")
        and one["displayName"] not in {other["hostName"] for other in listed}
        and [other.get("displayName") for other in listed].count(one["displayName"]) == 1
        and one["ID"] != by_host["ID"]
    )
    by_id = next(one for one in listed if one["ID"] not in (by_host["ID"], by_display["ID"]))
    result = run_facet(
        lab,
        "heartbeat",
        {"computers": [by_host["hostName"], by_display["displayName"], by_id["ID"]], "interval": "7"},
    )
    assert {target["id"] for target in result["changed_targets"]} == {one["ID"] for one in (by_host, by_display, by_id)}
    assert not any(
        request["path"] == "/computers/search" and "searchCriteria" not in request["body"] for request in lab.requests()
    ), "three computers do not take the whole list"


def test_a_wildcard_in_a_name_is_only_a_character(lab):
    lab.api("POST", "/policies", {"name": "web_1"})
    lab.api("POST", "/policies", {"name": "webx1"})
    for wildcard in ("web%", "web*", "web?1", "we__1"):
        with pytest.raises(OptionError, match="the manager has no policy of that name; nearest: 'web"):
            run_facet(lab, "heartbeat", {"policies": ["web_1", wildcard], "interval": "7"})
    assert not writes(lab)
    result = run_facet(lab, "heartbeat", {"policies": ["web_1"], "interval": "7"})
    assert names(result["changed_targets"]) == {"web_1"}


def refused(lab, profiles, check=False):
    """What is said of a document of which nothing may be written."""
    with pytest.raises(OptionError) as caught:
        run_profiles(lab, [{"heartbeat": {"interval": "7"}, **profile} for profile in profiles], check=check)
    assert not writes(lab)
    str(caught.value).encode()
    return str(caught.value)


@pytest.mark.parametrize("check", [False, True])
def test_everything_that_is_not_found_in_any_profile_is_named_before_the_first_write(lab, check):
    one, other = policies(lab)[:2]
    some = without_mac(lab)
    twin = some["hostName"]
    lab.api("POST", "/computers", {"hostName": twin})
    said = refused(
        lab,
        [
            {"name": "good", "policies": [one["name"]]},
            {
                "name": "a",
                "policies": [other["name"], f"{one['name']}x", 99999],
                "computers": ["gone\u202e.example.com"],
            },
            {"name": "b", "computers": [twin], "computers_query": "[?group == 'Nowhere' || policy == 'Nobody']"},
            {"name": "c", "computers_query": "[?host_name == 'nobody.example.com']"},
        ],
        check,
    )
    assert f"option 'profiles[a].policies': the manager has none of these 2 policies: '{one['name']}x'" in said
    assert f"'{one['name']}x' (nearest: '{one['name']}'" in said and ", ID 99999. " in said
    assert "'profiles[a].computers' is 'gone\\u202e.example.com': the manager has no computer of that name" in said
    assert "What the role of the API key may not see is not found either" in said
    assert f"'profiles[b].computers' is '{twin}': 2 have that name: ID " in said and "Name one by its ID" in said
    assert "'profiles[b].computers_query' is " in said
    assert "the manager has no group of computers 'Nowhere'" in said and "the manager has no policy 'Nobody'" in said
    assert "'profiles[c].computers_query' is '[?host_name == 'nobody.example.com']': it selects none of the 301" in said
    assert "good" not in said


def test_of_many_missing_names_all_are_named_and_few_looked_up(lab):
    gone = [f"gone-{number:03}.example.com" for number in range(250)]
    said = refused(lab, [{"name": "a", "computers": gone}])
    assert "the manager has none of these 250 computers: 'gone-000.example.com'" in said
    assert gone[99] in said and "and 150 more" in said and len(said) < 6000


def test_what_may_be_missing_is_a_warning(lab):
    some = policies(lab)[0]
    document = {
        "name": "a",
        "policies": [some["name"], "Nobody", 99999],
        "computers": ["gone"],
        "computers_query": "[?group != 'Nowhere'] | [:3]",
        "heartbeat": {"interval": "7"},
        "allow_missing": True,
    }
    check = run_profiles(lab, [document], check=True)
    result = run_profiles(lab, [document])
    assert result["warnings"] == check["warnings"] and not result["failed_targets"]
    said = " / ".join(result["warnings"])
    for missing in (
        "2 policies that the manager does not have: 'Nobody', ID 99999",
        "computer 'gone'",
        "group 'Nowhere'",
    ):
        assert missing in said
    assert some["name"] in names(result["changed_targets"]) and len(result["changed_targets"]) == 4
    assert not run_profiles(lab, [document])["changed"]
    # Several of one name, and nothing at all, are something else.
    lab.api("POST", "/computers", {"hostName": "twin.example.com"})
    lab.api("POST", "/computers", {"hostName": "twin.example.com"})
    lab.clear_requests()
    assert "2 have that name" in refused(lab, [{**document, "computers": ["twin.example.com"]}])
    assert "nothing that is named here exists" in refused(
        lab, [{"name": "a", "policies": ["Nobody"], "allow_missing": True}]
    )


def test_of_many_that_may_be_missing_one_warning_tells(lab):
    """One for each profile and kind, and short whatever the names are."""
    gone = [f"gone-{number:03}.example.com" for number in range(100)]
    long = ["\x1b" * 250 + str(number) for number in range(100)]
    common = {"allow_missing": True, "allow_empty": True, "heartbeat": {"interval": "7"}}
    result = run_profiles(
        lab,
        [
            {"name": "a", "policies": ["Base Policy", *gone], "computers": gone, **common},
            {"name": "b" * 1000, "policies": long, "computers": [*range(900_000, 900_100)], **common},
            {"name": "c", "computers_query": " || ".join(f"[?group == '{name}']" for name in gone[:30]), **common},
        ],
        check=True,
    )
    warnings = [warning for warning in result["warnings"] if "is kept without" in warning]
    assert len(warnings) == 5 and all(len(warning) < 1500 for warning in warnings)
    assert warnings[0].startswith(
        "profile 'a' is kept without 100 policies that the manager does not have: 'gone-000.example.com', 'gone-001"
    )
    assert all("and 90 more" in warning for warning in warnings[:4]) and "and 20 more" in warnings[4]


EMPTY = [
    {"computers_query": "[?platform == 'Plan 9']"},
    {"computers_query": "[?platform == 'Plan 9']", "policies": ["Base Policy"]},
    {"policies": []},
    {"policies": ["Nobody"], "allow_missing": True},
    {"computers": [99999], "policies": [], "allow_missing": True},
    {"computers_query": "[?group == 'Nowhere']", "allow_missing": True},
]


@pytest.mark.parametrize("options", EMPTY, ids=str)
def test_what_selects_nothing_fails_unless_told(lab, options):
    assert "allow_empty: true" in refused(lab, [{"name": "a", **options}])
    with pytest.raises(OptionError, match="allow_empty: true"):
        run_facet(lab, "heartbeat", {**options, "interval": "7"})
    result = run_facet(lab, "heartbeat", {**options, "interval": "7", "allow_empty": True}, check=True)
    assert len(result["changed_targets"]) == (1 if "Base Policy" in options.get("policies", ()) else 0)
    assert not result["failed_targets"]


@pytest.mark.parametrize("operator", ["==", "!="])
@pytest.mark.parametrize(("field", "noun"), [("policy", "policy"), ("group", "group of computers")])
def test_a_policy_or_group_that_does_not_exist_is_no_comparison(lab, operator, field, noun):
    real = {
        "policy": policies(lab)[0]["name"],
        "group": "Tokyo/Operations",
    }[field]
    for wrong in (f"{real}s", real.upper()):
        said = refused(lab, [{"name": "a", "computers_query": f"[?{field} {operator} '{wrong}']"}])
        assert f"the manager has no {noun} '{wrong}'; nearest: '{real}'" in said
    for right in (f"{field} {operator} '{real}' || id > `0`", f"{field} {operator} '' || id > `0`"):
        assert run_facet(lab, "heartbeat", {"computers_query": f"[?{right}]", "interval": "7"}, check=True)["changed"]


def test_names_from_text_with_commas_and_numbers_as_text(lab):
    """C("A, B") reaches the module as C("A") and C(" B"), C(7) as C("7")."""
    lab.api("POST", "/policies", {"name": " B"})
    lab.api("POST", "/policies", {"name": "B"})
    one = policies(lab)[0]
    some = without_mac(lab)
    options = {"policies": [f" {one['name']} ", " B"], "computers": [f"\t{some['hostName']}"], "interval": "7"}
    result = run_facet(lab, "heartbeat", options, check=True)
    assert names(result["changed_targets"]) == {one["name"], " B", some["hostName"]}
    lab.api("POST", "/policies", {"name": "4711"})
    number = next(policy["ID"] for policy in policies(lab) if policy["name"] == "4711")
    lab.clear_requests()
    said = refused(lab, [{"name": "a", "policies": [str(one["ID"])]}])
    assert f"the policy '{one['name']}' has that ID: write {one['ID']} as a number" in said
    said = refused(lab, [{"name": "a", "policies": [4711]}])
    assert "of that ID; there is one of that name: write '4711' in quotes" in said and number != 4711
    said = refused(lab, [{"name": "a", "policies": ["nobody\xa0"]}])
    assert "is 'nobody\\xa0': the manager has no policy of that name" in said


def test_a_query_selects_computers(lab):
    expected = {one["ID"] for one in computers(lab) if one["platform"].startswith("Ubuntu")}
    assert expected
    result = run_facet(lab, "heartbeat", {"computers_query": "[?starts_with(platform, 'Ubuntu')]", "interval": "7"})
    assert {target["id"] for target in result["changed_targets"]} == expected
    assert len(writes(lab)) == len(expected)


def test_a_query_knows_policy_and_group(lab):
    some = without_mac(lab)
    policy = next(one for one in policies(lab) if one["ID"] == some["policyID"])
    group = next(one for one in lab.api("GET", "/computergroups")["computerGroups"] if one["ID"] == some["groupID"])
    expected = {
        one["ID"] for one in computers(lab) if one.get("policyID") == policy["ID"] and one.get("groupID") == group["ID"]
    }
    result = run_facet(
        lab,
        "heartbeat",
        {"computers_query": f"[?policy=='{policy['name']}' && ends_with(group, '{group['name']}')]", "interval": "7"},
        check=True,
    )
    assert {target["id"] for target in result["changed_targets"]} >= expected


def test_overlapping_profiles_write_each_target_once(lab):
    one, other = (policy["name"] for policy in policies(lab)[:2])
    result = run_profiles(
        lab,
        [
            {"name": "a", "policies": [one, other], "heartbeat": {"interval": "7"}},
            {"name": "b", "policies": [one], "heartbeat": {"interval": "7", "missed_before_alert": "4"}},
            {"name": "c", "policies": [one], "communication_direction": {"direction": "agent_initiated"}},
        ],
    )
    assert names(result["changed_targets"]) == {one, other}
    assert len(writes(lab)) == 2
    changed = changes(result)
    assert {option: after for option, (_before, after) in changed[("policy", one)].items()} == {
        "interval": 7,
        "missed_before_alert": 4,
        "direction": "agent_initiated",
    }
    assert list(changed[("policy", other)]) == ["interval"]


def test_profiles_that_disagree_are_refused_by_name(lab):
    one, other = policies(lab)[:2]
    with pytest.raises(OptionError, match="'b' and 'c'|'a' and 'c'") as caught:
        run_profiles(
            lab,
            [
                {"name": "a", "policies": [one["ID"]], "heartbeat": {"interval": "7"}},
                {"name": "b", "policies": [other["ID"]], "heartbeat": {"interval": "8"}},
                {"name": "c", "policies": [one["name"]], "heartbeat": {"interval": "9"}},
            ],
        )
    assert f"policy '{one['name']}' (ID {one['ID']})" in str(caught.value)
    assert not writes(lab)


def test_of_many_profiles_that_disagree_some_are_named(lab):
    one = policies(lab)[0]
    profiles = [
        {"name": f"{number} {'long' * 100}", "policies": [one["ID"]], "heartbeat": {"interval": "7"}}
        for number in range(49)
    ]
    said = refused(lab, [*profiles, {"name": "last", "policies": [one["ID"]], "heartbeat": {"interval": "8"}}])
    assert "'0 long" in said and "and 47 more" in said and len(said) < 600


def test_an_equal_inherited_value_counts_only_when_told(lab):
    some = without_mac(lab)
    policy = lineage(lab, some["policyID"])[0]
    lab.api("POST", f"/computers/{some['ID']}", {"computerSettings": {INTERVAL: {"value": ""}}})
    lab.api("POST", f"/policies/{policy['ID']}", {"policySettings": {INTERVAL: {"value": "7 Minutes"}}})
    declared = {"computers": [some["ID"]], "interval": "7"}
    assert not run_facet(lab, "heartbeat", {**declared, "accept_inherited": True})["changed"]
    result = run_facet(lab, "heartbeat", declared)
    assert result["plan"][0]["why"] == (
        f"interval is not set here; 7 is inherited from the policy '{policy['name']}' (ID {policy['ID']})"
    )
    assert setting(lab, "computers", some["ID"], INTERVAL, "true") == "7 Minutes"


def test_a_child_is_planned_with_what_its_parent_will_have(lab):
    some = without_mac(lab)
    policy = lineage(lab, some["policyID"])[0]
    lab.api("POST", f"/computers/{some['ID']}", {"computerSettings": {INTERVAL: {"value": ""}}})
    result = run_profiles(
        lab,
        [
            {"name": "child", "computers": [some["ID"]], "heartbeat": {"interval": "9", "accept_inherited": True}},
            {"name": "parent", "policies": [policy["ID"]], "heartbeat": {"interval": "9"}},
        ],
    )
    assert names(result["changed_targets"]) == {policy["name"]}
    assert setting(lab, "computers", some["ID"], INTERVAL) == "9 Minutes"


@pytest.mark.parametrize("direction", ["bidirectional", "manager_initiated"])
def test_macs_only_initiate(lab, direction):
    some = mac(lab)
    policy = lineage(lab, some["policyID"])[0]
    result = run_profiles(
        lab,
        [
            {
                "name": "a",
                "policies": [policy["ID"]],
                "computers": [some["ID"], without_mac(lab)["ID"]],
                "communication_direction": {"direction": direction},
            }
        ],
    )
    assert {target["id"] for target in result["changed_targets"]} == {without_mac(lab)["ID"]}
    reasons = {one["id"]: one["reason"] for one in result["failed_targets"]}
    assert set(reasons) == {policy["ID"], some["ID"]}
    assert f"computer '{some['hostName']}' (ID {some['ID']})" in reasons[some["ID"]]
    assert "agents on macOS only support agent_initiated" in reasons[policy["ID"]]


def test_a_mac_that_would_inherit_is_protected_and_one_with_an_override_is_not_in_the_way(lab):
    some = mac(lab)
    chain = lineage(lab, some["policyID"])
    for policy in chain[:-1]:
        lab.api("POST", f"/policies/{policy['ID']}", {"policySettings": {DIRECTION: {"value": ""}}})
    base = chain[-1]
    refused = run_facet(lab, "communication_direction", {"policies": [base["ID"]], "direction": "bidirectional"})
    assert [one["id"] for one in refused["failed_targets"]] == [base["ID"]] and not refused["changed"]
    # The same together with a profile that keeps the sub-policy's Macs where they are: nobody is cut off.
    macs = {one["ID"] for one in computers(lab) if "macos" in one["platform"].lower()}
    lab.clear_requests()
    done = run_profiles(
        lab,
        [
            {
                "name": "everybody",
                "policies": [base["ID"]],
                "communication_direction": {"direction": "bidirectional"},
            },
            {
                "name": "macs",
                "computers_query": "[?contains(platform, 'macOS')]",
                "communication_direction": {"direction": "agent_initiated"},
            },
        ],
    )
    assert not done["failed_targets"], done["failed_targets"]
    order = [write["path"] for write in writes(lab)]
    assert order.index(f"/policies/{base['ID']}") == len(order) - 1, "Macs are made safe before their base policy opens"
    for number in macs:
        assert setting(lab, "computers", number, DIRECTION) == "Agent/Appliance Initiated"


def test_a_base_policy_waits_for_the_macs_below_it(lab):
    some = mac(lab)
    chain = lineage(lab, some["policyID"])
    for policy in chain[:-1]:
        lab.api("POST", f"/policies/{policy['ID']}", {"policySettings": {DIRECTION: {"value": ""}}})
    lab.api("POST", f"/computers/{some['ID']}", {"computerSettings": {DIRECTION: {"value": ""}}})
    base = chain[-1]
    lab.add_fault(
        method="POST",
        path=f"^/computers/{some['ID']}$",
        times=0,
        action={"kind": "status", "status": 400, "body": '{"message": "no"}'},
    )
    result = run_profiles(
        lab,
        [
            {"name": "base", "policies": [base["ID"]], "communication_direction": {"direction": "bidirectional"}},
            {
                "name": "macs",
                "computers_query": "[?contains(platform, 'macOS')]",
                "communication_direction": {"direction": "agent_initiated"},
            },
        ],
    )
    failed = {(one["type"], one["id"]) for one in result["failed_targets"]}
    assert failed >= {("policy", base["ID"]), ("computer", some["ID"])}
    assert f"/policies/{base['ID']}" not in [write["path"] for write in writes(lab)]


def test_the_cloud_warns_about_another_direction_and_keeps_its_heartbeat(cloud_lab):
    some = without_mac(cloud_lab)
    options = {"computers": [some["ID"]], "direction": "bidirectional"}
    result = run_facet(cloud_lab, "communication_direction", options, deployment="cloud")
    assert result["changed"]
    (warning,) = result["warnings"]
    assert "strongly recommends keeping agent_initiated" in warning and some["hostName"] in warning
    with pytest.raises(OptionError, match="in the cloud the manager fixes it"):
        run_facet(cloud_lab, "heartbeat", {"computers": [some["ID"]], "interval": "5"}, deployment="cloud")
    offline = {"computers": [some["ID"]], "raise_offline_errors_for_inactive_vms": "true"}
    assert run_facet(cloud_lab, "heartbeat", offline, deployment="cloud")["changed"]
    assert not run_facet(cloud_lab, "heartbeat", offline, deployment="cloud")["changed"]


def test_a_restriction_without_effect_says_so(lab):
    some = lineage(lab, without_mac(lab)["policyID"])[0]
    settings_path = f"/policies/{some['ID']}"
    lab.api("POST", settings_path, {"policySettings": {DIRECTION: {"value": "Agent/Appliance Initiated"}}})
    options = {"policies": [some["ID"]], **RESTRICTION}
    (warning,) = run_facet(lab, "firewall_restriction", options, check=True)["warnings"]
    assert "no effect where agents initiate and do not listen" in warning and some["name"] in warning
    lab.api(
        "POST",
        settings_path,
        {"policySettings": {DIRECTION: {"value": "Bidirectional"}}, "firewall": {"state": "off"}},
    )
    (warning,) = run_facet(lab, "firewall_restriction", options, check=True)["warnings"]
    assert "the firewall is off" in warning
    lab.api(
        "POST",
        settings_path,
        {"policySettings": {"firewallSettingNetworkEngineMode": {"value": "Tap"}}, "firewall": {"state": "on"}},
    )
    (warning,) = run_facet(lab, "firewall_restriction", options, check=True)["warnings"]
    assert "tap mode" in warning
    lab.api("POST", settings_path, {"policySettings": {"firewallSettingNetworkEngineMode": {"value": "Inline"}}})
    assert run_facet(lab, "firewall_restriction", options, check=True)["warnings"] == []


def test_another_rule_that_admits_anybody_is_named(lab):
    some = lineage(lab, without_mac(lab)["policyID"])[0]
    opening = lab.api(
        "POST",
        "/firewallrules",
        {"name": "Everybody", **REPLACING},
    )
    lab.api("POST", f"/policies/{some['ID']}/firewall/assignments", {"ruleIDs": [opening["ID"]]})
    warnings = run_facet(lab, "firewall_restriction", {"policies": [some["ID"]], **RESTRICTION}, check=True)["warnings"]
    assert any("undone by the rule 'Everybody'" in warning for warning in warnings)


def test_absent_deletes_only_what_it_made_and_nobody_uses(lab):
    one, other = (policy for policy in policies(lab)[:2])
    run_facet(lab, "firewall_restriction", {"policies": [one["ID"], other["ID"]], **RESTRICTION})
    partly = run_facet(lab, "firewall_restriction", {"policies": [one["ID"]], "state": "absent"})
    assert names(partly["changed_targets"]) == {one["name"]} and partly["objects"] == []
    wholly = run_facet(lab, "firewall_restriction", {"policies": [other["ID"]], "state": "absent"})
    assert [(item["type"], item["after"]) for item in wholly["objects"]] == [("firewall_rule", None), ("ip_list", None)]
    # A rule that was there before is brought to what is declared, and left where it was when that ends.
    mine = lab.api(
        "POST",
        "/firewallrules",
        {"name": "Ours", "action": "allow", "priority": "0", "direction": "incoming", "description": "by hand"},
    )
    run_facet(lab, "firewall_restriction", {"policies": [one["ID"]], "rule_name": "Ours", **RESTRICTION})
    changed = lab.api("GET", f"/firewallrules/{mine['ID']}")
    assert (changed["action"], changed["priority"], changed["description"]) == ("bypass", "4", "by hand")
    run_facet(lab, "firewall_restriction", {"policies": [one["ID"]], "rule_name": "Ours", "state": "absent"})
    assert lab.api("GET", f"/firewallrules/{mine['ID']}")["name"] == "Ours"


def test_check_mode_needs_no_right_to_write(lab):
    some = policies(lab)[0]
    document = [
        {
            "name": "a",
            "policies": [some["ID"]],
            "heartbeat": {"interval": "7"},
            "firewall_restriction": RESTRICTION,
        }
    ]
    planned = run_profiles(lab, document, check=True, api_key=lab.read_only_api_key)
    assert planned["changed"] and not planned["failed_targets"]
    refused = run_profiles(lab, document, api_key=lab.read_only_api_key)
    assert not refused["changed"] and {
        one["failure"]["code"] for one in refused["failed_targets"] if one["failure"]
    } == {"forbidden"}


INTERVALS = st.sampled_from(["inherited", "1", "5", "10", "60"])
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "heartbeat": st.fixed_dictionaries(
            {"interval": INTERVALS},
            optional={
                "missed_before_alert": st.sampled_from(["inherited", "2", "unlimited"]),
                "raise_offline_errors_for_inactive_vms": st.sampled_from(["inherited", "true", "false"]),
                "accept_inherited": st.booleans(),
            },
        ),
        "communication_direction": st.fixed_dictionaries(
            {"direction": st.sampled_from(["agent_initiated", "bidirectional", "inherited"])},
            optional={"accept_inherited": st.booleans()},
        ),
        "firewall_restriction": st.sampled_from(
            [RESTRICTION, {**RESTRICTION, "accept_inherited": True}, {"state": "absent"}]
        ),
    },
).filter(bool)


@settings(max_examples=20)
@given(st.lists(st.lists(WISHES, min_size=1, max_size=3), min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_check_mode_predicts_and_a_second_run_changes_nothing(lab, documents, random):
    """Any document, and any other on what it left."""
    lab.reset()
    targets = [("policies", policy["ID"]) for policy in policies(lab)]
    targets += [("computers", computer["ID"]) for computer in computers(lab)[:60]]
    random.shuffle(targets)
    for wishes in documents:
        profiles = []
        for number, wish in enumerate(wishes):
            mine = targets[number * 6 : number * 6 + 6]
            chosen = {kind: [key for one, key in mine if one == kind] for kind in ("policies", "computers")}
            profiles.append({"name": f"p{number}", **{kind: keys for kind, keys in chosen.items() if keys}, **wish})
        try:
            check = run_profiles(lab, profiles, check=True)
        except OptionError:
            continue
        real = run_profiles(lab, profiles)
        for part in ("changed", "plan", "objects", "diff", "changed_targets", "unchanged_targets", "failed_targets"):
            assert real[part] == check[part], part
        again = run_profiles(lab, profiles)
        assert (again["changed"], again["plan"], again["objects"], again["requests"]["writes"]) == (False, [], [], 0)
        assert again["failed_targets"] == real["failed_targets"]


def test_a_virtual_appliance_that_would_initiate_is_named(lab):
    appliance = {"platform": "Deep Security Virtual Appliance"}
    policy = lab.api("POST", "/policies", {"name": "Appliances"})["ID"]
    below = lab.api("POST", "/computers", {"hostName": "dsva-1.example.com", "policyID": policy, **appliance})["ID"]
    alone = lab.api("POST", "/computers", {"hostName": "dsva-2.example.com", **appliance})["ID"]
    wish = {"direction": "agent_initiated"}
    result = run_facet(lab, "communication_direction", {"policies": ["Appliances"], "computers": [alone], **wish})
    (warning,) = [warning for warning in result["warnings"] if "appliance" in warning]
    for number, name in ((below, "dsva-1.example.com"), (alone, "dsva-2.example.com")):
        assert f"computer '{name}' (ID {number})" in warning
    # One that keeps what it needs is not.
    run_facet(lab, "communication_direction", {"computers": [below], "direction": "bidirectional"})
    run_facet(lab, "communication_direction", {"policies": ["Appliances"], "direction": "inherited"})
    result = run_facet(lab, "communication_direction", {"policies": ["Appliances"], **wish})
    assert not [warning for warning in result["warnings"] if "appliance" in warning]


@pytest.mark.parametrize("listed", CHOICES["rule_ids_with_overrides"])
def test_a_rule_that_many_inherit_goes_with_its_policy(lab, listed):
    """Whether one of them has it assigned, too, pages may only tell when the policy has let go of it."""
    lab.switch(rule_ids_with_overrides=listed)
    policy = lab.api("POST", "/policies", {"name": "Many"})["ID"]
    for number in range(15):
        lab.api("POST", "/computers", {"hostName": f"many-{number}.example.com", "policyID": policy})
    one = {"policies": [policy], **RESTRICTION}
    for holder in (None, "many-7.example.com"):
        run_facet(lab, "firewall_restriction", one)
        if holder:
            run_facet(lab, "firewall_restriction", {"computers": [holder], **RESTRICTION})
        result = run_facet(lab, "firewall_restriction", {"policies": [policy], "state": "absent"})
        assert result["failed_targets"] == [] and names(result["changed_targets"]) == {"Many"}
        gone = {(item["type"], item["after"]) for item in result["objects"]}
        assert gone == (set() if holder else {("firewall_rule", None), ("ip_list", None)})
        again = run_facet(lab, "firewall_restriction", {"policies": [policy], "state": "absent"})
        assert not again["changed"] and again["requests"]["writes"] == 0
