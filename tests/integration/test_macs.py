# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No run gives a macOS agent a direction that it cannot take, whatever is declared of the policies above and whatever fails."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.integration.support import run_profiles
from tests.lab.manager.process import LabManager

AGENT, BOTH, NONE = "Agent/Appliance Initiated", "Bidirectional", None
WORDS = {"agent_initiated": AGENT, "bidirectional": BOTH, "inherited": NONE}
DIRECTION = "platformSettingAgentCommunicationsDirection"
# From the top down: three policies, and a Mac below the last one.
NAMES = ("Top", "Middle", "Low", "mac.example.com")


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


class Tree:
    """Three policies, one below the other, and a Mac, each with what it sets itself."""

    def __init__(self, lab, held) -> None:
        self.lab = lab
        parent = 0
        self.paths = []
        for name, value in zip(NAMES, held):
            settings = {DIRECTION: {"value": value}} if value else {}
            if name == NAMES[-1]:
                body = {"hostName": name, "policyID": parent, "platform": "macOS 14", "computerSettings": settings}
                self.paths.append(f"/computers/{lab.api('POST', '/computers', body)['ID']}")
            else:
                parent = lab.api("POST", "/policies", {"name": name, "parentID": parent, "policySettings": settings})[
                    "ID"
                ]
                self.paths.append(f"/policies/{parent}")

    def keep(self, wanted, refused=()):
        """Declare directions by name; writes to these are refused."""
        action = {"kind": "status", "status": 403, "body": '{"message": "No"}'}
        for name in refused:
            self.lab.add_fault(method="POST", path=f"^{self.paths[NAMES.index(name)]}$", times=0, action=action)
        profiles = [
            {
                "name": name,
                ("computers" if name == NAMES[-1] else "policies"): [name],
                "communication_direction": {"direction": direction},
            }
            for name, direction in wanted.items()
        ]
        result = run_profiles(self.lab, profiles)
        self.lab.clear_faults()
        return result

    @property
    def direction(self) -> str:
        """What the Mac's agent gets."""
        return self.lab.api("GET", f"{self.paths[-1]}/settings/{DIRECTION}", query={"overrides": "false"})["value"]


@pytest.mark.parametrize(
    ("held", "wanted", "refused"),
    [
        # What is refused shields nobody.
        ((NONE, NONE, AGENT, NONE), {"Low": "bidirectional", "mac.example.com": "bidirectional"}, ()),
        ((AGENT, NONE, NONE, NONE), {"Top": "bidirectional", "Low": "bidirectional"}, ()),
        # Two that are harmless alone, and not together.
        (
            (AGENT, NONE, AGENT, NONE),
            {"Low": "inherited", "Middle": "agent_initiated", "Top": "bidirectional"},
            ("Middle",),
        ),
        # What was to shield is an override that goes.
        ((AGENT, BOTH, NONE, AGENT), {"Middle": "inherited", "mac.example.com": "inherited"}, ("Middle",)),
    ],
)
def test_a_mac_keeps_what_it_can_take(lab, held, wanted, refused):
    tree = Tree(lab, held)
    assert tree.direction == AGENT
    tree.keep(wanted, refused)
    assert tree.direction == AGENT


@pytest.mark.parametrize("told", ["missing", {"value": None}, {"value": {}}, {"value": {"value": ""}}])
def test_a_default_that_is_not_told_may_be_what_a_mac_cannot_take(lab, told):
    tree = Tree(lab, (NONE, NONE, NONE, AGENT))
    action = {"kind": "mutate", "pointer": f"/{DIRECTION}", "to": told}
    lab.add_fault(path="^/policies/default", times=0, action=action)
    result = tree.keep({"mac.example.com": "inherited"})
    (failed,) = result["failed_targets"]
    assert tree.direction == AGENT and "the default, which the manager does not say, would reach" in failed["reason"]


def test_any_tree_any_wishes_any_refusal(lab):
    """Drawn from all of them, the same each time."""
    drawn = random.Random(7)
    holds = list(itertools.product((AGENT, BOTH, NONE), repeat=4))
    for _case in range(60):
        lab.reset()
        tree = Tree(lab, drawn.choice(holds))
        if tree.direction != AGENT:
            continue
        wanted = {name: drawn.choice(list(WORDS)) for name in NAMES if drawn.random() < 0.7}
        refused = [name for name in wanted if drawn.random() < 0.4]
        if drawn.random() < 0.3:
            action = {"kind": "drop_fields", "fields": [DIRECTION]}
            lab.add_fault(path="^/policies/default", times=0, action=action)
        if wanted:
            tree.keep(wanted, refused)
            assert tree.direction == AGENT, (tree.paths, wanted, refused)
