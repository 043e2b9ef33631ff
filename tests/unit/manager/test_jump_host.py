# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager through a real OpenSSH server."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import MissingLibrary
from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.jump_host import Tunnel
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.errors import SshError
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server as SshOptions
from tests.lab.ssh_server import SshServer, make_key
from tests.unit.manager.conftest import KEY
from tests.unit.manager.https_server import Drip, Server, cut_after, cut_before, reply, silence
from tests.unit.ssh.agents import ssh_agent


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    with SshServer(tmp_path_factory.mktemp("ssh")) as server:
        yield server


def jump_host(ssh, **changes):
    described = SshOptions(ssh.host, ssh.port, ssh.user, str(ssh.private_key), str(ssh.known_hosts), "jump host")
    return described._replace(**changes)


@pytest.fixture
def reach(certificates, clock):
    """Starts a server with a script, and a transport to it through the jump host; leaves no thread behind."""
    before = set(threading.enumerate())
    with ExitStack() as stack:

        def start(jump, *actions, context=certificates.context, **options):
            server = stack.enter_context(Server(context, *actions))
            connection = Connection(
                url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path, jump_host=jump
            )
            transport = Transport(replace(connection, **options), clock=clock, random=lambda: 0.0)
            stack.enter_context(transport)
            return server, transport

        yield start
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


def fails(transport, kind=errors.JumpHostError):
    with pytest.raises(errors.ManagerError) as caught:
        transport.create("/policies", {})
    assert caught.value.__class__ is kind
    assert not caught.value.outcome_unknown
    return caught.value


def logins(ssh):
    return ssh.log.count("Accepted publickey")


def test_requests_go_through_the_jump_host_on_one_channel(ssh, reach):
    server, transport = reach(jump_host(ssh), reply({"ID": 1}))
    before = logins(ssh)
    for _each in range(3):
        assert transport.read("GET", "/policies/1") == {"ID": 1}
    assert transport.create("/policies", {"name": "x"}) == {"ID": 1}
    assert server.accepted == 1
    assert logins(ssh) == before + 1
    assert server.requests[0].headers["api-secret-key"] == KEY
    assert server.requests[0].headers["Host"] == f"127.0.0.1:{server.port}"


def test_eight_requests_at_once_share_one_session(ssh, reach):
    barrier = threading.Barrier(8, timeout=60)
    page = {"computers": [{"ID": number, "hostName": "x" * 100} for number in range(5000)]}

    def together(handler, request):
        barrier.wait()
        reply(page)(handler, request)

    server, transport = reach(jump_host(ssh), together, concurrency=8)
    before = logins(ssh)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _n: transport.read("POST", "/computers/search", body={}), range(32)))
    assert replies == [page] * 32
    assert (server.accepted, logins(ssh)) == (8, before + 1)


def test_a_large_body_is_sent_through(ssh, reach):
    server, transport = reach(jump_host(ssh), reply({"ID": 1}))
    name = "x" * 5_000_000
    transport.write("POST", "/policies/1", body={"name": name})
    assert len(server.requests[0].body) > len(name)


def test_the_managers_certificate_is_verified_by_its_own_name(ssh, reach, certificates):
    _server, transport = reach(jump_host(ssh), context=certificates.for_names("jump.example"))
    assert "127.0.0.1" in fails(transport, errors.UntrustedCertificate).message
    _server, transport = reach(jump_host(ssh), ca_path=None)
    fails(transport, errors.UntrustedCertificate)
    _server, transport = reach(jump_host(ssh), reply({"ID": 1}), ca_path=None, validate_certs=False)
    assert transport.read("GET", "/policies/1") == {"ID": 1}


def test_a_wrong_host_key_is_refused(ssh, reach, tmp_path, clock):
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[{ssh.host}]:{ssh.port} {other[0]} {other[1]}\n")
    before = logins(ssh)
    server, transport = reach(jump_host(ssh, known_hosts=str(known)))
    error = fails(transport)
    for part in (ssh.host, str(ssh.port), "ssh-ed25519", str(known), fingerprint(ssh.host_key), "another server"):
        assert part in error.message
    assert (server.accepted, clock.sleeps, logins(ssh)) == (0, [], before)


def test_a_wrong_host_key_of_another_type_is_refused(ssh, reach, tmp_path):
    other = make_key(tmp_path / "other", "ecdsa").with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[{ssh.host}]:{ssh.port} {other[0]} {other[1]}\n")
    server, transport = reach(jump_host(ssh, known_hosts=str(known)))
    error = fails(transport)
    assert "ssh-ed25519" in error.message and "ecdsa-sha2-nistp256" in error.message
    assert server.accepted == 0


