# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies sent by one scheduled task, and looked after until they have arrived, by a clock that never really waits."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import (
    Forbidden,
    ManagerError,
    Unavailable,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.module_utils._sending.result import (
    SENDING_ARGUMENTS,
    SendingAsked,
    send_policies,
)
from tests.integration.in_process import run_tasks
from tests.integration.support import LabClock, connection, policy_named
from tests.integration.test_faults_interrupted import PROCESSES
from tests.lab.manager.process import LabManager
from tests.lab.manager.settings import DIRECTION, HEARTBEAT_INTERVAL
from tests.lab.waiting import until

MODULE = "workload_security.agent.policy_sending"
TASKS = "/scheduledtasks"
PARTS = ["computerStatus", "tasks"]


class Sent(t.NamedTuple):
    """A result, and what was seen while it was made."""

    result: dict[str, t.Any]
    clock: LabClock
    lines: list[str]


def send(
    lab: LabManager,
    *,
    check: bool = False,
    reached: dict[str, t.Any] | None = None,
    clocks: list[LabClock] | None = None,
    **options: t.Any,
) -> Sent:
    """The result of the module, with the lab's clock, which is the last one of C(clocks) from then on."""
    params = {name: options.get(name, spec.get("default")) for name, spec in SENDING_ARGUMENTS.items()}
    where = connection(lab, **(reached or {}))
    lines: list[str] = []

    class Clock(LabClock):
        def sleep(self, seconds: float) -> None:
            lines.append(transport.progress.line)
            super().sleep(seconds)

    clock = Clock(lab)
    (clocks if clocks is not None else []).append(clock)
    with Transport(where, clock=clock, random=lambda: 0.5) as transport:
        asked = SendingAsked.from_options(params, where.deployment)
        return Sent(send_policies(Client(transport), asked, check), clock, lines)


def failing(lab: LabManager, **options: t.Any) -> tuple[LabClock, dict[str, t.Any]]:
    """The clock, and the failure of the module as a result tells it, whether it got as far as a result or not."""
    clocks: list[LabClock] = []
    try:
        result = send(lab, clocks=clocks, **options).result
    except ManagerError as error:
        return clocks[0], error.as_failure()
    return clocks[0], result["failure"]


def computers(lab: LabManager) -> dict[int, dict[str, t.Any]]:
    """Computers with an agent, by their ID, as the manager shows them."""
    found = lab.api("GET", "/computers", query={"expand": "tasks"})["computers"]
    return {one["ID"]: one for one in found if one["agentVersion"] != "0.0.0.0"}


def requested_since(lab: LabManager, before: dict[int, dict[str, t.Any]]) -> set[int]:
    """The computers whose policy was to be sent since."""
    return {
        number
        for number, one in computers(lab).items()
        if one.get("lastSendPolicyRequest", 0) > before[number].get("lastSendPolicyRequest", 0)
    }


def made(lab: LabManager) -> list[dict[str, t.Any]]:
    """The bodies of all tasks that were created."""
    return [one["body"] for one in lab.requests() if (one["method"], one["path"]) == ("POST", TASKS)]


@pytest.fixture
def branch(lab: LabManager) -> dict[str, t.Any]:
    """A policy with some below it."""
    return policy_named(lab, "Linux Server")


@pytest.fixture
def leaf(lab: LabManager) -> int:
    """A policy with ten computers or more that set nothing themselves, and no policy below it."""
    parents = {one.get("parentID") for one in lab.api("GET", "/policies", query={"overrides": "true"})["policies"]}
    own = lab.api("GET", "/computers", query={"expand": "computerSettings", "overrides": "true"})["computers"]
    by_policy: dict[int, list[int]] = {}
    for number, one in computers(lab).items():
        by_policy.setdefault(one.get("policyID", 0), []).append(number)
    for one in own:
        by_policy.pop(one.get("policyID") or 0 if one.get("computerSettings") else 0, None)
    return next(policy for policy, ids in by_policy.items() if len(ids) >= 10 and policy not in parents)


def on(lab: LabManager, policy: int) -> list[int]:
    return [number for number, one in computers(lab).items() if one.get("policyID") == policy]


