# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Computers that are like another one are not looked at again, and get what they would get alone."""

from __future__ import annotations

import typing as t
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._facets.facet import SettingsWish
from ansible_collections.workload_security.agent.plugins.module_utils._facets.heartbeat import Heartbeat
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import Step
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    INHERITED,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer, Policy, Target
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.outlook import Outlook

VALUES = st.sampled_from([1, 2])
OVERRIDES = st.dictionaries(
    st.sampled_from([HEARTBEAT_INTERVAL, HEARTBEAT_MISSED_BEFORE_ALERT]), VALUES, max_size=2
) | st.just({})
WISHES = st.lists(
    st.builds(
        SettingsWish.of,
        st.dictionaries(
            st.sampled_from([HEARTBEAT_INTERVAL, HEARTBEAT_MISSED_BEFORE_ALERT]),
            VALUES | st.just(INHERITED),
            min_size=1,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def known(policies: t.Iterable[Policy], computers: t.Iterable[Computer]) -> Fleet:
    """A fleet of which all is read already."""
    fleet = Fleet(mock.sentinel.no_client)
    vars(fleet).update(policies={one.id: one for one in policies}, default_settings={HEARTBEAT_INTERVAL: 1})
    fleet.computers = {one.id: one for one in computers}
    return fleet


@given(st.lists(OVERRIDES, min_size=1, max_size=3), st.data(), WISHES)
def test_each_of_many_gets_what_it_would_get_alone(of_policies, data, wishes):
    policies = [
        Policy(1 + number, f"p{number}", number or None, overrides, frozenset())
        for number, overrides in enumerate(of_policies)
    ]
    above = st.sampled_from([None, 99, *(policy.id for policy in policies)])
    computers = []
    for number, (policy_id, overrides) in enumerate(data.draw(st.lists(st.tuples(above, OVERRIDES), max_size=8))):
        computers.append(Computer(100 + number, f"c{number}", "", "Linux", "", policy_id, None))
        computers[-1].overrides = overrides
    of_policy = {one: wish for one in policies if (wish := data.draw(st.none() | st.sampled_from(wishes)))}
    of_computer = {one: data.draw(st.sampled_from(wishes)) for one in computers}

    def steps(wanted: dict[Target, SettingsWish]) -> list[Step]:
        fleet = known(policies, computers)
        return list(Heartbeat("on_premises").setting_steps(Outlook(fleet), {**of_policy, **wanted}))

    alone = [step for one, wish in of_computer.items() for step in steps({one: wish}) if step.subject.id == one.id]
    together = [step for step in steps(of_computer) if step.subject.type == "computer"]
    assert sorted(together) == sorted(alone)
