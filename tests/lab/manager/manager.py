# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One manager: who may call it, how often, and which part answers."""

from __future__ import annotations

import pickle
import random
import re
import secrets
import time
import typing as t
import uuid
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate

import orjson

from tests.lab.manager import settings, system_settings
from tests.lab.manager.fleet import make_fleet
from tests.lab.manager.lists import IpLists, MacLists, PortLists
from tests.lab.manager.log import CREATE, DELETE, READ, kind_of
from tests.lab.manager.message import ApiError, Call, Reply
from tests.lab.manager.render import Renderer
from tests.lab.manager.resources import ComputerGroups, Resource
from tests.lab.manager.rules import FirewallRules
from tests.lab.manager.scheduled_tasks import ScheduledTasks
from tests.lab.manager.scripts import answer_script
from tests.lab.manager.sending import Sending
from tests.lab.manager.switches import Switches
from tests.lab.manager.targets import Computers, Policies

RATE_WINDOW = 60.0
# The ports that agents connect to.
HEARTBEAT_PORTS = {settings.ON_PREMISES: 4120, settings.CLOUD: 443}

ADMIN = "admin"
COLLEAGUE = "colleague"
READ_ONLY = "read_only"
UNKNOWN = "unknown"
# Objects that many policies and computers refer to.
_SHARED = re.compile(r"/(policies/default|firewallrules/|iplists/|maclists/|portlists/)")
_ROLE_IDS = {ADMIN: 1, COLLEAGUE: 1, READ_ONLY: 2}

_RESOURCES: dict[str, type[Resource]] = {
    "policies": Policies,
    "computers": Computers,
    "computergroups": ComputerGroups,
    "firewallrules": FirewallRules,
    "iplists": IpLists,
    "maclists": MacLists,
    "portlists": PortLists,
}


class Clock:
    """A clock that runs C(factor) times as fast as real time, and that can be moved forward."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._ahead = 0.0
        self._started = time.time() - self.now()

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic() * self._factor + self._ahead

    def milliseconds(self, now: float | None = None) -> int:
        """Milliseconds since 1970, now or at a given moment of this clock, which starts at the real time."""
        return round((self._started + (self.now() if now is None else now)) * 1000)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += seconds


@dataclass(frozen=True)
class Keys:
    """API keys, which are random for each start: C(<id>:<secret>)."""

    secrets: dict[str, str] = field(
        default_factory=lambda: {
            name: f"{number}:{secrets.token_urlsafe(32)}"
            for number, name in enumerate((ADMIN, COLLEAGUE, READ_ONLY), start=1)
        },
        repr=False,
    )

    def name_of(self, headers: t.Mapping[str, str], deployment: str) -> str:
        """The owner of a request's key, in the form that this deployment accepts; C(unknown) for any other key."""
        if deployment == settings.CLOUD:
            scheme, _space, secret = headers.get("Authorization", "").partition(" ")
            secret = secret if scheme == "ApiKey" else ""
        else:
            secret = headers.get("api-secret-key", "")
        return next((name for name, known in self.secrets.items() if known == secret), UNKNOWN)


