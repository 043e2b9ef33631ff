# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cloud's regions, the domains of its host names, and the subnets from which its managers connect to agents.

From the vendor's "Workload Security port numbers" and "Firewall exception requirements" (United States), read in
November 2026. They may change.
"""

from __future__ import annotations

from typing import Dict, Tuple

from .._basis.errors import OptionError

# Each region, with the subnets from which its manager connects to the agents' port.
REGIONS: Dict[str, Tuple[str, ...]] = {
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

VENDOR_DOMAIN = "trendmicro.com"
CLOUD_DOMAIN = f"cloudone.{VENDOR_DOMAIN}"
# The domain for accounts that are older than Cloud One.
LEGACY_DOMAIN = f"deepsecurity.{VENDOR_DOMAIN}"


def known_region(region: str, option: str = "region", otherwise: str = "") -> str:
    """The region. Raises C(OptionError) if it is unknown, naming the known ones; C(otherwise) ends the message."""
    if region not in REGIONS:
        raise OptionError(option, region, f"it must be one of {', '.join(REGIONS)}{otherwise}")
    return region


def manager_subnets(region: str, option: str = "region") -> Tuple[str, ...]:
    """The subnets, in CIDR notation, from which a region's manager connects to agents.

    Raises C(OptionError) for an unknown region.
    """
    return REGIONS[known_region(region, option)]
