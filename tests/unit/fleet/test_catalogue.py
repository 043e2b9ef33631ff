# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    COMMUNICATION_DIRECTION,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MAXIMUM_CLOCK_CHANGE,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    HEARTBEAT_OFFLINE_ERRORS,
    INHERITED,
    SETTINGS,
    UNLIMITED,
    Spelling,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.communication import DIRECTIONS

VALUES = {
    HEARTBEAT_INTERVAL: st.integers(1, 43200),
    HEARTBEAT_MISSED_BEFORE_ALERT: st.one_of(st.integers(1, 1000), st.just(UNLIMITED)),
    HEARTBEAT_MAXIMUM_CLOCK_CHANGE: st.one_of(st.integers(1, 43200), st.just(UNLIMITED)),
    HEARTBEAT_OFFLINE_ERRORS: st.booleans(),
    COMMUNICATION_DIRECTION: st.sampled_from(DIRECTIONS),
}
any_value = st.sampled_from(list(VALUES)).flatmap(lambda s: st.tuples(st.just(s), VALUES[s]))


@given(any_value)
def test_every_spelling_of_a_value_reads_as_that_value(pair):
    setting, value = pair
    for wire in Spelling().candidates(setting, value):
        assert setting.read({setting.name: {"value": wire}}) == value


@pytest.mark.parametrize("settings", [{}, None, {"x": {"value": "1"}}, "text", []])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_value_means_inherited(setting, settings):
    assert setting.read(settings) is None


@pytest.mark.parametrize("entry", [{}, {"value": None}, {"value": ""}, None, ""])
def test_every_way_to_say_that_nothing_is_set(entry):
    assert HEARTBEAT_INTERVAL.read({HEARTBEAT_INTERVAL.name: entry}) is None


@pytest.mark.parametrize(
    ("setting", "wire", "value"),
    [
        (HEARTBEAT_INTERVAL, "1 Minute", 1),
        (HEARTBEAT_INTERVAL, "10 Minutes", 10),
        (HEARTBEAT_INTERVAL, "2 Hours", 120),
        (HEARTBEAT_INTERVAL, "10", 10),
        (HEARTBEAT_INTERVAL, "some day", "some day"),
        (HEARTBEAT_MISSED_BEFORE_ALERT, "Unlimited", UNLIMITED),
        (HEARTBEAT_MISSED_BEFORE_ALERT, "5", 5),
        (COMMUNICATION_DIRECTION, "Agent/Appliance Initiated", "agent_initiated"),
        (COMMUNICATION_DIRECTION, "Agent Initiated", "agent_initiated"),
        (COMMUNICATION_DIRECTION, "Sideways", "Sideways"),
        (HEARTBEAT_OFFLINE_ERRORS, "TRUE", True),
    ],
)
def test_strings_seen_on_managers(setting, wire, value):
    assert setting.read({setting.name: {"value": wire}}) == value


def test_the_documented_spelling_is_tried_first_and_the_managers_own_once_seen():
    spelling = Spelling()
    assert spelling.candidates(COMMUNICATION_DIRECTION, "agent_initiated")[0] == "Agent/Appliance Initiated"
    spelling.observe({COMMUNICATION_DIRECTION.name: {"value": "Bidirectional"}})
    assert spelling.candidates(COMMUNICATION_DIRECTION, "agent_initiated")[0] == "Agent/Appliance Initiated"
    spelling.observe({COMMUNICATION_DIRECTION.name: {"value": "Agent Initiated"}})
    assert spelling.candidates(COMMUNICATION_DIRECTION, "agent_initiated") == [
        "Agent Initiated",
        "Agent/Appliance Initiated",
    ]
    spelling.observe({HEARTBEAT_INTERVAL.name: {"value": "2 Hours"}})
    assert spelling.candidates(HEARTBEAT_INTERVAL, 60)[0] == "1 Hour"


@given(any_value, any_value)
def test_learning_never_loses_a_spelling(seen, wanted):
    spelling = Spelling()
    before = spelling.candidates(*wanted)
    for wire in Spelling().candidates(*seen):
        spelling.observe({seen[0].name: {"value": wire}})
        assert sorted(spelling.candidates(*wanted)) == sorted(before)


def test_inherited_is_written_as_nothing():
    assert Spelling().candidates(COMMUNICATION_DIRECTION, INHERITED) == [""]
