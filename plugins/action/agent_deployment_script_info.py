# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..modules.agent_deployment_script_info import WORK
from ..plugin_utils._manager_action import ManagerAction


class ActionModule(ManagerAction):
    """Does the module's work in Ansible's own process if possible, and knows whether Ansible shows the result."""

    work = WORK

    def _update_module_args(self, module_name: str, module_args: dict[str, t.Any], *rest: t.Any, **more: t.Any) -> None:
        """Keep C(no_target_syslog=true) in Ansible's configuration from looking like C(no_log=true) to the module."""
        super()._update_module_args(module_name, module_args, *rest, **more)
        module_args["_ansible_no_log"] = bool(self._task.no_log)
