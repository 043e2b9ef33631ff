# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a manager answers where its documents are silent, the same documents lead to the same state."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.addresses import mac
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply
from tests.integration.in_process import run_tasks
from tests.integration.labs import shared_lab
from tests.integration.scene import APPLY, CHANGE, REMOVE, RULE, SETTINGS, Scene, Stage, Truth, assert_honest
from tests.integration.support import run_facet, run_profiles, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.switches import CHOICES

pytestmark = pytest.mark.slow

# Every answer to every open question by itself, then some that meet.
ANSWERS: list[dict[str, t.Any]] = [
    *({name: value} for name, values in CHOICES.items() if name != "search_leaves_out" for value in values[1:]),
    {"retry_after": 7},
    {"largest_page": 50},
    {"largest_page": 50, "computer_without_overrides": "omitted", "rule_ids_with_overrides": "absent"},
    {"direction_wording": "Agent Initiated", "direction_accepts": "own"},
    {"direction_accepts": "own", "time_shift_wording": "bare", "heartbeat_interval_wording": "hours_when_whole",
     "several_invalid_settings": "errors"},
    {"rule_ids_with_overrides": "effective", "computer_without_overrides": "omitted"},
    {"rule_ids_with_overrides": "effective", "unassign_inherited": "rejected", "no_policy_id": "zero"},
    {"rule_ids_with_overrides": "absent", "computer_without_overrides": "omitted"},
    {"rule_ids_with_overrides": "absent", "computer_without_overrides": "id_only", "unassign_inherited": "not_found"},
    {"list_items": "normalized", "mac_separator": "-"},
    {"list_items": "reordered", "mac_separator": ":", "shuffled": True},
    {"list_envelope_without_results": "absent", "shuffled": True},
    {name: values[0] for name, values in CHOICES.items()},
    # An unknown field where a list should be could be anybody's answer to anything.
    # Nor can a search that leaves out what there is be relied on.
    {name: values[1] for name, values in CHOICES.items()}
    | {"list_envelope_without_results": "empty_list", "no_assigned_rules": "null", "search_leaves_out": "nothing"},
    {name: values[-1] for name, values in CHOICES.items()}
    | {"unknown_fields": False, "search_leaves_out": "nothing"},
    *(
        {"override_replies": replies, "computer_without_overrides": absent, "rule_ids_with_overrides": listed}
        for replies in CHOICES["override_replies"][1:]
        for absent, listed in zip(CHOICES["computer_without_overrides"], ("effective", "absent", "direct"))
    ),
]  # fmt: skip


def told(switches: dict[str, t.Any]) -> str:
    """A name for a test."""
    return ", ".join(f"{name}={value}" for name, value in switches.items()) if len(switches) < 5 else "many"


# More agents than the smallest page that a switch asks for: a third of the work of more of them.
running_paged_lab, paged_lab = shared_lab("paged_lab", "module", computers=55, policies=8, seed=1)


@pytest.mark.parametrize("switches", ANSWERS, ids=told)
def test_documents_are_applied_changed_and_undone(paged_lab, switches):
    scene = Scene(paged_lab)
    at_first = Truth.of(paged_lab)
    paged_lab.switch(**switches)
    before = at_first
    for stage in (APPLY, CHANGE, REMOVE):
        paged_lab.clear_requests()
        foreseen = scene.run(stage, check=True)
        assert foreseen["changed"] and writes(paged_lab) == []
        result = scene.run(stage)
        after = Truth.of(paged_lab, switches)
        assert result["failed_targets"] == foreseen["failed_targets"] == []
        for part in ("changed", "plan", "objects", "diff", "changed_targets", "unchanged_targets"):
            assert foreseen[part] == result[part], part
        assert_honest(before, after, result)
        scene.assert_settled(after, stage)
        scene.assert_nothing_to_do(stage, after, switches)
        before = after
    assert before == at_first, "nothing is left of it"


