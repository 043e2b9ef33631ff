# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API key appears nowhere: not in output at any verbosity, in results, in process lists or in files."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.integration.support import RESTRICTION, play

NAMESPACE = "workload_security.agent"


def spellings(key: str) -> list[bytes]:
    """The key as it might leak: as it is, its secret half alone, percent-encoded, in base64 at every offset."""
    texts = [key, key.split(":", 1)[-1], key.replace(":", "%3A")]
    encoded = [base64.b64encode(b"x" * offset + key.encode())[4:-4] for offset in range(3)]
    return [text.encode() for text in texts] + encoded


def found_in(data: bytes, key: str) -> list[bytes]:
    return [spelling for spelling in spellings(key) if spelling in data]


class Watch(threading.Thread):
    """Looks at every process's arguments, and at every file in some folders, while a playbook runs."""

    def __init__(self, key: str, folders: list[Path]) -> None:
        super().__init__(daemon=True)
        self.key, self.folders = key, folders
        self.leaks: set[str] = set()
        self.looked_at = {"processes": set(), "files": set()}
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            self.look()
            time.sleep(0.01)

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            data = self.read(process)
            if b"ansible" in data.lower():
                self.looked_at["processes"].add(process)
            if found_in(data, self.key):
                self.leaks.add(f"arguments of a process: {data[:60]!r}")
        for folder in self.folders:
            for root, _folders, files in os.walk(folder):
                for name in files:
                    path = Path(root, name)
                    self.looked_at["files"].add(path)
                    if found_in(self.read(path), self.key):
                        self.leaks.add(f"file {path}")

    @staticmethod
    def read(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopped.set()
        self.join()
        self.look()


TASKS = [
    {
        f"{NAMESPACE}.communication_profile": {
            "profiles": [
                {
                    "name": "a",
                    "policies": ["Base Policy"],
                    "heartbeat": {"interval": 7},
                    "firewall_restriction": RESTRICTION,
                }
            ]
        },
        "diff": True,
    },
    {f"{NAMESPACE}.computer_info": {"query": "length(@)"}},
    {f"{NAMESPACE}.policy_info": {"policies": ["nobody"]}},
    {f"{NAMESPACE}.heartbeat": {"policies": ["Base Policy"], "interval": "x"}},
    {f"{NAMESPACE}.heartbeat": {"policies": ["Base Policy"], "interval": 7, "ca_path": "/nonexistent"}},
]


@pytest.mark.both_cores
@pytest.mark.parametrize("given", ["environment", "option", "option without pipelining"])
def test_the_key_appears_nowhere(lab, tmp_path, given):
    """From the environment it is in no file, come what may; as an option, pipelining keeps it out of files.

    Without pipelining, Ansible itself writes a module with its options to a file that only its user can read, and
    removes it: that is all that may be found, and nothing is left.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    key = lab.api_key
    # A server that sends the key back must not make us print it.
    echo = {"kind": "status", "status": 400, "body": '{"message": "bad key %s"}' % key}
    lab.add_fault(method="POST", path="^/iplists$", times=1, action=echo)
    environment = {
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
        "ANSIBLE_REMOTE_TEMP": str(scratch / "remote"),
        "TMPDIR": str(scratch),
    }
    defaults = {}
    if given == "environment":
        # Without pipelining, modules are files; the key is still in none of them.
        environment.update(ANSIBLE_PIPELINING="false", ANSIBLE_KEEP_REMOTE_FILES="true")
    else:
        secrets = tmp_path / "secrets"
        secrets.mkdir(mode=0o700)
        (secrets / "key.yml").write_text(f"key: '{key}'\n")
        environment["WORKLOAD_SECURITY_API_KEY"] = ""
        environment["ANSIBLE_PIPELINING"] = str("without" not in given).lower()
        defaults = {"api_key": "{{ key }}"}
    arguments = ["-vvvvv"] if not defaults else ["-vvvvv", "-e", f"@{tmp_path}/secrets/key.yml"]
    with Watch(key, [scratch, tmp_path / "output"]) as watch:
        played = play(lab, TASKS, tmp_path, arguments=arguments, environment=environment, defaults=defaults)
    assert [bool(result.get("failed")) for result in played.results] == [True, False, True, True, True], played.output
    modules = (f"file {scratch}/local/ansible-local-", f"file {scratch}/remote/ansible-tmp-")
    leaks = {leak for leak in watch.leaks if not ("without" in given and leak.startswith(modules))}
    assert leaks == set()
    afterwards = Watch(key, [scratch])
    afterwards.look()
    assert afterwards.leaks == set()
    assert watch.looked_at["processes"] and len(played.output) > 10_000
    assert found_in(played.output.encode(), key) == []
    results = (tmp_path / "results.json").read_bytes()
    assert found_in(results, key) == [] and b"bad key" in results
    assert list(watch.looked_at["files"]), "there were files to look at"


def test_the_key_is_not_in_a_crash(lab, tmp_path):
    """Also when something nobody thought of goes wrong, here a manager that is not there."""
    task = {f"{NAMESPACE}.policy_info": {"url": "https://localhost:1", "timeout": 1}}
    played = play(lab, [task], tmp_path, arguments=["-vvvvv"])
    assert played.results[0]["failed"] and played.results[0]["failure"]["code"] == "connection_failed"
    assert found_in(played.output.encode(), lab.api_key) == []


def test_the_watch_sees_what_it_looks_for(tmp_path):
    """The test above would notice: a key in a file, and one in the arguments of a process."""
    key = "1:0123456789abcdef0123456789abcdef"
    with Watch(key, [tmp_path]) as watch:
        (tmp_path / "leak").write_text(f"api_key={key}")
        subprocess.run(["sleep", "0.3", "--", "0"], check=False, stderr=subprocess.DEVNULL)
        process = subprocess.Popen(["sh", "-c", "sleep 0.5; true", key])
        process.wait()
    assert len(watch.leaks) == 2
