# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall.hidden_rule import (
    ALL_PAGES,
    COMMUNICATION_PAGE,
    UNDOCUMENTED,
    concerns_port,
    match_of,
)
from tests.lab import replacing_rule

# Every condition of the vendor's page.
REPLACING = {**replacing_rule.REPLACING, "sourceIPType": "ip-list", "sourceIPListID": 3, "anyFlags": True}
PORT_LISTS = {7: {"name": "Agents", "items": ["80", "4118"]}, 8: {"name": "Web", "items": ["443"]}}


def match(**fields):
    return match_of({**REPLACING, **fields}, 4118, PORT_LISTS.get)


def test_a_rule_with_every_condition_replaces_the_hidden_one():
    assert (match().replaces, match().basis, match().failing) == (True, ALL_PAGES, [])


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ({"action": "allow"}, "action"),
        ({"action": "deny"}, "action"),
        ({"action": "log-only"}, "action"),
        ({"priority": "3"}, "priority"),
        ({"direction": "outgoing"}, "packet direction"),
        ({"frameType": "any"}, "frame type"),
        ({"frameType": "ipv4"}, "frame type"),
        ({"frameNot": True}, "frame type"),
        ({"protocol": "any"}, "protocol"),
        ({"protocol": "tcp-udp"}, "protocol"),
        ({"protocolNot": True}, "protocol"),
        ({"destinationPortType": "any"}, "destination port"),
        ({"destinationPortMultiple": ["4119"]}, "destination port"),
        ({"destinationPortMultiple": []}, "destination port"),
        ({"destinationPortNot": True}, "destination port"),
        ({"destinationPortType": "port-list", "destinationPortListID": 8}, "destination port"),
    ],
)
def test_each_missing_condition_leaves_the_hidden_rule_and_is_named(fields, condition):
    judged = match(**fields)
    assert judged.replaces is False
    assert len(judged.failing) == 1 and judged.failing[0].startswith(f"{condition} is ")


@pytest.mark.parametrize(
    "fields", [{"action": "force-allow"}, {"destinationPortType": "port-list", "destinationPortListID": 7}]
)
def test_what_one_page_says_rests_on_that_page(fields):
    assert (match(**fields).replaces, match(**fields).basis) == (True, COMMUNICATION_PAGE)


@pytest.mark.parametrize(
    "fields",
    [
        {"destinationPortMultiple": ["4117", "4118"]},
        {"destinationPortMultiple": ["4118-4120"]},
        {"scheduleID": 4},
        {"contextID": 4},
        {"anyFlags": False},
        # Its ports are not shown.
        {"destinationPortType": "port-list", "destinationPortListID": 99},
        *({name: True} for name in ("TCPNot", "sourcePortNot", "destinationIPNot", "destinationMACNot")),
        {"sourcePortType": "multiple"},
        {"destinationIPType": "single"},
    ],
)
def test_what_no_page_says_is_not_guessed(fields):
    assert (match(**fields).replaces, match(**fields).basis) == (None, UNDOCUMENTED)
    assert "not documented" in match(**fields).failing[0]


def test_which_rules_are_about_the_port():
    assert concerns_port(REPLACING, 4118, PORT_LISTS.get)
    assert concerns_port({**REPLACING, "destinationPortType": "any"}, 4118, PORT_LISTS.get)
    assert concerns_port({**REPLACING, "destinationPortNot": True}, 4118, PORT_LISTS.get)
    unseen = {**REPLACING, "destinationPortType": "port-list", "destinationPortListID": 99}
    assert concerns_port(unseen, 4118, PORT_LISTS.get)
    assert not concerns_port({**REPLACING, "direction": "outgoing"}, 4118, PORT_LISTS.get)
    assert not concerns_port({**REPLACING, "protocol": "udp"}, 4118, PORT_LISTS.get)
    assert not concerns_port({**REPLACING, "frameType": "arp"}, 4118, PORT_LISTS.get)
    assert not concerns_port({**REPLACING, "destinationPortMultiple": ["443"]}, 4118, PORT_LISTS.get)


@pytest.mark.parametrize("nonsense", [None, True, 5, 1.5, "4118", [], [None], [[4118]], {}, {"ID": 7}])
@pytest.mark.parametrize(
    "field", [*REPLACING, "destinationPortListID", "destinationPortNot", "frameNot", "scheduleID", "sourcePortType"]
)
@pytest.mark.parametrize("kind", ["multiple", "port-list"])
def test_nothing_that_a_rule_may_hold_breaks_the_judgement(nonsense, field, kind):
    rule = {**REPLACING, "destinationPortListID": 7, "destinationPortType": kind, field: nonsense}
    assert match_of(rule, 4118, PORT_LISTS.get).replaces in (True, False, None)
    assert concerns_port(rule, 4118, PORT_LISTS.get) in (True, False)
