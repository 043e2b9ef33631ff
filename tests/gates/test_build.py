# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact: what runs and its documentation, nothing else. It installs, runs, and Galaxy's importer takes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.gates.environments import BYTECODE, python_of
from tests.gates.export import export_collection, repository_files
from tests.gates.pages import broken_links

COLLECTION = "workload_security.agent"
TOOLS = Path(sys.executable).parent
KINDS = {"modules": "module", "inventory": "inventory", "filter": "filter", "test": "test"}
PLUGINS = [
    (KINDS[path.parts[1]], f"{COLLECTION}.{path.stem}")
    for path in repository_files()
    if path.parts[0] == "plugins" and path.parts[1] in KINDS and path.suffix == ".py"
]
MODULES = [name for kind, name in PLUGINS if kind == "module"]


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool, with neither a manager nor the checkout in sight; returns its output, both streams in one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKLOAD_SECURITY_")}
    inherited.pop("PYTHONPATH", None)
    return subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )


@pytest.fixture(scope="module", name="artifact")
def artifact_fixture(tmp_path_factory) -> Path:
    """The built archive."""
    folder = tmp_path_factory.mktemp("build")
    built = run("ansible-galaxy", "collection", "build", "--output-path", str(folder), cwd=export_collection(folder))
    assert built.returncode == 0, built.stdout
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module", name="installed")
def installed_fixture(artifact, tmp_path_factory) -> Path:
    """A folder of collections that holds nothing but the artifact's content."""
    folder = tmp_path_factory.mktemp("installed")
    install = ("ansible-galaxy", "collection", "install", "--offline", "-p", str(folder), str(artifact))
    done = run(*install, cwd=folder, ANSIBLE_COLLECTIONS_PATH=str(folder))
    assert done.returncode == 0, done.stdout
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


@pytest.mark.parametrize("kind", sorted({kind for kind, _name in PLUGINS}))
def test_installed_plugins_show_their_documentation(installed, kind):
    names = [name for of_kind, name in PLUGINS if of_kind == kind]
    shown = run("ansible-doc", "--json", "-t", kind, *names, cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert shown.returncode == 0, shown.stdout
    documents = json.loads(shown.stdout)
    assert set(documents) == set(names)
    for name, document in documents.items():
        assert document["doc"]["short_description"] and document["doc"]["description"], name
        assert f"{COLLECTION}." in document["examples"], f"the examples of {name} use its full name"
        if kind != "inventory":
            assert document["return"], name


@pytest.fixture(scope="module", name="started")
def started_fixture(installed) -> dict[str, dict]:
    """The result of each module, called without options from one playbook."""
    results = installed / "results.json"
    tasks: list[dict] = [
        {"name": module, module: {}, "register": f"r{number}", "ignore_errors": True}
        for number, module in enumerate(MODULES)
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
    return dict(zip(MODULES, json.loads(results.read_text())))


@pytest.mark.parametrize("module", MODULES)
def test_installed_modules_start(started, module):
    """Called without options, a module runs as far as its own check of them: nothing that it needs was left out."""
    result = started[module]
    assert not result["failed"] or re.search("required|missing|needed", result["msg"]), result
    for broken in ("Cannot resolve", "Traceback", "MODULE FAILURE", "required Python library"):
        assert broken not in json.dumps(result), result


def test_galaxy_imports_it(artifact, tmp_path):
    """All of its checks but ansible-lint, which C(make lint) runs with the same profile and fewer exceptions."""
    importer = [sys.executable, "-m", "galaxy_importer.main", str(artifact)]
    imported = run(*importer, cwd=tmp_path, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false")
    assert imported.returncode == 0, imported.stdout
    complaints = [line for line in imported.stdout.splitlines() if line.startswith(("ERROR", "WARNING"))]
    assert not complaints, imported.stdout
    listed = json.loads((tmp_path / "importer_result.json").read_text())["contents"]
    assert {(item["content_type"], f"{COLLECTION}.{item['name']}") for item in listed} >= set(PLUGINS)
