# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules.communication_fleet_info import WORK
from ..plugin_utils._manager_action import ManagerAction


class ActionModule(ManagerAction):
    """Does the module's work in Ansible's own process if possible."""

    work = WORK
