# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the manager says about an agent: whether it communicates, and whether its policy is on the way or arrived.

Dates are the manager's, in milliseconds since 1970. They are compared with each other, never with this machine's clock.
If the manager omits something, it is unknown, and never counts as good news.
"""

from __future__ import annotations

import typing as t

from .._basis.text import enumerated, shown
from .._fleet.objects import Computer
from .._vendor.agent_status import is_communication_error, is_offline, is_sending

# How far a policy has come.
ARRIVED, WAITING, OFFLINE, FAILED, UNKNOWN, NO_AGENT = "arrived", "waiting", "offline", "failed", "unknown", "no_agent"
STATES = (ARRIVED, WAITING, OFFLINE, FAILED, UNKNOWN, NO_AGENT)

# A gate's verdict about an agent, besides C(waiting), C(failed) and C(unknown).
PASSED = "passed"


class AgentStatus(t.NamedTuple):
    """The status of one computer at one time. Dates are C(None), and texts empty, if the manager does not give them.

    C(heard): the agent's last communication. C(requested): when the manager was last asked to send the policy.
    C(taken): when the agent last took it. C(status): C(active), C(warning), C(error) and so on, with its C(messages).
    C(tasks): C(None) if the manager does not give them.
    """

    has_agent: bool
    heard: int | None
    requested: int | None
    taken: int | None
    status: str
    messages: tuple[str, ...]
    tasks: tuple[str, ...] | None

    @classmethod
    def of(cls, computer: Computer) -> AgentStatus:
        """The status of a computer that was read with its status and tasks."""
        return cls(
            computer.has_agent,
            computer.last_agent_communication,
            computer.last_send_policy_request,
            computer.last_send_policy_success,
            computer.status,
            computer.status_messages,
            computer.tasks,
        )

    @property
    def is_sending(self) -> bool:
        """Whether a policy is on its way: it has a task, or the last request is newer than the last arrival."""
        return any(map(is_sending, self.tasks or ())) or (self.requested or 0) > (self.taken or 0)

    @property
    def offline(self) -> str:
        """The text that says that the agent is offline; empty if there is none."""
        return next(filter(is_offline, (*self.messages, *(self.tasks or ()))), "")

    @property
    def communication_errors(self) -> tuple[str, ...]:
        """The texts that report communication errors between manager and agent."""
        return tuple(filter(is_communication_error, self.messages))


class Sent(t.NamedTuple):
    """The state of one computer's policy, one of C(STATES), and the manager's text that says why it has not arrived."""

    state: str
    text: str = ""


class Verdict(t.NamedTuple):
    """A gate's verdict about an agent: C(passed), C(waiting), C(failed) or C(unknown), and why it has not passed."""

    state: str
    reason: str = ""


def sent_since(now: AgentStatus, before: AgentStatus | None) -> Sent:
    """The state of a policy that was requested after C(before) was read; with C(None), of the last requested policy."""
    if not now.has_agent:
        return Sent(NO_AGENT)
    if _has_taken(now, before):
        return Sent(ARRIVED)
    if now.offline:
        return Sent(OFFLINE, now.offline)
    if now.communication_errors:
        return Sent(FAILED, "; ".join(now.communication_errors))
    if now.requested is None and not now.is_sending:
        return Sent(UNKNOWN)
    return Sent(WAITING)


def _has_taken(now: AgentStatus, before: AgentStatus | None) -> bool:
    if now.taken is None or now.is_sending:
        return False
    if before is None:
        return now.requested is not None
    # A manager may merge a request into an earlier one that was still waiting.
    return now.taken > (before.taken or 0) or (now.requested or 0) > (before.requested or 0)


def judge(status: AgentStatus, since: int, accepted: t.Collection[str] = (), heard_since: int | None = None) -> Verdict:
    """Whether an agent has talked to the manager and taken its policy since a change, and has no errors or alerts.

    C(since): when the change was made, by the manager's clock, in milliseconds since 1970. C(heard_since): the time
    after which the agent must have talked, if it is another time. C(accepted): texts of the status from before the
    change. They are ignored, unless they are communication errors.

    C(waiting) may still become passed. C(failed) and C(unknown) never count as passed.
    """
    if not status.has_agent:
        return Verdict(UNKNOWN, "the manager knows no agent on it")
    if not (status.status or status.messages):
        return Verdict(UNKNOWN, "the manager does not report the agent's status")
    if status.offline:
        return Verdict(FAILED, f"the agent is offline: {shown(status.offline)}")
    if status.communication_errors:
        return Verdict(FAILED, f"manager and agent cannot communicate: {_told(status.communication_errors)}")
    if status.heard is None:
        return Verdict(UNKNOWN, "the manager does not say when it last heard from the agent")
    if status.requested is None and status.taken is None:
        return Verdict(UNKNOWN, "the manager does not say when the agent was last sent its policy")
    if status.heard <= (since if heard_since is None else heard_since):
        return Verdict(WAITING, "the agent has not talked to the manager since")
    if status.is_sending or (status.taken or 0) <= since:
        return Verdict(WAITING, "the agent has not taken its policy since")
    if status.status in ("error", "warning"):
        new = [text for text in status.messages if text not in accepted]
        if new or not status.messages:
            return Verdict(FAILED, f"the agent has an alert: {_told(new) or status.status}")
    return Verdict(PASSED)


def _told(texts: t.Sequence[str]) -> str:
    return enumerated([shown(text, 200) for text in texts], 5)
