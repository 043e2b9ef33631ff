# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins at a real OpenSSH server with several host keys, and at what only looks like one."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing

import pytest
from cryptography.hazmat.primitives import serialization
from paramiko import ChannelException, SSHException, Transport

from ansible_collections.workload_security.agent.plugins.module_utils._basis.signals import HANDLED
from ansible_collections.workload_security.agent.plugins.module_utils._ssh import session as session_module
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.errors import Refused, SessionEnded, SshError
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.known_hosts import HostKey, Known
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.session import Session
from tests.lab import ssh_server
from tests.lab.ssh_server import SshServer, make_key
from tests.threads import blocks
from tests.unit.probe.servers import serving
from tests.unit.ssh.agents import ssh_agent

KINDS = ("ed25519", "ecdsa", "rsa")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """A server with a host key of each kind."""
    folder = tmp_path_factory.mktemp("ssh")
    keys = [make_key(folder / kind, kind) for kind in KINDS[1:]]
    with SshServer(folder / "server", tuple(f"HostKey {key}" for key in keys)) as server:
        server.keys = dict(zip(KINDS, [public(server.host_key), *map(public, keys)], strict=True))
        yield server


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    # Where an SSH handshake breaks off, paramiko leaves its alarm to run out, as a daemon.
    deadline = time.monotonic() + 30
    while (
        left := [each for each in set(threading.enumerate()) - before if not isinstance(each, threading.Timer)]
    ) and (time.monotonic() < deadline):
        time.sleep(0.02)
    assert not left


def public(key):
    """The type and the key, as in known_hosts."""
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture
def known(sshd, tmp_path):
    """Makes a server's description from the lines of its known_hosts, in which HOST stands for its name."""

    def describe(*lines, **changes):
        file = tmp_path / "known_hosts"
        file.write_text("".join(f"{line}\n" for line in lines).replace("HOST", f"[{sshd.host}]:{sshd.port}"))
        return Server(sshd.host, sshd.port, sshd.user, str(sshd.private_key), str(file))._replace(**changes)

    return describe


def goes_through(server):
    """Whether bytes come through a session, there and back."""

    def echo(connection):
        while data := connection.recv(4096):
            connection.sendall(data)

    with serving(echo) as service, closing(Session(server, 30)) as session:
        channel = session.open("127.0.0.1", service.port, 30)
        channel.settimeout(30)
        channel.sendall(b"hello")
        return channel.recv(5) == b"hello"


def refused(server, seconds=30.0):
    with pytest.raises(SshError) as caught:
        Session(server, seconds).close()
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 1500
    return caught.value


def test_the_librarys_thread_leaves_signals_to_the_main_thread(sshd, known):
    with closing(Session(known(f"HOST {sshd.keys['ed25519']}"), 30)) as session:
        assert blocks("self", session._transport.native_id, HANDLED)


@pytest.mark.parametrize("kind", KINDS)
def test_one_known_key_is_enough_whichever_it_is(sshd, known, kind):
    assert goes_through(known(f"HOST {sshd.keys[kind]}"))


def test_an_rsa_key_under_the_name_of_its_signature(sshd, known):
    assert goes_through(known(f"HOST {sshd.keys['rsa'].replace('ssh-rsa', 'rsa-sha2-512')}"))


@pytest.mark.parametrize("kind", KINDS)
def test_either_of_two_keys_of_one_type(sshd, known, tmp_path, kind):
    other = public(make_key(tmp_path / "other", kind))
    assert goes_through(known(f"HOST {other}", f"HOST {sshd.keys[kind]}"))
    assert goes_through(known(f"HOST {sshd.keys[kind]}", f"HOST {other}"))
    error = refused(known(f"HOST {other}", f"HOST {public(make_key(tmp_path / 'third', kind))}"))
    assert "another server" in str(error) and str(error).count("SHA256:") == 3 and error.permanent


