# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that talks to the manager: created, changed, undone, each as check, real, check again and real again."""

from __future__ import annotations

import pytest

from tests.integration.in_process import manager_group, run_tasks
from tests.integration.support import RESTRICTION, play, writes

NAMESPACE = "workload_security.agent"
RULE = "Agent port: named sources only"


def overrides(lab, policy):
    """What is set on a policy itself, settings that this collection writes only."""
    found = lab.api("GET", f"/policies/{policy['ID']}", query={"overrides": "true"})
    settings = found.get("policySettings") or {}
    return {
        name.removeprefix("platformSetting"): value["value"]
        for name, value in settings.items()
        if ("Heartbeat" in name or "Direction" in name) and value.get("value")
    }


def plain_policy(lab):
    """A policy without overrides of ours and without macOS computers below it."""
    found = lab.api("POST", "/policies/search", {}, query={"overrides": "true"})["policies"]
    parents = {policy.get("parentID") for policy in found}
    return next(
        policy
        for policy in found
        if policy["ID"] not in parents and "mac" not in policy["name"].lower() and not overrides(lab, policy)
    )


STEPS = {
    "heartbeat": [
        {"interval": 5, "missed_before_alert": 3, "raise_offline_errors_for_inactive_vms": True},
        {"interval": 1, "missed_before_alert": "unlimited", "maximum_clock_change": 30},
        {
            "interval": "inherited",
            "missed_before_alert": "inherited",
            "maximum_clock_change": "inherited",
            "raise_offline_errors_for_inactive_vms": "inherited",
        },
    ],
    "communication_direction": [
        {"direction": "manager_initiated"},
        {"direction": "bidirectional"},
        {"direction": "inherited"},
    ],
    "firewall_restriction": [
        RESTRICTION,
        {**RESTRICTION, "source_ips": ["192.0.2.0/25", "2001:db8::/64"], "source_macs": ["00:11:22:33:44:55"],
         "manager_macs": ["00-11-22-33-44-55"]},
        {"state": "absent"},
    ],
}  # fmt: skip


def wrapped(module, facet, policy, options):
    """The facet's options as the options of its own module, or of a document with one profile."""
    if module == facet:
        return {"policies": [policy], **options}
    return {"profiles": [{"name": "p", "policies": [policy], facet: options}]}


@pytest.mark.slow
@pytest.mark.both_cores
def test_every_module_in_a_playbook(lab, tmp_path):
    """As Ansible runs it: the same results as in the test's own process, on which all other tests rely."""
    target = {"policies": [plain_policy(lab)["name"]]}
    restriction = {**target, **RESTRICTION}
    changing = {
        "agent_initiated_activation": {"ip_list": "Internal IP Ranges"},
        "communication_direction": {**target, "direction": "manager_initiated"},
        "communication_profile": {"profiles": [{"name": "p", **target, "heartbeat": {"interval": 7}}]},
        "communication_document": {"path": str(tmp_path / "captured.yml")},
        "firewall_restriction": restriction,
        "heartbeat": {**target, "interval": 5},
    }
    # After those that read, since it is then that agents were heard from.
    sending = {"policy_sending": {"policies": ["Base Policy"]}}
    reading = {
        "agent_cipher_info": {"minimum_tls": "1.2"},
        "agent_deployment_script_info": {"platform": "linux"},
        "agent_health_info": {"computers_most": 0},
        "communication_fleet_info": {},
        "communication_info": target,
        "computer_info": {"query": "[].hostName"},
        "policy_info": target,
    }
    plan, waves, before = (str(tmp_path / name) for name in ("plan.json", "waves.json", "before.json"))
    profile = {**changing["communication_profile"], "plan_file": plan}
    rolling_out = {
        "rollout_plan": {"plan_file": plan, "waves_file": waves},
        "rollout_gate": {"waves_file": waves, "wave": 1, "before_file": before, "judge": False},
    }
    assert changing.keys() | reading.keys() | sending.keys() | rolling_out.keys() == manager_group()
    tasks = [
        {f"{NAMESPACE}.communication_profile": profile, "check_mode": True},
        *({f"{NAMESPACE}.{module}": options} for module, options in rolling_out.items()),
        *(
            {f"{NAMESPACE}.{module}": options, "check_mode": False, "diff": True}
            for module, options in changing.items()
        ),
        *({f"{NAMESPACE}.{module}": options} for module, options in (reading | sending).items()),
        {f"{NAMESPACE}.heartbeat": {**target, "interval": "x"}},
        {f"{NAMESPACE}.firewall_restriction": {**restriction, "port_list": "Nobody"}},
        {f"{NAMESPACE}.policy_info": {**target, "sorted": True}},
    ]
    expected = run_tasks(lab, tasks).results
    lab.reset()
    for path in tmp_path.glob("*.*"):
        path.unlink()
    played = play(lab, tasks, tmp_path)
    for result in played.results:
        result.pop("exception", None)  # the executor's
    for result in (*played.results, *expected):
        result.pop("read_at", None)  # the clock's
    assert played.results == expected
    assert [result["failed"] for result in expected] == [False] * (len(tasks) - 3) + [True] * 3
    assert [result["changed"] for result in expected] == [True] * 9 + [False] * len(reading) + [True] + [False] * 3


