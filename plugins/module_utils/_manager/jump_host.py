# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the manager through an SSH server: one SSH session, and a channel of it for each connection.

TLS runs inside the channel, from here to the manager: the jump host sees only what any router sees.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import typing as t

from .._basis.errors import MissingLibrary
from .._basis.text import one_line
from .._ssh.session import SshError, log_in, open_channel, said

try:
    from urllib3.connection import HTTPSConnection
    from urllib3.util.ssltransport import SSLTransport
except ImportError:
    # transport.py reports that it is missing.
    HTTPSConnection = object

if t.TYPE_CHECKING:
    from .connection import JumpHost
    from .limit import Limit

# Seconds between signs of life, so that a firewall on the way keeps the session, and a dead one is noticed.
_KEEPALIVE = 30


class TunnelError(Exception):
    """The tunnel could not be opened. C(permanent) tells that another attempt cannot succeed either."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(one_line(message))
        self.permanent = permanent


class Tunnel:
    """An SSH session through which any number of threads open connections. It is made when first needed."""

    def __init__(self, jump_host: JumpHost, timeout: float) -> None:
        """C(timeout): seconds for each step of the SSH session. Raises C(MissingLibrary) without paramiko."""
        # Imported here, since it takes a quarter of a second, and most users have no jump host.
        try:
            import paramiko
        except ImportError as error:
            raise MissingLibrary("paramiko", str(error)) from error
        self._paramiko = paramiko
        self._jump_host = jump_host
        self._timeout = timeout
        self._client: t.Any = None
        self._refusal: str | None = None
        self._lock = threading.Lock()

    def open(self, host: str, port: int) -> ChannelSocket:
        """A connection from the jump host to C(host), as a socket.

        Raises C(TunnelError). Where it is not permanent, the next call makes the session anew if that has died.
        """
        transport = self._session()
        try:
            channel = open_channel(self._paramiko, self._jump_host, transport, host, port, self._timeout)
        except SshError as error:
            raise TunnelError(str(error), permanent=error.permanent) from error
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise TunnelError(
                f"{self._jump_host} did not open a connection to {host} port {port}: {said(error)}", permanent=False
            ) from error
        return ChannelSocket(channel)

    def close(self) -> None:
        """End the session, with everything that runs through it."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _session(self) -> t.Any:
        """The transport of a live SSH session."""
        with self._lock:
            # Every thread would otherwise repeat what has just been refused for good.
            if self._refusal is not None:
                raise TunnelError(self._refusal, permanent=True)
            transport = self._client and self._client.get_transport()
            if transport is None or not transport.is_active():
                if self._client is not None:
                    self._client.close()
                    self._client = None
                try:
                    self._client = self._connect()
                except TunnelError as error:
                    if error.permanent:
                        self._refusal = str(error)
                    raise
                transport = self._client.get_transport()
            return transport

    def _connect(self) -> t.Any:
        try:
            client = log_in(self._paramiko, self._jump_host, self._timeout)
        except SshError as error:
            raise TunnelError(str(error), permanent=error.permanent) from error
        client.get_transport().set_keepalive(_KEEPALIVE)
        return client


class ChannelSocket:
    """An SSH channel with those methods of a socket that TLS and HTTP use, closed when its last reader is."""

    def __init__(self, channel: t.Any) -> None:
        self._channel = channel
        # As in socket.socket: makefile() counts up here, and its file counts down.
        self._io_refs = 0
        self._closed = False
        # Of the connection that this is for: asked before each wait.
        self.limit: Limit | None = None
        self.settimeout = channel.settimeout
        self.gettimeout = channel.gettimeout

    def recv(self, size: int) -> bytes:
        """At most C(size) bytes, none at the end of the connection. Raises C(OSError), as a socket does."""
        if self.limit is not None:
            self.limit.before_wait(self)
        with _as_socket_error():
            data: bytes = self._channel.recv(size)
        if self.limit is not None:
            self.limit.received(len(data))
        return data

    def sendall(self, data: bytes) -> None:
        """Send everything. Raises C(OSError), as a socket does."""
        with _as_socket_error():
            self._channel.sendall(data)

    @property
    def is_idle(self) -> bool:
        """Whether the channel is open in both directions, and nothing has come in that nobody asked for."""
        channel = self._channel
        return not (channel.closed or channel.eof_received or channel.recv_ready())

    def close(self) -> None:
        """Close the channel, or leave that to the last file made of it."""
        self._closed = True
        if self._io_refs <= 0:
            # A channel whose session is gone cannot say goodbye, and need not.
            with contextlib.suppress(OSError), _as_socket_error():
                self._channel.close()

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed:
            self.close()


@contextlib.contextmanager
def _as_socket_error() -> t.Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # EOFError and SSHException, where the session has just died
        raise ConnectionResetError(f"the SSH session ended: {said(error)}") from error


class TunneledConnection(HTTPSConnection):
    """An HTTPS connection whose bytes go through a C(Tunnel)."""

    # Set by who makes the connection.
    limit: Limit

    def __init__(self, *args: t.Any, tunnel: Tunnel, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._tunnel = tunnel

    def connect(self) -> None:
        """Open a channel to the manager, and do the TLS handshake in it, with the manager's name."""
        channel = self._tunnel.open(self.host, self.port)
        channel.settimeout(self.timeout)
        channel.limit = self.limit
        try:
            # SSLTransport does TLS over anything that sends and receives; ssl.SSLSocket only over a real socket.
            self.sock = SSLTransport(channel, self.ssl_context, self.host)
        except BaseException:
            channel.close()
            raise
        self.is_verified = self.ssl_context.verify_mode == ssl.CERT_REQUIRED

    @property
    def is_connected(self) -> bool:
        """Whether the connection can take another request."""
        return self.sock is not None and self.sock.socket.is_idle
