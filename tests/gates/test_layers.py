# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports point down the layers, and what runs on managed hosts needs nothing but an old Python.

Files are found, not listed: a new one is held to the same rules, and one that fits no layer fails.
"""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import pytest
import yaml

from tests.gates.environments import ROOT

COLLECTION = "ansible_collections.workload_security.agent"

# The packages of module utils, from the top down: two packages on one line do not know each other.
ORDER = (
    ("_task",),
    ("_answers",),
    ("_activation",),
    ("_sending",),
    ("_communication",),
    ("_facets",),
    ("_fleet",),
    ("_manager",),
    ("_probe",),
    ("_connectivity",),
    ("_dns", "_agent"),
    ("_host",),
    ("_ssh",),
    ("_vendor",),
    ("_basis",),
)
PACKAGES = {package for line in ORDER for package in line}
# Which packages each layer imports from, beside itself: those that it needs, and no other. What Ansible loads by its
# name comes last.
IMPORTS = {
    "_task": (
        "_sending",
        "_communication",
        "_facets",
        "_fleet",
        "_manager",
        "_agent",
        "_vendor",
        "_basis",
    ),
    "_answers": ("_sending", "_facets", "_fleet", "_manager", "_agent", "_vendor", "_basis"),
    "_activation": ("_fleet", "_manager", "_basis"),
    "_sending": ("_fleet", "_manager", "_vendor", "_basis"),
    "_communication": ("_facets", "_fleet", "_manager", "_basis"),
    "_facets": ("_fleet", "_manager", "_vendor", "_basis"),
    "_fleet": ("_manager", "_agent", "_vendor", "_basis"),
    "_manager": ("_ssh", "_vendor", "_basis"),
    "_probe": ("_agent", "_ssh", "_vendor", "_basis"),
    "_connectivity": ("_dns", "_agent", "_vendor", "_basis"),
    "_dns": ("_host", "_vendor", "_basis"),
    "_agent": ("_host", "_vendor", "_basis"),
    "_host": (),
    "_ssh": ("_basis",),
    "_vendor": ("_basis",),
    "_basis": (),
    "modules": (
        "_task",
        "_answers",
        "_activation",
        "_sending",
        "_communication",
        "_facets",
        "_fleet",
        "_manager",
        "_probe",
        "_connectivity",
        "_dns",
        "_agent",
        "_basis",
    ),
    "plugin_utils": ("_task", "_manager", "_basis"),
    # An action does what its module does.
    "action": ("modules", "plugin_utils", "_agent"),
    "inventory": ("plugin_utils", "_task", "_answers", "_fleet", "_manager", "_basis"),
    "filter": ("_answers", "_agent", "_vendor", "_basis"),
    "test": ("_agent", "_basis"),
    "doc_fragments": (),
}

# The oldest Python of a managed host, and what the standard library has only got since.
HOST_PYTHON = (3, 8)
NEWER_THAN_HOST_PYTHON = {"annotationlib", "compression", "graphlib", "tomllib", "zoneinfo"}

# Modules that look at hosts from where the playbook runs.
FROM_OUTSIDE = ("agent_cipher_probe",)
# What runs on managed hosts even where no module names it.
ON_MANAGED_HOSTS = ("_agent", "_basis", "_connectivity", "_dns", "_host", "_vendor")
# A library that a file of these may use if it is there, since it is needed beside the manager alone.
OPTIONAL = {
    Path("plugins/module_utils/_dns/kerberos.py"): {"gssapi"},
    Path("plugins/module_utils/_dns/primary.py"): {"dns"},
}

GOING_AWAY = (
    "ansible.module_utils.six",
    "ansible.module_utils._text",
    "ansible.module_utils.common._collections_compat",
)

FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "plugins").rglob("*.py"))


@functools.lru_cache(maxsize=None)
def tree_of(path: Path, version: tuple[int, int] | None = None) -> ast.Module:
    """The syntax tree of a file of the repository, read as C(version) of Python would."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path), feature_version=version)


