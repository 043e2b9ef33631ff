# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task loads before its work is what that work needs: nothing else is compiled, sent to a host or imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COLLECTION = "ansible_collections.workload_security.agent.plugins"

# Loads Ansible once; each plugin is imported in a fork of it. Prints what that has loaded, and what compiled it.
LOADED = """
import importlib, json, os, sys
from ansible.cli.playbook import main
from ansible.plugins import loader
loader.init_plugin_loader()
found = {}
for name in sys.argv[1:]:
    reads, writes = os.pipe()
    if not os.fork():
        before = set(sys.modules)
        importlib.import_module(name)
        loaders = {one: type(sys.modules[one].__spec__.loader).__name__ for one in set(sys.modules) - before}
        with open(writes, "w") as pipe:
            json.dump(loaders, pipe)
        os._exit(0)
    os.close(writes)
    with open(reads) as pipe:
        found[name] = json.load(pipe)
    os.wait()
json.dump(found, sys.stdout)
"""

# Of modules that ask the manager, and of those that do not.
_WRITING = ("_activation", "_answers", "_communication", "_sending")
_NO_MANAGER = ("urllib3", "jmespath", *_WRITING, "_facets", "_fleet", "_manager", "_task")
_OTHER_PLANS = ("_communication.plan_file", "_communication.reviewed", "_communication.undo")
# What must not be loaded for a plugin: libraries, packages or files of module utils.
NEEDLESS = {
    "action.communication_profile": (
        *("_activation", "_answers", "_sending", "_communication.capture", "_communication.snapshot"),
        *("_communication.snapshot_file", "_communication.snapshot_editor", "_communication.waves", "ruamel"),
        *_OTHER_PLANS,
    ),
    "action.heartbeat": ("_activation", "_answers", "_sending", "_communication.capture", *_OTHER_PLANS, "ruamel"),
    "action.communication_document": ("_activation", "_answers", "_sending", "_communication.result"),
    "action.policy_sending": ("_activation", "_answers", "_communication", "_facets", "ruamel"),
    "action.agent_initiated_activation": ("_answers", "_sending", "_communication", "_facets", "ruamel"),
    "action.policy_info": ("_activation", "_communication", "_facets", "ruamel"),
    "action.agent_deployment_script_info": (*_WRITING[1:], "_facets", "ruamel"),
    "inventory.computers": ("_activation", "_communication", "ruamel"),
    "modules.agent_cipher_facts": ("_connectivity", "_dns", "_probe", "_ssh", *_NO_MANAGER),
    "modules.agent_cipher_probe": ("_connectivity", "_dns", *_NO_MANAGER),
    "modules.local_dns": ("_agent", "_connectivity", "_dns.primary", "_probe", "_ssh", "dns", *_NO_MANAGER),
    "modules.manager_connectivity_info": ("_probe", "_ssh", "dns", *_NO_MANAGER),
}
# Libraries that are loaded only once an option asks for them.
FOR_SOME_OPTIONS = ("cryptography", "dns", "fractions", "gssapi", "html", "paramiko")
# The same where an option names an SSH server, which is what the probe is for.
_SSH = ("_ssh.channel", "_ssh.configuration", "_ssh.known_hosts", "_ssh.library", "_ssh.private_key", "_ssh.session")


@pytest.fixture(scope="module", name="loaded")
def _loaded() -> dict[str, dict[str, str]]:
    """For each plugin, all that its import loads, by name, and which kind of loader did that."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", LOADED, *(f"{COLLECTION}.{name}" for name in NEEDLESS)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return {name.removeprefix(f"{COLLECTION}."): found for name, found in json.loads(done.stdout).items()}


@pytest.mark.parametrize("plugin", NEEDLESS)
def test_nothing_is_loaded_that_its_work_does_not_need(loaded: dict[str, dict[str, str]], plugin: str):
    found = {name.removeprefix(f"{COLLECTION}.module_utils.") for name in loaded[plugin]}
    assert found & {"_basis", "_basis.text"}, "or this test looks at nothing"
    ssh = () if plugin == "modules.agent_cipher_probe" else _SSH
    needless = (*NEEDLESS[plugin], *FOR_SOME_OPTIONS, *ssh)
    assert not [one for one in sorted(found) if any(one == name or one.startswith(f"{name}.") for name in needless)]


def test_what_actions_and_inventories_import_is_compiled_once(loaded: dict[str, dict[str, str]]):
    """As Python's own loader does, which keeps bytecode. Ansible's compiles all again in each run."""
    for plugin in (name for name in NEEDLESS if not name.startswith("modules.")):
        kinds: dict[str, t.List[str]] = {}
        for name, kind in loaded[plugin].items():
            if name.startswith((f"{COLLECTION}.module_utils.", f"{COLLECTION}.modules.")):
                kinds.setdefault(kind, []).append(name)
        assert set(kinds) == {"SourceFileLoader"}, kinds
    assert list((ROOT / "plugins" / "module_utils" / "_task" / "__pycache__").glob("work.*.pyc"))


def test_what_ansible_has_loaded_is_not_searched_for_garbage():
    """Not even while an action is imported, which would take longer than the import."""
    code = f"""
import gc, importlib
from ansible.cli.playbook import main
from ansible.plugins import loader
loader.init_plugin_loader()
there = len(gc.get_objects())
importlib.import_module("{COLLECTION}.action.heartbeat")
print(there, gc.get_freeze_count())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    there, left_alone = map(int, done.stdout.split())
    assert left_alone >= there > 10_000