def test_lines_that_say_nothing_of_this_server_do_no_harm(sshd, known, tmp_path):
    other = public(make_key(tmp_path / "other"))
    kind, key = sshd.keys["ed25519"].split()
    assert goes_through(
        known(
            f"@cert-authority *.example.com {other}",
            f"@revoked * {other}",
            "elsewhere ssh-ed25519 A",
            "elsewhere ssh-ed25519 %%%",
            "elsewhere",
            "\x00\x01 \x02",
            "HOST ssh-ed25519 A",
            "HOST ssh-new-kind AAAA",
            f"# HOST {other}",
            f"HOST,!{sshd.host} \t {kind} \t {key}\r",
        )
    )


def test_a_file_that_is_no_text(sshd, known):
    server = known(f"HOST {sshd.keys['rsa']}")
    with open(server.known_hosts, "ab") as file:
        file.write(b"\xff\xfe\xe9 \x80\n")
    assert goes_through(server)


def test_a_server_on_another_port_may_be_known_without_it(sshd, known):
    assert goes_through(known(f"{sshd.host} {sshd.keys['ecdsa']}"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["HOST", "*", "[127.*]:*"])
def test_a_revoked_key_is_refused_although_it_is_known(sshd, known, kind, name):
    error = refused(known(f"HOST {sshd.keys[kind]}", f"@revoked {name} {sshd.keys[kind]}"))
    assert "marks as revoked" in str(error) and sshd.keys[kind].split()[0] in str(error) and error.permanent


def test_a_revoked_key_leaves_the_others(sshd, known):
    assert goes_through(known(f"@revoked HOST {sshd.keys['ed25519']}", f"HOST {sshd.keys['rsa']}"))


def test_a_certificate_authority_is_not_enough_and_that_is_said(sshd, known, tmp_path):
    authority = make_key(tmp_path / "authority")
    host = make_key(tmp_path / "host")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-h", "-I", "lab", "-n", sshd.host, f"{host}.pub"],
        check=True,
        capture_output=True,
    )
    lines = [f"@cert-authority 127.0.0.* {public(authority)}"]
    error = refused(known(*lines))
    assert "@cert-authority" in str(error) and "not supported" in str(error) and error.permanent
    # A server with such a certificate is let through by its own key.
    certified = (f"HostKey {host}", f"HostCertificate {host}-cert.pub")
    with SshServer(tmp_path / "server", certified) as server:
        there = {"port": server.port, "user": server.user, "private_key": str(server.private_key)}
        error = refused(known(*lines, **there))
        assert "@cert-authority" in str(error)
        assert goes_through(known(*lines, f"[127.0.0.1]:{server.port} {public(host)}", **there))


