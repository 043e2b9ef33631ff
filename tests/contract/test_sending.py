# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scheduled tasks that send policies, and what computers say of policies on their way, by the vendor's SDK."""

from __future__ import annotations

import typing as t

import deepsecurity
import pytest

from tests.contract.support import DIRECTION, INTERVAL, V1, Sdk, refused, refused_by_sdk, search, setting
from tests.lab.manager.process import LabManager

# Milliseconds of ten minutes.
INTERVAL_MS = 600_000


def send_task(name: str = "Send", **chosen: t.Any) -> deepsecurity.ScheduledTask:
    """A task that sends policies once, now."""
    return deepsecurity.ScheduledTask(
        name=name,
        type="send-policy",
        enabled=True,
        run_now=True,
        schedule_details=deepsecurity.ScheduleDetails(
            recurrence_type="none",
            recurrence_count=1,
            once_only_schedule_parameters=deepsecurity.OnceOnlyScheduleParameters(start_time=0),
        ),
        send_policy_task_parameters=deepsecurity.SendPolicyTaskParameters(
            computer_filter=deepsecurity.ComputerFilter(**chosen)
        ),
    )


def computer(sdk: Sdk, number: int) -> deepsecurity.Computer:
    return sdk.computers.describe_computer(number, V1, expand=["computerStatus", "tasks"])


def agents(lab: LabManager) -> list[dict[str, t.Any]]:
    """Computers with an agent, no Macs, and a policy."""
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    return [
        one
        for one in computers
        if one["agentVersion"] != "0.0.0.0" and one.get("policyID") and "macOS" not in one["platform"]
    ]


def direct(sdk: Sdk, number: int, direction: str) -> None:
    """Set a computer's direction, and a heartbeat of ten minutes."""
    sdk.computers.modify_computer_setting(number, DIRECTION, setting(direction), V1)
    sdk.computers.modify_computer_setting(number, INTERVAL, setting("10 Minutes"), V1)


@pytest.fixture
def number(lab: LabManager) -> int:
    return agents(lab)[0]["ID"]


@pytest.mark.parametrize("direction", ["Bidirectional", "Manager Initiated"])
def test_where_the_manager_reaches_an_agent_it_takes_its_policy_at_once(sdk: Sdk, number: int, direction: str) -> None:
    direct(sdk, number, direction)
    before = computer(sdk, number)
    made = sdk.tasks.create_scheduled_task(send_task(type="computer", computer_id=number), V1)
    assert (
        made.id and made.type == "send-policy" and made.send_policy_task_parameters.computer_filter.type == "computer"
    )
    after = computer(sdk, number)
    assert after.last_send_policy_request > (before.last_send_policy_request or 0)
    assert after.last_send_policy_success >= after.last_send_policy_request
    assert after.last_agent_communication == after.last_send_policy_success and after.tasks.agent_tasks == []


def test_an_agent_that_initiates_takes_its_policy_at_its_next_heartbeat(sdk: Sdk, lab: LabManager, number: int) -> None:
    direct(sdk, number, "Agent/Appliance Initiated")
    sdk.tasks.create_scheduled_task(send_task(type="computer", computer_id=number), V1)
    waiting = computer(sdk, number)
    assert waiting.tasks.agent_tasks == ["Update of Configuration Pending (Heartbeat)"]
    assert (waiting.last_send_policy_success or 0) < waiting.last_send_policy_request
    lab.advance(600)
    arrived = computer(sdk, number)
    assert 0 < arrived.last_send_policy_success - arrived.last_send_policy_request <= INTERVAL_MS
    assert arrived.tasks.agent_tasks == []


def test_an_agent_that_is_offline_takes_its_policy_when_it_is_back(sdk: Sdk, lab: LabManager, number: int) -> None:
    direct(sdk, number, "Bidirectional")
    lab.let_live([number], beats=False, messages=["Offline"])
    sdk.tasks.create_scheduled_task(send_task(type="computer", computer_id=number), V1)
    lab.advance(3600)
    offline = computer(sdk, number)
    assert (offline.computer_status.agent_status, offline.computer_status.agent_status_messages) == (
        "error",
        ["Offline"],
    )
    assert offline.tasks.agent_tasks == ["Update of Configuration Pending (Offline)"]
    assert (offline.last_send_policy_success or 0) < offline.last_send_policy_request
    lab.let_live([number])
    assert computer(sdk, number).last_send_policy_success > offline.last_send_policy_request
    assert computer(sdk, number).computer_status.agent_status_messages == ["Managed (Online)"]


def test_filters_choose_whom_to_send_to(sdk: Sdk, lab: LabManager) -> None:
    policies = {one["ID"]: one.get("parentID", 0) for one in lab.api("GET", "/policies")["policies"]}
    groups = {one["ID"]: one.get("parentGroupID", 0) for one in lab.api("GET", "/computergroups")["computerGroups"]}
    everybody = agents(lab)

    def within(number: int, top: int, above: dict[int, int]) -> bool:
        return number == top or (number in above and bool(number) and within(above[number], top, above))

    leaf = next(one["policyID"] for one in everybody if policies[one["policyID"]] > 1)
    branch, site = policies[leaf], next(iter(groups))
    child = next(number for number, parent in groups.items() if parent == site)
    for chosen, holds in (
        ({"type": "all-computers"}, lambda one: True),
        ({"type": "computers-using-policy", "policy_id": branch}, lambda one: one["policyID"] == branch),
        (
            {"type": "computers-using-policy-or-subpolicy", "policy_id": branch},
            lambda one: within(one["policyID"], branch, policies),
        ),
        ({"type": "computers-in-group", "computer_group_id": child}, lambda one: one["groupID"] == child),
        (
            {"type": "computers-in-group-or-subgroup", "computer_group_id": site},
            lambda one: within(one["groupID"], site, groups),
        ),
    ):
        before = {one["ID"]: one.get("lastSendPolicyRequest", 0) for one in agents(lab)}
        lab.advance(1)
        sdk.tasks.create_scheduled_task(send_task(**chosen), V1)
        sent = {one["ID"] for one in agents(lab) if one.get("lastSendPolicyRequest", 0) > before[one["ID"]]}
        assert sent == {one["ID"] for one in everybody if holds(one)} and sent, chosen


