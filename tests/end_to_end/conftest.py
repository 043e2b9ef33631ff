# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines for the end-to-end tests. Each file gets new ones: as many as its C(MACHINES) says, or four.

Their controller is the same for all files, so that Ansible is loaded there once.
"""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from tests import playbooks
from tests.end_to_end.controller import end_on_controller
from tests.end_to_end.site import MANAGER_NAME, Site
from tests.lab.agent.install import DEFAULT_TIME_FACTOR
from tests.lab.hosts.process import LabHosts, LabUnavailable
from tests.lab.manager.process import LabManager


@pytest.fixture(scope="session")
def lab() -> t.Iterator[LabHosts]:
    """The controller and its network, without machines."""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(LabHosts(0))
        except LabUnavailable as reason:
            pytest.skip(str(reason))
        stack.callback(end_on_controller, started)
        stack.callback(playbooks.end, started.prefix)
        yield started


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest, lab: LabHosts) -> LabHosts:
    """Some machines, and the controller's network. Each test must leave them unchanged for the others in its file."""
    lab.renew(getattr(request.module, "MACHINES", 4))
    return lab


@pytest.fixture(scope="module")
def site(hosts: LabHosts, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    """An on-premises manager with one policy and no computers, at which agents are activated."""
    host = hosts.add("manager")
    with LabManager(
        computers=0, policies=1, host=host, names=[MANAGER_NAME], time_factor=DEFAULT_TIME_FACTOR
    ) as manager:
        yield Site(hosts, manager, host, tmp_path_factory.mktemp("site"))
