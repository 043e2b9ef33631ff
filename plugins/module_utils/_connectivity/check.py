# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks all endpoints of a host at once, within one time limit."""

from __future__ import annotations

import concurrent.futures
import platform
import socket
import ssl
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._agent.status import UNKNOWN, AgentStatus, read_status_of_host
from .._basis.errors import OptionError
from .._basis.text import shown
from .._vendor.communication import AGENT_INITIATED, AGENT_PORT, MANAGER_INITIATED
from .._vendor.manager_address import read_manager_address
from .background import in_background, wait_until
from .diagnosis import Attempt, Problem, diagnose, diagnose_listening
from .endpoints import HEARTBEAT, Asked, Endpoint
from .listening import read_listening
from .options import host_of, region_of
from .resolution import Lookup
from .sources import read_sources
from .tls import Handshake, client_context, shake_hands

# Parts of the whole time: when names must be resolved and connections made; the most that one step may take.
_RESOLVED, _CONNECTED = 0.6, 0.8
_STEP = 0.3

# The most addresses of a name that are tried. A client gives up before it tries more.
_MOST_ADDRESSES = 8


# The most words of the resolver's files that are shown. Real files have a handful.
_MOST_WORDS = 20


class Checked(NamedTuple):
    """The results for all endpoints, for each manager and check, for the agent's own port, and for the agent itself."""

    endpoints: List[Dict[str, Any]]
    managers: List[Dict[str, Any]]
    checks: Dict[str, bool]
    agent: Dict[str, Any]
    listening: Dict[str, Any]
    resolver: Dict[str, Any]
    problems: List[Dict[str, Any]]
    reachable: Optional[bool]
    seconds: float


def check(asked: Asked, direction: str, timeout: float) -> Checked:
    """Try all endpoints, find out who listens on the agents' port, and ask the agent about its last session.

    Takes at most C(timeout) seconds, plus a moment.
    """
    began = time.monotonic()
    agent = in_background(read_status_of_host, platform.system(), timeout)
    endpoints = asked.endpoints
    sources = read_sources({endpoint.name for endpoint in endpoints})
    context = client_context()
    lookups = {
        name: Lookup(name, sources, _RESOLVED * timeout, _STEP * timeout)
        for name in dict.fromkeys(endpoint.name for endpoint in endpoints)
    }
    ways = [in_background(_go, endpoint, lookups[endpoint.name], context, began, timeout) for endpoint in endpoints]
    listening = read_listening(AGENT_PORT)
    results = []
    found: Dict[Endpoint, Dict[str, Any]] = {}
    for endpoint, way in zip(endpoints, ways):
        attempts, handshake = wait_until(way, began + timeout + 1) or ([], None)
        resolution = lookups[endpoint.name].result()
        problem = diagnose(endpoint, sources, resolution, attempts, handshake)
        results.append(
            dict(
                name=endpoint.name,
                port=endpoint.port,
                check=endpoint.check,
                purpose=endpoint.purpose,
                required=endpoint.required,
                documented=endpoint.documented,
                resolution=resolution.as_dict(),
                tcp=[attempt.as_dict() for attempt in attempts],
                tls=handshake.as_dict(endpoint.name) if handshake else None,
                broken_step=problem.step if problem else None,
                cause=problem.cause if problem else None,
                remedy=problem.remedy if problem else None,
            )
        )
        if problem:
            found[endpoint] = _shown(endpoint.name, endpoint.port, endpoint.check, endpoint.required, problem)
    problems = list(found.values())
    problem = diagnose_listening(listening) if direction != AGENT_INITIATED and HEARTBEAT in asked.checks else None
    if problem:
        # An agent with bidirectional communication sends heartbeats anyway, and gets changes with them.
        problems.append(_shown(None, listening.port, HEARTBEAT, direction == MANAGER_INITIATED, problem))
    reachable = _works(problems) if HEARTBEAT in asked.checks else None
    status = wait_until(agent, began + timeout + 1) or AgentStatus(UNKNOWN, None, "The agent does not answer in time.")
    return Checked(
        results,
        [
            dict(
                manager=manager.given,
                region=manager.region,
                reachable=_works(_of(manager.endpoints, found)) if HEARTBEAT in asked.checks else None,
                problems=_of(manager.endpoints, found),
            )
            for manager in asked.managers
        ],
        {
            name: bool(reachable)
            if name == HEARTBEAT
            else not [one for one in found if one.check == name and not one.optional]
            for name in asked.checks
        },
        dict(
            activation=status.activation,
            activation_reason=status.reason,
            manager_url=status.manager_url,
            is_asked=_is_asked(status.manager_url, asked),
            **status.as_dict(asked.interval, direction != MANAGER_INITIATED),
        ),
        listening.as_dict(),
        dict(
            services=[shown(service) for service in sources.services[:_MOST_WORDS]],
            servers=sources.servers,
            search=[shown(domain) for domain in sources.search[:_MOST_WORDS]],
        ),
        problems,
        reachable,
        round(time.monotonic() - began, 3),
    )


