# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication.document import (
    facet_document,
    read_document,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.facet import Conflict
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    COMMUNICATION_DIRECTION,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    HEARTBEAT_OFFLINE_ERRORS,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import REGIONS

POLICY = {"policies": ["Base Policy"]}
RESTRICTED = {"state": "present", "rule_name": "R", "action": "bypass", "port": 4118}
ADMITTED = {"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.1"]}


def restriction(**options):
    return {**RESTRICTED, **options}


def refused(match, facet, options, deployment="on_premises"):
    with pytest.raises(OptionError, match=match) as caught:
        facet_document(facet, {**POLICY, **options}, deployment)
    return caught.value


@pytest.mark.parametrize("option", ["interval", "missed_before_alert", "maximum_clock_change"])
@pytest.mark.parametrize("value", ["10", "inherited"])
def test_the_cloud_fixes_the_heartbeat(option, value):
    error = refused("in the cloud the manager fixes it", "heartbeat", {option: value}, "cloud")
    assert error.option == option


def test_offline_errors_can_be_set_on_the_cloud():
    document = facet_document("heartbeat", {**POLICY, "raise_offline_errors_for_inactive_vms": "yes"}, "cloud")
    assert document.profiles[0].wishes["heartbeat"].values == {HEARTBEAT_OFFLINE_ERRORS: True}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "option 'interval': it must be given, or one of missed_before_alert"),
        ({"interval": "0"}, "option 'interval' is '0': it must be a whole number of minutes from 1 to"),
        ({"interval": "-1"}, "from 1 to"),
        ({"interval": "ten"}, "option 'interval' is 'ten'"),
        ({"interval": "unlimited"}, "or inherited"),
        ({"interval": "99999999999"}, "from 1 to"),
        ({"interval": "١٠"}, "from 1 to"),
        ({"missed_before_alert": "many"}, "whole number of heartbeats .* unlimited or inherited"),
        ({"raise_offline_errors_for_inactive_vms": "maybe"}, "true, false or inherited"),
    ],
)
def test_bad_heartbeats(options, message):
    refused(message, "heartbeat", options)


def test_good_heartbeats():
    options = {**POLICY, "interval": " 10 ", "missed_before_alert": "Unlimited", "accept_inherited": True}
    wish = facet_document("heartbeat", options, "on_premises").profiles[0].wishes["heartbeat"]
    assert wish.values == {HEARTBEAT_INTERVAL: 10, HEARTBEAT_MISSED_BEFORE_ALERT: "unlimited"}
    assert wish.inherited_accepted == {HEARTBEAT_INTERVAL, HEARTBEAT_MISSED_BEFORE_ALERT}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "option 'source_ips': give the addresses"),
        ({"source_ips": []}, "an empty list would admit nobody"),
        ({"source_macs": []}, "an empty list would admit nobody"),
        ({"source_ips": ["192.0.2.0/33"]}, "option 'source_ips' is '192.0.2.0/33': it is not an IP address"),
        ({"source_ips": ["192.0.2.1/24"]}, "the network is 192.0.2.0/24"),
        ({"source_macs": ["00:11:22"]}, "option 'source_macs' is '00:11:22': it is not a MAC address"),
        ({**ADMITTED, "port": 0}, "option 'port' is '0': it must be a port from 1 to 65535"),
        ({**ADMITTED, "port": 65536}, "a port from"),
        ({**ADMITTED, "rule_name": " "}, "option 'rule_name'"),
        ({**ADMITTED, "ip_list_name": " "}, "option 'ip_list_name' is ' ': it must be the name of the list, not blank"),
        ({**ADMITTED, "mac_list_name": "\t"}, "option 'mac_list_name'"),
        ({"source_ips": ["192.0.2.0/24"]}, "option 'manager_addresses': give the addresses"),
        ({**ADMITTED, "manager_addresses": ["198.51.100.1"]}, "add 198.51.100.1"),
        ({**ADMITTED, "manager_region": "mars-1"}, "option 'manager_region' is 'mars-1': it must be one of ae-1"),
        ({**ADMITTED, "manager_region": "jp-1"}, "admits the manager too: add 35.75.131.96/27, 18.99.69.160/27"),
        ({"source_macs": ["00:11:22:33:44:55"]}, "option 'manager_macs': give the MACs"),
        (
            {"source_macs": ["00:11:22:33:44:55"], "manager_macs": ["00:11:22:33:44:56"]},
            "option 'manager_macs' is",
        ),
        ({"state": "absent", "source_ips": ["192.0.2.1"]}, "option 'source_ips' .*left out with state=absent"),
        ({"state": "absent", "source_macs": []}, "option 'source_macs' .*left out with state=absent"),
    ],
)
def test_bad_restrictions(options, message):
    refused(message, "firewall_restriction", restriction(**options))