@pytest.mark.both_cores
@pytest.mark.parametrize("facet", STEPS)
@pytest.mark.parametrize("document", [False, True], ids=["facet", "document"])
def test_twelve_steps(lab, facet, document):
    module = "communication_profile" if document else facet
    policy = plain_policy(lab)
    before = lab.api("POST", "/policies/search", {}, query={"overrides": "true"})
    tasks = [
        {f"{NAMESPACE}.{module}": wrapped(module, facet, policy["name"], options), "check_mode": check, "diff": True}
        for options in STEPS[facet]
        for check in (True, False, True, False)
    ]
    played = run_tasks(lab, tasks)
    assert len(played.results) == 12, played.output
    for step in range(3):
        check, real, check_again, real_again = played.results[4 * step : 4 * step + 4]
        assert not any(result.get("failed") for result in (check, real, check_again, real_again)), played.output
        assert check["changed"] and real["changed"]
        assert not check_again["changed"] and not real_again["changed"]
        for part in ("plan", "objects", "diff", "changed_targets", "unchanged_targets"):
            assert check[part] == real[part], part
        assert check["diff"]["before"] != check["diff"]["after"]
        assert check["requests"]["writes"] == 0 == real_again["requests"]["writes"]
        assert real_again["plan"] == [] == real_again["objects"]
        reference = {"type": "policy", "id": policy["ID"], "name": policy["name"]}
        # Another restriction by the same rule changes the rule and its lists; the target keeps the rule that it has.
        assert real["changed_targets"] == ([] if facet == "firewall_restriction" and step == 1 else [reference])
        assert real["objects"] or real["plan"]
    # The last step undid everything: the rule and its lists are gone, and no other policy was touched.
    assert lab.api("POST", "/policies/search", {}, query={"overrides": "true"}) == before
    for kind, envelope in (("firewallrules", "firewallRules"), ("iplists", "ipLists"), ("maclists", "macLists")):
        assert not [item for item in lab.api("GET", f"/{kind}")[envelope] if item["name"].startswith(RULE)]


@pytest.mark.parametrize(
    ("facet", "options", "expected"),
    [
        (
            "heartbeat",
            {"interval": 5, "missed_before_alert": 3, "raise_offline_errors_for_inactive_vms": False},
            {
                "HeartbeatInterval": "5 Minutes",
                "HeartbeatMissedAlertThreshold": "3",
                "HeartbeatInactiveVmOfflineAlertEnabled": "false",
            },
        ),
        ("heartbeat", {"interval": 1, "maximum_clock_change": "unlimited"},
         {"HeartbeatInterval": "1 Minute", "HeartbeatLocalTimeShiftAlertThreshold": "Unlimited"}),
        ("communication_direction", {"direction": "agent_initiated"},
         {"AgentCommunicationsDirection": "Agent/Appliance Initiated"}),
        ("communication_direction", {"direction": "manager_initiated"},
         {"AgentCommunicationsDirection": "Manager Initiated"}),
    ],
)  # fmt: skip
def test_settings_reach_the_manager_in_its_own_words(lab, facet, options, expected):
    policy = plain_policy(lab)
    played = run_tasks(lab, [{f"{NAMESPACE}.{facet}": {"policies": [policy["ID"]], **options}}])
    assert not played.results[0].get("failed"), played.output
    assert overrides(lab, policy) == expected
    assert [(write["method"], write["path"]) for write in writes(lab)] == [("POST", f"/policies/{policy['ID']}")]