@pytest.mark.parametrize("switches", ANSWERS, ids=told)
def test_what_is_said_of_targets_does_not_depend_on_how_the_manager_answers(paged_lab, switches):
    """A rule on a parent and on a child of it, settings here and there, somebody else's rule: each target is described
    as it is, or a part of it as not known."""
    scene = Scene(paged_lab)
    run_profiles(paged_lab, scene.profiles(APPLY, ["Alpha", "one.example.com"]))
    somebody_elses = {
        **APPLY.rule,
        "name": "Other",
        "sourceIPType": "single",
        "sourceIPValue": "203.0.113.7",
        "sourceMACType": "any",
    }
    other = paged_lab.api("POST", "/firewallrules", somebody_elses)["ID"]
    paged_lab.api("POST", f"/computers/{scene.keys['two.example.com'][1]}/firewall/assignments", {"ruleIDs": [other]})
    task = {"workload_security.agent.communication_info": {
        "policies": ["Alpha", "Beta", "Base Policy"],
        "computers": ["one.example.com", "two.example.com"],
    }}  # fmt: skip

    def described() -> list[dict[str, t.Any]]:
        result, stock = run_tasks(paged_lab, [task, {"workload_security.agent.communication_fleet_info": {}}]).results
        assert not result.get("failed"), result
        assert not stock.get("failed"), stock
        for kind in ("policies", "computers"):
            for row in stock[kind]:
                result["targets"].append({key: row[key] for key in STOCK} | {"firewall_restriction": {"rules": []}})
        for target in result["targets"]:
            for rule in target["firewall_restriction"]["rules"]:
                # Items are said as the manager has them.
                rule["source_ips"] = rule["source_ips"] and sorted(rule["source_ips"])
                rule["source_macs"] = rule["source_macs"] and sorted(map(mac, rule["source_macs"]))
        return result["targets"]

    if not DESCRIBED:
        DESCRIBED.extend(described())
    paged_lab.switch(**switches)
    assert described() == DESCRIBED


# What is said in the manager's usual words: the same for all of them.
DESCRIBED: list[dict[str, t.Any]] = []
# What is said of a target when stock is taken.
STOCK = ("type", "name", "policy_path", "group_path", "direction", "interval", "agent_port", "admitted", "overrides")


@pytest.fixture(scope="module")
def few() -> t.Iterator[LabManager]:
    """A manager with a few agents."""
    with LabManager(computers=8, policies=6, seed=4) as lab:
        yield lab


# What may matter to who is judged, sent to, or in a wave.
OF_AGENTS = {
    *("computer_without_overrides", "override_replies", "no_policy_id", "no_date", "date_unit", "largest_page"),
    *("finished_scheduled_task", "scheduled_task_names", "missed_heartbeat_alert", "heartbeat_interval_wording"),
    *("list_envelope_without_results", "shuffled", "unknown_fields"),
}


@pytest.mark.parametrize("switches", [one for one in ANSWERS if one.keys() & OF_AGENTS], ids=told)
def test_agents_are_judged_sent_to_and_cut_into_waves_however_the_manager_answers(few, tmp_path, switches):
    few.reset()
    few.let_live()
    files = {"waves_file": str(tmp_path / "waves.json"), "before_file": str(tmp_path / "before.json")}
    plan = str(tmp_path / "plan.json")
    profile = {"name": "all", "computers_query": "[]", "heartbeat": {"interval": 7}}
    tasks = [
        {"communication_profile": {"profiles": [profile], "plan_file": plan}, "check_mode": True},
        {"rollout_plan": {"plan_file": plan, "waves_file": files["waves_file"], "waves": [1, "100 %"]}},
        {"rollout_gate": {**files, "wave": 1, "judge": False}},
        {"rollout_gate": {**files, "wave": 1}, "check_mode": True},
        {"policy_sending": {"computers_query": "[]", "list_targets": True}, "check_mode": True},
        {"agent_health_info": {"computers_most": 100}},
    ]

    def said() -> list[dict[str, t.Any]]:
        few.clear_requests()
        for path in files.values():
            Path(path).unlink(missing_ok=True)
        named = [{f"workload_security.agent.{module}": options, **rest} for module, options, rest in map(parts, tasks)]
        results = run_tasks(few, named).results
        assert [one.get("failed") for one in results] == [False] * len(tasks), results
        assert writes(few) == []
        for result in results:
            result.pop("requests", None)
            result.pop("read_at", None)
        assert results[1]["waves"][0]["judged"] and results[4]["counts"] and results[5]["counts"]
        return [*results, json.loads(Path(files["waves_file"]).read_text())]

    expected = said()
    few.switch(**switches)
    assert said() == expected


def parts(task: dict[str, t.Any]) -> tuple[str, dict[str, t.Any], dict[str, t.Any]]:
    """A task's module, its options, and what stands beside it."""
    (module, options), *rest = task.items()
    return module, options, dict(rest)


