# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a release: C(python -m tests.release VERSION KEY).

First, it makes a commit with the tag VERSION: the version in every place, and the change log made from its fragments.
Then it makes, in dist/VERSION, the artifact, its bill of materials, its checksums and their signatures by the GnuPG key
KEY. All of this is checked, installed into an empty folder, and shown there by the demo. If the commit exists already,
only the second part is done. Nothing leaves this machine. KEY may be C(none), to try it without signatures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.gates.environments import ROOT, python_of
from tests.release import artifact as pack
from tests.release import versions
from tests.release.tools import ReleaseError, succeed

UNSIGNED = "none"


def say(text: str) -> None:
    """Say what has been done."""
    print(f"  [ok] {text}", flush=True)


def git(*arguments: str) -> str:
    """The output of git. Raises C(ReleaseError) if it fails."""
    return succeed("git", *arguments, cwd=ROOT)


def commit(version: str) -> None:
    """Make the commit of the release."""
    versions.check(ROOT, version)
    versions.set_version(ROOT, version)
    versions.write_change_log(ROOT)
    say(f"The version is {version} in every place, and CHANGELOG.rst has its changes.")
    git("add", "--all")
    checks = (sys.executable, "-m", "pytest", "-q", "tests/gates/test_repository.py")
    if subprocess.run(checks, cwd=ROOT, check=False).returncode:
        raise ReleaseError("The repository is not right, see above: 'git diff --cached' shows what was prepared.")
    git("commit", "--quiet", "--message", _title(version))


def tag(version: str, key: str) -> None:
    """Make the tag of the release, unless it exists already."""
    if not git("tag", "--list", version):
        signing = () if key == UNSIGNED else ("--sign", f"--local-user={key}")
        git("tag", "--annotate", *signing, "--message", _title(version), version)
    if git("rev-parse", f"{version}^{{commit}}") != git("rev-parse", "HEAD"):
        raise ReleaseError(f"The tag {version} is on another commit.")
    say(f"The commit '{_title(version)}' has the tag {version}.")


def _title(version: str) -> str:
    return f"Release {version}"


def make_files(version: str, key: str) -> Path:
    """Build the artifact and the files that go with it from the checkout. Returns the path of the artifact."""
    folder = ROOT / "dist" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        built = pack.build(folder, Path(work))
        pack.imported(built, Path(work))
        say(f"{built.name} is built, and Galaxy's importer takes it without a warning.")
    say(f"{pack.write_bill(built).name} is the bill of materials, valid by CycloneDX's schema.")
    if key != UNSIGNED:
        pack.sign(built, key)
    sums = pack.write_sums(folder)
    if key != UNSIGNED:
        pack.sign_file(sums, key)
        say(f"{pack.SIGNATURE} and {pack.SUMS}.asc are signatures by {key}.")
    return built


def try_it(built: Path, key: str) -> None:
    """Install the artifact into an empty folder, as a user does, and let the demo show it."""
    folder = built.parent
    succeed("sha256sum", "--check", "--strict", pack.SUMS, cwd=folder)
    if key != UNSIGNED:
        succeed("gpgv", "--keyring", folder / pack.KEY, f"{pack.SUMS}.asc", pack.SUMS, cwd=folder)
    with tempfile.TemporaryDirectory() as empty:
        pack.install(built, Path(empty))
        verified = pack.verify(Path(empty), None if key == UNSIGNED else folder)
        if verified.returncode:
            raise ReleaseError(f"What was installed is not what was built:\n{verified.stdout}")
        say("It installs into an empty folder, and its checksums and signatures hold.")
        demo = (str(python_of("main")), "-m", "tests.demo", empty)
        if subprocess.run(demo, cwd=ROOT, check=False).returncode:
            raise ReleaseError("The demo fails with what was installed from the artifact.")
    say("The demo ran with what was installed from the artifact.")


def main() -> int:
    """Make the release. Returns the exit status."""
    if len(sys.argv) != 3 or not all(sys.argv):
        print("usage: make release VERSION=1.2.3 KEY=FINGERPRINT", file=sys.stderr)
        return 2
    _program, version, key = sys.argv
    try:
        if git("status", "--porcelain"):
            raise ReleaseError("The checkout has changes that are not committed.")
        if key != UNSIGNED:
            succeed("gpg", "--list-secret-keys", key, cwd=ROOT)
        if git("log", "-1", "--format=%s").strip() != _title(version):
            commit(version)
        tag(version, key)
        built = make_files(version, key)
        try_it(built, key)
    except ReleaseError as error:
        print(f"\nNo release: {error}", file=sys.stderr)
        return 1
    print(f"\n{version} is in {built.parent.relative_to(ROOT)}. To publish it, go on in RELEASING.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
