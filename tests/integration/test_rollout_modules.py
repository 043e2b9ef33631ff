# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rollout_plan and rollout_gate: waves of a real plan, and agents that are judged by a clock that never really waits."""

from __future__ import annotations

import datetime
import json
import os
import re
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.workload_security.agent.plugins.filter.preflight import preflight
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.module_utils._task.rollout_gate import (
    GATE_ARGUMENTS,
    GateAsked,
    pass_gate,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import manager_subnets
from tests.gates.environments import ROOT
from tests.integration.captured import CAPTURE, capture, read
from tests.integration.in_process import run_tasks
from tests.integration.scene import RULE, Truth
from tests.integration.support import RESTRICTION, LabClock, connection, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.settings import DIRECTION, HEARTBEAT_INTERVAL
from tests.lab.replacing_rule import REPLACING

PROFILE = "workload_security.agent.communication_profile"
INFO = "workload_security.agent.communication_info"
PLAN, GATE = "workload_security.agent.rollout_plan", "workload_security.agent.rollout_gate"


@pytest.fixture
def alive(lab: LabManager) -> LabManager:
    """A lab whose agents beat."""
    lab.let_live()
    return lab


def agents(lab: LabManager, many: int) -> list[dict[str, t.Any]]:
    """Some computers with an agent, no Macs."""
    listed = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    return [one for one in listed if one["agentVersion"] != "0.0.0.0" and "macOS" not in one["platform"]][:many]


def waves_of(
    lab: LabManager, folder: Path, profiles: list[dict[str, t.Any]], **options: t.Any
) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """The result of cutting the plan of a document, and the waves in the file."""
    plan, path = str(folder / "plan.json"), folder / "waves.json"
    tasks = [
        {PROFILE: {"profiles": profiles, "plan_file": plan}, "check_mode": True},
        {PLAN: {"plan_file": plan, "waves_file": str(path), **options}},
    ]
    planned, result = run_tasks(lab, tasks).results
    assert not planned["failed"], planned
    return result, json.loads(path.read_text())["waves"] if path.exists() else []


def snapshot_of(folder: Path) -> tuple[dict[str, t.Any], t.Callable[..., dict[str, t.Any]]]:
    """The task that keeps what is set on the targets of the waves, and one that takes the plan back to that."""
    path = folder / "snapshot.yml"
    targets = json.loads((folder / "waves.json").read_text())["targets"]

    def back(**options: t.Any) -> dict[str, t.Any]:
        held = read(path.read_text())
        undeclared, scope = held["communication_undeclared"], held["communication_scope"]
        profiles = held["communication_profiles"]
        undo_plan = str(folder / "plan.json")
        given = {"profiles": profiles, "undeclared": undeclared, "scope": scope, "undo_plan": undo_plan}
        return {PROFILE: {**given, **options}}

    return {CAPTURE: {"path": str(path), "complete": True, **targets}}, back


def test_a_plan_is_cut_into_waves_and_nothing_is_written_to_the_manager(alive, tmp_path):
    chosen = agents(alive, 40)
    ids = [one["ID"] for one in chosen]
    policy = alive.api("GET", "/policies", query={"overrides": "true"})["policies"][-1]["ID"]
    below = [one["ID"] for one in alive.api("GET", "/computers", query={"expand": "none"})["computers"]
             if one.get("policyID") == policy]  # fmt: skip
    profiles = [
        {"name": "a", "computers": ids, "heartbeat": {"interval": 7}},
        {"name": "b", "policies": [policy], "communication_direction": {"direction": "agent_initiated"}},
    ]
    alive.clear_requests()
    hosts = [["web", "", chosen[0]["hostName"].upper()], ["nobody"]]
    pilot = {"name": "pilot", "computers": ids[3:5]}
    result, waves = waves_of(alive, tmp_path, profiles, waves=[pilot, 1, "50 %"], hosts=hosts)
    assert not result["failed"] and writes(alive) == []
    assert [len(wave["computers"]) for wave in waves[:4]] == [2, 1, 18, 19]
    assert waves[0]["computers"] == sorted(ids[3:5])
    assert sorted(number for wave in waves for number in wave["computers"]) == sorted(ids)
    (last,) = [wave for wave in waves if wave["policies"]]
    assert last["policies"] == [policy] and set(below) <= set(last["concerned"])
    assert result["waves"][0] == {"name": "pilot", "policies": 0, "computers": 2, "concerned": 2, "judged": 2,
                                  "everything": False, "blind": False, "kind": "plan"}  # fmt: skip
    (host,) = result["hosts"]
    assert (host["name"], host["computer_id"], host["questions"]) == ("web", ids[0], [])
    assert [wave["hosts"] for wave in waves if ids[0] in wave["concerned"]] == [[host]]
    assert "nobody" in result["warnings"][-1]
    again, same = waves_of(alive, tmp_path, profiles, waves=[pilot, 1, "50 %"], hosts=hosts)
    assert same == waves and not again["changed"]


def test_what_the_plan_brings_is_what_hosts_are_asked(alive, tmp_path):
    chosen = agents(alive, 2)
    names = [[one["hostName"]] for one in chosen]
    profiles = [
        {"name": "a", "computers": [chosen[0]["ID"]], "communication_direction": {"direction": "agent_initiated"}},
        {"name": "b", "computers": [chosen[1]["ID"]], "firewall_restriction": RESTRICTION},
    ]
    result, waves = waves_of(alive, tmp_path, profiles, hosts=names)
    asked = {host["computer_id"]: (host["direction"], host["questions"]) for host in result["hosts"]}
    assert asked[chosen[0]["ID"]] == ("agent_initiated", ["agent_initiated"])
    assert asked[chosen[1]["ID"]][1] == ["firewall_restriction"]
    assert result["restriction"] == {**RESTRICTION, "region": None}
    # Of whom a snapshot is to be kept.
    targets = json.loads((tmp_path / "waves.json").read_text())["targets"]
    assert targets == {"policies": [], "computers": sorted(one["ID"] for one in chosen)}


def test_windows_hosts_are_checked_against_their_own_heartbeat(alive, tmp_path, monkeypatch):
    """With what the role asks the manager for: of ten minutes, which is the default, this agent would be silent."""
    tasks = yaml.safe_load((ROOT / "roles" / "rollout" / "tasks" / "preflight.yml").read_text(encoding="utf-8"))
    (facets,) = [task[INFO]["facets"] for task in tasks if INFO in task]
    listed = alive.api("GET", "/computers", query={"expand": "none"})["computers"]
    (number, *_others) = [
        one["ID"] for one in listed if "Windows" in one["platform"] and one["agentVersion"] != "0.0.0.0"
    ]
    values = {HEARTBEAT_INTERVAL: {"value": "60 Minutes"}, DIRECTION: {"value": "Bidirectional"}}
    alive.api("POST", f"/computers/{number}", {"computerSettings": values})
    (said,) = run_tasks(alive, [{INFO: {"computers": [number], "facets": facets}}]).results
    (target,) = said["targets"]
    heard = datetime.datetime.fromisoformat(target["last_agent_communication"]).timestamp()
    monkeypatch.setattr(time, "time", lambda: heard + 90 * 60)
    # And at the gate, where it cannot be asked either, the manager's word is all there is.
    profiles = [{"name": "a", "computers": [number], "communication_direction": {"direction": "agent_initiated"}}]
    result, waves = waves_of(alive, tmp_path, profiles, hosts=[[target["name"]]])
    assert [host["computer_id"] for host in result["hosts"]] == [number] and waves[0]["hosts"] == []
    answer = preflight({"web": {"names": [target["name"]]}}, said)["hosts"][0]["agent_initiated"]
    assert answer["answer"] == "yes" and "90 minutes ago" in answer["reasons"][0], answer


def test_agents_that_only_answer_are_to_initiate_while_they_listen_first(alive, tmp_path):
    """Those that a policy or they themselves make switch; not those that initiate already, nor what reaches a Mac."""
    calls = {"policySettings": {DIRECTION: {"value": "Manager Initiated"}}}
    policies = [alive.api("POST", "/policies", {"name": name, "parentID": 1, **calls})["ID"] for name in "abc"]
    mac = next(
        one for one in alive.api("GET", "/computers", query={"expand": "none"})["computers"]
        if "macOS" in one["platform"] and one["agentVersion"] != "0.0.0.0"
    )["ID"]  # fmt: skip
    below, own, both, above_mac = [one["ID"] for one in agents(alive, 4)]
    nothing = {name: {"value": ""} for name in (DIRECTION, HEARTBEAT_INTERVAL)}
    for number, policy in ((below, 0), (own, 1), (both, 1), (above_mac, 2), (mac, 2)):
        alive.api("POST", f"/computers/{number}", {"policyID": policies[policy], "computerSettings": nothing})
    for number, direction in ((both, "Bidirectional"), (mac, "Agent/Appliance Initiated")):
        alive.api("POST", f"/computers/{number}", {"computerSettings": {DIRECTION: {"value": direction}}})
    alive.clear_requests()
    switch = {"communication_direction": {"direction": "agent_initiated"}}
    profiles = [{"name": "all", "policies": [policies[0], policies[2]], "computers": [own, both], **switch}]
    _result, waves = waves_of(alive, tmp_path, profiles)
    rehearsed = [wave["rehearsal"] for wave in waves if wave["rehearsal"]]
    for kind, wanted in (("policies", [policies[0]]), ("computers", [own])):
        for key, direction in (("profiles", "bidirectional"), ("back", None)):
            found = [profile for one in rehearsed for profile in one[key] if profile[kind]]
            assert [profile[kind] for profile in found] == [wanted], (kind, key)
            before = "manager_initiated" if kind == "policies" else "inherited"
            assert found[0]["communication_direction"] == {"direction": direction or before}
    assert sorted(number for one in rehearsed for number in one["judged"]) == sorted([below, own])
    assert writes(alive) == []


def below(lab: LabManager, many: int) -> tuple[int, list[int]]:
    """A new policy and as many agents as are right below it."""
    policy = lab.api("POST", "/policies", {"name": "Tried"})["ID"]
    ids = [one["ID"] for one in agents(lab, many)]
    for number in ids:
        lab.api("POST", f"/computers/{number}", {"policyID": policy})
    return policy, ids


def test_what_a_policy_changes_is_tried_on_computers_below_it_first(alive, tmp_path):
    policy, ids = below(alive, 5)
    facets = {
        "heartbeat": {"interval": 7, "raise_offline_errors_for_inactive_vms": True},
        "firewall_restriction": {**RESTRICTION, "accept_inherited": True},
    }
    profile = {"name": "a", "policies": [policy], "try_on": {"computers": ids[1:4]}, **facets}
    result, waves = waves_of(alive, tmp_path, [profile], waves=[1])
    assert not result["failed"], result
    kinds = [(one["kind"], one["policies"], len(one["computers"])) for one in waves]
    assert kinds == [("trial", [], 1), ("trial", [], 2), ("plan", [policy], 0), ("end of trial", [], 3)]
    assert [one["kind"] for one in result["waves"]] == [kind for kind, _policies, _computers in kinds]
    assert all(one["judged"] == one["concerned"] for one in waves)
    held = json.loads((tmp_path / "waves.json").read_text())
    # A snapshot has them, too.
    assert held["targets"] == {"policies": [policy], "computers": sorted(ids[1:4])}
    trial, plan = str(tmp_path / "trial.json"), str(tmp_path / "plan.json")
    before = Truth.of(alive)
    planned, tried = run_tasks(
        alive,
        [
            {PROFILE: {"profiles": held["trial"]["profiles"], "plan_file": trial}, "check_mode": True},
            {PROFILE: {"apply_plan": trial}},
        ],
    ).results
    assert planned["digest"] == tried["digest"] and tried["changed"]
    written = Truth.of(alive)
    assert {part[:2] for part in written.parts_changed_since(before)} == {("computer", number) for number in ids[1:4]}
    # The plan itself is still the one that was reviewed; then the computers inherit what they had tried.
    applied, ended, again = run_tasks(
        alive,
        [
            {PROFILE: {"apply_plan": plan}},
            *[{PROFILE: {"profiles": held["trial"]["end"], "undo_plan": trial}}] * 2,
        ],
    ).results
    assert applied["changed"] and ended["changed"] and not again["changed"], (applied, ended)
    assert (applied["failed"], ended["left_alone"]) == (False, [])
    after = Truth.of(alive)
    assert {part[:2] for part in after.parts_changed_since(before)} == {("policy", policy)}
    tried_values = written.targets["computer", ids[1]]
    for part in {part for _kind, _id, part in after.parts_changed_since(before)}:
        assert after.targets["policy", policy][part] == tried_values[part]
    # With nothing left to change, nothing is tried.
    again, waves = waves_of(alive, tmp_path, [profile], waves=[1])
    assert not again["failed"] and waves == []


@pytest.mark.parametrize(
    ("sample", "more", "many"),
    [(1, {}, 1), ("60 %", {}, 3), (99, {}, 4), ("100 %", {"computers": [0, 1]}, 2), (1, {"computers": [3]}, 1)],
)
def test_a_trial_takes_a_fair_sample_of_those_on_which_it_can_be_tried(alive, tmp_path, sample, more, many):
    policy, ids = below(alive, 5)
    # Who has the value already, and who is elsewhere, is passed over.
    alive.api("POST", f"/computers/{ids[4]}", {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    if sample == 99:
        alive.api("POST", f"/computers/{ids[4]}", {"policyID": alive.api("POST", "/policies", {"name": "X"})["ID"]})
    chosen = {option: [ids[number] for number in numbers] for option, numbers in more.items()}
    profile = {"name": "a", "policies": [policy], "heartbeat": {"interval": 7}}
    profiles = [{**profile, "try_on": {"sample": sample, **chosen}}]
    result, waves = waves_of(alive, tmp_path, profiles, waves=["100 %"])
    assert not result["failed"], result
    tried = [number for wave in waves if wave["kind"] == "trial" for number in wave["computers"]]
    assert len(tried) == many and set(tried) <= set(chosen.get("computers", ids[:4]))
    again, same = waves_of(alive, tmp_path, profiles, waves=["100 %"])
    assert same == waves and not again["changed"]


def test_agents_that_only_answer_initiate_in_a_trial_after_a_rehearsal(alive, tmp_path):
    """And those that have done so are not asked again when their policy is rehearsed."""
    policy, ids = below(alive, 3)
    alive.api("POST", f"/policies/{policy}", {"policySettings": {DIRECTION: {"value": "Manager Initiated"}}})
    profile = {"name": "a", "policies": [policy], "communication_direction": {"direction": "agent_initiated"}}
    result, waves = waves_of(alive, tmp_path, [{**profile, "try_on": {"computers": ids[:1]}}], waves=["100 %"])
    assert not result["failed"], result
    trial, plan, end = waves
    assert (trial["kind"], plan["kind"], end["kind"]) == ("trial", "plan", "end of trial")
    (tried,), (back,) = trial["rehearsal"]["profiles"], trial["rehearsal"]["back"]
    for held, direction in ((tried, "bidirectional"), (back, "inherited")):
        assert (held["policies"], held["computers"]) == ([], ids[:1])
        assert held["communication_direction"] == {"direction": direction}
    assert trial["rehearsal"]["judged"] == ids[:1] and end["rehearsal"] is None
    assert sorted(plan["rehearsal"]["judged"]) == sorted(ids[1:])
    # Once all of them have done so, nobody is left to ask.
    _result, waves = waves_of(alive, tmp_path, [{**profile, "try_on": {"sample": "100 %"}}], waves=["100 %"])
    assert [bool(wave["rehearsal"]) for wave in waves] == [True, False, False]
    # A trial of something else is no reason.
    profiles = [
        {"name": "a", "policies": [policy], "try_on": {"computers": ids[:1]}, "heartbeat": {"interval": 7}},
        {"name": "b", "computers": ids[:1], "communication_direction": {"direction": "agent_initiated"}},
    ]
    _result, waves = waves_of(alive, tmp_path, profiles, waves=["100 %"])
    assert [(wave["kind"], bool(wave["rehearsal"])) for wave in waves] == [
        ("trial", False), ("plan", True), ("plan", False), ("end of trial", False)
    ]  # fmt: skip


def test_a_rehearsal_takes_back_what_it_has_set_and_nothing_else(alive, tmp_path):
    """As the role does: the plan that was kept tells what is its own, also after it was interrupted and begun again."""
    policy, (first, second) = below(alive, 2)
    calls = {DIRECTION: {"value": "Manager Initiated"}}
    alive.api("POST", f"/policies/{policy}", {"policySettings": calls})
    alive.api("POST", f"/computers/{second}", {"computerSettings": calls})
    switch = {"communication_direction": {"direction": "agent_initiated"}}
    profiles = [{"name": "a", "policies": [policy], "computers": [second], **switch}]
    _result, waves = waves_of(alive, tmp_path, profiles, waves=["100 %"])
    before = Truth.of(alive)
    for number, wave in enumerate(waves):
        rehearsal, kept = wave["rehearsal"], str(tmp_path / f"{number}.json")
        begun = {PROFILE: {"profiles": rehearsal["profiles"], "plan_file": kept}}
        again = {PROFILE: {"apply_plan": kept}}
        assert [one["changed"] for one in run_tasks(alive, [begun, again]).results] == [True, False]
    assert len(Truth.of(alive).parts_changed_since(before)) == 2
    # Somebody else decides otherwise for the policy.
    alive.api("POST", f"/policies/{policy}", {"policySettings": {DIRECTION: {"value": "Agent/Appliance Initiated"}}})
    decided = Truth.of(alive)
    left_alone = []
    for number, wave in enumerate(waves):
        options = {"profiles": wave["rehearsal"]["back"], "undo_plan": str(tmp_path / f"{number}.json")}
        ended, again = run_tasks(alive, [{PROFILE: options}] * 2).results
        assert not ended["failed"] and not again["changed"], ended
        left_alone += ended["left_alone"]
    assert [(one["type"], one["id"]) for one in left_alone] == [("policy", policy)]
    after = Truth.of(alive)
    assert {part[:2] for part in after.parts_changed_since(before)} == {("policy", policy)}
    assert {part[:2] for part in after.parts_changed_since(decided)} == {("computer", second)}


def test_a_captured_document_keeps_what_it_is_tried_on(alive, tmp_path):
    policy, ids = below(alive, 2)
    path = tmp_path / "fleet.yml"
    profile = {"name": "a", "policies": [policy], "try_on": {"sample": "50 %"}, "heartbeat": {"interval": 7}}
    path.write_text(f"---\ncommunication_profiles: {json.dumps([profile])}\n")
    alive.api("POST", f"/policies/{policy}", {"policySettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    captured = capture(alive, path, policies=[policy], computers=ids)
    (held,) = [one for one in read(path.read_text())["communication_profiles"] if one["name"] == "a"]
    assert captured["changed"] and held["try_on"] == {"sample": "50 %"} and held["heartbeat"] == {"interval": 9}
    assert not capture(alive, path, policies=[policy], computers=ids)["changed"]
    # And is a document that can be rolled out.
    held["heartbeat"]["interval"] = 8
    _result, waves = waves_of(alive, tmp_path, [held], waves=["100 %"])
    assert [wave["kind"] for wave in waves] == ["trial", "plan", "end of trial"]


def test_the_trial_of_a_rule_leaves_nothing_behind(alive, tmp_path):
    policy, ids = below(alive, 2)
    profile = {"name": "a", "policies": [policy], "try_on": {"computers": ids}, "firewall_restriction": RESTRICTION}
    waves_of(alive, tmp_path, [profile])
    held, before = json.loads((tmp_path / "waves.json").read_text()), Truth.of(alive)
    trial = str(tmp_path / "trial.json")
    tasks = [
        {PROFILE: {"profiles": held["trial"]["profiles"], "plan_file": trial}},
        {PROFILE: {"profiles": held["trial"]["end"], "undo_plan": trial}},
    ]
    assert [one["changed"] for one in run_tasks(alive, tasks).results] == [True, True]
    assert Truth.of(alive) == before


@pytest.mark.parametrize(
    ("prepare", "change", "told"),
    [
        ("", {"try_on": {"computers": ["nobody"]}}, "'profiles[a].try_on.computers' is 'nobody'"),
        ("", {"try_on": {}}, "'profiles[a].try_on': targets must be chosen"),
        ("", {"try_on": {"computers": []}}, "'profiles[a].try_on': targets must be chosen"),
        ("", {"try_on": {"count": 3}}, "count"),
        ("", {"policies": None, "computers": [1]}, "'profiles[a].try_on': it must be left out if the profile has no"),
        ("elsewhere", {}, "is below no policy of the profile"),
        ("silent", {}, "was silent, and cannot be judged"),
        ("own", {}, "interval of the computer '.*' (ID .*) is set on the computer"),
        ("between", {}, "interval of the computer '.*' (ID .*) is set on the policy 'Between'"),
        ("", {"try_on": {"sample": 0}}, "'profiles[a].try_on.sample' is '0': it must be a number of computers"),
        ("", {"try_on": {"sample": "200 %"}}, "no more than 100 %"),
        ("", {"try_on": {"sample": "some"}}, "'profiles[a].try_on.sample' is 'some'"),
        ("", {"try_on": {"sample": 1, "computers": []}}, "'profiles[a].try_on': targets must be chosen"),
        (
            "own",
            {"try_on": {"sample": "51 %"}},
            "'profiles[a].try_on.sample' is '51 %': of 2 computers, it takes 2, and the change can be tried on 1 of them; of"
            " another one, it must be computers on which the change can be tried, and interval of the computer",
        ),
        ("declared", {}, "a profile declares heartbeat of it"),
        ("twice", {}, "another profile is tried on it, too"),
        ("set", {"heartbeat": {"interval": "inherited"}}, "interval of the policy 'Tried' .* goes back to what is set above"),
        ("rule", {"firewall_restriction": RESTRICTION}, "also keeps the rules that it has for the agents' port: 'Old'"),
        ("rule", {"firewall_restriction": {"state": "absent", "rule_name": "Old"}}, "cannot lose the rule 'Old'"),
        ("list", {"firewall_restriction": RESTRICTION}, "would change for all targets that have it"),
    ],
)  # fmt: skip
def test_a_trial_that_would_not_show_what_the_policy_does_is_an_error(alive, tmp_path, prepare, change, told):
    policy, (number, _other) = below(alive, 2)
    profile = {"name": "a", "policies": [policy], "try_on": {"computers": [number]}, "heartbeat": {"interval": 7}}
    profile = {key: value for key, value in {**profile, **change}.items() if value is not None}
    more = []
    if prepare == "elsewhere":
        alive.api("POST", f"/computers/{number}", {"policyID": alive.api("POST", "/policies", {"name": "X"})["ID"]})
    elif prepare == "silent":
        alive.let_live([number], beats=False)
        alive.advance(36000)
    elif prepare == "own":
        alive.api("POST", f"/computers/{number}", {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "7 Minutes"}}})
    elif prepare == "between":
        between = alive.api("POST", "/policies", {"name": "Between", "parentID": policy})["ID"]
        alive.api("POST", f"/policies/{between}", {"policySettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
        alive.api("POST", f"/computers/{number}", {"policyID": between})
    elif prepare == "set":
        alive.api("POST", f"/policies/{policy}", {"policySettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    elif prepare == "declared":
        more = [{"name": "b", "computers": [number], "heartbeat": {"missed_before_alert": 4}}]
    elif prepare == "twice":
        more = [{**profile, "name": "b", "heartbeat": {"missed_before_alert": 4}}]
    elif prepare == "rule":
        body = {"name": "Old", **REPLACING, "sourceIPType": "single", "sourceIPValue": "192.0.2.10"}
        old = alive.api("POST", "/firewallrules", body)["ID"]
        alive.api("POST", f"/policies/{policy}/firewall/assignments", {"ruleIDs": [old]})
    elif prepare == "list":
        alive.api("POST", "/iplists", {"name": f"{RULE} (IPs)", "items": ["192.0.2.77"]})
    plan = str(tmp_path / "plan.json")
    planned, result = run_tasks(
        alive,
        [
            {PROFILE: {"profiles": [profile, *more], "plan_file": plan}, "check_mode": True},
            {PLAN: {"plan_file": plan, "waves_file": str(tmp_path / "waves.json")}},
        ],
    ).results
    failed = planned if planned["failed"] else result
    assert re.search(re.escape(told).replace(r"\.\*", ".*"), failed["msg"]), failed["msg"]
    assert not (tmp_path / "waves.json").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"waves": []}, "option 'waves' is '[]': it must hold at least one wave"),
        ({"waves": ["many"]}, "option 'waves[0]' is 'many': it must be a number of computers"),
        ({"waves": [{"name": "x"}]}, "option 'waves[0]': targets must be chosen"),
        ({"waves": [{"computers": [1]}]}, "option 'waves[0]': it must be a name and targets"),
        ({"waves": [{"name": " ", "computers": [1]}]}, "option 'waves[0].name' is ' '"),
        ({"waves": [{"name": "x", "computers": ["nobody"]}]}, "option 'waves[0].computers' is 'nobody'"),
        ({"waves": [{"name": "x", "computers": [1]}] * 2}, "it must be a name that no other wave has"),
        ({"hosts": [[""]]}, "option 'hosts[0]'"),
        *(
            (
                {"max_silent_percentage": most},
                f"option 'max_silent_percentage' is '{most}': it must be a percentage of agents, from 0 to 100",
            )
            for most in (-1, 101)
        ),
        ({"plan_file": "/nowhere"}, "option 'plan_file' is '/nowhere'"),
        (
            {"waves_file": "/nowhere/waves.json"},
            "option 'waves_file' is '/nowhere/waves.json': the file cannot be written: No such file",
        ),
    ],
)
def test_a_rollout_that_cannot_be_meant_is_an_error(alive, tmp_path, options, told):
    profiles = [{"name": "a", "computers": [agents(alive, 1)[0]["ID"]], "heartbeat": {"interval": 7}}]
    result, waves = waves_of(alive, tmp_path, profiles, **options)
    assert result["failed"] and told in result["msg"] and waves == [], result["msg"]


class Gate:
    """A wave of some agents, written and judged by the lab's clock."""

    def __init__(self, lab: LabManager, folder: Path, many: int) -> None:
        self.lab, self.folder = lab, folder
        self.ids = [one["ID"] for one in agents(lab, many)]
        waves_of(lab, folder, [{"name": "a", "computers": self.ids, "heartbeat": {"interval": 7}}], waves=["100 %"])

    def __call__(self, **options: t.Any) -> dict[str, t.Any]:
        files = {"waves_file": str(self.folder / "waves.json"), "before_file": str(self.folder / "before.json")}
        defaults = {name: spec.get("default") for name, spec in GATE_ARGUMENTS.items()}
        reached = connection(self.lab)
        clock = LabClock(self.lab)
        with Transport(reached, clock=clock, random=lambda: 0.5) as transport:
            asked = GateAsked.from_options({**defaults, **files, "wave": 1, **options}, reached.deployment)
            return pass_gate(Client(transport), asked, False)

    def change(self) -> None:
        """Write what the wave is about."""
        for number in self.ids:
            body = {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "7 Minutes"}}}
            self.lab.api("POST", f"/computers/{number}", body)


def test_agents_that_talk_after_they_took_their_policy_pass(alive, tmp_path):
    gate = Gate(alive, tmp_path, 3)
    noted = gate(judge=False)
    assert noted["changed"] and (tmp_path / "before.json").stat().st_mode & 0o777 == 0o600
    gate.change()
    alive.clear_requests()
    result = gate()
    assert "msg" not in result, result
    assert result["counts"] == {"passed": 3, "failed": 0, "waiting": 0, "unknown": 0, "gone": 0}
    assert 0 < result["waited"] <= 2 * 7 * 60 and writes(alive) == []
    # What was before is not noted again.
    assert not gate(judge=False)["changed"]


def test_without_a_change_nobody_passes_and_the_time_is_over(alive, tmp_path):
    gate = Gate(alive, tmp_path, 2)
    gate(judge=False)
    result = gate(heartbeats=2)
    assert result["failure"]["code"] == "gate_timed_out" and result["waited"] == 2 * 10 * 60, result
    assert "the agent has not taken its policy since" in result["msg"]


@pytest.mark.parametrize(
    ("live", "code", "told"),
    [
        ({"messages": ["Communication error"]}, "gate_failed", "Communication error"),
        ({"messages": ["Offline"], "beats": False}, "gate_failed", "offline"),
        ({"messages": ["Anti-Malware Engine Offline"]}, "gate_failed", "Offline"),
        ({"beats": False}, "gate_timed_out", "has not talked"),
    ],
)
def test_an_agent_that_is_not_well_fails(alive, tmp_path, live, code, told):
    gate = Gate(alive, tmp_path, 3)
    gate(judge=False)
    gate.change()
    alive.let_live(gate.ids[1:2], **live)
    result = gate(heartbeats=3)
    assert result["failure"]["code"] == code and told in result["msg"], result
    assert result["counts"]["passed"] + result["counts"]["waiting"] + result["counts"]["failed"] == 3


def test_what_the_manager_does_not_tell_does_not_pass(alive, tmp_path):
    gate = Gate(alive, tmp_path, 2)
    gate(judge=False)
    gate.change()
    action = {"kind": "drop_fields", "fields": ["computerStatus"]}
    alive.add_fault(method="POST", path="/computers/search", action=action, times=0)
    result = gate()
    assert result["failure"]["code"] == "gate_unknown", result
    assert "the manager does not report the agent's status" in result["msg"]


def test_a_computer_that_is_gone_is_not_judged(alive, tmp_path):
    gate = Gate(alive, tmp_path, 2)
    gate(judge=False)
    gate.change()
    alive.api("DELETE", f"/computers/{gate.ids[0]}")
    result = gate()
    assert "msg" not in result and result["counts"]["passed"] == 1 and result["counts"]["gone"] == 1


def test_a_manager_that_shows_no_computer_lets_no_wave_pass(alive, tmp_path):
    gate = Gate(alive, tmp_path, 2)
    gate(judge=False)
    gate.change()
    action = {"kind": "status", "status": 200, "body": '{"computers": []}'}
    alive.add_fault(method="POST", path="/computers/search", action=action, times=0)
    result = gate()
    assert result["failure"]["code"] == "gate_unknown" and "shows none of its 2 computers" in result["msg"], result


def test_a_rule_that_no_document_can_declare_is_put_back_before_the_new_one_goes(alive, tmp_path):
    (computer,) = agents(alive, 1)
    assignments = f"/computers/{computer['ID']}/firewall/assignments"
    body = {"name": "Old", **REPLACING, "sourceIPType": "single", "sourceIPValue": "192.0.2.10"}
    old = alive.api("POST", "/firewallrules", body)["ID"]
    alive.api("POST", assignments, {"ruleIDs": [old]})
    before = alive.api("GET", assignments)["assignedRuleIDs"]
    profiles = [
        {"name": str(number), "computers": [computer["ID"]], "firewall_restriction": restriction}
        for number, restriction in enumerate((RESTRICTION, {"state": "absent", "rule_name": "Old"}))
    ]
    result, _waves = waves_of(alive, tmp_path, profiles)
    assert result["restriction"] == {**RESTRICTION, "region": None}
    taken, back = snapshot_of(tmp_path)
    (kept,) = run_tasks(alive, [taken]).results
    assert not kept["failed"], kept
    written, put_back = run_tasks(alive, [{PROFILE: {"apply_plan": str(tmp_path / "plan.json")}}, back()]).results
    assert not written["failed"] and not put_back["failed"], put_back
    assert put_back["left_alone"] == [] and set(alive.api("GET", assignments)["assignedRuleIDs"]) == set(before)
    order = [one["method"] for one in writes(alive) if one["path"].startswith(assignments)]
    assert order == ["POST", "DELETE"] * 2


def test_a_list_that_is_shared_is_put_back_for_all_who_have_it(alive, tmp_path):
    (computer,) = agents(alive, 1)
    profile = {"name": "a", "computers": [computer["ID"]], "firewall_restriction": RESTRICTION}
    run_tasks(alive, [{PROFILE: {"profiles": [profile]}}])
    wider = {**RESTRICTION, "source_ips": [*RESTRICTION["source_ips"], "198.51.100.7"]}
    _result, waves = waves_of(alive, tmp_path, [{**profile, "firewall_restriction": wider}])
    # The plan writes to no target, and yet it changes what they have.
    assert [(one["everything"], one["computers"]) for one in waves] == [(True, [])]

    def items() -> list[str]:
        (found,) = [one for one in alive.api("GET", "/iplists")["ipLists"] if one["name"] == f"{RULE} (IPs)"]
        return found["items"]

    before = items()
    taken, back = snapshot_of(tmp_path)
    kept, written = run_tasks(alive, [taken, {PROFILE: {"apply_plan": str(tmp_path / "plan.json")}}]).results
    assert not kept["failed"] and written["changed"] and items() != before, (kept, written)
    (put_back,) = run_tasks(alive, [back()]).results
    assert put_back["changed"] and items() == before


def test_the_region_of_a_restriction_is_that_of_its_manager(alive, tmp_path):
    (computer,) = agents(alive, 1)
    restriction = {"source_ips": [*manager_subnets("jp-1")], "manager_region": "jp-1"}
    profiles = [{"name": "a", "computers": [computer["ID"]], "firewall_restriction": restriction}]
    result, _waves = waves_of(alive, tmp_path, profiles)
    assert result["restriction"] == {
        "source_ips": restriction["source_ips"],
        "manager_addresses": None,
        "region": "jp-1",
    }


@pytest.mark.parametrize(
    ("options", "content", "told"),
    [
        ({"wave": 9}, None, "option 'wave' is '9': it must be the number of a wave, from 1 to 1"),
        ({"waves_file": "/nowhere"}, None, "option 'waves_file' is '/nowhere'"),
        ({}, None, "a task with judge: false before the wave writes it"),
        ({}, "[1]", "it must be a file that this module wrote"),
        ({}, '{"wave": 2, "computers": {}}', "it is about another wave"),
        (
            {},
            '{"wave": 1, "computers": {"1": {"heard": "x", "taken": 0, "messages": []}}}',
            "its dates must be numbers",
        ),
        ({"heartbeats": 0}, '{"wave": 1, "computers": {}}', "option 'heartbeats' is '0'"),
        ({"wait_interval": 0}, '{"wave": 1, "computers": {}}', "option 'wait_interval' is '0'"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_an_error(alive, tmp_path, options, content, told):
    Gate(alive, tmp_path, 1)
    files = {"waves_file": str(tmp_path / "waves.json"), "before_file": str(tmp_path / "before.json")}
    if content is not None:
        (tmp_path / "before.json").write_text(content)
    (result,) = run_tasks(alive, [{GATE: {**files, "wave": 1, **options}}]).results
    assert result["failed"] and told in result["msg"], result["msg"]
    if content == '{"wave": 1, "computers": {}}':
        return
    (tmp_path / "waves.json").write_text("{}")
    (result,) = run_tasks(alive, [{GATE: {**files, "wave": 1}}]).results
    assert "its format is not 'workload_security.agent waves'" in result["msg"]


def test_files_that_cannot_be_written_fail_in_check_mode_too(alive, tmp_path, monkeypatch):
    """As whom this runs may write everywhere; what others may write is in tests/unit/basis/test_files.py."""
    Gate(alive, tmp_path, 1)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: not mode & os.W_OK and access(path, mode, **more))
    plan, waves, new = (str(tmp_path / name) for name in ("plan.json", "waves.json", "new.json"))
    tasks = [
        {PLAN: {"plan_file": plan, "waves_file": new, "waves": ["100 %"]}},
        {GATE: {"waves_file": waves, "wave": 1, "before_file": new, "judge": False}},
    ]
    results = run_tasks(alive, [{**task, "check_mode": True} for task in tasks]).results
    for result, option in zip(results, ("waves_file", "before_file"), strict=True):
        assert (result["failure"]["code"], result["failure"]["option"]) == ("unwritable", option), result
        assert f"'{new}': the file cannot be written: Permission denied" in result["msg"]
    assert not (tmp_path / "new.json").exists()
