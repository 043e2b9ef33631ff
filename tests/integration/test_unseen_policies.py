# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API key whose role only sees some policies: what comes from the others is not known, and nothing is guessed."""

from __future__ import annotations

import json

import pytest

from tests.integration.in_process import run_tasks
from tests.integration.scene import SETTINGS, Scene, Truth, assert_honest
from tests.integration.support import run_facet, writes
from tests.lab.manager.process import LabManager

# What the scene's policies would say if they were seen; the default policy says otherwise.
OWN = {SETTINGS["interval"]: {"value": "30 Minutes"}, SETTINGS["direction"]: {"value": "Agent/Appliance Initiated"}}
# The policy that is not shown, and the targets of which it decides.
UNSEEN = {"Alpha": ["Beta", "one.example.com"], "Beta": ["one.example.com"]}


def hide(lab: LabManager, scene: Scene, name: str) -> int:
    """Set values on a policy, and show it in no list."""
    number = scene.keys[name][1]
    lab.api("POST", f"/policies/{number}", {"policySettings": OWN, "firewall": {"state": "on"}})
    numbers = sorted(one["ID"] for one in lab.api("GET", "/policies")["policies"])
    action = {"kind": "mutate", "pointer": f"/policies/{numbers.index(number)}", "to": "missing"}
    lab.add_fault(path="^/policies/search$", times=0, action=action)
    return number


@pytest.mark.parametrize("name", UNSEEN)
def test_what_an_unseen_policy_sets_is_not_taken_from_the_default_policy(bare_lab, name):
    scene = Scene(bare_lab)
    number = hide(bare_lab, scene, name)
    chosen = {"policies": [one for one in UNSEEN[name] if one == "Beta"], "computers": ["one.example.com"]}
    tasks = [{"workload_security.agent.communication_info": chosen}]
    described, stock = run_tasks(bare_lab, [*tasks, {"workload_security.agent.communication_fleet_info": {}}]).results
    assert [one["name"] for one in described["targets"]] == UNSEEN[name]
    for target in described["targets"]:
        for told in (target["heartbeat"]["interval"], target["communication_direction"]["direction"]):
            assert told == {"override": None, "effective": None, "inherited_from": "unknown"}
        restriction = target["firewall_restriction"]
        assert (restriction["restricted"], restriction["hidden_rule_replaced"]) == (None, None)
        assert f"does not show the policy with ID {number}" in restriction["restricted_because"]
        assert restriction["admitted_addresses"] is None
    assert f"does not show the policy with ID {number}" in json.dumps(described["warnings"])
    # The computer without a policy has the default policy's values.
    assert stock["summary"]["directions"] == {**dict.fromkeys(stock["summary"]["directions"], 0), **DIRECTIONS}
    assert stock["summary"]["agent_port"]["unknown"] == 1
    assert writes(bare_lab) == []


DIRECTIONS = {"bidirectional": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("facet", "wanted"),
    [("heartbeat", {"interval": "10"}), ("communication_direction", {"direction": "bidirectional"})],
)
@pytest.mark.parametrize("name", UNSEEN)
def test_an_unknown_inherited_value_is_not_enough(bare_lab, name, facet, wanted):
    """The default policy's value is wanted, but another one applies."""
    scene = Scene(bare_lab)
    hide(bare_lab, scene, name)
    task = {"computers": ["one.example.com"], **wanted, "accept_inherited": True}
    foreseen = run_facet(bare_lab, facet, task, check=True)
    before = Truth.of(bare_lab)
    result = run_facet(bare_lab, facet, task)
    assert_honest(before, Truth.of(bare_lab), result)
    assert [entry["name"] for entry in result["changed_targets"]] == ["one.example.com"]
    assert foreseen["plan"] == result["plan"]
    assert result["plan"][0]["effective_before"] == {"value": None, "source": "unknown"}
    bare_lab.clear_requests()
    assert not run_facet(bare_lab, facet, task)["changed"] and writes(bare_lab) == []


def test_macs_below_an_unseen_policy_are_named(bare_lab):
    """Alpha's direction may reach them, or not."""
    scene = Scene(bare_lab)
    hide(bare_lab, scene, "Beta")
    beta = {"policyID": scene.keys["Beta"][1], "platform": "macOS 15"}
    for name in ("mac", "mac with its own"):
        number = bare_lab.api("POST", "/computers", {"hostName": name, **beta})["ID"]
    own = {SETTINGS["direction"]: {"value": "Agent/Appliance Initiated"}}
    bare_lab.api("POST", f"/computers/{number}", {"computerSettings": own})
    for direction, told in (("bidirectional", True), ("agent_initiated", False)):
        task = {"policies": ["Alpha"], "direction": direction}
        warnings = run_facet(bare_lab, "communication_direction", task, check=True)["warnings"]
        assert ["'mac'" in one and "'mac with its own'" not in one for one in warnings] == [True] * told, warnings
    run_facet(bare_lab, "communication_direction", {"policies": ["Alpha"], "direction": "bidirectional"})
    assert (
        run_facet(bare_lab, "communication_direction", {"policies": ["Alpha"], "direction": "bidirectional"})[
            "warnings"
        ]
        == []
    )