def test_the_rule_that_replaces_the_hidden_one(lab):
    policy = plain_policy(lab)
    options = {
        "policies": [policy["name"]],
        "source_ips": ["192.0.2.0/24", "198.51.100.1 - 198.51.100.9"],
        "source_macs": ["00:11:22:33:44:55"],
        "manager_addresses": ["192.0.2.10"],
        "manager_macs": ["00:11:22:33:44:55"],
    }
    tasks = [
        {f"{NAMESPACE}.firewall_restriction": options},
        {f"{NAMESPACE}.communication_info": {"policies": [policy["name"]], "facets": ["firewall_restriction"]}},
    ]
    played = run_tasks(lab, tasks)
    assert not any(result.get("failed") for result in played.results), played.output
    (rule,) = [rule for rule in lab.api("GET", "/firewallrules")["firewallRules"] if rule["name"] == RULE]
    ip_list = lab.api("GET", f"/iplists/{rule['sourceIPListID']}")
    mac_list = lab.api("GET", f"/maclists/{rule['sourceMACListID']}")
    assert {key: rule[key] for key in ("action", "priority", "direction", "frameType", "protocol")} == {
        "action": "bypass",
        "priority": "4",
        "direction": "incoming",
        "frameType": "ip",
        "protocol": "tcp",
    }
    assert (rule["destinationPortType"], rule["destinationPortMultiple"]) == ("multiple", ["4118"])
    assert (rule["sourceIPType"], rule["sourceMACType"]) == ("ip-list", "mac-list")
    assert sorted(ip_list["items"]) == ["192.0.2.0/24", "198.51.100.1 - 198.51.100.9"]
    assert [item.replace(":", "-") for item in mac_list["items"]] == ["00-11-22-33-44-55"]
    described = played.results[1]["targets"][0]["firewall_restriction"]
    (shown,) = [one for one in described["rules"] if one["name"] == RULE]
    assert (shown["replaces_hidden_rule"], shown["basis"], shown["failing_conditions"]) == (True, "all_pages", [])
    assert shown["assigned_here"] and not shown["admits_anybody"]
    assert shown["source_ips"] == ip_list["items"]
    assert described["hidden_rule_replaced"] is True


def test_a_port_list_and_force_allow_rest_on_one_page(lab):
    policy = plain_policy(lab)
    port_list = lab.api("POST", "/portlists", {"name": "Agents", "items": ["80", "4118 # agents"]})
    tasks = [
        {
            f"{NAMESPACE}.firewall_restriction": {
                "policies": [policy["name"]], **RESTRICTION, "port_list": "Agents", "action": "force_allow"
            }
        },
        {f"{NAMESPACE}.communication_info": {"policies": [policy["name"]]}},
        {f"{NAMESPACE}.firewall_restriction": {"policies": [policy["name"]], "state": "absent"}},
        {f"{NAMESPACE}.firewall_restriction": {"policies": [policy["name"]], **RESTRICTION, "port_list": "Nobody"}},
    ]  # fmt: skip
    played = run_tasks(lab, tasks)
    made, shown, undone, failed = played.results
    assert not made.get("failed") and not undone.get("failed"), played.output
    (rule,) = [one for one in shown["targets"][0]["firewall_restriction"]["rules"] if one["name"] == RULE]
    assert (rule["replaces_hidden_rule"], rule["basis"]) == (True, "communication_page")
    assert lab.api("GET", f"/portlists/{port_list['ID']}")["items"], "somebody else's list stays"
    assert failed["failed"] and "port list 'Nobody' does not exist" in failed["msg"]
    assert failed["failed_targets"][0]["name"] == policy["name"] and not failed["changed"]


