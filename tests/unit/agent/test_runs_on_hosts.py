# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on managed hosts is Python 3.8 and the standard library, and imports nothing from other layers."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = Path(__file__).parents[3] / "plugins" / "module_utils" / "_agent"
FILES = sorted(AGENT.glob("*.py"))

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from _agent import cipher_suites, releases
print(json.dumps([releases.describe(text) for text in sys.argv[2:]]
                 + [cipher_suites.documented(text) for text in sys.argv[2:]]))
"""


def oldest_python() -> str:
    """Python 3.8 where the machine has one that starts, else the one that runs the tests."""
    found = shutil.which("python3.8")
    if found and subprocess.run([found, "-c", ""], capture_output=True, check=False, timeout=30).returncode == 0:
        return found
    return sys.executable


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_parses_on_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_only_the_standard_library_and_itself(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module.split(".")[0] in sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1


def test_runs_alone_without_site_packages(tmp_path: Path) -> None:
    shutil.copytree(AGENT, tmp_path / "_agent", ignore=shutil.ignore_patterns("__pycache__"))
    command = [oldest_python(), "-I", "-S", "-c", PROGRAM, str(tmp_path), "10.0.0-3186.el7", "11.0 Update 5", "zzz"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    answers = json.loads(output)
    assert [answer["release"] for answer in answers[:3]] == ["10.0 Update 16", "11.0 Update 5", None]
    assert [answer["state"] for answer in answers[3:]] == ["documented", "undocumented", "undocumented"]
