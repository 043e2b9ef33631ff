# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that was reviewed is the plan that is applied: from its file, or by its digest; else nothing is written."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.in_process import run_tasks
from tests.integration.scene import APPLY, CHANGE, REMOVE, SETTINGS, Scene, Truth
from tests.integration.support import names, run_profiles, writes
from tests.integration.test_profile import lineage, mac
from tests.lab.manager.process import LabManager

PROFILE = "workload_security.agent.communication_profile"


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


def run(lab, *, check=False, diff=False, key="admin", defaults=None, **options):
    """The result of one task."""
    secret = {"admin": lab.api_key, "read_only": lab.read_only_api_key}[key]
    environment = {"WORKLOAD_SECURITY_API_KEY": secret}
    return run_tasks(
        lab, [{PROFILE: options}], check=check, diff=diff, environment=environment, defaults=defaults
    ).results[0]


@pytest.fixture(name="scene")
def scene_fixture(lab) -> Scene:
    return Scene(lab)


@pytest.fixture(name="path")
def path_fixture(tmp_path) -> str:
    return str(tmp_path / "plan.json")


def planned(scene, path, stage=APPLY, **options):
    """The result of a task that plans a stage into a file, and writes nothing."""
    result = run(scene.lab, check=True, profiles=scene.profiles(stage), plan_file=path, **options)
    assert writes(scene.lab) == [] and result["requests"]["writes"] == 0
    return result


def held(path) -> dict[str, t.Any]:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def colleague(scene, name, value):
    """Somebody sets the heartbeat interval of a policy in the console."""
    number = scene.keys[name][1]
    body = {"policySettings": {SETTINGS["interval"]: {"value": value}}}
    scene.lab.api("POST", f"/policies/{number}", body, key="colleague")


@pytest.mark.parametrize("before", [None, APPLY, CHANGE], ids=["from nothing", "from a stage", "from another"])
@pytest.mark.parametrize("stage", [APPLY, REMOVE], ids=["apply", "remove"])
def test_a_plan_is_kept_with_a_key_that_only_reads_and_carried_out_as_it_is(scene, path, stage, before):
    lab = scene.lab
    if before:
        scene.run(before)
        lab.clear_requests()
    seen = run(lab, check=True, profiles=scene.profiles(stage))
    reads = len(lab.requests())
    lab.clear_requests()
    result = planned(scene, path, stage, key="read_only")
    assert len(lab.requests()) == reads, "a plan in a file costs what a check costs"
    assert {**result, "plan_file": None} == {**seen, "plan_file": None} and result["plan_file"] == path
    plan = held(path)
    assert (plan["manager"], plan["digest"]) == (
        f"{lab.url}/api" if not lab.url.endswith("/api") else lab.url,
        result["digest"],
    )
    assert plan["groups"] == result["plan"]
    written = run(lab, apply_plan=path, diff=True)
    assert not written["failed"] and written["digest"] == plan["digest"] and written["plan"] == plan["groups"]
    scene.assert_settled(Truth.of(lab), stage)
    again = run(lab, apply_plan=path)
    lab.clear_requests()
    again = run(lab, apply_plan=path)
    assert not again["changed"] and not again["failed"] and writes(lab) == []
    assert held(path) == plan, "who applies a plan leaves it alone"


