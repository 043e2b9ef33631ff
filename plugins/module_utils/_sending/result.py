# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of C(policy_sending) to its result."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._basis.numbers import in_range
from .._basis.text import one_line, shown
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy
from .._fleet.outcome import DONE, NOT_KNOWN
from .._fleet.targets import TARGET_ARGUMENTS, Selector, missing_told, resolve
from .._manager.client import Client
from .agent_status import ARRIVED, FAILED, NO_AGENT, OFFLINE, STATES, UNKNOWN, WAITING, Sent
from .recipients import Recipients, narrowest
from .sending import PARTS, Following, Request, longest_heartbeat, request_sending, statuses, tidy

SENDING_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **TARGET_ARGUMENTS,
    "send": {"type": "bool", "default": True},
    "include_others": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int"},
    "wait_interval": {"type": "int", "default": 30},
    "list_targets": {"type": "bool", "default": False},
}

# Minutes to wait if the manager does not tell the heartbeat interval.
_WITHOUT_HEARTBEAT = 60
# How many computers to name if many are alike.
_EXAMPLES = 5
# How many of the manager's texts about failures to show.
_FAILURES = 20

# Whether policies were sent at all.
SENT, NOT_SENT, MAY_BE_SENT = "sent", "not_sent", "may_be_sent"

Options = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]


class SendingAsked(t.NamedTuple):
    """Whom to send to, and how long to wait. timeout: minutes, C(None) for the longest heartbeat. interval: seconds."""

    deployment: str
    selector: Selector
    send: bool = True
    include_others: bool = False
    wait: bool = False
    timeout: int | None = None
    interval: int = 30
    list_targets: bool = False

    @classmethod
    def from_options(cls, params: Options, deployment: str) -> SendingAsked:
        """Read the options of C(policy_sending). Raises C(OptionError)."""
        timeout = params["wait_timeout"]
        if timeout is not None:
            in_range("wait_timeout", timeout, 1, 10_080, "a number of minutes")
        if not (params["send"] or params["wait"]):
            raise OptionError("send", "false", "it must be true, or wait must be, as there is nothing to do otherwise")
        return cls(
            deployment,
            Selector.from_options({name: params.get(name) for name in TARGET_ARGUMENTS}, ""),
            params["send"],
            params["include_others"],
            params["wait"],
            timeout,
            in_range("wait_interval", params["wait_interval"], 1, 3600, "a number of seconds"),
            params["list_targets"],
        )


def send_policies(client: Client, asked: SendingAsked, check_mode: bool) -> Result:
    """The result of C(policy_sending), with C(msg) if it failed. Raises C(OptionError), C(ManagerError)."""
    fleet = Fleet(client, PARTS)
    computers, warnings = _chosen(fleet, asked.selector)
    agents = {computer.id: computer for computer in computers if computer.has_agent}
    before = statuses(agents.values())
    result: Result = {
        "changed": False,
        "manager": client.transport.url,
        "sending": NOT_SENT,
        "sent_to": None,
        "expected_within": longest_heartbeat(fleet, agents.values(), asked.deployment) if agents else None,
        "sent": 0,
        "others": 0,
    }
    if computers and not agents:
        warnings.append(f"none of the {len(computers)} computers has an agent: nothing is sent")
    request = None
    if agents and asked.send:
        recipients = narrowest(fleet, agents.values())
        _check_others(asked, recipients, len(agents))
        result.update(changed=True, sent_to=recipients.words, sent=len(agents), others=recipients.others)
        if not check_mode:
            request = request_sending(client, recipients)
            warnings += request.warnings
            result["sending"] = SENT if request.state == DONE else MAY_BE_SENT
    following = Following({number: status if asked.send else None for number, status in before.items()})
    if agents and not check_mode:
        _follow(fleet, asked, request, following, result)
        if asked.wait and request and request.task_id is not None and following.error is None:
            warnings += tidy(client, request.task_id)
    result.update(_told(asked, computers, following))
    problem = None if check_mode else _problem(asked, request, following)
    if problem:
        result["msg"] = problem["message"]
        result["failure"] = problem
    diff = f"send policies to {recipients.words}\n" if result["changed"] else ""
    return {
        **result,
        "requests": client.transport.requests,
        "diff": {"before": "", "after": diff},
        "warnings": warnings,
    }


