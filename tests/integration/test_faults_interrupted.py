# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed, and runs that meet: what is left is mended by the next one, and nothing is there twice."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.in_process import run_tasks
from tests.integration.scene import (
    APPLY,
    CHANGE,
    REMOVE,
    RULE,
    SETTINGS,
    Scene,
    Stages,
    Truth,
    assert_clear,
    assert_honest,
)
from tests.integration.support import run_profiles, writes
from tests.lab.manager.process import LabManager

pytestmark = pytest.mark.slow

# What a run writes to, as paths of the manager; a search reads, and its path is longer.
WRITTEN = r"/(policies|computers)/\d+(/firewall/assignments(/\d+)?)?$|/(firewallrules|iplists|maclists)(/\d+)?$"
PROCESSES = multiprocessing.get_context("fork")

# From, to, and how many writes it takes one after the other: three objects, and of four targets settings and rules.
WAYS = {"apply": (None, APPLY, 11), "change": (APPLY, CHANGE, 7), "remove": (APPLY, REMOVE, 11)}


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


def reached(lab, count):
    """Wait until so many writes of the run were carried out."""
    end = time.monotonic() + 60
    while len(writes(lab)) < count:
        assert time.monotonic() < end, "the run did not get there"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def stages(running_small_lab):
    """The scene, as it is before the run that is killed."""
    return Stages(running_small_lab)


@pytest.fixture(scope="module")
def methods(stages, running_small_lab):
    """The methods of the writes of an undisturbed run, in their order, by way."""
    found = {}
    for way, (before, stage, most) in WAYS.items():
        scene, _truth = stages.at(before)
        scene.run(stage, concurrency=1)
        found[way] = [request["method"] for request in writes(running_small_lab)]
        assert len(found[way]) == most
    return found


def kill_at(scene, run, number, methods):
    """Start a run in a process of its own, and kill it after its write of that number, before the reply."""
    lab = scene.lab
    lab.clear_requests()
    # Carried out, but not answered before the run is killed.
    method = methods[number - 1]
    skip = methods[: number - 1].count(method)
    lab.add_fault(method=method, path=WRITTEN, skip=skip, times=0, action={"kind": "delay", "seconds": 30})
    process = PROCESSES.Process(target=run)
    process.start()
    try:
        reached(lab, number)
    finally:
        process.kill()
        process.join()
    lab.clear_faults()


@pytest.mark.parametrize(
    ("way", "number"), [(way, number) for way, (_before, _stage, most) in WAYS.items() for number in range(1, most + 1)]
)
def test_killed_after_any_write(lab, stages, methods, way, number):
    before, stage, _most = WAYS[way]
    scene, truth = stages.at(before)
    ids = {key: [item["ID"] for item in same] for key, same in truth.objects.items()}
    kill_at(scene, lambda: scene.run(stage, concurrency=1), number, methods[way])
    assert len(writes(lab)) == number
    left = Truth.of(lab)
    left.assert_no_duplicates()
    scene.assert_converges(stage)
    after = Truth.of(lab)
    # Nothing was deleted and made again: what was there before, or was left, keeps its ID.
    ids |= {key: [item["ID"] for item in same] for key, same in left.objects.items()}
    assert all([item["ID"] for item in same] == ids.get(key, [same[0]["ID"]]) for key, same in after.objects.items())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [4, 6])
def test_killed_with_several_writes_under_way(stages, methods, way, number):
    before, stage, _most = WAYS[way]
    scene, _truth = stages.at(before)
    kill_at(scene, lambda: scene.run(stage, concurrency=4), number, methods[way])
    scene.assert_converges(stage)


def task(lab, **options):
    """The result of one task with a document."""
    return run_tasks(lab, [{"workload_security.agent.communication_profile": options}]).results[0]


def planned(scene, stage, path):
    """Keep the plan of a stage in a file; returns what an unkilled run of it leaves."""
    (result,) = run_tasks(
        scene.lab,
        [{"workload_security.agent.communication_profile": {"profiles": scene.profiles(stage), "plan_file": path}}],
        check=True,
    ).results
    assert not result["failed"]
    return result["digest"]


