# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks the environments: writes each requirements/NAME.txt from NAME.in, with hashes of all files that pip may use.

    python -m tests.gates.lock [ARGUMENT ...]

keeps the locked versions, as far as the NAME.in files allow them. The ARGUMENTs go to C(uv pip compile): --upgrade
takes the newest versions, and --upgrade-package NAME takes the newest version of one package.
A lock holds for every Python that its environment may have, and names no package index.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.gates.environments import LOCKS, ROOT, SUITABLE

HEADER = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by make lock, from requirements/{name}.in
"""


def lock(name: str, *arguments: str) -> None:
    """Write the lock C(name) again. Raises C(CalledProcessError) if no versions meet its requirements."""
    oldest = min(SUITABLE.get(name, SUITABLE["oldest"]))
    file = ROOT / "requirements" / f"{name}.txt"
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"]
    command += ["--generate-hashes", "--no-strip-extras", "--no-header", "--python-version", ".".join(map(str, oldest))]
    command += [*arguments, "--output-file", f"requirements/{name}.txt", f"requirements/{name}.in"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    file.write_text(HEADER.format(name=name) + file.read_text(encoding="utf-8"), encoding="utf-8")


def main() -> None:
    """Write all locks."""
    for name in LOCKS:
        lock(name, *sys.argv[1:])


if __name__ == "__main__":
    main()