def _works(problems: Sequence[Dict[str, Any]]) -> bool:
    return not any(problem["required"] for problem in problems)


def _of(endpoints: Sequence[Endpoint], problems: Dict[Endpoint, Dict[str, Any]]) -> List[Dict[str, Any]]:
    return [problems[endpoint] for endpoint in endpoints if endpoint in problems]


def _is_asked(manager_url: Optional[str], asked: Asked) -> Optional[bool]:
    """Whether the agent's manager has the name or region of one of the given managers; C(None) if unknown."""
    if manager_url is None:
        return None
    try:
        where = read_manager_address(manager_url, "manager")
        if where.is_cloud:
            return region_of(where, manager_url) in [manager.region for manager in asked.managers]
        return host_of(where.host, "manager") in [manager.host for manager in asked.managers]
    except OptionError:
        return None


def _shown(name: Optional[str], port: int, purpose: str, required: bool, problem: Problem) -> Dict[str, Any]:
    return dict(name=name, port=port, check=purpose, required=required, **problem._asdict())


def _go(
    endpoint: Endpoint, lookup: Lookup, context: ssl.SSLContext, began: float, timeout: float
) -> Tuple[List[Attempt], Optional[Handshake]]:
    """Connect to all addresses of an endpoint, and shake hands with the first one that accepts the connection."""
    addresses = lookup.addresses()[:_MOST_ADDRESSES]
    deadline = min(time.monotonic() + _STEP * timeout, began + _CONNECTED * timeout)
    tries = [in_background(_connect, address, endpoint.port, deadline) for address in addresses]
    handshake = None
    try:
        for done in concurrent.futures.as_completed(tries, max(0.0, deadline - time.monotonic()) + 0.5):
            connection = done.result()[1]
            if connection and not endpoint.tls:
                connection.close()
                break
            if connection:
                end = min(time.monotonic() + _STEP * timeout, began + timeout)
                handshake = shake_hands(connection, endpoint.name, context, end)
                break
    except concurrent.futures.TimeoutError:
        pass
    attempts = []
    for each in tries:
        attempt, connection = wait_until(each, deadline + 0.5) or (None, None)
        if connection:
            connection.close()
        if attempt:
            attempts.append(attempt)
    return attempts, handshake


def _connect(address: str, port: int, deadline: float) -> Tuple[Attempt, Optional[socket.socket]]:
    began = time.monotonic()
    seconds = max(0.001, deadline - began)
    connection, problem, number = None, None, None
    try:
        connection = socket.create_connection((address, port), timeout=seconds)
    except socket.timeout:
        problem = f"no answer within {seconds:.2g} seconds"
    except OSError as error:
        problem, number = error.strerror or str(error), error.errno
    return Attempt(address, problem, number, time.monotonic() - began), connection
