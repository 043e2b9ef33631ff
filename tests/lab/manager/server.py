# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager on the network: HTTPS, and the faults that happen there."""

from __future__ import annotations

import asyncio
import functools
import http
import typing as t
from email.utils import formatdate

import orjson
from aiohttp import web

from tests.lab.manager.faults import Faults, mutated, read_instead, without_fields
from tests.lab.manager.log import DELETE, Entry, Log, kind_of
from tests.lab.manager.manager import COLLEAGUE, Manager
from tests.lab.manager.message import VERSION, ApiError, Call, Reply

BASE_PATH = "/api"

# The same for all replies of a second.
_http_date = functools.lru_cache(maxsize=1)(functools.partial(formatdate, usegmt=True))


class Server:
    """Answers requests for a C(Manager), keeps the log, and misbehaves as faults say."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.faults = Faults()
        self.log = Log()

    def reset(self, kept: bytes | None = None) -> None:
        """Start again with the same fleet, or with what the manager C(kept); no faults, and an empty log."""
        self.manager.reset(kept)
        self.faults.clear()
        self.log.entries.clear()
        self.log.keeps_replies = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        call = Call(
            request.method,
            path.removeprefix(BASE_PATH) if path.startswith(f"{BASE_PATH}/") else f"/..{path}",
            tuple(request.query.items()) if request.query_string else (),
            request.headers,
            await request.read() if request.can_read_body else b"",
        )
        manager = self.manager
        entry = self.log.begin(call, manager.keys.name_of(call.headers, manager.deployment))
        action = self.faults.meet(call)
        if action is None:
            response: web.StreamResponse = self._response(self._processed(call, entry))
        else:
            entry.fault = action["kind"]
            response = await self._misbehave(request, call, entry, action)
        if self.log.keeps_replies and isinstance(response, web.Response):
            entry.reply = t.cast("bytes | None", response.body)
        return response

    def _processed(self, call: Call, entry: Entry) -> Reply:
        reply = self.manager.answer(call)
        entry.status = reply.status
        return reply

    async def _misbehave(
        self, request: web.BaseRequest, call: Call, entry: Entry, action: dict[str, t.Any]
    ) -> web.StreamResponse:
        match action["kind"]:
            case "status":
                return self._response(self._other(entry, Reply(), action))
            case "body":
                return self._response(self._other(entry, self._processed(call, entry), action))
            case "cut":
                return self._cut(request, call, entry, action["when"])
            case "delay":
                reply = self._processed(call, entry)
                await asyncio.sleep(action["seconds"])
                return self._response(reply)
            case "stall":
                fleet = self.manager.state
                await asyncio.sleep(action["seconds"])
                if self.manager.state is not fleet:
                    # A leftover request of one test must not reach the fleet of the next.
                    return self._cut(request, call, entry, "before")
                return self._response(self._processed(call, entry))
            case "drop_fields":
                return self._response(without_fields(self._processed(call, entry), action["fields"]))
            case "mutate":
                return self._response(mutated(self._processed(call, entry), action["pointer"], action["to"]))
            case "ignore_write":
                return self._response(self._forgotten(call, entry))
        return self._response(self._with_a_second_writer(call, entry, action))

    @staticmethod
    def _other(entry: Entry, reply: Reply, action: dict[str, t.Any]) -> Reply:
        entry.status = action.get("status", reply.status)
        return Reply(entry.status, action.get("body", "").encode(), dict(action.get("headers", {})))

    def _cut(self, request: web.BaseRequest, call: Call, entry: Entry, when: str) -> web.StreamResponse:
        transport = request.transport
        if when != "before":
            reply = self._processed(call, entry)
            if when == "after_reply" and transport:
                transport.write(self._raw(reply))
            elif when == "during" and transport:
                # Leave out half of the body. If there is no body, send only a part of the first line.
                sent = self._raw(reply)
                transport.write(sent[: len(sent) - (len(reply.body) + 1) // 2] if reply.body else b"HTTP/1.1")
        if when != "after_reply":
            entry.status = None
        if transport:
            transport.close()
        return web.Response()

    def _forgotten(self, call: Call, entry: Entry) -> Reply:
        """A positive reply to a write that is not stored."""
        if kind_of(call.method, call.path) == DELETE:
            reply = Reply(self.manager.switches["delete_status"])
        elif read := read_instead(call):
            reply = self.manager.answer(read)
        else:
            reply = Reply.of({**call.json(), "ID": 1_000_000})
        entry.status = reply.status
        return reply

    def _with_a_second_writer(self, call: Call, entry: Entry, action: dict[str, t.Any]) -> Reply:
        if action["when"] == "before":
            self._colleague(action["request"])
            return self._processed(call, entry)
        reply = self._processed(call, entry)
        self._colleague(action["request"])
        return reply

    def _colleague(self, request: dict[str, t.Any]) -> None:
        body = orjson.dumps(request["body"]) if request.get("body") is not None else b""
        call = Call(request["method"], request["path"], body=body)
        entry = self.log.begin(call, COLLEAGUE)
        try:
            entry.status = self.manager.process(call).status
        except ApiError as error:
            entry.status = error.status

    def _headers(self, reply: Reply) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Date": _http_date(self.manager.told_time()),
            "X-DSM-Version": VERSION,
            **reply.headers,
        }

    def _response(self, reply: Reply) -> web.Response:
        return web.Response(status=reply.status, body=reply.body, headers=self._headers(reply))

    def _raw(self, reply: Reply) -> bytes:
        """A reply as it is sent, for connections that are cut on purpose."""
        lines = [f"HTTP/1.1 {reply.status} {http.HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self._headers(reply).items()]
        if reply.status != http.HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(reply.body)}")
        return "\r\n".join([*lines, "Connection: keep-alive", "", ""]).encode() + reply.body
