# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second writer: what a colleague does on the manager between two requests of a run."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from tests.integration.scene import (
    APPLY,
    CHANGE,
    IP_LIST,
    MAC_LIST,
    REMOVE,
    RULE,
    SETTINGS,
    Scene,
    Truth,
    assert_clear,
    assert_honest,
)
from tests.integration.support import run_profiles, writes
from tests.lab.manager.process import LabManager


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


def colleague(lab, path, request, *, when="before", method="POST"):
    """Have a colleague send a request (method, path, body) right before, or after, one of the run's."""
    action = {"kind": "run", "when": when, "request": dict(zip(("method", "path", "body"), request))}
    lab.add_fault(method=method, path=path, action=action)


def came_between(lab):
    """Whether a colleague did."""
    return any(request["fault"] == "run" for request in lab.requests())


def test_a_second_writer_of_settings(lab):
    scene = Scene(lab)
    alpha = f"/policies/{scene.keys['Alpha'][1]}"
    theirs = {
        SETTINGS["interval"]: {"value": "5 Minutes"},
        "platformSettingAgentEventsSendInterval": {"value": "120 Seconds"},
    }
    colleague(lab, f"{alpha}$", ("POST", alpha, {"policySettings": theirs}))
    result = scene.run(APPLY)
    after = Truth.of(lab)
    assert came_between(lab) and result["failed_targets"] == []
    scene.assert_settled(after, APPLY)
    assert after.targets[scene.keys["Alpha"]]["platformSettingAgentEventsSendInterval"] == "120 Seconds", "not ours"
    scene.assert_nothing_to_do(APPLY, after)


def test_a_second_writer_of_settings_who_comes_last(lab):
    scene = Scene(lab)
    alpha = f"/policies/{scene.keys['Alpha'][1]}"
    theirs = {"policySettings": {SETTINGS["interval"]: {"value": "5 Minutes"}}}
    colleague(lab, f"{alpha}$", ("POST", alpha, theirs), when="after")
    assert scene.run(APPLY)["failed_targets"] == []
    after = Truth.of(lab)
    assert after.targets[scene.keys["Alpha"]][SETTINGS["interval"]] == "5 Minutes"
    result = scene.run(APPLY)
    assert [(entry["option"], entry["before"], entry["after"]) for entry in result["plan"]] == [("interval", 5, 30)]
    scene.assert_settled(Truth.of(lab), APPLY)