def layer_of(path: Path) -> str:
    """The layer of a file below plugins/: the folder's name, or the package's in module_utils."""
    _plugins, folder, *rest = path.parts
    return rest[0] if folder == "module_utils" else folder


def imports_of(path: Path) -> set[str]:
    """The dotted names that a file imports anywhere in it, relative ones made absolute."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = [COLLECTION, *path.parent.parts]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
            # What comes from a package may be a module of it or a name in it: both are kept.
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


@functools.lru_cache(maxsize=None)
def files_imported_by(path: Path) -> set[Path]:
    """The files of the collection that a file imports, with the packages that they lie in."""
    found: set[Path] = set()
    for name in imports_of(path):
        if name.startswith(COLLECTION + "."):
            parts = name.removeprefix(COLLECTION + ".").split(".")
            for length in range(len(parts), 0, -1):
                module = Path(*parts[:length])
                found.update({module.with_suffix(".py"), module / "__init__.py"} & set(FILES))
    return found


def files_on_managed_hosts() -> set[Path]:
    """Whole layers, and every module that does not talk to the manager with all that it imports in turn."""
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    beside_the_manager = {*groups["manager"], *FROM_OUTSIDE}
    todo = [
        path
        for path in FILES
        if layer_of(path) in ON_MANAGED_HOSTS or (layer_of(path) == "modules" and path.stem not in beside_the_manager)
    ]
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        found.add(path)
        todo.extend(files_imported_by(path) - found)
    return found


def packages_imported_by(path: Path) -> set[str]:
    """The layers that a file imports from, its own apart."""
    return {layer_of(file) for file in files_imported_by(path)} - {layer_of(path)}


def test_there_is_something_to_check():
    assert {layer_of(path) for path in FILES} >= {"modules", *PACKAGES}


@pytest.mark.parametrize("layer", IMPORTS)
def test_the_table_points_down(layer):
    lines = (("action", "inventory"), ("modules",), ("plugin_utils",), *ORDER)
    line = next((number for number, packages in enumerate(lines) if layer in packages), 2)
    below = [package for packages in lines[line + 1 :] for package in packages]
    assert list(IMPORTS[layer]) == [package for package in below if package in IMPORTS[layer]], "in the order of ORDER"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_imports_what_the_table_says(path):
    layer = layer_of(path)
    assert layer in IMPORTS, f"{path} lies in no known layer"
    others = packages_imported_by(path) - set(IMPORTS[layer])
    assert not others, f"{path} imports from {', '.join(sorted(others))}; IMPORTS does not have that for {layer}"


@pytest.mark.parametrize("layer", IMPORTS)
def test_the_table_says_no_more_than_is_imported(layer):
    imported = {package for path in FILES if layer_of(path) == layer for package in packages_imported_by(path)}
    unused = set(IMPORTS[layer]) - imported
    assert not unused, f"nothing in {layer} imports from {', '.join(sorted(unused))}: take it out of IMPORTS"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_is_imported_that_will_not_be_there(path):
    names = imports_of(path)
    assert not [name for name in names if name.split(".")[0] == "tests"], "what ships must not need the tests"
    assert not [name for name in names if name.startswith(GOING_AWAY)], "ansible-core is about to remove these"


@pytest.mark.parametrize("path", sorted(files_on_managed_hosts()), ids=str)
def test_a_managed_host_needs_only_an_old_python(path):
    tree_of(path, HOST_PYTHON)
    usable = sys.stdlib_module_names - NEWER_THAN_HOST_PYTHON | OPTIONAL.get(path, set())
    foreign = {
        name
        for name in imports_of(path)
        if name.split(".")[0] not in usable
        and not name.startswith(("ansible.module_utils.", f"{COLLECTION}.plugins.module_utils."))
        and name not in ("ansible.module_utils", f"{COLLECTION}.plugins.module_utils")
    }
    assert not foreign, f"{path} runs on managed hosts, which have nothing but Python's standard library"
