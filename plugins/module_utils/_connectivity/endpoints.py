# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names and ports an agent's host needs, by communication direction and deployment.

From the vendor's page on the required URLs, read in November 2026.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL, CLOUD_PORT, HTTP_PORT, MANAGER_INITIATED, RELAY_PORT
from .._vendor.hostnames import REVOCATION_HOSTNAMES, required_hostnames, undocumented_hostnames, update_hostnames

# What can be checked.
HEARTBEAT = "heartbeat"
UPDATES = "updates"
REVOCATION = "revocation"
CHECKS = (HEARTBEAT, UPDATES, REVOCATION)

# The region of accounts that are older than Cloud One.
LEGACY_REGION = "us-1"

# By the first label of the cloud's names. The vendor does not say what the other names are for.
_PURPOSES = {
    "workload": "the manager's console and API",
    "agents": "activation",
    "relay": "updates of agents",
}
_HEARTBEATS = "heartbeats and all other communication; each agent uses one of the numbered names"
_NOT_SAID = "not said by the vendor, who lists it for agents"

_NOT_DOCUMENTED = "not documented for this region; the vendor lists it for agents of all other regions"

# These are not needed for communication with the manager. They are for updates and detection (XDR).
_BESIDE = ("relay", "xdr-resp-ioc", "gateway", "gateway-control")


class Endpoint(NamedTuple):
    """A name and a port that agents connect to.

    required: communication in the given direction fails without it. is_cloud: one of the vendor's own, with a
    certificate from a public CA. documented: the vendor lists it for this region. If not, an endpoint of the vendor may
    not exist. check: the check that it belongs to. tls: whether it speaks TLS. optional: its check succeeds without it.
    """

    name: str
    port: int
    purpose: str
    required: bool
    is_cloud: bool = False
    documented: bool = True
    check: str = HEARTBEAT
    tls: bool = True
    optional: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it is on the internet, with names that the site does not define itself."""
        return self.is_cloud or self.check == REVOCATION

    @property
    def server(self) -> str:
        """What answers there, in words."""
        return "the manager" if self.check == HEARTBEAT else "the server"


class Manager(NamedTuple):
    """A manager to check: how it was given, its region (cloud), its host (on-premises), and its endpoints."""

    given: Optional[str]
    region: Optional[str]
    host: Optional[str]
    endpoints: Tuple[Endpoint, ...]


class Asked(NamedTuple):
    """What to check: managers, other endpoints that agents need, and which checks the task asks for.

    interval: minutes from one heartbeat to the next.
    """

    managers: Tuple[Manager, ...] = ()
    further: Tuple[Endpoint, ...] = ()
    checks: Tuple[str, ...] = (HEARTBEAT,)
    interval: int = CLOUD_HEARTBEAT_INTERVAL

    @property
    def endpoints(self) -> List[Endpoint]:
        """Every endpoint once, even if several managers have it."""
        own = [endpoint for manager in self.managers for endpoint in manager.endpoints]
        return list(dict.fromkeys([*own, *self.further]))


def cloud_endpoints(region: str, direction: str) -> List[Endpoint]:
    """The endpoints of a region of the cloud. Raises C(OptionError) for an unknown region."""
    endpoints = []
    for name in required_hostnames(region):
        label = name.partition(".")[0]
        purpose = _HEARTBEATS if re.fullmatch(r"agents-\d+", label) else _PURPOSES.get(label, _NOT_SAID)
        required = direction != MANAGER_INITIATED and label not in _BESIDE
        check = UPDATES if label == "relay" else HEARTBEAT
        endpoints.append(Endpoint(name, CLOUD_PORT, purpose, required, is_cloud=True, check=check))
    endpoints += [
        Endpoint(name, CLOUD_PORT, _NOT_DOCUMENTED, required=False, is_cloud=True, documented=False)
        for name in undocumented_hostnames(region)
    ]
    return endpoints


def legacy_endpoint(host: str, direction: str) -> Endpoint:
    """A name of the cloud that is used by accounts older than Cloud One."""
    return Endpoint(host, CLOUD_PORT, _PURPOSES["agents"], direction != MANAGER_INITIATED, is_cloud=True)


def own_endpoints(
    host: str, console_port: Optional[int], heartbeat_port: Optional[int], direction: str
) -> List[Endpoint]:
    """The endpoints of an on-premises manager. A port is C(None) if the given address is not for that purpose."""
    endpoints = []
    if heartbeat_port is not None:
        purpose = "activation, heartbeats and all other communication"
        endpoints.append(Endpoint(host, heartbeat_port, purpose, direction != MANAGER_INITIATED))
    if console_port is not None:
        purpose = "the manager's console and API; downloads of deployment scripts"
        endpoints.append(Endpoint(host, console_port, purpose, False))
    return endpoints


def relay_endpoints(relays: Sequence[str]) -> List[Endpoint]:
    """On-premises relays."""
    return [Endpoint(relay, RELAY_PORT, _PURPOSES["relay"], False, check=UPDATES) for relay in relays]


def update_endpoints(region: str) -> List[Endpoint]:
    """Where agents of a region get updates, and look up files and addresses, outside of the region's own domain."""
    return [
        Endpoint(
            name,
            CLOUD_PORT,
            "updates, and lookups of what is known about files and addresses",
            required=False,
            is_cloud=True,
            check=UPDATES,
            # Names that only have IPv6 addresses.
            optional=name.startswith("ipv6-"),
        )
        for name in update_hostnames(region)
    ]


def revocation_endpoints() -> List[Endpoint]:
    """Where the revocation of the cloud's certificates is looked up."""
    purpose = "lists of revoked certificates; not on the vendor's list"
    return [
        Endpoint(name, HTTP_PORT, purpose, required=False, documented=False, check=REVOCATION, tls=False)
        for name in REVOCATION_HOSTNAMES
    ]
