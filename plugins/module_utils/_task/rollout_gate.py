# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate after a wave: every agent must have talked to the manager, taken its policy, and have no errors.

The earlier state is also read from the manager, so that dates are compared with each other, never with our clock.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from collections import Counter

from .._basis.errors import FileError, OptionError
from .._basis.files import keep_whole, read_whole
from .._basis.numbers import in_range
from .._basis.text import enumerated, one_line, shown
from .._communication.plan_file import LONGEST
from .._fleet.fleet import Fleet
from .._manager.client import Client
from .._manager.progress import WAITING as PHASE
from .._sending.agent_status import FAILED, PASSED, UNKNOWN, WAITING, AgentStatus, Verdict, judge
from .._sending.sending import PARTS, longest_heartbeat, look, statuses
from .rollout import read_wave
from .work import Work

GATE_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "waves_file": {"type": "path", "required": True},
    "wave": {"type": "int", "required": True},
    "before_file": {"type": "path", "required": True},
    "judge": {"type": "bool", "default": True},
    "heartbeats": {"type": "int", "default": 3},
    "wait_interval": {"type": "int", "default": 30},
}

# Minutes between heartbeats if the manager does not tell.
_WITHOUT_HEARTBEAT = 60
# The most computers to name for the same trouble.
_EXAMPLES = 5
_REASONS = 20

Options = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]


class _Before(t.NamedTuple):
    """The state of an agent before the wave. Dates are milliseconds since 1970 by the manager's clock, 0 for never."""

    heard: int
    taken: int
    messages: tuple[str, ...]

    @classmethod
    def of(cls, status: AgentStatus) -> _Before:
        """The part of a status that is kept."""
        return cls(status.heard or 0, status.taken or 0, status.messages)

    @classmethod
    def from_dict(cls, given: t.Any) -> _Before:
        """Read a kept state. Raises C(ValueError), C(TypeError)."""
        before = cls(given["heard"], given["taken"], tuple(given["messages"]))
        if not (isinstance(before.heard, int) and isinstance(before.taken, int)):
            raise ValueError("its dates must be numbers")
        return before


class GateAsked(t.NamedTuple):
    """The computers of the wave, their earlier state (C(None): to be recorded now), and how long to wait."""

    wave: int
    judged: tuple[int, ...]
    manager: str
    before_file: str
    before: t.Mapping[int, _Before] | None
    judges: bool
    heartbeats: int
    interval: int
    deployment: str

    @classmethod
    def from_options(cls, params: Options, deployment: str) -> GateAsked:
        """Read the options of C(GATE_ARGUMENTS). Raises C(OptionError)."""
        wave, url = read_wave("waves_file", params["waves_file"], params["wave"])
        judged = tuple(wave["judged"])
        before = _read(params["before_file"], params["wave"], judged)
        if params["judge"] and before is None:
            raise OptionError(
                "before_file",
                params["before_file"],
                "it must exist; a task with judge: false before the wave writes it",
            )
        return cls(
            params["wave"],
            judged,
            url,
            params["before_file"],
            before,
            params["judge"],
            in_range("heartbeats", params["heartbeats"], 1, 1000, "a number of heartbeats"),
            in_range("wait_interval", params["wait_interval"], 1, 3600, "a number of seconds"),
            deployment,
        )


