# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet the same refusal again and again end, and say what was done, what failed and what was not tried."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest

from tests.integration.labs import shared_lab
from tests.integration.scene import APPLY, Scene, Truth, assert_honest
from tests.integration.support import run_facet, run_profiles, writes
from tests.lab.manager.process import LabManager

# Four times as many as a run tries before it stops.
running_lab, lab = shared_lab("lab", "module", computers=40, policies=8, seed=1)
ALL = {"computers_query": "[?id > `0`]"}


def heartbeat(lab: LabManager, **options: t.Any) -> dict[str, t.Any]:
    """An interval for every computer, one write at a time."""
    return run_facet(lab, "heartbeat", {**ALL, "interval": "7"}, concurrency=1, **options)


def states(result: dict[str, t.Any]) -> Counter[str]:
    return Counter(one["state"] for one in result["failed_targets"])


def refuse(lab: LabManager, status: int, **more: t.Any) -> None:
    """Answer every write of a computer with this status."""
    action = {"kind": "status", "status": status, "body": '{"message": "Not now"}'}
    lab.add_fault(method="POST", path=r"^/computers/\d+$", times=0, action=action, **more)


@pytest.mark.parametrize(("status", "attempts"), [(403, 1), (500, 5), (503, 5)])
def test_a_run_stops_after_ten_equal_refusals(lab, status, attempts):
    refuse(lab, status)
    result = heartbeat(lab)
    assert states(result) == {"not_done": 10, "not_tried": 30}
    assert len(writes(lab)) == 10 * attempts
    assert not result["changed"] and result["plan"] == []
    untried = [one for one in result["failed_targets"] if one["state"] == "not_tried"]
    assert all(
        "10 times in a row: POST /computers/" in one["reason"] and str(status) in one["reason"] for one in untried
    )
    # The next run goes on.
    lab.clear_faults()
    assert heartbeat(lab)["counts"] == {"changed": 40, "unchanged": 0, "failed": 0}


def test_how_many_is_an_option(lab):
    refuse(lab, 403)
    assert states(heartbeat(lab, stop_after=3)) == {"not_done": 3, "not_tried": 37}
    lab.clear_requests()
    assert states(heartbeat(lab, stop_after=0)) == {"not_done": 40}
    assert len(writes(lab)) == 40


def test_a_success_between_begins_the_count_anew(lab):
    """Every other computer can be written, or nearly so."""
    action = {"kind": "status", "status": 403, "body": '{"message": "Not yours"}'}
    lab.add_fault(method="POST", path=r"^/computers/\d*[13579]$", times=0, action=action)
    result = heartbeat(lab)
    assert states(result).keys() == {"not_done"}
    assert min(result["counts"]["changed"], result["counts"]["failed"]) > 12


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_answers_that_judge_one_object_never_stop_a_run(lab, status):
    """However often: the manager is there, and looks at each by itself."""
    refuse(lab, status)
    result = heartbeat(lab)
    assert states(result) == {"not_done": 40}
    # A value that is refused is tried in its other spellings, too.
    written = Counter(one["path"] for one in writes(lab))
    assert len(written) == 40 and set(written.values()) == ({1} if status != 400 else {written.most_common(1)[0][1]})


def in_turn(lab: LabManager, *actions: dict[str, t.Any]) -> None:
    """Answer the writes of computers in turn: those of odd IDs in the first way, those of even ones in the second."""
    for action, digits in zip(actions, ("[13579]", "[02468]")):
        lab.add_fault(method="POST", path=rf"^/computers/\d*{digits}$", times=0, action=action)


def answer(status: int) -> dict[str, t.Any]:
    return {"kind": "status", "status": status, "body": '{"message": "No"}'}


@pytest.mark.parametrize("other", [400, 404, 409])
def test_an_answer_for_one_object_begins_the_count_anew(lab, other):
    """Two answers in turn: 403 never comes ten times in a row, as the manager judges the objects between."""
    in_turn(lab, answer(403), answer(other))
    assert states(heartbeat(lab)) == {"not_done": 40}


def test_different_signs_of_a_manager_that_is_down_are_one_answer(lab):
    in_turn(lab, answer(503), {"kind": "cut", "when": "before"})
    result = heartbeat(lab)
    assert states(result)["not_tried"] == 30
    assert len({one["path"] for one in writes(lab)}) == 10


@pytest.mark.slow
def test_a_manager_that_does_not_answer_in_time_stops_a_run(lab):
    """Neither the write nor the look after it: nobody knows what became of it, and nothing else is tried."""
    lab.add_fault(path=r"^/computers/\d+$", times=0, action={"kind": "delay", "seconds": 5})
    result = heartbeat(lab, stop_after=1, timeout=1)
    assert states(result) == {"not_known": 1, "not_tried": 39}
    (code,) = {one["failure"]["code"] for one in result["failed_targets"] if one["failure"]}
    assert code == "timed_out" and not result["changed"]


def test_what_is_no_manager_stops_a_run(lab):
    """A portal that comes between, with redirects or pages of its own."""
    in_turn(lab, answer(302), {"kind": "status", "status": 200, "body": "<html>Please sign in</html>"})
    assert states(heartbeat(lab))["not_tried"] == 30


