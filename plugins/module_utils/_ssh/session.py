# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH with paramiko: logging in to a server whose host key is known, and connections from there."""

from __future__ import annotations

import logging
import os
import typing as t

# RFC 4254, section 5.1.
_ADMINISTRATIVELY_PROHIBITED = 1


class Server(t.Protocol):
    """An SSH server, and how to log in: with this private key, or else with the keys of the SSH agent.

    Its text names it in messages, such as C(jump host bastion.example.com port 22).
    """

    host: str
    port: int
    user: str | None
    private_key: str | None
    known_hosts: str


class SshError(Exception):
    """Something was refused, or broke; the text says what and why. C(permanent): another attempt cannot do better."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


def log_in(paramiko: t.Any, server: Server, timeout: float, sock: t.Any = None) -> t.Any:
    """A session: paramiko's C(SSHClient). The server's host key must be in its C(known_hosts); nothing is added there.

    C(timeout): seconds for each step. C(sock): a connection to the server, if there is one already.
    Raises C(SshError). C(paramiko) is handed over, since who imports it has to say what to do where it is missing.
    """
    # Its threads log what is raised to the caller anyway, and without a handler that goes to standard error.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    known_hosts = os.path.expanduser(server.known_hosts)
    client = paramiko.SSHClient()
    try:
        client.load_system_host_keys(known_hosts)
    except Exception as error:  # beside OSError, what a broken line raises depends on the library's version
        raise SshError(f"{known_hosts} cannot be read: {error}", permanent=True) from error
    client.set_missing_host_key_policy(_reject_unknown(server, known_hosts, paramiko))
    key = _private_key(server.private_key, paramiko)
    try:
        client.connect(
            server.host,
            port=server.port,
            username=server.user,
            pkey=key,
            allow_agent=key is None,
            look_for_keys=False,
            sock=sock,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
        )
        return client
    except SshError as error:
        refused = error
    except paramiko.BadHostKeyException as error:
        refused = SshError(
            f"{server} shows the {error.key.get_name()} key {error.key.fingerprint}, but {known_hosts} holds "
            f"{error.expected_key.get_name()} {error.expected_key.fingerprint}: it is another server, or somebody is in "
            "between",
            permanent=True,
        )
    except paramiko.AuthenticationException as error:
        used = f"private key {server.private_key}" if key else "keys of the SSH agent"
        # A connection that is cut during the login looks like a refusal, but says nothing of the next one.
        transport = client.get_transport()
        refused = SshError(
            f"{server} does not let in user {server.user or '(the local one)'} with the {used}: {error}",
            permanent=transport is not None and transport.is_active(),
        )
    except Exception as error:  # beside SSHException, EOFError and OSError, what a broken server makes paramiko raise
        no_key = "No authentication methods" in str(error)
        detail = "no private_key is given and the SSH agent has no key" if no_key else said(error)
        refused = SshError(f"no SSH session with {server}: {detail}", permanent=no_key)
    client.close()
    raise refused


def open_channel(paramiko: t.Any, server: Server, transport: t.Any, host: str, port: int, timeout: float) -> t.Any:
    """A connection from the server to a port, as paramiko's channel.

    Raises C(SshError) where the server refuses it, and what paramiko raises where the session breaks.
    """
    try:
        return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout)
    except paramiko.ChannelException as error:
        prohibited = error.code == _ADMINISTRATIVELY_PROHIBITED
        why = "does not allow connections to" if prohibited else "cannot connect to"
        raise SshError(f"{server} {why} {host} port {port}: {error.text}", permanent=prohibited) from error


def said(error: Exception) -> str:
    """What an error says, or at least its kind."""
    return str(error) or type(error).__name__


def _private_key(path: str | None, paramiko: t.Any) -> t.Any:
    if path is None:
        return None
    try:
        return paramiko.PKey.from_path(os.path.expanduser(path))
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise SshError(
            f"the private key {path} needs a passphrase: add it to the SSH agent and leave out private_key",
            permanent=True,
        ) from error
    except Exception as error:  # paramiko lets its cryptography library's many types through
        raise SshError(f"{path} is no private key that can be used: {error}", permanent=True) from error


def _reject_unknown(server: Server, known_hosts: str, paramiko: t.Any) -> t.Any:
    class RejectUnknown(paramiko.RejectPolicy):
        def missing_host_key(self, client: t.Any, hostname: str, key: t.Any) -> None:
            raise SshError(
                f"{server} is not in {known_hosts}, so its {key.get_name()} key {key.fingerprint} cannot be verified: "
                f"find out whether it is right, then add it for {hostname}",
                permanent=True,
            )

    return RejectUnknown()
