# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host names that agents of the cloud need to resolve, by region.

From the vendor's "Firewall exception requirements", one page for each part of the world, read in November 2026.
"""

from __future__ import annotations

from typing import List

from .regions import CLOUD_DOMAIN, LEGACY_DOMAIN, VENDOR_DOMAIN, known_region

_AGENTS = ["agents"] + [f"agents-{number:03}" for number in range(1, 11)]
_EVERYWHERE = ["workload"] + [f"{name}.workload" for name in _AGENTS + ["dsmim", "relay"]]
_FURTHER = [f"{name}.workload" for name in ("agent-comm", "xdr-resp-ioc", "gateway", "gateway-control")]
# The pages have this region only in a list of addresses. The names may exist although they are missing there.
_WITHOUT_FURTHER = ("trend-us-1",)

_RELAY = f"relay.{LEGACY_DOMAIN}"
_UPDATES = [
    f"{name}.{VENDOR_DOMAIN}"
    for name in (
        "files",
        "iaus",
        "iaus.activeupdate",
        "ipv6-iaus",
        "ipv6-iaus.activeupdate",
        "dsaas1100-en-census",
        "ds200-en.fbs25",
        "ds200-jp.fbs25",
        "dsaas.icrc",
        "dsaas-en-f.trx",
        "dsaas-en-b.trx",
        "deepsecaas11-en.gfrbridge",
        "dsaas.url",
    )
]
# Hosts with the revocation status of the certificates of the cloud's servers; HTTP, port 80. From a public runbook of
# 2026-07, not from the vendor's pages.
REVOCATION_HOSTNAMES = [f"{name}.rootca1.amazontrust.com" for name in ("crl", "ocsp", "crt")]

# Accounts that are older than Cloud One.
_LEGACY = [f"{name}.{LEGACY_DOMAIN}" for name in ("app", "agents", "dsmim")]


def required_hostnames(region: str, shared: bool = False) -> List[str]:
    """The names below the region's own domain; with C(shared), also those of relays and updates outside of it.

    In us-1, C(shared) includes the names for accounts that are older than Cloud One. Names that the vendor does not
    document for a region are only in C(undocumented_hostnames). Raises C(OptionError) for an unknown region.
    """
    known_region(region)
    names = _within(region, _EVERYWHERE + ([] if region in _WITHOUT_FURTHER else _FURTHER))
    if shared:
        names += update_hostnames(region) + (_LEGACY if region == "us-1" else [])
    return names


def update_hostnames(region: str) -> List[str]:
    """The names of relays and updates outside of the region's own domain.

    Raises C(OptionError) for a region that is not known.
    """
    known_region(region)
    return ([] if region == "ae-1" else [_RELAY]) + _UPDATES


def undocumented_hostnames(region: str) -> List[str]:
    """The names that the vendor lists for all other regions, but not for this one.

    It is not known whether they exist. Raises C(OptionError) for an unknown region.
    """
    known_region(region)
    return _within(region, _FURTHER if region in _WITHOUT_FURTHER else [])


def _within(region: str, services: List[str]) -> List[str]:
    # workload.REGION, agents.workload.REGION: the region is between the service and the vendor's domain.
    return [f"{service}.{region}.{CLOUD_DOMAIN}" for service in services]
