# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every platform that the vendor's SDK names is of a family."""

from __future__ import annotations

import inspect
import re

import pytest
from deepsecurity.models.agent_version_control import AgentVersionControl

from ansible_collections.workload_security.agent.plugins.module_utils._agent.platforms import family

SOURCE = inspect.getsource(AgentVersionControl.platform.fset)
PLATFORMS = re.findall('"([^"]+)"', SOURCE.partition("allowed_values = [")[2].partition("]")[0])
FAMILIES = {"Microsoft": "windows", "Solaris": "solaris", "AIX": "aix"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_that_the_vendor_names(platform: str) -> None:
    assert family(platform) == FAMILIES.get(platform.split()[0], "linux")


def test_there_are_some() -> None:
    assert len(PLATFORMS) > 50