# What searches leave out, and who has it.
LEFT_OUT = {
    "policySettings": "policy",
    "computerSettings": "computer",
    "firewall": "policy",
    "ruleIDs": "policy",
    "value": "policy",
    "names": "policy",
}


@pytest.mark.parametrize("part", LEFT_OUT)
def test_what_searches_leave_out_is_not_taken_for_inherited(lab, part):
    """Nothing is written, and not much read; the message names what is left out. Lists of
    rules may be in other pages, which are read first."""
    assert set(LEFT_OUT) == set(CHOICES["search_leaves_out"][1:])
    scene = Scene(lab)
    scene.run(APPLY)
    before = Truth.of(lab)
    for names in (None, ["one.example.com", "two.example.com"]):
        lab.clear_requests()
        lab.switch(search_leaves_out=part)
        outcome = scene.attempt(scene.profiles(APPLY, names))
        lab.switch(search_leaves_out="nothing")
        word = "hostName" if part == "names" else part
        assert isinstance(outcome, BadReply) and f"'{word}'" in str(outcome)
        assert writes(lab) == [] and len(lab.requests()) < (16 if part == "ruleIDs" else 12)
        assert Truth.of(lab) == before
    scene.assert_nothing_to_do(APPLY, before)


@pytest.mark.parametrize("kind", ["policies", "computers"])
@pytest.mark.parametrize("to", ["missing", {"value": None}], ids=["missing", "null"])
def test_rules_that_pages_of_overrides_leave_out_are_read_elsewhere(small_lab, kind, to):
    """One kind's pages list the rules that are set on an object, and the other kind's do not."""
    scene = Scene(small_lab)
    names = ["Beta", "one.example.com", "two.example.com"]

    def run(stage: Stage, **options: t.Any) -> dict[str, t.Any]:
        small_lab.clear_faults()
        action = {"kind": "mutate", "pointer": f"/{kind}/*/firewall/ruleIDs", "to": to}
        # Of the searches by ID, the first one for each computer is for its overrides; so is the first one for policies.
        where = {"body": "idTest", "times": 2} if kind == "computers" else {"times": 1}
        small_lab.add_fault(path=f"^/{kind}/search$", action=action, **where)
        small_lab.clear_requests()
        return run_profiles(small_lab, scene.profiles(stage, names), **options)

    run_profiles(small_lab, scene.profiles(APPLY, names))
    before = Truth.of(small_lab)
    assert not run(APPLY)["changed"] and writes(small_lab) == []
    assert Truth.of(small_lab) == before
    foreseen = run(REMOVE, check=True)
    assert writes(small_lab) == []
    result = run(REMOVE)
    after = Truth.of(small_lab)
    assert_honest(before, after, result)
    assert result["failed_targets"] == [] and foreseen["plan"] == result["plan"]
    scene.assert_settled(after, REMOVE)


@pytest.mark.parametrize("absent", CHOICES["computer_without_overrides"])
def test_one_page_that_lost_its_settings(lab, absent):
    """Other pages of this manager have them: one computer of that page is asked alone."""
    numbers = [lab.api("POST", "/computers", {"hostName": f"new-{number}"})["ID"] for number in range(300)]
    for number in numbers:
        lab.api("POST", f"/computers/{number}", {"computerSettings": {SETTINGS["missed_before_alert"]: {"value": "7"}}})
    lab.switch(largest_page=100, computer_without_overrides=absent)
    wanted = {"computers_query": "[?starts_with(host_name, 'new-')]", "missed_before_alert": "7"}
    assert not run_facet(lab, "heartbeat", wanted)["changed"]
    lab.clear_requests()
    # The lab's window of 600 known computers comes in pages of 100.
    fault = {"kind": "drop_fields", "fields": ["computerSettings"]}
    lab.add_fault(path="/computers/search$", body="less-than", times=0, action=fault)
    with pytest.raises(BadReply, match="computerSettings"):
        run_facet(lab, "heartbeat", wanted)
    assert writes(lab) == []