@pytest.mark.parametrize("deleted", [False, True])
def test_what_a_query_no_longer_selects_is_not_done(scene, path, deleted):
    """All that the document still selects is as planned. Only a computer that is gone leaves nothing to do."""
    lab = scene.lab
    heartbeat = {"interval": "30"}
    chosen = "[?host_name == 'one.example.com' || host_name == 'two.example.com']"
    profile = {"name": "scene", "computers_query": chosen, "heartbeat": heartbeat}
    run(lab, check=True, profiles=[profile], plan_file=path)
    run(lab, profiles=[{"name": "scene", "computers": ["one.example.com"], "heartbeat": heartbeat}])
    two = f"/computers/{scene.keys['two.example.com'][1]}"
    if deleted:
        lab.api("DELETE", two)
    else:
        lab.api("POST", two, {"hostName": "two.example.org"})
    lab.clear_requests()
    result = run(lab, apply_plan=path)
    assert not result["changed"] and writes(lab) == []
    assert result["failed"] == (not deleted), result.get("msg")
    if not deleted:
        assert result["failure"]["code"] == "plan_changed"
        assert "no longer in it, and not done: interval of the computer 'two.example.com'" in result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_nothing_is_written_when_somebody_has_been_there(scene, path, check):
    lab = scene.lab
    digest = planned(scene, path)["digest"]
    colleague(scene, "Alpha", "5 Minutes")
    before = Truth.of(lab)
    lab.clear_requests()
    for options in ({"apply_plan": path}, {"profiles": scene.profiles(APPLY), "expected_digest": digest}):
        result = run(lab, check=check, diff=True, **options)
        assert result["failed"] and result["failure"]["code"] == "plan_changed" and not result["changed"]
        assert digest in result["msg"] and result["digest"] in result["msg"] and result["digest"] != digest
        assert writes(lab) == [] and Truth.of(lab) == before
        gone, new = result["plan_changes"]["no_longer"], result["plan_changes"]["new"]
        if "apply_plan" in options:
            mine = [
                (one["before"], one["after"])
                for one in new
                if one.get("option") == "interval" and "Alpha" in one["policies"]
            ]
            assert mine == [(5, 30)]
            reviewed = [(one["before"], one["after"], one["policies"]) for one in gone if one["option"] == "interval"]
            assert any(one[:2] == ("inherited", 30) and "Alpha" in one[2] for one in reviewed)
            assert "+    interval: 5 -> 30" in result["plan_changes"]["diff"]
            assert "interval: 5 -> 30\n" in result["diff"]["after"]
            assert "interval: inherited (effective: 10, from the default policy) -> 30\n" in result["diff"]["before"]
            untouched = [one for one in (*gone, *new) if one.get("option") == "direction"]
            assert untouched == [], "what is as it was is no difference"
        else:
            assert gone == [] and new


def test_a_part_that_somebody_else_did_as_reviewed_needs_no_other_review(scene, path):
    lab = scene.lab
    planned(scene, path)
    colleague(scene, "Alpha", "30 Minutes")
    result = run(lab, apply_plan=path)
    assert not result["failed"], result["msg"]
    assert "1 step of the reviewed plan was done before" in result["summary"]
    scene.assert_settled(Truth.of(lab), APPLY)


def test_what_changed_beside_what_is_done_is_refused_and_named(scene, path):
    lab = scene.lab
    planned(scene, path)
    # As a run that was interrupted would have left it, and something else.
    colleague(scene, "Alpha", "30 Minutes")
    colleague(scene, "Beta", "5 Minutes")
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "plan_changed" and writes(lab) == []
    assert "interval of the policy 'Beta'" in result["msg"] and "Alpha" not in result["msg"]
    gone, new = result["plan_changes"]["no_longer"], result["plan_changes"]["new"]
    # A computer below inherits another value than was reviewed, and it does not come from this plan.
    assert {name for one in gone for name in one["policies"] + one["computers"]} == {"Beta", "one.example.com"}
    assert {(one["before"], one["after"]) for one in new} == {(5, 30), ("inherited", 30)}


def test_a_value_that_is_inherited_from_elsewhere_is_another_plan(scene, path):
    """What a computer has now was reviewed, too: another value above it that this plan does not set is news."""
    lab = scene.lab
    profiles = scene.profiles(APPLY, ["one.example.com", "two.example.com"])
    run(lab, check=True, profiles=profiles, plan_file=path)
    colleague(scene, "Alpha", "5 Minutes")
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "plan_changed" and writes(lab) == []


def test_what_is_removed_since_nobody_declares_it_goes_on_too(scene, path):
    lab = scene.lab
    wire = SETTINGS["interval"]
    for name in ("Beta", "one.example.com", "two.example.com"):
        kind, number = scene.keys[name]
        place, key = ("policies", "policySettings") if kind == "policy" else ("computers", "computerSettings")
        lab.api("POST", f"/{place}/{number}", {key: {wire: {"value": "5 Minutes"}}}, key="colleague")
    profiles = [{"name": "a", "policies": ["Alpha"], "heartbeat": {"interval": 30}}]
    plan = run(lab, check=True, profiles=profiles, undeclared="remove", plan_file=path)
    number = scene.keys["one.example.com"][1]
    # Done by a run that was interrupted: this one is in the scope of the document and no longer in its plan.
    lab.api("POST", f"/computers/{number}", {"computerSettings": {wire: {"value": ""}}})
    result = run(lab, apply_plan=path)
    assert not result["failed"], result["msg"]
    assert result["counts"]["changed"] == plan["counts"]["changed"] - 1
    # Where it has left the scope, nobody has done it.
    lab.api("POST", f"/computers/{number}", {"computerSettings": {wire: {"value": "5 Minutes"}}})
    lab.api("POST", f"/policies/{scene.keys['Beta'][1]}", {"policySettings": {wire: {"value": "7 Minutes"}}})
    run(lab, check=True, profiles=profiles, undeclared="remove", plan_file=path)
    lab.api("POST", f"/computers/{number}", {"policyID": 1})
    lab.clear_requests()
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "plan_changed" and writes(lab) == []
    assert "one.example.com" in result["msg"]


