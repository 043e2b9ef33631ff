# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter required_hostnames: plain results from tagged values, and one kind of error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template

from ansible_collections.workload_security.agent.plugins.filter.required_hostnames import required_hostnames
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import REGIONS


def test_the_names_of_a_region() -> None:
    names = required_hostnames("us-1")
    assert names[:2] == ["workload.us-1.cloudone.trendmicro.com", "agents.workload.us-1.cloudone.trendmicro.com"]
    assert len(names) == 18
    shared = required_hostnames("us-1", shared=True)
    assert shared[:18] == names
    assert "relay.deepsecurity.trendmicro.com" in shared


def test_names_that_are_not_documented_come_last_and_only_if_asked_for() -> None:
    assert "agent-comm.workload.trend-us-1.cloudone.trendmicro.com" not in required_hostnames("trend-us-1", shared=True)
    with_them = required_hostnames("trend-us-1", undocumented=True)
    assert with_them[:14] == required_hostnames("trend-us-1")
    assert [name.partition(".")[0] for name in with_them[14:]] == [
        *("agent-comm", "xdr-resp-ioc", "gateway", "gateway-control")
    ]
    assert required_hostnames("us-1", undocumented=True) == required_hostnames("us-1")
    with pytest.raises(AnsibleFilterError, match="expected undocumented as a boolean, got a number"):
        required_hostnames("us-1", False, 1)


def test_tagged_values_give_plain_results() -> None:
    for region in REGIONS:
        names = required_hostnames(trust_as_template(region))
        assert names == required_hostnames(region)
        assert {name.__class__ for name in names} == {str}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mars-1"], "required_hostnames: option 'region' is 'mars-1': it must be one of ae-1"),
        ([None], "required_hostnames: expected a region as a string, got null"),
        ([["us-1"]], "required_hostnames: expected a region as a string, got a list"),
        (["us-1", "yes"], "required_hostnames: expected shared as a boolean, got a string"),
    ],
)
def test_anything_else_is_an_error_of_the_filter(arguments: list, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        required_hostnames(*arguments)
