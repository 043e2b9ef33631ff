# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of ansible-playbook, and of modules, that are forks of a loaded one come to the same as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import playbooks
from tests.integration.support import ansible_playbook
from tests.playbooks.modules import Modules

pytestmark = [pytest.mark.slow, pytest.mark.both_cores]

TASKS = [
    {"ansible.builtin.debug": {"msg": "{{ lookup('env', 'WORKLOAD_SECURITY_SAID') }} in {{ lookup('pipe', 'pwd') }}"}},
    {
        "ansible.builtin.command": "printenv WORKLOAD_SECURITY_SAID ANSIBLE_FORKS",
        "changed_when": False,
        "register": "ran",
    },
    {"ansible.builtin.debug": {"var": "ran.stdout_lines"}},
    {"ansible.builtin.copy": {"content": "{{ said }}", "dest": "written"}, "diff": True},
    {"ansible.builtin.debug": {"msg": "{{ nowhere | default('{{ evil }}') }}"}},
    {"ansible.builtin.fail": {"msg": "{{ said }}"}, "when": "fails | bool"},
]
# One that nothing else has, so that the first run is a process of its own.
ENVIRONMENT = {"ANSIBLE_FORKS": "3", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_PIPELINING": "true"}


def run(folder: Path, said: str, fails: bool, **how: object) -> tuple[int, str, str]:
    """Run the tasks in a new folder: exit status, what was printed, and what was written."""
    folder.mkdir(parents=True)
    tasks = [{"name": f"Task {number}", **task} for number, task in enumerate(TASKS)]
    book = [{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    (folder / "playbook.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    ended = ansible_playbook(
        "playbook.yml",
        *("-e", f"said={said}", "-e", f"fails={fails}"),
        environment={**ENVIRONMENT, "WORKLOAD_SECURITY_SAID": said},
        cwd=folder,
        **how,
    )
    return ended.returncode, ended.stdout.replace(str(folder), ""), (folder / "written").read_text()


def test_each_run_has_its_own_environment_folder_and_end(tmp_path):
    cases = [("one", False), ("two", True)]
    before = set(playbooks._servers)
    # The first is a process of its own anyway.
    expected = [run(tmp_path / "own" / said, said, fails, own_process=fails) for said, fails in cases]
    assert set(playbooks._servers) == before
    assert [status for status, _printed, _written in expected] == [0, 2]
    assert all(f"{said} in" in printed and written == said for (said, _), (_, printed, written) in zip(cases, expected))
    assert [run(tmp_path / said, said, fails) for said, fails in cases] == expected
    assert len(set(playbooks._servers) - before) == 1


def test_a_signal_and_the_time_end_a_run(tmp_path):
    tasks = [{"name": "Wait", "ansible.builtin.pause": {"seconds": 20}}]
    book = [{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump(book))
    how = {"environment": {**os.environ, **ENVIRONMENT}, "cwd": tmp_path}
    for _again in range(2):
        ended = playbooks.ansible_playbook("playbook.yml", **how, meanwhile=lambda pid: os.kill(pid, signal.SIGKILL))
        assert ended.returncode == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        playbooks.ansible_playbook("playbook.yml", **how, timeout=1)


STREAMS = ("stdin", "stdout", "stderr")
# What a module may do at its end, and what it is then.
SOURCES = [
    "import os, sys; print(os.getcwd(), os.environ.get('SAID'), sys.argv, sys.path, __name__, oct(os.umask(0)))",
    "import sys; print(sys.modules.get('ansible._internal'), sys.stdin.read(), sys.executable); sys.exit(3)",
    "import sys; sys.exit('an end')",
    "import atexit, threading; atexit.register(print, 'last'); threading.Timer(0.01, print, ['thread']).start()",
    "import subprocess; subprocess.Popen('sleep 0.1; echo later; echo later >&2', shell=True); print('first', flush=True)",
    "import os, signal; print('first', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
    "raise ValueError('nothing of this')",
]


def test_a_module_is_what_its_own_process_would_be(tmp_path, monkeypatch):
    modules = Modules()
    monkeypatch.setenv("SAID", "one")
    how = {"shell": True, "executable": "/bin/sh", "cwd": str(tmp_path), **dict.fromkeys(STREAMS, subprocess.PIPE)}
    try:
        for command in (f"/bin/sh -c {sys.executable}", f"/bin/sh -c '{sys.executable} && sleep 0'"):
            for source in SOURCES:
                ended = []
                for kind in (modules, subprocess):
                    process = kind.Popen(command, **how)
                    output, error = process.communicate(source.encode())
                    ended.append((process.returncode, output, error.strip().rpartition(b"\n")[2]))
                assert ended[0] == ended[1], source
        # All else is started: it has a process ID.
        for other in ("/bin/sh -c true", f"/bin/sh -c 'SAID=two {sys.executable}'", f"/bin/sh -c {sys.executable}3"):
            process = modules.Popen(other, **how)
            process.communicate(b"")
            assert process.pid
    finally:
        modules.end()