def _read(path: str, wave: int, judged: t.Sequence[int]) -> dict[int, _Before] | None:
    """The state before a wave, from a file, C(None) without a file. Raises C(OptionError)."""
    try:
        held = json.loads(read_whole(path, LONGEST))
        before = {int(number): _Before.from_dict(one) for number, one in held["computers"].items()}
        if held["wave"] != wave or not before.keys() <= set(judged):
            raise ValueError("it is about another wave")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OptionError("before_file", path, f"it must be a file that can be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        right = "it must be a file that this module wrote for this wave"
        raise OptionError("before_file", path, f"{right}, but {one_line(error)}") from None
    return before


def pass_gate(client: Client, asked: GateAsked, check_mode: bool) -> Result:
    """The result of C(rollout_gate), with C(msg) if the wave does not pass. Raises C(Problem)."""
    if asked.manager != client.transport.url:
        raise OptionError(
            "waves_file", None, f"it must be about {client.transport.url}, but it is about {asked.manager}"
        )
    fleet = Fleet(client, PARTS)
    fleet.list_computers()
    known = [fleet.computers[number] for number in asked.judged if number in fleet.computers]
    minutes = longest_heartbeat(fleet, known, asked.deployment) if known else None
    if not asked.judges:
        return {**_noted(client, asked, statuses(known), check_mode), "heartbeat": minutes}
    gate = _Gate(asked, t.cast("t.Mapping[int, _Before]", asked.before), statuses(known))
    limit = 0 if check_mode else asked.heartbeats * (minutes or _WITHOUT_HEARTBEAT)
    gate.wait(fleet, 60.0 * limit)
    result = {"changed": False, **gate.told(limit, minutes), "requests": client.transport.requests}
    problem = None if check_mode else gate.problem(limit)
    return {**result, "msg": problem["message"], "failure": problem} if problem else result


def _noted(client: Client, asked: GateAsked, seen: t.Mapping[int, AgentStatus], check_mode: bool) -> Result:
    """Record the state before the wave, unless that is already done."""
    changed = asked.before is None
    if changed:
        computers = {
            str(number): {"heard": before.heard, "taken": before.taken, "messages": list(before.messages)}
            for number, before in ((number, _Before.of(status)) for number, status in seen.items())
        }
        content = json.dumps({"wave": asked.wave, "computers": computers}).encode("ascii")
        try:
            keep_whole(asked.before_file, content, check_mode)
        except OSError as error:
            raise FileError("before_file", asked.before_file, error) from error
    return {"changed": changed, "judged": len(asked.judged), "requests": client.transport.requests}


class _Gate:
    """Watches the agents of a wave."""

    def __init__(self, asked: GateAsked, before: t.Mapping[int, _Before], seen: dict[int, AgentStatus]) -> None:
        self._asked, self._before, self._seen = asked, before, seen
        self._gone = set(asked.judged) - seen.keys()
        self.looks = 1
        self.seconds = 0.0

    def wait(self, fleet: Fleet, limit: float) -> None:
        """Look again and again, for at most C(limit) seconds, until all have passed, or an agent has failed twice."""
        transport = fleet.client.transport
        started = transport.clock.monotonic()
        ends = datetime.datetime.fromtimestamp(transport.clock.time() + limit, datetime.timezone.utc)
        failed_before: set[int] = set()
        with transport.progress.stage(PHASE, "for the gate", len(self._asked.judged)) as stage:
            while True:
                verdicts = self.verdicts
                counts = _counted(verdicts)
                stage.said = (
                    f"waiting for the gate of wave {self._asked.wave}: {len(self._seen)} agents, {counts[PASSED]} passed,"
                    f" {counts[FAILED]} failed, {counts[WAITING]} left, until {ends:%H:%M:%S} UTC"
                )
                failed = {number for number, one in verdicts.items() if one.state == FAILED}
                left = limit - (transport.clock.monotonic() - started)
                # A temporary error may be gone at the next look.
                over = not (counts[WAITING] or failed) or counts[UNKNOWN] or failed & failed_before or left <= 0
                if over:
                    break
                failed_before = failed
                transport.pause(min(self._asked.interval, left))
                again = [number for number, one in verdicts.items() if one.state != PASSED]
                found = look(fleet, again)
                self._gone.update(set(again) - found.keys())
                for number in again:
                    self._seen.pop(number)
                self._seen.update(found)
                self.looks += 1
        self.seconds = transport.clock.monotonic() - started

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """The verdict about each existing computer."""
        return {number: self._judge(number, status) for number, status in self._seen.items()}

    def _judge(self, number: int, status: AgentStatus) -> Verdict:
        before = self._before.get(number)
        if before is None:
            return Verdict(UNKNOWN, "its state before the wave is not known")
        # The agent must have talked after it took its policy, because the new policy may keep it from talking.
        return judge(status, before.taken, before.messages, max(before.heard, status.taken or 0))

    def told(self, limit: int, minutes: int | None) -> Result:
        """The outcome, for the result."""
        verdicts = self.verdicts
        counts = _counted(verdicts)
        by_reason: dict[tuple[str, str], list[int]] = {}
        for number, one in sorted(verdicts.items()):
            if one.state != PASSED:
                by_reason.setdefault((one.state, one_line(one.reason)), []).append(number)
        most_first = sorted(by_reason.items(), key=lambda item: -len(item[1]))
        return {
            "judged": len(self._asked.judged),
            "counts": {**{name: counts[name] for name in (PASSED, FAILED, WAITING, UNKNOWN)}, "gone": len(self._gone)},
            "reasons": [
                {"state": state, "reason": reason, "count": len(numbers), "computer_ids": numbers[:_EXAMPLES]}
                for (state, reason), numbers in most_first[:_REASONS]
            ],
            "looks": self.looks,
            "waited": round(self.seconds),
            "waited_at_most": limit,
            "heartbeat": minutes,
        }

    def problem(self, limit: int) -> Result | None:
        """Why the wave does not pass."""
        counts = _counted(self.verdicts)
        bad = counts[FAILED] + counts[UNKNOWN] + counts[WAITING]
        if self._asked.judged and not self._seen:
            message = (
                f"wave {self._asked.wave} does not pass: the manager shows none of its {len(self._gone)} computers"
            )
            return {"code": "gate_unknown", "message": message}
        if not bad:
            return None
        code = "gate_failed" if counts[FAILED] else "gate_unknown" if counts[UNKNOWN] else "gate_timed_out"
        reasons = self.told(limit, None)["reasons"]
        told = enumerated(
            [f"{one['count']} of them: {shown(one['reason'], 200)} (IDs {enumerated([*map(str, one['computer_ids'])])})"
             for one in reasons], 3,
        )  # fmt: skip
        message = (
            f"wave {self._asked.wave} does not pass: of {len(self._seen)} agents, {counts[PASSED]} passed, {counts[FAILED]}"
            f" failed, {counts[UNKNOWN]} cannot be judged, and {counts[WAITING]} did not pass within"
            f" {limit} minutes; {told}"
        )
        return {"code": code, "message": message}


def _counted(verdicts: t.Mapping[int, Verdict]) -> Counter[str]:
    """How many computers have each verdict."""
    return Counter(one.state for one in verdicts.values())


WORK: Work[GateAsked] = Work(
    GATE_ARGUMENTS,
    GateAsked.from_options,
    lambda client, asked, host, _connection: pass_gate(client, asked, host.check_mode),
)