def test_tasks_are_made_read_run_and_deleted(sdk: Sdk, lab: LabManager, number: int) -> None:
    lab.switch(finished_scheduled_task="kept")
    made = sdk.tasks.create_scheduled_task(send_task("Mine", type="computer", computer_id=number), V1)
    assert made.last_run_time and made.schedule_details.recurrence_count == 1
    assert [task.name for task in sdk.tasks.list_scheduled_tasks(V1).scheduled_tasks] == ["Mine"]
    first = computer(sdk, number).last_send_policy_request
    lab.advance(1)
    sdk.tasks.modify_scheduled_task(made.id, deepsecurity.ScheduledTask(run_now=True), V1)
    assert computer(sdk, number).last_send_policy_request > first
    by_type = deepsecurity.SearchCriteria(field_name="type", choice_test="equal", choice_value="send-policy")
    found = sdk.tasks.search_scheduled_tasks(V1, search_filter=search(by_type)).scheduled_tasks
    assert [task.id for task in found] == [made.id]
    sdk.tasks.delete_scheduled_task(made.id, V1)
    refused_by_sdk(404, "The scheduled task does not exist.", sdk.tasks.describe_scheduled_task, made.id, V1)


def test_what_is_no_task_is_refused(lab: LabManager, number: int) -> None:
    good = {
        "name": "Send",
        "type": "send-policy",
        "scheduleDetails": {"recurrenceType": "none", "onceOnlyScheduleParameters": {"startTime": 0}},
        "sendPolicyTaskParameters": {"computerFilter": {"type": "computer", "computerID": number}},
    }
    for message, changed in (
        ("Name cannot be blank", {"name": " "}),
        ("Invalid value for type", {"type": "send"}),
        ("onceOnlyScheduleParameters cannot be empty", {"scheduleDetails": {"recurrenceType": "none"}}),
        ("does not exist", {"sendPolicyTaskParameters": {"computerFilter": {"type": "computer", "computerID": 10**6}}}),
        ("Invalid value for computerFilter", {"sendPolicyTaskParameters": {}}),
        ("Unrecognized property", {"when": "now"}),
    ):
        refused(lab, 400, message, "POST", "/scheduledtasks", {**good, **changed})
    refused(lab, 403, "Not authorized to create scheduled tasks", "POST", "/scheduledtasks", good, key="read_only")


def test_what_changes_is_sent_to_agents_that_live_unless_their_policy_says_otherwise(
    sdk: Sdk, lab: LabManager, number: int
) -> None:
    direct(sdk, number, "Bidirectional")
    lab.let_live([number])
    first = computer(sdk, number).last_send_policy_request or 0
    policy = computer(sdk, number).policy_id
    sdk.policies.modify_policy_setting(policy, "firewallSettingEngineOptionDebugPacketNumMax", setting("9"), V1)
    second = computer(sdk, number).last_send_policy_request
    assert second > first and computer(sdk, number).last_send_policy_success >= second
    sdk.policies.modify_policy(policy, deepsecurity.Policy(auto_requires_update="off"), V1)
    lab.advance(1)
    sdk.policies.modify_policy_setting(policy, "firewallSettingEngineOptionDebugPacketNumMax", setting("10"), V1)
    assert computer(sdk, number).last_send_policy_request == second


def test_a_list_that_changes_is_sent_too(sdk: Sdk, lab: LabManager, number: int) -> None:
    direct(sdk, number, "Bidirectional")
    lab.let_live([number])
    made = sdk.ip_lists.create_ip_list(deepsecurity.IpList(name="Managers", items=["192.0.2.1"]), V1)
    before = computer(sdk, number).last_send_policy_request
    lab.advance(1)
    sdk.ip_lists.modify_ip_list(made.id, deepsecurity.IpList(items=["192.0.2.2"]), V1)
    assert computer(sdk, number).last_send_policy_request > before


def test_agents_that_live_are_heard_of_at_each_heartbeat_until_they_fall_silent(
    sdk: Sdk, lab: LabManager, number: int
) -> None:
    direct(sdk, number, "Agent/Appliance Initiated")
    lab.let_live([number])
    lab.advance(600)
    first = computer(sdk, number).last_agent_communication
    lab.advance(600)
    second = computer(sdk, number).last_agent_communication
    assert second - first == pytest.approx(INTERVAL_MS, abs=1000)
    lab.let_live([number], beats=False)
    lab.advance(6000)
    assert computer(sdk, number).last_agent_communication == second


def test_dates_of_policies_are_searched(sdk: Sdk) -> None:
    never = deepsecurity.SearchCriteria(field_name="lastSendPolicySuccess", null_test=True)
    found = sdk.computers.search_computers(V1, search_filter=search(never), expand=["none"]).computers
    assert found and all(one.last_send_policy_success is None for one in found)
