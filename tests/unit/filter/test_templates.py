# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and tests in real templates, run by ansible-playbook, and the documentation that ships beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.workload_security.agent.plugins.filter.agent_cipher_suites import agent_cipher_suites
from ansible_collections.workload_security.agent.plugins.filter.agent_release import agent_release
from tests.playbooks import ansible_playbook

ROOT = Path(__file__).parents[3]
PLUGINS = {
    "filter": ["agent_release", "agent_cipher_suites", "cipher_suite_names", "file_name", "required_hostnames"],
    "test": ["agent_supports_suite", "agent_supports_tls", "older_than_release"],
}
EACH = [(kind, name) for kind, names in PLUGINS.items() for name in names]
PREFIX = "workload_security.agent."

VARIABLES = {
    "version": "10.0.0.3186",
    "versions": ["9.5.3.2754", "9.6.2.8436", "11.0.0.540", "12.0.0.967", "20.0.0.8438"],
    "suites": ["TLS_RSA_WITH_AES_256_CBC_SHA256", "AES128-SHA", "0xC0,0x30"],
    "number": 10.0,
    # Not what happens to be found on the machine.
    "ansible_python_interpreter": sys.executable,
}

# Template and what it gives.
TEMPLATES = [
    ("(version | {p}agent_release).release", "10.0 Update 16"),
    ("('20.0.2-1390.ol7' | {p}agent_release).certainty", "confirmed"),
    ("(version | {p}agent_release).version | length", 11),
    ("versions | map('{p}agent_release') | map(attribute='release_line')", ["9.5", "9.6", "11.0", "12.0", "20"]),
    (
        "(version | {p}agent_cipher_suites).suites | {p}cipher_suite_names | join(':')",
        "AES256-SHA256:AES128-SHA256",
    ),
    (
        "versions | map('{p}agent_cipher_suites') | map(attribute='state')",
        ["documented", "documented", "ambiguous", "documented", "documented"],
    ),
    ("(version | {p}agent_cipher_suites).tls | selectattr('supported') | map(attribute='version')", ["TLS 1.2"]),
    (
        "suites | {p}cipher_suite_names(to='openssl')",
        ["AES256-SHA256", "AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384"],
    ),
    ("suites | {p}cipher_suite_names('code_point')", ["0x00,0x3D", "0x00,0x2F", "0xC0,0x30"]),
    ("version is {p}agent_supports_suite('AES256-SHA256')", True),
    ("version is not {p}agent_supports_suite('AES256-SHA256')", False),
    ("version is {p}agent_supports_suite('0x00,0x0A')", False),
    ("'11.0.0.540' is {p}agent_supports_suite('AES256-SHA256')", False),
    ("'11.0.0.540' is {p}agent_supports_suite('AES256-SHA256', when_unknown=true)", True),
    ("versions | select('{p}agent_supports_tls', '1.2')", ["11.0.0.540", "12.0.0.967", "20.0.0.8438"]),
    (
        "versions | reject('{p}agent_supports_tls', 'TLSv1.2', when_unknown=true)",
        ["9.5.3.2754"],
    ),
    ("versions | select('{p}older_than_release', '11.0 Update 6')", ["9.5.3.2754", "9.6.2.8436"]),
    (
        "versions | select('{p}older_than_release', '11.0 Update 6', when_unknown=true)",
        ["9.5.3.2754", "9.6.2.8436", "11.0.0.540"],
    ),
    ("version is {p}older_than_release('10.0 Update 17', certainty='confirmed')", False),
    ("'ae-1' | {p}required_hostnames(shared=true) | length", 31),
    ("'ae-1' | {p}required_hostnames | first", "workload.ae-1.cloudone.trendmicro.com"),
    ("['dsm.example.com', '../dsm'] | map('{p}file_name')", ["dsm.example.com", "_._dsm~32324e0dd95d"]),
]

# Template and what its error says.
REFUSED = [
    ("'mars-1' | {p}required_hostnames", "it must be one of ae-1"),
    ("number | {p}agent_release", "put it in quotes"),
    ("missing | {p}agent_release", "'missing' is undefined"),
    ("versions | {p}agent_cipher_suites", "got a list"),
    ("'RC4-MD5' | {p}cipher_suite_names", "'RC4-MD5' is not a cipher suite"),
    ("version is {p}agent_supports_tls('3.0')", "'3.0' is not a version of TLS"),
    ("version is {p}agent_supports_tls('1.2', when_unknown='maybe')", "expected when_unknown as a boolean"),
    ("version is {p}older_than_release('eleven')", "'eleven' is neither a release"),
]


