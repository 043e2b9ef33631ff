# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets all tests, and all processes that they start, find the collection as if it were installed."""

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
# Nothing else is searched, so that no installed copy of the collection is tested by accident.
os.environ["ANSIBLE_COLLECTIONS_PATH"] = COLLECTIONS
# These would double the time of each process that a test starts: Python would read modules, which come through standard
# input, byte by byte, and it would compile all its imports again.
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
    # For runs with other libraries, after all examples have been tried with another Python.
    settings.register_profile("again", settings.get_profile("gates"), max_examples=10)
    settings.load_profile("gates")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the profile C(again) also apply to tests that ask for more examples than others."""
    if settings and config.getoption("--hypothesis-profile") == "again":
        for test in {item.function for item in items if hasattr(item.function, "hypothesis")}:
            few = settings(test._hypothesis_internal_use_settings, max_examples=settings().max_examples)
            test._hypothesis_internal_use_settings = few


def pytest_collection_finish() -> None:
    """Hide the objects that all tests share from the garbage collector, because each task over a fleet runs it once.

    Also let it run less often by itself, because most objects that tests create are gone before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish() -> None:
    """End the processes for runs of playbooks, so that their CPU time is counted."""
    playbooks.end()
