# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's side of the conversation with agents: it answers those that connect, and connects to the others."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
import typing as t

from tests.lab.manager import settings
from tests.lab.manager.activation import Refused, activate, may_return
from tests.lab.manager.configuration import configuration_of, effective_settings, fingerprint_of, wants_update
from tests.lab.manager.conversation import FAILURES, LONGEST_LINE, Conversation
from tests.lab.manager.heartbeats import (
    VIRTUAL_MACHINE_STATES,
    Heartbeats,
    direction_of,
    interval_of,
    listens,
    status_of,
    tasks_of,
)
from tests.lab.manager.server import Server
from tests.lab.manager.state import Agent, State
from tests.lab.manager.switches import Switches

AGENT_PORT = 4118

# Real seconds (not sped up): how often the manager checks its agents, and how long it waits for a connection.
_TICK = 0.1
_CONNECTED_WITHIN = 3.0
# The part of an interval between a failed connection and the next try.
_RETRY = 0.25

# All TLS versions and cipher suites that OpenSSL still has, because old agents only have old ones.
CIPHERS = "ALL:@SECLEVEL=0"


class Agents:
    """Talks to agents. It runs in the event loop of the API."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.heartbeats = Heartbeats(server.manager.switches)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE
        self._tls.minimum_version = ssl.TLSVersion.TLSv1
        self._tls.set_ciphers(CIPHERS)
        # By computer: running connections to agents, and when failed ones may be tried again.
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}

    @property
    def _state(self) -> State:
        return self._server.manager.state

    @property
    def _switches(self) -> Switches:
        return self._server.manager.switches

    def _now(self) -> float:
        return self._server.manager.clock.now()

    def reset(self) -> None:
        """Forget the agents of the previous fleet, and everything that they said."""
        self.heartbeats.clear()
        self._not_before.clear()

    # -- for tests

    def shown(self) -> list[dict[str, t.Any]]:
        """All agents that really exist."""
        return [
            {
                "computer_id": agent.computer_id,
                "host_name": self._state.computers.items[agent.computer_id].host_name,
                "address": agent.address,
                "direction": direction_of(self._state, agent) if agent.settings else None,
                "virtual_machine": agent.virtual_machine,
                "fingerprint": agent.fingerprint,
                **status_of(agent),
                **tasks_of(self._state, agent, self._switches),
            }
            for agent in self._state.agents.values()
        ]

    def set_virtual_machine(self, computer_id: int, state: str | None) -> None:
        """Set that a computer is a virtual machine, C(running) or C(stopped), or none. Raises C(ValueError)."""
        if state not in VIRTUAL_MACHINE_STATES or computer_id not in self._state.agents:
            raise ValueError(f"no agent on computer {computer_id}, or {state!r} is none of {VIRTUAL_MACHINE_STATES}")
        self._state.agents[computer_id].virtual_machine = state

    # -- agents that connect

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with an agent that has connected."""
        conversation = Conversation(reader, writer)
        try:
            hello = await conversation.listen()
            await self._converse(conversation, await self._recognize(conversation, hello), "agent")
        except Refused as error:
            conversation.say(ask="refuse", message=str(error))
        except FAILURES:
            # This is not an agent, or an agent that went away. It does not count as a heartbeat.
            pass
        finally:
            await conversation.close()

    async def _recognize(self, conversation: Conversation, hello: dict[str, t.Any]) -> Agent:
        """The agent that says hello; raises C(Refused)."""
        about = hello["agent"]
        parameters = hello.get("activate")
        if parameters is None:
            for agent in self._state.agents.values():
                known = agent.guid == about["guid"] and secrets.compare_digest(agent.secret, str(hello["secret"]))
                if known and agent.machine == about["machine"]:
                    return agent
            if not may_return(self._state, about):
                raise Refused("This agent is not known. It has to be activated again")
            # The agent knew the tenant before, so it need not give it again.
            agent = activate(self._state, about, {}, conversation.peer, {})
        else:
            agent = activate(self._state, about, parameters, conversation.peer, self._server.manager.tenant)
        self._not_before.pop(agent.computer_id, None)
        await conversation.ask("activate", guid=agent.guid, secret=agent.secret)
        return agent

    # -- agents that the manager connects to

    async def run(self) -> None:
        """Check all agents, forever: raise alerts, and connect if there is something to do."""
        while True:
            await asyncio.sleep(_TICK)
            for agent in list(self._state.agents.values()):
                if agent.settings:
                    self._look_after(agent)

    def _look_after(self, agent: Agent) -> None:
        computer = self._state.computers.items[agent.computer_id]
        now = self._now()
        missed = self.heartbeats.look_after(agent, now, effective_settings(self._state, computer))
        wanted = wants_update(self._state, agent, self._switches)
        if wanted and (computer.last_send_policy_request or 0) <= (computer.last_send_policy_success or 0):
            computer.last_send_policy_request = self._server.manager.clock.milliseconds()
            computer.basic = None
        if not listens(self._state, agent) or agent.computer_id in self._calls:
            return
        if direction_of(self._state, agent) == settings.MANAGER_INITIATED:
            due = now >= agent.last_heartbeat + interval_of(agent)
        else:
            due = missed > 0 and self._switches["manager_calls_missing_agents"]
        due = due or wanted
        if due and now >= self._not_before.get(agent.computer_id, now):
            call = asyncio.create_task(self._call(agent))
            self._calls[agent.computer_id] = call
            call.add_done_callback(lambda _call: self._calls.pop(agent.computer_id))

    async def _call(self, agent: Agent) -> None:
        self._not_before[agent.computer_id] = self._now() + _RETRY * interval_of(agent)
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN):
                reader, writer = await asyncio.open_connection(
                    agent.address, AGENT_PORT, ssl=self._tls, limit=LONGEST_LINE
                )
        except FAILURES:
            agent.cannot_be_called = self._switches["agent_that_cannot_be_called"] == "error"
            return
        agent.cannot_be_called = False
        conversation = Conversation(reader, writer)
        try:
            if hashlib.sha256(conversation.certificate or b"").hexdigest() == agent.certificate:
                conversation.say(secret=agent.secret)
                await self._converse(conversation, agent, "manager")
                self._not_before.pop(agent.computer_id, None)
        except FAILURES:
            # The agent went away: the heartbeat does not count.
            pass
        finally:
            await conversation.close()

    # -- both

    async def _converse(self, conversation: Conversation, agent: Agent, by: str) -> None:
        """First the heartbeat, status and events; then what is pending; then the end."""
        requests = len(self._server.log.entries)
        status = await conversation.ask("status")
        events = (await conversation.ask("events", after=agent.last_event))["events"]
        about = status["agent"]
        heartbeat = {
            "by": by,
            # The last request to the API before.
            "request": requests,
            "driver": status["driver"],
            "agent": about,
            "events": [event for event in events if event["number"] > agent.last_event],
            "counters": status["counters"],
            "fingerprint": status["fingerprint"],
            "updated_to": None,
        }
        # Nothing is awaited from here to the next question: the computer cannot go away in between.
        if self._state.agents.get(agent.computer_id) is not agent:
            raise ValueError("the agent's computer was deleted or activated anew")
        computer = self._state.computers.items[agent.computer_id]
        threshold = effective_settings(self._state, computer)[settings.CLOCK_CHANGE]
        entry = self.heartbeats.add(agent, heartbeat, self._now(), threshold)
        agent.last_event = max([agent.last_event, *(event["number"] for event in events)])
        agent.fingerprint = status["fingerprint"]
        if by == "agent":
            agent.address = conversation.peer
        computer.platform, computer.agent_version = about["platform"], about["version"]
        computer.last_ip_used = agent.address
        computer.last_agent_communication = self._server.manager.clock.milliseconds()
        computer.basic = None
        if not agent.settings or wants_update(self._state, agent, self._switches):
            if computer.last_send_policy_request is None:
                computer.last_send_policy_request = self._server.manager.clock.milliseconds()
            configuration = configuration_of(self._state, computer, self._switches)
            answered = await conversation.ask("configure", configuration=configuration)
            if answered["fingerprint"] != fingerprint_of(configuration):
                raise ValueError("the agent has another configuration than it was sent")
            agent.settings, agent.fingerprint = configuration["settings"], answered["fingerprint"]
            entry["updated_to"] = answered["fingerprint"]
            agent.send_requested = False
            computer.last_send_policy_success = self._server.manager.clock.milliseconds()
            computer.basic = None
        await conversation.end()
