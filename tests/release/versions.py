# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places where the repository names its version, and how a release changes them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from packaging.version import Version

from tests.release.tools import ReleaseError, succeed

# Files, with a pattern for each place in them; its last group is the version.
PLACES = {
    "galaxy.yml": r"^(version: )(.+)$",
    "plugins/module_utils/_manager/pool.py": r'^(VERSION = ")([^"]+)',
    "README.md": r"(workload_security-agent-)(\S+?)(?=\.tar\.gz)",
    "awx/execution-environment.yml": r'(workload_security-agent-|version: ">=)(\d\S*?)(?=\.tar\.gz|"$)',
    "awx/project/collections/requirements.yml": r'^( +version: ">=)([^"]+)',
}
# The version that added a plugin, a role, or one of their options.
_ADDED = re.compile(r"^( *version_added: )(\S+)$", re.MULTILINE)
# The versions that https://semver.org allows, as Galaxy requires, without build metadata.
_SEMANTIC = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-(rc|beta|alpha)\.[1-9]\d*)?")


def named(root: Path) -> dict[str, set[str]]:
    """The versions that each of C(PLACES) names."""
    return {
        file: {match[1] for match in re.findall(pattern, _read(root / file), re.MULTILINE)}
        for file, pattern in PLACES.items()
    }


def current(root: Path) -> str:
    """The version in galaxy.yml."""
    (version,) = named(root)["galaxy.yml"]
    return version


def released(root: Path) -> list[str]:
    """The versions in the change log, oldest first."""
    return sorted(yaml.safe_load(_read(root / "changelogs" / "changelog.yaml"))["releases"], key=Version)


def final(version: str) -> Version:
    """The final version for a pre-release, as C(version_added) names it. A final version is returned as it is."""
    return Version(Version(version).base_version)


def check(root: Path, version: str) -> None:
    """Raises C(ReleaseError) unless C(version) is a semantic version that may follow those in the change log."""
    if not _SEMANTIC.fullmatch(version):
        raise ReleaseError(f"{version!r} is no version such as 1.2.3 or 1.2.3-rc.1")
    before = released(root)
    if before and Version(version) <= Version(before[-1]):
        raise ReleaseError(f"{version} does not follow {before[-1]}, the newest version in the change log")


def set_version(root: Path, version: str) -> None:
    """Write C(version) to every place.

    If C(version_added) in plugins and roles names a version that was never released, it becomes this one, too.
    """
    for file, pattern in PLACES.items():
        text = re.sub(pattern, rf"\g<1>{version}", _read(root / file), flags=re.MULTILINE)
        (root / file).write_text(text, encoding="utf-8")
    known = {str(final(one)) for one in released(root)}
    plugins = [path for path in (root / "plugins").rglob("*") if path.suffix in (".py", ".yml")]
    for path in sorted([*plugins, *root.glob("roles/*/meta/argument_specs.yml")]):
        text = _read(path)
        fresh = _ADDED.sub(lambda m: m[0] if m[2] in known else f"{m[1]}{final(version)}", text)
        if fresh != text:
            path.write_text(fresh, encoding="utf-8")


def write_change_log(root: Path) -> None:
    """Turn the fragments into an entry of the version that galaxy.yml names, and remove them."""
    # Without the option, it would use cached data about plugins, and some of these have just been changed.
    succeed("antsibull-changelog", "release", "--reload-plugins", cwd=root)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