def test_nothing_is_written_when_a_target_is_gone_or_another_one_has_its_name(scene, path):
    lab = scene.lab
    planned(scene, path)
    one = scene.keys["two.example.com"][1]
    lab.api("DELETE", f"/computers/{one}", key="colleague")
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "bad_option" and "two.example.com" in result["msg"] and writes(lab) == []
    lab.api("POST", "/computers", {"hostName": "two.example.com"}, key="colleague")
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "plan_changed" and writes(lab) == []


def test_nothing_is_written_when_a_rule_was_made_anew(scene, path):
    lab = scene.lab
    scene.run(APPLY)
    lab.clear_requests()
    planned(scene, path, CHANGE)
    rule = next(iter(Truth.of(lab).objects[("firewall_rule", "Agent port: named sources only")]))
    lab.switch(delete_in_use="deleted")
    lab.api("DELETE", f"/firewallrules/{rule['ID']}", key="colleague")
    lab.api("POST", "/firewallrules", {name: value for name, value in rule.items() if name != "ID"}, key="colleague")
    result = run(lab, apply_plan=path)
    assert result["failure"]["code"] == "plan_changed" and writes(lab) == []


def test_the_digest_that_was_reviewed_is_enough(scene):
    profiles = scene.profiles(APPLY)
    digest = run(scene.lab, check=True, profiles=profiles)["digest"]
    wrong = run(scene.lab, profiles=scene.profiles(CHANGE), expected_digest=digest)
    assert wrong["failure"]["code"] == "plan_changed" and writes(scene.lab) == []
    assert run(scene.lab, profiles=profiles, expected_digest=digest)["changed"]
    scene.assert_settled(Truth.of(scene.lab), APPLY)
    assert not run(scene.lab, profiles=profiles, expected_digest=digest)["changed"], "done already"


def test_what_a_plan_refuses_was_reviewed_too(lab, path):
    some = mac(lab)
    number = lab.api("POST", "/policies", {"name": "Free"})["ID"]
    profiles = [
        {"name": "a", "computers": [some["ID"]], "policies": ["Free"],
         "communication_direction": {"direction": "bidirectional"}}
    ]  # fmt: skip
    result = run(lab, check=True, profiles=profiles, plan_file=path)
    assert result["failed"] and names(result["failed_targets"]) == {some["hostName"]}
    (refusal,) = held(path)["refusals"]
    assert refusal["subject"]["id"] == some["ID"] and "agents on macOS only support" in refusal["reason"]
    lab.clear_requests()
    applied = run(lab, apply_plan=path)
    assert applied["failed"] and applied["failure"]["code"] == "failed_targets" and applied["changed"]
    assert applied["failed_targets"] == result["failed_targets"] and applied["digest"] == result["digest"]
    (write,) = writes(lab)
    assert write["path"] == f"/policies/{number}"
    # Another one is refused now, and nobody has reviewed that.
    lab.api("POST", f"/policies/{number}", {"policySettings": {SETTINGS["direction"]: {"value": ""}}}, key="colleague")
    lab.api("POST", f"/computers/{some['ID']}", {"policyID": number}, key="colleague")
    lab.clear_requests()
    assert run(lab, apply_plan=path)["failure"]["code"] == "plan_changed" and writes(lab) == []


def test_a_real_run_keeps_what_it_began_before_its_first_write(scene, path):
    lab = scene.lab
    number = scene.keys["Alpha"][1]
    lab.add_fault(method="POST", path=f"/policies/{number}$", action={"kind": "status", "status": 403})
    result = run(lab, profiles=scene.profiles(APPLY), plan_file=path)
    assert result["failed"] and result["plan_file"] == path
    assert held(path)["digest"] == result["digest"] and len(held(path)["steps"]) > 10


def test_a_plan_that_cannot_be_kept_is_not_carried_out(scene, tmp_path):
    lab = scene.lab
    key = lab.api_key.rpartition(":")[2]
    path = tmp_path / "plan.json"
    result = run(lab, profiles=[{**scene.profiles(APPLY)[0], "name": f"with {key}"}], plan_file=str(path))
    assert result["failure"]["code"] == "unwritable" and "holds the API key" in result["msg"] and key not in str(result)
    assert writes(lab) == [] and not path.exists()


def test_a_plan_for_another_manager_is_not_read_for(scene, path):
    planned(scene, path)
    scene.lab.clear_requests()
    other = scene.lab.url.replace("localhost", "127.0.0.1")
    assert other != scene.lab.url
    result = run(scene.lab, apply_plan=path, defaults={"url": other})
    assert result["failure"]["option"] == "apply_plan" and "it must be a plan for https://127.0.0.1" in result["msg"]
    assert scene.lab.requests() == []


