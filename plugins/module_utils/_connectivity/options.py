# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module: which managers, which direction, which checks, and how long they may take."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from .._agent.status import INTERVAL, read_interval
from .._basis.errors import OptionError
from .._basis.numbers import in_range, port_number
from .._basis.plain import items
from .._dns.records import address, host_name
from .._vendor.communication import CONSOLE_PORT, DIRECTIONS, HEARTBEAT_PORT
from .._vendor.manager_address import ManagerAddress, read_manager_address, secrets_in_address
from .._vendor.regions import CLOUD_DOMAIN, LEGACY_DOMAIN, known_region
from .endpoints import (
    CHECKS,
    HEARTBEAT,
    LEGACY_REGION,
    REVOCATION,
    UPDATES,
    Asked,
    Endpoint,
    Manager,
    cloud_endpoints,
    legacy_endpoint,
    own_endpoints,
    relay_endpoints,
    revocation_endpoints,
    update_endpoints,
)

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "region": {"type": "str"},
    "manager": {"type": "list", "elements": "str"},
    "heartbeat_port": {"type": "int", "default": HEARTBEAT_PORT},
    "heartbeat_interval": INTERVAL,
    "relays": {"type": "list", "elements": "str", "default": []},
    "direction": {"type": "str", "required": True, "choices": list(DIRECTIONS)},
    "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": [HEARTBEAT]},
    "timeout": {"type": "float", "default": 10.0},
}
ONE_OF = ("region", "manager")

# With less time, a working host could look like one that does not answer. Nobody waits for longer.
_SHORTEST, _LONGEST = 1, 300


def read_options(params: Dict[str, Any]) -> Asked:
    """What the options mean. Raises C(OptionError) for a wrong option."""
    in_range("timeout", params["timeout"], _SHORTEST, _LONGEST, "a number of seconds")
    interval = read_interval(params["heartbeat_interval"])
    checks = tuple(check for check in CHECKS if check in params["checks"])
    if not checks:
        raise OptionError("checks", params["checks"], f"it must hold one of {', '.join(CHECKS)}")
    managers = _managers(params)
    regions = list(dict.fromkeys(manager.region for manager in managers if manager.region is not None))
    relays = [host_of(relay, "relays") for relay in items(params["relays"])]
    if relays and len(regions) == len(managers):
        raise OptionError("relays", params["relays"], "a region has its own; leave this out for the cloud")
    further = relay_endpoints(relays)
    if UPDATES in checks:
        further += [endpoint for region in regions for endpoint in update_endpoints(region)]
        if not further:
            raise OptionError(
                "checks", UPDATES, "on-premises agents get updates from relays, so name these in option relays"
            )
    if REVOCATION in checks:
        if not regions:
            raise OptionError(
                "checks", REVOCATION, "an on-premises manager has a certificate of its own, which nobody revokes"
            )
        further += revocation_endpoints()
    if HEARTBEAT not in checks:
        managers = [one._replace(endpoints=_checked(one.endpoints, checks)) for one in managers]
        further = list(_checked(further, checks))
    return Asked(tuple(managers), tuple(further), checks, interval)


def secrets_in(params: Dict[str, Any]) -> Set[str]:
    """Secrets in the options: user names and passwords in addresses. Such addresses are refused."""
    return {secret for address in params["manager"] or () for secret in secrets_in_address(address)}


def _checked(endpoints: Sequence[Endpoint], checks: Sequence[str]) -> Tuple[Endpoint, ...]:
    return tuple(endpoint for endpoint in endpoints if endpoint.check in checks)


def _managers(params: Dict[str, Any]) -> List[Manager]:
    direction = params["direction"]
    if params["region"] is not None:
        region = known_region(params["region"])
        return [Manager(None, region, None, tuple(cloud_endpoints(region, direction)))]
    given = list(dict.fromkeys(items(params["manager"])))
    if not given:
        raise OptionError("manager", params["manager"], "it must name a manager; without one, use option region")
    heartbeat_port = port_number("heartbeat_port", params["heartbeat_port"])
    addresses = [read_manager_address(text, "manager") for text in given]
    # If the heartbeat address is given separately, the console may be on another host.
    apart = any(one.heartbeat_port is not None and not one.is_cloud for one in addresses)
    return [_manager(text, one, direction, heartbeat_port, apart) for text, one in zip(given, addresses)]


def _manager(text: str, where: ManagerAddress, direction: str, heartbeat_port: int, apart: bool) -> Manager:
    if where.is_cloud:
        region = known_region(region_of(where, text), "manager")
        endpoints = cloud_endpoints(region, direction)
        if where.region is None:
            endpoints = [legacy_endpoint(where.host, direction), *endpoints]
        return Manager(text, region, None, tuple(endpoints))
    host = host_of(where.host, "manager")
    console, heartbeat = _ports(where, heartbeat_port, apart)
    return Manager(text, None, host, tuple(own_endpoints(host, console, heartbeat, direction)))


def region_of(where: ManagerAddress, text: str) -> str:
    """The region of an address in the cloud, known or not. Raises C(OptionError) if the name does not say it."""
    if where.region is None and not where.is_legacy:
        raise OptionError(
            "manager", text, f"its name does not say the region, as https://workload.us-1.{CLOUD_DOMAIN} does"
        )
    return where.region or LEGACY_REGION


def _ports(where: ManagerAddress, heartbeat_port: int, apart: bool) -> Tuple[Optional[int], Optional[int]]:
    """The ports of the console and of heartbeats at an address; C(None) if the address is not for that purpose."""
    if where.heartbeat_port is not None:
        return None, where.heartbeat_port
    if where.console_port is None:
        return CONSOLE_PORT, heartbeat_port
    return where.console_port, None if apart else heartbeat_port


def host_of(text: str, option: str) -> str:
    """An address or host name as results spell it. Raises C(OptionError), also for names of the cloud."""
    try:
        return address(text, option)
    except OptionError:
        name = host_name(text, option)
    if f".{name}".endswith((f".{CLOUD_DOMAIN}", f".{LEGACY_DOMAIN}")):
        raise OptionError(option, text, "the cloud has relays of its own; leave this out")
    return name
