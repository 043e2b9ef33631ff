# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests control the lab here, over plain HTTP on loopback: read the log, set faults and switches, move the clock."""

from __future__ import annotations

import typing as t

import orjson
from aiohttp import web

from tests.lab.manager.agents import Agents
from tests.lab.manager.message import Call
from tests.lab.manager.server import Server


class Control:
    """Answers requests on the control port."""

    def __init__(self, server: Server, agents: Agents) -> None:
        self._server = server
        self._agents = agents
        # Everything that the manager held, by the name that a test has given it.
        self._kept: dict[str, bytes] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 200 with JSON, 400 with a message, or 404."""
        body = await request.read()
        try:
            answer = self._answer(request.method, request.path, request.query.get("summary"), body)
        except (ValueError, TypeError, KeyError) as error:
            return _json({"message": str(error)}, 400)
        return _json({"message": "not found"}, 404) if answer is None else _json(answer)

    def _answer(self, method: str, path: str, summary: str | None, body: bytes) -> dict[str, t.Any] | None:
        server = self._server
        given = orjson.loads(body) if body else {}
        match method, path:
            case "GET", "/requests":
                if summary:
                    return server.log.summary()
                return {"requests": [entry.shown() for entry in server.log.entries]}
            case "POST", "/requests":
                server.log.keep_replies(given["keep_replies"])
            case "DELETE", "/requests":
                server.log.entries.clear()
            case "POST", "/faults":
                server.faults.add(given["faults"])
            case "DELETE", "/faults":
                server.faults.clear()
            case (("GET" | "POST"), "/switches"):
                if given:
                    server.manager.change_switches(given)
                return dict(server.manager.switches)
            case (("GET" | "POST"), "/clock"):
                server.manager.clock.advance(float(given.get("advance", 0)))
                return {"now": server.manager.clock.now()}
            case "POST", "/searches":
                searches = [
                    Call("POST", path, tuple((name, value) for name, value in query))
                    for path, query in given["searches"]
                ]
                return {"replies": [orjson.Fragment(server.manager.process(call).body) for call in searches]}
            case "GET", "/agents":
                return {"agents": self._agents.shown()}
            case "GET", "/heartbeats":
                return {"heartbeats": self._agents.heartbeats.log, "alerts": self._agents.heartbeats.alerts}
            case "POST", "/fleet-agents":
                server.manager.sending.let_live(given["computer_ids"], given["beats"], given["messages"])
            case "POST", "/virtual-machines":
                self._agents.set_virtual_machine(given["computer_id"], given["state"])
            case "POST", "/kept":
                self._kept[given["name"]] = server.manager.kept()
            case "POST", "/reset":
                server.reset(self._kept[given["name"]] if given else None)
                self._agents.reset()
            case _:
                return None
        return {}


def _json(value: t.Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