def initiate(
    lab: LabManager, policy: int, direction: str = "Agent/Appliance Initiated", minutes: int = 10
) -> list[int]:
    """Let the agents of a policy initiate, or not, with heartbeats of so many minutes: their IDs."""
    settings = {DIRECTION: {"value": direction}, HEARTBEAT_INTERVAL: {"value": f"{minutes} Minutes"}}
    lab.api("POST", f"/policies/{policy}", {"policySettings": settings})
    lab.clear_requests()
    return on(lab, policy)


def test_one_task_sends_to_a_policy_and_those_below(lab, branch):
    before = computers(lab)
    lab.clear_requests()
    result = send(lab, policies=["Linux Server"]).result
    (task,) = made(lab)
    assert task["sendPolicyTaskParameters"]["computerFilter"] == {
        "type": "computers-using-policy-or-subpolicy",
        "policyID": branch["ID"],
    }
    assert {name: task[name] for name in ("type", "enabled", "runNow", "scheduleDetails")} == {
        "type": "send-policy",
        "enabled": True,
        "runNow": True,
        "scheduleDetails": {
            "recurrenceType": "none",
            "recurrenceCount": 1,
            "onceOnlyScheduleParameters": {"startTime": 0},
        },
    }
    assert lab.summary()["create"] == 1 == result["requests"]["writes"]
    assert requested_since(lab, before) and len(requested_since(lab, before)) == result["sent"]
    assert result["changed"] and result["sending"] == "sent" and result["others"] == 0
    assert "'Linux Server'" in result["sent_to"] and result["counts"]["waiting"] == result["sent"]
    assert lab.api("GET", TASKS)["scheduledTasks"] == []


def test_check_mode_sends_nothing_and_says_the_same(lab):
    before = computers(lab)
    lab.clear_requests()
    predicted = send(lab, check=True, policies=["Linux Server"], wait=True).result
    assert lab.summary()["total"] == lab.summary()["read"] and not requested_since(lab, before)
    assert predicted["sending"] == "not_sent" and predicted["looks"] == 0
    real = send(lab, policies=["Linux Server"]).result
    for key in ("changed", "sent", "sent_to", "others", "expected_within", "diff"):
        assert predicted[key] == real[key], key


def test_agents_that_the_manager_reaches_are_done_at_the_first_look(lab, leaf):
    ids = initiate(lab, leaf, "Bidirectional")
    sent = send(lab, policies=[leaf], wait=True)
    assert (sent.result["counts"]["arrived"], sent.result["looks"], sent.clock.slept) == (len(ids), 1, [])
    assert "msg" not in sent.result


def test_agents_that_initiate_are_waited_for_as_long_as_a_heartbeat(lab, leaf):
    ids = initiate(lab, leaf, minutes=15)
    sent = send(lab, policies=[leaf], wait=True, wait_interval=60)
    assert sent.result["expected_within"] == sent.result["waited_at_most"] == 15
    assert sent.result["counts"]["arrived"] == len(ids) and "msg" not in sent.result
    assert 1 < sent.result["looks"] <= 16 and sum(sent.clock.slept) <= 900
    looks = [one for one in lab.requests() if one["query"] == {"expand": PARTS, "overrides": ["false"]}]
    assert len(looks) == sent.result["looks"], "one request for each 5,000 computers and look"
    assert f"sent to {len(ids)}, arrived at " in sent.lines[0] and "0 offline, 0 failed, " in sent.lines[0]
    assert " left, until " in sent.lines[0] and sent.lines[0].count("UTC") == 1


def test_the_time_to_wait_is_bounded(lab, leaf):
    ids = initiate(lab, leaf, minutes=60)
    sent = send(lab, policies=[leaf], wait=True, wait_timeout=2, wait_interval=45)
    assert sent.clock.slept == [45, 45, 30] and sent.result["looks"] == 4 and sent.result["waited"] == 120
    result = sent.result
    assert result["counts"]["arrived"] + result["counts"]["waiting"] == len(ids) and result["counts"]["waiting"]
    assert (
        result["failure"]["code"] == "not_arrived"
        and f"{result['counts']['waiting']} have not taken it" in result["msg"]
    )
    assert result["changed"] and result["sending"] == "sent"


