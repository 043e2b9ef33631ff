# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a manager is: its base URL, and what that tells about it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .._basis.errors import OptionError
from .regions import CLOUD_DOMAIN, LEGACY_DOMAIN, known_region

CLOUD = "cloud"
ON_PREMISES = "on_premises"
DEPLOYMENTS = (CLOUD, ON_PREMISES)

# Accounts from before Cloud One log in here, with the header that managers on the premises use.
_LEGACY_HOSTS = (CLOUD_DOMAIN, f"app.{LEGACY_DOMAIN}")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
# User name and password: what is before the last @ of the part between // and the next /, ? or #.
_USERINFO = re.compile(r"//[^/?#]*@")
_URL_FORM = "https://HOST:PORT of the manager, such as https://dsm.example.com:4119"


def url_for_region(region: str) -> str:
    """The base URL of a region's manager, with C(/api). Raises C(OptionError) for a region that is not known."""
    known_region(region, otherwise="; for any other, use option url")
    return f"https://workload.{region}.{CLOUD_DOMAIN}/api"


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
    cloud = host in _LEGACY_HOSTS or host.endswith(f".{CLOUD_DOMAIN}")
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
