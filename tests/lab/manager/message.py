# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages in both directions: calls, replies, errors in the manager's words, and checks of written values."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import orjson

VERSION = "Deep Security/20.0.1017"


@dataclass(frozen=True, slots=True)
class Call:
    """A request: C(path) without the leading C(/api), C(query) in the order in which it was sent, C(body) unchanged."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> dict[str, t.Any]:
        """The body as an object, empty if there is no body; raises C(ApiError)."""
        if not self.body:
            return {}
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ApiError(400, "The request body is not valid JSON") from None
        if not isinstance(value, dict):
            raise ApiError(400, "The request body must be a JSON object")
        return value

    def flag(self, name: str) -> bool:
        """A boolean of the query, false if it is absent; raises C(ApiError)."""
        values = [value.lower() for key, value in self.query if key == name]
        if not values:
            return False
        if values[-1] not in ("true", "false"):
            raise ApiError(400, f"Invalid value for query parameter {name}: {values[-1]}")
        return values[-1] == "true"

    def values(self, name: str) -> list[str]:
        """All values of a query parameter, whether it is repeated or contains commas."""
        return [part for key, value in self.query if key == name for part in value.split(",") if part]


@dataclass(slots=True)
class Reply:
    """A reply with an encoded body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # Whether the order of its list is documented.
    ordered: bool = False

    @classmethod
    def of(cls, value: t.Any, status: int = 200) -> Reply:
        """A reply with a JSON value."""
        return cls(status, orjson.dumps(value))


class ApiError(Exception):
    """A call that the manager refuses, with the status and the message."""

    def __init__(self, status: int, message: str, *, body: dict[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body or {"message": message}

    def reply(self) -> Reply:
        """The refusal as a reply."""
        return Reply.of(self.body, self.status)


def not_found(noun: str) -> ApiError:
    """The manager's 404. In the vendor's documents, all of these messages end in a full stop, except a policy's."""
    return ApiError(404, f"The {noun} does not exist" + ("" if noun == "policy" else "."))


def text(written: dict[str, t.Any], key: str, default: str) -> str:
    """A string from a write; raises C(ApiError)."""
    value = written.get(key, default)
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid value for {key}: must be a string")
    return value


def integer(written: dict[str, t.Any], key: str, default: int) -> int:
    """An ID or number from a write, at least 0; raises C(ApiError)."""
    value = written.get(key, default)
    if value.__class__ is not int or value < 0:
        raise ApiError(400, f"Invalid value for {key}: must be an integer")
    return value


def choice(written: dict[str, t.Any], key: str, default: str, choices: t.Collection[str]) -> str:
    """A string from a write, which must be one of C(choices); raises C(ApiError)."""
    value = text(written, key, default)
    if value not in choices:
        raise ApiError(400, f"Invalid value for {key}: {value}. Must be one of {', '.join(choices)}")
    return value
