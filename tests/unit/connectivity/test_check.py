# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All endpoints at once: what comes together, and that it takes one bounded time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import types
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._agent.status import AgentStatus
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import check as check_file
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.check import Checked
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.endpoints import (
    Asked,
    Endpoint,
    Manager,
)
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.listening import Listening
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.sources import HostsLine, Sources
from tests.gates.environments import COLLECTIONS
from tests.unit.connectivity.servers import NAME, resolving, server_context, tls_server
from tests.unit.oldest_python import oldest_python
from tests.unit.probe.servers import serving

MODULE = "manager_connectivity_info"


@pytest.fixture(autouse=True)
def files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server is asked."""
    hosts = {NAME: [HostsLine(3, "127.0.0.1")]}
    monkeypatch.setattr(check_file, "read_sources", lambda names: Sources(["files"], [], [], 1, hosts))


def check(endpoints: t.Sequence[Endpoint], direction: str, timeout: float) -> Checked:
    """What comes of these endpoints alone."""
    return check_file.check(Asked(further=tuple(endpoints)), direction, timeout)


def own(port: int, required: bool = True, name: str = NAME) -> Endpoint:
    return Endpoint(name, port, "heartbeats", required)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_endpoints_that_work_and_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, {NAME: ["::1", "127.0.0.1"]})
    closed = free_port()
    with tls_server(server_context(NAME)) as server:
        checked = check([own(server.port), own(closed, required=False)], "agent_initiated", 10)
    assert checked.reachable is True
    works, refuses = checked.endpoints
    assert works["broken_step"] is works["cause"] is works["remedy"] is None
    assert (works["resolution"]["addresses"], works["resolution"]["source"]) == (["::1", "127.0.0.1"], "hosts_file")
    assert [(one["address"], one["connected"]) for one in works["tcp"]] == [("::1", False), ("127.0.0.1", True)]
    assert (works["tls"]["trusted"], works["tls"]["name_matches"]) == (False, True)
    assert (refuses["broken_step"], refuses["tls"]) == ("tcp", None)
    (problem,) = checked.problems
    assert problem == {
        "name": NAME,
        "port": closed,
        "check": "heartbeat",
        "required": False,
        "step": "tcp",
        "cause": refuses["cause"],
        "remedy": refuses["remedy"],
    }
    assert checked.resolver == {"services": ["files"], "servers": [], "search": []}
    json.dumps(checked._asdict())


@pytest.mark.parametrize(
    ("direction", "listens", "required"),
    [
        ("agent_initiated", False, []),
        ("bidirectional", False, [False]),
        ("manager_initiated", False, [True]),
        ("manager_initiated", True, []),
    ],
)
def test_who_must_listen(monkeypatch: pytest.MonkeyPatch, direction: str, listens: bool, required: list[bool]) -> None:
    monkeypatch.setattr(check_file, "read_listening", lambda port: Listening(port, listens, [], ["192.0.2.9"]))
    checked = check([], direction, 10)
    assert [problem["required"] for problem in checked.problems] == required
    assert checked.reachable is (True not in required)
    assert checked.listening["connected_from"] == ["192.0.2.9"]


@pytest.mark.slow
def test_everything_that_hangs_costs_one_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    original = socket.getaddrinfo

    def hang(host: str, *arguments: t.Any, **options: t.Any) -> t.Any:
        return stop.wait(60) if host.startswith("hanging") else original(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    # A full backlog: the second connection gets no answer.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, serving(lambda connection: stop.wait(60)) as mute:
        fill = [socket.socket() for _number in range(8)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        endpoints = [own(1, name=f"hanging{number}.example.com") for number in range(20)]
        endpoints += [own(deaf.getsockname()[1], name="127.0.0.1"), own(mute.port, name="127.0.0.1")]
        began = time.monotonic()
        checked = check(endpoints, "agent_initiated", 5)
        took = time.monotonic() - began
        stop.set()
        for one in fill:
            one.close()
    # A deadline is what it promises: not 22 times five seconds, one after the other.
    assert took < 60
    assert [one["broken_step"] for one in checked.endpoints] == ["resolution"] * 20 + ["tcp", "tls"]


def test_it_says_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = types.SimpleNamespace(monotonic=iter([100.0, 101.5]).__next__)
    monkeypatch.setattr(check_file, "time", clock)
    monkeypatch.setattr(check_file, "wait_until", lambda _future, _deadline: None)
    assert check([], "agent_initiated", 10).seconds == 1.5


def test_no_more_than_eight_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [f"127.0.0.{number}" for number in range(1, 20)]
    resolving(monkeypatch, {NAME: addresses})
    (found,) = check([own(free_port())], "agent_initiated", 5).endpoints
    assert [one["address"] for one in found["tcp"]] == addresses[:8]
    assert found["resolution"]["addresses"] == addresses


def module(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module itself."""
    name = f"ansible_collections.workload_security.agent.plugins.modules.{MODULE}"
    done = subprocess.run(
        [sys.executable, "-m", name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_module() -> None:
    with tls_server(server_context("127.0.0.1")) as server:
        result = module(
            {
                "manager": f"https://127.0.0.1:{free_port()}",
                "heartbeat_port": server.port,
                "direction": "agent_initiated",
            }
        )
    assert (result["changed"], result["reachable"]) == (False, True)
    assert [one["broken_step"] for one in result["endpoints"]] == [None, "tcp"]
    assert result["endpoints"][0]["tls"]["names"] == ["127.0.0.1"]
    assert (result["checks"], result["agent"]["healthy"]) == ({"heartbeat": True}, None)


def test_of_several_nodes_all_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has an entry of its own, beside the overall verdict."""
    resolving(monkeypatch, {NAME: ["127.0.0.1"], "node2.example.com": ["127.0.0.1"]})
    names = [NAME, "node2.example.com", "node3.example.com"]

    def nodes(*ports: int) -> Checked:
        managers = [Manager(name, None, name, (own(port, name=name),)) for name, port in zip(names, ports)]
        return check_file.check(Asked(tuple(managers)), "agent_initiated", 10)

    with tls_server(server_context(*names)) as server:
        both = nodes(server.port, server.port)
        closed = nodes(server.port, free_port())
        unknown = nodes(server.port, server.port, server.port)
    assert both.reachable is True
    assert both.managers == [{"manager": name, "region": None, "reachable": True, "problems": []} for name in names[:2]]
    for checked, step, last in ((closed, "tcp", 1), (unknown, "resolution", 2)):
        assert (checked.reachable, checked.checks) == (False, {"heartbeat": False})
        assert [one["reachable"] for one in checked.managers] == [True] * last + [False]
        assert checked.managers[last]["problems"] == checked.problems
        assert (checked.problems[0]["step"], checked.problems[0]["name"]) == (step, names[last])


def test_what_was_asked_for_beside_heartbeats_has_a_verdict_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, {NAME: ["127.0.0.1"], "files.example.com": ["127.0.0.1"], "crl.example.com": ["127.0.0.1"]})
    heard: list[bytes] = []
    with (
        tls_server(server_context(NAME)) as server,
        serving(lambda connection: heard.append(connection.recv(100))) as http,
    ):
        heartbeat = Manager(NAME, None, NAME, (own(server.port),))
        crl = Endpoint("crl.example.com", http.port, "lists", False, documented=False, check="revocation", tls=False)
        update = Endpoint("files.example.com", free_port(), "updates", False, check="updates")
        ipv6 = Endpoint("ipv6.example.com", 443, "updates", False, check="updates", optional=True)

        def look(*further: Endpoint, managers: t.Sequence[Manager] = (heartbeat,)) -> Checked:
            checks = ("heartbeat", "updates", "revocation") if managers else ("updates", "revocation")
            return check_file.check(Asked(tuple(managers), further, checks), "agent_initiated", 10)

        broken, without, alone = look(crl, update, ipv6), look(crl, ipv6), look(crl, managers=())
    # What updates need is not what a heartbeat needs.
    assert (broken.reachable, broken.checks) == (True, {"heartbeat": True, "updates": False, "revocation": True})
    assert [(one["name"], one["check"]) for one in broken.problems] == [
        ("files.example.com", "updates"),
        ("ipv6.example.com", "updates"),
    ]
    assert "the server" in broken.problems[0]["remedy"] and "manager" not in broken.problems[0]["remedy"]
    assert without.checks["updates"] is True, "a name for IPv6 alone counts for nobody"
    assert (alone.reachable, alone.checks) == (None, {"updates": True, "revocation": True})
    # Lists of revoked certificates come over plain HTTP: nothing is said there.
    (found,) = alone.endpoints
    assert (found["tls"], found["tcp"][0]["connected"], found["broken_step"]) == (None, True, None)
    assert set(heard) == {b""}


URL = "https://dsm.example.com:4120/"


@pytest.mark.parametrize(
    ("url", "manager", "is_asked"),
    [
        (URL, Manager("dsm", None, "dsm.example.com", ()), True),
        ("https://DSM.example.com.:4120/", Manager("dsm", None, "dsm.example.com", ()), True),
        ("https://[2001:DB8:0::1]:4120/", Manager("dsm", None, "2001:db8::1", ()), True),
        (URL, Manager("dsm", None, "other.example.com", ()), False),
        (URL, Manager(None, "jp-1", None, ()), False),
        ("https://agents-004.workload.jp-1.cloudone.trendmicro.com:443/", Manager(None, "jp-1", None, ()), True),
        ("https://agents-004.workload.us-1.cloudone.trendmicro.com:443/", Manager(None, "jp-1", None, ()), False),
        ("https://agents.deepsecurity.trendmicro.com:443/", Manager(None, "us-1", None, ()), True),
        ("https://de-1.cloudone.trendmicro.com:443/", Manager(None, "us-1", None, ()), None),
        ("ftp://dsm.example.com/", Manager("dsm", None, "dsm.example.com", ()), None),
    ],
)
def test_whether_the_agents_manager_is_the_one_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, url: str, manager: Manager, is_asked: bool | None
) -> None:
    status = AgentStatus("activated", url, "Said.", "green", 1000, 1300)
    monkeypatch.setattr(check_file, "read_status_of_host", lambda _system, _timeout: status)
    agent = check_file.check(Asked((manager,)), "agent_initiated", 10).agent
    assert (agent["manager_url"], agent["is_asked"]) == (url, is_asked)
    assert (agent["healthy"], agent["last_session_age"]) == (True, 300)


def test_an_agent_without_a_young_session(monkeypatch: pytest.MonkeyPatch) -> None:
    status = AgentStatus("activated", URL, "Said.", "green", 1000, 7083)
    monkeypatch.setattr(check_file, "read_status_of_host", lambda _system, _timeout: status)
    agent = check([], "agent_initiated", 10).agent
    assert agent["healthy"] is False and "not younger than two heartbeats" in agent["healthy_reason"]
    # The sessions that a manager begins may not be counted.
    agent = check([], "manager_initiated", 10).agent
    assert agent["healthy"] is None and "the manager initiates" in agent["healthy_reason"]
    monkeypatch.setattr(check_file, "read_status_of_host", lambda *_arguments: threading.Event().wait(60))
    agent = check([], "agent_initiated", 1).agent
    assert (agent["healthy"], agent["healthy_reason"]) == (None, "The agent does not answer in time.")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"region": "mars-1", "direction": "agent_initiated"}, "region"),
        ({"manager": "dsm", "direction": "agent_initiated", "timeout": 0}, "timeout"),
        ({"manager": ["dsm", "http://dsm2"], "direction": "agent_initiated"}, "manager"),
    ],
)
def test_the_module_refuses(arguments: dict[str, t.Any], option: str) -> None:
    result = module(arguments)
    assert result["failed"] is True
    assert (result["failure"]["code"], result["failure"]["option"]) == ("bad_option", option)


def test_it_runs_on_an_old_python_with_nothing_installed() -> None:
    """Everything below the module, with the standard library alone."""
    program = (
        "import sys, types\n"
        "for name in ('', '.workload_security', '.workload_security.agent', '.workload_security.agent.plugins',\n"
        "             '.workload_security.agent.plugins.module_utils'):\n"
        "    package = types.ModuleType('ansible_collections' + name)\n"
        "    package.__path__ = [sys.argv[1] + ('/ansible_collections' + name).replace('.', '/')]\n"
        "    sys.modules[package.__name__] = package\n"
        "from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import check, options\n"
        "params = dict(region=None, manager=['127.0.0.1'], heartbeat_port=int(sys.argv[2]), heartbeat_interval=10,\n"
        "              relays=[], direction='agent_initiated', checks=['heartbeat'], timeout=5.0)\n"
        "import json\n"
        "print(json.dumps(check.check(options.read_options(params), 'agent_initiated', 5)._asdict()))\n"
    )
    with tls_server(server_context("127.0.0.1")) as server:
        done = subprocess.run(
            [oldest_python(), "-I", "-S", "-c", program, str(COLLECTIONS), str(server.port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert json.loads(done.stdout)["endpoints"][0]["tls"]["version"] == "TLSv1.2"
