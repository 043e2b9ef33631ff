# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the repository's files, without others in the checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.gates.environments import ROOT


def repository_files() -> list[Path]:
    """The files that git tracks or would track, relative to the repository root, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    names = sorted(set(filter(None, listing.split("\0"))))
    return [Path(name) for name in names if (ROOT / name).is_file()]


def export_collection(destination: Path) -> Path:
    """Copy the repository's files to where Ansible's tools expect a collection under C(destination).

    An earlier copy is removed first. Returns its folder, C(.../ansible_collections/workload_security/agent).
    """
    collection = destination / "ansible_collections" / "workload_security" / "agent"
    shutil.rmtree(collection, ignore_errors=True)
    for name in repository_files():
        target = collection / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return collection
