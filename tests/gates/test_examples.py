# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples, on pages and in the documentation of plugins, say nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gates import examples
from tests.gates.environments import ROOT
from tests.gates.export import repository_files

PAGES = [path for path in repository_files() if path.suffix == ".md"]

# Commands in sentences, where the playbook may be left out.
INLINE = re.compile(r"`((?:make|ansible-galaxy|ansible-inventory|ansible-playbook(?=[^`]*agent\.)) [^`]+)`")


def read(path: Path) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_examples_of_pages(path):
    page = read(path)
    wrong = [fault for block in examples.blocks(page, "yaml") for fault in examples.wrong_yaml(block, page)]
    sentences = [" ".join(command.split()) for command in INLINE.findall(page)]
    shell = "\n".join(examples.blocks(page, "shell") + sentences)
    wrong += [fault for words in examples.commands(shell) for fault in examples.wrong_command(words)]
    assert not wrong + list(examples.wrong_names(page))


KINDS = ("modules", "inventory", "filter", "test")
PLUGINS = [(kind, name) for kind in KINDS for name in examples.plugins(kind)]


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=[name for _kind, name in PLUGINS])
def test_examples_of_plugins(kind, name):
    shown = [text for text in examples.plugin(kind, name)[1] if text.strip()]
    assert shown
    assert not [fault for text in shown for fault in examples.wrong_yaml(text, text)]


PROFILE = "communication_profiles: [{name: Servers, policies: [Linux Server], heartbeat: {interval: 10}}]"


@pytest.mark.parametrize(
    ("example", "fault"),
    [
        ("- {workload_security.agent.heartbeats: {}}", "no module workload_security.agent.heartbeats"),
        ("- {workload_security.agent.heartbeat: {intervall: 10}}", "no option intervall"),
        ("- {workload_security.agent.heartbeat: {stop_after: many}}", "'many' is not of type int"),
        ("- {workload_security.agent.heartbeat: {jump_host: {user: me}}}", "host is missing"),
        ("- {workload_security.agent.firewall_restriction: {state: gone}}", "'gone' is none of"),
        ("- {block: [{heartbeat: {}}]}", "heartbeat is not the full name"),
        ("- {name: Nothing}", "a task has one module"),
        (
            "- {hosts: all, roles: [{role: workload_security.agent.rollouts}]}",
            "no role workload_security.agent.rollouts",
        ),
        ("- {hosts: all, roles: [{role: workload_security.agent.rollout, rollout_wave: 1}]}", "no option rollout_wave"),
        ("- {hosts: all, gather_fact: false}", "a play has no gather_fact"),
        ("all: {host: {one: }}", "a group has no host"),
        ("all: {hosts: {one: {communication_manger: {}}}}", "nothing takes the variable communication_manger"),
        ("all: {vars: {communication_manager: {urls: x}}}", "no option urls"),
        ("plugin: workload_security.agent.computers\ngroup_by: [policies]", "'policies' is none of"),
        ("module_defaults: {group/workload_security.agent.manager: {ca: x}}", "no option ca"),
        (PROFILE.replace("heartbeat:", "heartbeats:"), "no option heartbeats"),
        (PROFILE.replace("name: Servers, ", ""), "name is missing"),
        ("{jump_host: {hosts: x}}", "no option hosts"),
    ],
)
def test_what_is_wrong_in_yaml_is_told(example, fault):
    assert fault in "\n".join(examples.wrong_yaml(example, example))


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make tests", "make has no tests"),
        (
            "cd x && ansible-playbook -i hosts workload_security.agent.sites",
            "no playbook workload_security.agent.sites",
        ),
        ("ansible-playbook playbooks/sites.yml", "there is no playbooks/sites.yml"),
        ("ansible-playbook \\\n  --inventori hosts site.yml", "ansible-playbook does not take"),
        ("ansible-playbook site.yml -e rollout_directories=x", "nothing takes the variable rollout_directories"),
        ('ansible-playbook site.yml -e \'{"rollout_waves": [1], "rollout_wave": 1}\'', "the variable rollout_wave"),
        (".venv/main/bin/python -m tests.lab.managers", "there is no tests.lab.managers"),
        ("A=1 ansible-galaxy collection instal x", "ansible-galaxy does not take"),
        ("export WORKLOAD_SECURITY_KEY=x", "nothing takes WORKLOAD_SECURITY_KEY"),
    ],
)
def test_what_is_wrong_in_a_command_is_told(command, fault):
    told = [wrong for words in examples.commands(command) for wrong in examples.wrong_command(words)]
    assert fault in "\n".join(told)
