# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent says of itself: its manager, its last session, and that green alone proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent import status
from ansible_collections.workload_security.agent.plugins.module_utils._agent.status import (
    NO_AGENT_STATUS,
    AgentStatus,
    read_interval,
    read_status,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._host.commands import Answer

# Any text, and lines that look like the agent's.
FIELDS = ["agentState", "currentTime", "lastAgentToManagerSession", "dsmUrl", "7", "driverHooked", ""]
VALUES = [
    "green",
    "red",
    "0",
    "1763890000",
    "1763889700",
    "-1",
    "1e9",
    "0x10",
    "٣",
    "9" * 40,
    "https://dsm/",
    "",
    " ",
    "\x1b",
]
LINES = st.builds("AgentStatus.{}: {}".format, st.sampled_from(FIELDS), st.sampled_from(VALUES) | st.text(max_size=5))
ANSWERS = st.text(max_size=40) | st.lists(LINES, max_size=8).map("\n".join)

STATUS = """\
AgentStatus.0: agentState
AgentStatus.1: auStatus
AgentStatus.2: dsmUrl
AgentStatus.13: driverHooked
AgentStatus.agentState: green
AgentStatus.auStatus: notSupported
AgentStatus.currentTime: 1763890000
AgentStatus.lastAgentToManagerSession: 1763889700
AgentStatus.driverHooked: true
AgentStatus.dsmDN: CN=dsm.example.com/O=Example
"""
URL = "https://dsm.example.com:4120/"


def status_of(output: str = "", errors: str = "", exit_status: int = 0) -> AgentStatus:
    return read_status(Answer(exit_status, output, errors))


def state_and_manager(status: AgentStatus) -> tuple[str, str | None]:
    return status.activation, status.manager_url


@pytest.mark.parametrize(
    "line", [f"AgentStatus.dsmUrl: {URL}\n", f"AgentStatus.dsmUrl:{URL}\r\n", f"AgentStatus.dsmUrl: {URL}\n" * 2]
)
def test_the_manager_is_read(line: str) -> None:
    assert state_and_manager(status_of(STATUS + line)) == ("activated", URL)


@pytest.mark.parametrize(
    "line", ["", "AgentStatus.dsmUrl:\n", "AgentStatus.dsmUrl: \r\n", "XAgentStatus.dsmUrl: x://y\n"]
)
def test_no_manager_is_not_activated(line: str) -> None:
    assert state_and_manager(status_of(STATUS + line)) == ("not_activated", None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (("", "Unable to connect to the agent.\n", 255), "Unable to connect to the agent."),
        ((STATUS, "", 1), "status 1"),
        (("", "", 0), "it said nothing"),
        (("Authentication required\n", "", 0), "Authentication required"),
        (("AgentStatus.0: agentState\nAgentStatus.1: dsmUrl\n", "", 0), "AgentStatus.0: agentState"),
        ((STATUS + "AgentStatus.dsmUrl: (unset)\n", "", 0), "(unset), which is not a URL"),
        ((STATUS + "AgentStatus.dsmUrl: https://a\x1b[0m/\n", "", 0), "https://a\\x1b[0m/, which is not a URL"),
        ((STATUS + f"AgentStatus.dsmUrl: {URL}\nAgentStatus.dsmUrl: https://b/\n", "", 0), "https://b/ and " + URL),
    ],
)
def test_an_agent_that_cannot_be_asked_is_unknown(answer: tuple, reason: str) -> None:
    found = status_of(*answer)
    assert state_and_manager(found) == ("unknown", None)
    assert reason in found.reason
    assert (found.health(10).healthy, found.health(10).reason) == (None, found.reason)


def test_who_may_not_ask_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status.os, "geteuid", lambda: 1000)
    assert "use become" in status_of(errors="Permission denied", exit_status=1).reason
    monkeypatch.setattr(status.os, "geteuid", lambda: 0)
    assert "become" not in status_of(errors="Permission denied", exit_status=1).reason


@given(output=ANSWERS, exit_status=st.integers(0, 1))
def test_no_status_is_too_strange(output: str, exit_status: int) -> None:
    found = status_of(output, "", exit_status)
    assert (found.activation == "activated") == (found.manager_url is not None)
    assert found.reason.isprintable()


