# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._basis.plain import kind_of
from ..module_utils._basis.text import shown

Result = t.Dict[str, t.Any]

_COUNTS = ("changed", "unchanged", "failed")
_LISTS = ("plan", "undeclared", "objects", "failed_targets", "warnings")


def merged_results(results: object) -> Result:
    """Merge the results of slices into one; see the documentation of the filter."""
    if not isinstance(results, list):
        raise _error(f"expected a list of results, got {kind_of(results)}")
    checked = [_checked(result, number) for number, result in enumerate(results, 1)]
    counts = {name: sum(result["counts"][name] for result in checked) for name in _COUNTS}
    objects = {(one.get("type"), one.get("name")): one for result in reversed(checked) for one in result["objects"]}
    words = (("changed", "that differ"), ("unchanged", "as declared"), ("failed", "that failed"))
    told = ", ".join(f"{counts[name]} {word}" for name, word in words if counts[name] or name != "failed")
    return {
        "results": len(checked),
        "changed": bool(counts["changed"] or objects),
        "summary": f"{len(checked)} {'result' if len(checked) == 1 else 'results'}: targets: {told}",
        "counts": counts,
        "plan": _groups(group for result in checked for group in result["plan"]),
        "undeclared": _groups(group for result in checked for group in result["undeclared"]),
        "objects": list(reversed(objects.values())),
        "failed_targets": _unique(one for result in checked for one in result["failed_targets"]),
        "warnings": _unique(one for result in checked for one in result["warnings"]),
    }


def _checked(result: object, number: int) -> Result:
    """A result with the parts that are merged. Raises C(AnsibleFilterError) if this is not a result."""
    if not isinstance(result, dict):
        raise _error(f"result {number} is {kind_of(result)}, not a dictionary")
    counts = result.get("counts")
    if not isinstance(counts, dict):
        why = result.get("error") or result.get("msg")
        raise _error(f"result {number} has no counts{': ' + shown(str(why), 200) if why else ''}")
    for name in _COUNTS:
        if not _is_count(counts.get(name)):
            raise _error(f"counts.{name} of result {number} is not a number: {shown(repr(counts.get(name)), 100)}")
    kept: Result = {"counts": counts}
    for name in _LISTS:
        items = kept[name] = result.get(name) or []
        kind = str if name == "warnings" else dict
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise _error(f"{name} of result {number} is not a list of {'texts' if kind is str else 'dictionaries'}")
    for group in [*kept["plan"], *kept["undeclared"]]:
        lists = [group.get(name) for name in ("policies", "computers")]
        if not _is_count(group.get("count")) or not all(isinstance(names, list) for names in lists):
            raise _error(f"plan of result {number}: a group has no count, no policies, or no computers")
    return kept


def _groups(groups: t.Iterable[Result]) -> list[Result]:
    """Merge groups that only differ in their targets. A policy may be in several of them; a computer is only in one."""
    merged: dict[str, Result] = {}
    for group in groups:
        key = _name({name: value for name, value in group.items() if name not in ("policies", "computers", "count")})
        known = merged.setdefault(key, {**group, "policies": [], "computers": [], "count": 0})
        fresh = [policy for policy in group["policies"] if policy not in known["policies"]]
        known["count"] += group["count"] - len(group["policies"]) + len(fresh)
        known["policies"] = [*known["policies"], *fresh]
        known["computers"] = [*known["computers"], *group["computers"]]
    return list(merged.values())


def _unique(items: t.Iterable[t.Any]) -> list[t.Any]:
    return list({_name(item): item for item in items}.values())


def _name(value: t.Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _error(text: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"merged_results: {text}")


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"merged_results": merged_results}