def test_each_computer_is_told_with_what_the_manager_says(lab, leaf):
    ids = initiate(lab, leaf, "Bidirectional")
    lab.let_live(ids[:2], beats=False, messages=["Offline"])
    lab.let_live(ids[2:3], beats=False, messages=["Communication error"])
    result = send(lab, policies=[leaf], wait=True, list_targets=True, wait_timeout=1).result
    assert (result["counts"]["offline"], result["counts"]["failed"], result["counts"]["arrived"]) == (
        2,
        1,
        len(ids) - 3,
    )
    assert [(one["status"], one["computers"]) for one in result["failures"]] == [("Communication error", 1)]
    assert result["failure"]["code"] == "not_arrived" and "1 failed" in result["msg"]
    by_id = {one["id"]: (one["state"], one["status"]) for one in result["computers"]}
    assert by_id[ids[0]] == ("offline", "Offline") and by_id[ids[2]] == ("failed", "Communication error")
    assert by_id[ids[3]] == ("arrived", None) and len(by_id) == len(ids)
    assert all(len(names) <= 5 for names in result["examples"].values())


def test_offline_agents_are_not_waited_for_and_fail_nothing(lab, leaf):
    ids = initiate(lab, leaf)
    lab.let_live(ids, beats=False, messages=["Offline"])
    sent = send(lab, policies=[leaf], wait=True)
    assert sent.result["counts"]["offline"] == len(ids) and not sent.clock.slept and "msg" not in sent.result


def test_what_one_task_cannot_send_to_is_refused_unless_others_may_get_it_too(lab, leaf):
    ids = on(lab, leaf)
    lab.clear_requests()
    with pytest.raises(OptionError) as caught:
        send(lab, computers=ids[:3])
    message = str(caught.value)
    assert f"(ID {leaf}), with {len(ids) - 3} others" in message and "include_others" in message
    assert lab.summary()["create"] == 0
    result = send(lab, computers=ids[:3], include_others=True).result
    assert (result["sent"], result["others"]) == (3, len(ids) - 3)
    assert len(made(lab)) == 1


def test_the_narrowest_choice_is_found(lab, leaf):
    groups = lab.api("GET", "/computergroups")["computerGroups"]
    group = groups[1]["ID"]
    for options, kind in (
        ({"computers": [on(lab, leaf)[0]]}, "computer"),
        ({"computers": on(lab, leaf)}, "computers-using-policy"),
        ({"computer_groups": [group]}, "computers-in-group"),
        ({"computer_groups": [groups[1]["parentGroupID"]]}, "computers-in-group-or-subgroup"),
        ({"computers_query": "[]"}, "all-computers"),
    ):
        lab.clear_requests()
        before = computers(lab)
        lab.advance(1)
        result = send(lab, **options).result
        (task,) = made(lab)
        assert task["sendPolicyTaskParameters"]["computerFilter"]["type"] == kind
        assert len(requested_since(lab, before)) == result["sent"] > 0 and result["others"] == 0, options


def test_nobody_chosen_is_an_error_unless_allowed(lab):
    lab.api("POST", "/policies", {"name": "Nobody"})
    with pytest.raises(OptionError):
        send(lab, policies=["Nobody"])
    result = send(lab, policies=["Nobody"], allow_empty=True, wait=True).result
    assert not result["changed"] and result["sent"] == 0 and not made(lab) and result["looks"] == 0


def test_computers_without_an_agent_are_counted_and_left_alone(lab):
    number = lab.api("POST", "/computers", {"hostName": "bare", "policyID": 1})["ID"]
    result = send(lab, computers=[number], wait=True).result
    assert (result["changed"], result["sent"], result["counts"]["no_agent"], made(lab)) == (False, 0, 1, [])
    assert result["warnings"] == ["none of the 1 computers has an agent: nothing is sent"]