@pytest.mark.parametrize(
    "answers",
    [
        {"shuffled": True},
        {"unknown_fields": True},
        {"list_items": "reordered"},
        {"rule_ids_with_overrides": "effective", "computer_without_overrides": "omitted"},
        {"rule_ids_with_overrides": "absent", "largest_page": 50},
        {"direction_wording": "Agent Initiated", "direction_accepts": "own"},
    ],
    ids=str,
)
@pytest.mark.parametrize("stage", [CHANGE, REMOVE], ids=["change", "remove"])
def test_in_which_words_and_order_a_manager_tells_is_not_in_the_plan(scene, path, stage, answers):
    scene.run(APPLY)
    scene.lab.clear_requests()
    digest = planned(scene, path, stage)["digest"]
    scene.lab.switch(**answers)
    assert run(scene.lab, check=True, profiles=scene.profiles(stage))["digest"] == digest
    assert run(scene.lab, apply_plan=path)["changed"]


FACETS = st.fixed_dictionaries(
    {},
    optional={
        "heartbeat": st.fixed_dictionaries(
            {"interval": st.sampled_from(["7", "10", "inherited"])},
            optional={"missed_before_alert": st.sampled_from(["3", "unlimited"]), "accept_inherited": st.booleans()},
        ),
        "communication_direction": st.fixed_dictionaries(
            {"direction": st.sampled_from(["bidirectional", "agent_initiated", "inherited"])},
            optional={"accept_inherited": st.booleans()},
        ),
        "firewall_restriction": st.sampled_from(
            [
                {"source_ips": ["192.0.2.0/24", "198.51.100.7"], "manager_addresses": ["192.0.2.10"]},
                {"source_ips": ["192.0.2.10"], "manager_addresses": ["192.0.2.10"], "rule_name": "Other"},
                {"state": "absent"},
            ]
        ),
    },
)


@pytest.fixture(name="busy_lab", scope="module")
def busy_lab_fixture() -> t.Iterator[LabManager]:
    """A lab for this file alone, in which everything stays as one run has left it."""
    with LabManager(computers=60, policies=12, seed=3) as lab:
        scene = Scene(lab)
        run_profiles(lab, scene.profiles(APPLY))
        yield lab


@settings(max_examples=25)
@given(st.data())
def test_equal_documents_in_any_order_are_equal_plans(busy_lab: LabManager, data: st.DataObject) -> None:
    policies = busy_lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"]
    computers = busy_lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    document = []
    for number in range(data.draw(st.integers(1, 3))):
        # Disjoint ones, so that no two disagree.
        document.append(
            {
                "name": f"profile {number}",
                "policies": [one["ID"] for one in policies[number * 4 : number * 4 + 4]],
                "computers": [one["ID"] for one in computers[number * 15 : number * 15 + 15]],
                **data.draw(FACETS.filter(bool)),
            }
        )
    seen = run(busy_lab, check=True, profiles=document)
    mixed = [
        {name: data.draw(st.permutations(value)) if isinstance(value, list) else value for name, value in one.items()}
        for one in data.draw(st.permutations(document))
    ]
    busy_lab.switch(shuffled=data.draw(st.booleans()), largest_page=data.draw(st.sampled_from([50, 5000])))
    again = run(busy_lab, check=True, profiles=mixed)
    assert again.get("failure", {}).get("code") == seen.get("failure", {}).get("code")
    if "plan" in seen:
        assert again["digest"] == seen["digest"]
        assert again["counts"] == seen["counts"]


def test_a_plan_names_the_root(lab, path):
    """What a plan has of the policies above is read again, too: a change far above is another plan."""
    some = mac(lab)
    root = lineage(lab, some["policyID"])[-1]
    lab.api("POST", f"/computers/{some['ID']}", {"computerSettings": {SETTINGS["interval"]: {"value": ""}}})
    for policy in lineage(lab, some["policyID"]):
        lab.api("POST", f"/policies/{policy['ID']}", {"policySettings": {SETTINGS["interval"]: {"value": ""}}})
    profiles = [{"name": "a", "computers": [some["ID"]], "heartbeat": {"interval": "7"}}]
    lab.clear_requests()
    assert run(lab, check=True, profiles=profiles, plan_file=path)["changed"]
    lab.api(
        "POST",
        f"/policies/{root['ID']}",
        {"policySettings": {SETTINGS["interval"]: {"value": "9 Minutes"}}},
        key="colleague",
    )
    assert run(lab, apply_plan=path)["failure"]["code"] == "plan_changed" and writes(lab) == []
