# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall of the lab's agents lets in whom a rule names, in each of the ways that rules have to name sources."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

import pytest

from tests.end_to_end.site import AGENT_PORT, Placed, Site
from tests.lab.hosts.process import Host
from tests.lab.replacing_rule import REPLACING

# Numbers of the names that rules and lists need.
NUMBERS = itertools.count()
STRANGER, ADMINISTRATOR, STRANGER6 = "stranger", "administrator", "stranger over IPv6"


@pytest.fixture(scope="module")
def agent(site: Site) -> Placed:
    """An agent whose firewall lets in the manager, by a rule that stays beside those of the tests."""
    manager = make(
        site, "firewallrules", {**REPLACING, "sourceIPType": "single", "sourceIPValue": site.manager_host.address}
    )
    policy = site.policy("Sources", firewall="on", direction="Bidirectional")
    site.manager.api("POST", f"/policies/{policy}/firewall/assignments", {"ruleIDs": [manager]})
    return site.agent("host01", policy=policy)


def make(site: Site, kind: str, written: dict[str, t.Any]) -> int:
    """Make a rule or list on the manager; returns its ID."""
    return site.manager.api("POST", f"/{kind}", {"name": f"Sources {next(NUMBERS)}", **written})["ID"]


def source(site: Site, stranger: Host, administrator: Host, way: str) -> dict[str, t.Any]:
    """The part of a rule that names its sources."""
    single = {"sourceIPType": "single", "sourceIPValue": stranger.address}
    mac = {"sourceMACType": "single", "sourceMACValue": stranger.mac.upper()}
    match way:
        case "single":
            return single
        case "single IPv6":
            return {**single, "sourceIPValue": stranger.address6}
        case "anybody else":
            return {**single, "sourceIPNot": True}
        case "multiple":
            return {"sourceIPType": "multiple", "sourceIPMultiple": [stranger.address, administrator.address]}
        case "overlapping":
            return {"sourceIPType": "multiple", "sourceIPMultiple": ["198.18.0.0/16", stranger.address]}
        case "mask":
            return {"sourceIPType": "masked-ip", "sourceIPValue": "198.18.0.0", "sourceIPMask": "255.255.0.0"}
        case "range":
            first, last = sorted((stranger.address, administrator.address), key=ipaddress.ip_address)
            return {"sourceIPType": "range", "sourceIPRangeFrom": first, "sourceIPRangeTo": last}
        case "IP list":
            items = [f"{stranger.address} # that one", "# nobody", f"{administrator.address} - {administrator.address}"]
            return {"sourceIPType": "ip-list", "sourceIPListID": make(site, "iplists", {"items": items})}
        case "MAC":
            return mac
        case "any other MAC":
            return {**mac, "sourceMACNot": True}
        case "MAC list":
            items = [f"{stranger.mac.replace(':', '-')} # that one", administrator.mac]
            return {"sourceMACType": "mac-list", "sourceMACListID": make(site, "maclists", {"items": items})}
        case "IP and MAC":
            return {**single, **mac}
        case "IP and another's MAC":
            return {**single, **mac, "sourceMACValue": administrator.mac}
    return {}


EXPECTED = {
    "single": {STRANGER},
    "single IPv6": {STRANGER6},
    "anybody else": {ADMINISTRATOR, STRANGER6},
    "multiple": {STRANGER, ADMINISTRATOR},
    "overlapping": {STRANGER, ADMINISTRATOR},
    "mask": {STRANGER, ADMINISTRATOR},
    "range": {STRANGER, ADMINISTRATOR},
    "IP list": {STRANGER, ADMINISTRATOR},
    "MAC": {STRANGER, STRANGER6},
    "any other MAC": {ADMINISTRATOR},
    "MAC list": {STRANGER, STRANGER6, ADMINISTRATOR},
    "IP and MAC": {STRANGER},
    "IP and another's MAC": set(),
    "anybody": {STRANGER, STRANGER6, ADMINISTRATOR},
}


@pytest.mark.parametrize("way", EXPECTED)
def test_sources(site, agent, way):
    stranger, administrator = site.machine("stranger"), site.machine("administrator")
    rule = make(site, "firewallrules", {**REPLACING, **source(site, stranger, administrator, way)})
    site.manager.api("PUT", f"/computers/{agent.computer_id}/firewall/assignments", {"ruleIDs": [rule]})
    site.wait_until_current(agent)
    attempts = {
        STRANGER: (stranger, agent.host.address),
        ADMINISTRATOR: (administrator, agent.host.address),
        STRANGER6: (stranger, agent.host.address6),
    }
    reached = {name for name, (host, address) in attempts.items() if host.reaches(address, AGENT_PORT)}
    assert reached == EXPECTED[way]
    # Nothing else is filtered, and what stays on the host is not filtered at all.
    assert stranger.reaches(agent.host.address, 22, within=5)
    assert agent.host.reaches("127.0.0.1", AGENT_PORT, within=5)