def test_what_was_sent_before_can_be_waited_for_without_writing(lab, leaf):
    ids = initiate(lab, leaf)
    send(lab, policies=[leaf])
    lab.clear_requests()
    result = send(lab, policies=[leaf], send=False, wait=True, reached={"api_key": lab.read_only_api_key}).result
    assert result["counts"]["arrived"] == len(ids) and not result["changed"] and result["sending"] == "not_sent"
    assert lab.summary()["total"] == lab.summary()["read"]
    with pytest.raises(OptionError):
        send(lab, policies=[leaf], send=False)


# -- tasks that are left behind


def test_a_manager_that_keeps_tasks_is_tidied_up(lab, leaf):
    lab.switch(finished_scheduled_task="kept")
    initiate(lab, leaf, "Bidirectional")
    send(lab, policies=[leaf])
    assert len(lab.api("GET", TASKS)["scheduledTasks"]) == 1, "without a wait, nobody knows when it has run"
    send(lab, policies=[leaf], wait=True)
    assert lab.api("GET", TASKS)["scheduledTasks"] == []


def test_tasks_of_others_are_left_alone(lab, leaf):
    lab.switch(finished_scheduled_task="kept")
    own = {
        "type": "send-policy",
        "runNow": True,
        "scheduleDetails": {
            "recurrenceType": "none",
            "recurrenceCount": 1,
            "onceOnlyScheduleParameters": {"startTime": 0},
        },
        "sendPolicyTaskParameters": {"computerFilter": {"type": "computer", "computerID": on(lab, leaf)[0]}},
    }
    weekly = {"recurrenceType": "weekly", "weeklyScheduleParameters": {"startTime": 0}}
    ours = "workload_security.agent: send policy 0123abcd to computer 'a' (ID 1)"
    names = {
        lab.api("POST", TASKS, {**own, **changed})["ID"]
        for changed in (
            {"name": "Nightly"},
            {"name": "workload_security.agent: send policy by hand to all"},
            {"name": ours, "scheduleDetails": weekly},
            {"name": ours, "type": "scan-for-malware"},
        )
    }
    gone = lab.api("POST", TASKS, {**own, "name": ours})["ID"]
    send(lab, policies=[leaf], wait=True)
    assert {one["ID"] for one in lab.api("GET", TASKS)["scheduledTasks"]} == names and gone not in names


def test_tasks_that_cannot_be_removed_hold_up_no_sending(lab, leaf):
    """The first one tells enough: trying each of them would take an hour before anything is sent."""
    lab.switch(finished_scheduled_task="kept")
    ids = initiate(lab, leaf, "Bidirectional")
    for number in range(4):
        own = {
            "name": f"workload_security.agent: send policy 0123abc{number} to all",
            "type": "send-policy",
            "runNow": True,
            "scheduleDetails": {
                "recurrenceType": "none",
                "recurrenceCount": 1,
                "onceOnlyScheduleParameters": {"startTime": 0},
            },
            "sendPolicyTaskParameters": {"computerFilter": {"type": "computer", "computerID": ids[0]}},
        }
        lab.api("POST", TASKS, own)
    lab.add_fault(method="DELETE", path=f"{TASKS}/", times=0, action={"kind": "status", "status": 429})
    lab.clear_requests()
    before = computers(lab)
    sent = send(lab, policies=[leaf])
    assert sent.result["sending"] == "sent" and requested_since(lab, before) == set(ids)
    assert len({one["path"] for one in lab.requests() if one["method"] == "DELETE"}) == 1
    (warning,) = sent.result["warnings"]
    assert "could not be removed" in warning
    # The next run does it.
    lab.clear_faults()
    send(lab, policies=[leaf], wait=True)
    assert lab.api("GET", TASKS)["scheduledTasks"] == []


def test_a_task_that_was_left_behind_is_used_again(lab, leaf):
    ids = initiate(lab, leaf, "Bidirectional")
    lab.switch(scheduled_task_start=86_400)
    send(lab, policies=[leaf])
    lab.switch(scheduled_task_start=0)
    lab.clear_requests()
    result = send(lab, policies=[leaf], wait=True).result
    assert result["counts"]["arrived"] == len(ids) and made(lab) == []
    assert [one["body"] for one in lab.requests() if one["kind"] == "modify"] == [{"runNow": True}]
    assert lab.api("GET", TASKS)["scheduledTasks"] == []


