# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module: which manager, in which direction, and how long it may take."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Tuple
from urllib.parse import urlsplit

from .._basis.errors import OptionError
from .._basis.numbers import in_range, port_number
from .._basis.plain import items
from .._dns.records import address, host_name
from .._vendor.communication import CONSOLE_PORT, DIRECTIONS, HEARTBEAT_PORT
from .._vendor.regions import CLOUD_DOMAIN, LEGACY_DOMAIN
from .endpoints import Endpoint, cloud_endpoints, own_endpoints

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "region": {"type": "str"},
    "manager": {"type": "str"},
    "heartbeat_port": {"type": "int", "default": HEARTBEAT_PORT},
    "relays": {"type": "list", "elements": "str", "default": []},
    "direction": {"type": "str", "required": True, "choices": list(DIRECTIONS)},
    "timeout": {"type": "float", "default": 10.0},
}
ONE_OF = ("region", "manager")

# Below this, a host that works is taken for one that does not answer; above, nobody waits for it.
_SHORTEST, _LONGEST = 1, 300


def read_options(params: Dict[str, Any]) -> List[Endpoint]:
    """The endpoints that the options mean. Raises C(OptionError) for an option that cannot be right."""
    in_range("timeout", params["timeout"], _SHORTEST, _LONGEST, "a number of seconds")
    if params["region"] is not None:
        if params["relays"]:
            raise OptionError("relays", params["relays"], "a region has its own; leave this out with option region")
        return cloud_endpoints(params["region"], params["direction"])
    host, console_port = _manager(params["manager"])
    heartbeat_port = port_number("heartbeat_port", params["heartbeat_port"])
    relays = [_host(relay, "relays") for relay in items(params["relays"])]
    return own_endpoints(host, console_port, heartbeat_port, relays, params["direction"])


def _manager(text: str) -> Tuple[str, int]:
    """The host and the port of the console, from a host name, an address, or the URL that other modules take."""
    if "//" not in text:
        return _host(text, "manager"), CONSOLE_PORT
    form = "it must be a host name or https://HOST:PORT, such as https://dsm.example.com:4119"
    # What is not ASCII may become so on the way, and white space vanish.
    if not text.isascii() or re.search(r"[\x00-\x20\x7f]", text):
        raise OptionError("manager", None, f"{form}, in ASCII and without white space")
    try:
        parts = urlsplit(text)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise OptionError("manager", None, form) from None
    if parts.scheme != "https" or "@" in parts.netloc:
        # Not shown, as it may hold a password.
        raise OptionError("manager", None, form)
    return _host(name, "manager"), port_number("manager", 443 if port is None else port)


def _host(text: str, option: str) -> str:
    try:
        return address(text, option)
    except OptionError:
        name = host_name(text, option)
    if f".{name}".endswith((f".{CLOUD_DOMAIN}", f".{LEGACY_DOMAIN}")):
        raise OptionError(option, text, "the cloud has many host names; use option region instead")
    return name