@pytest.mark.both_cores
def test_reading_modules(lab):
    policy = plain_policy(lab)
    computer = lab.api("GET", "/computers", query={"expand": "none"})["computers"][0]
    tasks = [
        {f"{NAMESPACE}.policy_info": {"query": "[].name"}},
        {f"{NAMESPACE}.policy_info": {"policies": [policy["name"]], "expand": ["settings", "firewall"]}},
        {f"{NAMESPACE}.computer_info": {"query": "length(@)"}},
        {f"{NAMESPACE}.computer_info": {"computers": [computer["ID"]], "expand": ["computerSettings"]}},
        {f"{NAMESPACE}.computer_info": {"computers": ["nobody.example.com"]}},
        {f"{NAMESPACE}.policy_info": {"query": "[?"}},
        {f"{NAMESPACE}.communication_info": {"computers": [computer["ID"]], "policies": [policy["ID"]]}},
    ]
    names, one, count, settings, nobody, broken, communication = run_tasks(lab, tasks).results
    listed = lab.api("GET", "/policies", query={"overrides": "true"})["policies"]
    assert sorted(names["result"]) == sorted(item["name"] for item in listed)
    assert one["policies"][0]["ID"] == policy["ID"] and len(one["policies"][0]["policySettings"]) == 219
    assert "antiMalware" not in one["policies"][0]
    assert count["result"] == 300
    assert len(settings["computers"][0]["computerSettings"]) == 219
    assert nobody["failed"] and "the manager has no computer of that name" in nobody["msg"]
    assert broken["failed"] and broken["failure"] == {"code": "bad_option", "option": "query", "message": broken["msg"]}
    kinds = [(target["type"], target["id"]) for target in communication["targets"]]
    assert kinds == [("policy", policy["ID"]), ("computer", computer["ID"])]
    direction = communication["targets"][0]["communication_direction"]["direction"]
    wire = lab.api("GET", f"/policies/{policy['ID']}/settings/platformSettingAgentCommunicationsDirection")["value"]
    assert direction["override"] is None and direction["inherited_from"]
    assert direction["effective"] == {"Bidirectional": "bidirectional", "Manager Initiated": "manager_initiated"}.get(
        wire, "agent_initiated"
    )
    assert not writes(lab)


def test_queries_of_computers_and_policies(lab):
    """C(query) has the fields of C(computers_query), with the same values, beside those of the API."""
    policy = next(
        one for one in lab.api("GET", "/policies", query={"overrides": "true"})["policies"] if one.get("parentID")
    )
    parent = lab.api("GET", f"/policies/{policy['parentID']}")
    raw = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    mine = next(one for one in raw if one.get("policyID") and one.get("groupID"))
    its_policy = lab.api("GET", f"/policies/{mine['policyID']}")["name"]
    fields = "id, host_name, display_name, platform, agent_version, policy, group, ID, hostName, policyID"
    named = f"[?policy == '{its_policy}'].[{fields}]"
    lab.clear_requests()
    queries = [
        {"query": named},
        {"query": named, "overrides": True},
        {"query": f"[0].[{fields}]", "computers": [mine["hostName"]]},
        {"query": f"[0].[{fields}]", "computers": [mine["hostName"]], "overrides": True},
        {"query": f"[?id == `{mine['ID']}`] | [0]"},
        {"query": "[?computerStatus.agentStatus == 'active'].ID | length(@)", "expand": ["computerStatus"]},
    ]
    played = run_tasks(lab, [{f"{NAMESPACE}.computer_info": options} for options in queries])
    listed, listed_overrides, one, one_overrides, whole, active = [result.get("result") for result in played.results]
    assert {row[0] for row in listed} == {one["ID"] for one in raw if one.get("policyID") == mine["policyID"]}
    (row,) = [row for row in listed if row[0] == mine["ID"]]
    assert row[:6] == [
        mine["ID"], mine["hostName"], mine["displayName"], mine["platform"], mine["agentVersion"], its_policy
    ]  # fmt: skip
    assert row[6] and row[7:] == [mine["ID"], mine["hostName"], mine["policyID"]]
    # Replies with overrides leave out computers that have none; of the others they lack names, which are read elsewhere.
    known = {one[0]: one[:7] for one in listed}
    assert listed_overrides and all(known[one[0]] == one[:7] for one in listed_overrides)
    assert one == row and one_overrides[:7] == row[:7]
    assert whole == {**mine, "id": mine["ID"]}
    assert active > 0
    policies = run_tasks(
        lab,
        [
            {f"{NAMESPACE}.policy_info": {"query": f"[?parent == '{parent['name']}'].[id, name, parentID]"}},
            {f"{NAMESPACE}.policy_info": {"query": "[?parent == ''].name"}},
            {f"{NAMESPACE}.policy_info": {"query": "[0].parent", "policies": [policy["ID"]], "overrides": True}},
        ],
    ).results
    assert [policy["ID"], policy["name"], parent["ID"]] in policies[0]["result"]
    assert policies[1]["result"] == ["Base Policy"] and policies[2]["result"] == parent["name"]
    wrong = [
        ("computer_info", {"query": "[?hostname == 'x']"}, "computers have no field 'hostname'; nearest: 'hostName'"),
        ("computer_info", {"query": "[?policyId == `7`]"}, "computers have no field 'policyId'; nearest: 'policyID'"),
        ("computer_info", {"query": "[?policy == 'Nobody']"}, "the manager has no policy 'Nobody'"),
        ("computer_info", {"query": "[].computerStatus.agentStatus"}, "it is read with expand: [computerStatus] only"),
        ("computer_info", {"query": "[?hostName < `3`]"}, "text can be compared with text"),
        ("computer_info", {"query": "[::0]"}, "step"),
        ("computer_info", {"query": "&hostName"}, "it must return a value of JSON"),
        ("computer_info", {"query": "`1e999`"}, "it must return a value of JSON"),
        ("computer_info", {"computers": []}, "it must name a computer; leave it out for all of them"),
        ("policy_info", {"policies": []}, "it must name a policy; leave it out for all of them"),
        ("policy_info", {"query": "[?Name == 'x']"}, "policies have no field 'Name'; nearest: 'name'"),
        ("policy_info", {"query": "[].policySettings"}, "it is read with expand: [settings] only"),
    ]
    results = run_tasks(lab, [{f"{NAMESPACE}.{module}": options} for module, options, _said in wrong]).results
    for (_module, _options, said), result in zip(wrong, results):
        assert result["failed"] and said in result["msg"] and result["failure"]["code"] == "bad_option", result["msg"]


