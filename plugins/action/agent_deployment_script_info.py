# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs the module of the same name, which must know whether Ansible is going to show what it returns."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
        return result

    def _update_module_args(self, module_name: str, module_args: dict[str, t.Any], *rest: t.Any, **more: t.Any) -> None:
        """Without this, C(no_target_syslog=true) in Ansible's configuration looks like C(no_log=true) to a module."""
        super()._update_module_args(module_name, module_args, *rest, **more)
        module_args["_ansible_no_log"] = bool(self._task.no_log)
