# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact: what runs and its documentation, nothing else. It installs, runs, and Galaxy's importer takes it.

And what a release adds: the version in all places, signatures, checksums, and a bill of materials.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.gates.environments import BYTECODE, ROOT, python_of
from tests.gates.export import export_collection, repository_files
from tests.gates.pages import broken_links
from tests.playbooks.program import program
from tests.release.artifact import (
    COLLECTION,
    KEY,
    SIGNATURE,
    SUMS,
    build,
    imported,
    install,
    sign,
    sign_file,
    verify,
    write_bill,
    write_sums,
)
from tests.release.tools import TOOLS, ReleaseError, run, succeed
from tests.release.versions import check, named, set_version, write_change_log

KINDS = {"modules": "module", "inventory": "inventory", "filter": "filter", "test": "test"}
PLUGINS = [
    (KINDS[path.parts[1]], f"{COLLECTION}.{path.stem}")
    for path in repository_files()
    if path.parts[0] == "plugins" and path.parts[1] in KINDS and path.suffix == ".py" and path.stem != "__init__"
]
MODULES = [name for kind, name in PLUGINS if kind == "module"]


@pytest.fixture(scope="module", name="key")
def key_fixture():
    """A signing key that is thrown away, in a home of GnuPG's own; its agent is ended with it."""
    # Its socket takes a short path.
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as environment:
        environment.setenv("GNUPGHOME", home)
        made = ("--batch", "--passphrase", "", "--quick-generate-key", "release@example.com", "ed25519", "sign", "1d")
        succeed("gpg", *made, cwd=Path(home))
        yield "release@example.com"
        succeed("gpgconf", "--kill", "all", cwd=Path(home))


@pytest.fixture(scope="module", name="artifact")
def artifact_fixture(key, tmp_path_factory) -> Path:
    """The built archive, in a folder with all that goes with it."""
    folder = tmp_path_factory.mktemp("build")
    built = build(folder, tmp_path_factory.mktemp("export"))
    write_bill(built)
    sign(built, key)
    sign_file(write_sums(folder), key)
    return built


@pytest.fixture(scope="module", name="installed")
def installed_fixture(artifact, tmp_path_factory) -> Path:
    """A folder of collections that holds nothing but the artifact's content."""
    folder = tmp_path_factory.mktemp("installed")
    install(artifact, folder)
    return folder


# What makes a site of the pages, of which the artifact has the pages alone.
OF_THE_SITE = {"docs/conf.py", "docs/index.md", "docs/static/site.css"}


def test_the_artifact_holds_only_what_runs_and_its_documentation(artifact):
    with tarfile.open(artifact) as archive:
        files = [Path(member.name) for member in archive.getmembers() if member.isfile()]
    allowed = {"meta", "plugins", "roles", "playbooks", "changelogs", "docs"}
    allowed |= {"README.md", "SECURITY.md", "LICENSE", "CHANGELOG.rst", "MANIFEST.json", "FILES.json"}
    assert {path.parts[0] for path in files} <= allowed
    assert {path for path in files if path.parts[0] == "changelogs"} <= {Path("changelogs/changelog.yaml")}
    assert not [path for path in files if "__pycache__" in path.parts or path.name.startswith(".")]


def test_the_artifact_holds_everything_that_runs(artifact):
    with tarfile.open(artifact) as archive:
        packed = set(archive.getnames())
    shipped = ("meta", "plugins", "roles", "playbooks", "docs")
    wanted = {str(path) for path in repository_files() if path.parts[0] in shipped} - OF_THE_SITE
    assert wanted and wanted <= packed


def test_links_lead_somewhere_in_the_artifact(installed):
    collection = installed / "ansible_collections" / "workload_security" / "agent"
    pages = sorted(path.relative_to(collection) for path in collection.rglob("*.md"))
    assert {Path("README.md"), Path("docs/keys.md"), Path("roles/communication/README.md")} <= set(pages)
    assert not [broken for page in pages for broken in broken_links(collection, page)]


def first_in_path(folder: Path) -> str:
    """A PATH with what C(folder) has in front of the tools."""
    return os.pathsep.join((str(folder), str(TOOLS), os.environ["PATH"]))


@pytest.fixture(scope="module", name="programs")
def programs_fixture(tmp_path_factory) -> Iterator[Path]:
    """A folder with an ansible-doc that is not loaded anew each time."""
    folder = tmp_path_factory.mktemp("programs")
    with program(folder, "ansible-doc"):
        yield folder


