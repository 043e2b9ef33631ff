# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every playbook."""

from __future__ import annotations

import pytest
import yaml

from tests.gates.environments import ROOT

PART = "some_host.yml"
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml") if path.name != PART)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_an_inventory_without_hosts_is_an_error(name):
    """It would end with 0, as if all were well."""
    first = yaml.safe_load((ROOT / "playbooks" / name).read_text(encoding="utf-8"))[0]
    assert first["ansible.builtin.import_playbook"] == PART
