# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying what was captured changes nothing and writes nothing: over random fleets, into new files and edited ones."""

from __future__ import annotations

import random
import typing as t

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.captured import Dumper, assert_nothing_to_do, capture, read
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

pytestmark = pytest.mark.slow

DIRECTION = "platformSettingAgentCommunicationsDirection"
VALUES = {
    "platformSettingHeartbeatInterval": ("1 Minute", "10 Minutes", "60 Minutes"),
    "platformSettingHeartbeatMissedAlertThreshold": ("2", "Unlimited"),
    "platformSettingHeartbeatLocalTimeShiftAlertThreshold": ("Unlimited", "30 Minutes"),
    "platformSettingHeartbeatInactiveVmOfflineAlertEnabled": ("true", "false"),
    DIRECTION: ("Bidirectional", "Manager Initiated", "Agent/Appliance Initiated"),
}
# Names that would be something else in YAML, in a template or on a screen, some of them twice.
POLICIES = (
    "Plain",
    "no",
    "10",
    "a: b # c",
    "{{ lookup('pipe', 'false') }}",
    "tab\tline\nnext",
    "\u202egnirts",
    " blank ",
)
COMPUTERS = (
    "web-1",
    "WEB-1",
    "web-1",
    "12:30",
    "- x",
    "~",
    "{% raw %}",
    "caf\xe9",
    "bell\x07",
    "'quote\"",
    "web,2",
    "web-3",
)
PLATFORMS = ("Ubuntu Linux 22", "Ubuntu Linux 22", "macOS 14")
LISTS = (
    ["192.0.2.1"],
    ["192.0.2.0/24 # the data center", "198.51.100.1-198.51.100.9"],
    ["0.0.0.0/0"],
    ["2001:db8::/32", "192.0.2.7"],
    ["192.0.2.1", "::ffff:198.51.100.7"],
)
# What else a rule can have that restricts the agents' port; the last ones are nothing that options could say.
KINDS: tuple[dict[str, t.Any], ...] = (
    {},
    {"action": "force-allow"},
    {"macs": ["00:11:22:33:44:55", "0A-0B-0C-0D-0E-0F"]},
    {"description": "Managed by workload_security.agent: who may connect to the agents' port"},
    {"scheduleID": 1},
    {"sourceIPNot": True},
    {"inline": "192.0.2.9"},
    {"destinationPortMultiple": ["4118", "4119"]},
    {"any": True},
)


class Fleet:
    """A few policies and computers of the lab, each with overrides by chance."""

    def __init__(self, lab: LabManager, chance: random.Random, platforms: t.Sequence[str] = PLATFORMS) -> None:
        self.lab = lab
        self.chance = chance
        lab.reset()
        self.rules = [self._rule(number) for number in range(chance.randint(0, 3))]
        parents = [
            policy["ID"] for policy in lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"]
        ]
        self.targets: list[tuple[str, int]] = []
        for name in chance.sample(POLICIES, chance.randint(2, 5)):
            number = lab.api("POST", "/policies", {"name": name, "parentID": chance.choice(parents)})["ID"]
            parents.append(number)
            self.targets.append(("policies", number))
        for name in chance.sample(COMPUTERS, chance.randint(3, 9)):
            body = {"hostName": name, "platform": chance.choice(platforms)}
            if chance.random() < 0.8:
                body["policyID"] = chance.choice(parents)
            self.targets.append(("computers", lab.api("POST", "/computers", body)["ID"]))
        self.disturb(1.0)

    def _rule(self, number: int) -> int:
        kind = dict(self.chance.choice(KINDS))
        rule = {
            **REPLACING,
            "name": self.chance.choice((f"Rule {number}", f"Rule: {{{{ {number} }}}}", f"Rule\x1b {number}")),
        }
        macs, inline, anybody = kind.pop("macs", None), kind.pop("inline", None), kind.pop("any", False)
        if inline:
            rule |= {"sourceIPType": "single", "sourceIPValue": inline}
        elif not anybody:
            body = {"name": f"List # {number}", "items": list(self.chance.choice(LISTS))}
            rule |= {"sourceIPType": "ip-list", "sourceIPListID": self.lab.api("POST", "/iplists", body)["ID"]}
        if macs:
            body = {"name": f"{rule['name']} (MACs)", "items": macs}
            rule |= {"sourceMACType": "mac-list", "sourceMACListID": self.lab.api("POST", "/maclists", body)["ID"]}
        return self.lab.api("POST", "/firewallrules", rule | kind)["ID"]

    def disturb(self, share: float) -> None:
        """Set some of the targets to something else, as a colleague would in the console."""
        for kind, number in self.targets:
            if self.chance.random() > share:
                continue
            key = "policySettings" if kind == "policies" else "computerSettings"
            changed = {
                name: {"value": self.chance.choice(values) if self.chance.random() < 0.5 else ""}
                for name, values in VALUES.items()
                if self.chance.random() < 0.6
            }
            self.lab.api("POST", f"/{kind}/{number}", {key: changed})
            path = f"/{kind}/{number}/firewall/assignments"
            held = self.lab.api("GET", path, query={"overrides": "true"}).get("assignedRuleIDs") or []
            for rule in self.rules:
                if self.chance.random() < 0.4:
                    if rule in held:
                        self.lab.api("DELETE", f"{path}/{rule}")
                    else:
                        self.lab.api("POST", path, {"ruleIDs": [rule]})
        for rule in self.rules:
            found = self.lab.api("GET", f"/firewallrules/{rule}")
            if found.get("sourceIPListID") and self.chance.random() < share / 2:
                self.lab.api("POST", f"/iplists/{found['sourceIPListID']}", {"items": list(self.chance.choice(LISTS))})


