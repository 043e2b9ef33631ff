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
from tests.integration.scene import APPLY, CHANGE, RULE, Key, Scene, Truth
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


@pytest.fixture(scope="module")
def small_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=0, policies=3, seed=7) as lab:
        yield lab


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_what_was_there_before_is_there_again(small_lab: LabManager, tmp_path: Path, seed: int) -> None:
    lab, chance = small_lab, random.Random(seed)
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


# -- one by one


@pytest.fixture(name="scene")
def scene_fixture(lab: LabManager) -> Scene:
    return Scene(lab)


def by_name(scene: Scene, chosen: t.Iterable[str] | None = None) -> dict[str, t.Any]:
    profile = scene.profiles(APPLY, chosen)[0]
    return {"policies": profile["policies"], "computers": profile["computers"]}


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
            environment={"WORKLOAD_SECURITY_API_KEY": lab.api_key, "PWD": str(tmp_path)}, cwd=tmp_path,
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
