# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs C(ansible-test sanity), and names what it could not check on this machine.

    python -m tests.gates.sanity [ARGUMENT ...]

runs all of its tests, or those that the ARGUMENTs for ansible-test select, such as --test=import. It uses the
ansible-core of the interpreter that it is started with. The test import runs on the oldest and the newest Python that
this ansible-core supports and this machine has. For the versions between them, code is only compiled, and the unit
tests run on two more. It checks the repository without its tests, because they are not in the artifact, on which others
run it. C(make lint) has the rules for them, at a hundredth of the cost.
It works in .cache/sanity, with a separate home there, so that it neither reads nor changes what other projects keep in
~/.ansible/test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ansible.release import __version__ as core_version
from ansible_test._internal.constants import SUPPORTED_PYTHON_VERSIONS

from tests.gates.environments import ENVIRONMENTS, ROOT, find_interpreters
from tests.gates.export import export_collection


def main() -> int:
    """Run the tests and return ansible-test's exit status."""
    folder = ROOT / ".cache" / "sanity" / core_version
    home = folder / "home"
    collection = export_collection(folder)
    shutil.rmtree(collection / "tests")
    subprocess.run(["git", "init", "--quiet"], cwd=collection, check=True)
    subprocess.run(["git", "add", "--all"], cwd=collection, check=True)
    statuses = [run(collection, home, arguments) for arguments in parts(sys.argv[1:])]
    return max(map(abs, statuses))


def parts(arguments: list[str]) -> list[list[str]]:
    """The arguments for each run of ansible-test: all tests except for import, and import on some Pythons."""
    chosen = [argument for argument in arguments if argument.startswith("--test=")]
    if chosen and "--test=import" not in chosen:
        return [["--local", *arguments]]
    here = find_interpreters()
    supported = [version for version in SUPPORTED_PYTHON_VERSIONS if tuple(map(int, version.split("."))) in here]
    ends = dict.fromkeys((supported[0], supported[-1]))
    for version in {SUPPORTED_PYTHON_VERSIONS[0], SUPPORTED_PYTHON_VERSIONS[-1]} - ends.keys():
        print(f'NOT RUN: ansible-core {core_version}: sanity test "import" on Python {version}, which is not here')
    rest = [argument for argument in arguments if argument not in chosen]
    found = [[*rest, "--test=import", *(f"--target-python={version}" for version in ends)]]
    others = [argument for argument in chosen if argument != "--test=import"]
    if others or not chosen:
        found.insert(0, ["--local", *rest, *(others or ["--skip-test=import"])])
    return found


def run(collection: Path, home: Path, arguments: list[str]) -> int:
    """Run ansible-test once. Returns its exit status."""
    program = Path(__file__).with_name("sanity_runner.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(home), "sanity", "--color", "no", *arguments],
        cwd=collection,
        env={**os.environ, "PATH": search_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    not_run = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if match := re.match(r"WARNING: (Skipping sanity test .*|Required program .*)", line):
            not_run.append(match[1])
    for reason in dict.fromkeys(not_run):
        print(f"NOT RUN: ansible-core {core_version}: {reason}")
    return process.wait()


def search_path() -> str:
    """PATH with the real interpreters first, then the linters of the tools environment."""
    interpreters = find_interpreters()
    folders = [str(interpreters[version].parent) for version in sorted(interpreters, reverse=True)]
    return os.pathsep.join([*folders, str(ENVIRONMENTS / "tools" / "bin"), os.environ.get("PATH", os.defpath)])


if __name__ == "__main__":
    sys.exit(main())