def test_a_second_writer_of_the_rule(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    number = Truth.of(lab).objects[("firewall_rule", RULE)][0]["ID"]
    rule = f"/firewallrules/{number}"
    # The run wants another action only; the colleague changes the port.
    colleague(lab, f"{rule}$", ("POST", rule, {"destinationPortMultiple": ["80"]}))
    before = Truth.of(lab)
    result = scene.run(CHANGE)
    after = Truth.of(lab)
    assert came_between(lab) and result["failed_targets"] == []
    assert_honest(before, after, result)
    scene.assert_settled(after, CHANGE)
    assert after.objects[("firewall_rule", RULE)][0]["ID"] == number


@pytest.mark.parametrize("same", [True, False], ids=["the same list", "other items"])
def test_a_second_writer_who_makes_the_list_first(lab, same):
    scene = Scene(lab)
    items = sorted(APPLY.ips) if same else ["203.0.113.77"]
    colleague(lab, "/iplists$", ("POST", "/iplists", {"name": IP_LIST, "items": items}))
    result = scene.run(APPLY)
    after = Truth.of(lab)
    assert came_between(lab) and result["failed_targets"] == []
    scene.assert_settled(after, APPLY)
    assert [entry["name"] for entry in result["objects"]] == ([] if same else [IP_LIST]) + [MAC_LIST, RULE]
    scene.assert_nothing_to_do(APPLY, after)


def test_a_second_writer_of_the_list(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    number = Truth.of(lab).objects[("ip_list", IP_LIST)][0]["ID"]
    ip_list = f"/iplists/{number}"
    colleague(lab, f"{ip_list}$", ("POST", ip_list, {"items": ["203.0.113.77"], "description": "Theirs"}))
    result = scene.run(CHANGE)
    after = Truth.of(lab)
    assert came_between(lab) and result["failed_targets"] == []
    scene.assert_settled(after, CHANGE)
    assert after.objects[("ip_list", IP_LIST)][0]["description"] == "Theirs"


def test_a_second_writer_who_takes_the_rule_away(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    number = Truth.of(lab).objects[("firewall_rule", RULE)][0]["ID"]
    # When all is read: several reads are under way at once, in any order.
    requests = [(method, path) for path in (r"/iplists/\d+$", r"/maclists/\d+$") for method in ("GET", "POST")]
    for (kind, target), (method, of_run) in zip(scene.keys.values(), requests):
        plural = "policies" if kind == "policy" else "computers"
        path = f"/{plural}/{target}/firewall/assignments/{number}"
        colleague(lab, of_run, ("DELETE", path), when="after", method=method)
    colleague(lab, f"/firewallrules/{number}$", ("DELETE", f"/firewallrules/{number}"), method="GET")
    result = scene.run(CHANGE)
    after = Truth.of(lab)
    assert ("firewall_rule", RULE) not in after.objects
    (failure,) = result["failed_targets"]
    assert (failure["type"], failure["name"], failure["id"]) == ("firewall_rule", RULE, number)
    assert "404" in failure["reason"]
    assert_clear(failure["reason"])
    for name in scene.keys:
        scene.assert_settings(after, CHANGE, name)
    scene.assert_converges(CHANGE)


@pytest.mark.parametrize("theirs", ["PUT", "POST"])
def test_a_second_writer_of_assignments(lab, theirs):
    scene = Scene(lab)
    path = f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments"
    colleague(lab, f"{path}$", (theirs, path, {"ruleIDs": [20]}))
    assert scene.run(APPLY)["failed_targets"] == []
    after = Truth.of(lab)
    scene.assert_settled(after, APPLY)
    assert "rule Deep Security Agent" in after.targets[scene.keys["Alpha"]]
    scene.assert_nothing_to_do(APPLY, after)


def test_a_second_writer_who_unassigns_first(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    number = Truth.of(lab).objects[("firewall_rule", RULE)][0]["ID"]
    path = f"/policies/{scene.keys['Alpha'][1]}/firewall/assignments/{number}"
    before = Truth.of(lab)
    colleague(lab, f"{path}$", ("DELETE", path), method="DELETE")
    result = scene.run(REMOVE)
    after = Truth.of(lab)
    assert came_between(lab) and result["failed_targets"] == []
    assert_honest(before, after, result)
    scene.assert_settled(after, REMOVE)


def test_a_second_writer_who_assigns_the_rule_that_is_being_removed(lab):
    scene = Scene(lab)
    scene.run(APPLY)
    number = Truth.of(lab).objects[("firewall_rule", RULE)][0]["ID"]
    computer = lab.api("POST", "/computers", {"hostName": "three.example.com"})["ID"]
    path = f"/computers/{computer}/firewall/assignments"
    colleague(lab, f"/firewallrules/{number}$", ("POST", path, {"ruleIDs": [number]}), method="DELETE")
    before = Truth.of(lab)
    result = scene.run(REMOVE)
    after = Truth.of(lab)
    failure, *held_back = result["failed_targets"]
    assert (failure["type"], failure["name"]) == ("firewall_rule", RULE) and "400" in failure["reason"]
    assert {(one["name"], one["state"]) for one in held_back} == {(IP_LIST, "not_tried"), (MAC_LIST, "not_tried")}
    assert ("rule " + RULE) in after.targets[("computer", computer)]
    scene.assert_settled(after, REMOVE, scene.keys)
    # The colleague still needs all of it; nothing more is to be done.
    assert after.objects == before.objects
    scene.assert_nothing_to_do(REMOVE, after)


REMOVED_AT = {"assignment": "/firewall/assignments$", "settings": "$"}


@pytest.mark.parametrize("at", REMOVED_AT)
@pytest.mark.parametrize("plural", ["policies", "computers"])
def test_a_target_that_is_removed_between_plan_and_write(lab, plural, at):
    scene = Scene(lab)
    field = "name" if plural == "policies" else "hostName"
    number = lab.api("POST", f"/{plural}", {field: "Gamma"})["ID"]
    path = f"/{plural}/{number}"
    profiles = scene.profiles(APPLY)
    profiles[0][plural].append("Gamma")
    before = Truth.of(lab)
    colleague(lab, f"{path}{REMOVED_AT[at]}", ("DELETE", path))
    result = run_profiles(lab, profiles)
    after = Truth.of(lab)
    failures = result["failed_targets"]
    assert {(failure["name"], failure["id"]) for failure in failures} == {("Gamma", number)}
    assert all("404" in failure["reason"] and "removed meanwhile" in failure["reason"] for failure in failures)
    scene.assert_settled(after, APPLY)
    if at == "assignment":
        assert_honest(before, after, result)
        assert {failure["facet"] for failure in failures} == {*APPLY.facets}
    # Now it is a name that nothing has, and nothing is written.
    lab.clear_requests()
    with pytest.raises(OptionError, match=f"option 'profiles.scene..{plural}' is 'Gamma': the manager has no"):
        run_profiles(lab, profiles)
    assert writes(lab) == []
    # Unless the document says that it may be missing.
    told = run_profiles(lab, [{**profiles[0], "allow_missing": True}])["warnings"]
    assert [warning for warning in told if "without" in warning and "'Gamma'" in warning]
