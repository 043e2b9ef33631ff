# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the manager through an SSH server: one SSH session, and one of its channels for each connection.

TLS runs inside the channel, from here to the manager, so the jump host only sees what any router sees.
"""

from __future__ import annotations

import ssl
import threading
import typing as t

from .._ssh.errors import SshError

try:
    from urllib3.connection import HTTPSConnection
    from urllib3.util.ssltransport import SSLTransport
except ImportError:
    # pool.py reports that it is missing.
    if not t.TYPE_CHECKING:
        HTTPSConnection = object

if t.TYPE_CHECKING:
    from .._ssh.channel import Channel
    from .._ssh.server import Server
    from .._ssh.session import Session
    from .limit import Limit

# The tunnel could not be opened. If C(permanent), another attempt cannot succeed either.
TunnelError = SshError


class Tunnel:
    """An SSH session through which any number of threads can open connections. It is made when first needed."""

    def __init__(self, jump_host: Server, timeout: float) -> None:
        """C(timeout): seconds for the login, and for each connection. Raises C(MissingLibrary) without paramiko."""
        # Imported here, because most users have no jump host.
        from .._ssh.library import library
        from .._ssh.session import Session

        library()
        self._log_in = Session
        self._jump_host = jump_host
        self._timeout = timeout
        self._session: Session | None = None
        self._refusal: SshError | None = None
        # The last login that failed but may succeed another time.
        self._failure: SshError | None = None
        self._lock = threading.Lock()

    def open(self, host: str, port: int) -> Channel:
        """A connection from the jump host to C(host), as a socket.

        Raises C(TunnelError). If it is not permanent, the next call makes a new session if the old one has ended.
        """
        return self._live_session().open(host, port, self._timeout)

    def close(self) -> None:
        """End the session, with all connections through it."""
        with self._lock:
            self._end()

    def _live_session(self) -> Session:
        known = self._failure
        with self._lock:
            # Otherwise, every thread would repeat a permanent failure.
            if self._refusal is not None:
                raise TunnelError(str(self._refusal), permanent=True)
            if self._session is None or not self._session.is_active:
                if self._failure is not known:
                    # That was while this thread waited. If each tried in its turn, the last would wait for all others.
                    raise TunnelError(str(self._failure), permanent=False)
                self._end()
                try:
                    self._session = self._log_in(self._jump_host, self._timeout)
                except SshError as error:
                    if error.permanent:
                        self._refusal = error
                    else:
                        self._failure = error
                    raise
            return self._session

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


class TunneledConnection(HTTPSConnection):
    """An HTTPS connection whose bytes go through a C(Tunnel)."""

    # Set by the creator of the connection.
    limit: Limit

    def __init__(self, *args: t.Any, tunnel: Tunnel, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._way = tunnel
        self._channel: Channel | None = None

    def connect(self) -> None:
        """Open a channel to the manager, and do the TLS handshake in it, with the manager's name."""
        context = self.ssl_context
        if context is None:
            raise AssertionError("the pool gives every connection its own")
        channel = self._channel = self._way.open(self.host, self.port)
        channel.settimeout(self.timeout)
        channel.limit = self.limit
        try:
            # SSLTransport does TLS over any object that sends and receives, whatever its types say. ssl.SSLSocket only
            # works with a real socket.
            self.sock = SSLTransport(channel, context, self.host)  # type: ignore[arg-type]
        except BaseException:
            channel.close()
            raise
        self.is_verified = context.verify_mode == ssl.CERT_REQUIRED

    @property
    def is_connected(self) -> bool:
        """Whether the connection can take another request."""
        return self.sock is not None and self._channel is not None and self._channel.is_idle