@pytest.mark.parametrize("content", ["", "elsewhere ssh-ed25519 AAAA\n", "# comment\n\n"])
def test_an_unknown_host_is_refused_and_not_added(ssh, reach, tmp_path, clock, content):
    known = tmp_path / "known_hosts"
    known.write_text(content)
    before = logins(ssh)
    server, transport = reach(jump_host(ssh, known_hosts=str(known)))
    connections = ssh.log.count("Connection from")
    with ThreadPoolExecutor(8) as threads:
        for error in threads.map(lambda _n: fails(transport), range(8)):
            for part in (f"[{ssh.host}]:{ssh.port}", "ssh-ed25519", str(known), fingerprint(ssh.host_key)):
                assert part in error.message
    assert known.read_text() == content
    assert ssh.log.count("Connection from") == connections + 1
    assert (server.accepted, clock.sleeps, logins(ssh)) == (0, [], before)


def test_hashed_known_hosts_are_understood(ssh, reach, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text(ssh.known_hosts.read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert ssh.host not in known.read_text()
    _server, transport = reach(jump_host(ssh, known_hosts=str(known)), reply({"ID": 1}))
    assert transport.read("GET", "/policies/1") == {"ID": 1}


def fingerprint(key):
    """As ssh-keygen shows it."""
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True, text=True).stdout
    return shown.split()[1]


def test_a_key_that_the_jump_host_does_not_accept(ssh, reach, tmp_path, clock):
    stranger = make_key(tmp_path / "stranger")
    server, transport = reach(jump_host(ssh, private_key=str(stranger)))
    error = fails(transport)
    assert f"does not let in user {ssh.user} with the private key {stranger}" in error.message
    assert (server.accepted, clock.sleeps) == (0, [])


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys(tmp_path, reach, kind):
    key = make_key(tmp_path / "key", kind)
    with SshServer(tmp_path / "ssh", (f"AuthorizedKeysFile {key}.pub",)) as server:
        _server, transport = reach(jump_host(server, private_key=str(key)), reply({"ID": 1}))
        assert transport.read("GET", "/policies/1") == {"ID": 1}


def test_a_key_with_a_passphrase_belongs_into_the_agent(ssh, reach, tmp_path, clock):
    locked = make_key(tmp_path / "locked", passphrase="only a test")
    _server, transport = reach(jump_host(ssh, private_key=str(locked)))
    assert "needs a passphrase: add it to the SSH agent" in fails(transport).message
    assert clock.sleeps == []


def test_a_file_that_is_no_key(ssh, reach, tmp_path):
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n-----END OPENSSH PRIVATE KEY-----\n")
    _server, transport = reach(jump_host(ssh, private_key=str(nonsense)))
    assert f"{nonsense} is not a usable private key" in fails(transport).message


@pytest.fixture
def agent(monkeypatch, tmp_path):
    with ssh_agent(monkeypatch, tmp_path):
        yield


def test_the_agents_keys_are_used_without_a_private_key(ssh, reach, agent):
    subprocess.run(["ssh-add", "-q", str(ssh.private_key)], check=True, capture_output=True)
    _server, transport = reach(jump_host(ssh, private_key=None), reply({"ID": 1}))
    assert transport.read("GET", "/policies/1") == {"ID": 1}


def test_neither_a_private_key_nor_one_in_the_agent(ssh, reach, agent, clock, tmp_path, monkeypatch):
    # Keys that lie around are not tried: which one gets in would depend on who runs the task.
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    shutil.copy(ssh.private_key, tmp_path / ".ssh" / "id_ed25519")
    _server, transport = reach(jump_host(ssh, private_key=None))
    assert "no private_key is given and the SSH agent has no key" in fails(transport).message
    assert clock.sleeps == []


@pytest.mark.parametrize("option", ["PermitOpen none", "AllowTcpForwarding no", "DisableForwarding yes"])
def test_a_jump_host_that_forwards_nothing(tmp_path, reach, clock, option):
    with SshServer(tmp_path / "ssh", (option,)) as server:
        manager, transport = reach(jump_host(server))
        error = fails(transport)
        assert f"does not allow connections to 127.0.0.1 port {manager.port}" in error.message
        assert (manager.accepted, clock.sleeps) == (0, [])


def test_a_manager_that_the_jump_host_cannot_reach(ssh, reach, clock):
    _server, transport = reach(jump_host(ssh))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        transport._pool._pool.port = nobody.getsockname()[1]
        error = fails(transport)
    assert f"cannot connect to 127.0.0.1 port {transport._pool._pool.port}" in error.message
    assert clock.sleeps == [0.5, 1, 2, 4]


def test_no_ssh_server_there(ssh, reach, clock):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        _server, transport = reach(jump_host(ssh, port=nobody.getsockname()[1]))
        assert "no SSH session with jump host 127.0.0.1" in fails(transport).message
    assert clock.sleeps == [0.5, 1, 2, 4]


def test_an_ssh_server_that_says_nothing(ssh, reach):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        _server, transport = reach(jump_host(ssh, port=deaf.getsockname()[1]), timeout=0.2)
        assert "no SSH session" in fails(transport).message


def test_who_waits_for_a_login_that_fails_does_not_try_the_same_in_turn(ssh):
    threads, logins_begun = 8, []
    tunnel = Tunnel(jump_host(ssh), 1)

    class Counting:
        """The tunnel's lock, and how many have come to it so far."""

        def __init__(self):
            self.came = itertools.count(1)
            self.all_came = threading.Event()
            self._lock = threading.Lock()

        def __enter__(self):
            if next(self.came) == threads:
                self.all_came.set()
            self._lock.acquire()

        def __exit__(self, *_exception):
            self._lock.release()

    def fail(*_arguments):
        logins_begun.append(1)
        assert tunnel._lock.all_came.wait(60)
        raise SshError("no answer", permanent=False)

    tunnel._lock, tunnel._log_in = Counting(), fail

    def reason(_number):
        with pytest.raises(SshError) as caught:
            tunnel.open("127.0.0.1", 1)
        return str(caught.value), caught.value.permanent

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(reason, range(threads))) == [("no answer", False)] * threads
    assert len(logins_begun) == 1
    # Who comes later tries again.
    assert reason(0) == ("no answer", False) and len(logins_begun) == 2


