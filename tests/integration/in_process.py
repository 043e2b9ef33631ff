# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run in this process, from their options to their output, in a twentieth of the time of a playbook.

This leaves out what a playbook adds: templates, action plugins, and the module's own process. C(support.play) has all
that, and C(test_every_module_in_a_playbook) asserts that both give the same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import typing as t
from unittest import mock

import pytest
import yaml
from ansible.module_utils import _internal as ansible_internal
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.testing import patch_module_args

from tests.gates.environments import ROOT
from tests.integration.support import Played
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
OMIT = "{{ omit }}"
# Keywords that a task may have in addition to its module.
TASK_KEYWORDS = {"check_mode", "diff", "no_log"}


def run_tasks(
    lab: LabManager,
    tasks: t.Iterable[t.Mapping[str, t.Any]],
    *,
    check: bool = False,
    diff: bool = False,
    environment: t.Mapping[str, str] | None = None,
    defaults: t.Mapping[str, t.Any] | None = None,
) -> Played:
    """Run tasks as C(play) does, one after the other. A task is {module: options}, plus keywords such as check_mode.

    C(check) and C(diff) are like those of the command line. Every task may fail. Then its result says so. By default,
    the connection comes from the defaults of the action group, and the key from the environment. An option whose value
    is C(OMIT) is left out.
    """
    shared = {"url": lab.url, "ca_path": lab.ca_path, **(defaults or {})}
    results = []
    with mock.patch.dict(os.environ, {"WORKLOAD_SECURITY_API_KEY": lab.api_key, **(environment or {})}):
        for task in tasks:
            keywords = {"check_mode": check, "diff": diff, **{key: task[key] for key in TASK_KEYWORDS & task.keys()}}
            (module,) = task.keys() - TASK_KEYWORDS
            options = {**(shared if module.rpartition(".")[2] in manager_group() else {}), **task[module]}
            given = {option: value for option, value in options.items() if value != OMIT}
            results.append(run_module(module, given, **keywords))
    return Played(0, json.dumps(results), results)


def run_module(module: str, options: t.Mapping[str, t.Any], **keywords: bool) -> dict[str, t.Any]:
    """Run one module, by its full name. Returns the result that a playbook would register. C(keywords): the task's.

    Raises what the module raises, for which a playbook would show a traceback.
    """
    main = importlib.import_module(f"ansible_collections.{NAMESPACE}.plugins.modules.{module.rpartition('.')[2]}").main
    internal = {f"_ansible_{keyword}": value for keyword, value in keywords.items()}
    stdout = io.StringIO()
    with (
        patch_module_args({**options, **internal, "_ansible_module_name": module}),
        # These live as long as the process, which normally runs only one module.
        mock.patch.dict(ansible_warnings._global_warnings, clear=True),
        mock.patch.dict(ansible_warnings._global_deprecations, clear=True),
        # Another test in this process may have loaded parts that only Ansible itself has.
        mock.patch.object(ansible_internal, "is_controller", False),
        contextlib.redirect_stdout(stdout),
        pytest.raises(SystemExit),
    ):
        main()
    result = {"changed": False, "failed": False, **json.loads(stdout.getvalue())}
    # Remove what only some releases of ansible-core print, and what is only for the executor.
    result.pop("invocation", None)
    for kind in ("warnings", "deprecations"):
        if kind in result:
            result[kind] = [one if isinstance(one, str) else one["event"]["msg"] for one in result[kind]]
    return result


@functools.lru_cache(maxsize=None)
def manager_group() -> frozenset[str]:
    """The modules of the action group, by their short names."""
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    return frozenset(runtime["action_groups"]["manager"])
