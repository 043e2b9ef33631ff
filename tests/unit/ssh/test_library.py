# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server that has let us in, and is hostile, may send."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import paramiko
import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._ssh.library import transport_over

WINDOW = 2**21  # the library's own


class Opens(paramiko.ServerInterface):
    """Lets everybody in, and opens everything."""

    def check_auth_publickey(self, _user, _key):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, _user):
        return "publickey"

    def check_channel_direct_tcpip_request(self, _number, _origin, _destination):
        return paramiko.OPEN_SUCCEEDED


@pytest.fixture
def both():
    """A session, and the server's side of it."""
    here, there = socket.socketpair()
    key = paramiko.ECDSAKey.generate()
    with contextlib.closing(paramiko.Transport(there)) as server, contextlib.closing(transport_over(here)) as session:
        server.add_server_key(key)
        # With an event, it does not wait for the other side.
        server.start_server(threading.Event(), Opens())
        session.start_client(timeout=60)
        session.auth_publickey("somebody", key)
        yield session, server


def connection(session, server):
    """A connection through the session, and its other side."""
    here = session.open_channel("direct-tcpip", ("192.0.2.1", 443), ("127.0.0.1", 0), timeout=60)
    here.settimeout(60)
    there = server.accept(60)
    there.settimeout(60)
    return here, there


def ends(session):
    deadline = time.monotonic() + 60
    while session.is_active() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not session.is_active()


def test_a_packet_has_a_longest_length(both):
    session, server = both
    here, there = connection(session, server)
    for length in (200_000, 2**20):
        assert session.is_active()
        ignored = paramiko.Message()
        ignored.add_byte(paramiko.common.cMSG_IGNORE)
        ignored.add_string(bytes(length))
        with contextlib.suppress(EOFError):
            server._send_message(ignored)
        if length < 2**18:
            there.sendall(b"still there")
            assert here.recv(100) == b"still there"
    assert ends(session) and "a packet of 1048" in str(session.saved_exception)
    assert here.recv(1) == b""


@pytest.mark.parametrize("send", ["sendall", "sendall_stderr"])
def test_nothing_is_kept_that_was_not_asked_for(both, send):
    session, server = both
    here, there = connection(session, server)
    there.out_window_size = 2**40
    with pytest.raises((OSError, EOFError)):  # noqa: PT012 - when the end is noticed is left to chance
        for _piece in range(1000):
            getattr(there, send)(bytes(2**20))
    assert ends(session) and str(session.saved_exception) == "it sends more than it may"
    assert len(here.in_buffer) + len(here.in_stderr_buffer) <= WINDOW + 2**18


def test_all_that_was_asked_for_is_kept(both):
    session, server = both
    here, there = connection(session, server)
    there.sendall(bytes(WINDOW))
    deadline = time.monotonic() + 60
    while len(here.in_buffer) < WINDOW and time.monotonic() < deadline:
        time.sleep(0.01)
    received = 0
    while received < WINDOW:
        received += len(here.recv(2**16))
    there.sendall(b"more")
    assert session.is_active() and here.recv(100) == b"more"