def test_a_session_that_ended_between_requests_is_made_anew(ssh, reach, clock):
    server, transport = reach(jump_host(ssh), reply({"ID": 1}))
    before = logins(ssh)
    for number in range(1, 4):
        assert transport.create("/policies", {}) == {"ID": 1}
        assert (server.accepted, logins(ssh)) == (number, before + number)
        ssh.drop_sessions()
        # The end of the session comes in while nothing is asked.
        deadline = time.monotonic() + 60
        while transport._pool._tunnel._session.is_active and time.monotonic() < deadline:
            time.sleep(0.01)
    assert clock.sleeps == []


def test_a_session_that_ends_within_a_request(ssh, reach, clock):
    def drop(handler, request):
        ssh.drop_sessions()
        cut_before()(handler, request)

    _server, transport = reach(jump_host(ssh), drop, reply({"ID": 1}), drop)
    assert transport.read("GET", "/policies/1") == {"ID": 1}
    assert clock.sleeps == [0.5]
    with pytest.raises(errors.ConnectionFailed) as caught:
        transport.create("/policies", {})
    assert caught.value.outcome_unknown


def test_sessions_that_end_at_any_moment(ssh, reach):
    _server, transport = reach(jump_host(ssh), reply({"computers": ["x" * 1000] * 100}), concurrency=8)
    over = threading.Event()
    outcomes = []

    def ask():
        while not over.is_set():
            try:
                outcomes.append(len(transport.read("POST", "/computers/search", body={"x": "y" * 100_000})))
            except errors.ManagerError as error:
                outcomes.append(type(error))

    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask) for _each in range(8)]
        for _each in range(12):
            # Some answers come in between, however slow the machine is; the moment of the end is left to chance.
            answered = outcomes.count(1)
            deadline = time.monotonic() + 30
            while outcomes.count(1) == answered and time.monotonic() < deadline:
                time.sleep(0.1)
            ssh.drop_sessions()
        over.set()
        # Anything but a ManagerError would come out here.
        for future in asking:
            future.result()
    assert set(outcomes) <= {1, errors.ConnectionFailed, errors.JumpHostError, errors.TimedOut}
    assert outcomes.count(1) >= 12
    assert transport.read("POST", "/computers/search", body={})