def test_paths_of_policies_and_of_computers_groups(lab):
    """Each policy comes with its path, and each computer with that of its group; who may not read groups gets null."""
    policies = {one["ID"]: one for one in lab.api("GET", "/policies", query={"overrides": "true"})["policies"]}
    groups = {one["ID"]: one for one in lab.api("GET", "/computergroups")["computerGroups"]}
    leaf = lab.api("POST", "/policies", {"name": "a/b {{ 7*7 }}", "parentID": max(policies)})
    policies[leaf["ID"]] = leaf
    some = next(
        one for one in lab.api("GET", "/computers", query={"expand": "none"})["computers"] if one.get("groupID")
    )
    group = groups[some["groupID"]]
    group_path = f"{groups[group['parentGroupID']]['name']}/{group['name']}"
    alone = lab.api("POST", "/computers", {"hostName": "alone.example.com"})

    def path(policy):
        above = policy.get("parentID")
        return f"{path(policies[above])}/{policy['name']}" if above else policy["name"]

    lab.clear_requests()
    tasks = [
        {f"{NAMESPACE}.policy_info": {}},
        {f"{NAMESPACE}.policy_info": {"policies": [leaf["ID"]], "overrides": True}},
        {f"{NAMESPACE}.policy_info": {"overrides": True}},
        {f"{NAMESPACE}.policy_info": {"query": f"[?path == '{path(leaf)}'].ID"}},
        {f"{NAMESPACE}.computer_info": {}},
        {f"{NAMESPACE}.computer_info": {"computers": [alone["ID"]]}},
        {f"{NAMESPACE}.computer_info": {"query": f"[?group_path == '{group_path}' && group == group_path].ID"}},
    ]
    plain, one, overrides, queried, computers, groupless, in_group = run_tasks(lab, tasks).results
    expected = {number: path(policy) for number, policy in policies.items()}
    assert {policy["ID"]: policy["path"] for policy in plain["policies"]} == expected
    assert {policy["ID"]: policy["path"] for policy in overrides["policies"]} == expected
    assert [policy["path"] for policy in one["policies"]] == [path(leaf)] and path(leaf).endswith("/a/b {{ 7*7 }}")
    assert queried["result"] == [leaf["ID"]]
    with_group = next(computer for computer in computers["computers"] if computer["ID"] == some["ID"])
    assert with_group["group_path"] == group_path and some["ID"] in in_group["result"]
    assert groupless["computers"][0]["group_path"] == ""
    # A path costs a request for groups alone, and none where no computer has one.
    asked = [request["path"].removeprefix("/api") for request in lab.requests()]
    assert asked.count("/policies/search") == 5 and asked.count("/computergroups/search") == 2
    for status in (403, 404):
        lab.add_fault(path="/computergroups", times=0, action={"kind": "status", "status": status})
        (hidden,) = run_tasks(lab, [{f"{NAMESPACE}.computer_info": {"computers": [some["ID"]]}}]).results
        assert not hidden["failed"] and hidden["computers"][0]["group_path"] is None
        lab.clear_faults()


