# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a manager is, from whatever names one: a host name, a URL of its console or API, or what an agent knows it by."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from .._basis.errors import OptionError
from .communication import HEARTBEAT_PORT
from .regions import CLOUD_DOMAIN, LEGACY_DOMAIN

ADDRESS_FORM = "a host name, HOST:PORT, https://HOST:PORT, or dsm://HOST:PORT/ as agents have it"

# What stands between // and the next slash. Not all versions of Python's own reader object to more around the brackets.
HOST_AND_PORT = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]+)?")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
# In characters. What is shorter may be any word or number: masking it would hide ordinary text, and protect nothing.
LONG_ENOUGH = 8
# Whatever is between a scheme and the last @.
_CREDENTIALS = re.compile(r"(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?/+)?(.*)@", re.DOTALL)
_IN_REGION = re.compile(rf"(?:[a-z0-9-]+\.)?workload\.([a-z0-9-]+)\.{re.escape(CLOUD_DOMAIN)}\.?")
# No way up, and no page of the console, such as SignIn.screen.
_FOLDER = re.compile(r"(?!\.{1,2}$)(?!.*\.screen$)(?!api$)[A-Za-z0-9._~-]+")


@dataclass(frozen=True)
class ManagerAddress:
    """An address of a manager.

    host: in lower case, an IPv6 address without brackets. console_port, heartbeat_port: whichever the address tells.
    path: the folder of the manager behind a reverse proxy, such as C(/dsm), mostly empty. region: of the cloud, as the
    host name has it, known or not; None for managers on the premises, and for accounts from before Cloud One.
    """

    host: str
    console_port: Optional[int] = None
    heartbeat_port: Optional[int] = None
    path: str = ""
    region: Optional[str] = None

    @property
    def is_cloud(self) -> bool:
        """Whether the vendor runs it."""
        return f".{self.host.rstrip('.')}".endswith((f".{CLOUD_DOMAIN}", f".{LEGACY_DOMAIN}"))


def read_manager_address(text: str, option: str, form: str = ADDRESS_FORM) -> ManagerAddress:
    """What an address tells. Raises C(OptionError), without a password that the text holds.

    A port of 4120 is that of heartbeats, as any port of C(dsm://) is; all others are the console's. C(https://) without
    a port means 443. C(form): what would be right, for errors.
    """
    if "://" in text:
        return _from_url(text, option, form)
    if "@" in text:
        raise OptionError(option, None, "it must hold no user name or password")
    _check_characters(text, option, form)
    # An IPv6 address without brackets has colons, and no port.
    netloc = f"[{text}]" if _is_ipv6(text) else text
    host, port = _host_and_port(f"//{netloc}", text, option, form)
    # Nothing but a host: a path, query or fragment has ended up in none of both.
    if re.search(r"[/?#\\]", text):
        raise OptionError(option, text, f"it must be {form}")
    return _address(host, port, port == HEARTBEAT_PORT)


def secrets_in_address(text: str) -> Set[str]:
    """What must not be shown of the address of a manager or proxy, wherever the credentials are in it.

    They are what is before the last @, since a password may hold anything: with the user name, alone, without percent
    encoding, and as a proxy's header has them.
    """
    found = _CREDENTIALS.match(text)
    if found is None:
        return set()
    credentials = found[1]
    password = credentials.partition(":")[2]
    secrets = {credentials, password, unquote(password), basic(unquote(credentials))}
    return {secret for secret in secrets if len(secret) >= LONG_ENOUGH}


def basic(credentials: str) -> str:
    """C(USER:PASSWORD) as headers have them."""
    return base64.b64encode(credentials.encode("utf-8", "surrogatepass")).decode("ascii")


def _from_url(text: str, option: str, form: str) -> ManagerAddress:
    if "@" in text:
        scheme, _slashes, rest = text.partition("//")
        raise OptionError(
            option,
            f"{scheme}//{rest.rpartition('@')[2]}",
            "it must hold no user name or password; an API key goes to option api_key",
        )
    _check_characters(text, option, form)
    host, port = _host_and_port(text, text, option, form)
    parts = urlsplit(text)
    if parts.scheme not in ("https", "dsm"):
        raise OptionError(option, text, f"it must be {form}; the API key is only sent over TLS")
    path = parts.path.rstrip("/")
    path = path[: -len("/api")] if path.endswith("/api") else path
    is_path = all(_FOLDER.fullmatch(folder) for folder in path.split("/")[1:])
    if not is_path or parts.query or parts.fragment or text.endswith(("?", "#")):
        raise OptionError(
            option, text, f"it must end after the port, after the folder that the manager is in, or with /api: {form}"
        )
    beats = parts.scheme == "dsm" or port == HEARTBEAT_PORT
    address = _address(host, port or (HEARTBEAT_PORT if beats else 443), beats, path)
    if path and address.is_cloud:
        raise OptionError(
            option, text, f"it must end after the host, or with /api, as the cloud has no folders: {form}"
        )
    return address


def _address(host: str, port: Optional[int], beats: bool, path: str = "") -> ManagerAddress:
    region = _IN_REGION.fullmatch(host)
    return ManagerAddress(host, None if beats else port, port if beats else None, path, region[1] if region else None)


def _check_characters(text: str, option: str, form: str) -> None:
    # What is not ASCII may become so on the way, and white space vanish.
    if not text.isascii() or re.search(r"[\x00-\x20\x7f]", text):
        raise OptionError(option, text, f"it must be {form}, in ASCII and without white space")


def _host_and_port(url: str, text: str, option: str, form: str) -> Tuple[str, Optional[int]]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OptionError(option, text, f"it must be {form}") from None
    if not is_host(host, "[" in parts.netloc) or port == 0 or not HOST_AND_PORT.fullmatch(parts.netloc):
        raise OptionError(option, text, f"it must be {form}")
    return host, port


def is_host(host: str, bracketed: bool) -> bool:
    """Whether a host of a URL, in lower case and without brackets, can be one: an IPv6 address if it had brackets."""
    return _is_ipv6(host) if bracketed else _HOST_NAME.fullmatch(host) is not None


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6 and "%" not in host
    except ValueError:
        return False
