# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets every test, and every process that a test starts, find the collection as if it were installed."""

from __future__ import annotations

import gc
import os
import sys

import pytest

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # in the environment of the tools, whose tests generate nothing
    settings = None

from tests import playbooks
from tests.gates.environments import BYTECODE, link_collection

COLLECTIONS = str(link_collection())

sys.path.insert(0, COLLECTIONS)
# Nothing else is searched: a copy of the collection that happens to be installed must not be what is tested.
os.environ["ANSIBLE_COLLECTIONS_PATH"] = COLLECTIONS
# Here they would cost each process that a test starts as much as all else it does: modules come through standard input,
# which Python then reads byte by byte, and what it imports it compiles anew.
for variable in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(variable, None)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [COLLECTIONS, BYTECODE, os.environ.get("PYTHONPATH")]))

if settings:
    # The same examples on every machine, however slow it is. Others are tried with --hypothesis-profile=explore.
    settings.register_profile(
        "gates",
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.register_profile("explore", settings.get_profile("gates"), derandomize=False, max_examples=1000)
    # Where all of them are tried on another Python already, and what is new are the libraries.
    settings.register_profile("again", settings.get_profile("gates"), max_examples=10)
    settings.load_profile("gates")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the profile C(again) count for tests, too, that want more examples than others."""
    if settings and config.getoption("--hypothesis-profile") == "again":
        for test in {item.function for item in items if hasattr(item.function, "hypothesis")}:
            few = settings(test._hypothesis_internal_use_settings, max_examples=settings().max_examples)
            test._hypothesis_internal_use_settings = few


def pytest_collection_finish() -> None:
    """Take what all tests share out of sight of the garbage collector, as each task over a fleet collects once.

    And let it look less often of its own accord: most of what tests draw and make is gone before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish() -> None:
    """End what runs of playbooks have started, so that what it has cost is counted."""
    playbooks.end()
