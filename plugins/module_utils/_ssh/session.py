# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login at an SSH server whose host key is known, and connections from that server, with paramiko.

Until the host key is verified, the other side may be hostile. So there are limits of time and size, and whatever
paramiko raises becomes an C(SshError).
"""

from __future__ import annotations

import contextlib
import copy
import getpass
import os
import socket
import struct
import time
from typing import Any, Optional, Sequence, Tuple

from .._basis.text import one_line, shown
from .channel import Channel
from .errors import Refused, SshError, said
from .known_hosts import HostKey, Known, name_of, read_known
from .library import library, transport_over
from .private_key import load_private_key
from .server import Server

# RFC 4254, section 5.1.
_ADMINISTRATIVELY_PROHIBITED = 1

# Seconds between keepalives, so that firewalls on the way keep the session, and a dead session is noticed.
_KEEPALIVE = 30

# Bytes that a server may send until the user is logged in. About 5,000 are usual.
_LONGEST_LOGIN = 2**20

# The signatures that an RSA key of known_hosts may have; the last one only if the library still accepts it.
_RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


class Session:
    """A session through which any number of threads can open connections."""

    def __init__(self, server: Server, seconds: float) -> None:
        """Log in, within C(seconds). The server's host key must be in its C(known_hosts); nothing is added there.

        Raises C(SshError), and C(MissingLibrary) without paramiko.
        """
        self._paramiko = library()
        self._server = server
        deadline = _Deadline(seconds)
        known = _known(server)
        key = self._load_key()
        self._before = None if server.via is None else Session(server.via, deadline.left(server))
        try:
            connection = _connect(server, deadline) if self._before is None else self._before._hop(server, deadline)
        except BaseException:
            self._close_before()
            raise
        try:
            self._transport: Any = transport_over(connection)
        except BaseException:
            connection.close()
            self._close_before()
            raise
        try:
            self._exchange_keys(known, deadline)
            self._authenticate(key, deadline)
        except BaseException:
            self.close()
            raise
        connection.allowance = None
        self._transport.set_keepalive(_KEEPALIVE)

    @property
    def is_active(self) -> bool:
        """Whether the session is still alive."""
        return bool(self._transport.is_active())

    def open(self, host: str, port: int, seconds: float) -> Channel:
        """A connection from the server to a port.

        Raises C(Refused) if the server says no, and another C(SshError) if it does not answer or is gone.
        """
        return Channel(self._channel(host, port, seconds), str(self._server))

    def close(self) -> None:
        """End the session, with all connections through it."""
        self._transport.close()
        self._close_before()

    def _close_before(self) -> None:
        if self._before is not None:
            self._before.close()

    def _channel(self, host: str, port: int, seconds: float) -> Any:
        """Like C(open), but the library's own channel."""
        try:
            return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=seconds)
        except Exception as error:  # besides SSHException, EOFError and OSError, whatever a broken server causes
            refusal = self._transport.refusal()
            if refusal is None:
                # A refusal of another thread is all that the library says if the session has ended.
                reason = "the session ended" if isinstance(error, self._paramiko.ChannelException) else said(error)
                raise SshError(
                    f"{self._server} did not open a connection to {host} port {port}: {reason}", permanent=False
                ) from error
            code, text = refusal
            prohibited = code == _ADMINISTRATIVELY_PROHIBITED
            why = "does not allow connections to" if prohibited else "cannot connect to"
            raise Refused(f"{self._server} {why} {host} port {port}: {one_line(text)}", permanent=prohibited) from error

    def _hop(self, server: Server, deadline: _Deadline) -> _Hop:
        """A connection to the next server."""
        return _Hop(self._channel(server.host, server.port, deadline.left(server)), deadline.seconds)

    def _load_key(self) -> Any:
        """The private key; None to use the keys of the SSH agent."""
        server = self._server
        self._unusable = "no private_key is given"
        if server.private_key is None:
            return None
        try:
            return load_private_key(server.private_key)
        except SshError as error:
            if not server.or_agent:
                raise
            self._unusable = str(error)
            return None

    def _exchange_keys(self, known: Known, deadline: _Deadline) -> None:
        transport = self._transport
        transport.banner_timeout = deadline.left(self._server)
        options = transport.get_security_options()
        options.key_types = _known_first(options.key_types, known)
        try:
            transport.start_client(timeout=deadline.left(self._server))
            # After a timeout there is no key.
            shows = transport.get_remote_server_key().asbytes()
        except Exception as error:  # as above
            deadline.left(self._server)
            raise SshError(f"no SSH session with {self._server}: {said(error)}", permanent=False) from error
        _verify(self._server, HostKey(shows), known)

    def _authenticate(self, key: Any, deadline: _Deadline) -> None:
        """Log in with the key, or try the SSH agent's keys one after the other."""
        if key is not None:
            keys = [key]
            if key.public_blob:
                # A certificate comes first, but may have expired, or be for other servers.
                keys.append(copy.copy(key))
                keys[1].public_blob = None
            self._offer(keys, f"private key {shown(self._server.private_key)}", deadline)
            return
        server = self._server
        with contextlib.closing(self._agent(deadline)) as agent:
            keys = agent.get_keys()
            if not keys:
                raise SshError(
                    f"no SSH session with {server}: {self._unusable} and the SSH agent has no key",
                    permanent=True,
                )
            for each in keys:
                if each.inner_key is None:
                    # Older versions of the library lack this for keys that only the agent can use, and fall over it.
                    each.public_blob = None
            self._offer(keys, "keys of the SSH agent", deadline, from_agent=True)

    def _agent(self, deadline: _Deadline) -> Any:
        left = deadline.left(self._server)

        class Agent(self._paramiko.Agent):  # type: ignore[misc,name-defined]
            def _connect(self, conn: Any) -> None:
                # An agent that no longer answers would block everything, because the library sets no limit.
                if hasattr(conn, "settimeout"):
                    conn.settimeout(left)
                super()._connect(conn)

        try:
            return Agent()
        except (self._paramiko.SSHException, OSError, ValueError, struct.error) as error:  # anything may listen there
            raise SshError(
                f"no SSH session with {self._server}: the SSH agent does not list its keys: {said(error)}",
                permanent=True,
            ) from error

    def _offer(self, keys: Sequence[Any], used: str, deadline: _Deadline, *, from_agent: bool = False) -> None:
        server, transport = self._server, self._transport
        user = server.user or _local_user(server)
        problem = ""
        for refused, key in enumerate(keys):
            transport.auth_timeout = deadline.left(server)
            try:
                further = transport.auth_publickey(user, key)
            except Exception as error:  # besides AuthenticationException, whatever a broken server makes paramiko raise
                deadline.left(server)
                # Nothing but that says that the key was refused. The library may notice late that the connection ended.
                if not (transport.is_active() and isinstance(error, self._paramiko.AuthenticationException)):
                    raise self._cut_off(refused, len(keys) if from_agent else 1, error) from error
                problem = said(error)
                continue
            if further:
                raise SshError(
                    f"{server} wants more of user {shown(user)} than a key, which is not supported: "
                    f"{one_line(', '.join(further))}",
                    permanent=True,
                )
            return
        raise SshError(
            f"{server} does not let in user {shown(server.user or '(the local one)')} with the {used}: {problem}",
            permanent=True,
        )

    def _cut_off(self, refused: int, offered: int, error: Exception) -> SshError:
        """The connection ended during the login. This looks like a refusal, but another attempt may succeed."""
        if offered == 1:
            return SshError(
                f"no SSH session with {self._server}: the connection ended during the login: {said(error)}",
                permanent=False,
            )
        return SshError(
            f"no SSH session with {self._server}: it ended the connection at key {refused + 1} of the {offered} that the "
            "SSH agent has, most likely since it takes no more attempts (MaxAuthTries): set private_key, or have fewer "
            "keys in the agent",
            permanent=bool(refused),
        )


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    def left(self, server: Server) -> float:
        """Seconds that are left, more than 0. Raises C(SshError) if the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise SshError(
                f"no SSH session with {server}: no answer within {self.seconds:.3g} seconds", permanent=False
            )
        return left


class _Bounded:
    """Limits how many bytes may be received, None for no limit."""

    allowance: Optional[int] = _LONGEST_LOGIN

    def counted(self, data: bytes) -> bytes:
        """Count the received bytes, and return them."""
        if self.allowance is not None:
            self.allowance -= len(data)
            if self.allowance < 0:
                raise ConnectionAbortedError(0, "it keeps sending data, and the login never begins")
        return data


class _Socket(_Bounded, socket.socket):
    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.counted(super().recv(size, flags))


class _Hop(_Bounded):
    """The library's channel as the socket of another session."""

    def __init__(self, channel: Any, seconds: float) -> None:
        """C(seconds): how long the next server may take nothing of what is sent."""
        self._channel = channel
        self._seconds = seconds
        self._stuck_since: Optional[float] = None

    def recv(self, size: int) -> bytes:
        """Like that of a socket."""
        return self.counted(self._channel.recv(size))

    def send(self, data: bytes) -> int:
        """Like that of a socket. If nothing can be sent for too long, it closes, as a C(_Socket) does."""
        try:
            sent: int = self._channel.send(data)
        except socket.timeout:
            # The library tries again for ever, and nobody else could send or even begin to wait for an answer.
            now = time.monotonic()
            if self._stuck_since is None:
                self._stuck_since = now
            if now - self._stuck_since < self._seconds:
                raise
            self._channel.close()
            raise ConnectionAbortedError(0, "it takes no more data") from None
        self._stuck_since = None
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


