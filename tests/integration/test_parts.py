# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of a plan: slices for runs at the same time, and chosen targets for runs one after the other."""

from __future__ import annotations

import collections
import json
import time
import typing as t

import pytest

from tests.integration.in_process import NAMESPACE, run_tasks
from tests.integration.scene import APPLY, IP_LIST, MAC_LIST, REMOVE, RULE, Scene, Stage, Truth, assert_honest
from tests.integration.support import RESTRICTION, connection, names, writes
from tests.integration.test_faults_interrupted import PROCESSES, WRITTEN, kill_at
from tests.lab.manager.process import LabManager

PROFILE = f"{NAMESPACE}.communication_profile"
OBJECTS = {("firewall_rule", RULE), ("ip_list", IP_LIST), ("mac_list", MAC_LIST)}


def run(lab: LabManager, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """The result of one task."""
    return run_tasks(lab, [{PROFILE: options}], check=check).results[0]


class Site(Scene):
    """The scene with more computers, some of them below a policy."""

    def __init__(self, lab: LabManager) -> None:
        super().__init__(lab)
        for number in range(10):
            body = {"hostName": f"more-{number}", "policyID": self.keys["Beta"][1] if number % 2 else 1}
            self.keys[f"more-{number}"] = ("computer", lab.api("POST", "/computers", body)["ID"])
        lab.clear_requests()


@pytest.fixture(name="site")
def site_fixture(lab: LabManager) -> Site:
    return Site(lab)


def written(lab: LabManager) -> collections.Counter[tuple[str, str]]:
    """How often what was written."""
    return collections.Counter((request["method"], request["path"]) for request in writes(lab))


def whole(site: Site, stage: Stage, before: Stage | None = None) -> tuple[collections.Counter, Truth, dict[str, t.Any]]:
    """What a run of the whole document writes, leaves and says; then everything is as it was."""
    lab = site.lab
    if before:
        run(lab, profiles=site.profiles(before))
        lab.clear_requests()
    result = run(lab, profiles=site.profiles(stage))
    found = written(lab), Truth.of(lab), result
    lab.reset()
    site.__init__(lab)
    if before:
        run(lab, profiles=site.profiles(before))
        lab.clear_requests()
    return found


def same_but_ids(one: Truth, other: Truth) -> bool:
    def without(truth: Truth) -> dict[t.Any, t.Any]:
        return {
            key: [{**item, "ID": 0} for item in same]
            for key, same in truth.objects.items()
            if key[0] != "firewall_rule"
        }

    return (
        one.targets == other.targets and without(one) == without(other) and one.objects.keys() == other.objects.keys()
    )


def sliced(site: Site, number: int, of: int, **options: t.Any) -> dict[str, t.Any]:
    return run(site.lab, slice={"number": number, "of": of}, **options)


# -- slices


@pytest.fixture(name="small_scene")
def small_scene_fixture(small_lab: LabManager) -> Scene:
    return Scene(small_lab)


def test_slices_one_after_the_other_write_what_one_run_writes(site: Site) -> None:
    lab = site.lab
    expected, truth, at_once = whole(site, APPLY)
    results = [sliced(site, number, 3, profiles=site.profiles(APPLY)) for number in (2, 3, 1)]
    assert written(lab) == expected, "each write once"
    assert same_but_ids(Truth.of(lab), truth)
    for kind in ("changed", "unchanged", "failed"):
        assert sum(one["counts"][kind] for one in results) == at_once["counts"][kind]
    assert sorted(one["name"] for result in results for one in result["objects"]) == sorted([RULE, IP_LIST, MAC_LIST])
    changed = [name for result in results for name in names(result["changed_targets"])]
    assert sorted(changed) == sorted(names(at_once["changed_targets"]))
    # Policies are in the first; computers by their IDs, whatever they are called.
    for number, result in zip((2, 3, 1), results):
        for one in result["changed_targets"]:
            assert number == (1 if one["type"] == "policy" else one["id"] % 3 + 1)
        assert result["later"] == {"steps": 0, "targets": 0, "objects": [], "objects_count": 0}
    lab.clear_requests()
    assert not any(sliced(site, number, 3, profiles=site.profiles(APPLY))["changed"] for number in (1, 2, 3))
    assert writes(lab) == []


def test_a_slice_reads_no_more_than_the_whole(site: Site) -> None:
    lab = site.lab
    run(lab, check=True, profiles=site.profiles(APPLY))
    reads = len(lab.requests())
    for number in (1, 2, 3):
        lab.clear_requests()
        sliced(site, number, 3, check=True, profiles=site.profiles(APPLY))
        assert len(lab.requests()) <= reads


@pytest.mark.parametrize("pause", [0, 0.005])
def test_slices_at_the_same_time(site: Site, pause: float) -> None:
    lab = site.lab
    _expected, truth, at_once = whole(site, APPLY)
    if pause:
        lab.add_fault(path=WRITTEN, times=0, action={"kind": "stall", "seconds": pause})
    # Each in a process of its own, as tasks are.
    with PROCESSES.Pool(3) as pool:
        results = pool.starmap(
            _slice, [(lab.url, lab.ca_path, lab.api_key, site.profiles(APPLY), n) for n in (1, 2, 3)]
        )
    lab.clear_faults()
    after = Truth.of(lab)
    after.assert_no_duplicates()
    assert same_but_ids(after, truth)
    assert [result["failed_targets"] for result in results] == [[], [], []]
    assert sum(one["counts"]["changed"] for one in results) == at_once["counts"]["changed"]
    # Made by exactly one of them.
    assert sorted(one["name"] for result in results for one in result["objects"]) == sorted([RULE, IP_LIST, MAC_LIST])
    # What targets get is written once; only a name can have been tried twice at the same moment.
    twice = {path for (_method, path), times in written(lab).items() if times > 1}
    assert all(path.endswith(("/iplists", "/maclists", "/firewallrules")) for path in twice), twice


class _Where(t.NamedTuple):
    url: str
    ca_path: str
    api_key: str


def _slice(url: str, ca_path: str, api_key: str, profiles: list[dict[str, t.Any]], number: int) -> dict[str, t.Any]:
    lab = t.cast("LabManager", _Where(url, ca_path, api_key))
    return run(lab, profiles=profiles, slice={"number": number, "of": 3})


def test_deletions_wait_for_a_run_without_slices(site: Site) -> None:
    lab = site.lab
    _expected, truth, _at_once = whole(site, REMOVE, APPLY)
    results = [sliced(site, number, 3, profiles=site.profiles(REMOVE)) for number in (3, 1, 2)]
    for result in results:
        assert result["later"]["objects_count"] == 3 and f"rule '{RULE}'" in result["later"]["objects"][0]
        assert "3 steps are left to a run without slice" in result["summary"] and result["objects"] == []
    assert OBJECTS <= Truth.of(lab).objects.keys()
    lab.clear_requests()
    last = run(lab, profiles=site.profiles(REMOVE))
    assert not last["failed"] and len(writes(lab)) == 3 and "later" not in last
    assert same_but_ids(Truth.of(lab), truth)


def test_a_slice_that_was_killed_is_run_again(site: Site) -> None:
    lab = site.lab
    expected, truth, _at_once = whole(site, APPLY)
    profiles = site.profiles(APPLY)
    sliced(site, 2, 3, check=True, profiles=profiles)
    methods = ["POST"] * 20
    kill_at(site, lambda: sliced(site, 2, 3, profiles=profiles, concurrency=1), 5, methods)
    left = Truth.of(lab)
    done = written(lab)
    results = [sliced(site, number, 3, profiles=profiles) for number in (3, 2, 1)]
    assert not any(result["failed"] for result in results)
    assert same_but_ids(Truth.of(lab), truth) and left.objects.keys() <= truth.objects.keys()
    assert written(lab) == expected and done <= expected


def test_the_plan_of_a_slice_is_reviewed_and_carried_out(site: Site, tmp_path: t.Any) -> None:
    lab, path = site.lab, str(tmp_path / "plan.json")
    plan = sliced(site, 2, 3, check=True, profiles=site.profiles(APPLY), plan_file=path)
    seen = sliced(site, 2, 3, check=True, profiles=site.profiles(APPLY))
    other = sliced(site, 3, 3, check=True, profiles=site.profiles(APPLY))
    assert plan["digest"] == seen["digest"] != other["digest"] and writes(lab) == []
    with open(path, encoding="utf-8") as file:
        held = json.load(file)
    assert held["digest"] == plan["digest"] and held["document"]["slice"] == {"number": 2, "of": 3}
    refused = sliced(site, 3, 3, profiles=site.profiles(APPLY), expected_digest=plan["digest"])
    assert refused["failure"]["code"] == "plan_changed"
    refused = sliced(site, 3, 3, apply_plan=path)
    assert refused["failure"]["option"] == "slice" and "the plan of a part" in refused["msg"]
    result = run(lab, apply_plan=path)
    assert not result["failed"] and result["counts"] == plan["counts"] and result["digest"] == plan["digest"]
    assert {one["id"] % 3 + 1 for one in result["changed_targets"]} == {2}
    assert not run(lab, apply_plan=path)["changed"]


def test_a_reviewed_plan_is_carried_out_in_slices(site: Site, tmp_path: t.Any) -> None:
    lab, path = site.lab, str(tmp_path / "plan.json")
    expected, truth, _at_once = whole(site, APPLY)
    run(lab, check=True, profiles=site.profiles(APPLY), plan_file=path)
    results = [sliced(site, number, 3, apply_plan=path) for number in (3, 1, 2)]
    assert not any(result["failed"] for result in results), results
    assert written(lab) == expected and same_but_ids(Truth.of(lab), truth)


def test_each_slice_keeps_to_its_part_of_the_limit(lab: LabManager) -> None:
    reached = connection(lab, requests_per_minute=100)
    assert [reached.shared_by(number).requests_per_minute for number in (1, 3, 100, 1000)] == [100, 33, 1, 1]
    assert connection(lab).shared_by(3).requests_per_minute == 0, "without a limit there is nothing to share"
    began = time.monotonic()
    run(lab, check=True, profiles=Scene(lab).profiles(APPLY), requests_per_minute=9000, slice={"number": 2, "of": 6})
    # 1500 a minute: never sooner than 40 ms after the one before.
    assert time.monotonic() - began >= 0.04 * (len(lab.requests()) - 1)


def test_a_facet_takes_slices_too(site: Site) -> None:
    lab = site.lab
    computers = [number for kind, number in site.keys.values() if kind == "computer"]
    task = {"computers": computers, "interval": "30"}
    results = run_tasks(
        lab, [{f"{NAMESPACE}.heartbeat": {**task, "slice": {"number": number, "of": 2}}} for number in (1, 2)]
    ).results
    assert sum(result["counts"]["changed"] for result in results) == len(computers) == len(writes(lab))
    (wrong,) = run_tasks(lab, [{f"{NAMESPACE}.heartbeat": {**task, "slice": {"number": 3, "of": 2}}}]).results
    assert wrong["failure"]["option"] == "slice.number"


# -- chosen targets


def test_waves_write_what_one_run_writes(site: Site) -> None:
    lab = site.lab
    expected, truth, at_once = whole(site, APPLY)
    waves: list[dict[str, t.Any]] = [
        {"computers": ["more-1"]},
        {"computers_matching": ["more-*"]},
        {"policies": ["Alpha"]},
    ]
    results = []
    for wave in waves:
        before = Truth.of(lab)
        result = run(lab, profiles=site.profiles(APPLY), only=wave)
        assert_honest(before, Truth.of(lab), result)
        assert result["later"]["steps"] > 0 and "are left to a run without only" in result["summary"]
        results.append(result)
    assert names(results[0]["changed_targets"]) == {"more-1"} and len(results[0]["objects"]) == 3
    assert names(results[2]["changed_targets"]) == {"Alpha"} and results[2]["objects"] == []
    results.append(run(lab, profiles=site.profiles(APPLY)))
    assert written(lab) == expected and same_but_ids(Truth.of(lab), truth)
    assert sum(one["counts"]["changed"] for one in results) == at_once["counts"]["changed"]


@pytest.mark.parametrize("stage", ["apply", "remove"])
def test_a_reviewed_plan_is_carried_out_in_waves(site: Site, tmp_path: t.Any, stage: str) -> None:
    lab, path = site.lab, str(tmp_path / "plan.json")
    before, after = {"apply": (None, APPLY), "remove": (APPLY, REMOVE)}[stage]
    expected, truth, _at_once = whole(site, after, before)
    run(lab, check=True, profiles=site.profiles(after), plan_file=path)
    for wave in ({"computers": ["more-1"]}, {"computers_matching": ["more-*"]}):
        foreseen = run(lab, check=True, apply_plan=path, only=wave)
        result = run(lab, apply_plan=path, only=wave)
        assert not result["failed"] and result["plan"] == foreseen["plan"] and result["digest"] == foreseen["digest"]
        assert OBJECTS <= Truth.of(lab).objects.keys(), "deletions come with the last part"
    last = run(lab, apply_plan=path)
    assert not last["failed"] and "of the reviewed plan were done before" in last["summary"]
    assert written(lab) == expected and same_but_ids(Truth.of(lab), truth)


@pytest.mark.parametrize("how", ["waves", "slices", "a deletion that fails"])
def test_a_reviewed_removal_of_what_is_undeclared_ends_with_its_deletions(
    site: Site, tmp_path: t.Any, how: str
) -> None:
    """Once no target has the rule, only the reviewed plan says that it is to be deleted."""
    lab, path = site.lab, str(tmp_path / "plan.json")
    run(lab, profiles=site.profiles(APPLY))
    profiles = [{"name": "interval", "policies": ["Alpha"], "computers_query": "[]", "heartbeat": {"interval": 30}}]
    options = {"profiles": profiles, "undeclared": "remove"}
    planned = run(lab, check=True, plan_file=path, **options)
    assert {(entry["type"], entry["name"]) for entry in planned["objects"]} == OBJECTS
    if how == "waves":
        parts = [{"only": {"policies": [name]}} for name in ("Alpha", "Beta")]
        parts += [{"only": {"computers": [name]}} for name, (kind, _id) in site.keys.items() if kind == "computer"]
    elif how == "slices":
        parts = [{"slice": {"number": number, "of": 3}} for number in (3, 1, 2)]
    else:
        parts = []
        lab.add_fault(method="DELETE", path="^/(firewallrules|iplists)/", action={"kind": "status", "status": 400})
        result = run(lab, apply_plan=path)
        assert result["failed_targets"]
    for part in parts:
        result = run(lab, apply_plan=path, **part)
        assert not result["failed"] and result["later"]["objects_count"] == len(OBJECTS), result.get("msg")
    foreseen = run(lab, check=True, apply_plan=path)
    result = run(lab, apply_plan=path)
    assert not result["failed"] and result["objects"] == foreseen["objects"], result.get("msg")
    assert {(entry["type"], entry["name"]) for entry in result["objects"]} == OBJECTS
    assert Truth.of(lab).objects.keys().isdisjoint(OBJECTS)
    lab.clear_requests()
    again = run(lab, apply_plan=path)
    assert not again["changed"] and not again["failed"] and writes(lab) == []


NO_SUCH_RULE = {"firewall_restriction": {"rule_name": "No such rule", "state": "assigned"}}


def test_a_reviewed_removal_ends_with_its_deletions_although_a_target_is_refused(site: Site, tmp_path: t.Any) -> None:
    lab, path = site.lab, str(tmp_path / "plan.json")
    restriction = {"firewall_restriction": APPLY.facets["firewall_restriction"]}
    assert not run(lab, profiles=[{"name": "a", "policies": ["Alpha"], **restriction}])["failed"]
    profiles = [
        {"name": "refused", "computers": ["two.example.com"], **NO_SUCH_RULE},
        {"name": "interval", "policies": ["Alpha"], "heartbeat": {"interval": 30}},
    ]
    run(lab, check=True, plan_file=path, profiles=profiles, undeclared="remove")
    result = run(lab, apply_plan=path, only={"policies": ["Alpha"]})
    assert not result["failed"] and result["counts"]["changed"] == 1
    assert result["later"]["objects_count"] == len(OBJECTS) and OBJECTS <= Truth.of(lab).objects.keys()
    result = run(lab, apply_plan=path)
    assert [one["name"] for one in result["failed_targets"]] == ["two.example.com"]
    assert {(entry["type"], entry["name"]) for entry in result["objects"]} == OBJECTS
    assert Truth.of(lab).objects.keys().isdisjoint(OBJECTS)


def test_a_refused_target_keeps_its_rule(site: Site) -> None:
    """What is to be absent from it stays, too, and is not deleted."""
    lab, both = site.lab, {"policies": ["Alpha"], "computers": ["two.example.com"]}
    restriction = {"firewall_restriction": APPLY.facets["firewall_restriction"]}
    assert not run(lab, profiles=[{"name": "a", **both, **restriction}])["failed"]
    profiles = [
        {"name": "a", "computers": ["two.example.com"], **NO_SUCH_RULE},
        {"name": "b", **both, "firewall_restriction": {"state": "absent"}},
    ]
    result = run(lab, profiles=profiles)
    assert [one["name"] for one in result["failed_targets"]] == ["two.example.com"] and result["objects"] == []
    truth = Truth.of(lab)
    assert OBJECTS <= truth.objects.keys()
    assert [key for key, parts in truth.targets.items() if f"rule {RULE}" in parts] == [site.keys["two.example.com"]]


def test_what_changes_for_everybody_waits_for_the_last_part(site: Site) -> None:
    """A wave of one must not change a rule under the feet of all that have it; if it needs that, it is said."""
    lab = site.lab
    run(lab, profiles=site.profiles(APPLY, ["Alpha", "more-1", "more-2"]))
    changed = {**APPLY.facets["firewall_restriction"], "source_ips": ["192.0.2.0/25"]}
    lab.clear_requests()
    profiles = [{**site.profiles(APPLY, ["Alpha", "more-1", "more-2"])[0], "firewall_restriction": changed}]
    result = run(lab, profiles=profiles, only={"computers": ["more-1"]})
    assert not result["changed"] and writes(lab) == []
    assert result["later"] == {"steps": 1, "targets": 0, "objects_count": 1,
                               "objects": [f"IP list '{IP_LIST}' (ID {Truth.of(lab).objects['ip_list', IP_LIST][0]['ID']})"]}  # fmt: skip
    profiles = [{**site.profiles(APPLY, ["Alpha", "more-1", "more-2", "more-3"])[0], "firewall_restriction": changed}]
    result = run(lab, profiles=profiles, only={"computers": ["more-3"]})
    assert names(result["changed_targets"]) == {"more-3"}
    (warning,) = [one for one in result["warnings"] if "all that have it" in one]
    assert IP_LIST in warning
    # Of the first part of a rule's sources nobody else is left.
    assert not run(lab, profiles=profiles)["changed"]


@pytest.mark.parametrize(
    ("only", "option", "told"),
    [
        ({}, "only", "targets must be chosen"),
        ({"computers": ["more-11"]}, "only.computers", "more-1"),
        ({"computers_query": "[?nothing"}, "only.computers_query", "JMESPath"),
    ],
)
def test_who_is_chosen_must_be_there(site: Site, only: dict[str, t.Any], option: str, told: str) -> None:
    result = run(site.lab, profiles=site.profiles(APPLY), only=only)
    assert result["failure"]["option"] == option and told in result["msg"], result["msg"]
    assert writes(site.lab) == []


def test_who_need_not_be_there_is_left_out(site: Site) -> None:
    result = run(
        site.lab, profiles=site.profiles(APPLY), only={"computers": ["more-1", "more-11"], "allow_missing": True}
    )
    assert names(result["changed_targets"]) == {"more-1"}
    assert any("option 'only' is kept without computer 'more-11'" in warning for warning in result["warnings"])


INHERITING = {
    "heartbeat": {"heartbeat": {"interval": 30}},
    "direction": {"communication_direction": {"direction": "manager_initiated"}},
    "restriction": {"firewall_restriction": RESTRICTION},
}


def inheriting(facet: str, *below: str) -> list[dict[str, t.Any]]:
    """Alpha with a facet, and others for which it is enough to inherit it."""
    ((name, options),) = INHERITING[facet].items()
    enough = {name: {**options, "accept_inherited": True}}
    places = {"Beta": "policies"}
    return [
        {"name": "above", "policies": ["Alpha"], name: options},
        *({"name": one, places.get(one, "computers"): [one], **enough} for one in below),
    ]


@pytest.mark.parametrize("facet", INHERITING)
@pytest.mark.parametrize("below", [["one.example.com"], ["Beta"], ["Beta", "one.example.com"]])
def test_who_is_to_inherit_what_is_left_is_not_as_declared(small_scene: Scene, facet: str, below: list[str]) -> None:
    lab, profiles = small_scene.lab, inheriting(facet, *below)
    only = {
        kind: [one for one in below if (one == "Beta") == (kind == "policies")] for kind in ("policies", "computers")
    }
    result = run(lab, profiles=profiles, only=only)
    assert not result["failed"] and not result["changed"] and result["later"]["steps"]
    assert result["counts"]["unchanged"] == 0 and "as declared" not in result["summary"]
    assert not run(lab, profiles=profiles)["failed"]
    result = run(lab, profiles=profiles, only=only)
    assert result["later"]["steps"] == 0 and result["counts"]["unchanged"] == len(below)


@pytest.mark.parametrize("facet", INHERITING)
@pytest.mark.parametrize("below", [["one.example.com"], ["Beta"], ["Beta", "one.example.com"]])
def test_who_is_to_inherit_what_has_failed_is_not_as_declared(small_scene: Scene, facet: str, below: list[str]) -> None:
    lab, profiles = small_scene.lab, inheriting(facet, *below)
    path = f"^/policies/{small_scene.keys['Alpha'][1]}(/firewall/assignments)?$"
    lab.add_fault(method="POST", path=path, times=0, action={"kind": "status", "status": 403})
    result = run(lab, profiles=profiles)
    lab.clear_faults()
    states = {one["name"]: one["state"] for one in result["failed_targets"]}
    assert states == {"Alpha": "not_done", **dict.fromkeys(below, "not_tried")}
    reasons = {one["reason"] for one in result["failed_targets"] if one["name"] != "Alpha"}
    assert len(reasons) == 1 and "is to be inherited and failed" in next(iter(reasons))
    assert result["counts"]["unchanged"] == 0
    assert not run(lab, profiles=profiles)["failed"] and not run(lab, profiles=profiles)["changed"]


def test_slices_of_a_wave(site: Site) -> None:
    results = [
        sliced(site, number, 2, profiles=site.profiles(APPLY), only={"computers_matching": ["more-*"]})
        for number in (1, 2)
    ]
    changed = [name for result in results for name in names(result["changed_targets"])]
    assert sorted(changed) == sorted(name for name in site.keys if name.startswith("more-"))
