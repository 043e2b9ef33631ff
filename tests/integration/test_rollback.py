# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot that is applied after a change gives back what was there before, and takes away what came since."""

from __future__ import annotations

import json
import random
import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.environments import ROOT
from tests.integration.captured import APPLY as PROFILE
from tests.integration.captured import CAPTURE, read
from tests.integration.in_process import run_tasks
from tests.integration.scene import APPLY, CHANGE, RULE, SETTINGS, Key, Scene, Truth
from tests.integration.support import ansible_playbook, names, writes
from tests.integration.test_capture_property import SWITCHES, Fleet
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

BACK = {"undeclared": "remove", "scope": "targets"}
# What makes a rule what it is, however its lists are called and numbered.
FIELDS = ("action", "priority", "direction", "frameType", "protocol", "sourceIPType", "sourceMACType", "scheduleID")


def run(lab: LabManager, module: str, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """The result of one task."""
    return run_tasks(lab, [{module: options}], check=check).results[0]


def snapshot(lab: LabManager, path: Path, **chosen: t.Any) -> list[dict[str, t.Any]]:
    """A complete snapshot in a new file: its profiles."""
    path.unlink(missing_ok=True)
    lab.clear_requests()
    result = run(lab, CAPTURE, path=str(path), complete=True, **chosen)
    assert not result["failed"], result
    assert writes(lab) == []
    held = read(path.read_text(encoding="utf-8"))
    assert (held["communication_undeclared"], held["communication_scope"]) == ("remove", "targets")
    return held["communication_profiles"]


def rules_of(truth: Truth, targets: t.Container[Key]) -> dict[str, t.Any]:
    """What the rules of these targets are, by their names."""
    lists = {
        (kind, item["ID"]): sorted(map(str.lower, item["items"]))
        for (kind, _name), same in truth.objects.items()
        for item in same
        if kind in ("ip_list", "mac_list")
    }
    held = {part[5:] for key, parts in truth.targets.items() if key in targets for part in parts if part[:5] == "rule "}
    return {
        name: {
            **{field: item.get(field) for field in FIELDS},
            "ips": lists.get(("ip_list", item.get("sourceIPListID"))),
            "macs": lists.get(("mac_list", item.get("sourceMACListID"))),
        }
        for (kind, name), same in truth.objects.items()
        for item in same
        if kind == "firewall_rule" and name in held
    }


# -- any fleet, any change


def any_change(fleet: Fleet, chance: random.Random, rules: list[str]) -> dict[str, t.Any]:
    """A document that sets, changes and removes things of some targets."""

    def some() -> dict[str, t.Any]:
        targets = chance.sample(fleet.targets, chance.randint(1, len(fleet.targets)))
        return {kind: [number for of, number in targets if of == kind] for kind in ("policies", "computers")}

    def restriction(name: str) -> dict[str, t.Any]:
        return {"rule_name": name, "source_ips": ["203.0.113.0/24"], "allow_manager_lockout": True}

    profiles: list[dict[str, t.Any]] = [
        {
            "heartbeat": {
                "interval": chance.choice((5, "inherited")),
                "missed_before_alert": chance.choice((4, "inherited")),
            }
        },
        {"communication_direction": {"direction": chance.choice(("bidirectional", "manager_initiated", "inherited"))}},
        {"firewall_restriction": restriction("New rule")},
        *({"firewall_restriction": {"rule_name": name, "state": "absent"}} for name in rules),
    ]
    profiles = [
        {"name": f"p{number}", **some(), **profile} for number, profile in enumerate(profiles) if chance.random() < 0.6
    ] or [{"name": "p", **some(), **profiles[2]}]
    return {
        "profiles": profiles,
        "undeclared": chance.choice(("keep", "keep", "remove")),
        "scope": chance.choice(("declared", "fleet", "targets")),
        "stop_after": 0,
    }


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_what_was_there_before_is_there_again(bare_lab: LabManager, tmp_path: Path, seed: int) -> None:
    lab, chance = bare_lab, random.Random(seed)
    fleet = Fleet(lab, chance, ("Ubuntu Linux 22",))
    everybody = chance.random() < 0.3
    among = fleet.targets if everybody else chance.sample(fleet.targets, chance.randint(1, len(fleet.targets)))
    switches = chance.choice(SWITCHES)
    lab.switch(**switches)
    chosen = (
        {}
        if everybody
        else {kind: [number for of, number in among if of == kind] for kind in ("policies", "computers")}
    )
    keys = {({"policies": "policy", "computers": "computer"}[kind], number) for kind, number in among}
    before = Truth.of(lab, switches)
    profiles = snapshot(lab, tmp_path / "before.yml", **chosen)
    # By itself it changes nothing.
    idle = run(lab, PROFILE, profiles=profiles, **BACK)
    assert not idle["changed"] and not idle["failed"], idle
    change = any_change(fleet, chance, sorted(name for kind, name in before.objects if kind == "firewall_rule"))
    changed = run(lab, PROFILE, **change)
    assert "plan" in changed or changed["failure"]["option"] == "profiles", changed
    back = run(lab, PROFILE, profiles=profiles, **BACK)
    assert not back["failed"], back["msg"]
    after = Truth.of(lab, switches)
    for key in keys:
        assert after.targets.get(key, {}) == before.targets.get(key, {}), (key, change)
    assert rules_of(after, keys) == rules_of(before, keys)
    lab.clear_requests()
    assert not run(lab, PROFILE, profiles=profiles, **BACK)["changed"] and writes(lab) == []


# -- a plan that is undone


def facet_of(part: str) -> str:
    """The facet of a setting of the manager, or of a rule."""
    if part.startswith("rule "):
        return "firewall_restriction"
    return "communication_direction" if "Direction" in part else "heartbeat"


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_a_plan_is_undone_and_what_others_have_set_since_stays(bare_lab: LabManager, tmp_path: Path, seed: int) -> None:
    lab, chance = bare_lab, random.Random(seed)
    fleet = Fleet(lab, chance, ("Ubuntu Linux 22",))
    before = Truth.of(lab)
    profiles = snapshot(lab, tmp_path / "before.yml")
    change = any_change(fleet, chance, sorted(name for kind, name in before.objects if kind == "firewall_rule"))
    del change["stop_after"]
    plan = str(tmp_path / "plan.json")
    if "plan" not in run(lab, PROFILE, check=True, **change, plan_file=plan):
        return
    chosen = chance.sample(fleet.targets, chance.randint(1, len(fleet.targets)))
    part = {kind: [number for of, number in chosen if of == kind] for kind in ("policies", "computers")}
    # Some of the plan, as a rollout that was interrupted leaves it.
    written_part = chance.choice(({}, {"only": part}))
    run(lab, PROFILE, apply_plan=plan, **written_part)
    written = Truth.of(lab)
    fleet.rules = [item["ID"] for item in lab.api("POST", "/firewallrules/search", {})["firewallRules"]][:4]
    share = chance.choice((0.0, 0.3))
    fleet.disturb(share)
    disturbed = Truth.of(lab)
    back = run(lab, PROFILE, profiles=profiles, **BACK, undo_plan=plan, stop_after=0, **written_part)
    after = Truth.of(lab)
    named = [*back["left_alone"], *back["failed_targets"]]
    # A rule that no document could declare, and that the plan has deleted, is gone for good.
    assert share or all("does not exist" in one["reason"] for one in named), named
    told = {(one["type"], one.get("id"), one["facet"]) for one in named}
    # What a part needs of others was written to them, too.
    keys = {({"policies": "policy", "computers": "computer"}[kind], number) for kind, number in chosen}
    for key in keys if written_part else before.targets.keys() | written.targets.keys():
        was, mine, now, then = (truth.targets.get(key, {}) for truth in (before, written, disturbed, after))
        parts = was.keys() | mine.keys() | now.keys() | then.keys()
        theirs = {one for one in parts if now.get(one) != mine.get(one)}
        for one in parts:
            if one in theirs or was.get(one) == mine.get(one):
                assert then.get(one) == now.get(one), (key, one, change)
            elif (*key, facet_of(one)) not in told:
                assert then.get(one) == was.get(one), (key, one, change)


@pytest.fixture(name="scene")
def scene_fixture(lab: LabManager) -> Scene:
    return Scene(lab)


def by_name(scene: Scene, chosen: t.Iterable[str] | None = None) -> dict[str, t.Any]:
    profile = scene.profiles(APPLY, chosen)[0]
    return {"policies": profile["policies"], "computers": profile["computers"]}


@pytest.fixture(name="undoing")
def undoing_fixture(scene: Scene, tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Apply a document whose plan is kept, let somebody else do something, and undo the plan."""
    path = str(tmp_path / "plan.json")

    def undo(profiles: list[dict[str, t.Any]], meanwhile: t.Callable[[], t.Any]) -> dict[str, t.Any]:
        back = snapshot(scene.lab, tmp_path / "before.yml", **by_name(scene))
        planned = run(scene.lab, PROFILE, check=True, profiles=profiles, plan_file=path)
        assert planned["changed"] and run(scene.lab, PROFILE, apply_plan=path)["digest"] == planned["digest"]
        meanwhile()
        return run(scene.lab, PROFILE, profiles=back, **BACK, undo_plan=path)

    return undo


def test_a_value_that_somebody_else_has_set_since_is_named(scene: Scene, undoing: t.Any) -> None:
    alpha = scene.keys["Alpha"][1]
    value = {"policySettings": {"platformSettingHeartbeatInterval": {"value": "5 Minutes"}}}
    before = Truth.of(scene.lab)
    result = undoing(scene.profiles(APPLY), lambda: scene.lab.api("POST", f"/policies/{alpha}", value))
    (left,) = result["left_alone"]
    assert (left["type"], left["id"], left["facet"]) == ("policy", alpha, "heartbeat")
    assert left["reason"] == "changed by somebody else since: interval is 5, where the plan wrote 30"
    assert "1 left alone" in result["summary"] and result["counts"]["left_alone"] == 1
    after = Truth.of(scene.lab)
    # The whole facet stays, and nothing else.
    changed = after.parts_changed_since(before)
    assert changed == {("policy", alpha, wire) for option, wire in SETTINGS.items() if option != "direction"}
    assert after.objects_changed_since(before) == set()


def test_a_rule_that_somebody_else_has_replaced_stays(scene: Scene, undoing: t.Any) -> None:
    """To give back the old one beside theirs would admit more than anybody wanted."""
    lab, two = scene.lab, scene.keys["two.example.com"][1]
    path = f"/computers/{two}/firewall/assignments"
    names = {"Old": "192.0.2.1", "Theirs": "192.0.2.2"}
    rules = {
        name: lab.api(
            "POST", "/firewallrules", {**REPLACING, "name": name, "sourceIPType": "single", "sourceIPValue": value}
        )["ID"]
        for name, value in names.items()
    }
    lab.api("POST", path, {"ruleIDs": [rules["Old"]]})
    target = {"computers": ["two.example.com"]}
    profiles = [
        {"name": "new", **target, "firewall_restriction": APPLY.facets["firewall_restriction"]},
        {"name": "old", **target, "firewall_restriction": {"rule_name": "Old", "state": "absent"}},
    ]

    def replace() -> None:
        (ours,) = [number for number in lab.api("GET", path)["assignedRuleIDs"] if number not in rules.values()]
        lab.api("DELETE", f"{path}/{ours}")
        lab.api("POST", path, {"ruleIDs": [rules["Theirs"]]})

    result = undoing(profiles, replace)
    (left,) = result["left_alone"]
    assert (left["id"], left["facet"]) == (two, "firewall_restriction")
    assert f"{RULE} is not assigned again" in left["reason"]
    assert lab.api("GET", path)["assignedRuleIDs"] == [rules["Theirs"]]


RULES_OF_OTHERS = {
    "in the rule": {**REPLACING, "sourceIPType": "single", "sourceIPValue": "192.0.2.9"},
    "at night": {**REPLACING, "scheduleID": 1},
    "for anything else": {"action": "deny", "priority": "2"},
}


@pytest.mark.parametrize("kind", RULES_OF_OTHERS)
@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_rule_that_the_plan_has_only_assigned_is_taken_away_again(
    scene: Scene, undoing: t.Any, kind: str, more: int
) -> None:
    """Although no document can declare it, alone or beside others that stay."""
    lab = scene.lab
    lab.api("POST", "/firewallrules", {"name": "Theirs", **RULES_OF_OTHERS[kind]})
    others = [
        lab.api("POST", "/firewallrules", {"name": f"Other {n}", **RULES_OF_OTHERS[kind]})["ID"] for n in range(more)
    ]
    path = f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments"
    lab.api("PUT", path, {"ruleIDs": others})
    before = Truth.of(lab)
    assigned = {"rule_name": "Theirs", "state": "assigned"}
    profiles = [{**by_name(scene), "name": "a", "firewall_restriction": assigned}]
    result = undoing(profiles, lambda: None)
    assert not result["failed"] and result["left_alone"] == [], result
    assert not [one for one in result.get("warnings", []) if "Theirs" in one and "stays" in one]
    assert Truth.of(lab) == before


@pytest.mark.parametrize("kind", RULES_OF_OTHERS)
def test_a_rule_that_the_plan_has_taken_away_is_assigned_again(scene: Scene, undoing: t.Any, kind: str) -> None:
    """Although a snapshot does not have it if it has nothing to do with the agents' port."""
    lab = scene.lab
    rule = lab.api("POST", "/firewallrules", {"name": "Theirs", **RULES_OF_OTHERS[kind]})["ID"]
    lab.api("PUT", f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments", {"ruleIDs": [rule]})
    before = Truth.of(lab)
    absent = {"rule_name": "Theirs", "state": "absent"}
    profiles = [{**by_name(scene), "name": "a", "firewall_restriction": absent}]
    result = undoing(profiles, lambda: None)
    assert not result["failed"] and result["left_alone"] == [] and result["changed"], result
    assert Truth.of(lab) == before


def test_a_rule_that_was_taken_away_and_is_gone_since_is_told(scene: Scene, undoing: t.Any) -> None:
    lab = scene.lab
    rule = lab.api("POST", "/firewallrules", {"name": "Theirs", **RULES_OF_OTHERS["for anything else"]})["ID"]
    lab.api("PUT", f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments", {"ruleIDs": [rule]})
    absent = {"rule_name": "Theirs", "state": "absent"}
    profiles = [{**by_name(scene), "name": "a", "firewall_restriction": absent}]
    result = undoing(profiles, lambda: lab.api("DELETE", f"/firewallrules/{rule}"))
    (told,) = result["failed_targets"]
    assert told["name"] == "Alpha" and "Theirs" in told["reason"]


def test_what_undoes_a_plan_is_checked(scene: Scene, tmp_path: Path) -> None:
    path, profiles = str(tmp_path / "plan.json"), scene.profiles(APPLY)
    assert run(scene.lab, PROFILE, check=True, profiles=profiles, plan_file=path)["plan_file"] == path
    for options, option in (
        ({"profiles": profiles, "undo_plan": path, "plan_file": path}, "plan_file"),
        ({"apply_plan": path, "undo_plan": path}, "undo_plan"),
        ({"profiles": profiles, "undo_plan": str(tmp_path)}, "undo_plan"),
        ({"profiles": profiles, "undo_plan": str(tmp_path / "none")}, "undo_plan"),
    ):
        assert run(scene.lab, PROFILE, **options)["failure"]["option"] == option
    held = json.loads(Path(path).read_text(encoding="utf-8"))
    Path(path).write_text(json.dumps({**held, "manager": "https://other"}), encoding="utf-8")
    result = run(scene.lab, PROFILE, profiles=profiles, undo_plan=path)
    assert result["failure"]["option"] == "undo_plan" and "is one for https://other" in result["msg"]


# -- one by one


@pytest.mark.parametrize("stage", [APPLY, CHANGE], ids=["apply", "change"])
@pytest.mark.parametrize("before", [None, APPLY], ids=["from nothing", "from a stage"])
def test_a_change_is_taken_back(scene: Scene, tmp_path: Path, before: t.Any, stage: t.Any) -> None:
    lab = scene.lab
    if before:
        scene.run(before)
    truth = Truth.of(lab)
    profiles = snapshot(lab, tmp_path / "before.yml", **by_name(scene))
    scene.run(stage)
    back = run(lab, PROFILE, profiles=profiles, **BACK)
    assert not back["failed"], back["msg"]
    # A rule that did not exist is deleted, as it was made here and nobody has it.
    assert Truth.of(lab) == truth


def test_others_stay_as_they_are(scene: Scene, tmp_path: Path) -> None:
    """Whoever is not in the snapshot keeps what the change gave, and the new rule stays for them."""
    lab = scene.lab
    profiles = snapshot(lab, tmp_path / "before.yml", **by_name(scene, ["Beta", "two.example.com"]))
    before = Truth.of(lab)
    scene.run(APPLY)
    changed = Truth.of(lab)
    assert not run(lab, PROFILE, profiles=profiles, **BACK)["failed"]
    after = Truth.of(lab)
    for name, truth in {
        "Beta": before,
        "two.example.com": before,
        "Alpha": changed,
        "one.example.com": changed,
    }.items():
        assert after.targets.get(scene.keys[name], {}) == truth.targets.get(scene.keys[name], {}), name
    assert ("firewall_rule", RULE) in after.objects


def test_a_rule_that_nobody_can_declare_is_given_back(scene: Scene, tmp_path: Path) -> None:
    """Somebody's own rule, with its sources in it, and two rules of one target: by their names."""
    lab = scene.lab
    own = {**REPLACING, "sourceIPType": "single", "sourceIPValue": "192.0.2.9"}
    rules = {name: lab.api("POST", "/firewallrules", {**own, "name": name})["ID"] for name in ("Ours", "Theirs")}
    alpha, two = (scene.keys[name][1] for name in ("Alpha", "two.example.com"))
    lab.api("POST", f"/policies/{alpha}/firewall/assignments", {"ruleIDs": [rules["Ours"]]})
    lab.api("POST", f"/computers/{two}/firewall/assignments", {"ruleIDs": [*rules.values()]})
    before = Truth.of(lab)
    profiles = snapshot(lab, tmp_path / "before.yml", **by_name(scene))
    assert not run(lab, PROFILE, profiles=profiles, **BACK)["changed"]
    change = [{**scene.profiles(APPLY)[0]}]
    assert not run(lab, PROFILE, profiles=change, undeclared="remove")["failed"]
    # That leaves alone what no document can describe. A colleague does not.
    lab.api("DELETE", f"/policies/{alpha}/firewall/assignments/{rules['Ours']}")
    changed = Truth.of(lab)
    assert f"rule {RULE}" in changed.targets[scene.keys["Alpha"]]
    back = run(lab, PROFILE, profiles=profiles, **BACK)
    assert not back["failed"], back["msg"]
    assert Truth.of(lab) == before


def test_a_rule_that_is_to_be_as_it_is_must_be_there(scene: Scene) -> None:
    lab = scene.lab
    wanted = {"rule_name": "Theirs", "state": "assigned"}
    task = {"profiles": [{"name": "a", "policies": ["Alpha"], "firewall_restriction": wanted}]}
    result = run(lab, PROFILE, **task)
    assert "'Theirs' does not exist" in result["failed_targets"][0]["reason"] and writes(lab) == []
    number = lab.api("POST", "/firewallrules", {**REPLACING, "name": "Theirs"})["ID"]
    rule = lab.api("GET", f"/firewallrules/{number}")
    result = run(lab, PROFILE, **task)
    assert names(result["changed_targets"]) == {"Alpha"} and result["objects"] == []
    assert lab.api("GET", f"/firewallrules/{number}") == rule
    assert not run(lab, PROFILE, **task)["changed"]
    (wrong,) = run_tasks(
        lab,
        [
            {
                f"{PROFILE.rpartition('.')[0]}.firewall_restriction": {
                    "policies": ["Alpha"],
                    **wanted,
                    "source_ips": ["192.0.2.1"],
                }
            }
        ],
    ).results
    assert wrong["failure"]["option"] == "source_ips" and "state=assigned" in wrong["msg"]


def test_some_targets_of_a_snapshot_are_taken_back(scene: Scene, tmp_path: Path) -> None:
    lab = scene.lab
    profiles = snapshot(lab, tmp_path / "before.yml", **by_name(scene))
    scene.run(APPLY)
    changed = Truth.of(lab)
    result = run(lab, PROFILE, profiles=profiles, **BACK, only={"computers": ["two.example.com"]})
    assert names(result["changed_targets"]) == {"two.example.com"} and result["later"]["targets"] == 3
    after = Truth.of(lab)
    assert after.targets.get(scene.keys["two.example.com"], {}) == {}
    for name in ("Alpha", "Beta", "one.example.com"):
        assert after.targets[scene.keys[name]] == changed.targets[scene.keys[name]]
    assert after.objects == changed.objects


def test_a_snapshot_is_of_one_moment(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "before.yml"
    snapshot(scene.lab, path, policies=["Alpha"])
    text = path.read_text(encoding="utf-8")
    again = run(scene.lab, CAPTURE, path=str(path), complete=True, policies=["Alpha"])
    assert again["failure"]["option"] == "path" and "must not exist yet" in again["msg"]
    assert path.read_text(encoding="utf-8") == text
    part = run(scene.lab, CAPTURE, path=str(tmp_path / "x"), complete=True, facets=["heartbeat"])
    assert part["failure"]["option"] == "facets" and not (tmp_path / "x").exists()


@pytest.mark.slow
def test_the_playbook_shows_its_plan_and_carries_it_out(scene: Scene, tmp_path: Path) -> None:
    lab = scene.lab
    path = tmp_path / "before.yml"
    snapshot(lab, path, **by_name(scene))
    before = Truth.of(lab)
    scene.run(APPLY)
    changed = Truth.of(lab)
    connection = {"communication_manager": {"url": lab.url, "ca_path": lab.ca_path}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"manager": {}}, "vars": connection}}))

    def rollback(*arguments: str) -> t.Any:
        return ansible_playbook(
            str(ROOT / "playbooks" / "rollback.yml"), "-i", str(inventory), "-e", "rollback_snapshot=before.yml", *arguments,
            environment={"WORKLOAD_SECURITY_API_KEY": lab.api_key}, cwd=tmp_path,
        )  # fmt: skip

    shown = rollback("--check", "-e", json.dumps({"rollback_only": {"computers": ["two.example.com"]}}))
    assert shown.returncode == 0 and "interval: 30" in shown.stdout and "two.example.com" in shown.stdout, shown.stdout
    assert "Alpha" not in shown.stdout and Truth.of(lab) == changed
    done = rollback()
    assert done.returncode == 0 and Truth.of(lab) == before, done.stdout
    assert (tmp_path / "before.yml.plan.json").exists()
    path.write_text("---\ncommunication_profiles: []\n")
    refused = rollback()
    assert refused.returncode == 2 and "complete: true" in refused.stdout, refused.stdout
