# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of slices as one."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.merged_results import merged_results


def group(computers, policies=(), option="interval", after=7):
    """A change of some targets."""
    change = {
        "facet": "heartbeat",
        "option": option,
        "before": None,
        "effective_before": None,
        "after": after,
        "why": "",
    }
    targets = {"policies": list(policies), "computers": list(computers)}
    return {**change, **targets, "count": len(policies) + len(computers)}


def result(*groups, unchanged=0, **more):
    """What a slice came to."""
    changed = sum(one["count"] for one in groups)
    return {"counts": {"changed": changed, "unchanged": unchanged, "failed": 0}, "plan": list(groups), **more}


def test_equal_changes_are_counted_together_and_shared_things_once():
    rule = {"type": "firewall_rule", "name": "Rule", "before": None, "after": {}}
    failed = {"type": "computer", "name": "c", "reason": "No"}
    merged = merged_results(
        [
            result(group(["a"], ["Web"]), objects=[rule], warnings=["w"], unchanged=2),
            result(group(["b"], ["Web"]), group(["b"], option="direction"), objects=[rule], warnings=["w"]),
            {**result(failed_targets=[failed]), "counts": {"changed": 0, "unchanged": 0, "failed": 1}},
        ]
    )
    assert merged["plan"] == [group(["a", "b"], ["Web"]), group(["b"], option="direction")]
    assert (merged["objects"], merged["failed_targets"], merged["warnings"]) == ([rule], [failed], ["w"])
    assert merged["summary"] == "3 results: targets: 5 that differ, 2 as declared, 1 that failed"
    assert merged["changed"] and merged["results"] == 3


NAMES = st.lists(st.integers(0, 99).map(str), unique=True, max_size=12)


@given(NAMES, st.lists(st.integers(0, 12), max_size=3).map(sorted), st.sampled_from([5, 7]))
def test_however_a_fleet_is_cut_the_whole_is_the_same(names, cuts, after):
    parts = [names[start:end] for start, end in zip([0, *cuts], [*cuts, len(names)])]
    slices = [result(*([group(part, after=after)] if part else [])) for part in parts]
    untouched = copy.deepcopy(slices)
    whole = merged_results([result(*([group(names, after=after)] if names else []))])
    merged = merged_results(slices)
    assert (merged["plan"], merged["counts"], merged["changed"]) == (whole["plan"], whole["counts"], whole["changed"])
    assert slices == untouched


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ("text", "expected a list of results, got a string"),
        ([None], "result 1 is null, not a dictionary"),
        ([result(), {"error": "the manager refuses the key"}], "result 2 has no counts: the manager refuses the key"),
        ([{"counts": {"changed": "1"}}], "counts.changed of result 1 is not a number: '1'"),
        ([{**result(), "plan": {}}], None),
        ([{**result(), "plan": {"a": 1}}], "plan of result 1 is not a list of dictionaries"),
        ([{**result(), "warnings": [1]}], "warnings of result 1 is not a list of texts"),
        ([{**result(), "plan": [{}]}], "plan of result 1: a group has no count, no policies, or no computers"),
    ],
)
def test_what_is_no_result_is_named(results, told):
    if told is None:
        assert merged_results(results)["plan"] == []
        return
    with pytest.raises(AnsibleFilterError, match="merged_results: ") as error:
        merged_results(results)
    assert told in str(error.value)
