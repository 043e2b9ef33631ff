# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault of the network and the manager, at every kind of request that a run sends."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply, ManagerError
from tests.integration.scene import APPLY, CHANGE, REMOVE, Scene, Stage, Stages, Truth, assert_honest
from tests.integration.support import writes
from tests.lab.manager.process import LabManager

pytestmark = pytest.mark.slow

HTML = "<html><head><title>Service unavailable</title></head><body><h1>Sorry</h1></body></html>"
TOO_MANY = {"kind": "status", "status": 429, "body": '{"message": "Too many API requests"}'}
BODIES = {"html": HTML, "json": '{"message": "The service is temporarily unavailable"}', "empty": ""}


@dataclass(frozen=True)
class Operation:
    """A request of the run that brings the scene from C(before) to C(stage).

    C(hits): the targets that depend on it. C(facets): what of those targets depends on it, all when empty.
    """

    before: Stage | None
    stage: Stage
    method: str
    path: str
    hits: tuple[str, ...] = ("Alpha", "Beta", "one.example.com", "two.example.com")
    reads: bool = False


# A run that has all to do, one that has nothing to do, and one that takes everything back: what is not seen in a reply
# must be neither made again nor left behind in silence.
READS = {
    f"read {what} {purpose}": Operation(before, stage, "POST", f"/{path}/search$", reads=True)
    for what, path in (
        ("policies", "policies"),
        ("computers", "computers"),
        ("rules", "firewallrules"),
        ("lists", "iplists"),
    )
    for purpose, before, stage in (("to apply", None, APPLY), ("when done", APPLY, APPLY), ("to remove", APPLY, REMOVE))
    # The first search for computers is by name, whatever the purpose.
    if path != "computers" or purpose == "to apply"
}
WRITES = {
    "settings of a policy": Operation(None, APPLY, "POST", "/policies/{Alpha}$", ("Alpha",)),
    "settings of a computer": Operation(None, APPLY, "POST", "/computers/{one.example.com}$", ("one.example.com",)),
    "reset settings": Operation(APPLY, REMOVE, "POST", "/policies/{Alpha}$", ("Alpha",)),
    "create list": Operation(None, APPLY, "POST", "/iplists$"),
    "create rule": Operation(None, APPLY, "POST", "/firewallrules$"),
    "modify list": Operation(APPLY, CHANGE, "POST", r"/iplists/\d+$", ()),
    "modify rule": Operation(APPLY, CHANGE, "POST", r"/firewallrules/\d+$", ()),
    "assign": Operation(None, APPLY, "POST", "/policies/{Alpha}/firewall/assignments$", ("Alpha",)),
    "assign to a computer": Operation(
        None, APPLY, "POST", "/computers/{one.example.com}/firewall/assignments$", ("one.example.com",)
    ),
    "unassign": Operation(APPLY, REMOVE, "DELETE", r"/policies/{Alpha}/firewall/assignments/\d+$", ("Alpha",)),
    "delete rule": Operation(APPLY, REMOVE, "DELETE", r"/firewallrules/\d+$", ()),
    "delete list": Operation(APPLY, REMOVE, "DELETE", r"/iplists/\d+$", ()),
}
OPERATIONS = {**READS, **WRITES}
FIRST_READS = tuple(name for name in READS if name.endswith("to apply"))

# What goes by: a few times, then all is well.
PASSING: dict[str, dict[str, t.Any]] = {
    "429 in a burst": {"times": 4, "action": TOO_MANY},
    **{
        f"{status} {name}": {"times": 2, "action": {"kind": "status", "status": status, "body": body}}
        for status in (500, 502, 503)
        for name, body in BODIES.items()
    },
    **{
        f"cut {when}": {"times": 2, "action": {"kind": "cut", "when": when}}
        for when in ("before", "during", "after_processing", "after_reply")
    },
}  # fmt: skip

# What no repetition would mend, once. The write itself is done, but its reply does not say so.
WRONG: dict[str, dict[str, t.Any]] = {
    "html": {"action": {"kind": "body", "body": HTML}},
    "half json": {"action": {"kind": "body", "body": '{"ID": 1, "name": "Al'}},
    "nothing": {"action": {"kind": "body", "body": ""}},
    "an empty object": {"action": {"kind": "body", "body": "{}"}},
    "wrong types": {
        "action": {
            "kind": "body",
            "body": '{"ID": "1", "name": 7, "hostName": [], "policySettings": [1], "computerSettings": 3,'
            ' "firewall": [1], "assignedRuleIDs": "x", "items": 5, "policies": {"a": 1}, "computers": "x",'
            ' "firewallRules": [3], "ipLists": 4}',
        }
    },
    "no ID": {"action": {"kind": "drop_fields", "fields": ["ID"]}},
    "no name": {"action": {"kind": "drop_fields", "fields": ["name", "hostName"]}},
    "no fields": {
        "action": {
            "kind": "drop_fields",
            "fields": ["assignedRuleIDs", "items", "action", "priority", "sourceIPListID", "destinationPortMultiple"],
        }
    },
    "no settings": {
        "action": {"kind": "drop_fields", "fields": ["policySettings", "computerSettings", "firewall"]},
    },
}

# What stays.
LASTING: dict[str, dict[str, t.Any]] = {
    "400": {"action": {"kind": "status", "status": 400, "body": '{"message": "Something is wrong"}'}},
    "403": {"action": {"kind": "status", "status": 403, "body": '{"message": "Not authorized"}'}},
    "404": {"action": {"kind": "status", "status": 404, "body": '{"message": "It does not exist"}'}},
    "429": {"action": TOO_MANY},
    "503": {"action": {"kind": "status", "status": 503, "body": HTML}},
    "cut before": {"action": {"kind": "cut", "when": "before"}},
    "cut after_processing": {"action": {"kind": "cut", "when": "after_processing"}},
    "not kept": {"action": {"kind": "ignore_write"}},
    "html": {"action": {"kind": "body", "body": HTML}},
}