class RateLimit:
    """Calls of the last minute, by user. Refused calls do not count."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}

    def allows(self, user: str) -> bool:
        """Whether one more call is within the limit. If it is, it is counted."""
        if not self._per_minute:
            return True
        now = self._clock.now()
        calls = self._calls.setdefault(user, deque())
        while calls and calls[0] <= now - RATE_WINDOW:
            calls.popleft()
        if len(calls) >= self._per_minute:
            return False
        calls.append(now)
        return True


class Manager:
    """A manager with its fleet."""

    def __init__(
        self,
        deployment: str,
        requests_per_minute: int,
        fleet: dict[str, int],
        *,
        host_name: str = "localhost",
        time_factor: float = 1.0,
    ) -> None:
        self.deployment = deployment
        # The address for agents. In some tests, the port is any free one.
        self.host_name = host_name
        self.heartbeat_port = HEARTBEAT_PORTS[deployment]
        self.clock = Clock(time_factor)
        self.keys = Keys()
        # What agents must send to be accepted for this tenant. On premises, there is only one tenant.
        self.tenant: dict[str, str] = {}
        if deployment == settings.CLOUD:
            self.tenant = {"tenantID": str(uuid.uuid4()).upper(), "token": str(uuid.uuid4()).upper()}
        self.switches = Switches()
        self._requests_per_minute = requests_per_minute
        self._fleet = fleet
        self.reset()

    def kept(self) -> bytes:
        """Everything that it holds now, for C(reset)."""
        return pickle.dumps(self.state)

    def reset(self, kept: bytes | None = None) -> None:
        """Start again with the same fleet, or with what was C(kept); the likeliest answers, no counted calls.

        The keys stay.
        """
        self.switches.clear()
        self.state = make_fleet(self.deployment, **self._fleet) if kept is None else pickle.loads(kept)
        self.renderer = Renderer(self.state, self.switches)
        self._resources: dict[str, Resource] = {
            name: resource(self.state, self.switches, self.renderer) for name, resource in _RESOURCES.items()
        }
        self.sending = Sending(self.state, self.clock, self.switches)
        self._resources["scheduledtasks"] = ScheduledTasks(
            self.state, self.switches, self.renderer, sending=self.sending
        )
        self._rate_limit = RateLimit(self._requests_per_minute, self.clock)

    def change_switches(self, names: dict[str, t.Any]) -> None:
        """Choose other answers; raises C(ValueError)."""
        self.switches.change(names)
        self.state.policies_changed()
        for computer in self.state.computers:
            computer.basic = None

    def answer(self, call: Call) -> Reply:
        """Answer a call, or refuse it in the manager's words."""
        try:
            self._admit(call)
            return self.process(call)
        except ApiError as error:
            reply = error.reply()
            if error.status == 429 and self.switches["retry_after"]:
                reply.headers |= self._retry_after(self.switches["retry_after"])
            return reply

    def told_time(self) -> int:
        """The date of replies, in seconds since 1970: that of the clock, plus the error that a switch sets."""
        return self.clock.milliseconds() // 1000 + self.switches["clock_skew"]

    def _retry_after(self, seconds: int) -> dict[str, str]:
        if self.switches["retry_after_form"] == "seconds":
            return {"Retry-After": str(seconds)}
        # Both are based on the same moment, because clients compare them.
        now = self.told_time()
        return {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + seconds, usegmt=True)}

    def process(self, call: Call) -> Reply:
        """Carry out a call without checking who makes it; raises C(ApiError)."""
        self.sending.settle()
        reply = self._route(call)
        if kind_of(call.method, call.path) != READ and _SHARED.match(call.path):
            self.sending.touched(None)
        if reply.body and (self.switches["unknown_fields"] or self.switches["shuffled"]):
            reply.body = orjson.dumps(self._disguised(orjson.loads(reply.body), reply.ordered))
        return reply

    def _admit(self, call: Call) -> None:
        user = self.keys.name_of(call.headers, self.deployment)
        if user == UNKNOWN:
            raise ApiError(401, "Invalid API Key")
        if not self._rate_limit.allows(user):
            raise ApiError(429, "Too many API requests")
        version = call.headers.get("api-version")
        if version is None:
            raise ApiError(
                400,
                "Missing 'api-version' request header. "
                "Please set this header with the a value of a supported API version",
            )
        if version != "v1":
            raise ApiError(
                400,
                "Invalid 'api-version' request header. "
                "Please make sure this header starts with 'v' followed by a number. E.g. v1",
            )
        kind = kind_of(call.method, call.path)
        if (
            user == READ_ONLY
            and call.path == "/agentdeploymentscripts"
            and not self.switches["scripts_for_read_only_keys"]
        ):
            raise ApiError(403, "Not authorized to create agent deployment scripts")
        if user == READ_ONLY and kind != READ:
            action = kind if kind in (CREATE, DELETE) else "modify"
            raise ApiError(403, f"Not authorized to {action} {self._plural(call.path)}")

    def _plural(self, path: str) -> str:
        name = path.split("/")[1]
        return self._resources[name].plural if name in self._resources else "system settings"

    def _route(self, call: Call) -> Reply:
        match call.path.split("/")[1:]:
            case ["policies", "default", *rest]:
                return self._default_settings(call, rest)
            case ["systemsettings", *rest]:
                return self._system_settings(call, rest)
            case ["agentdeploymentscripts"] if call.method == "POST":
                return Reply.of(answer_script(call, self))
            case ["apikeys", "current"] if call.method == "GET":
                return self._current_key(call)
            case [name, *rest] if name in self._resources:
                return self._resources[name].answer(call, rest)
        raise ApiError(404, "HTTP 404 Not Found")

    def _current_key(self, call: Call) -> Reply:
        user = self.keys.name_of(call.headers, self.deployment)
        return Reply.of(
            {
                "keyName": user,
                "description": "",
                "locale": "en-US",
                "roleID": _ROLE_IDS[user],
                "timeZone": "UTC",
                "active": True,
                "created": 1_735_689_600_000,
                "unsuccessfulSignInAttempts": 0,
                "serviceAccount": False,
                "ID": int(self.keys.secrets[user].split(":")[0]),
            }
        )

    def _default_settings(self, call: Call, path: list[str]) -> Reply:
        values = self.state.default_settings
        shipped = settings.defaults(self.deployment)
        match path:
            case [] if call.method in ("GET", "POST"):
                written = call.json() if call.method == "POST" else {}
            case ["settings", name]:
                written = _single(call, name, settings.DEFAULT_SETTINGS)
            case _:
                raise ApiError(404, "HTTP 404 Not Found")
        checked = settings.check_all(written, settings.DEFAULT_SETTINGS, self.switches, self.deployment)
        # Nothing is above the default policy, so removing a value restores the one that the manager was shipped with.
        values.update({name: value or shipped[name] for name, value in checked.items()})
        if checked:
            self.state.policies_changed()
        return Reply.of(_shown(self.renderer.wire(values), path))

    def _system_settings(self, call: Call, path: list[str]) -> Reply:
        match path:
            case [] if call.method in ("GET", "POST"):
                written = call.json() if call.method == "POST" else {}
            case [name]:
                written = _single(call, name, settings.SYSTEM_SETTINGS)
            case _:
                raise ApiError(404, "HTTP 404 Not Found")
        system_settings.write(written, self.state, self.switches)
        return Reply.of(_shown(system_settings.shown(self.state, self.switches), path))

    def _disguised(self, value: t.Any, ordered: bool, key: str = "") -> t.Any:
        """A reply with unknown fields and with keys and lists in another order. Clients must not depend on these."""
        if isinstance(value, dict):
            items = [(name, self._disguised(item, ordered, name)) for name, item in value.items()]
            if self.switches["unknown_fields"]:
                items.append(("laterAddition", {"value": "unknown"}))
            if self.switches["shuffled"]:
                random.Random(len(items)).shuffle(items)
            return dict(items)
        if isinstance(value, list):
            found = [self._disguised(item, ordered) for item in value]
            of_objects = any(isinstance(item, dict) for item in found)
            # A separate switch changes the order of the items of an IP, MAC or port list.
            if self.switches["shuffled"] and key != "items" and not (ordered and of_objects):
                random.Random(len(found)).shuffle(found)
            return found
        return value


def _single(call: Call, name: str, known: t.Mapping[str, settings.Setting]) -> dict[str, t.Any]:
    """The value that a call to one setting writes, nothing for a read; raises C(ApiError)."""
    if name not in known:
        raise ApiError(400, f"Unknown setting: {name}")
    if call.method == "POST":
        return {name: call.json()}
    if call.method == "DELETE":
        return {name: {"value": ""}}
    if call.method != "GET":
        raise ApiError(405, "HTTP 405 Method Not Allowed")
    return {}


def _shown(values: dict[str, t.Any], path: list[str]) -> t.Any:
    return values[path[-1]] if path else values