def _connect(server: Server, deadline: _Deadline) -> _Socket:
    """A connection to the first of the server's addresses that accepts one."""
    began = f"no SSH session with {server}: "
    try:
        addresses = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SshError(f"{began}{server.host} has no address: {said(error)}", permanent=False) from error
    problem = "it has no address"
    for number, (family, kind, protocol, _name, where) in enumerate(addresses):
        try:
            connection = _Socket(family, kind, protocol)
        except OSError as error:  # an address family that this machine does not support
            problem = said(error)
            continue
        try:
            # The addresses share the time, so that a silent one, as of IPv6 behind a firewall, leaves some to others.
            connection.settimeout(deadline.left(server) / (len(addresses) - number))
            connection.connect(where)
            # Without this, a server that stops reading would block our writes, whatever limits paramiko has.
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(deadline.seconds * 1000)))
            return connection
        except OSError as error:
            connection.close()
            problem = f"cannot connect to {server.host} port {server.port}: {said(error)}"
        except BaseException:
            connection.close()
            raise
    raise SshError(began + problem, permanent=False)


def _known(server: Server) -> Known:
    try:
        return read_known(os.path.expanduser(server.known_hosts), server.host, server.port)
    except (OSError, ValueError) as error:
        raise SshError(
            f"known_hosts {shown(server.known_hosts)} cannot be read: {said(error)}", permanent=True
        ) from error