def _chosen(fleet: Fleet, selector: Selector) -> tuple[list[Computer], list[str]]:
    """The chosen computers, including those of chosen policies and of their child policies; and warnings."""
    if selector.chooses_policies or len(selector.computers) > 1:
        # Only the whole list shows what one scheduled task can send to.
        fleet.list_computers()
    ((targets, missing),) = resolve(fleet, [selector])
    policies = {target.id for target in targets if isinstance(target, Policy)}
    reached = policies | (fleet.policies_below(policies) if policies else set())
    chosen = {target.id: target for target in targets if isinstance(target, Computer)}
    if reached:
        chosen.update((one.id, one) for one in fleet.list_computers() if one.policy_id in reached)
        if not chosen and not selector.allow_empty:
            raise OptionError("policies", None, "no computer has any of these policies; allow_empty: true allows that")
    return list(chosen.values()), [*missing_told(missing, "policies are sent without"), *fleet.warnings]


def _check_others(asked: SendingAsked, recipients: Recipients, number: int) -> None:
    if recipients.others and not asked.include_others:
        raise OptionError(
            "include_others",
            "false",
            "a scheduled task sends to one computer, to those of a policy or group, or to all; the smallest of these"
            f" that includes the {number} chosen ones is {recipients.words}, with {recipients.others} others. Choose one"
            " of these, or set it to true if the others may get their policy, too",
        )


def _follow(fleet: Fleet, asked: SendingAsked, request: Request | None, following: Following, result: Result) -> None:
    """Look until all policies have arrived; only once if it is unknown, and not visible, whether any were sent."""
    in_doubt = request is not None and request.state == NOT_KNOWN
    if asked.wait:
        minutes = asked.timeout or result["expected_within"] or _WITHOUT_HEARTBEAT
        following.until(fleet, 60.0 * minutes, asked.interval, if_begun=in_doubt)
        result["waited_at_most"] = minutes
    elif in_doubt:
        following.until(fleet, 0.0, asked.interval)
    if result["sending"] == MAY_BE_SENT and following.has_begun:
        result["sending"] = SENT


def _told(asked: SendingAsked, computers: t.Sequence[Computer], following: Following) -> Result:
    """How many computers are in which state, with some names, or with all names if the options ask for them."""
    looked = following.looks > 0

    def state(computer: Computer) -> Sent:
        if not computer.has_agent:
            return Sent(NO_AGENT)
        return following.state(computer.id) if looked else Sent(WAITING)

    states = [(computer, state(computer)) for computer in computers]
    by_state: dict[str, list[Computer]] = {name: [] for name in STATES}
    by_text: dict[str, list[Computer]] = {}
    for computer, (name, text) in states:
        by_state[name].append(computer)
        if name == FAILED:
            by_text.setdefault(one_line(text), []).append(computer)
    told: Result = {
        # In a dictionary of their own, because Ansible treats a result with the key "failed" as a failed task.
        "counts": {name: len(some) for name, some in by_state.items()},
        "looks": following.looks,
        "waited": round(following.seconds),
        "examples": {name: _names(some) for name, some in by_state.items() if some},
        "failures": [
            {"status": text, "computers": len(some), "examples": _names(some)}
            for text, some in sorted(by_text.items(), key=lambda one: -len(one[1]))[:_FAILURES]
        ],
    }
    if asked.list_targets:
        told["computers"] = [
            {**computer.reference, "state": name, "status": one_line(text) or None} for computer, (name, text) in states
        ]
    return told


def _names(computers: t.Sequence[Computer]) -> list[str]:
    return [shown(computer.name, 200) for computer in computers[:_EXAMPLES]]


def _problem(asked: SendingAsked, request: Request | None, following: Following) -> dict[str, t.Any] | None:
    """Why the task failed, in the form of C(failure)."""
    if following.error:
        failure = following.error.as_failure()
        lead = "it can no longer be seen whether the policies have arrived"
        if request:
            known = request.state == DONE or following.has_begun
            lead = f"{'the policies were sent' if known else 'it is not known whether the policies were sent'}; {lead}"
        return {**failure, "message": f"{lead}: {failure['message']}"}
    counts = following.counts
    if request and request.state == NOT_KNOWN and not following.has_begun:
        return {
            "code": "may_be_sent",
            "message": "the scheduled task may have been made, and no computer shows that its policy was sent; to send it"
            f" once more does no harm{f': {request.error.account}' if request.error else ''}",
        }
    if asked.wait and (counts[FAILED] or following.left):
        parts = [
            f"{counts[FAILED]} failed" if counts[FAILED] else "",
            f"{counts[WAITING]} have not taken it yet" if counts[WAITING] else "",
            f"of {counts[UNKNOWN]} the manager does not say" if counts[UNKNOWN] else "",
        ]
        return {
            "code": "not_arrived",
            "message": f"the policy has not arrived at all of {len(following.before)} computers:"
            f" {', '.join(filter(None, parts))}; {counts[ARRIVED]} have it, {counts[OFFLINE]} are offline",
        }
    return None