# As it was seen on a host whose agent was green and had not talked with its manager for an hour and a half.
SEEN = """\
AgentStatus.agentState: green
AgentStatus.auStatus: 2
AgentStatus.currentTime: 1786547918
AgentStatus.driverChecked: 7
AgentStatus.driverHooked: 7
AgentStatus.lastAgentToManagerSession: 1786541835
AgentStatus.dsmUrl: https://agents-004.workload.us-1.cloudone.trendmicro.com:443/
"""


def test_green_does_not_prove_a_heartbeat() -> None:
    assert status_of(SEEN).as_dict(10) == {
        "agent_state": "green",
        "last_session": "2026-08-12T13:37:15Z",
        "last_session_age": 6083,
        "healthy": False,
        "healthy_reason": "The last session with the manager is 101 minutes old, which is not younger than two heartbeats"
        " (20 minutes).",
    }
    # Where the manager lets an hour pass, that is young.
    assert status_of(SEEN).health(60).healthy is True


def told(state: str | None = "green", last: str | None = "1000", now: str | None = "1300") -> AgentStatus:
    """The status of an activated agent; C(None) leaves a field out."""
    fields = {"dsmUrl": URL, "agentState": state, "lastAgentToManagerSession": last, "currentTime": now}
    lines = [f"AgentStatus.{name}: {value}" for name, value in fields.items() if value is not None]
    return status_of("\n".join(lines))


@pytest.mark.parametrize(
    ("given", "healthy", "reason"),
    [
        ({}, True, "5 minutes old, and the agent's state is green"),
        ({"now": "1000"}, True, "0 seconds old"),
        ({"now": "1001"}, True, "is 1 second old"),
        ({"now": str(1000 + 1199)}, True, "19 minutes old"),
        ({"now": str(1000 + 1200)}, False, "20 minutes old, which is not younger than two heartbeats"),
        ({"now": str(1000 + 86400 * 400)}, False, "400 days old"),
        ({"state": "red"}, False, "5 minutes old, but the agent's state is red"),
        ({"state": "GREEN"}, True, "green"),
        ({"state": None}, None, "does not say which state"),
        ({"state": ""}, None, "does not say which state"),
        ({"state": "\x1b[32mgreen"}, None, "does not say which state"),
        ({"last": "0"}, False, "never had a session"),
        ({"last": None}, None, "lastAgentToManagerSession in the agent's status is missing"),
        ({"now": None}, None, "currentTime in the agent's status is missing"),
        ({"last": ""}, None, "lastAgentToManagerSession in the agent's status is missing"),
        ({"last": "never"}, None, "says never, which is not a time"),
        ({"last": "1e3"}, None, "which is not a time"),
        ({"last": "-5"}, None, "which is not a time"),
        ({"last": "\u0661\u0662"}, None, "which is not a time"),
        # Milliseconds, and more digits than any time has.
        ({"last": "1786541835000"}, None, "which is not a time"),
        ({"now": "9" * 5000}, None, "which is not a time"),
        ({"last": "1300", "now": "1000"}, None, "5 minutes ahead"),
        (
            {"last": "1000\nAgentStatus.lastAgentToManagerSession: 1200"},
            None,
            "says 1000 and 1200, which is not a time",
        ),
    ],
)
def test_who_is_healthy(given: dict[str, str | None], healthy: bool | None, reason: str) -> None:
    found = told(**given)
    assert found.health(10).healthy is healthy
    assert reason in found.health(10).reason
    assert found.health(10).reason.isprintable()


def test_who_is_not_activated_or_not_there_is_not_healthy() -> None:
    assert status_of(STATUS).as_dict(10) == {
        "agent_state": "green",
        "last_session": None,
        "last_session_age": None,
        "healthy": False,
        "healthy_reason": "The agent's status names no manager.",
    }
    assert NO_AGENT_STATUS.health(10).healthy is False


@given(output=ANSWERS, interval=st.integers(1, 1440))
def test_nobody_is_healthy_without_a_young_session(output: str, interval: int) -> None:
    found = read_status(Answer(0, output, ""))
    result = found.as_dict(interval)
    assert str(result["healthy_reason"]).isprintable()
    if result["healthy"]:
        assert found.activation == "activated" and result["agent_state"] == "green"
        assert 0 <= result["last_session_age"] < 120 * interval


@pytest.mark.parametrize("minutes", [0, -1, 1441, 10**30])
def test_an_interval_that_no_manager_has_is_an_error(minutes: int) -> None:
    with pytest.raises(OptionError) as raised:
        read_interval(minutes)
    assert raised.value.option == "heartbeat_interval" and "from 1 to 1440" in str(raised.value)