def test_known_algorithms_come_first_and_rsa_in_all_its_signatures():
    old = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-dss")
    key = HostKey(b"\0\0\0\7ssh-rsa")
    assert session_module._known_first(old, Known((key,))) == (
        *("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
        *("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-dss"),
    )
    assert session_module._known_first(old, Known()) == old


@pytest.mark.parametrize("make", ["mkfifo", "mkdir", None])
def test_known_hosts_that_is_no_file(known, tmp_path, make):
    path = tmp_path / "special"
    if make:
        getattr(os, make)(path)
    error = refused(known(known_hosts=str(path)))
    assert f"known_hosts {path} cannot be read: " in str(error) and error.permanent
    assert "known_hosts a\\x00b cannot be read" in str(refused(known(known_hosts="a\0b")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_private_key_in_pkcs_8_lets_in(tmp_path, kind):
    own = make_key(tmp_path / "own", kind)
    key = serialization.load_ssh_private_key(own.read_bytes(), password=None)
    own.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with SshServer(tmp_path / "server", (f"AuthorizedKeysFile {own}.pub",)) as server:
        assert goes_through(Server(server.host, server.port, server.user, str(own), str(server.known_hosts)))


def certify(authority, key, user):
    """Put a certificate beside a key, as for a login as that user."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "lab", "-n", user, f"{key}.pub"],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_does_not_let_in_does_not_keep_its_key_out(tmp_path, kind):
    own = make_key(tmp_path / "own", kind)
    certify(make_key(tmp_path / "authority"), own, "root")
    with SshServer(tmp_path / "server", (f"AuthorizedKeysFile {own}.pub",)) as server:
        assert goes_through(Server(server.host, server.port, server.user, str(own), str(server.known_hosts)))
    # If neither does, that is the key's own fault, and not that of an agent.
    with SshServer(tmp_path / "other") as server:
        error = refused(Server(server.host, server.port, server.user, str(own), str(server.known_hosts)))
    assert f"does not let in user {server.user} with the private key {own}" in str(error) and error.permanent


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_an_agent_with_a_certificate(tmp_path, monkeypatch, kind):
    authority, own = make_key(tmp_path / "authority"), make_key(tmp_path / "own", kind)
    with SshServer(tmp_path / "server", (f"TrustedUserCAKeys {authority}.pub",)) as sshd:
        server = Server(sshd.host, sshd.port, sshd.user, None, str(sshd.known_hosts))
        certify(authority, own, sshd.user)
        with ssh_agent(monkeypatch, tmp_path, own):
            assert goes_through(server)
        # One that does not let in is passed over.
        certify(make_key(tmp_path / "stranger"), own, sshd.user)
        with ssh_agent(monkeypatch, tmp_path, own, sshd.private_key):
            assert goes_through(server)


def test_an_agent_with_too_many_keys(tmp_path, monkeypatch):
    strangers = [make_key(tmp_path / f"stranger{number}") for number in range(3)]
    with SshServer(tmp_path / "server", ("MaxAuthTries 2",)) as sshd:
        server = Server(sshd.host, sshd.port, sshd.user, None, str(sshd.known_hosts))
        with ssh_agent(monkeypatch, tmp_path, *strangers, sshd.private_key):
            error = refused(server)
        assert "at key 2 of the 4 that the SSH agent has" in str(error)
        assert "MaxAuthTries" in str(error) and "set private_key" in str(error) and error.permanent
        # As few as it takes are no fault.
        with ssh_agent(monkeypatch, tmp_path, strangers[0], sshd.private_key):
            assert goes_through(server)


def test_an_agent_whose_keys_are_all_refused(sshd, known, tmp_path, monkeypatch):
    server = known(f"HOST {sshd.keys['rsa']}", private_key=None)
    with ssh_agent(monkeypatch, tmp_path, make_key(tmp_path / "one"), make_key(tmp_path / "two")):
        error = refused(server)
    assert f"does not let in user {sshd.user} with the keys of the SSH agent" in str(error) and error.permanent


def test_the_first_address_of_a_server_is_silent(sshd, known, monkeypatch):
    connect, look_up, waited = socket.socket.connect, socket.getaddrinfo, []

    def connect_to_all_but_one(connection, address):
        if address[0] == "127.0.0.2":
            waited.append(connection.gettimeout())
            raise socket.timeout("timed out")
        connect(connection, address)

    def both(host, *words, **more):
        (found,) = look_up(host, *words, **more)
        return [(*found[:4], (address, *found[4][1:])) for address in ("127.0.0.2", found[4][0])]

    monkeypatch.setattr(session_module._Socket, "connect", connect_to_all_but_one)
    monkeypatch.setattr(session_module.socket, "getaddrinfo", both)
    Session(known(f"HOST {sshd.keys['rsa']}"), 30).close()
    (seconds,) = waited
    assert seconds <= 15, "the other address gets its share of the time"


@pytest.mark.slow
def test_an_agent_that_does_not_answer_has_an_end(sshd, known, tmp_path, monkeypatch):
    server = known(f"HOST {sshd.keys['rsa']}", private_key=None)
    with ssh_agent(monkeypatch, tmp_path, sshd.private_key) as agent:
        agent.send_signal(signal.SIGSTOP)
        assert "the SSH agent does not list its keys: timed out" in str(refused(server, 3))


def test_more_than_a_key_is_wanted(tmp_path):
    options = ("AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    with SshServer(tmp_path / "server", options) as sshd:
        server = Server(sshd.host, sshd.port, sshd.user, str(sshd.private_key), str(sshd.known_hosts))
        error = refused(server)
    assert "wants more of user" in str(error) and "password" in str(error) and error.permanent


def test_a_server_that_takes_no_keys(tmp_path):
    with SshServer(tmp_path / "server", ("PubkeyAuthentication no", "PasswordAuthentication yes")) as sshd:
        server = Server(sshd.host, sshd.port, sshd.user, str(sshd.private_key), str(sshd.known_hosts))
        error = refused(server)
    assert "does not let in user" in str(error) and error.permanent


@pytest.mark.parametrize("error", [EOFError(), OSError("broken"), SSHException("No existing session")])
def test_a_login_that_breaks_off_is_no_refusal(sshd, known, monkeypatch, error):
    """The connection has ended in the middle of it, and the library has not noticed yet."""

    def broken(_transport, _user, _key):
        raise error

    monkeypatch.setattr(Transport, "auth_publickey", broken)
    refusal = refused(known(f"HOST {sshd.keys['rsa']}"))
    reason = str(error) or "the connection ended"
    assert str(refusal).endswith(f": the connection ended during the login: {reason}") and not refusal.permanent


def drip(content):
    def handle(connection):
        for byte in itertools.chain.from_iterable(itertools.repeat(content)):
            connection.sendall(bytes([byte]))
            time.sleep(0.01)

    return handle


def drip_after_greeting(content):
    def handle(connection):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        drip(content)(connection)

    return handle


def flood(connection):
    while True:
        connection.sendall(bytes(65536))


def flood_of_lines(connection):
    while True:
        connection.sendall(b"\x1b[2Jhello\n" * 5000)


def flood_after_greeting(connection):
    # A packet of almost two gigabytes.
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\x7f\xff\xff\xf0\x04")
    flood(connection)


def until_closed(connection):
    while connection.recv(4096):
        pass


HOSTILE = {
    "silence": until_closed,
    "a greeting that drips": drip(b"S"),
    "lines that drip": drip(b"hello\r\n"),
    "keys that drip": drip_after_greeting(b"\x00\x00\x7f\xf0\x04"),
    "ignored packets that drip": drip_after_greeting(b"\x00\x00\x00\x0c\x06\x02\x00\x00\x00\x00" + bytes(6)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_login_has_an_end(known, name):
    with serving(HOSTILE[name]) as server:
        error = refused(known(port=server.port), 1)
    assert str(error).startswith(f"no SSH session with the SSH server 127.0.0.1 port {server.port}: ")
    assert not error.permanent


@pytest.mark.parametrize("handle", [flood, flood_of_lines, flood_after_greeting])
def test_a_login_has_a_bound(known, monkeypatch, handle):
    received = 0
    real = session_module._Socket.recv

    def counted(self, size, flags=0):
        nonlocal received
        data = real(self, size, flags)
        received += len(data)
        return data

    monkeypatch.setattr(session_module._Socket, "recv", counted)
    with serving(handle) as server:
        error = refused(known(port=server.port), 60)
    assert received <= session_module._LONGEST_LOGIN
    assert not error.permanent


def test_a_greeting_is_shown_as_one_safe_line(known):
    with serving(
        lambda connection: connection.sendall(b"SSH-1.5-\x1b[2J\xe2\x80\xae\x07" + b"x" * 5000 + b"\r\n")
    ) as server:
        assert "no SSH session" in str(refused(known(port=server.port)))


@pytest.mark.slow
def test_a_server_that_stops_to_read_does_not_hold_up_who_writes(sshd, known):
    over = threading.Event()
    with serving(lambda connection: over.wait(60)) as service:
        with closing(Session(known(f"HOST {sshd.keys['rsa']}"), 5)) as session:
            channel = session.open("127.0.0.1", service.port, 30)
            channel.settimeout(5)
            children = ssh_server._descendants(sshd._process.pid)
            for child in children:
                os.kill(child, signal.SIGSTOP)
            try:
                with pytest.raises(OSError):
                    for _piece in range(1000):
                        channel.sendall(bytes(2**20))
            finally:
                over.set()
                for child in children:
                    os.kill(child, signal.SIGCONT)


@pytest.mark.slow
def test_a_second_server_that_stops_to_read_does_not_hold_up_who_writes(sshd, known, tmp_path):
    # More than fits into all buffers between here and there.
    channels, pieces, piece = 20, 40, bytes(100_000)
    over = threading.Event()

    def send(channel):
        channel.settimeout(5)
        with pytest.raises(OSError):
            for _piece in range(pieces):
                channel.sendall(piece)
        channel.close()

    with SshServer(tmp_path / "first") as first, serving(lambda connection: over.wait(60)) as service:
        via = Server(first.host, first.port, first.user, str(first.private_key), str(first.known_hosts))
        with closing(Session(known(f"HOST {sshd.keys['rsa']}", via=via), 5)) as session:
            opened = [session.open("127.0.0.1", service.port, 30) for _each in range(channels)]
            children = ssh_server._descendants(sshd._process.pid)
            for child in children:
                os.kill(child, signal.SIGSTOP)
            try:
                senders = [threading.Thread(target=send, args=(channel,), daemon=True) for channel in opened]
                for sender in senders:
                    sender.start()
                deadline = time.monotonic() + 60
                for sender in senders:
                    sender.join(max(0, deadline - time.monotonic()))
                assert not any(sender.is_alive() for sender in senders)
                with pytest.raises(SshError):
                    session.open("127.0.0.1", service.port, 30)
                assert not session.is_active
            finally:
                over.set()
                for child in children:
                    os.kill(child, signal.SIGCONT)


def test_a_session_that_ends_while_a_connection_is_made_is_over(sshd, known, monkeypatch):
    """The library then has a channel that does not know its session yet, and falls over it when it ends."""
    import paramiko

    fell = threading.Event()
    unlink, set_transport = paramiko.Channel._unlink, paramiko.Channel._set_transport

    def noticed(channel):
        try:
            unlink(channel)
        except AttributeError:
            fell.set()
            raise

    def end_now(channel, transport):
        sshd.drop_sessions()
        assert fell.wait(60)
        set_transport(channel, transport)

    with serving(lambda connection: connection.recv(1)) as service:
        with closing(Session(known(f"HOST {sshd.keys['rsa']}"), 30)) as session:
            other = session.open("127.0.0.1", service.port, 30)
            other.settimeout(60)
            monkeypatch.setattr(paramiko.Channel, "_unlink", noticed)
            monkeypatch.setattr(paramiko.Channel, "_set_transport", end_now)
            with pytest.raises(SshError) as caught:
                session.open("127.0.0.1", service.port, 30)
            assert not caught.value.permanent
            # So the next connection makes a new session, and who waits at another one is told.
            deadline = time.monotonic() + 60
            while session.is_active and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not session.is_active
            with pytest.raises(SessionEnded):
                other.recv(1)


def test_the_refusal_of_another_connection_is_none_of_this_one(sshd, known, monkeypatch):
    """The library hands it to whoever asks next, such as a thread whose request is open when the session ends."""

    def of_another(*_arguments, **_options):
        raise ChannelException(1, "Administratively prohibited")

    with closing(Session(known(f"HOST {sshd.keys['rsa']}"), 30)) as session:
        monkeypatch.setattr(Transport, "open_channel", of_another)
        with pytest.raises(
            SshError, match="did not open a connection to 127.0.0.1 port 1: the session ended"
        ) as caught:
            session.open("127.0.0.1", 1, 30)
    assert not isinstance(caught.value, Refused) and not caught.value.permanent


def test_nothing_stays_open(sshd, known):
    server = known(f"HOST {sshd.keys['rsa']}")
    unknown = server._replace(host="localhost")
    goes_through(server)
    before = len(os.listdir("/proc/self/fd"))
    for _each in range(5):
        goes_through(server)
        refused(unknown)
    deadline = time.monotonic() + 30
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_name_without_an_address(known):
    error = refused(known(host="no-such-host.invalid"))
    assert "no-such-host.invalid has no address" in str(error) and not error.permanent


def test_the_second_address_where_the_first_does_not_listen(sshd, known, monkeypatch):
    listed = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, sshd.port)) for address in ("127.0.0.2", "127.0.0.1")
    ]
    monkeypatch.setattr(session_module.socket, "getaddrinfo", lambda *_words, **_more: listed)
    server = known(f"[jump]:{sshd.port} {sshd.keys['rsa']}", host="jump")
    with closing(Session(server, 30)) as session:
        assert session.is_active