def test_what_may_be_missing_or_nothing(lab):
    some = lab.api("GET", "/policies", query={"overrides": "true"})["policies"][0]["name"]
    tasks = [
        {f"{NAMESPACE}.communication_info": {"policies": f"{some}, Nobody", "allow_missing": True}},
        {f"{NAMESPACE}.communication_info": {"policies": f"{some}, Nobody"}},
        {f"{NAMESPACE}.communication_info": {"computers_query": "[?platform == 'Plan 9']"}},
        {f"{NAMESPACE}.communication_info": {"computers_query": "[?platform == 'Plan 9']", "allow_empty": True}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": "[?group != 'Nowhere']"}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": "[?group != 'Nowhere']", "allow_missing": True}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": "[?platform == 'Plan 9']"}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": "[?platform == 'Plan 9']", "allow_empty": True}},
        {f"{NAMESPACE}.heartbeat": {"policies": [some, "Nobody"], "interval": 5}},
        {f"{NAMESPACE}.heartbeat": {"policies": [some, "Nobody"], "interval": 5, "allow_missing": True}},
    ]
    played = run_tasks(lab, tasks)
    assert [bool(result.get("failed")) for result in played.results] == [
        False, True, True, False, True, False, True, False, True, False
    ], played.output  # fmt: skip
    info, missing, nothing, empty, group, everybody, no_agents, none, refused, written = played.results
    assert [target["name"] for target in info["targets"]] == [some] and empty["targets"] == []
    assert "the result is without policy ' Nobody': the manager has no policy" in info["warnings"][0]
    assert "option 'policies' is ' Nobody': the manager has no policy of that name" in missing["msg"]
    assert "selects none of the 300 computers" in nothing["msg"] and "selects none of the 300" in no_agents["msg"]
    assert "no group of computers 'Nowhere'" in group["msg"] and "'Nowhere'" in everybody["warnings"][0]
    assert everybody["summary"]["computers"] == 300 and none["summary"]["computers"] == 0
    assert refused["failure"] == {"code": "bad_option", "message": refused["msg"], "option": "policies"}
    assert written["changed"] and "'Nobody'" in written["warnings"][0]
    assert len(writes(lab)) == 1


def test_bad_input_is_refused_before_any_request(lab):
    policy = {"policies": ["Base Policy"]}
    tasks = [
        {f"{NAMESPACE}.communication_direction": {**policy, "direction": "sideways"}},
        {f"{NAMESPACE}.heartbeat": {**policy, "interval": 5, "deployment": "cloud"}},
        {f"{NAMESPACE}.firewall_restriction": {**policy, "source_ips": ["192.0.2.0/33"]}},
        {f"{NAMESPACE}.firewall_restriction": {**policy, "source_macs": ["none"]}},
        {f"{NAMESPACE}.firewall_restriction": {**policy, "source_ips": []}},
        {f"{NAMESPACE}.firewall_restriction": {**policy, **RESTRICTION, "port": 0}},
        {f"{NAMESPACE}.firewall_restriction": {**policy, **RESTRICTION, "state": "absent"}},
        {f"{NAMESPACE}.heartbeat": {"computers_query": "[?", "interval": 5}},
        {f"{NAMESPACE}.heartbeat": {"computers_query": "[].platform", "interval": 5}},
        {f"{NAMESPACE}.heartbeat": {**policy, "interval": 5, "url": ""}},
        {f"{NAMESPACE}.heartbeat": {**policy, "interval": 5, "url": "", "region": "mars-1"}},
    ]
    expected = [
        "manager_initiated",
        "in the cloud the manager fixes it",
        "'192.0.2.0/33': it is not an IP address",
        "'none': it is not a MAC address",
        "an empty list would admit nobody",
        "option 'port' is '0'",
        "left out with state=absent",
        "it must be a JMESPath expression",
        "it must return a list of computers",
        "one of url and region is needed",
        "it must be one of ae-1, au-1, ca-1, de-1, gb-1, in-1, jp-1, sg-1, trend-us-1, us-1",
    ]
    played = run_tasks(lab, tasks)
    assert len(played.results) == len(expected), played.output
    for result, text in zip(played.results, expected):
        assert result["failed"] and text in result["msg"]
    assert lab.requests() == []