def ansible(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's commands and return what it did."""
    command = [sys.executable, "-m", "ansible", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def play(tasks: list[dict[str, object]], path: Path) -> subprocess.CompletedProcess[str]:
    """Run tasks on the controller."""
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": VARIABLES, "tasks": tasks}]
    path.mkdir(exist_ok=True)
    (path / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    return ansible_playbook("-i", "localhost,", "play.yml", environment=os.environ, cwd=path)


def set_fact(name: str, template: str) -> dict[str, object]:
    """The task that keeps what a template gives, or the message of its error."""
    return {
        "block": [{"ansible.builtin.set_fact": {name: expression(template)}}],
        "rescue": [{"ansible.builtin.set_fact": {name: {"error": "{{ ansible_failed_result.msg }}"}}}],
    }


def expression(template: str) -> str:
    """As it stands in a playbook."""
    return "{{ " + template.replace("{p}", PREFIX) + " }}"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What each template gives, or the message of its error, from one run."""
    path = tmp_path_factory.mktemp("templates")
    names = {template: f"answer_{index}" for index, (template, _expected) in enumerate(TEMPLATES + REFUSED)}
    good, bad = ({names[template]: template for template, _expected in rows} for rows in (TEMPLATES, REFUSED))
    tasks: list[dict[str, object]] = [
        {
            # All at once takes a tenth of the time; where one fails, each says how it went.
            "block": [{"ansible.builtin.set_fact": {name: expression(template) for name, template in good.items()}}],
            "rescue": [set_fact(name, template) for name, template in good.items()],
        },
        *(set_fact(name, template) for name, template in bad.items()),
    ]
    content = "{{ [" + ", ".join(names.values()) + "] | to_json }}"
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": str(path / "answers.json"), "mode": "0600"}})
    done = play(tasks, path)
    assert done.returncode == 0, done.stdout
    return dict(zip(names, json.loads((path / "answers.json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("template", "expected"), TEMPLATES)
def test_templates(answers: dict[str, object], template: str, expected: object) -> None:
    assert answers[template] == expected


@pytest.mark.parametrize(("template", "words"), REFUSED)
def test_templates_that_fail(answers: dict[str, object], template: str, words: str) -> None:
    answer = answers[template]
    assert isinstance(answer, dict) and set(answer) == {"error"}
    assert words in answer["error"]


def test_conditions_take_the_tests(tmp_path: Path) -> None:
    done = play(
        [
            {"ansible.builtin.fail": {"msg": "lost"}, "when": f"version is {PREFIX}older_than_release('10.0')"},
            {"ansible.builtin.assert": {"that": [f"version is {PREFIX}agent_supports_tls('1.2')"]}},
        ],
        tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped=1" in done.stdout


def test_ansible_doc_shows_every_plugin(tmp_path: Path) -> None:
    for kind, names in PLUGINS.items():
        done = ansible("doc", "-j", "-t", kind, *(PREFIX + name for name in names), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        for name in names:
            plugin = shown[PREFIX + name]
            assert plugin["doc"]["description"]
            assert PREFIX + name in plugin["examples"]
            assert plugin["return"]["_value"]["description"]


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_the_examples_run(kind: str, name: str, tmp_path: Path) -> None:
    sidecar = yaml.safe_load((ROOT / "plugins" / kind / f"{name}.yml").read_text(encoding="utf-8"))
    done = play(yaml.safe_load(sidecar["EXAMPLES"]), tmp_path)
    assert done.returncode == 0, done.stdout
    assert "failed=0" in done.stdout
    # Not even a run of a loaded Ansible leaves anything else where it runs, which may be a checkout that others read.
    assert [path.name for path in tmp_path.iterdir()] == ["play.yml"]


@pytest.mark.parametrize("plugin", [agent_release, agent_cipher_suites])
def test_the_documented_results_are_the_results(plugin) -> None:
    path = ROOT / "plugins" / "filter" / f"{plugin.__name__}.yml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))["RETURN"]["_value"]["contains"]
    result = plugin("11.0.0.540")
    assert set(described) == set(result)
    key = "neighbors" if plugin is agent_release else "tls"
    assert set(described[key]["contains"]) == set(result[key][0])
