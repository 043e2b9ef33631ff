# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Captures of the lab to files, which are read with another library than the one that wrote them, and checked."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from tests.integration.in_process import run_tasks
from tests.integration.support import writes
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
CAPTURE = f"{NAMESPACE}.communication_document"
APPLY = f"{NAMESPACE}.communication_profile"


class Unsafe(str):
    """Text that is not a template."""


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


class Dumper(yaml.SafeDumper):
    """YAML as a user writes it."""


Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(loader.construct_scalar(node)))
Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style="'"))
Loader.add_constructor("!vault", lambda loader, node: "(a vault)")


def read(text: str) -> dict[str, t.Any]:
    """The variables in a file's text."""
    return yaml.load(text, Loader) or {}


def capture(lab: LabManager, path: Path, **options: t.Any) -> dict[str, t.Any]:
    """Capture the whole manager, unless options say otherwise. Before that, assert that check mode says the same."""
    before = path.read_bytes().decode() if path.exists() else None
    foreseen, real = run_tasks(
        lab,
        [{CAPTURE: {"path": str(path), **options}, "check_mode": check, "diff": True} for check in (True, False)],
    ).results
    assert not real["failed"], real
    for part in ("changed", "profiles", "left_out", "advice", "diff"):
        assert foreseen[part] == real[part], part
    assert real["diff"]["after"] == path.read_bytes().decode()
    assert real["changed"] == (real["diff"]["after"] != (before or ""))
    return real


def assert_nothing_to_do(lab: LabManager, path: Path) -> None:
    """Assert that applying a capture changes and refuses nothing, and that what it does not declare is in C(left_out).

    Also assert that another capture gives the same.
    """
    lab.clear_requests()
    document = read(path.read_text(encoding="utf-8"))["communication_profiles"]
    options = {"profiles": document, "undeclared": "report", "scope": "fleet", "list_targets": True}
    (applied,) = run_tasks(lab, [{APPLY: options}]).results
    assert "plan" in applied, (applied["msg"], path.read_text(encoding="utf-8"))
    found = {part: applied[part] for part in ("changed", "plan", "objects", "failed_targets")}
    assert found == {"changed": False, "plan": [], "objects": [], "failed_targets": []}, path.read_text(
        encoding="utf-8"
    )
    assert writes(lab) == []
    text = path.read_bytes()
    again = capture(lab, path)
    assert not again["changed"] and path.read_bytes() == text
    # For these, neither of the two can tell.
    left_out = [one for one in again["left_out"] if not one["reason"].startswith("whether the rule")]
    assert _targets(left_out) == _targets(applied["undeclared"])


def _targets(found: t.Iterable[dict[str, t.Any]]) -> set[tuple[str, str]]:
    """The facets and targets of a list of results."""
    return {(one["facet"], name) for one in found for name in (*one["policies"], *one["computers"])}