@pytest.mark.parametrize("when", ["before", "after_processing"])
@pytest.mark.parametrize("kept", ["gone", "kept"])
def test_a_reply_that_is_lost_makes_no_second_task(lab, leaf, when, kept):
    ids = initiate(lab, leaf, "Bidirectional")
    lab.switch(finished_scheduled_task=kept)
    lab.add_fault(method="POST", path=f"{TASKS}$", action={"kind": "cut", "when": when})
    before = computers(lab)
    result = send(lab, policies=[leaf], wait=True, wait_timeout=1).result
    arrived = len(requested_since(lab, before))
    assert len(made(lab)) == 1 and result["changed"]
    if when == "after_processing":
        assert (
            arrived == len(ids) == result["counts"]["arrived"] and result["sending"] == "sent" and "msg" not in result
        )
    else:
        assert arrived == 0 == result["counts"]["arrived"] and result["sending"] == "may_be_sent"
        assert result["failure"]["code"] == "may_be_sent"
    again = send(lab, policies=[leaf], wait=True).result
    assert again["counts"]["arrived"] == len(ids) and lab.api("GET", TASKS)["scheduledTasks"] == []


@pytest.mark.parametrize("start", [0, 86_400], ids=["has_run", "waits"])
def test_killed_after_the_task_was_made_the_next_run_goes_on(lab, leaf, start):
    ids = initiate(lab, leaf, "Bidirectional")
    before = computers(lab)
    # A task that waits is used again; one that has run and was kept is removed.
    lab.switch(scheduled_task_start=start, finished_scheduled_task="kept")
    lab.add_fault(method="POST", path=f"{TASKS}$", action={"kind": "delay", "seconds": 30})
    run = PROCESSES.Process(target=lambda: send(lab, policies=[leaf], wait=True))
    run.start()
    try:
        until(lambda: made(lab), "the task is made")
    finally:
        run.kill()
        run.join()
    assert len(lab.api("GET", TASKS)["scheduledTasks"]) == 1
    lab.switch(scheduled_task_start=0)
    lab.advance(1)
    result = send(lab, policies=[leaf], wait=True).result
    assert result["counts"]["arrived"] == len(ids) == len(requested_since(lab, before)) and "msg" not in result
    assert len(made(lab)) == (1 if start else 2)
    assert lab.api("GET", TASKS)["scheduledTasks"] == []


def test_a_manager_that_goes_down_during_the_wait_ends_it_with_what_is_known(lab, leaf):
    ids = initiate(lab, leaf)
    lab.add_fault(method="POST", path="/computers/search", skip=4, times=99, action={"kind": "status", "status": 503})
    result = send(lab, policies=[leaf], wait=True).result
    assert result["sending"] == "sent" and result["changed"] and result["failure"]["code"] == Unavailable.code
    assert "the policies were sent" in result["msg"]
    assert result["counts"]["arrived"] + result["counts"]["waiting"] == len(ids)


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("POST", f"{TASKS}$", "may_be_sent"), ("POST", f"{TASKS}/search$", "unavailable")],
    ids=["made", "looked_for"],
)
def test_a_manager_that_answers_500_is_not_waited_for(lab, leaf, wait, method, path, code):
    initiate(lab, leaf, minutes=60)
    before = computers(lab)
    lab.add_fault(method=method, path=path, times=0, action={"kind": "status", "status": 500})
    clock, result = failing(lab, policies=[leaf], wait=wait, wait_timeout=50)
    # What the transport waits between its tries at a read, and nothing beyond.
    assert result["code"] == code and "the manager answered 500" in result["message"] and sum(clock.slept) < 60
    assert not requested_since(lab, before) and len(made(lab)) <= 1


def test_a_task_that_was_made_in_spite_of_a_500_is_followed(lab, leaf):
    ids = initiate(lab, leaf, minutes=15)
    # The manager carries it out, and says that it did not.
    lab.add_fault(method="POST", path=f"{TASKS}$", action={"kind": "body", "body": "{}", "status": 500})
    result = send(lab, policies=[leaf], wait=True, wait_interval=60).result
    assert result["counts"]["arrived"] == len(ids) and result["sending"] == "sent" and "msg" not in result
    assert result["looks"] > 1