def test_answers_that_have_nothing_in_common_are_counted_apart(lab):
    in_turn(lab, answer(403), answer(503))
    assert "not_tried" not in states(heartbeat(lab))


def test_a_rejected_key_stops_at_once(lab):
    refuse(lab, 401)
    result = heartbeat(lab)
    assert states(result) == {"not_done": 1, "not_tried": 39}
    assert len(writes(lab)) == 1


def test_limits_that_stay_closed_end_a_run_soon(lab):
    """Each write waits five minutes for the limit to open; ten of them are enough, of 40."""
    refuse(lab, 429)
    result = heartbeat(lab)
    assert states(result) == {"not_done": 10, "not_tried": 30}
    assert {one["failure"]["code"] for one in result["failed_targets"] if one["failure"]} == {"rate_limited"}


def test_rules_and_lists_are_counted_like_targets(lab):
    scene = Scene(lab)
    action = {"kind": "status", "status": 401, "body": '{"message": "Who are you?"}'}
    lab.add_fault(method="POST", path="^/iplists$", action=action)
    before = Truth.of(lab)
    result = scene.run(APPLY)
    assert_honest(before, Truth.of(lab), result)
    assert len(writes(lab)) == 1 and states(result)["not_done"] == 1
    scene.assert_converges(APPLY)


def test_an_answer_that_was_met_is_told_in_the_words_of_the_option(lab):
    """500 to all attempts, and nothing was written: neither that it was not kept, nor that it is not known."""
    refuse(lab, 500)
    name = lab.api("POST", "/computers", {"hostName": "one.example.com"})["hostName"]
    result = run_facet(lab, "heartbeat", {"computers": [name], "interval": "17"})
    (failed,) = result["failed_targets"]
    assert failed["state"] == "not_done" and failed["failure"]["code"] == "unavailable"
    assert failed["reason"].startswith("interval of the computer 'one.example.com' (ID ")
    assert "wanted 17, it says 'inherited'" in failed["reason"] and "answered 500: Not now" in failed["reason"]
    assert "platformSetting" not in failed["reason"]


CUT = {"kind": "cut", "when": "after_processing"}
DOWN = {"kind": "status", "status": 403, "body": '{"message": "Not any more"}'}


@pytest.mark.parametrize(
    ("write", "look"),
    [
        (("POST", r"^/(policies|computers)/\d+$"), ("GET", r"^/(policies|computers)/\d+$")),
        (("POST", "/firewall/assignments$"), ("GET", "/firewall/assignments$")),
    ],
    ids=["settings", "assignment"],
)
def test_what_could_not_be_looked_at_is_not_known(lab, write, look):
    """The write's reply is lost each time, and then nobody may look."""
    scene = Scene(lab)
    lab.add_fault(method=write[0], path=write[1], times=0, action=CUT)
    lab.add_fault(method=look[0], path=look[1], times=0, action=DOWN)
    before = Truth.of(lab)
    result = scene.run(APPLY, stop_after=0)
    lab.clear_faults()
    assert_honest(before, Truth.of(lab), result)
    doubtful = [one for one in result["failed_targets"] if one["state"] == "not_known"]
    assert {one["name"] for one in doubtful} == set(scene.keys)
    assert all(one["failure"]["code"] == "connection_failed" for one in doubtful)
    scene.assert_converges(APPLY)


def test_a_rule_that_could_not_be_looked_at_is_not_known(lab):
    scene = Scene(lab)
    lab.add_fault(method="GET", path=r"^/firewallrules/\d+$", times=0, action=DOWN)
    before = Truth.of(lab)
    result = scene.run(APPLY)
    lab.clear_faults()
    assert_honest(before, Truth.of(lab), result)
    assert [one["name"] for one in result["failed_targets"] if one["state"] == "not_known"] == [
        "Agent port: named sources only"
    ]
    scene.assert_converges(APPLY)


def test_a_loosened_policy_waits_for_what_shields_its_macs(lab):
    """Where a Mac cannot be given what it needs, what would then reach it is not written, and says why."""
    policy = lab.api("POST", "/policies", {"name": "Loose", "policySettings": {}})
    mac = lab.api(
        "POST", "/computers", {"hostName": "mac.example.com", "policyID": policy["ID"], "platform": "macOS 14"}
    )
    profiles = [
        {"name": "loose", "policies": ["Loose"], "communication_direction": {"direction": "bidirectional"}},
        {"name": "macs", "computers": ["mac.example.com"], "communication_direction": {"direction": "agent_initiated"}},
    ]
    lab.add_fault(method="POST", path=f"^/computers/{mac['ID']}$", times=0, action=DOWN)
    lab.clear_requests()
    result = run_profiles(lab, profiles)
    failed = {one["name"]: (one["state"], one["reason"]) for one in result["failed_targets"]}
    assert failed["mac.example.com"][0] == "not_done"
    assert failed["Loose"] == (
        "not_tried",
        "not written, since this had to come first and failed: direction of the computer 'mac.example.com'"
        f" (ID {mac['ID']})",
    )
    assert not [one for one in writes(lab) if one["path"].startswith("/policies")]
    lab.clear_faults()
    assert run_profiles(lab, profiles)["failed_targets"] == []