def meet(scene: Scene, operation: Operation, fault: dict[str, t.Any], **options: t.Any):
    """Run with the fault; returns the outcome and what is true then. The fault must have been met."""
    lab = scene.lab
    ids = {name: str(key[1]) for name, key in scene.keys.items()}
    path = operation.path
    for name, number in ids.items():
        path = path.replace(f"{{{name}}}", number)
    lab.clear_requests()
    lab.add_fault(method=operation.method, path=path, **fault)
    outcome = scene.attempt(scene.profiles(operation.stage), **options)
    assert any(request["fault"] for request in lab.requests()), "no request met the fault"
    lab.clear_faults()
    return outcome, Truth.of(lab)


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


@pytest.fixture(scope="module")
def stages(running_small_lab: LabManager) -> Stages:
    """The scene, as it is before the run that meets the fault."""
    return Stages(running_small_lab)


# Every status with every body at one request of each kind; elsewhere one body for each status.
THOROUGHLY = ("read policies to apply", "settings of a policy", "create rule")
ONCE_EACH = {"500 json", "500 empty", "502 html", "502 empty", "503 html", "503 json"}


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (operation, fault)
        for operation in FIRST_READS + tuple(WRITES)
        for fault in PASSING
        if operation in THOROUGHLY or fault not in ONCE_EACH
    ],
)
def test_what_goes_by_is_overcome(stages, operation, fault):
    scene, before = stages.at(OPERATIONS[operation].before)
    outcome, after = meet(scene, OPERATIONS[operation], PASSING[fault])
    assert not isinstance(outcome, ManagerError) and outcome["failed_targets"] == []
    assert_honest(before, after, outcome)
    scene.assert_settled(after, OPERATIONS[operation].stage)
    scene.assert_nothing_to_do(OPERATIONS[operation].stage, after)


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_wrong_reply(stages, operation, fault):
    scene, before = stages.at(OPERATIONS[operation].before)
    outcome, after = meet(scene, OPERATIONS[operation], WRONG[fault])
    assert_honest(before, after, outcome)
    if not OPERATIONS[operation].reads:
        # What a write did can be found out: the run ends as if the reply had been right.
        assert not isinstance(outcome, ManagerError) and outcome["failed_targets"] == []
        scene.assert_settled(after, OPERATIONS[operation].stage)
        scene.assert_nothing_to_do(OPERATIONS[operation].stage, after)
    else:
        scene.assert_converges(OPERATIONS[operation].stage)


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("operation", FIRST_READS + tuple(WRITES))
def test_what_stays_fails_what_depends_on_it_and_nothing_else(stages, operation, fault):
    told = OPERATIONS[operation]
    scene, before = stages.at(told.before)
    outcome, after = meet(scene, told, {"times": 0, **LASTING[fault]})
    assert_honest(before, after, outcome)
    if told.reads:
        if fault != "not kept":
            assert isinstance(outcome, ManagerError)
    else:
        assert not isinstance(outcome, ManagerError)
        failed = {failure["name"] for failure in outcome["failed_targets"]}
        if fault in ("404", "cut after_processing", "html") and not failed:
            # It could be found out that it was done.
            scene.assert_settled(after, told.stage)
        else:
            assert failed & set(scene.keys) <= set(told.hits)
            assert failed, "something was not done"
        others = [name for name in scene.keys if name not in told.hits]
        if told.stage is APPLY:
            scene.assert_settled(after, told.stage, others)
        # Settings do not depend on rules and lists.
        if "settings" not in operation:
            for name in scene.keys:
                scene.assert_settings(after, told.stage, name)
    scene.assert_converges(told.stage)


@pytest.mark.parametrize("path", ["/policies/search$", "/computers/search$"])
def test_settings_that_no_page_shows_are_not_taken_for_inherited(lab, path):
    """Missing means inherited, as the vendor documents it: so one target is asked alone, and nothing is written."""
    scene = Scene(lab)
    scene.run(APPLY)
    before = Truth.of(lab)
    lab.clear_requests()
    lab.add_fault(path=path, times=0, **WRONG["no settings"])
    outcome = scene.attempt(scene.profiles(APPLY))
    lab.clear_faults()
    assert isinstance(outcome, BadReply) and "Settings'" in str(outcome)
    assert writes(lab) == [] and Truth.of(lab) == before
    scene.assert_nothing_to_do(APPLY, before)


@pytest.mark.parametrize("field", ["policySettings", "firewall", "parentID"])
@pytest.mark.parametrize("wrong", ["text", 7.5, True, [1], [{}], {"ruleIDs": "x", "state": 1}, {"ruleIDs": [True]}])
def test_parts_of_another_type_than_documented(lab, wrong, field):
    scene = Scene(lab)
    number = scene.keys["Alpha"][1]
    policy = {"ID": number, "name": "Alpha", "policySettings": {}, "firewall": {}, field: wrong}
    body = json.dumps({"policies": [policy]})
    lab.add_fault(path="/policies/search$", times=0, action={"kind": "body", "body": body})
    outcome = scene.attempt(scene.profiles(APPLY, ["Alpha"]))
    lab.clear_faults()
    assert isinstance(outcome, BadReply) and f"'{field}' of policy {number}" in str(outcome)
    assert writes(lab) == []
