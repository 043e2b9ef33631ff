# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Four targets in the lab, documents for them, and what must be true after every run, whatever went wrong in it.

What a run reports is compared with the manager's state before and after, which is read without the engine.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import ManagerError
from tests.integration.support import changes, run_profiles, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.switches import CHOICES, NUMBERS

RULE = "Agent port: named sources only"
IP_LIST = f"{RULE} (IPs)"
MAC_LIST = f"{RULE} (MACs)"

# Options, as results name them, and the manager's settings for them.
SETTINGS = {
    "interval": "platformSettingHeartbeatInterval",
    "missed_before_alert": "platformSettingHeartbeatMissedAlertThreshold",
    "maximum_clock_change": "platformSettingHeartbeatLocalTimeShiftAlertThreshold",
    "raise_offline_errors_for_inactive_vms": "platformSettingHeartbeatInactiveVmOfflineAlertEnabled",
    "direction": "platformSettingAgentCommunicationsDirection",
}
OBJECTS = {
    "firewall_rule": ("firewallrules", "firewallRules"),
    "ip_list": ("iplists", "ipLists"),
    "mac_list": ("maclists", "macLists"),
    "port_list": ("portlists", "portLists"),
}

Key = t.Tuple[str, int]


@dataclass(frozen=True)
class Stage:
    """Facets to declare, and their form on the manager: settings by option, items of lists, fields of the rule."""

    facets: dict[str, dict[str, t.Any]]
    settings: dict[str, str] = field(default_factory=dict)
    ips: frozenset[str] = frozenset()
    macs: frozenset[str] = frozenset()
    rule: dict[str, t.Any] = field(default_factory=dict)


# Fields of a rule with a list of IP addresses.
RULE_FIELDS = {
    "priority": "4",
    "direction": "incoming",
    "frameType": "ip",
    "protocol": "tcp",
    "sourceIPType": "ip-list",
    "destinationPortType": "multiple",
    "destinationPortMultiple": ["4118"],
}
_RULE_FIELDS = {**RULE_FIELDS, "sourceMACType": "mac-list"}

APPLY = Stage(
    {
        "heartbeat": {
            "interval": "30",
            "missed_before_alert": "5",
            "maximum_clock_change": "20",
            "raise_offline_errors_for_inactive_vms": "true",
        },
        "communication_direction": {"direction": "manager_initiated"},
        "firewall_restriction": {
            "source_ips": ["192.0.2.0/24", "198.51.100.1"],
            "source_macs": ["00:11:22:33:44:55", "0a-0b-0c-0d-0e-0f"],
            "manager_addresses": ["192.0.2.10"],
            "manager_macs": ["00:11:22:33:44:55"],
        },
    },
    {
        "interval": "30 Minutes",
        "missed_before_alert": "5",
        "maximum_clock_change": "20 Minutes",
        "raise_offline_errors_for_inactive_vms": "true",
        "direction": "Manager Initiated",
    },
    frozenset({"192.0.2.0/24", "198.51.100.1"}),
    frozenset({"00-11-22-33-44-55", "0A-0B-0C-0D-0E-0F"}),
    {**_RULE_FIELDS, "action": "bypass"},
)

CHANGE = Stage(
    {
        "heartbeat": {
            "interval": "60",
            "missed_before_alert": "unlimited",
            "maximum_clock_change": "unlimited",
            "raise_offline_errors_for_inactive_vms": "false",
        },
        "communication_direction": {"direction": "agent_initiated"},
        "firewall_restriction": {
            "action": "force_allow",
            "source_ips": ["192.0.2.0/25", "203.0.113.5"],
            "source_macs": ["00:11:22:33:44:55"],
            "manager_addresses": ["192.0.2.10"],
            "manager_macs": ["00:11:22:33:44:55"],
        },
    },
    {
        "interval": "60 Minutes",
        "missed_before_alert": "Unlimited",
        "maximum_clock_change": "Unlimited",
        "raise_offline_errors_for_inactive_vms": "false",
        "direction": "Agent/Appliance Initiated",
    },
    frozenset({"192.0.2.0/25", "203.0.113.5"}),
    frozenset({"00-11-22-33-44-55"}),
    {**_RULE_FIELDS, "action": "force-allow"},
)

REMOVE = Stage(
    {
        "heartbeat": dict.fromkeys(APPLY.facets["heartbeat"], "inherited"),
        "communication_direction": {"direction": "inherited"},
        "firewall_restriction": {"state": "absent"},
    }
)


