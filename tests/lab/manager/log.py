# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of requests that tests assert on."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

import orjson

from tests.lab.manager.message import Call

# Longer bodies are not kept.
BODY_LIMIT = 64 * 1024

READ = "read"
SETTINGS = "settings"
ASSIGNMENT = "assignment"
CREATE = "create"
MODIFY = "modify"
DELETE = "delete"

_WITH_SETTINGS = ("policies", "computers", "systemsettings")


def kind_of(method: str, path: str) -> str:
    """What a request does: C(read), C(settings), C(assignment), C(create), C(modify) or C(delete)."""
    parts = path.strip("/").split("/")
    # A deployment script is only made for the reply. The manager stores nothing.
    if method == "GET" or parts[-1] == "search" or parts == ["agentdeploymentscripts"]:
        return READ
    if "assignments" in parts:
        return ASSIGNMENT
    has_settings = parts[0] in _WITH_SETTINGS
    # An override of a rule is a value of the policy or computer, like a setting.
    if has_settings and (parts[0] == "systemsettings" or not {"settings", "default", "rules"}.isdisjoint(parts)):
        return SETTINGS
    if method == "DELETE":
        return DELETE
    if len(parts) == 1:
        return CREATE
    return SETTINGS if has_settings else MODIFY


@dataclass(slots=True)
class Entry:
    """One request. C(status) stays C(None) if there was no reply, C(fault) is the kind of a fault that affected it.

    C(reply) is the body of the reply, if the log keeps replies.
    """

    n: int
    call: Call
    key: str
    status: int | None = None
    fault: str | None = None
    reply: bytes | None = None

    @property
    def kind(self) -> str:
        """What the request does."""
        return kind_of(self.call.method, self.call.path)

    def shown(self) -> dict[str, t.Any]:
        """The entry as JSON. The query has a list of values for each name."""
        query: dict[str, list[str]] = {}
        for name, value in self.call.query:
            query.setdefault(name, []).append(value)
        return {
            "n": self.n,
            "method": self.call.method,
            "path": self.call.path,
            "query": query,
            "body": _parsed(self.call.body),
            "status": self.status,
            "kind": self.kind,
            "key": self.key,
            "fault": self.fault,
            "reply": _parsed(self.reply),
        }


@dataclass(slots=True)
class Log:
    """Requests in the order in which they came."""

    entries: list[Entry] = field(default_factory=list)
    # Whether to keep the bodies of replies, too, whatever their length.
    keeps_replies: bool = False

    def begin(self, call: Call, key: str) -> Entry:
        """Log a request that came in. C(key) is the name of its key."""
        # Headers contain keys, so they are not kept.
        kept = Call(call.method, call.path, call.query, body=call.body if len(call.body) < BODY_LIMIT else b"")
        entry = Entry(len(self.entries) + 1, kept, key)
        self.entries.append(entry)
        return entry

    def keep_replies(self, keep: t.Any) -> None:
        """Keep the bodies of replies from now on, or stop keeping them; raises C(ValueError)."""
        if not isinstance(keep, bool):
            raise ValueError(f"keep_replies is true or false: {keep!r}")
        self.keeps_replies = keep

    def summary(self) -> dict[str, int]:
        """How many requests there were of each kind, and in total."""
        counts = Counter(entry.kind for entry in self.entries)
        kinds = (READ, SETTINGS, ASSIGNMENT, CREATE, MODIFY, DELETE)
        return {**{kind: counts[kind] for kind in kinds}, "total": len(self.entries)}


def _parsed(body: bytes | None) -> t.Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
