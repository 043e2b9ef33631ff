# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: which requests they affect, and what they do."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

import orjson

from tests.lab.manager.log import CREATE, READ, kind_of
from tests.lab.manager.message import Call, Reply

# For each kind of action: the required and the optional fields.
_ACTIONS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "status": (frozenset({"status"}), frozenset({"headers", "body"})),
    "cut": (frozenset({"when"}), frozenset()),
    "delay": (frozenset({"seconds"}), frozenset()),
    "stall": (frozenset({"seconds"}), frozenset()),
    "body": (frozenset({"body"}), frozenset({"status", "headers"})),
    "drop_fields": (frozenset({"fields"}), frozenset()),
    "mutate": (frozenset({"pointer", "to"}), frozenset()),
    "ignore_write": (frozenset(), frozenset()),
    "run": (frozenset({"when", "request"}), frozenset()),
}
_MOMENTS = {
    "cut": ("before", "during", "after_processing", "after_reply"),
    "run": ("before", "after"),
}
_CONDITIONS = {"method", "path", "body", "skip", "times", "action"}


@dataclass(slots=True)
class Fault:
    """Affects matching requests: skips the first C(skip) of them, then acts on C(times) of them, 0 for all."""

    method: str | None
    path: re.Pattern[str]
    body: re.Pattern[bytes] | None
    skip: int
    times: int
    action: dict[str, t.Any]

    @classmethod
    def of(cls, given: t.Any) -> Fault:
        """A fault as a test describes it; raises C(ValueError)."""
        if not isinstance(given, dict) or given.keys() - _CONDITIONS:
            raise ValueError(f"a fault has {', '.join(sorted(_CONDITIONS))}: {given!r}")
        action = given.get("action")
        kind = action.get("kind") if isinstance(action, dict) else None
        if kind not in _ACTIONS:
            raise ValueError(f"the kind of an action is one of {', '.join(_ACTIONS)}: {kind!r}")
        needed, allowed = _ACTIONS[kind]
        if (action.keys() - {"kind"} - needed - allowed) or (needed - action.keys()):
            raise ValueError(f"{kind} needs {sorted(needed)} and may have {sorted(allowed)}: {sorted(action)}")
        if kind in _MOMENTS and action["when"] not in _MOMENTS[kind]:
            raise ValueError(f"{kind}: when is one of {', '.join(_MOMENTS[kind])}")
        if kind == "mutate":
            _check_mutation(action["pointer"], action["to"])
        try:
            path = re.compile(given.get("path", ""))
            body = re.compile(given["body"].encode()) if given.get("body") else None
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return cls(given.get("method"), path, body, given.get("skip", 0), given.get("times", 1), action)

    def fits(self, call: Call) -> bool:
        """Whether this fault matches a request."""
        if self.method and self.method != call.method:
            return False
        return bool(self.path.search(call.path) and (self.body is None or self.body.search(call.body)))


class Faults:
    """The waiting faults."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, given: t.Any) -> None:
        """Add faults, or none of them; raises C(ValueError)."""
        if not isinstance(given, list):
            raise ValueError("faults must be a list")
        self._waiting += [Fault.of(fault) for fault in given]

    def clear(self) -> None:
        """Forget all of them."""
        self._waiting.clear()

    def meet(self, call: Call) -> dict[str, t.Any] | None:
        """The action for a request: that of the first matching fault that has skipped C(skip) requests."""
        for fault in self._waiting:
            if not fault.fits(call):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
            return fault.action
        return None


MISSING = "missing"


def _check_mutation(pointer: t.Any, to: t.Any) -> None:
    if not isinstance(pointer, str) or pointer[:1] not in ("", "/"):
        raise ValueError(f'mutate: the pointer is "" or starts with "/": {pointer!r}')
    text = to.get("text", "") if isinstance(to, dict) else ""
    if to != MISSING and not (isinstance(to, dict) and to.keys() in ({"value"}, {"text"}) and isinstance(text, str)):
        raise ValueError(f'mutate: to is "{MISSING}", an object with a value, or one with a text: {to!r}')


def mutated(reply: Reply, pointer: str, to: t.Any) -> Reply:
    """The reply without, or with a replaced, C(pointer): a JSON pointer, with C(*) for all items or fields of a place.

    Missing fields are not created. Text is inserted unchanged, whether or not it is JSON.
    """
    if not reply.body:
        return reply
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    # The reply is in a list, so that the whole reply can be replaced like any part.
    root = [orjson.loads(reply.body)]
    places: list[tuple[t.Any, t.Any]] = [(root, 0)]
    for step in steps:
        places = [(holder[key], name) for holder, key in places for name in _named(holder[key], step)]
    # From the end, so that items keep their positions until they are handled.
    for holder, key in reversed(places):
        if to == MISSING:
            del holder[key]
        else:
            holder[key] = to["value"] if "value" in to else orjson.Fragment(to["text"])
    return replace(reply, body=orjson.dumps(root[0]) if root else b"")


def _named(value: t.Any, step: str) -> list[t.Any]:
    """The keys or indices of a value that a step of a pointer names."""
    if isinstance(value, dict):
        return list(value) if step == "*" else [step] if step in value else []
    if isinstance(value, list):
        indices = range(len(value))
        return list(indices) if step == "*" else [int(step)] if step.isdecimal() and int(step) in indices else []
    return []


def without_fields(reply: Reply, fields: t.Collection[str]) -> Reply:
    """The reply, with these fields gone from each of its objects."""

    def stripped(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {name: stripped(item) for name, item in value.items() if name not in fields}
        return [stripped(item) for item in value] if isinstance(value, list) else value

    body = orjson.dumps(stripped(orjson.loads(reply.body))) if reply.body else b""
    return replace(reply, body=body)


def read_instead(call: Call) -> Call | None:
    """The read that a manager answers with when it says yes to a write and forgets it; C(None) for a create."""
    if kind_of(call.method, call.path) == READ:
        return call
    path = call.path
    if call.method == "DELETE" and "/assignments/" in path:
        path = path.rsplit("/", 1)[0]
    return None if kind_of(call.method, path) == CREATE else Call("GET", path, call.query, call.headers)
