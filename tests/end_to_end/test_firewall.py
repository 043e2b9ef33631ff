# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches the agents' port: what the vendor's page says of the hidden rule and of the rule that replaces it.

Our modules restrict the port; other machines, with addresses and MACs of their own, try to connect to it.
"""

from __future__ import annotations

import typing as t

import pytest

from tests.end_to_end.site import AGENT_PORT, Placed, Site
from tests.lab.hosts.process import Host
from tests.lab.replacing_rule import REPLACING

POLICY = "Port"
# What tests make on the manager, rules first: path and envelope.
MADE = {"firewallrules": "firewallRules", "iplists": "ipLists", "maclists": "macLists", "portlists": "portLists"}

# One condition missed each.
NEARLY = {
    "action": {"action": "allow", "priority": "0"},
    "priority": {"action": "force-allow", "priority": "3"},
    "direction": {"direction": "outgoing"},
    "frame type": {"frameType": "any"},
    "protocol": {"protocol": "tcp-udp"},
    "port": {"destinationPortMultiple": ["4117"]},
    "port list without the port": {"destinationPortType": "port-list"},
}


@pytest.fixture(scope="module")
def stranger(site: Site) -> Host:
    """Somebody who is neither the manager nor an administrator."""
    return site.machine("stranger")


@pytest.fixture(scope="module")
def administrator(site: Site) -> Host:
    """Somebody who may be let in."""
    return site.machine("administrator")


@pytest.fixture(scope="module")
def agent(site: Site) -> Placed:
    """An agent that listens, under a policy of its own whose firewall is on."""
    policy = site.policy(POLICY, firewall="on", direction="Bidirectional")
    return site.agent("host01", policy=policy)


@pytest.fixture(autouse=True)
def as_shipped(site: Site, agent: Placed) -> t.Iterator[None]:
    """Whatever a test did, the port is as the vendor ships it afterwards."""
    api = site.manager.api
    before = {kind: ids(site, kind) for kind in MADE}
    yield
    site.manager.switch(
        force_allow_replaces_hidden_rule=True, port_list_replaces_hidden_rule=True, bypass_priority_enforced=True
    )
    api("PUT", f"/policies/{policy_id(site)}/firewall/assignments", {"ruleIDs": []})
    for kind in MADE:
        for number in ids(site, kind) - before[kind]:
            api("DELETE", f"/{kind}/{number}")
    site.wait_until_current(agent)


def ids(site: Site, kind: str) -> set[int]:
    """The IDs of what the manager has of a kind."""
    return {item["ID"] for item in site.manager.api("GET", f"/{kind}")[MADE[kind]]}


def policy_id(site: Site) -> int:
    """The policy that the agent is under."""
    return next(one["ID"] for one in site.manager.api("GET", "/policies")["policies"] if one["name"] == POLICY)


def port_list(site: Site, name: str, items: list[str]) -> int:
    """Make a port list on the manager."""
    return site.manager.api("POST", "/portlists", {"name": name, "items": items})["ID"]


def assign(site: Site, rule: dict[str, t.Any]) -> None:
    """Make a rule by hand and assign it to the policy."""
    rule_id = site.manager.api("POST", "/firewallrules", rule)["ID"]
    site.manager.api("POST", f"/policies/{policy_id(site)}/firewall/assignments", {"ruleIDs": [rule_id]})


def explained(site: Site) -> dict[str, t.Any]:
    """What our module says of the policy's rules."""
    result = site.module("communication_info", policies=[POLICY], facets=["firewall_restriction"])
    return result["targets"][0]["firewall_restriction"]


def restrict(site: Site, **options: t.Any) -> dict[str, t.Any]:
    """Run our module on the policy."""
    return site.module("firewall_restriction", policies=[POLICY], **options)


def reaches(source: Host, agent: Placed) -> bool:
    """Whether a machine can connect to the agents' port."""
    return source.reaches(agent.host.address, AGENT_PORT)


def test_out_of_the_box_anybody_reaches_the_port(site, agent, stranger, administrator):
    assert reaches(site.manager_host, agent)
    assert reaches(stranger, agent)
    assert reaches(administrator, agent)


def test_without_the_firewall_a_restriction_has_no_effect(site, agent, stranger):
    path = f"/policies/{policy_id(site)}"
    site.manager.api("POST", path, {"firewall": {"state": "off"}})
    try:
        result = restrict(site, source_ips=[site.manager_host.address], manager_addresses=[site.manager_host.address])
        site.wait_until_current(agent)
        assert any("firewall" in warning for warning in result["warnings"])
        assert reaches(stranger, agent)
    finally:
        site.manager.api("POST", path, {"firewall": {"state": "on"}})


