# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(ansible-test) with environments for its tests that are made at a third of the cost.

    python tests/gates/sanity_runner.py HOME ARGUMENT ...

runs it in the current folder, which must be a collection. It keeps its own files in HOME.

For each of its tests, ansible-test makes an environment, installs a pip there that it downloads as a script, installs
what the test needs, and removes pip. Here, the pip of the interpreter that runs this installs packages into the
environment, with its own settings. The environments also keep bytecode that Python would compile again each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_test._internal.commands import sanity
from ansible_test._internal.python_requirements import PipInstall
from ansible_test._util.target.cli.ansible_test_cli_stub import main

_STARTED_WITH = dict(os.environ)
_CUSTOM = Path(__file__).with_name("sanity_environment.py")
_create = sanity.create_virtual_environment


def create(arguments, python, path, *options) -> bool:
    """Make an environment at C(path). Returns whether that was possible."""
    if not _create(arguments, python, path, *options):
        return False
    (packages,) = Path(path).glob("lib/python*/site-packages")
    shutil.copyfile(_CUSTOM, packages / "sitecustomize.py")
    return True


def install(_arguments, python, commands, _connection) -> None:
    """Install in an environment what C(commands) for its own pip would install, without such a pip."""
    for command in commands:
        if isinstance(command, PipInstall):
            _install(python, command)


def _install(python, command: PipInstall) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = list(command.packages)
        for option, files in (("-r", command.requirements), ("-c", command.constraints)):
            for name, content in files:
                file = Path(folder, name)
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, encoding="utf-8")
                options += [option, str(file)]
        pip = [sys.executable, "-m", "pip", "--python", python.path, "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-qq", *options], env=_STARTED_WITH, check=True)


if __name__ == "__main__":
    sanity.create_virtual_environment = create
    sanity.run_pip = install
    os.environ["HOME"] = sys.argv.pop(1)
    main()
