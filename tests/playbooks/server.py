# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible, loaded once: each line on standard input requests a run of one of its commands, which is a fork of this.

Each line is JSON. To start a run, it has C(argv), C(env), C(cwd), C(output) (a file) and C(timeout) in seconds, and the
answer is the run's process ID. To wait for a run, it has C(wait), the process ID, and the answer is the exit status, or
the negative number of the signal that ended the run, which is SIGALRM after the timeout. It ends with its input.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import typing as t
import warnings
from pathlib import Path

# Like in ansible-playbook. By this name, Ansible knows what it is.
sys.argv[:] = ["ansible-playbook"]

from ansible import constants  # noqa: E402
from ansible.cli import adhoc, doc, inventory, playbook  # noqa: E402
from ansible.plugins import loader  # noqa: E402
from ansible.utils.path import cleanup_tmp_file  # noqa: E402
from modules import Modules, end  # noqa: E402  (beside this program)

COLLECTION = "ansible_collections.workload_security.agent"
COMMANDS = {
    "ansible": adhoc.main,
    "ansible-doc": doc.main,
    "ansible-inventory": inventory.main,
    "ansible-playbook": playbook.main,
}
# What almost every run loads, by kind.
BUILTIN: dict[t.Any, tuple[str, ...]] = {
    loader.action_loader: ("assert", "copy", "debug", "fail", "include_vars", "set_fact", "validate_argument_spec"),
    loader.cache_loader: ("memory",),
    loader.strategy_loader: ("linear",),
}


def load() -> None:
    """Import what runs import, and read the parts of collections that they read."""
    loader.init_plugin_loader()
    # Each run configures it again, which is as it should be.
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    importlib.import_module("ansible_collections.ansible.builtin")
    for kind, names in BUILTIN.items():
        for name in names:
            kind.get(name, class_only=True)
    for kind in (loader.filter_loader, loader.test_loader):
        list(kind.all())
    for kind in (loader.action_loader, loader.become_loader, loader.connection_loader, loader.lookup_loader):
        # This looks for it in every folder, and caches what is there.
        kind.find_plugin("of no such name")
    # Otherwise, each worker would compute this again. Not all versions of Ansible have it.
    with contextlib.suppress(ImportError, AttributeError):
        results = importlib.import_module("ansible._internal._task").UnifiedTaskResult
        for one in (False, True):
            results.get_result_key_to_resolved_field_mapping(source_is_module=one)
    # Each run imports all of these, and reads the options that they have.
    for kind in (
        *(loader.become_loader, loader.callback_loader, loader.connection_loader),
        *(loader.inventory_loader, loader.shell_loader),
    ):
        list(kind.all(class_only=True))
    actions = importlib.import_module(f"{COLLECTION}.plugins.action")
    for module in pkgutil.iter_modules(actions.__path__):
        importlib.import_module(f"{actions.__name__}.{module.name}")
    # In each run, Ansible asks for its callers. Python then looks for the files of all modules, and keeps them.
    inspect.stack()
    gc.collect()
    gc.freeze()


def serve(requests: t.TextIO, replies: t.TextIO) -> dict[str, t.Any] | None:
    """Serve requests. Returns the request in the process of each run, and at the end C(None) in this process."""
    for line in requests:
        told = json.loads(line)
        if "wait" in told:
            answer = os.waitstatus_to_exitcode(os.waitpid(told["wait"], 0)[1])
        elif answer := os.fork():
            pass
        else:
            return told
        print(answer, file=replies, flush=True)
    return None


def become(told: dict[str, t.Any], packed: str) -> None:
    """Make this process as if it had been started for this run. C(packed): the folder that keeps packed modules."""
    signal.alarm(told["timeout"])
    os.environ.clear()
    os.environ.update(told["env"])
    os.chdir(told["cwd"])
    sys.argv[:] = told["argv"]
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(told["output"], os.O_WRONLY)
    # The lock is held until the last process that may print, such as those of tasks, has ended.
    fcntl.flock(output, fcntl.LOCK_EX)
    # The code that shows that a task is interrupted still has the standard error from when it was loaded.
    screen = importlib.import_module(f"{COLLECTION}.plugins.plugin_utils._manager_action")._SCREEN
    for source, place in ((nothing, 0), (output, 1), (output, 2), (output, screen)):
        os.dup2(source, place)
    # Ansible created a folder for its own files when it was loaded. This run gets a new one. The default is a template.
    atexit.unregister(cleanup_tmp_file)
    constants.DEFAULT_LOCAL_TMP = constants.config.get_config_value("DEFAULT_LOCAL_TMP", variables=vars(constants))
    Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(packed)


if __name__ == "__main__":
    # The output of runs must not reach the client.
    REQUESTS, REPLIES = (os.fdopen(os.dup(number), mode) for number, mode in ((0, "r"), (1, "w")))
    os.dup2(2, 1)
    load()
    MODULES = importlib.import_module("ansible.plugins.connection.local").subprocess = Modules()
    PACKED = tempfile.mkdtemp(prefix="packed-modules-")
    if TOLD := serve(REQUESTS, REPLIES):
        REQUESTS.close()
        REPLIES.close()
        become(TOLD, PACKED)
        end(COMMANDS[Path(sys.argv[0]).name])
    shutil.rmtree(PACKED)
    MODULES.end()
