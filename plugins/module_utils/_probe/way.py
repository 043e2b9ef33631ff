# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to a port: directly, or through an SSH server. Also deadlines for everything that waits."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Optional

from .._basis.text import shown
from .._ssh.channel import Channel
from .._ssh.errors import Refused, SshError, said
from .._ssh.library import library
from .._ssh.server import Server
from .._ssh.session import Session


class Unreachable(Exception):
    """The port could not be asked; the text says why."""


class NoAnswer(Exception):
    """Nothing came back in time. The text says to what."""


class Deadline:
    """A point in time. Everything that waits asks it how many seconds are left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        # The error message after the deadline.
        self.passed = f"no answer within {seconds:.3g} seconds"

    def left(self) -> float:
        """Seconds that are left, more than 0. Raises C(NoAnswer) if the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise NoAnswer(self.passed)
        return left

    def within(self, seconds: float) -> Deadline:
        """This deadline or one in C(seconds), whichever is sooner. Raises C(NoAnswer) if this deadline is over."""
        return Deadline(min(seconds, self.left()))


class Straight:
    """From this machine to a host. If a host has several addresses, the first one that accepts a connection is used."""

    def __init__(self) -> None:
        self._addresses: Any = None

    def open(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """A connection, as a socket. Raises C(Unreachable) and C(NoAnswer)."""
        if self._addresses is None:
            try:
                self._addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                raise Unreachable(f"{shown(host)} has no address: {said(error)}") from error
        problem: Exception = Unreachable(f"{shown(host)} has no address")
        for number, address in enumerate(self._addresses):
            family, kind, protocol, _name, where = address
            try:
                connection = socket.socket(family, kind, protocol)
            except OSError as error:  # an address family that this machine does not support
                problem = Unreachable(said(error))
                continue
            try:
                # The addresses share the time, so that a silent one, as of IPv6 behind a firewall, leaves some to others.
                connection.settimeout(deadline.left() / (len(self._addresses) - number))
                connection.connect(where)
                self._addresses = [address]
                return connection
            except socket.timeout:
                problem = NoAnswer(f"{deadline.passed}, nor a connection")
            except NoAnswer:
                connection.close()
                break
            except OSError as error:
                problem = Unreachable(f"cannot connect to {host} port {port}: {said(error)}")
            connection.close()
        raise problem

    def close(self) -> None:
        """Does nothing: no connection is kept."""


class ThroughSsh:
    """An SSH session through which any number of threads can open connections. It is made when first needed.

    If it cannot be made, it is not tried again, and all threads that wait for it get the reason.
    """

    def __init__(self, server: Server, users: int) -> None:
        """C(users): how often C(close) will be called. The last call ends the session.

        Raises C(MissingLibrary) without paramiko.
        """
        library()
        self._server = server
        self._users = users
        self._session: Optional[Session] = None
        self._problem: Optional[str] = None
        self._lock = threading.Lock()

    def open(self, host: str, port: int, deadline: Deadline) -> Channel:
        """A connection from the SSH server, like a socket. Raises C(Unreachable) and C(NoAnswer)."""
        session = self._made(deadline)
        try:
            return session.open(host, port, deadline.left())
        except Refused as error:
            raise Unreachable(str(error)) from error
        except SshError as error:
            if not session.is_active:
                raise Unreachable(f"the session with {self._server} ended") from error
            try:
                deadline.left()
            except NoAnswer:
                raise NoAnswer(f"{deadline.passed}, nor a connection from {self._server}") from error
            raise Unreachable(str(error)) from error

    def close(self) -> None:
        """One user has finished. The last one ends the session."""
        with self._lock:
            self._users -= 1
            if not self._users and self._session is not None:
                self._session.close()

    def _made(self, deadline: Deadline) -> Session:
        if not self._lock.acquire(timeout=deadline.left()):
            raise Unreachable(f"{deadline.passed} from {self._server}")
        try:
            if self._problem is None and self._session is None:
                try:
                    self._session = Session(self._server, deadline.left())
                except SshError as error:
                    self._problem = str(error)
            if self._session is None:
                raise Unreachable(str(self._problem))
            return self._session
        finally:
            self._lock.release()