def test_a_connection_that_the_manager_ended_is_replaced(ssh, reach, clock):
    server, transport = reach(jump_host(ssh), cut_after({"ID": 1}))
    for number in range(1, 4):
        assert transport.create("/policies", {}) == {"ID": 1}
        (connection,) = filter(None, transport._pool._pool.pool.queue)
        deadline = time.monotonic() + 60
        while connection.is_connected and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.accepted == number
    assert clock.sleeps == []


def test_a_reply_that_ends_with_its_connection(ssh, reach):
    page = {"name": "x" * 3_000_000}
    _server, transport = reach(jump_host(ssh), reply(page, Connection="close"))
    for _each in range(3):
        assert transport.read("GET", "/policies/1") == page


@pytest.mark.slow
def test_a_slow_reply_times_out_through_the_tunnel(ssh, reach, clock):
    released = threading.Event()
    # Long enough for the login, too, on a slow machine.
    _server, transport = reach(jump_host(ssh), silence(released), reply({"ID": 1}), timeout=3)
    started = time.monotonic()
    assert transport.read("GET", "/policies/1") == {"ID": 1}
    released.set()
    assert time.monotonic() - started >= 3
    assert clock.sleeps == [0.5]


@pytest.mark.slow
def test_a_handshake_that_nobody_answers_times_out_through_the_tunnel(ssh, reach):
    _server, transport = reach(jump_host(ssh), timeout=3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        transport._pool._pool.port = deaf.getsockname()[1]
        fails(transport, errors.TimedOut)


def test_a_handshake_that_drips_is_given_up_through_the_tunnel(ssh, reach, clock):
    # Single waits never meet their limit of ten seconds; all of them together do.
    drip = Drip(b"\x16\x03\x03\x40\x00", b"\x02", lambda: (clock.advance(4), time.sleep(0.001)))
    server, transport = reach(jump_host(ssh), timeout=10)
    server.finish_request = lambda connection, _address: drip.send(connection)
    assert not fails(transport, errors.TimedOut).outcome_unknown
    assert drip.cut_off.wait(60)


def test_a_reply_that_drips_is_given_up_through_the_tunnel(ssh, reach, clock):
    drip = Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * 100, lambda: clock.advance(4))
    _server, transport = reach(jump_host(ssh), drip, timeout=10)
    with pytest.raises(errors.TimedOut):
        transport.read("GET", "/policies")
    assert drip.cut_off.wait(60)


def test_closed_files_and_channels_are_given_back(ssh, reach):
    _server, transport = reach(jump_host(ssh), cut_after({"ID": 1}))
    transport.read("GET", "/policies/1")
    open_files = len(os.listdir("/proc/self/fd"))
    for _each in range(20):
        transport.read("GET", "/policies/1")
    channels = len(transport._pool._tunnel._session._transport._channels._map)
    assert len(os.listdir("/proc/self/fd")) <= open_files + 1
    assert channels <= 2


def test_nothing_is_written_to_standard_error(ssh, certificates):
    # In a process of its own, where no test runner takes logs and warnings: one that works, one that is refused, and
    # one that reaches something else than an SSH server.
    known = str(ssh.known_hosts)
    with Server(certificates.context, reply({"ID": 1})) as server, Server(None) as no_ssh_server:
        code = f"""
import sys
from ansible_collections.workload_security.agent.plugins.module_utils._manager import connection, errors, transport
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server
class Clock(transport.SystemClock):
    sleep = staticmethod(lambda seconds: None)
for port, known in (({ssh.port}, {known!r}), ({ssh.port}, "/dev/null"), ({no_ssh_server.port}, {known!r})):
    jump = Server("127.0.0.1", port, None, {str(ssh.private_key)!r}, known)
    with transport.Transport(
        connection.Connection(
            url="https://127.0.0.1:{server.port}/api", api_key="k", ca_path={certificates.path!r}, jump_host=jump
        ),
        clock=Clock,
    ) as it:
        try:
            it.read("GET", "/policies/1")
            sys.stdout.write("done ")
        except errors.JumpHostError:
            sys.stdout.write("refused ")
"""
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("done refused refused ", "")


def test_paramiko_is_only_needed_for_a_jump_host(monkeypatch, certificates):
    monkeypatch.setitem(sys.modules, "paramiko", None)
    connection = Connection(url="https://127.0.0.1/api", api_key=KEY, ca_path=certificates.path)
    Transport(connection).close()
    with pytest.raises(MissingLibrary) as caught:
        Transport(replace(connection, jump_host=SshOptions("jump.example")))
    assert caught.value.library == "paramiko"