@pytest.mark.both_cores
def test_by_ip(site, agent, stranger, administrator):
    addresses = [site.manager_host.address, administrator.address]
    restrict(site, source_ips=addresses, manager_addresses=[site.manager_host.address])
    site.wait_until_current(agent)
    assert reaches(site.manager_host, agent)
    assert reaches(administrator, agent)
    assert not reaches(stranger, agent)


def test_by_mac(site, agent, stranger, administrator):
    macs = [site.manager_host.mac, administrator.mac]
    restrict(site, source_macs=macs, manager_macs=[site.manager_host.mac])
    site.wait_until_current(agent)
    assert reaches(site.manager_host, agent)
    assert reaches(administrator, agent)
    assert not reaches(stranger, agent)


def test_by_both_it_takes_one_of_each(site, agent, stranger, administrator):
    manager = site.manager_host
    restrict(
        site,
        source_ips=[manager.address, administrator.address],
        source_macs=[manager.mac, stranger.mac],
        manager_addresses=[manager.address],
        manager_macs=[manager.mac],
    )
    site.wait_until_current(agent)
    assert reaches(manager, agent)
    assert not reaches(administrator, agent), "its IP is named, its MAC is not"
    assert not reaches(stranger, agent), "its MAC is named, its IP is not"


@pytest.mark.parametrize("replaces", [True, False], ids=["a list will do", "a list will not do"])
def test_by_port_list(site, agent, stranger, replaces):
    """The pages disagree on port lists: with one that does not replace the hidden rule, the port stays open."""
    site.manager.switch(port_list_replaces_hidden_rule=replaces)
    port_list(site, "Agents", [str(AGENT_PORT), "4122"])
    address = site.manager_host.address
    restrict(site, source_ips=[address], manager_addresses=[address], port_list="Agents")
    site.wait_until_current(agent)
    assert reaches(site.manager_host, agent)
    assert reaches(stranger, agent) is not replaces


@pytest.mark.parametrize("replaces", [True, False], ids=["force allow will do", "force allow will not do"])
def test_by_force_allow(site, agent, stranger, replaces):
    """The pages disagree on force allow, too."""
    site.manager.switch(force_allow_replaces_hidden_rule=replaces)
    address = site.manager_host.address
    restrict(site, source_ips=[address], manager_addresses=[address], action="force_allow")
    site.wait_until_current(agent)
    assert reaches(site.manager_host, agent)
    assert reaches(stranger, agent) is not replaces


def test_a_rule_by_hand_that_meets_every_condition_replaces_the_hidden_one(site, agent, stranger):
    assign(site, replacing(site, "By hand"))
    site.wait_until_current(agent)
    assert reaches(site.manager_host, agent)
    assert not reaches(stranger, agent)
    assert explained(site)["hidden_rule_replaced"]


def replacing(site: Site, name: str) -> dict[str, t.Any]:
    """A rule that admits the manager and replaces the hidden one."""
    return {**REPLACING, "name": name, "sourceIPType": "single", "sourceIPValue": site.manager_host.address}


def nearly(site: Site, condition: str) -> dict[str, t.Any]:
    """A rule that misses one condition of the page."""
    rule = {**replacing(site, f"Without {condition}"), **NEARLY[condition]}
    if rule["destinationPortType"] == "port-list":
        rule["destinationPortListID"] = port_list(site, "Others", ["4117", "4122"])
        del rule["destinationPortMultiple"]
    return rule


def test_a_rule_that_misses_a_condition_leaves_the_hidden_one_in_force(site, agent, stranger):
    # Some of these are refused by a manager that enforces which action goes with which priority.
    site.manager.switch(bypass_priority_enforced=False)
    for condition in NEARLY:
        assign(site, nearly(site, condition))
        site.wait_until_current(agent)
        assert reaches(stranger, agent), condition
    facet = explained(site)
    assert facet["hidden_rule_replaced"] is False
    assert all(rule["failing_conditions"] for rule in facet["rules"])


def test_taking_the_restriction_away_opens_the_port_again(site, agent, stranger):
    address = site.manager_host.address
    restrict(site, source_ips=[address], manager_addresses=[address])
    site.wait_until_current(agent)
    assert not reaches(stranger, agent)
    assert "drop" in agent.host.run(["nft", "list", "ruleset"]).stdout
    restrict(site, state="absent")
    site.wait_until_current(agent)
    assert reaches(stranger, agent)
