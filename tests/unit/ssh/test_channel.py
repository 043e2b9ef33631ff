# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A channel as a socket: what it raises, and when it is closed. Real ones are in the tests of its users."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from paramiko import SSHException

from ansible_collections.workload_security.agent.plugins.module_utils._ssh.channel import Channel
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.errors import SessionEnded


class Fake:
    """paramiko's channel, as far as it is used."""

    def __init__(self, outcome=b"", eof=False, active=True):
        self.outcome, self.eof_received, self.active = outcome, eof, active
        self.closings = 0

    def get_transport(self):
        return SimpleNamespace(is_active=lambda: self.active)

    def use(self, *_arguments):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    recv = sendall = use

    def close(self):
        self.closings += 1
        self.use()


@pytest.mark.parametrize("error", [EOFError(), SSHException("gone"), OSError("Socket is closed")])
def test_a_dead_session_fails_as_a_socket_does(error):
    channel = Channel(Fake(error), "the server")
    for use in (lambda: channel.recv(1), lambda: channel.sendall(b"x")):
        with pytest.raises(OSError, match=str(error) or "the server ended: the connection ended") as caught:
            use()
        assert isinstance(caught.value, SessionEnded) is not isinstance(error, OSError)
    channel.close()


@pytest.mark.parametrize(("eof", "active"), [(True, True), (True, False), (False, True)])
def test_the_end_of_a_connection_is_no_error(eof, active):
    assert Channel(Fake(b"", eof, active), "the server").recv(1) == b""


def test_an_end_that_is_that_of_the_session_is_told_apart():
    with pytest.raises(SessionEnded):
        Channel(Fake(b"", eof=False, active=False), "the server").recv(1)


def test_it_is_closed_with_its_last_reader():
    fake = Fake()
    channel = Channel(fake, "the server")
    channel._io_refs += 1
    channel.close()
    assert fake.closings == 0
    channel._decref_socketios()
    assert fake.closings == 1
