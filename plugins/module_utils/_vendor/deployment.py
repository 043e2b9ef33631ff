# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a manager is: its base URL, and what the URL says about the manager."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .._basis.errors import OptionError
from .communication import CONSOLE_PORT
from .manager_address import read_manager_address
from .regions import CLOUD_DOMAIN, LEGACY_DOMAIN, known_region

CLOUD = "cloud"
ON_PREMISES = "on_premises"
DEPLOYMENTS = (CLOUD, ON_PREMISES)

# Accounts that are older than Cloud One log in here, with the header of on-premises managers.
_LEGACY_CONSOLE = f"app.{LEGACY_DOMAIN}"
_LEGACY_AGENTS = f"agents.{LEGACY_DOMAIN}"
_LEGACY_HOSTS = (CLOUD_DOMAIN, _LEGACY_CONSOLE)

_URL_FORM = "https://HOST:PORT of the manager, such as https://dsm.example.com:4119"


def url_for_region(region: str) -> str:
    """The base URL of a region's manager, with C(/api). Raises C(OptionError) for an unknown region."""
    known_region(region, otherwise="; for any other, use option url")
    return f"https://workload.{region}.{CLOUD_DOMAIN}/api"


def normalize_url(url: str) -> str:
    """C(https://host[:port][/folder]/api) for any accepted spelling of a manager's URL.

    C(/api) may be missing. An address for agents, with C(dsm://) or port 4120, becomes the console's usual port on the
    same host. A name of the cloud for agents becomes the manager's own name. Raises C(OptionError) for anything else,
    and never repeats a password in the URL.
    """
    if "://" not in url:
        # The value may be an API key, which is ID:SECRET, in the wrong option.
        raise OptionError("url", None if re.search("@|^[0-9]+:", url) else url, f"it must be {_URL_FORM}")
    address = read_manager_address(url, "url", _URL_FORM)
    if re.fullmatch(r"api\.([a-z]+\.)?xdr\.trendmicro\.(com|co\.jp)", address.host):
        raise OptionError(
            "url", url, "it is Vision One's own API, which has no policies; use option region, or the manager's URL"
        )
    host, port = address.host, address.console_port
    if address.is_cloud:
        host = host.rstrip(".")
    if address.region and not host.startswith("workload."):
        host, port = f"workload.{address.region}.{CLOUD_DOMAIN}", None
    elif host == _LEGACY_AGENTS:
        host, port = _LEGACY_CONSOLE, None
    elif address.heartbeat_port and not address.is_cloud:
        port = CONSOLE_PORT
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}{'' if port in (None, 443) else f':{port}'}{address.path}/api"


def deployment_of(url: str) -> str:
    """C(CLOUD) or C(ON_PREMISES), told from the host of a normalized URL."""
    host = urlsplit(url).hostname or ""
    cloud = host in _LEGACY_HOSTS or host.endswith(f".{CLOUD_DOMAIN}")
    return CLOUD if cloud else ON_PREMISES


def is_legacy(url: str) -> bool:
    """Whether the host of a normalized URL is the cloud's entrance for accounts that are older than Cloud One."""
    return urlsplit(url).hostname in _LEGACY_HOSTS