@dataclass(frozen=True)
class Truth:
    """The manager's state: what every target sets itself, and every rule and list by type and name."""

    targets: dict[Key, dict[str, t.Any]]
    objects: dict[tuple[str, str], list[dict[str, t.Any]]]

    @classmethod
    def of(cls, lab: LabManager, switches: dict[str, t.Any] | None = None) -> Truth:
        """Read it without the API's log and faults, with the default switches. After that, C(switches) apply again."""
        if switches:
            usual = {name: choices[0] for name, choices in CHOICES.items()}
            usual |= {name: default for name, (default, _allowed) in NUMBERS.items()}
            lab.switch(**{name: usual[name] for name in switches})
        overrides = [("overrides", "true")]
        parts = [*overrides, ("expand", "computerSettings"), ("expand", "firewall")]
        policies, computers, *others = lab.searches(
            ("/policies/search", overrides),
            ("/computers/search", parts),
            *((f"/{path}/search", []) for path, _envelope in OBJECTS.values()),
        )
        policies, computers = policies["policies"], computers["computers"]
        objects: dict[tuple[str, str], list[dict]] = {}
        for (kind, (_path, envelope)), found in zip(OBJECTS.items(), others):
            for item in found[envelope]:
                objects.setdefault((kind, item["name"]), []).append(item)
        if switches:
            lab.switch(**switches)
        rules = {item["ID"]: name for (kind, name), same in objects.items() for item in same if kind == "firewall_rule"}
        targets = {
            (kind, item["ID"]): {
                **{name: value["value"] for name, value in (item.get(f"{kind}Settings") or {}).items()},
                **{f"rule {rules[number]}": "assigned" for number in (item.get("firewall") or {}).get("ruleIDs", ())},
            }
            for kind, items in (("policy", policies), ("computer", computers))
            for item in items
            if item.get("ID")
        }
        return cls(targets, objects)

    def parts_changed_since(self, before: Truth) -> set[tuple[str, int, str]]:
        """The targets and settings, or targets and rules, that differ."""
        return {
            (*key, part)
            for key in self.targets.keys() | before.targets.keys()
            for part in self.targets.get(key, {}).keys() | before.targets.get(key, {}).keys()
            if self.targets.get(key, {}).get(part) != before.targets.get(key, {}).get(part)
        }

    def objects_changed_since(self, before: Truth) -> set[tuple[str, str]]:
        """The types and names of the rules and lists that differ."""
        known = self.objects.keys() | before.objects.keys()
        return {key for key in known if self.objects.get(key) != before.objects.get(key)}

    def assert_no_duplicates(self) -> None:
        """Assert that no two rules, and no two lists of a type, have the same name."""
        assert [key for key, same in self.objects.items() if len(same) > 1] == []


class Scene:
    """Policies Alpha and Beta (below Alpha), a computer with policy Beta, and one without a policy."""

    def __init__(self, lab: LabManager) -> None:
        self.lab = lab
        alpha = lab.api("POST", "/policies", {"name": "Alpha"})["ID"]
        beta = lab.api("POST", "/policies", {"name": "Beta", "parentID": alpha})["ID"]
        one = lab.api("POST", "/computers", {"hostName": "one.example.com", "policyID": beta})["ID"]
        two = lab.api("POST", "/computers", {"hostName": "two.example.com"})["ID"]
        self.keys: dict[str, Key] = {
            "Alpha": ("policy", alpha),
            "Beta": ("policy", beta),
            "one.example.com": ("computer", one),
            "two.example.com": ("computer", two),
        }
        lab.clear_requests()

    def profiles(self, stage: Stage, names: t.Iterable[str] | None = None) -> list[dict[str, t.Any]]:
        """A document that declares the stage for these targets, by default for all targets."""
        chosen = list(self.keys if names is None else names)
        return [
            {
                "name": "scene",
                "policies": [name for name in chosen if self.keys[name][0] == "policy"],
                "computers": [name for name in chosen if self.keys[name][0] == "computer"],
                **stage.facets,
            }
        ]

    def run(self, stage: Stage, **options: t.Any) -> dict[str, t.Any]:
        """Bring all targets to the stage."""
        return run_profiles(self.lab, self.profiles(stage), **options)

    def attempt(self, profiles: list[dict[str, t.Any]], **options: t.Any) -> dict[str, t.Any] | ManagerError:
        """A run's result, or the error because of which it could not even make a plan."""
        try:
            return run_profiles(self.lab, profiles, **options)
        except ManagerError as error:
            return error

    # -- what must be true

    def assert_settled(self, truth: Truth, stage: Stage, names: t.Iterable[str] | None = None) -> None:
        """Assert that these targets are as the stage declares; by default, all targets, the rule and its lists."""
        for name in self.keys if names is None else names:
            self.assert_settings(truth, stage, name)
            has_rule = f"rule {RULE}" in truth.targets.get(self.keys[name], {})
            assert has_rule == bool(stage.rule), f"{name}: rule assigned is {has_rule}"
        if names is None:
            self.assert_objects(truth, stage)

    def assert_settings(self, truth: Truth, stage: Stage, name: str) -> None:
        """Assert that the settings of one target are as the stage declares."""
        held = truth.targets.get(self.keys[name], {})
        assert {option: held[wire] for option, wire in SETTINGS.items() if wire in held} == stage.settings, name

    def assert_objects(self, truth: Truth, stage: Stage) -> None:
        """Assert that the rule and its lists are as the stage declares: they exist exactly once, or not at all."""
        truth.assert_no_duplicates()
        rule, ips, macs = (
            truth.objects.get(key) for key in (("firewall_rule", RULE), ("ip_list", IP_LIST), ("mac_list", MAC_LIST))
        )
        if not stage.rule:
            assert (rule, ips, macs) == (None, None, None)
            return
        assert rule and ips and macs
        assert {key: rule[0].get(key) for key in stage.rule} == stage.rule
        assert (rule[0]["sourceIPListID"], rule[0]["sourceMACListID"]) == (ips[0]["ID"], macs[0]["ID"])
        assert set(ips[0]["items"]) == stage.ips
        assert set(macs[0]["items"]) == stage.macs

    def assert_converges(self, stage: Stage, switches: dict[str, t.Any] | None = None) -> None:
        """Assert that a run brings everything to the stage, and that another run changes and writes nothing."""
        before = Truth.of(self.lab, switches)
        result = self.run(stage)
        after = Truth.of(self.lab, switches)
        assert result["failed_targets"] == []
        assert_honest(before, after, result)
        self.assert_settled(after, stage)
        self.assert_nothing_to_do(stage, after, switches)

    def assert_nothing_to_do(self, stage: Stage, truth: Truth, switches: dict[str, t.Any] | None = None) -> None:
        """Assert that a run changes nothing, sends no write, and says so."""
        self.lab.clear_requests()
        result = self.run(stage)
        assert not result["changed"] and result["failed_targets"] == []
        assert result["plan"] == result["objects"] == result["changed_targets"] == []
        assert result["requests"]["writes"] == 0 and writes(self.lab) == []
        assert Truth.of(self.lab, switches) == truth