@pytest.mark.parametrize("wait", [False, True])
def test_a_manager_that_goes_down_while_the_task_is_made_leaves_it_open(lab, leaf, wait):
    initiate(lab, leaf)
    lab.add_fault(method="POST", path=f"{TASKS}$", action={"kind": "cut", "when": "after_processing"})
    lab.add_fault(path=f"{TASKS}/search", skip=1, times=0, action={"kind": "status", "status": 503})
    lab.add_fault(path="/computers/search", skip=3, times=0, action={"kind": "status", "status": 503})
    result = send(lab, policies=[leaf], wait=wait).result
    assert result["sending"] == "may_be_sent" and result["changed"] and len(made(lab)) == 1
    assert (
        result["failure"]["code"] == Unavailable.code
        and "it is not known whether the policies were sent" in result["msg"]
    )
    lab.clear_faults()
    assert send(lab, policies=[leaf], wait=True).result["counts"]["arrived"] == len(on(lab, leaf))


def test_the_deadline_of_the_task_ends_the_wait(lab, leaf):
    initiate(lab, leaf, minutes=60)
    result = send(lab, policies=[leaf], wait=True, wait_timeout=50, reached={"deadline": 3}).result
    assert result["failure"]["code"] == "deadline" and result["sending"] == "sent" and result["counts"]["waiting"]


def test_a_key_without_the_right_is_told(lab, leaf):
    with pytest.raises(Forbidden):
        send(lab, policies=[leaf], reached={"api_key": lab.read_only_api_key})


# -- what the vendor leaves open


@pytest.mark.parametrize(
    "switches",
    [
        {"no_date": "null"},
        {"date_unit": "seconds"},
        {"scheduled_task_start": 90},
        {"scheduled_task_names": "unique", "finished_scheduled_task": "kept"},
        {"unknown_fields": True, "shuffled": True, "delete_status": 200, "finished_scheduled_task": "kept"},
        {"list_envelope_without_results": "absent"},
        {"largest_page": 50},
    ],
    ids=str,
)
def test_any_answer_is_understood(lab, leaf, switches):
    ids = initiate(lab, leaf)
    lab.switch(**switches)
    lab.advance(1)
    for _each in range(2):
        result = send(lab, policies=[leaf], wait=True, wait_timeout=15, wait_interval=300).result
        assert (result["counts"]["arrived"], result["sending"]) == (len(ids), "sent"), result
        assert "msg" not in result
    assert lab.api("GET", TASKS).get("scheduledTasks", []) == []


def test_a_manager_that_does_not_tell_dates_never_lets_a_policy_arrive(lab, leaf):
    ids = initiate(lab, leaf, "Bidirectional")
    fields = ["lastSendPolicyRequest", "lastSendPolicySuccess"]
    lab.add_fault(
        method="POST", path="/computers/search", times=10**6, action={"kind": "drop_fields", "fields": fields}
    )
    result = send(lab, policies=[leaf], wait=True, wait_timeout=1).result
    assert result["counts"]["unknown"] == len(ids) and result["counts"]["arrived"] == 0
    assert result["failure"]["code"] == "not_arrived" and f"of {len(ids)} the manager does not say" in result["msg"]


def test_on_the_cloud_a_heartbeat_is_ten_minutes(cloud_lab):
    number = next(iter(computers(cloud_lab)))
    result = send(cloud_lab, computers=[number], wait=True, reached={"deployment": "cloud"}).result
    assert result["expected_within"] == 10 and result["counts"]["arrived"] == 1 and "msg" not in result


def test_the_module_does_the_same(lab, leaf):
    initiate(lab, leaf, "Bidirectional")
    (result,) = run_tasks(lab, [{MODULE: {"policies": [leaf], "wait": True}}]).results
    assert not result["failed"] and result["counts"]["arrived"] == len(on(lab, leaf))
    for option, value in (("wait_timeout", 0), ("wait_interval", 0), ("send", False)):
        (result,) = run_tasks(lab, [{MODULE: {"policies": [leaf], option: value}}]).results
        assert result["failure"]["option"] == option
