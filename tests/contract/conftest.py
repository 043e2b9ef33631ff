# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One small lab for all contract tests, which is reset for each test, and the vendor's SDK to use it."""

from __future__ import annotations

import typing as t

import pytest

from tests.contract.support import Sdk
from tests.lab.manager.process import LabManager


@pytest.fixture(scope="session")
def running_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=200, policies=20, seed=7, shared_host_names=3, requests_per_minute=300) as lab:
        yield lab


@pytest.fixture
def lab(running_lab: LabManager) -> LabManager:
    """A freshly reset lab with 200 computers, 20 policies, and a limit of 300 requests per minute."""
    running_lab.reset()
    return running_lab


@pytest.fixture(scope="session")
def running_cloud_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=20, policies=10, seed=7, deployment="cloud") as lab:
        yield lab


@pytest.fixture
def cloud_lab(running_cloud_lab: LabManager) -> LabManager:
    """A freshly reset small lab that stands in for the cloud."""
    running_cloud_lab.reset()
    return running_cloud_lab


@pytest.fixture(scope="session")
def running_sdk(running_lab: LabManager) -> Sdk:
    return Sdk(running_lab, running_lab.api_key)


@pytest.fixture
def sdk(running_sdk: Sdk, lab: LabManager) -> Sdk:
    """The vendor's SDK with the administrator's key, on a freshly reset lab."""
    return running_sdk