@pytest.mark.parametrize("largest", [20, 100, 250])
@pytest.mark.parametrize("absent", CHOICES["computer_without_overrides"])
def test_a_manager_that_gives_smaller_pages_than_asked(lab, largest, absent):
    """A computer behind the cut is seen: its name, its platform, and what is set on it."""
    alpha = lab.api("POST", "/policies", {"name": "Alpha"})["ID"]
    for number in range(700):
        lab.api("POST", "/computers", {"hostName": f"new-{number}", "policyID": alpha})
    mac = lab.api("POST", "/computers", {"hostName": "mac.example.com", "platform": "macOS 14", "policyID": alpha})
    lab.api("POST", f"/computers/{mac['ID']}", {"computerSettings": {SETTINGS["interval"]: {"value": "30 Minutes"}}})
    lab.switch(largest_page=largest, computer_without_overrides=absent)
    lab.clear_requests()
    result = run_facet(lab, "communication_direction", {"policies": ["Alpha"], "direction": "bidirectional"})
    assert "mac.example.com" in result["failed_targets"][0]["reason"] and writes(lab) == []
    everybody = {"computers_query": "[?starts_with(host_name, 'new-') || host_name == 'mac.example.com']"}
    lab.clear_requests()
    result = run_facet(lab, "heartbeat", {**everybody, "interval": "inherited"}, check=True)
    assert [entry["name"] for entry in result["changed_targets"]] == ["mac.example.com"]
    assert result["unchanged_targets"]["count"] == 700
    # Twice as many as pages of that size, and some.
    assert result["requests"]["sent"] <= 2 * (1001 // largest + 2) + 4


# Every two of these answers together once.
LISTED = [
    {
        "rule_ids_with_overrides": CHOICES["rule_ids_with_overrides"][listed],
        "computer_without_overrides": CHOICES["computer_without_overrides"][absent],
        "unassign_inherited": CHOICES["unassign_inherited"][(listed + absent) % 3],
    }
    for listed in range(3)
    for absent in range(3)
]


@pytest.mark.parametrize("switches", LISTED, ids=lambda switches: "-".join(switches.values()))
def test_a_rule_on_a_parent_and_on_a_child_of_it(small_lab, switches):
    """Inherited and assigned, inherited only, assigned only: each is told from the others."""
    scene = Scene(small_lab)
    small_lab.switch(**switches)
    present, absent = APPLY.facets["firewall_restriction"], REMOVE.facets["firewall_restriction"]

    def run(facet: dict, *names: str, **options: t.Any) -> tuple[dict[str, t.Any], set[str]]:
        """What a run says, the same as check mode said; and which targets have the rule themselves then."""
        profiles = scene.profiles(Stage({"firewall_restriction": {**facet, **options}}), names)
        foreseen = run_profiles(small_lab, profiles, check=True)
        before = Truth.of(small_lab, switches)
        result = run_profiles(small_lab, profiles)
        after = Truth.of(small_lab, switches)
        assert result["failed_targets"] == []
        assert_honest(before, after, result)
        assert (foreseen["plan"], foreseen["objects"]) == (result["plan"], result["objects"])
        small_lab.clear_requests()
        assert not run_profiles(small_lab, profiles)["changed"] and writes(small_lab) == []
        return result, {name for name, key in scene.keys.items() if f"rule {RULE}" in after.targets.get(key, {})}

    assert run(present, "Alpha")[1] == {"Alpha"}
    # Inherited is not assigned, unless that will do.
    assert run(present, "Beta", "one.example.com", accept_inherited=True)[1] == {"Alpha"}
    assert run(absent, "Beta", "one.example.com")[1] == {"Alpha"}
    assert run(present, "one.example.com")[1] == {"Alpha", "one.example.com"}
    assert run(present, "Beta")[1] == {"Alpha", "Beta", "one.example.com"}
    # Taken away from the middle: above and below keep it, and so the rule and its lists stay.
    result, holders = run(absent, "Beta")
    assert holders == {"Alpha", "one.example.com"} and result["objects"] == []
    result, holders = run(absent, "Alpha")
    assert holders == {"one.example.com"} and result["objects"] == []
    result, holders = run(absent, "one.example.com")
    assert holders == set() and len(result["objects"]) == 3


@pytest.fixture(scope="module")
def cloud_lab():
    """A manager of the cloud."""
    with LabManager(computers=40, policies=10, deployment="cloud") as lab:
        yield lab


@pytest.mark.parametrize("answer", CHOICES["cloud_heartbeat_write"])
@pytest.mark.parametrize("wording", CHOICES["direction_wording"])
def test_the_cloud(cloud_lab, answer, wording):
    cloud_lab.reset()
    scene = Scene(cloud_lab)
    switches = {"cloud_heartbeat_write": answer, "direction_wording": wording, "direction_accepts": "own"}
    cloud_lab.switch(**switches)
    at_first = Truth.of(cloud_lab, switches)
    steps = [
        ({"raise_offline_errors_for_inactive_vms": "true"}, "agent_initiated", "true", "Agent/Appliance Initiated"),
        ({"raise_offline_errors_for_inactive_vms": "false"}, "bidirectional", "false", "Bidirectional"),
        ({"raise_offline_errors_for_inactive_vms": "inherited"}, "inherited", None, None),
    ]
    for heartbeat, direction, offline_errors, word in steps:
        profiles = scene.profiles(REMOVE)
        profiles[0] |= {"heartbeat": heartbeat, "communication_direction": {"direction": direction}}
        foreseen = run_profiles(cloud_lab, profiles, check=True, deployment="cloud")
        before = Truth.of(cloud_lab, switches)
        result = run_profiles(cloud_lab, profiles, deployment="cloud")
        after = Truth.of(cloud_lab, switches)
        assert result["failed_targets"] == [] and result["changed"]
        assert (foreseen["plan"], foreseen["diff"]) == (result["plan"], result["diff"])
        assert_honest(before, after, result)
        for key in scene.keys.values():
            held = after.targets.get(key, {})
            assert held.get(SETTINGS["raise_offline_errors_for_inactive_vms"]) == offline_errors
            assert held.get(SETTINGS["direction"]) == word
        cloud_lab.clear_requests()
        assert not run_profiles(cloud_lab, profiles, deployment="cloud")["changed"] and writes(cloud_lab) == []
    assert Truth.of(cloud_lab, switches) == at_first


@pytest.mark.parametrize("errors", CHOICES["several_invalid_settings"])
def test_several_values_that_the_manager_refuses(lab, errors):
    """The lab takes up to four digits of missed heartbeats, and six of minutes: none of what is written is kept."""
    scene = Scene(lab)
    lab.switch(several_invalid_settings=errors)
    before = Truth.of(lab)
    wanted = {"policies": ["Alpha"], "interval": "30", "missed_before_alert": "12345"}
    result = run_facet(lab, "heartbeat", wanted)
    assert Truth.of(lab) == before
    (failure,) = result["failed_targets"]
    assert failure["name"] == "Alpha" and failure["failure"]["status"] == 400
    assert SETTINGS["missed_before_alert"] in failure["reason"] and SETTINGS["interval"] not in failure["reason"]
    assert run_facet(lab, "heartbeat", {**wanted, "missed_before_alert": "1234"})["failed_targets"] == []
    assert Truth.of(lab).targets[scene.keys["Alpha"]] == {
        SETTINGS["interval"]: "30 Minutes",
        SETTINGS["missed_before_alert"]: "1234",
    }


@pytest.mark.parametrize("wording", ["minutes", "bare"])
@pytest.mark.parametrize("interval", ["minutes", "hours_when_whole"])
def test_spellings_are_learned_and_not_tried_again(lab, wording, interval):
    """A fleet costs a refusal or two in all, not for each target."""
    switches = {"time_shift_wording": wording, "heartbeat_interval_wording": interval}
    lab.switch(**switches)
    numbers = [lab.api("POST", "/policies", {"name": f"Many {number}"})["ID"] for number in range(20)]
    lab.clear_requests()
    wanted = {"policies": numbers, "interval": "60", "maximum_clock_change": "120"}
    result = run_facet(lab, "heartbeat", wanted, concurrency=1)
    assert result["failed_targets"] == []
    truth = Truth.of(lab, switches)
    held = {SETTINGS["interval"]: "60 Minutes", SETTINGS["maximum_clock_change"]: "120 Minutes"}
    assert all(truth.targets[("policy", number)] == held for number in numbers)
    refused = [request for request in writes(lab) if request["status"] == 400]
    assert len(refused) <= 2 and len(writes(lab)) == 20 + len(refused)


def test_a_priority_that_only_some_managers_enforce(lab):
    """A rule that somebody gave another priority is no replacement of the hidden one: it is mended."""
    scene = Scene(lab)
    scene.run(APPLY)
    lab.switch(bypass_priority_enforced=False)
    number = Truth.of(lab).objects[("firewall_rule", RULE)][0]["ID"]
    lab.api("POST", f"/firewallrules/{number}", {"priority": "2"})
    before = Truth.of(lab)
    result = scene.run(APPLY)
    after = Truth.of(lab)
    assert_honest(before, after, result)
    assert [(entry["name"], entry["before"], entry["after"]) for entry in result["objects"]] == [
        (RULE, {"priority": "2"}, {"priority": "4"})
    ]
    scene.assert_settled(after, APPLY)
