# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the manager through an SSH server: one SSH session, and a channel of it for each connection.

TLS runs inside the channel, from here to the manager: the jump host sees only what any router sees.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
import typing as t

from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import MissingLibrary, clean

try:
    from urllib3.connection import HTTPSConnection
    from urllib3.util.ssltransport import SSLTransport
except ImportError:
    # transport.py reports that it is missing.
    HTTPSConnection = object

if t.TYPE_CHECKING:
    from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import JumpHost

# Seconds between signs of life, so that a firewall on the way keeps the session, and a dead one is noticed.
_KEEPALIVE = 30

# RFC 4254, section 5.1.
_ADMINISTRATIVELY_PROHIBITED = 1


class TunnelError(Exception):
    """The tunnel could not be opened. C(permanent) tells that another attempt cannot succeed either."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(clean(message))
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
        # Its threads log what is raised to the caller anyway, and without a handler that goes to standard error.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
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
            channel = transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=self._timeout)
        except self._paramiko.ChannelException as error:
            prohibited = error.code == _ADMINISTRATIVELY_PROHIBITED
            why = "does not allow connections to" if prohibited else "cannot connect to"
            raise TunnelError(f"{self} {why} {host} port {port}: {error.text}", permanent=prohibited) from error
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise TunnelError(
                f"{self} did not open a connection to {host} port {port}: {_said(error)}", permanent=False
            ) from error
        return ChannelSocket(channel)

    def close(self) -> None:
        """End the session, with everything that runs through it."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def __str__(self) -> str:
        return f"jump host {self._jump_host.host} port {self._jump_host.port}"

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
        paramiko = self._paramiko
        wanted = self._jump_host
        client = paramiko.SSHClient()
        try:
            client.load_system_host_keys(wanted.known_hosts)
        except Exception as error:  # beside OSError, what a broken line raises depends on the library's version
            raise TunnelError(f"{wanted.known_hosts} cannot be read: {error}", permanent=True) from error
        client.set_missing_host_key_policy(_reject_unknown(self, paramiko))
        key = self._private_key()
        try:
            client.connect(
                wanted.host,
                port=wanted.port,
                username=wanted.user,
                pkey=key,
                allow_agent=key is None,
                look_for_keys=False,
                timeout=self._timeout,
                banner_timeout=self._timeout,
                auth_timeout=self._timeout,
            )
            client.get_transport().set_keepalive(_KEEPALIVE)
            return client
        except TunnelError:
            client.close()
            raise
        except paramiko.BadHostKeyException as error:
            refused = TunnelError(
                f"{self} shows the {error.key.get_name()} key {error.key.fingerprint}, but "
                f"{wanted.known_hosts} holds {error.expected_key.get_name()} {error.expected_key.fingerprint}: it is "
                "another server, or somebody is in between",
                permanent=True,
            )
        except paramiko.AuthenticationException as error:
            used = f"private key {wanted.private_key}" if key else "keys of the SSH agent"
            refused = TunnelError(
                f"{self} does not let in user {wanted.user or '(the local one)'} with the {used}: {error}",
                permanent=True,
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            no_key = "No authentication methods" in str(error)
            detail = "no private_key is given and the SSH agent has no key" if no_key else _said(error)
            refused = TunnelError(f"no SSH session with {self}: {detail}", permanent=no_key)
        client.close()
        raise refused

    def _private_key(self) -> t.Any:
        path = self._jump_host.private_key
        if path is None:
            return None
        try:
            return self._paramiko.PKey.from_path(path)
        except (self._paramiko.PasswordRequiredException, TypeError) as error:
            raise TunnelError(
                f"the private key {path} needs a passphrase: add it to the SSH agent and leave out private_key",
                permanent=True,
            ) from error
        except Exception as error:  # paramiko lets its cryptography library's many types through
            raise TunnelError(f"{path} is no private key that can be used: {error}", permanent=True) from error


def _reject_unknown(tunnel: Tunnel, paramiko: t.Any) -> t.Any:
    class RejectUnknown(paramiko.RejectPolicy):
        def missing_host_key(self, client: t.Any, hostname: str, key: t.Any) -> None:
            raise TunnelError(
                f"{tunnel} is not in {tunnel._jump_host.known_hosts}, so its {key.get_name()} key {key.fingerprint} "
                f"cannot be verified: find out whether it is right, then add it for {hostname}",
                permanent=True,
            )

    return RejectUnknown()


class ChannelSocket:
    """An SSH channel with those methods of a socket that TLS and HTTP use, closed when its last reader is."""

    def __init__(self, channel: t.Any) -> None:
        self._channel = channel
        # As in socket.socket: makefile() counts up here, and its file counts down.
        self._io_refs = 0
        self._closed = False
        self.settimeout = channel.settimeout
        self.gettimeout = channel.gettimeout

    def recv(self, size: int) -> bytes:
        """At most C(size) bytes, none at the end of the connection. Raises C(OSError), as a socket does."""
        with _as_socket_error():
            return self._channel.recv(size)

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


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


@contextlib.contextmanager
def _as_socket_error() -> t.Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # EOFError and SSHException, where the session has just died
        raise ConnectionResetError(f"the SSH session ended: {_said(error)}") from error


class TunneledConnection(HTTPSConnection):
    """An HTTPS connection whose bytes go through a C(Tunnel)."""

    def __init__(self, *args: t.Any, tunnel: Tunnel, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._tunnel = tunnel

    def connect(self) -> None:
        """Open a channel to the manager, and do the TLS handshake in it, with the manager's name."""
        channel = self._tunnel.open(self.host, self.port)
        channel.settimeout(self.timeout)
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