@pytest.mark.parametrize(
    ("way", "number"), [(way, number) for way, (_before, _stage, most) in WAYS.items() for number in range(1, most + 1)]
)
def test_a_reviewed_plan_that_was_killed_after_any_write_goes_on(lab, stages, methods, tmp_path, way, number):
    before, stage, most = WAYS[way]
    (scene, _truth), path = stages.at(before), str(tmp_path / "plan.json")
    digest = planned(scene, stage, path)
    kill_at(scene, lambda: task(lab, apply_plan=path, concurrency=1), number, methods[way])
    left = Truth.of(lab)
    lab.clear_requests()
    strict = task(lab, profiles=scene.profiles(stage), expected_digest=digest)
    if number < most:
        # All that is known of the plan is its digest, which does not tell who was here.
        assert strict["failure"]["code"] == "plan_changed" and "interrupted" in strict["msg"], strict
        assert "apply_plan" in strict["msg"] and Truth.of(lab) == left
    else:
        assert not strict["failed"] and not strict["changed"]
    assert writes(lab) == []
    result = task(lab, apply_plan=path)
    after = Truth.of(lab)
    assert not result["failed"], result["msg"]
    # Every write is done once, by the run that was killed or by this one.
    assert result["requests"]["writes"] == len(writes(lab)) == most - number
    assert_honest(left, after, result)
    scene.assert_settled(after, stage)
    lab.clear_requests()
    assert not task(lab, apply_plan=path)["changed"] and writes(lab) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_reviewed_plan_that_failed_in_part_goes_on(lab, stages, tmp_path, way):
    before, stage, _most = WAYS[way]
    (scene, _truth), path = stages.at(before), str(tmp_path / "plan.json")
    planned(scene, stage, path)
    for name in ("Alpha", "one.example.com"):
        kind, number = scene.keys[name]
        place = rf"/{'policies' if kind == 'policy' else 'computers'}/{number}(/firewall/assignments(/\d+)?)?$"
        for method in ("POST", "DELETE"):
            lab.add_fault(method=method, path=place, times=0, action={"kind": "status", "status": 403})
    first = task(lab, apply_plan=path)
    assert first["failed"] and first["changed"] and {one["name"] for one in first["failed_targets"]} >= {"Alpha"}
    lab.clear_faults()
    second = task(lab, apply_plan=path)
    assert not second["failed"], second["msg"]
    # The whole of the plan was reviewed, and what is left of it is said to be a part.
    assert "of the reviewed plan" in second["summary"]
    scene.assert_settled(Truth.of(lab), stage)


# -- two runs at once

FIRST = APPLY.facets
SECOND = {
    **CHANGE.facets,
    "firewall_restriction": {**CHANGE.facets["firewall_restriction"], "action": "bypass"},
}


def together(scene, *documents):
    """Run documents at once, each as a task of its own; returns their results."""
    with ThreadPoolExecutor(len(documents)) as pool:
        return list(pool.map(scene.attempt, documents))


def document(scene, facets):
    """All targets, with these facets."""
    return [{**scene.profiles(REMOVE)[0], **facets}]


