# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that refuse, are silent, are not there, or are hostile: each gets its state, in bounded time, all at once."""

from __future__ import annotations

import contextlib
import itertools
import math
import socket
import struct
import threading
import time

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._probe import probe as probe_module
from ansible_collections.workload_security.agent.plugins.module_utils._probe import way
from ansible_collections.workload_security.agent.plugins.module_utils._probe.handshake import LONGEST_REPLY
from ansible_collections.workload_security.agent.plugins.module_utils._probe.offered import OFFERED
from ansible_collections.workload_security.agent.plugins.module_utils._probe.options import ARGUMENTS
from ansible_collections.workload_security.agent.plugins.module_utils._probe.probe import Inquiry, Listener, probe_all
from tests.unit.probe.servers import ALL_VERSIONS, Certificate, drain, old_server, probe, serving

ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
EVERYTHING = Inquiry(ALL_VERSIONS, tuple(OFFERED), timeout=5, target_timeout=20)


def read_hello(connection: socket.socket) -> tuple[int, list[int]]:
    """The version and the suites of an offer before TLS 1.3, from the wire."""
    header = connection.recv(5, socket.MSG_WAITALL)
    body = connection.recv(struct.unpack("!H", header[3:])[0], socket.MSG_WAITALL)
    session = body[38]
    (size,) = struct.unpack_from("!H", body, 39 + session)
    return struct.unpack_from("!H", body, 4)[0], list(struct.unpack_from(f"!{size // 2}H", body, 41 + session))


def hello_with(version: int, suite: int) -> bytes:
    body = struct.pack("!H", version) + bytes(32) + b"\0" + struct.pack("!HB", suite, 0)
    message = b"\2" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + struct.pack("!H", len(message)) + message


def states(result: dict) -> dict[str, str]:
    return {label.removeprefix("TLSv"): asked["state"] for label, asked in result["versions"].items()}


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    drain(connection)


REFUSALS = {
    "alert": (lambda connection: (read_hello(connection), connection.sendall(ALERT)), "handshake_failure"),
    "close": (read_hello, "without an answer"),
    "close at once": (lambda connection: None, "connection"),
    "reset": (reset, "breaks the connection"),
    "half-close": (half_close, "without an answer"),
    "close in the midst": (
        lambda connection: (read_hello(connection), connection.sendall(hello_with(0x0303, 0x002F)[:30])),
        "in the middle of an answer",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str) -> None:
    handle, word = REFUSALS[name]
    with serving(handle) as server:
        (result,) = probe(server.port, agent_version="20.0.0.8438")
    assert (result["state"], result["complete"]) == ("refused", True)
    assert set(states(result).values()) == {"refused"}
    assert word in result["detail"]
    # An alert is a clear word; anything else is asked for twice.
    assert server.accepted == (4 if name == "alert" else 8)
    assert result["documented"]["missing_versions"] == ["TLSv1.2"]
    assert len(result["documented"]["missing"]) == 4


def test_an_accident_is_not_taken_for_the_end(certificate: Certificate) -> None:
    count = itertools.count()

    def stumbling(connection: socket.socket) -> None:
        version, suites = read_hello(connection)
        if next(count) % 2:
            liked = [suite for suite in (0x002F, 0x0035) if suite in suites and version == 0x0303]
            connection.sendall(hello_with(version, liked[0]) if liked else ALERT)

    with serving(stumbling) as server:
        (result,) = probe(server.port, versions=("1.2",))
    assert result["suites"] == ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"]
    assert result["complete"]


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (result,) = probe(port, agent_version="20.0.0.8438")
    assert (result["state"], result["complete"], result["suites"]) == ("unreachable", False, [])
    assert states(result) == {"1.0": "not_asked", "1.1": "not_asked", "1.2": "unreachable", "1.3": "not_asked"}
    assert result["detail"] == f"cannot connect to 127.0.0.1 port {port}: Connection refused"
    # Nothing is missing in what was not heard.
    compared = result["documented"]
    assert (compared["agrees"], compared["missing"], compared["missing_versions"]) == (None, [], [])


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example"])
def test_a_name_without_an_address(host: str) -> None:
    (result,) = probe_all([Listener(host)], EVERYTHING)
    assert result["state"] == "unreachable"
    assert result["detail"].startswith(f"{host} has no address")


def test_a_name_whose_first_address_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: (read_hello(connection), connection.sendall(ALERT))) as server:
        listed = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", server.port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        asked, connected = [], []

        class Noting(socket.socket):
            def connect(self, address: tuple[str, int]) -> None:
                connected.append(address[0])
                super().connect(address)

        monkeypatch.setattr(way.socket, "getaddrinfo", lambda *words, **more: asked.append(words) or listed)
        monkeypatch.setattr(way.socket, "socket", Noting)
        (result,) = probe_all([Listener("agent.example.com", server.port)], EVERYTHING)
    assert result["state"] == "refused"
    assert len(asked) == 1
    assert connected == ["127.0.0.2"] + ["127.0.0.1"] * 4


