# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a real OpenSSH server, and through what only looks like one."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import MissingLibrary
from ansible_collections.workload_security.agent.plugins.module_utils._probe import way
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server
from tests.lab.ssh_server import SshServer as Sshd
from tests.lab.ssh_server import make_key
from tests.unit.probe.servers import Certificate, drain, old_server, probe, serving


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 60
    while (left := started_since(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    # Where an SSH handshake breaks off, paramiko leaves its alarm to run out, as a daemon.
    return [each for each in set(threading.enumerate()) - before if not isinstance(each, threading.Timer)]


def through(sshd: Sshd, **changes: object) -> Server:
    server = Server(sshd.host, sshd.port, sshd.user, str(sshd.private_key), str(sshd.known_hosts))
    return server._replace(**changes)


def test_an_agent_that_only_its_host_reaches(certificate: Certificate, sshd: Sshd) -> None:
    logins = sshd.log.count("Accepted publickey")
    offers = dict(ciphers=["aes256", "aes128"], macs=["sha256"], versions=("1.2", "1.2"))
    with old_server(certificate, **offers) as server:
        results = probe(*[server.port] * 5, ssh=through(sshd), agent_version="10.0.0.3864")
        (straight,) = probe(server.port, agent_version="10.0.0.3864")
    assert [result["state"] for result in results] == ["answered"] * 5
    assert all(result.pop("ssh_host") == sshd.host for result in results)
    straight.pop("ssh_host")
    assert results == [straight] * 5
    assert straight["documented"]["agrees"] is True
    # All of them share one session.
    assert sshd.log.count("Accepted publickey") == logins + 1


@pytest.mark.slow
def test_refused_and_silent_through_ssh(sshd: Sshd) -> None:
    with serving(lambda connection: connection.recv(4096)) as closing, serving(drain) as silent:
        results = probe(closing.port, silent.port, ssh=through(sshd), timeout=4)
    assert [result["state"] for result in results] == ["refused", "no_answer"]
    assert results[0]["complete"]


def unreachable(port: int, server: Server, **changes: object) -> str:
    (result,) = probe(port, ssh=server, **changes)
    assert (result["state"], result["complete"]) == ("unreachable", False)
    assert [asked["state"] for asked in result["versions"].values()].count("not_asked") == 3
    assert result["detail"].isprintable() and len(result["detail"]) <= 600
    return result["detail"]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_nothing_listens_behind_ssh(sshd: Sshd, closed_port: int) -> None:
    detail = unreachable(closed_port, through(sshd))
    assert f"cannot connect to 127.0.0.1 port {closed_port}" in detail


@pytest.mark.parametrize("option", ["AllowTcpForwarding no", "PermitOpen none"])
def test_forwarding_refused(tmp_path: Path, option: str) -> None:
    with Sshd(tmp_path / "ssh", (option,)) as strict, serving(lambda connection: None) as server:
        detail = unreachable(server.port, through(strict))
    assert f"does not allow connections to 127.0.0.1 port {server.port}" in detail
    assert server.accepted == 0


def test_each_of_many_that_are_refused_at_once_gets_its_own_reason(tmp_path: Path, closed_port: int) -> None:
    with Sshd(tmp_path / "ssh", (f"PermitOpen 127.0.0.1:{closed_port}",)) as strict, serving(drain) as other:
        results = probe(*[closed_port, other.port] * 40, ssh=through(strict), timeout=60, concurrency=80)
    assert {result["state"] for result in results} == {"unreachable"}
    for port, reason in ((closed_port, "cannot connect to"), (other.port, "does not allow connections to")):
        expected = f"the SSH server {strict.host} port {strict.port} {reason} 127.0.0.1 port {port}: "
        details = [result["detail"] for result in results if result["port"] == port]
        assert len(details) == 40 and all(detail.startswith(expected) for detail in details)


def test_an_unknown_ssh_server_is_not_trusted(sshd: Sshd, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.write_text("")
    with serving(lambda connection: None) as server:
        detail = unreachable(server.port, through(sshd, known_hosts=str(empty)))
    assert f"is not in {empty}" in detail and "SHA256:" in detail
    assert (server.accepted, empty.read_text()) == (0, "")


def test_an_ssh_server_with_another_key_is_not_trusted(sshd: Sshd, tmp_path: Path) -> None:
    public = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    other = tmp_path / "known_hosts"
    other.write_text(f"[{sshd.host}]:{sshd.port} {public[0]} {public[1]}\n")
    assert "it is another server, or somebody is in between" in unreachable(4118, through(sshd, known_hosts=str(other)))


def test_a_user_who_is_not_let_in(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "stranger")
    assert f"does not let in user {sshd.user}" in unreachable(4118, through(sshd, private_key=str(key)))


def test_no_key_at_all(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    detail = unreachable(4118, through(sshd, private_key=None))
    assert "no private_key is given and the SSH agent has no key" in detail


@pytest.mark.parametrize("content", [None, "nonsense", "passphrase"])
def test_a_key_that_cannot_be_used(sshd: Sshd, tmp_path: Path, content: str | None) -> None:
    key = tmp_path / "key"
    if content == "passphrase":
        make_key(key, passphrase="secret words")
    elif content:
        key.write_text(content)
    detail = unreachable(4118, through(sshd, private_key=str(key)))
    words = {None: "cannot be read: No such file", "passphrase": "needs a passphrase"}
    assert f"private_key {key} {words.get(content, 'is not a usable private key')}" in detail


def test_known_hosts_that_cannot_be_read(sshd: Sshd, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert f"{missing} cannot be read" in unreachable(4118, through(sshd, known_hosts=missing))


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50, b"SSH-2.0-x\r\n" + bytes(range(256)) * 20, b"\x1b[2J\xff\n" * 500],
    ids=["nothing", "HTTP", "broken SSH", "terminal codes"],
)
def test_what_is_no_ssh_server(sshd: Sshd, answer: bytes) -> None:
    with serving(lambda connection: connection.sendall(answer)) as server:
        detail = unreachable(4118, through(sshd, port=server.port))
    assert detail.startswith(f"no SSH session with the SSH server 127.0.0.1 port {server.port}: ")


def test_a_silent_ssh_server_costs_all_its_targets_one_wait(sshd: Sshd) -> None:
    with serving(drain) as server:
        results = probe(*range(4001, 4041), ssh=through(sshd, port=server.port), timeout=1, concurrency=40)
    assert {result["state"] for result in results} == {"unreachable"}
    assert server.accepted == 1


def test_an_ssh_server_that_is_not_there(sshd: Sshd, closed_port: int) -> None:
    detail = unreachable(4118, through(sshd, port=closed_port))
    assert detail.endswith(f"cannot connect to 127.0.0.1 port {closed_port}: Connection refused")


def test_a_session_that_ends_is_no_refusal(certificate: Certificate, tmp_path: Path) -> None:
    with Sshd(tmp_path / "ssh") as mortal:
        with serving(lambda connection: connection.recv(5) and mortal.drop_sessions()) as server:
            detail = unreachable(server.port, through(mortal))
    assert "the session with the SSH server" in detail


def test_without_paramiko(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(MissingLibrary) as caught:
        probe(4118, ssh=through(sshd))
    assert caught.value.library == "paramiko"
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert probe(silent.getsockname()[1], timeout=0.1)[0]["state"] == "no_answer"


def test_a_session_ends_with_its_last_target(sshd: Sshd) -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            connection.sendall(data)

    with serving(echo) as server:
        gateway = way.ThroughSsh(through(sshd), 2)
        channel = gateway.open("127.0.0.1", server.port, way.Deadline(5))
        channel.settimeout(5)
        gateway.close()
        channel.sendall(b"still there")
        assert channel.recv(4096) == b"still there"
        gateway.close()
        with pytest.raises(OSError):
            channel.sendall(b"gone")
        channel.close()
