# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to a port: straight, or through an SSH server. And how long anything may take."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import unicodedata
from typing import Any, Iterator, NamedTuple, Optional

# RFC 4254, section 5.1.
_ADMINISTRATIVELY_PROHIBITED = 1


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
        return f"SSH server {self.host} port {self.port}"


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
        here = ("127.0.0.1", 0)
        try:
            channel = transport.open_channel("direct-tcpip", (host, port), here, timeout=deadline.left())
        except paramiko.ChannelException as error:
            prohibited = error.code == _ADMINISTRATIVELY_PROHIBITED
            why = "does not allow connections to" if prohibited else "cannot connect to"
            raise Unreachable(clean(f"{self._server} {why} {host} port {port}: {error.text}")) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.is_active():
                raise NoAnswer(f"{deadline.passed}, nor a connection from the {self._server}") from error
            raise Unreachable(clean(f"the session with the {self._server} ended: {_said(error)}")) from error
        return _Channel(channel)

    def close(self) -> None:
        """One user less."""
        with self._lock:
            self._users -= 1
            if not self._users and self._client:
                self._client.close()

    def _session(self, deadline: Deadline) -> Any:
        if not self._lock.acquire(timeout=deadline.left()):
            raise Unreachable(f"{deadline.passed} from the {self._server}")
        try:
            if self._problem is None and self._client is None:
                try:
                    self._client = self._connect(deadline)
                except (Unreachable, NoAnswer) as error:
                    self._problem = clean(f"no SSH session with the {self._server}: {error}")
            if self._problem is not None:
                raise Unreachable(self._problem)
            return self._client.get_transport()
        finally:
            self._lock.release()

    def _connect(self, deadline: Deadline) -> Any:
        paramiko = self._paramiko
        # Its threads log what is raised to the caller anyway, and without a handler that goes to standard error.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        server = self._server
        known_hosts = os.path.expanduser(server.known_hosts)
        client = paramiko.SSHClient()
        try:
            client.load_system_host_keys(known_hosts)
        except Exception as error:  # beside OSError, what a broken line raises depends on the library's version
            raise Unreachable(f"{known_hosts} cannot be read: {error}") from error
        client.set_missing_host_key_policy(_reject_unknown(known_hosts, paramiko))
        key = _private_key(server.private_key, paramiko)
        connection = Straight().open(server.host, server.port, deadline)
        # Each for the exchange of keys, and again for the login.
        seconds = deadline.left() / 2
        try:
            client.connect(
                server.host,
                port=server.port,
                username=server.user,
                pkey=key,
                allow_agent=key is None,
                look_for_keys=False,
                sock=connection,
                timeout=seconds,
                banner_timeout=seconds,
                auth_timeout=seconds,
            )
            return client
        except Unreachable:
            client.close()
            connection.close()
            raise
        except paramiko.BadHostKeyException as error:
            said = (
                f"it shows the {error.key.get_name()} key {error.key.fingerprint}, but {known_hosts} holds "
                f"{error.expected_key.get_name()} {error.expected_key.fingerprint}: it is another server, or somebody "
                "is in between"
            )
        except paramiko.AuthenticationException as error:
            used = f"private key {server.private_key}" if key else "keys of the SSH agent"
            said = f"it does not let in user {server.user or '(the local one)'} with the {used}: {error}"
        except (paramiko.SSHException, EOFError, OSError) as error:
            no_key = "No authentication methods" in str(error)
            said = "no private_key is given and the SSH agent has no key" if no_key else _said(error)
        except Exception as error:  # what a server that breaks the protocol makes paramiko raise
            said = _said(error)
        client.close()
        connection.close()
        raise Unreachable(said)


def _private_key(path: Optional[str], paramiko: Any) -> Any:
    if path is None:
        return None
    try:
        return paramiko.PKey.from_path(os.path.expanduser(path))
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise Unreachable(
            f"the private key {path} needs a passphrase: add it to the SSH agent and leave out private_key"
        ) from error
    except Exception as error:  # paramiko lets its cryptography library's many types through
        raise Unreachable(f"{path} is no private key that can be used: {error}") from error


def _reject_unknown(known_hosts: str, paramiko: Any) -> Any:
    class RejectUnknown(paramiko.RejectPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise Unreachable(
                f"it is not in {known_hosts}, so its {key.get_name()} key {key.fingerprint} cannot be verified: find "
                f"out whether it is right, then add it for {hostname}"
            )

    return RejectUnknown()


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
        raise Unreachable(f"the SSH session ended: {clean(_said(error))}") from error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def clean(text: str) -> str:
    """One line of at most 600 printable characters: a server's text must not steer a terminal or fill a log."""
    printable = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text[:6000])
    return " ".join(printable.split())[:600]
