# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of agent_cipher_probe."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .._agent.tls_versions import VERSIONS, normalize
from .._basis.errors import OptionError
from .._basis.numbers import in_range, port_number
from .._ssh.server import SERVER_ARGUMENTS, read_server
from .._vendor.communication import AGENT_PORT
from .offered import OFFERED, can_be_in, code_of
from .probe import Inquiry, Listener

ARGUMENTS: Dict[str, Any] = dict(
    targets=dict(
        type="list",
        elements="dict",
        required=True,
        options=dict(
            host=dict(type="str"),
            port=dict(type="int", default=AGENT_PORT),
            agent_version=dict(type="str"),
            server_name=dict(type="str"),
            ssh=dict(
                type="dict",
                options=SERVER_ARGUMENTS,
            ),
        ),
        required_one_of=[["host", "ssh"]],
    ),
    versions=dict(type="list", elements="str"),
    suites=dict(type="list", elements="str"),
    timeout=dict(type="float", default=5),
    target_timeout=dict(type="float", default=10),
    concurrency=dict(type="int", default=100),
)

# The agent's own address, as its host sees it.
_LOOPBACK = "127.0.0.1"


def read_options(params: Mapping[str, Any]) -> Tuple[List[Listener], Inquiry]:
    """The targets, and what to ask them. Raises C(ValueError) for the first wrong option."""
    targets = [_target(f"targets[{index}]", options) for index, options in enumerate(params["targets"])]
    versions, suites = _versions(params["versions"]), _suites(params["suites"])
    if not any(can_be_in(suite, version) for suite in suites for version in versions):
        labels = ", ".join(f"TLSv{version}" for version in versions)
        raise OptionError("suites", params["suites"], f"it must hold a cipher suite that exists in {labels}")
    return targets, Inquiry(
        versions=versions,
        suites=suites,
        timeout=in_range("timeout", params["timeout"], 0.1, 60, "a number of seconds"),
        target_timeout=in_range("target_timeout", params["target_timeout"], 0.1, 600, "a number of seconds"),
        concurrency=in_range("concurrency", params["concurrency"], 1, 256, "a number of targets"),
    )


def _versions(given: Optional[List[str]]) -> Tuple[str, ...]:
    found = []
    for text in VERSIONS if given is None else given:
        version = normalize(text)
        if version is None:
            raise OptionError("versions", text, "it must be a version of TLS from 1.0 to 1.3, such as 'TLSv1.2'")
        found.append(version)
    if not found:
        raise OptionError("versions", given, "it must hold a version of TLS, or be left out for all")
    return tuple(sorted(set(found)))


def _suites(given: Optional[List[str]]) -> Tuple[int, ...]:
    if given is None:
        return tuple(OFFERED)
    codes = []
    for text in given:
        code = code_of(text)
        if code is None:
            raise OptionError(
                "suites", text, "it must be the IANA name of a cipher suite or a code point such as 0xC02F"
            )
        codes.append(code)
    if not codes:
        raise OptionError("suites", given, "it must hold a cipher suite, or be left out for all")
    return tuple(dict.fromkeys(codes))


def _host(option: str, text: Optional[str]) -> str:
    # For Ansible, an option that is null is given.
    if text is None or not 0 < len(text) <= 253 or any(not "!" <= character <= "~" for character in text):
        raise OptionError(option, text, "it must be the name or address of a host, in ASCII")
    return text


def _target(option: str, options: Mapping[str, Any]) -> Listener:
    ssh = options["ssh"]
    host = _host(f"{option}.host", _LOOPBACK if options["host"] is None and ssh is not None else options["host"])
    name = options["server_name"]
    return Listener(
        host=host,
        port=port_number(f"{option}.port", options["port"]),
        agent_version=options["agent_version"],
        server_name=_name_in(host) if name is None else _host(f"{option}.server_name", name),
        ssh=None if ssh is None else read_server(f"{option}.ssh", ssh, "the SSH server"),
    )


def _name_in(host: str) -> Optional[str]:
    """The host's name for the handshake, which takes no addresses (RFC 6066)."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.rstrip(".")
    return None