def _known_first(offered: Tuple[str, ...], known: Known) -> Tuple[str, ...]:
    """The library's host key algorithms, those of known keys first, so that the server shows a key that is known.

    The others follow, as in OpenSSH. So if the server has no known key, messages can name the key that it shows.
    """
    kinds = {key.kind for key in known.keys}
    wanted = kinds.union(_RSA_ALGORITHMS) if "ssh-rsa" in kinds else kinds
    return tuple(sorted(offered, key=lambda algorithm: algorithm not in wanted))


def _verify(server: Server, shows: HostKey, known: Known) -> None:
    """Raises C(SshError) unless the key is known and not revoked."""
    path = shown(server.known_hosts)
    if shows in known.revoked:
        raise SshError(
            f"{server} shows the {shows.kind} key {shows.fingerprint}, which {path} marks as revoked: do not trust what "
            "holds it",
            permanent=True,
        )
    if shows in known.keys:
        return
    name = shown(name_of(server.host, server.port))
    if known.keys:
        raise SshError(
            f"{server} shows the {shows.kind} key {shows.fingerprint}, but {path} holds "
            f"{', '.join(map(str, known.keys[:5]))}: it is another server, or somebody is in between",
            permanent=True,
        )
    only = "only with the key of a certificate authority (@cert-authority), which is not supported" * bool(
        known.authorities
    )
    raise SshError(
        f"{server} is {f'in {path} {only}' if only else f'not in {path}'}, so its {shows.kind} key {shows.fingerprint} "
        f"cannot be verified: find out whether it is right, then add it for {name}",
        permanent=True,
    )


def _local_user(server: Server) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a user ID without an account
        raise SshError(
            f"no SSH session with {server}: the local user has no name, so user has to be set", permanent=True
        ) from error
