# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to a port: straight, or through an SSH server. And how long anything may take."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any, Iterator, NamedTuple, Optional

from .._basis.text import one_line
from .._ssh.session import SshError, log_in, open_channel, said


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


class SshServer(NamedTuple):
    """An SSH server, and how to log in: with this private key, or else with the keys of the SSH agent."""

    host: str
    port: int = 22
    user: Optional[str] = None
    private_key: Optional[str] = None
    known_hosts: str = "~/.ssh/known_hosts"

    def __str__(self) -> str:
        return f"the SSH server {self.host} port {self.port}"


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
                raise Unreachable(f"{host} has no address: {error}") from error
        problem: Exception = Unreachable(f"{host} has no address")
        for address in self._addresses:
            family, kind, protocol, _name, where = address
            try:
                connection = socket.socket(family, kind, protocol)
            except OSError as error:  # a family that this machine does not have
                problem = Unreachable(str(error))
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
                problem = Unreachable(f"cannot connect to {host} port {port}: {error.strerror or error}")
            connection.close()
        raise problem

    def close(self) -> None:
        """Nothing is kept."""


class ThroughSsh:
    """An SSH session through which any number of threads open connections. It is made when first needed.

    One that could not be made is not tried again: all who wait for it hear why.
    """

    def __init__(self, server: SshServer, users: int) -> None:
        """C(users): how often C(close) will be called; the last one ends the session.

        Raises C(ImportError) without paramiko.
        """
        # Imported here, since it takes a quarter of a second, and most targets are reached straight.
        import paramiko

        self._paramiko = paramiko
        self._server = server
        self._users = users
        self._client: Any = None
        self._problem: Optional[str] = None
        self._lock = threading.Lock()

    def open(self, host: str, port: int, deadline: Deadline) -> Any:
        """A connection from the SSH server, like a socket. Raises C(Unreachable) and C(NoAnswer)."""
        paramiko = self._paramiko
        transport = self._session(deadline)
        try:
            channel = open_channel(paramiko, self._server, transport, host, port, deadline.left())
        except SshError as error:
            raise Unreachable(one_line(str(error))) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.is_active():
                raise NoAnswer(f"{deadline.passed}, nor a connection from {self._server}") from error
            raise Unreachable(one_line(f"the session with {self._server} ended: {said(error)}")) from error
        return _Channel(channel)

    def close(self) -> None:
        """One user less."""
        with self._lock:
            self._users -= 1
            if not self._users and self._client:
                self._client.close()

    def _session(self, deadline: Deadline) -> Any:
        if not self._lock.acquire(timeout=deadline.left()):
            raise Unreachable(f"{deadline.passed} from {self._server}")
        try:
            if self._problem is None and self._client is None:
                try:
                    self._client = self._connect(deadline)
                except SshError as error:
                    self._problem = one_line(str(error))
                except (Unreachable, NoAnswer) as error:
                    self._problem = one_line(f"no SSH session with {self._server}: {error}")
            if self._problem is not None:
                raise Unreachable(self._problem)
            return self._client.get_transport()
        finally:
            self._lock.release()

    def _connect(self, deadline: Deadline) -> Any:
        connection = Straight().open(self._server.host, self._server.port, deadline)
        try:
            # Half for the exchange of keys, and half for the login.
            return log_in(self._paramiko, self._server, deadline.left() / 2, connection)
        except (SshError, NoAnswer):
            connection.close()
            raise


class _Channel:
    """An SSH channel with those methods of a socket that are needed, and its errors."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.settimeout = channel.settimeout

    def recv(self, size: int) -> bytes:
        with _as_socket_error():
            return self._channel.recv(size)

    def sendall(self, data: bytes) -> None:
        with _as_socket_error():
            self._channel.sendall(data)

    def close(self) -> None:
        # A channel whose session is gone cannot say goodbye, and need not.
        with contextlib.suppress(OSError, Unreachable), _as_socket_error():
            self._channel.close()


@contextlib.contextmanager
def _as_socket_error() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # EOFError and SSHException, where the session has just died
        raise Unreachable(f"the SSH session ended: {one_line(said(error))}") from error
