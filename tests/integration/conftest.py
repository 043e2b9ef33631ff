# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One small lab for all integration tests, as new for each."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.manager.process import LabManager
from tests.page import Browser, needed_browser


@pytest.fixture(scope="session")
def running_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=300, policies=30, seed=1) as lab:
        yield lab


@pytest.fixture
def lab(running_lab: LabManager) -> LabManager:
    """A lab with 300 computers and 30 policies, its log empty, nothing out of order."""
    running_lab.reset()
    return running_lab


@pytest.fixture(scope="session")
def running_small_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=12, policies=8, seed=1) as lab:
        yield lab


@pytest.fixture
def small_lab(running_small_lab: LabManager) -> LabManager:
    """The same with 12 computers and 8 policies, for tests that look at their own ones: half the work for each."""
    running_small_lab.reset()
    return running_small_lab


@pytest.fixture(scope="session")
def bare_lab() -> t.Iterator[LabManager]:
    """A lab with 3 policies and no computers, for tests that make their own; they reset it."""
    with LabManager(computers=0, policies=3, seed=7) as lab:
        yield lab


@pytest.fixture(scope="session")
def running_cloud_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=60, policies=12, seed=2, deployment="cloud") as lab:
        yield lab


@pytest.fixture
def cloud_lab(running_cloud_lab: LabManager) -> LabManager:
    """A small lab that is the cloud: other headers, and a heartbeat that cannot be set."""
    running_cloud_lab.reset()
    return running_cloud_lab


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium, as a test of a page needs it."""
    return needed_browser(tmp_path_factory.mktemp("chromium"))