@pytest.mark.parametrize("kind", sorted({kind for kind, _name in PLUGINS}))
def test_installed_plugins_show_their_documentation(installed, programs, kind):
    names = [name for of_kind, name in PLUGINS if of_kind == kind]
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "PATH": first_in_path(programs)}
    shown = run("ansible-doc", "--json", "-t", kind, *names, cwd=installed, **environment)
    assert shown.returncode == 0, shown.stdout
    documents = json.loads(shown.stdout)
    assert set(documents) == set(names)
    for name, document in documents.items():
        assert document["doc"]["short_description"] and document["doc"]["description"], name
        assert f"{COLLECTION}." in document["examples"], f"the examples of {name} use its full name"
        if kind != "inventory":
            assert document["return"], name


# Started by Ansible itself: one that runs on the controller by way of an action plugin, and one that does not.
IN_A_PLAYBOOK = (f"{COLLECTION}.communication_profile", f"{COLLECTION}.agent_cipher_probe")
# All modules in one process, which has the collection from where it is installed. Prints where its files lie, too.
IN_ONE_PROCESS = """
import importlib, json, pkgutil, sys
from tests.integration.in_process import run_module

results = {name: run_module(name, {}) for name in sys.argv[2:]}
package = importlib.import_module(f"ansible_collections.{sys.argv[1]}.plugins.action")
for action in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f"{package.__name__}.{action.name}")
files = [file for name, module in sys.modules.items() if name.startswith(f"ansible_collections.{sys.argv[1]}.")
         if (file := getattr(module, "__file__", None))]
print(json.dumps([results, files]))
"""


def test_installed_modules_start_from_a_playbook(installed):
    results = installed / "results.json"
    tasks: list[dict] = [
        {"name": module, module: {}, "register": f"r{number}", "ignore_errors": True}
        for number, module in enumerate(IN_A_PLAYBOOK)
    ]
    every = ", ".join(task["register"] for task in tasks)
    tasks.append(
        {
            "name": "Keep",
            "ansible.builtin.copy": {"content": f"{{{{ [{every}] | to_json }}}}", "dest": str(results), "mode": "0600"},
        }
    )
    variables = {"ansible_python_interpreter": str(python_of("main"))}
    play = {"name": "Start", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}
    (installed / "start.yml").write_text(json.dumps([play]))
    # Without files for each task, and with what Python compiled before.
    quick = {"ANSIBLE_PIPELINING": "true", "PYTHONPATH": BYTECODE}
    done = run("ansible-playbook", "start.yml", cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed), **quick)
    assert results.exists(), done.stdout
    for result in json.loads(results.read_text()):
        assert_started(result)


@pytest.fixture(scope="module", name="started")
def started_fixture(installed) -> dict[str, dict]:
    """The result of each module, called without options."""
    places = f"{installed}{os.pathsep}{ROOT}"
    printed = succeed(python_of("main"), "-c", IN_ONE_PROCESS, COLLECTION, *MODULES, cwd=installed, PYTHONPATH=places)
    results, files = json.loads(printed.splitlines()[-1])
    assert len(files) > len(MODULES) and all(Path(file).is_relative_to(installed) for file in files), files
    return results


@pytest.mark.parametrize("module", MODULES)
def test_installed_modules_start(started, module):
    assert_started(started[module])


def assert_started(result: dict) -> None:
    """Called without options, a module runs as far as its own check of them: nothing that it needs was left out."""
    assert not result["failed"] or re.search("required|missing|needed", result["msg"]), result
    for broken in ("Cannot resolve", "Traceback", "MODULE FAILURE", "required Python library"):
        assert broken not in json.dumps(result), result


def test_galaxy_imports_it(artifact, tmp_path):
    # It runs ansible-doc for each kind of plugin, and again where there are some.
    with program(tmp_path / "programs", "ansible-doc") as ran:
        listed = imported(artifact, tmp_path, PATH=first_in_path(tmp_path / "programs"))
    assert len(ran) > 2 * len(KINDS) and not any(one.status for one in ran)
    assert {(item["content_type"], f"{COLLECTION}.{item['name']}") for item in listed} >= set(PLUGINS)


