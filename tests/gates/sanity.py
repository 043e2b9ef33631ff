# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs C(ansible-test sanity), and names what it could not check on this machine.

    python -m tests.gates.sanity [ARGUMENT ...]

runs all of its tests, or what the ARGUMENTs for ansible-test leave of them, such as --test=import. It takes the
ansible-core of the interpreter that it is started with. Its test import runs on the oldest and the newest Python that
this ansible-core supports and this machine has: what is between them is compiled, and the unit tests run on two more.
It looks at what the repository holds but for its tests, as does whoever runs it on the artifact: they are no part of
that, and C(make lint) has the rules for them, at a hundredth of the cost.
It works in .cache/sanity with a home of its own there, so that
it neither reads nor changes what other projects keep under ~/.ansible/test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible.release import __version__ as core_version
from ansible_test._internal.constants import SUPPORTED_PYTHON_VERSIONS
from ansible_test._internal.python_requirements import get_venv_packages

from tests.gates.environments import ENVIRONMENTS, ROOT, find_interpreters
from tests.gates.export import export_collection

# ansible-test makes environments without pip and then runs a script that it downloads, which embeds pip and installs
# it. This one stands in its place, where only a package index can be reached: the same pip, from the index.
BOOTSTRAP = """
import sys
sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main
sys.exit(main(["install", *(word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel"))]))
"""


def main() -> int:
    """Run the tests and return ansible-test's exit status."""
    folder = ROOT / ".cache" / "sanity" / core_version
    home = folder / "home"
    provide_pip(home)
    forward_pip_settings(home)
    collection = export_collection(folder)
    shutil.rmtree(collection / "tests")
    subprocess.run(["git", "init", "--quiet"], cwd=collection, check=True)
    subprocess.run(["git", "add", "--all"], cwd=collection, check=True)
    statuses = [run(collection, home, arguments) for arguments in parts(sys.argv[1:])]
    return max(map(abs, statuses))


def parts(arguments: list[str]) -> list[list[str]]:
    """The arguments for each run of ansible-test: all of the tests but import, and import on some Pythons."""
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
    """Run ansible-test once; returns its exit status."""
    program = str(Path(sys.executable).with_name("ansible-test"))
    process = subprocess.Popen(
        [sys.executable, program, "sanity", "--color", "no", *arguments],
        cwd=collection,
        env={**os.environ, "HOME": str(home), "PATH": search_path()},
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


def provide_pip(home: Path) -> None:
    """Put the pip that this ansible-test asks for where it looks for its bootstrap script."""
    version = get_venv_packages(SimpleNamespace(version=""))["pip"]
    cache = home / ".ansible" / "test" / "cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    download = ["download", "-qq", "--disable-pip-version-check", "--no-deps", "--dest", str(cache), f"pip=={version}"]
    subprocess.run([sys.executable, "-m", "pip", *download], check=True)
    wheel = next(cache.glob(f"pip-{version}-*.whl"))
    script.write_text(BOOTSTRAP.format(wheel=str(wheel)))


def forward_pip_settings(home: Path) -> None:
    """Give pip in the other home the settings it has here.

    ansible-test passes on nothing of the environment but HOME, so that the PIP_* variables have to become a file.
    """
    real_home = Path.home()
    user_file = next((file for file in (".config/pip/pip.conf", ".pip/pip.conf") if (real_home / file).exists()), None)
    settings = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }
    settings = {"cache-dir": str(real_home / ".cache" / "pip"), **settings, "quiet": "2"}
    # pip reads both places, this one first: a variable still wins over the user's file.
    first, second = home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"
    for file in (first, second):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    if user_file:
        first.symlink_to(real_home / user_file)
    second.touch(mode=0o600)
    second.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))


def search_path() -> str:
    """PATH with the real interpreters first, then the linters of the tools environment."""
    interpreters = find_interpreters()
    folders = [str(interpreters[version].parent) for version in sorted(interpreters, reverse=True)]
    return os.pathsep.join([*folders, str(ENVIRONMENTS / "tools" / "bin"), os.environ.get("PATH", os.defpath)])


if __name__ == "__main__":
    sys.exit(main())