@pytest.mark.parametrize("region", REGIONS)
def test_a_regions_published_subnets_admit_its_manager(region):
    options = restriction(source_ips=list(REGIONS[region]), manager_region=region)
    facet_document("firewall_restriction", {**POLICY, **options}, "cloud")


def test_a_lockout_that_is_meant():
    options = restriction(source_ips=["192.0.2.1"], source_macs=["00:11:22:33:44:55"], allow_manager_lockout=True)
    (wish,) = facet_document("firewall_restriction", {**POLICY, **options}, "cloud").profiles[0].wishes.values()
    assert wish[0].macs == ("00-11-22-33-44-55",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "targets must be chosen"),
        ({"policies": [""]}, "option 'policies' is '': it must hold names"),
        ({"computers": [True]}, "option 'computers' is 'True'"),
        ({"computers": [1.5]}, "option 'computers' is '1.5'"),
        ({"policies": [{"name": "x"}]}, "option 'policies'"),
        ({"computers_query": "[?platform=="}, "option 'computers_query' .*a JMESPath expression"),
        ({"computers_query": "[].host_name"}, "it must return a list of computers"),
        ({"computers_query": "length(@)"}, "it must return a list of computers"),
        ({"computers_query": "[?contains(id, 'x')]"}, "it must fit the data"),
        ({"computers_query": "[].{id: host_name}"}, "it must return a list of computers"),
    ],
)
def test_bad_targets(options, message):
    with pytest.raises(OptionError, match=message):
        facet_document("communication_direction", {**options, "direction": "inherited"}, "on_premises")


def profile(name, **options):
    return {"name": name, **POLICY, **options}


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ([profile("")], r"option 'profiles\[0\].name'"),
        ([profile("a")], r"option 'profiles\[a\]': it must declare at least one of heartbeat"),
        (
            [profile("a", heartbeat={"interval": "1"}), profile("a", heartbeat={"interval": "1"})],
            "a name that no other profile has",
        ),
        ([profile("a", heartbeat={"interval": "x"})], r"option 'profiles\[a\].heartbeat.interval' is 'x'"),
        ([{"name": "a", "heartbeat": {"interval": "1"}}], r"option 'profiles\[a\]': targets must be chosen"),
        (
            [
                profile("a", firewall_restriction=restriction(**ADMITTED)),
                profile("b", firewall_restriction=restriction(**{**ADMITTED, "source_ips": ["192.0.0.0/16"]})),
            ],
            "is 'a, b': they must agree: firewall_restriction rule 'R' is to admit 192.0.2.0/24.*192.0.0.0/16",
        ),
        (
            [
                profile("a", firewall_restriction=restriction(**ADMITTED, ip_list_name="L")),
                profile(
                    "b",
                    firewall_restriction=restriction(
                        rule_name="S", source_ips=["192.0.0.0/16"], manager_addresses=["192.0.2.1"], ip_list_name="L"
                    ),
                ),
            ],
            "the IP list 'L' is to hold different items",
        ),
    ],
)
def test_bad_documents(profiles, message):
    with pytest.raises(OptionError, match=message):
        read_document(profiles, "on_premises")


def facet_and_wishes(*options, facet="heartbeat"):
    documents = [facet_document(facet, {**POLICY, **one}, "on_premises") for one in options]
    return documents[0].facets[0], [document.profiles[0].wishes[facet] for document in documents]


def test_wishes_for_different_settings_add_up_and_the_stricter_holds():
    facet, (first, second) = facet_and_wishes(
        {"interval": "5", "accept_inherited": True}, {"interval": "5", "missed_before_alert": "3"}
    )
    merged = facet.merge(first, second)
    assert merged.values == {HEARTBEAT_INTERVAL: 5, HEARTBEAT_MISSED_BEFORE_ALERT: 3}
    assert merged.inherited_accepted == frozenset()
    assert facet.merge(second, first) == merged


def test_wishes_that_exclude_each_other():
    facet, (first, second) = facet_and_wishes({"interval": "5"}, {"interval": "inherited"})
    with pytest.raises(Conflict, match="one declares heartbeat.interval as 5, the other as 'inherited'"):
        facet.merge(first, second)
    facet, (here, gone, other) = facet_and_wishes(
        restriction(**ADMITTED),
        restriction(state="absent"),
        restriction(**ADMITTED, rule_name="S"),
        facet="firewall_restriction",
    )
    with pytest.raises(Conflict, match="present and absent"):
        facet.merge(here, gone)
    with pytest.raises(Conflict, match="and also"):
        facet.merge(here, other)
    assert len(facet.merge(other, gone)) == 2


def test_a_document_has_only_the_facets_that_it_uses():
    document = read_document([profile("a", communication_direction={"direction": "inherited"})], "on_premises")
    assert [facet.name for facet in document.facets] == ["communication_direction"]
    assert document.profiles[0].wishes["communication_direction"].values == {COMMUNICATION_DIRECTION: "inherited"}
