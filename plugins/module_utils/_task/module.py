# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in its own process: a module, started by Ansible on the host where the task runs."""

from __future__ import annotations

import contextlib
import typing as t

from .._basis.module import Module
from .._manager.progress import Progress
from .work import Work, result_of


def run_module(work: Work[t.Any]) -> None:
    """Read the options, do the work, print the result, and end the process."""
    module = Module(work.arguments)
    result = result_of(work, _Host(module))
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


class _Host:
    """The host of a task that runs as a module."""

    # The module was started with the task's environment.
    environment = None

    def __init__(self, module: Module) -> None:
        self.params: dict[str, t.Any] = module.params
        self.check_mode: bool = module.check_mode
        self.diff: bool = module._diff
        self.no_log: bool = module.no_log
        self.no_log_values: set[str] = module.no_log_values
        self.warn = module.warn

    def watched(self, _progress: Progress, _seconds: int) -> t.ContextManager[None]:
        """Does nothing: a module's output is not shown before its end."""
        return contextlib.nullcontext()