def test_a_name_whose_first_address_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    class FirstDropped(socket.socket):
        def connect(self, address: tuple[str, int]) -> None:
            if address[0] == "127.0.0.2":
                waited.append(self.gettimeout())
                raise socket.timeout("timed out")
            super().connect(address)

    with serving(lambda connection: (read_hello(connection), connection.sendall(ALERT))) as server:
        listed = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", server.port)) for last in (2, 1)]
        monkeypatch.setattr(way.socket, "getaddrinfo", lambda *words, **more: listed)
        monkeypatch.setattr(way.socket, "socket", FirstDropped)
        (result,) = probe_all([Listener("agent.example.com", server.port)], EVERYTHING)
    assert (result["state"], result["complete"]) == ("refused", True)
    (seconds,) = waited
    assert seconds <= EVERYTHING.timeout / 2, "the other address gets its share of the time"
    assert server.accepted == 4


def test_a_network_without_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unrouted(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(113, "No route to host")

    monkeypatch.setattr(way.socket, "socket", Unrouted)
    (result,) = probe(4118)
    assert (result["state"], result["detail"]) == (
        "unreachable",
        "cannot connect to 127.0.0.1 port 4118: No route to host",
    )


def test_a_firewall_that_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropped(socket.socket):
        def connect(self, address: object) -> None:
            time.sleep(self.gettimeout())
            raise socket.timeout("timed out")

    monkeypatch.setattr(way.socket, "socket", Dropped)
    (result,) = probe(4118, timeout=0.1)
    assert (result["state"], result["detail"]) == ("no_answer", "no answer within 0.1 seconds, nor a connection")


def test_silence_is_met_once() -> None:
    with serving(drain) as server:
        (result,) = probe(server.port, timeout=1)
    assert (result["state"], result["complete"]) == ("no_answer", False)
    assert states(result) == {"1.0": "not_asked", "1.1": "not_asked", "1.2": "no_answer", "1.3": "not_asked"}
    assert result["detail"] == "no answer within 1 seconds"
    assert server.accepted == 1


@pytest.mark.slow
def test_silence_to_one_version_does_not_hide_the_others() -> None:
    def silent_to_old_ones(connection: socket.socket) -> None:
        version, suites = read_hello(connection)
        if version < 0x0303:
            drain(connection)
        connection.sendall(hello_with(0x0303, 0x002F) if 0x002F in suites else ALERT)

    with serving(silent_to_old_ones) as server:
        (result,) = probe(server.port, timeout=2, agent_version="20.0.0.8438")
    assert states(result) == {"1.0": "no_answer", "1.1": "no_answer", "1.2": "accepted", "1.3": "refused"}
    assert (result["state"], result["complete"]) == ("answered", False)
    assert result["suites"] == ["TLS_RSA_WITH_AES_128_CBC_SHA"]
    # What is there is there; what is not there may not have been heard.
    compared = result["documented"]
    assert (compared["additional"], compared["missing"], compared["agrees"]) == (result["suites"], [], False)


def drip(connection: socket.socket) -> None:
    read_hello(connection)
    for byte in itertools.cycle(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0" + bytes(10_000)):
        connection.sendall(bytes([byte]))
        time.sleep(0.01)


def test_a_server_that_drips_gets_no_more_time_than_a_silent_one() -> None:
    with serving(drip) as server:
        (result,) = probe(server.port, timeout=0.3)
    assert result["state"] == "no_answer"
    assert server.accepted == 1


def send_without_end(content: bytes):
    def handle(connection: socket.socket) -> None:
        read_hello(connection)
        while True:
            connection.sendall(content)

    return handle


NOT_TLS = {
    "banner": lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n") or drain(connection),
    "terminal codes": lambda connection: connection.sendall(b"\x1b[2J\x07\xff") or drain(connection),
    "zeros without end": send_without_end(bytes(4096)),
    "warnings without end": send_without_end(b"\x15\x03\x03\x00\x02\x01\x70" * 1000),
    "a hello without end": send_without_end(b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xff" + bytes(LONGEST_REPLY - 4)),
    "another suite": lambda connection: read_hello(connection) and connection.sendall(hello_with(0x0303, 0xFFFF)),
    "SSL 2": lambda connection: read_hello(connection) and connection.sendall(b"\x80\x03\x00\x00\x01"),
}


@pytest.mark.parametrize("name", NOT_TLS)
def test_what_is_not_tls(name: str) -> None:
    with serving(NOT_TLS[name]) as server:
        (result,) = probe(server.port, versions=("1.2", "1.3"))
    assert (result["state"], result["complete"], result["suites"]) == ("not_tls", False, [])
    assert result["detail"].isprintable() and len(result["detail"]) < 300


def test_a_server_that_accepts_everything_is_asked_for_each_suite_once() -> None:
    def accept(connection: socket.socket) -> None:
        version, suites = read_hello(connection)
        connection.sendall(hello_with(version, suites[0]))

    with serving(accept) as server:
        (result,) = probe(server.port, versions=("1.2",))
    assert len(result["suites"]) == 124
    # And once more, to see whose order it is.
    assert server.accepted == 125
    assert result["versions"]["TLSv1.2"]["order"] == "client"


def test_the_time_for_a_target_ends() -> None:
    def slowly(connection: socket.socket) -> None:
        version, suites = read_hello(connection)
        time.sleep(0.6)
        connection.sendall(hello_with(version, suites[0]))

    with serving(slowly) as server:
        (result,) = probe(server.port, timeout=5, target_timeout=2)
    assert (result["state"], result["complete"]) == ("answered", False)
    assert 1 <= len(result["suites"]) <= 3
    assert states(result) == {"1.0": "not_asked", "1.1": "not_asked", "1.2": "accepted", "1.3": "not_asked"}
    assert result["versions"]["TLSv1.0"]["detail"] == "2 seconds for this target have passed"
    assert server.accepted <= 4


def test_the_results_are_in_the_order_of_the_targets(certificate: Certificate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    with old_server(certificate, ["aes128"], ["sha"]) as slow, serving(lambda connection: None) as quick:
        ports = [slow.port, quick.port, closed, slow.port]
        results = probe(*ports)
    assert [result["port"] for result in results] == ports
    assert [result["state"] for result in results] == ["answered", "refused", "unreachable", "answered"]


def test_no_targets() -> None:
    assert probe_all([], EVERYTHING) == []


@pytest.mark.slow
def test_500_ports_take_a_minute_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    # By the defaults, whatever the servers do: that many targets at a time, each for that long.
    limits = {name: ARGUMENTS[name]["default"] for name in ("timeout", "target_timeout", "concurrency")}
    assert math.ceil(500 / limits["concurrency"]) * limits["target_timeout"] <= 60
    # And the limits hold: 400 silent ports, which are waited for, and 100 that answer, however long that takes here.
    silent = 400
    timeout = 1.0
    lock, running, most, asked = threading.Lock(), 0, 0, 0
    real = probe_module._Inquirer.result
    opened = way.Straight.open

    def counted(inquirer: object) -> dict:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return real(inquirer)
        finally:
            with lock:
                running -= 1

    def opening(self: object, host: str, port: int, deadline: way.Deadline) -> socket.socket:
        nonlocal asked
        with lock:
            asked += 1
        assert deadline.left() <= timeout
        return opened(self, host, port, deadline)

    monkeypatch.setattr(probe_module._Inquirer, "result", counted)
    monkeypatch.setattr(way.Straight, "open", opening)
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _number in range(silent)]
        ports = [listener.getsockname()[1] for listener in listeners]
        server = stack.enter_context(serving(lambda each: (read_hello(each), each.sendall(ALERT))))
        inquiry = EVERYTHING._replace(timeout=timeout, target_timeout=60, concurrency=limits["concurrency"])
        results = probe_all([Listener("127.0.0.1", port) for port in [*ports, *[server.port] * 100]], inquiry)
    assert [result["state"] for result in results[:silent]] == ["no_answer"] * silent
    assert len(results) == 500
    assert 1 < most <= limits["concurrency"]
    # A silent port is asked once, the others for each version.
    assert silent + 100 <= asked <= silent + 400
