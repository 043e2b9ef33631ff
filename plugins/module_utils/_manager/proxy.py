# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP proxy for the manager: where it is configured, and which parts of it must never be shown."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from .._basis.errors import OptionError
from .._vendor.manager_address import HOST_AND_PORT, LONG_ENOUGH, basic, is_host, secrets_in_address

PROXY_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    # It may hold a password.
    "proxy": {"type": "str", "no_log": True},
    "use_proxy": {"type": "bool", "default": True},
}

# As in curl and in Python's libraries, the first one counts if both are set.
VARIABLES = ("https_proxy", "HTTPS_PROXY")
_BYPASS_VARIABLES = ("no_proxy", "NO_PROXY")

PROXY_EXPOSED = (
    "the password of the proxy came through the command line of a program that started this task, where ps shows it to "
    "every user of the machine: by environment: of a task, block or play, or after -e of ansible-playbook. Give it by "
    "option proxy from a vault, or in the environment of ansible-playbook itself, and replace this password"
)

_FORM = "it must be http://[USER:PASSWORD@]HOST[:PORT], such as http://proxy.example.com:3128"
_PORT = 80

# Text like this cannot contain a password, unless it is the number. Other text may, even in a wrong place, as in
# USER:PASSWORD.
_WITHOUT_PASSWORD = re.compile(r"((?:[A-Za-z0-9+.-]*://)?(?:\[[^\[\]@]*\]|[^:\[\]@]*))(?::([0-9]+))?([/?#][^:@]*)?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. Neither its repr nor its text has the user name and password.

    origin: where it was configured. credentials: C(USER:PASSWORD). told: the original text if it has credentials, or
    empty.
    """

    host: str
    port: int
    origin: str
    credentials: str | None = field(default=None, repr=False)
    told: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.host} port {self.port} (from {self.origin})"

    @property
    def name(self) -> str:
        """Its text for messages, if the host may not exist: in USER:PASSWORD, the port is the password."""
        return f"the proxy {self.host} (from {self.origin})"

    @property
    def url(self) -> str:
        """C(http://HOST:PORT)."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def headers(self) -> dict[str, str]:
        """The header that authenticates at the proxy."""
        return {} if self.credentials is None else {"Proxy-Authorization": f"Basic {basic(self.credentials)}"}


def read_proxy(params: Mapping[str, t.Any], url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for the manager's URL, from the option C(proxy) or else the environment; C(None) for no proxy.

    Raises C(OptionError), which never shows a user name or password.
    """
    if not params.get("use_proxy", True):
        return None
    given = _text(params.get("proxy"))
    if given is not None:
        return _proxy(given, "option proxy")
    name = next((name for name in VARIABLES if name in environment), "")
    given = _text(environment.get(name))
    if given is None or _is_bypassed(url, environment):
        return None
    return _proxy(given, f"{name} in the environment")


def proxy_secrets(params: Mapping[str, t.Any], environment: Mapping[str, str]) -> set[str]:
    """The secrets of proxies in the options or the environment: all text that contains their passwords."""
    secrets = set()
    for given in (params.get("proxy"), *map(environment.get, VARIABLES)):
        text = _text(given) or ""
        secrets |= secrets_in_address(text)
        if may_hold_password(text) and len(text) >= LONG_ENOUGH:
            secrets.add(text)
    return secrets


def may_hold_password(given: str) -> bool:
    """Whether a value for a proxy, valid or not, may contain a password.

    A number that can be a port counts as one.
    """
    found = _WITHOUT_PASSWORD.fullmatch(given)
    # Python refuses to read a number with thousands of digits.
    return found is None or int((found[2] or "0")[:6]) > _HIGHEST_PORT


def _shown(given: str) -> str | None:
    """The text of a wrong proxy for an error; C(None) if it may contain a password, which can be a number."""
    found = _WITHOUT_PASSWORD.fullmatch(given)
    return found and f"{found[1]}{':...' if found[2] else ''}{found[3] or ''}"


def _proxy(given: str, origin: str) -> Proxy:
    address = given if "://" in given else f"http://{given}"
    wrong = OptionError(
        "proxy",
        _shown(given),
        f"{_FORM}{'' if origin == 'option proxy' else f' (it is {origin})'}",
    )
    if not all("!" <= character <= "~" for character in address):
        raise wrong
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", _PORT if parts.port is None else parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "http" or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong
    place = parts.netloc.rpartition("@")[2]
    if not is_host(host, "[" in place) or not HOST_AND_PORT.fullmatch(place):
        raise wrong
    credentials = None
    if "@" in parts.netloc:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        # All programs end the user name at the first colon.
        if ":" in user or not (user + password).isprintable():
            raise wrong
        credentials = f"{user}:{password}"
    return Proxy(host, port, origin, credentials, "" if credentials is None else given)


def _is_bypassed(url: str, environment: Mapping[str, str]) -> bool:
    """Whether C(NO_PROXY) names the manager, as Python's urllib reads it, with networks as its requests does.

    A name, with or without a leading dot, matches itself and all names below it; with a port, only that port. C(*)
    matches everything. An IPv6 address may be in brackets.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = f":{parts.port or 443}"
    name = next((name for name in _BYPASS_VARIABLES if name in environment), "")
    for entry in environment.get(name, "").lower().split(","):
        entry = entry.strip().lstrip(".")
        # In an IPv6 address without brackets, the last colon does not start a port.
        if entry.startswith("[") or entry.count(":") == 1:
            entry = entry.removesuffix(port).strip("[]")
        entry = entry.rstrip(".")
        if entry == "*" or (entry and f".{host}".endswith(f".{entry}")):
            return True
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
    return False


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
