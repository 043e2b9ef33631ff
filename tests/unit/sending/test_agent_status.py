# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of one look at an agent: how far its policy has come, and whether it passes a gate."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer
from ansible_collections.workload_security.agent.plugins.module_utils._sending.agent_status import (
    PASSED,
    STATES,
    AgentStatus,
    judge,
    sent_since,
)

# The dates of a captured reply: the policy was to be sent, and the agent went offline before.
CAPTURED = {
    "ID": 7,
    "hostName": "web-01",
    "agentVersion": "20.0.0.1",
    "lastAgentCommunication": 1569411611641,
    "lastSendPolicyRequest": 1573101479760,
    "lastSendPolicySuccess": 1569386473666,
    "tasks": {"agentTasks": ["Update of Configuration Pending (Offline)"]},
    "computerStatus": {"agentStatus": "error", "agentStatusMessages": ["Offline", "Integrity Monitoring Rule Compile Issue"]},
}  # fmt: skip
NOW = 1_700_000_000_000
GOOD = AgentStatus(True, NOW + 9, NOW + 5, NOW + 7, "active", ("Managed (Online)",), ())


def status(**changed: t.Any) -> AgentStatus:
    return GOOD._replace(**changed)


def test_a_captured_reply_is_an_agent_that_is_offline():
    seen = AgentStatus.of(Computer(CAPTURED))
    assert sent_since(seen, None) == ("offline", "Offline")
    assert judge(seen, 0).state == "failed" and "Offline" in judge(seen, 0).reason


@pytest.mark.parametrize(
    "item, expected",
    [
        ({"lastSendPolicyRequest": 1_573_101_479}, 1_573_101_479_000),
        ({"lastSendPolicyRequest": 1_573_101_479_760}, 1_573_101_479_760),
        ({"lastSendPolicyRequest": None}, None),
        ({"lastSendPolicyRequest": "soon"}, None),
        ({"lastSendPolicyRequest": True}, None),
        ({"lastSendPolicyRequest": 0}, None),
        # Microseconds.
        ({"lastSendPolicyRequest": 1_573_101_479_760_000}, None),
        ({}, None),
    ],
)
def test_dates_are_milliseconds_or_not_known(item, expected):
    assert AgentStatus.of(Computer({"ID": 1, **item})).requested == expected


BEFORE = status(requested=NOW, taken=NOW + 1)