def test_what_is_installed_is_what_was_signed(artifact, key, tmp_path):
    # Once it was used, folders of bytecode count as changed.
    folder, installed = artifact.parent, tmp_path / "installed"
    installed.mkdir()
    install(artifact, installed)
    assert not (done := verify(installed, folder)).returncode, done.stdout
    # A signature by the same key, but of something else.
    shutil.copytree(folder, tmp_path / "other")
    (tmp_path / "other" / "MANIFEST.json").write_text("{}")
    sign_file(tmp_path / "other" / "MANIFEST.json", key)
    refused = verify(installed, tmp_path / "other")
    assert refused.returncode and "Signature verification failed" in refused.stdout, refused.stdout


def test_checksums_are_of_all_files_and_signed(artifact):
    folder = artifact.parent
    summed = {line.split()[1] for line in (folder / SUMS).read_text().splitlines()}
    assert summed == {path.name for path in folder.iterdir()} - {SUMS, f"{SUMS}.asc"}
    assert {artifact.name, SIGNATURE} < summed
    succeed("sha256sum", "--check", "--strict", SUMS, cwd=folder)
    succeed("gpgv", "--keyring", folder / KEY, f"{SUMS}.asc", SUMS, cwd=folder)


def test_the_bill_of_materials_has_the_libraries_at_the_versions_that_are_tested(artifact):
    """That it is valid by its schema was made sure of when it was written."""
    bill = json.loads(next(artifact.parent.glob("*.cdx.json")).read_text())
    whole = bill["metadata"]["component"]
    assert whole["hashes"][0]["content"] in (artifact.parent / SUMS).read_text()
    assert whole["licenses"] == [{"license": {"id": "GPL-3.0-or-later"}}]
    names = {one["bom-ref"]: canonicalize_name(one["name"]) for one in bill["components"]}
    (direct,) = [one["dependsOn"] for one in bill["dependencies"] if one["ref"] == whole["bom-ref"]]
    asked = re.findall(r"^[a-z][\w.]+", (ROOT / "meta" / "requirements.txt").read_text(), re.MULTILINE)
    assert {names[ref] for ref in direct} == {"ansible-core", *map(canonicalize_name, asked)}
    # The environment that main is a link to.
    locked = (ROOT / "requirements" / f"{python_of('main').parents[1].resolve().name}.txt").read_text()
    for component in bill["components"]:
        name = rf"{canonicalize_name(component['name'])}(\[.*\])?"
        assert re.search(rf"^{name}=={component['version']} ", locked, re.MULTILINE), component["name"]
    # What an SSH session is encrypted with comes with paramiko; what tests use does not come at all.
    assert "cryptography" in names.values() and "pytest" not in names.values()


def test_a_release_changes_every_version_and_takes_all_fragments(tmp_path):
    root = export_collection(tmp_path)
    (root / "changelogs" / "fragments" / "one.yml").write_text("bugfixes:\n  - one - is whole.\n")
    # All of it as if it had come since the last release.
    for path in (*root.glob("plugins/modules/*.py"), *root.glob("roles/*/meta/argument_specs.yml")):
        path.write_text(re.sub(r"(version_added: ).+", r"\g<1>0.0.1", path.read_text()))
    version = "77.1.0-rc.1"
    check(root, version)
    set_version(root, version)
    assert all(found == {version} for found in named(root).values()), named(root)
    modules = [path.read_text() for path in (root / "plugins" / "modules").glob("*.py")]
    assert len(re.findall(r"^version_added: 77\.1\.0$", "".join(modules), re.MULTILINE)) == len(modules)
    roles = {path: path.read_text() for path in root.glob("roles/*/meta/argument_specs.yml")}
    assert len(roles) > 5
    assert all(set(re.findall(r"version_added: (.+)", text)) == {"77.1.0"} for text in roles.values())
    write_change_log(root)
    assert [path.name for path in (root / "changelogs" / "fragments").iterdir()] == [".keep"]
    text = (root / "CHANGELOG.rst").read_text()
    assert f"\nv{version}\n" in text and "- one - is whole." in text and "communication_profile" in text
    succeed(sys.executable, "-m", "antsibull_changelog", "lint", cwd=root)
    # The next one: what was in a release keeps its version, and no version comes twice.
    for wrong in (version, "77.1.0-beta.9", "77.1", "77.2.0+a", "v77.2.0", ""):
        with pytest.raises(ReleaseError):
            check(root, wrong)
    check(root, "77.1.0")
    set_version(root, "77.2.0")
    assert [path.read_text() for path in (root / "plugins" / "modules").glob("*.py")] == modules
    assert {path: path.read_text() for path in roles} == roles
