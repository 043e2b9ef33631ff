# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names and ports of the manager an agent's host needs, by communication direction and deployment.

From the vendor's page on the required URLs, read in November 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Sequence

from .._vendor.communication import CLOUD_PORT, MANAGER_INITIATED, RELAY_PORT
from .._vendor.hostnames import required_hostnames, undocumented_hostnames

# By the first label of the cloud's names. What the others are for the vendor does not say.
_PURPOSES = {
    "workload": "the manager's console and API",
    "agents": "activation",
    "relay": "updates of agents",
}
_HEARTBEATS = "heartbeats and all other communication; each agent uses one of the numbered names"
_NOT_SAID = "not said by the vendor, who lists it for agents"

_NOT_DOCUMENTED = "not documented for this region; the vendor lists it for agents of all other regions"

# A communication with the manager goes on without these: what they are for are updates and detection (XDR).
_BESIDE = ("relay", "xdr-resp-ioc", "gateway", "gateway-control")


@dataclass(frozen=True)
class Endpoint:
    """A name and a port that agents connect to.

    required: communication in the asked direction fails without it. is_cloud: the vendor's own, with a certificate of a
    public CA. documented: the vendor lists it for this region; if not, it may not exist.
    """

    name: str
    port: int
    purpose: str
    required: bool
    is_cloud: bool = False
    documented: bool = True


def cloud_endpoints(region: str, direction: str) -> List[Endpoint]:
    """The endpoints of a region of the cloud. Raises C(OptionError) for a region that is not known."""
    endpoints = []
    for name in required_hostnames(region):
        label = name.partition(".")[0]
        purpose = _HEARTBEATS if re.fullmatch(r"agents-\d+", label) else _PURPOSES.get(label, _NOT_SAID)
        required = direction != MANAGER_INITIATED and label not in _BESIDE
        endpoints.append(Endpoint(name, CLOUD_PORT, purpose, required, is_cloud=True))
    endpoints += [
        Endpoint(name, CLOUD_PORT, _NOT_DOCUMENTED, required=False, is_cloud=True, documented=False)
        for name in undocumented_hostnames(region)
    ]
    return endpoints


def own_endpoints(
    host: str, console_port: int, heartbeat_port: int, relays: Sequence[str], direction: str
) -> List[Endpoint]:
    """The endpoints of a manager on the premises, and of its relays."""
    initiates = direction != MANAGER_INITIATED
    return [
        Endpoint(host, heartbeat_port, "activation, heartbeats and all other communication", initiates),
        Endpoint(host, console_port, "the manager's console and API; downloads of deployment scripts", False),
        *(Endpoint(relay, RELAY_PORT, "updates of agents", False) for relay in relays),
    ]
