# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(ansible-lint) with syntax checks that do not start Ansible each time, which takes longer than the checks.

    python -m tests.gates.lint_runner [ARGUMENT ...]

runs it with ARGUMENTs. It checks the syntax of each playbook and role with a run of ansible-playbook. Here, these are
forks of one loaded Ansible (tests/playbooks). If one finds something wrong, it is run again as usual, for its output.
Garbage is collected less often, because ansible-lint keeps what it has read of the repository to the end.
"""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import threading
import types
import typing as t

from ansible_compat.runtime import Runtime
from ansiblelint import runner
from ansiblelint.__main__ import _run_cli_entrypoint

from tests import playbooks

_CHECK = ("ansible-playbook", "--syntax-check")
# ansible-lint makes several checks at once, but one loaded Ansible can only do one after the other.
_one_by_one = threading.Lock()


def checked(run: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Wrap a function that runs a command, so that syntax checks that find nothing run in the loaded Ansible."""

    @functools.wraps(run)
    def instead(*arguments: t.Any, **options: t.Any) -> t.Any:
        # The first argument of a method is its object.
        command = next((argument for argument in arguments if isinstance(argument, list)), None)
        if command and tuple(command[:2]) == _CHECK:
            owner = arguments[0] if arguments[0] is not command else None
            environment = options.get("env") or (owner.environ if owner else os.environ)
            with _one_by_one:
                ran = playbooks.ansible_playbook(*command[1:], environment=environment, loaded=True)
            if ran.returncode == 0:
                return subprocess.CompletedProcess(command, 0, "", "")
        return run(*arguments, **options)

    return instead


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 1000)
    Runtime.run = checked(Runtime.run)
    runner.subprocess = types.SimpleNamespace(**{**vars(subprocess), "run": checked(subprocess.run)})
    try:
        _run_cli_entrypoint()
    finally:
        playbooks.end()
