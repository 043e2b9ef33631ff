# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation builds: schemas, markup and references of every plugin and role, and the pages made from them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gates.export import export_collection, repository_files

TOOLS = Path(sys.executable).parent

SPHINX_SETTINGS = """
project = "workload_security.agent"
extensions = ["sphinx_antsibull_ext"]
html_theme = "basic"
default_role = "any"
# Ansible's own pages are not at hand: a reference into them cannot be resolved here.
suppress_warnings = ["ref.ref"]
"""


def run(*command: str, cwd: Path) -> None:
    """Run a tool that sees only the collection in C(cwd); fails with its output."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(cwd.parents[2])}
    environment["PATH"] = f"{TOOLS}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module", name="collection")
def collection_fixture(tmp_path_factory) -> Path:
    """A copy of the collection that holds nothing but the repository's files."""
    return export_collection(tmp_path_factory.mktemp("documentation"))


def test_schemas_markup_and_references_are_right(collection):
    run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs",
        "self",
        ".",
        cwd=collection,
    )


def test_pages_build_without_a_warning(collection):
    pages = collection / "pages"
    pages.mkdir(mode=0o755)
    options = ("--use-current", "--fail-on-error", "--squash-hierarchy", "--dest-dir", "pages")
    run("antsibull-docs", "collection", *options, "workload_security.agent", cwd=collection)
    (pages / "conf.py").write_text(SPHINX_SETTINGS)
    run("sphinx-build", "--fail-on-warning", "--keep-going", "-q", "-b", "html", "pages", "html", cwd=collection)
    built = {path.stem for path in (collection / "html").glob("*.html")}
    plugins = [path for path in repository_files() if path.parts[:1] == ("plugins",) and path.suffix == ".py"]
    wanted = {f"{path.stem}_module" for path in plugins if path.parts[1] == "modules"}
    wanted |= {f"{path.stem}_{path.parts[1]}" for path in plugins if path.parts[1] in ("filter", "inventory", "test")}
    assert wanted and wanted <= built
