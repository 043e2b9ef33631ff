# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._agent.installed import refusal


class ActionModule(ActionBase):
    """Runs the module with the same name, but says what is wrong if the host has no Python to run it."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Refuse connections that use PowerShell, and run the module on all others."""
        result = super().run(tmp, task_vars)
        if ".ps1" in self._connection.module_implementation_preferences:
            problem = refusal("Windows")
            raise AnsibleActionFail(str(problem), result={"failure": problem.as_failure()})
        result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
        return result
