# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a manager is, read from a host name, a URL of its console or API, or an agent's address of its manager."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import NamedTuple, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from .._basis.errors import OptionError
from .communication import HEARTBEAT_PORT
from .regions import CLOUD_DOMAIN, LEGACY_DOMAIN

ADDRESS_FORM = "a host name, HOST:PORT, https://HOST:PORT, or dsm://HOST:PORT/ as agents have it"

# The text between // and the next slash. Some versions of Python's own parser accept other text around the brackets.
HOST_AND_PORT = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]+)?")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
# In characters. Shorter text may be any word or number: masking it would hide ordinary text and protect nothing.
LONG_ENOUGH = 8
# All text between a scheme and the last @.
_CREDENTIALS = re.compile(r"(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?/+)?(.*)@", re.DOTALL)
_IN_REGION = re.compile(rf"(?:[a-z0-9-]+\.)?workload\.([a-z0-9-]+)\.{re.escape(CLOUD_DOMAIN)}\.?")
# Neither a parent folder, nor a page of the console, such as SignIn.screen.
_FOLDER = re.compile(r"(?!\.{1,2}$)(?!.*\.screen$)(?!api$)[A-Za-z0-9._~-]+")


class ManagerAddress(NamedTuple):
    """An address of a manager.

    host: in lower case, an IPv6 address without brackets. console_port, heartbeat_port: the one that the address has,
    if any. path: the manager's folder behind a reverse proxy, such as C(/dsm), usually empty. region: the cloud's
    region in the host name, known or not; None for on-premises managers, and for accounts that are older than Cloud
    One.
    """

    host: str
    console_port: Optional[int] = None
    heartbeat_port: Optional[int] = None
    path: str = ""
    region: Optional[str] = None

    @property
    def is_cloud(self) -> bool:
        """Whether the vendor runs the manager."""
        return f".{self.host.rstrip('.')}".endswith((f".{CLOUD_DOMAIN}", f".{LEGACY_DOMAIN}"))

    @property
    def is_legacy(self) -> bool:
        """Whether it is one of the cloud's names for accounts that are older than Cloud One."""
        host = self.host.rstrip(".")
        return host == CLOUD_DOMAIN or f".{host}".endswith(f".{LEGACY_DOMAIN}")


def read_manager_address(text: str, option: str, form: str = ADDRESS_FORM) -> ManagerAddress:
    """Read an address. Raises C(OptionError), which never repeats a password in the text.

    Port 4120, and any port of C(dsm://), is the port of heartbeats. All other ports are the console's. C(https://)
    without a port means 443. C(form): what would be right, for errors.
    """
    if "://" in text:
        return _from_url(text, option, form)
    if "@" in text:
        raise OptionError(option, None, "it must hold no user name or password")
    _check_characters(text, option, form)
    # The colons of an IPv6 address without brackets are not followed by a port.
    netloc = f"[{text}]" if _is_ipv6(text) else text
    host, port = _host_and_port(f"//{netloc}", text, option, form)
    # A path, query or fragment is in neither of the two, and must not be dropped silently.
    if re.search(r"[/?#\\]", text):
        raise OptionError(option, text, f"it must be {form}")
    return _address(host, port, port == HEARTBEAT_PORT)


def secrets_in_address(text: str) -> Set[str]:
    """The secrets in the address of a manager or proxy, wherever the credentials are in it.

    Credentials are the text before the last @, because a password may contain anything. The result has them with and
    without the user name, without percent encoding, and as in a proxy's header.
    """
    found = _CREDENTIALS.match(text)
    if found is None:
        return set()
    credentials = found[1]
    password = credentials.partition(":")[2]
    secrets = {credentials, password, unquote(password), basic(unquote(credentials))}
    return {secret for secret in secrets if len(secret) >= LONG_ENOUGH}


def basic(credentials: str) -> str:
    """C(USER:PASSWORD) in the form of a Basic authentication header."""
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
    # Later steps may turn other characters into ASCII, and drop white space.
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
    """Whether a URL's host, in lower case and without brackets, is valid: an IPv6 address if it had brackets."""
    return _is_ipv6(host) if bracketed else _HOST_NAME.fullmatch(host) is not None


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6 and "%" not in host
    except ValueError:
        return False