@pytest.mark.parametrize("pause", [0, 0.005, 0.02], ids=lambda seconds: f"{seconds:g} s")
@pytest.mark.parametrize("applied", [False, True], ids=["from nothing", "from another state"])
def test_two_runs_with_different_documents(lab, applied, pause):
    scene = Scene(lab)
    if applied:
        scene.run(CHANGE)
    if pause:
        # Slow writes leave more room for the other run between them.
        lab.add_fault(path=WRITTEN, times=0, action={"kind": "stall", "seconds": pause})
    first, second = together(scene, document(scene, FIRST), document(scene, SECOND))
    lab.clear_faults()
    after = Truth.of(lab)
    after.assert_no_duplicates()
    for outcome in (first, second):
        assert isinstance(outcome, dict)
        # Where the other run came last, this one may say that what it wrote was not kept, of shared objects only.
        assert {failure["type"] for failure in outcome["failed_targets"]} <= {"firewall_rule", "ip_list", "mac_list"}
    for name in scene.keys:
        held = after.targets[scene.keys[name]]
        for option, wire in SETTINGS.items():
            assert held[wire] in (APPLY.settings[option], CHANGE.settings[option])
        assert held[f"rule {RULE}"] == "assigned"
        # All settings of a target are written at once, so they are of one document.
        assert {option: held[wire] for option, wire in SETTINGS.items()} in (APPLY.settings, CHANGE.settings)
    (rule,), (ips,), (macs,) = (
        after.objects[key]
        for key in (("firewall_rule", RULE), ("ip_list", f"{RULE} (IPs)"), ("mac_list", f"{RULE} (MACs)"))
    )
    assert (rule["sourceIPListID"], rule["sourceMACListID"], rule["action"]) == (ips["ID"], macs["ID"], "bypass")
    assert set(ips["items"]) in (APPLY.ips, CHANGE.ips)
    assert set(macs["items"]) in (APPLY.macs, CHANGE.macs)
    scene.assert_converges(APPLY)


@pytest.mark.parametrize("runs", [2, 5])
def test_runs_with_one_document(lab, runs):
    scene = Scene(lab)
    before = Truth.of(lab)
    outcomes = together(scene, *[scene.profiles(APPLY)] * runs)
    after = Truth.of(lab)
    assert all(isinstance(outcome, dict) and outcome["failed_targets"] == [] for outcome in outcomes)
    scene.assert_settled(after, APPLY)
    # Every rule and list was made by exactly one of them.
    made = [entry["name"] for outcome in outcomes for entry in outcome["objects"]]
    assert sorted(made) == sorted(name for _kind, name in after.objects_changed_since(before))
    scene.assert_nothing_to_do(APPLY, after)


def test_one_run_applies_while_another_removes(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    lab.add_fault(path=WRITTEN, times=0, action={"kind": "stall", "seconds": 0.005})
    for outcome in together(scene, scene.profiles(CHANGE), scene.profiles(REMOVE)):
        # Who finds the ground gone from under its feet says so, of what it could not do.
        assert isinstance(outcome, dict)
        assert all(failure["name"] for failure in outcome["failed_targets"])
        for failure in outcome["failed_targets"]:
            assert_clear(failure["reason"])
    lab.clear_faults()
    after = Truth.of(lab)
    after.assert_no_duplicates()
    for name in scene.keys:
        held = after.targets.get(scene.keys[name], {})
        assert {option: held[wire] for option, wire in SETTINGS.items() if wire in held} in (CHANGE.settings, {})
    # A rule is there whole, or not at all; and where a target has it, it is there.
    if ("firewall_rule", RULE) in after.objects:
        assert {("ip_list", f"{RULE} (IPs)"), ("mac_list", f"{RULE} (MACs)")} <= after.objects.keys()
    scene.assert_converges(CHANGE)


def test_other_targets_of_one_rule(lab):
    """Two playbooks share a rule name and its sources: each brings its own targets to it."""
    scene = Scene(lab)
    outcomes = together(scene, scene.profiles(APPLY, ["Alpha", "one.example.com"]),
                        scene.profiles(APPLY, ["Beta", "two.example.com"]))  # fmt: skip
    assert [outcome["failed_targets"] for outcome in outcomes] == [[], []]
    scene.assert_settled(Truth.of(lab), APPLY)
    # Taken away from some, it stays for the others.
    before = Truth.of(lab)
    result = run_profiles(lab, scene.profiles(REMOVE, ["Alpha", "one.example.com"]))
    after = Truth.of(lab)
    assert_honest(before, after, result)
    assert result["objects"] == [] and result["failed_targets"] == []
    scene.assert_settled(after, APPLY, ["Beta", "two.example.com"])
