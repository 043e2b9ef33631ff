# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(make demo), the first command of the README, which checks each of its claims by itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.gates.environments import ROOT

pytestmark = pytest.mark.slow


def test_the_demo_keeps_what_it_claims():
    ran = subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("[ok] No process is left.\n")