class Stages:
    """The scene in one lab at any stage: made once, and then brought back, which takes no requests."""

    def __init__(self, lab: LabManager) -> None:
        self._lab = lab
        self._made: dict[str, tuple[Scene, Truth]] = {}

    def at(self, stage: Stage | None) -> tuple[Scene, Truth]:
        """All targets as the stage declares, or as new for C(None), and what the manager holds then."""
        name = f"scene {id(stage)}"
        if name not in self._made:
            self._lab.reset()
            scene = Scene(self._lab)
            if stage is not None:
                scene.run(stage)
            self._made[name] = scene, Truth.of(self._lab)
            self._lab.keep(name)
        self._lab.reset(name)
        return self._made[name]


def assert_honest(before: Truth, after: Truth, outcome: dict[str, t.Any] | ManagerError) -> None:
    """Assert that all changes are reported, as changed or as not known, and that everything reported as changed did."""
    after.assert_no_duplicates()
    changed, objects = after.parts_changed_since(before), after.objects_changed_since(before)
    if isinstance(outcome, ManagerError):
        assert (changed, objects) == (set(), set())
        assert_clear(str(outcome))
        return
    ids = {(target["type"], target["name"]): target["id"] for target in outcome["changed_targets"]}
    reported = {
        (kind, ids[kind, name], SETTINGS.get(part, f"rule {part}"))
        for (kind, name), parts in changes(outcome).items()
        for part in parts
    }
    reported_objects = {(entry["type"], entry["name"]) for entry in outcome["objects"]}
    doubtful = [failure for failure in outcome["failed_targets"] if failure["state"] == "not_known"]
    assert all("not known" in failure["reason"] for failure in doubtful)
    doubtful_targets = {(failure["type"], failure.get("id")) for failure in doubtful}
    doubtful_objects = {(failure["type"], failure.get("name")) for failure in doubtful}
    assert reported - changed == set(), "reported as changed, but they did not"
    assert reported_objects - objects == set(), "reported as changed, but they did not"
    silent = {part for part in changed - reported if part[:2] not in doubtful_targets}
    assert silent == set(), f"changed in silence: {silent}"
    silent_objects = objects - reported_objects - doubtful_objects
    assert silent_objects == set(), f"changed in silence: {silent_objects}"
    assert {(target["type"], target["id"]) for target in outcome["changed_targets"]} == {part[:2] for part in reported}
    assert outcome["changed"] == bool(reported or reported_objects)
    for failure in outcome["failed_targets"]:
        assert failure.get("name") or failure.get("id")
        assert_clear(failure["reason"])


def assert_clear(reason: str) -> None:
    """Assert that a reason is a sentence on one line, without remains of a program or a web page."""
    assert len(reason) > 20 and "\n" not in reason
    assert not any(word in reason for word in ("Traceback", "object at 0x", "<html", "NoneType"))
