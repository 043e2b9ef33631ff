# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from xml.etree import ElementTree  # nosec B405 # this only writes XML

from ansible.errors import AnsibleFilterError

from ..module_utils._basis.plain import kind_of
from ..module_utils._basis.text import in_words, shown


def drift_junit(result: object, name: object = "communication") -> str:
    """Write a comparison as JUnit XML; see the documentation of the filter."""
    if not isinstance(result, dict):
        raise AnsibleFilterError(f"drift_junit: expected the result of communication_profile, got {kind_of(result)}")
    suite = _Suite(_text(name))
    counts = result.get("counts")
    if not isinstance(counts, dict):
        suite.add("manager", "comparison", "error", _text(result.get("msg") or "the manager was not compared"))
        return suite.text()
    for word, groups in (("differs from the document", "plan"), ("set, but not declared", "undeclared")):
        for group in _each(result, groups):
            change = f"{_text(group.get('option'))}: {_text(group.get('before'))} -> {_text(group.get('after'))}"
            suite.add(group.get("facet"), change, "failure", f"{word} on {_targets(group)}", group.get("why"))
    for one in _each(result, "objects"):
        label = f"{_text(one.get('type')).replace('_', ' ')} {_text(one.get('name'))}"
        suite.add("firewall_restriction", label, "failure", _text(one.get("why")))
    for one in _each(result, "failed_targets"):
        label = f"{_text(one.get('type'))} {_text(one.get('name', one.get('id')))}"
        suite.add(one.get("facet"), label, "error", _text(one.get("reason")))
    suite.add("communication", f"{_text(counts.get('unchanged'))} targets are as declared")
    return suite.text()


class _Suite:
    """A growing suite of test cases."""

    def __init__(self, name: str) -> None:
        self._suites = ElementTree.Element("testsuites")
        self._suite = ElementTree.SubElement(self._suites, "testsuite", name=name)
        self._counts = {"tests": 0, "failures": 0, "errors": 0}

    def add(self, where: object, name: str, outcome: str = "", message: str = "", more: object = "") -> None:
        """Add a test case. C(outcome): empty if it passed, otherwise C(failure) or C(error)."""
        self._counts["tests"] += 1
        case = ElementTree.SubElement(self._suite, "testcase", classname=_text(where), name=name)
        if outcome:
            self._counts[f"{outcome}s"] += 1
            ElementTree.SubElement(case, outcome, message=message).text = _text(more)

    def text(self) -> str:
        """The whole suite as XML."""
        for element in (self._suites, self._suite):
            element.attrib.update({name: str(count) for name, count in self._counts.items()})
        ElementTree.indent(self._suites)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(self._suites, encoding="unicode")}\n'


def _each(result: dict[str, t.Any], key: str) -> list[dict[str, t.Any]]:
    found = result.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _targets(group: dict[str, t.Any]) -> str:
    lists = [group.get(kind) for kind in ("policies", "computers")]
    names = [_text(name) for one in lists if isinstance(one, list) for name in one]
    count = group.get("count")
    more = count - len(names) if isinstance(count, int) and count > len(names) else 0
    return ", ".join(names) + (f" and {more} more" if more else "")


def _text(value: object) -> str:
    """A value on one line, without the characters that XML cannot hold."""
    return "" if value is None else shown(in_words(value), 2000)


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"drift_junit": drift_junit}
