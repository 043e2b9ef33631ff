# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact and the files that go with it: bill of materials, checksums and signatures. And checks of all these."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.gates.environments import python_of
from tests.gates.export import export_collection
from tests.release.tools import ReleaseError, run, succeed
from tests.release.versions import current

COLLECTION = "workload_security.agent"

# Files in the artifact's folder: the signature for Galaxy, the checksums of all files, and the public key.
SIGNATURE, SUMS, KEY = "MANIFEST.json.asc", "SHA256SUMS", "signing-key.gpg"


def build(folder: Path, work: Path) -> Path:
    """Build the artifact in C(folder) from the files of the repository. C(work) is a temporary folder."""
    collection = export_collection(work)
    succeed("ansible-galaxy", "collection", "build", "--force", "--output-path", folder, cwd=collection)
    return folder / f"{COLLECTION.replace('.', '-')}-{current(collection)}.tar.gz"


def imported(artifact: Path, work: Path, **environment: str) -> list[dict]:
    """What Galaxy's importer, with C(environment), finds in the artifact. Raises C(ReleaseError) if there is a warning.

    All of its checks run except for ansible-lint, which C(make lint) runs with the same profile and fewer exceptions.
    """
    importer = (sys.executable, "-m", "galaxy_importer.main", artifact)
    output = succeed(*importer, cwd=work, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false", **environment)
    if any(line.startswith(("ERROR", "WARNING")) for line in output.splitlines()):
        raise ReleaseError(f"Galaxy's importer complains:\n{output}")
    return json.loads((work / "importer_result.json").read_text(encoding="utf-8"))["contents"]


def write_bill(artifact: Path) -> Path:
    """Write the bill of materials into the artifact's folder, in CycloneDX's format, and validate it with its schema.

    It has ansible-core and the libraries in meta/requirements.txt, with their dependencies, in the versions that the
    release is tested with. The collection itself ships none of them.
    """
    about = json.loads(_packed(artifact, "MANIFEST.json"))["collection_info"]
    asked = [line for line in _packed(artifact, "meta/requirements.txt").splitlines() if line and line[0] != "#"]
    libraries = {canonicalize_name(name) for name in ("ansible-core", *(Requirement(line).name for line in asked))}
    # It is validated below, after the packages that only the tests use have been removed.
    tool = ("cyclonedx-py", "environment", "--no-validate", "--spec-version", "1.6", "--output-format", "JSON")
    output = artifact.with_name("everything.cdx.json")
    succeed(*tool, "--output-file", output, python_of("main"), cwd=artifact.parent)
    bill = json.loads(output.read_text(encoding="utf-8"))
    output.unlink()
    bill["components"], bill["dependencies"] = _reached(bill, libraries)
    whole = f"{about['namespace']}.{about['name']}@{about['version']}"
    bill["metadata"]["component"] = {
        "type": "library",
        "bom-ref": whole,
        "group": about["namespace"],
        "name": about["name"],
        "version": about["version"],
        "description": about["description"],
        "licenses": [{"license": {"id": license_id}} for license_id in about["license"]],
        "purl": f"pkg:generic/{whole}",
        "hashes": [{"alg": "SHA-256", "content": _digest(artifact)}],
        "externalReferences": [
            {"type": "vcs", "url": about["repository"]},
            {"type": "issue-tracker", "url": about["issues"]},
        ],
    }
    direct = [one["bom-ref"] for one in bill["components"] if canonicalize_name(one["name"]) in libraries]
    bill["dependencies"].append({"ref": whole, "dependsOn": direct})
    text = json.dumps(bill, indent=2, sort_keys=True)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong or len(direct) != len(libraries):
        raise ReleaseError(f"The bill of materials is not right: {wrong or direct}")
    path = artifact.with_name(artifact.name.removesuffix(".tar.gz") + ".cdx.json")
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _reached(bill: dict, names: set[str]) -> tuple[list[dict], list[dict]]:
    """The components with these names and all their dependencies, and what each of them needs.

    In the bill of the tool, a package also needs what only its extras need, such as its own tests.
    """
    refs = {canonicalize_name(one["name"]): one["bom-ref"] for one in bill["components"]}
    packages = next((python_of("main").parents[1] / "lib").glob("python3*/site-packages"))
    needs = {canonicalize_name(one.name): _needs(one) & refs.keys() for one in distributions(path=[str(packages)])}
    waiting, found = list(names), set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    components = [one for one in bill["components"] if canonicalize_name(one["name"]) in found]
    return components, [
        {"ref": refs[name], "dependsOn": sorted(refs[need] for need in needs[name])} for name in sorted(found)
    ]


def _needs(package: Distribution) -> set[str]:
    asked = [Requirement(text) for text in package.requires or []]
    return {canonicalize_name(one.name) for one in asked if not one.marker or one.marker.evaluate({"extra": ""})}


def write_sums(folder: Path) -> Path:
    """Write the SHA-256 of all files in the folder, in the format of C(sha256sum --check)."""
    files = sorted(path for path in folder.iterdir() if path.name not in (SUMS, f"{SUMS}.asc"))
    sums = folder / SUMS
    sums.write_text("".join(f"{_digest(path)}  {path.name}\n" for path in files), encoding="utf-8")
    return sums


def sign(artifact: Path, key: str) -> None:
    """Sign the artifact's manifest, which has the checksums of its files, as Galaxy requires. Add the public key."""
    folder = artifact.parent
    manifest = folder / "MANIFEST.json"
    manifest.write_text(_packed(artifact, "MANIFEST.json"), encoding="utf-8")
    sign_file(manifest, key)
    manifest.unlink()
    succeed("gpg", "--yes", "--output", folder / KEY, "--export", key, cwd=folder)


def sign_file(path: Path, key: str) -> None:
    """Write a detached signature into the file's folder."""
    signature = path.with_name(f"{path.name}.asc")
    options = ("--yes", "--armor", "--local-user", key, "--output", signature)
    succeed("gpg", *options, "--detach-sign", path, cwd=path.parent)


def install(artifact: Path, folder: Path) -> None:
    """Install the artifact into a folder for collections that contains no others."""
    command = ("ansible-galaxy", "collection", "install", "--offline", "-p", folder, artifact)
    succeed(*command, cwd=folder, ANSIBLE_COLLECTIONS_PATH=str(folder))


def verify(folder: Path, signed: Path | None) -> subprocess.CompletedProcess[str]:
    """Compare the installed files with the checksums in their manifest, and that with its signature in C(signed).

    This is done here, because ansible-galaxy only accepts signatures when it installs from a server, not from a file.
    """
    command: list[str | Path] = ["ansible-galaxy", "collection", "verify", "--offline"]
    if signed:
        # Use a copy, because GnuPG leaves a backup in the keyring's folder.
        keyring = shutil.copy(signed / KEY, folder)
        command += ["--keyring", keyring, "--signature", f"file://{signed / SIGNATURE}"]
        command += ["--required-valid-signature-count", "+1"]
    return run(*command, COLLECTION, cwd=folder, ANSIBLE_COLLECTIONS_PATH=str(folder))


def _packed(artifact: Path, name: str) -> str:
    with tarfile.open(artifact) as archive:
        return archive.extractfile(name).read().decode()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
