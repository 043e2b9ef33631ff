# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to a port: straight, or through an SSH server. And how long anything may take."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Optional

from .._basis.text import shown
from .._ssh.channel import Channel
from .._ssh.errors import Refused, SshError, said
from .._ssh.server import Server
from .._ssh.session import Session, library


class Unreachable(Exception):
    """The port could not be asked; the text says why."""


class NoAnswer(Exception):
    """Nothing came back in time; the text says to what."""


class Deadline:
    """A point in time. Everything that waits asks how long it still may."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        # That it has passed, in words.
        self.passed = f"no answer within {seconds:.3g} seconds"

    def left(self) -> float:
        """Seconds that are left, more than 0. Raises C(NoAnswer) where none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise NoAnswer(self.passed)
        return left

    def within(self, seconds: float) -> Deadline:
        """The sooner of this deadline and one that many seconds from now. Raises C(NoAnswer) past this one."""
        return Deadline(min(seconds, self.left()))


class Straight:
    """From here to a host. A host with several addresses is asked at the first that takes a connection."""

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
        for address in self._addresses:
            family, kind, protocol, _name, where = address
            try:
                connection = socket.socket(family, kind, protocol)
            except OSError as error:  # a family that this machine does not have
                problem = Unreachable(said(error))
                continue
            try:
                connection.settimeout(deadline.left())
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
        """Nothing is kept."""


class ThroughSsh:
    """An SSH session through which any number of threads open connections. It is made when first needed.

    One that could not be made is not tried again: all who wait for it hear why.
    """

    def __init__(self, server: Server, users: int) -> None:
        """C(users): how often C(close) will be called; the last one ends the session.

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
            if session.is_active:
                raise NoAnswer(f"{deadline.passed}, nor a connection from {self._server}") from error
            raise Unreachable(f"the session with {self._server} ended") from error

    def close(self) -> None:
        """One user less."""
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
