# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where managers are: the cloud's regions, a manager's base URL, and what both tell about it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .._basis.errors import OptionError

CLOUD = "cloud"
ON_PREMISES = "on_premises"
DEPLOYMENTS = (CLOUD, ON_PREMISES)

# Each region with the subnets that its manager connects from to port 4118 of agents, as published by the vendor in
# "Workload Security port numbers" and "Firewall exception requirements" (United States), read in November 2026.
# They may change.
REGIONS: dict[str, tuple[str, ...]] = {
    "ae-1": ("40.172.62.0/27", "18.96.96.128/27"),
    "au-1": ("3.26.127.96/27", "18.98.193.32/27"),
    "ca-1": ("3.99.65.64/27", "18.99.0.224/27"),
    "de-1": ("3.69.198.64/27", "18.96.34.160/27"),
    "gb-1": ("18.169.230.160/27", "18.98.162.128/27"),
    "in-1": ("3.108.13.32/27", "18.96.226.0/27"),
    "jp-1": ("35.75.131.96/27", "18.99.69.160/27"),
    "sg-1": ("13.214.15.0/27", "18.99.38.64/27"),
    "trend-us-1": ("3.140.136.224/27", "18.97.133.160/27"),
    "us-1": ("34.205.5.0/27", "18.97.19.0/27"),
}

_CLOUD_DOMAIN = "cloudone.trendmicro.com"
# Accounts from before Cloud One log in here, with the header that managers on the premises use.
_LEGACY_HOSTS = (_CLOUD_DOMAIN, "app.deepsecurity.trendmicro.com")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
# User name and password: what is before the last @ of the part between // and the next /, ? or #.
_USERINFO = re.compile(r"//[^/?#]*@")
_URL_FORM = "https://HOST:PORT of the manager, such as https://dsm.example.com:4119"


def manager_subnets(region: str) -> tuple[str, ...]:
    """The subnets, in CIDR notation, from which a region's manager connects to agents.

    Raises C(OptionError) for a region that is not known, naming those that are.
    """
    try:
        return REGIONS[region]
    except KeyError:
        pass
    raise OptionError("region", region, f"it must be one of {', '.join(REGIONS)}; for any other, use option url")


def url_for_region(region: str) -> str:
    """The base URL of a region's manager, with C(/api). Raises C(OptionError) for a region that is not known."""
    manager_subnets(region)
    return f"https://workload.{region}.{_CLOUD_DOMAIN}/api"


def normalize_url(url: str) -> str:
    """C(https://host[:port]/api) for any accepted spelling of a manager's URL.

    The path may be missing, C(/) or C(/api/). Raises C(OptionError) for anything else, without repeating a
    password that the URL holds.
    """
    if _USERINFO.search(url):
        raise OptionError(
            "url", _USERINFO.sub("//", url), "it must hold no user name or password; the key goes to option api_key"
        )
    if not url.isascii() or re.search(r"[\x00-\x20\x7f]", url):
        raise OptionError("url", url, f"it must be {_URL_FORM}, in ASCII and without white space")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise OptionError("url", url, f"it must be {_URL_FORM}") from error
    if parts.scheme != "https":
        raise OptionError("url", url, f"it must be {_URL_FORM}; the API key is only sent over TLS")
    if parts.query or parts.fragment or url.endswith(("?", "#")) or parts.path.rstrip("/") not in ("", "/api"):
        raise OptionError("url", url, f"it must end after the port, or with /api: {_URL_FORM}")
    if not _is_host(host, bracketed="[" in parts.netloc) or port == 0 or parts.netloc.endswith(":"):
        raise OptionError("url", url, f"it must be {_URL_FORM}")
    if re.fullmatch(r"api\.([a-z]+\.)?xdr\.trendmicro\.(com|co\.jp)", host):
        raise OptionError(
            "url", url, "it is Vision One's own API, which has no policies; use option region, or the manager's URL"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}{'' if port in (None, 443) else f':{port}'}/api"


def deployment_of(url: str) -> str:
    """C(CLOUD) or C(ON_PREMISES), told from the host of a normalized URL."""
    host = urlsplit(url).hostname or ""
    cloud = host in _LEGACY_HOSTS or host.endswith(f".{_CLOUD_DOMAIN}")
    return CLOUD if cloud else ON_PREMISES


def is_legacy(url: str) -> bool:
    """Whether the host of a normalized URL is the cloud's entrance for accounts from before Cloud One."""
    return urlsplit(url).hostname in _LEGACY_HOSTS


def _is_host(host: str, bracketed: bool) -> bool:
    if not bracketed:
        return bool(_HOST_NAME.fullmatch(host))
    try:
        return ipaddress.ip_address(host).version == 6 and "%" not in host
    except ValueError:
        return False
