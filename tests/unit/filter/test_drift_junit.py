# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit XML of a comparison: whatever it holds, a parser of XML reads back what was meant."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.drift_junit import drift_junit
from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import shown

COUNTS = {"changed": 1, "unchanged": 5, "failed": 0}
GROUP = {"facet": "heartbeat", "option": "interval", "before": 5, "after": 10, "why": "interval is set to 5 here",
         "policies": ["Web"], "computers": [], "count": 1}  # fmt: skip
FAILED = {"type": "computer", "id": 7, "name": "mac", "facet": "communication_direction", "reason": "a Mac"}


class Tagged(int):
    """As variables of Ansible are: of a class of their own."""


def counts_of(xml: str) -> tuple[str, ...]:
    root = ElementTree.fromstring(xml)
    return tuple(root.attrib[name] for name in ("tests", "failures", "errors"))


def test_what_differs_failed_and_is_as_declared() -> None:
    xml = drift_junit(
        {"counts": COUNTS, "plan": [{**GROUP, "count": 9}], "undeclared": [GROUP], "failed_targets": [FAILED],
         "objects": [{"type": "ip_list", "name": "L", "why": "items differs"}]}, "dsm")  # fmt: skip
    assert counts_of(xml) == ("5", "3", "1")
    cases = ElementTree.fromstring(xml).findall("testsuite[@name='dsm']/testcase")
    assert [case.attrib["name"] for case in cases] == [
        "interval: 5 -> 10", "interval: 5 -> 10", "ip list L", "computer mac", "5 targets are as declared"
    ]  # fmt: skip
    messages = [child.attrib["message"] for case in cases for child in case]
    assert messages == [
        "differs from the document on Web and 8 more", "set, but not declared on Web", "items differs", "a Mac"
    ]  # fmt: skip


def test_no_drift_is_a_test_that_passed_and_no_comparison_an_error() -> None:
    assert counts_of(drift_junit({"counts": COUNTS, "plan": []})) == ("1", "0", "0")
    xml = drift_junit({"failed": True, "msg": "connection refused"})
    assert counts_of(xml) == ("1", "0", "1") and "connection refused" in xml


@pytest.mark.parametrize(
    ("value", "kind"), [("x", "a string"), (Tagged(5), "a number"), ([{}], "a list"), (None, "null")]
)
def test_what_is_no_result_is_named_in_the_words_of_yaml(value: object, kind: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^drift_junit: expected the result of .*, got {kind}$"):
        drift_junit(value)


@given(st.text(st.characters(codec=None)))
def test_any_name_can_be_read_back(name: str) -> None:
    result: dict[str, t.Any] = {"counts": COUNTS, "plan": [{**GROUP, "policies": [name], "why": name}]}
    xml = drift_junit(result, name)
    xml.encode("utf-8")
    root = ElementTree.fromstring(xml)
    assert root[0].attrib["name"] == shown(name, 2000)
    assert root[0][0][0].attrib["message"] == f"differs from the document on {shown(name, 2000)}"
