# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first playbook of the README: it shows the diff that the README shows, and a second run changes nothing."""

from __future__ import annotations

import difflib
import re

import yaml

from tests.gates.environments import ROOT
from tests.integration.in_process import run_tasks

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of code in this language."""
    return re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]


def test_the_first_playbook_does_what_the_readme_says(small_lab):
    (play,) = yaml.safe_load(block("yaml"))
    tasks = [{module: options for module, options in task.items() if module != "name"} for task in play["tasks"]]
    shown = run_tasks(small_lab, tasks, check=True, diff=True).results[0]
    (before, after) = (shown["diff"][side].splitlines(keepends=True) for side in ("before", "after"))
    assert block("diff") in "".join(difflib.unified_diff(before, after))
    assert [run_tasks(small_lab, tasks).results[0]["changed"] for _run in range(2)] == [True, False]
