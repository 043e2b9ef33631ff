# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields that queries may ask for, held against the vendor's SDK."""

from __future__ import annotations

import deepsecurity
import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._answers.info import API_FIELDS
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import COMPUTER, POLICY


@pytest.mark.parametrize(("kind", "model"), [(COMPUTER, deepsecurity.Computer), (POLICY, deepsecurity.Policy)])
def test_the_fields_of_whole_objects(kind, model):
    assert set(API_FIELDS[kind]) == set(model.attribute_map.values())