SWITCHES = (
    {},
    {},
    {"rule_ids_with_overrides": "effective"},
    {"rule_ids_with_overrides": "absent", "computer_without_overrides": "omitted"},
    {"list_items": "normalized", "mac_separator": ":", "shuffled": True},
)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_into_a_new_file(bare_lab, tmp_path, seed):
    chance = random.Random(seed)
    fleet = Fleet(bare_lab, chance)
    bare_lab.switch(**chance.choice(SWITCHES))
    path = tmp_path / "new.yml"
    path.unlink(missing_ok=True)
    captured = capture(bare_lab, path)
    assert captured["changed"] and captured["requests"]["writes"] == 0
    assert_nothing_to_do(bare_lab, path)
    # What comes from the manager is text, and no line of it is anybody's own.
    text = path.read_text(encoding="utf-8")
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert fleet.targets


HEAD = (
    "---\n# Ours: do not lose\nvault_key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\nother: &o [1,  2]\nalso: *o\n"
)
TAIL = "# The last words\nlast: 'x'\n"


def edited(profiles: list[dict[str, t.Any]], chance: random.Random) -> str:
    """What a user makes of a document: in another layout, with comments, other values, queries and anchors."""
    profiles = [dict(profile) for profile in profiles if chance.random() < 0.9]
    for profile in profiles:
        for facet in ("heartbeat", "communication_direction"):
            if facet in profile and chance.random() < 0.3:
                profile[facet] = {**profile[facet], "accept_inherited": True}
        if "heartbeat" in profile and chance.random() < 0.3:
            profile["heartbeat"] = {**profile["heartbeat"], "interval": chance.choice((10, "60", "inherited"))}
    extra: list[dict[str, t.Any]] = [
        {"name": "by query", "computers_query": "[?id > `0`]", "allow_empty": True, "heartbeat": {"interval": 10}},
        {
            "name": "no macs",
            "computers_query": "[?!contains(platform, 'macOS')]",
            "allow_empty": True,
            "communication_direction": {"direction": "bidirectional", "accept_inherited": True},
        },
        {"name": "base", "policies": [1], "heartbeat": {"missed_before_alert": 4, "interval": "inherited"}},
        {"name": "gone", "policies": [1], "firewall_restriction": {"state": "absent", "rule_name": "Nobody's"}},
        {
            "name": "none",
            "policies": [1],
            "firewall_restriction": {"source_ips": ["192.0.2.8"], "allow_manager_lockout": True},
        },
    ]
    profiles += [profile for profile in extra if chance.random() < 0.4]
    chance.shuffle(profiles)
    shared: dict[str, t.Any] = {}
    for profile in profiles if chance.random() < 0.5 else ():
        # What is one object is written once, with an anchor.
        for facet in profile.keys() & {"heartbeat", "firewall_restriction"}:
            profile[facet] = shared.setdefault(repr(profile[facet]), profile[facet])
    style = chance.choice((False, None))
    dumped = yaml.dump(
        profiles, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=style
    )
    lines = ["communication_profiles:" if profiles else "communication_profiles: []"]
    margin = chance.choice(("", "  ", "    "))
    for number, line in enumerate(dumped.splitlines() if profiles else ()):
        if line.startswith("- name"):
            lines += ["", f"{margin}# comment {number} before"]
        lines.append(f"{margin}{line}" + (f"   # comment {number}" if line.endswith(":") else ""))
    return HEAD + "\n".join(lines) + "\n\n" + TAIL


PARTS: tuple[dict[str, t.Any], ...] = (
    {},
    {"policies": [1]},
    {"below": [1]},
    {"computers_query": "[?contains(platform, 'macOS')]", "allow_empty": True},
    {"facets": ["firewall_restriction"]},
    {"facets": ["heartbeat"], "policies": "all"},
)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_into_an_edited_file(bare_lab, tmp_path, seed):
    chance = random.Random(seed)
    fleet = Fleet(bare_lab, chance)
    path = tmp_path / "edited.yml"
    path.unlink(missing_ok=True)
    capture(bare_lab, path)
    text = edited(read(path.read_text(encoding="utf-8"))["communication_profiles"], chance)
    path.write_text(text, encoding="utf-8")
    fleet.disturb(chance.choice((0.0, 0.3, 1.0)))
    bare_lab.switch(**chance.choice(SWITCHES))
    part = chance.choice(PARTS)
    capture(bare_lab, path, **part)
    assert not capture(bare_lab, path, **part)["changed"]
    capture(bare_lab, path)
    assert_nothing_to_do(bare_lab, path)
    after = path.read_text(encoding="utf-8")
    assert after.startswith(HEAD) and TAIL in after
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("# ")]
    assert [comment for comment in comments if comment not in after] == []
    kept = {name: value for name, value in read(text).items() if name != "communication_profiles"}
    assert {name: value for name, value in read(after).items() if name != "communication_profiles"} == kept
