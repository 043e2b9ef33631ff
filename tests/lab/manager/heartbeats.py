# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the manager handles heartbeats: their log, alerts, and whether an agent is online."""

from __future__ import annotations

import typing as t

from tests.lab.manager import settings
from tests.lab.manager.configuration import wants_update
from tests.lab.manager.state import Agent, State
from tests.lab.manager.switches import Switches

STOPPED = "stopped"
VIRTUAL_MACHINE_STATES = (None, "running", STOPPED)

OFFLINE = "offline"
CLOCK_CHANGE = "clock_change"

# A heartbeat counts as missed if it is late by half an interval, because hosts are not on time to the second.
_GRACE = 0.5


class Heartbeats:
    """Heartbeats and alerts in the order in which they came, in one numbering from 1."""

    def __init__(self, switches: Switches) -> None:
        self.log: list[dict[str, t.Any]] = []
        self.alerts: list[dict[str, t.Any]] = []
        self._switches = switches
        self._last = 0

    def clear(self) -> None:
        """Forget all of them. The numbering continues."""
        self.log.clear()
        self.alerts.clear()

    def add(self, agent: Agent, heartbeat: dict[str, t.Any], now: float, threshold: str) -> dict[str, t.Any]:
        """Log a heartbeat at C(now) by the manager's clock. C(threshold) is the change of clock without an alert.

        Returns the entry in the log.
        """
        entry = {"n": self._next(), "computer_id": agent.computer_id, "at": now, **heartbeat}
        self.log.append(entry)
        clock = entry["agent"]["clock"]
        if agent.clock is not None and threshold != settings.UNLIMITED:
            change = (clock - agent.clock - (now - agent.last_heartbeat)) / 60
            if abs(change) > int(threshold.split()[0]):
                self._alert(agent, CLOCK_CHANGE, now, minutes=round(change))
        agent.clock, agent.last_heartbeat = clock, now
        self._back_online(agent)
        return entry

    def look_after(self, agent: Agent, now: float, values: dict[str, str]) -> int:
        """Raise the alerts that are due at C(now). C(values) are the computer's settings.

        Returns the number of missed heartbeats.
        """
        missed = missed_heartbeats(agent, now)
        allowed = values[settings.HEARTBEAT_MISSED]
        stopped = agent.virtual_machine == STOPPED and values[settings.OFFLINE_ERRORS] != "true"
        if allowed == settings.UNLIMITED or stopped:
            self._back_online(agent)
        elif not agent.offline and missed > int(allowed) - (
            self._switches["missed_heartbeat_alert"] == "at_the_number"
        ):
            agent.offline = True
            self._alert(agent, OFFLINE, now, missed=missed, virtual_machine=agent.virtual_machine)
        return missed

    def _back_online(self, agent: Agent) -> None:
        agent.offline = False
        for alert in self.alerts:
            if alert["computer_id"] == agent.computer_id and alert["kind"] == OFFLINE and alert["cleared"] is None:
                alert["cleared"] = self._next()

    def _alert(self, agent: Agent, kind: str, now: float, **details: t.Any) -> None:
        self.alerts.append(
            {
                "n": self._next(),
                "computer_id": agent.computer_id,
                "kind": kind,
                "at": now,
                "cleared": None,
                **details,
            }
        )

    def _next(self) -> int:
        self._last += 1
        return self._last


def interval_of(agent: Agent) -> float:
    """Seconds between heartbeats, by the settings that were last sent to the agent."""
    number, unit = agent.settings[settings.HEARTBEAT_INTERVAL].split()
    return int(number) * (3600.0 if unit.startswith("Hour") else 60.0)


def missed_heartbeats(agent: Agent, now: float) -> int:
    """How many heartbeats should have come since the last one."""
    passed = (now - agent.last_heartbeat) / interval_of(agent)
    return max(0, int(passed - _GRACE))


def listens(state: State, agent: Agent) -> bool:
    """Whether an agent has its port open, by the settings that were last sent to it."""
    return direction_of(state, agent) != settings.AGENT_INITIATED


def direction_of(state: State, agent: Agent) -> str:
    """Who initiates. On macOS, it is always the agent, whatever its settings say."""
    if state.computers.items[agent.computer_id].platform.startswith("macOS"):
        return settings.AGENT_INITIATED
    return agent.settings[settings.DIRECTION]


def status_of(agent: Agent) -> dict[str, t.Any]:
    """The computerStatus of a computer with a live agent."""
    if agent.offline:
        return {"agentStatus": "error", "agentStatusMessages": ["Offline"]}
    if agent.cannot_be_called:
        return {"agentStatus": "error", "agentStatusMessages": ["Unable to communicate with Agent"]}
    if agent.virtual_machine == STOPPED:
        return {"agentStatus": "inactive", "agentStatusMessages": ["Managed (VM Stopped)"]}
    return {"agentStatus": "active", "agentStatusMessages": ["Managed (Online)"]}


def tasks_of(state: State, agent: Agent, switches: Switches) -> dict[str, t.Any]:
    """The tasks of a computer with a live agent."""
    if not agent.settings:
        return {"agentTasks": ["Activation In Progress"]}
    if not wants_update(state, agent, switches):
        return {"agentTasks": []}
    if agent.offline:
        return {"agentTasks": ["Update of Configuration Pending (Offline)"]}
    if listens(state, agent):
        return {"agentTasks": ["Update of Configuration In Progress"]}
    return {"agentTasks": ["Update of Configuration Pending (Heartbeat)"]}
