# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server, and the options that describe one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional

from .._basis.errors import OptionError
from .._basis.files import readable_file
from .._basis.numbers import port_number
from .._basis.text import shown

if TYPE_CHECKING:
    from .configuration import Configured

SSH_PORT = 22
KNOWN_HOSTS = "~/.ssh/known_hosts"

# Documented in plugins/doc_fragments/connection.py and in plugins/modules/agent_cipher_probe.py, in the same words.
SERVER_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "private_key": {"type": "path", "no_log": False},
    "known_hosts": {"type": "path", "default": KNOWN_HOSTS},
    "ssh_config": {"type": "path"},
}

_LONGEST_HOST = 253


class Server(NamedTuple):
    """An SSH server, and how to log in: with this private key, or else with the keys of the SSH agent.

    The server's own key must be in C(known_hosts). C(role): the server's name in messages. or_agent: if the private key
    needs a passphrase, the same key in the SSH agent is used. via: another server, from which to connect to this one.
    """

    host: str
    port: int = SSH_PORT
    user: Optional[str] = None
    private_key: Optional[str] = None
    known_hosts: str = KNOWN_HOSTS
    role: str = "the SSH server"
    or_agent: bool = False
    via: Optional[Server] = None

    def __str__(self) -> str:
        return f"{self.role} {shown(self.host)} port {self.port}"


def read_server(option: str, given: object, role: str) -> Server:
    """The server that an option's suboptions describe; missing ones have their defaults.

    Raises C(OptionError) for the first wrong suboption. Sends nothing.
    """
    if not isinstance(given, Mapping):
        raise OptionError(option, given, "it must be a dictionary with at least host")
    private_key, ssh_config = _text(given, "private_key"), _text(given, "ssh_config")
    server = Server(
        host=_host(f"{option}.host", _text(given, "host")),
        port=SSH_PORT if given.get("port") is None else port_number(f"{option}.port", given["port"]),
        user=_user(f"{option}.user", _text(given, "user")),
        private_key=private_key and readable_file(f"{option}.private_key", private_key, "an SSH private key"),
        known_hosts=readable_file(
            f"{option}.known_hosts", _text(given, "known_hosts") or KNOWN_HOSTS, "the SSH server's host key"
        ),
        role=role,
    )
    if ssh_config is None:
        return server
    # Imported here, because most users have no such file, and most tasks use no SSH server.
    from .configuration import Configured

    path = readable_file(f"{option}.ssh_config", ssh_config, "a configuration of OpenSSH")
    own = Configured(server.host, None if given.get("port") is None else str(server.port), server.user)
    return _configured(f"{option}.ssh_config", path, server, own)


def _configured(option: str, path: str, server: Server, own: Configured, *, is_hop: bool = False) -> Server:
    """The server with the values of the configuration file, except those that C(own) has."""
    from .configuration import look_up, parts_of

    found = look_up(option, path, own.host)
    port, user = own.port or found.port, own.user or found.user
    alias = shown(own.host)
    try:
        server = server._replace(
            host=_host("HostName", found.host),
            port=SSH_PORT if port is None else port_number("Port", port),
            user=_user("User", user),
            private_key=server.private_key or found.identity,
            or_agent=server.private_key is None,
        )
        if found.jump is None:
            return server
        jump = parts_of(found.jump)
        hop = _host("ProxyJump", jump.host)
    except OptionError as error:
        said = f"its {error.option} for {alias} is wrong: {error.what_would_be_right}"
        raise OptionError(option, path, said) from None
    if hop.lower() in (own.host.lower(), server.host.lower()):
        # As in OpenSSH: a jump for all hosts does not apply to the server to jump through.
        return server
    if is_hop:
        must = f"{alias} is a ProxyJump and has one itself, and no more than one further server is supported"
        raise OptionError(option, path, must)
    via = Server(hop, known_hosts=server.known_hosts, role=f"ProxyJump of {server.role}")
    return server._replace(via=_configured(option, path, via, jump, is_hop=True))


def _text(given: Mapping[str, Any], name: str) -> Optional[str]:
    """The value as a plain str (ansible-core hands over tagged subclasses), None if it is missing or empty."""
    value = given.get(name)
    return None if value is None or value == "" else str(value)


def _host(option: str, host: Optional[str]) -> str:
    # A host cannot begin with a dash, and other SSH tools would read it as an option.
    if not host or host[0] == "-" or len(host) > _LONGEST_HOST or not all("!" <= each <= "~" for each in host):
        raise OptionError(option, host, "it must be the name or address of an SSH server, in ASCII")
    return host


def _user(option: str, user: Optional[str]) -> Optional[str]:
    if user is not None and not user.isprintable():
        raise OptionError(option, user, "it must be the name of a user, without control characters")
    return user