@pytest.mark.parametrize(
    "changed, before, expected",
    [
        ({}, BEFORE, "arrived"),
        ({}, None, "arrived"),
        ({"taken": NOW + 5}, BEFORE, "arrived"),
        ({"taken": NOW + 4}, BEFORE, "waiting"),
        ({"requested": NOW, "taken": NOW + 1}, BEFORE, "waiting"),
        # Sent again within a second of a manager that tells seconds.
        ({"requested": NOW + 1000, "taken": NOW + 1000}, status(requested=NOW, taken=NOW + 1000), "arrived"),
        # Counted into a request that was still on its way.
        ({"requested": NOW, "taken": NOW + 3}, status(requested=NOW, taken=NOW - 9), "arrived"),
        ({"tasks": ("Update of Configuration Pending (Heartbeat)",)}, BEFORE, "waiting"),
        ({"tasks": ("Getting Events",)}, BEFORE, "arrived"),
        ({"tasks": None}, BEFORE, "arrived"),
        ({"requested": None}, BEFORE, "arrived"),
        ({"requested": None}, None, "unknown"),
        ({"requested": None, "taken": None}, BEFORE, "unknown"),
        ({"requested": None, "taken": None, "tasks": ("Sending Policy",)}, BEFORE, "waiting"),
        ({"taken": None}, BEFORE, "waiting"),
        ({"taken": None}, status(requested=None, taken=None), "waiting"),
        ({"requested": NOW + 8, "messages": ("Managed (VM Stopped)",)}, BEFORE, "offline"),
        ({"requested": NOW + 8, "tasks": ("Update of Configuration Pending (Offline)",)}, BEFORE, "offline"),
        ({"requested": NOW + 8, "messages": ("No Route to Computer",)}, BEFORE, "failed"),
        ({"requested": NOW + 8, "messages": ("Integrity Monitoring Rule Compile Issue",)}, BEFORE, "waiting"),
        # An agent talks to the manager, whichever of its engines is offline.
        ({"requested": NOW + 8, "messages": ("Anti-Malware Engine Offline",)}, BEFORE, "waiting"),
        ({"requested": NOW + 8, "messages": ("Anti-Malware Engine Offline", "Offline")}, BEFORE, "offline"),
        # Taken, whatever else the manager says of it.
        ({"messages": ("Communication error",)}, BEFORE, "arrived"),
        ({"has_agent": False}, BEFORE, "no_agent"),
    ],
)
def test_how_far_a_policy_has_come(changed, before, expected):
    assert sent_since(status(**changed), before).state == expected


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({}, "passed"),
        ({"tasks": None}, "passed"),
        ({"heard": NOW}, "waiting"),
        ({"taken": NOW, "requested": NOW - 1}, "waiting"),
        ({"taken": NOW + 4}, "waiting"),
        ({"taken": None}, "waiting"),
        ({"tasks": ("Sending Policy",)}, "waiting"),
        ({"messages": ("Offline",), "status": "error"}, "failed"),
        ({"messages": ("Unable to communicate with Agent",)}, "failed"),
        ({"messages": ("Reactivation Required",), "status": "warning"}, "failed"),
        ({"messages": ("Rules out of date",), "status": "warning"}, "failed"),
        ({"messages": ("There before",), "status": "error"}, "passed"),
        ({"messages": ("Firewall Engine Offline",), "status": "error"}, "failed"),
        ({"messages": (), "status": "error"}, "failed"),
        ({"heard": None}, "unknown"),
        ({"requested": None, "taken": None}, "unknown"),
        ({"messages": (), "status": ""}, "unknown"),
        ({"has_agent": False}, "unknown"),
    ],
)
def test_what_a_gate_says(changed, expected):
    verdict = judge(status(**changed), NOW, accepted=["There before"])
    assert verdict.state == expected and bool(verdict.reason) == (expected != "passed")


def test_an_engine_that_was_offline_before_does_not_fail_an_agent():
    text = "Anti-Malware Engine Offline"
    seen = status(messages=(text,), status="error")
    assert judge(seen, NOW).reason == f"the agent has an alert: {text}"
    assert judge(seen, NOW, accepted=[text]).state == "passed"


def test_when_it_must_have_talked_can_be_another_time():
    assert judge(GOOD, NOW, heard_since=NOW + 9).state == "waiting"


DATES = st.none() | st.integers(NOW - 5, NOW + 5)
TEXTS = st.lists(
    st.sampled_from(["Managed (Online)", "Offline", "Communication error", "Sending Policy", "Other", ""]), max_size=3
).map(tuple)
LOOKS = st.builds(
    AgentStatus, st.booleans(), DATES, DATES, DATES, st.sampled_from(["", "active", "error"]), TEXTS, st.none() | TEXTS
)


@given(LOOKS, st.integers(NOW - 5, NOW + 5))
def test_nothing_passes_that_is_not_told(seen, since):
    if judge(seen, since).state == PASSED:
        assert seen.has_agent and (seen.status or seen.messages) and not seen.offline
        assert None not in (seen.heard, seen.taken) and min(seen.heard, seen.taken) > since
        assert seen.taken >= (seen.requested or 0)


@given(LOOKS, st.none() | LOOKS)
def test_nothing_has_arrived_that_was_not_taken(seen, before):
    state = sent_since(seen, before).state
    assert state in STATES
    if state == "arrived":
        assert seen.taken is not None and seen.taken >= (seen.requested or 0)
        assert before is None or max(seen.taken, seen.requested or 0) > min(before.taken or 0, before.requested or 0)
