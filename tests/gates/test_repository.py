# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the repository as a whole: tests for everything, one version, licenses, groups, nothing private."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.gates.environments import LOCKS, ROOT
from tests.gates.export import export_collection, repository_files
from tests.gates.pages import anchors, broken_links, links, stray_rows, undefined_links
from tests.gates.role_options import SOURCES, path_of, with_options
from tests.release.versions import current, final, named, released

FILES = repository_files()
PAGES = [path for path in FILES if path.suffix == ".md"]
COLLECTION = "workload_security.agent"

# What a playbook or a template can name, by the folder of its kind.
PLUGINS = [
    path
    for path in FILES
    if path.parts[0] == "plugins"
    and path.parts[1] in ("modules", "inventory", "filter", "test")
    and path.suffix == ".py"
    and path.stem != "__init__"
]
MODULES = [path for path in PLUGINS if path.parts[1] == "modules"]
PYTHON_HEADER = """\
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
# A file that only makes a folder a package is empty, as ansible-test wants it.
PYTHON = [path for path in FILES if path.suffix == ".py" and (ROOT / path).stat().st_size]


def read(path: Path) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def load(path: str):
    """The content of a YAML file of the repository."""
    return yaml.safe_load(read(Path(path)))


def documentation_of(path: Path) -> dict:
    """The DOCUMENTATION of a module, or of a plugin with its documentation in a file beside it."""
    sidecar = path.with_suffix(".yml")
    if sidecar in FILES:
        return load(str(sidecar))["DOCUMENTATION"]
    for node in ast.parse(read(path)).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no documentation")


def test_there_are_modules():
    assert MODULES


def test_every_file_names_its_license(tmp_path):
    """In a copy, because REUSE asks Git once what it ignores: caches that other gates make later would be files, too."""
    command = [sys.executable, "-m", "reuse", "--root", str(export_collection(tmp_path)), "lint", "--lines"]
    ran = subprocess.run(command, capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_every_plugin_has_a_test_that_names_it(path):
    """A test names a plugin as a word of its own or at the end of the full name, or imports its file."""
    named = re.compile(rf"""["'.]{re.escape(path.stem)}(["':]| import )""")
    tests = [file for file in FILES if file.parts[:2] in (("tests", "unit"), ("tests", "integration"))]
    assert [file for file in tests if file.name.startswith("test_") and named.search(read(file))], "no test names it"


def test_versions_agree():
    """In all places, and with the change log: between two releases, all of them name the last one."""
    version = current(ROOT)
    assert all(found == {version} for found in named(ROOT).values()), named(ROOT)
    if released(ROOT):
        assert released(ROOT)[-1] == version, "only make release changes the version"
        assert f"\nv{version}\n" in read(Path("CHANGELOG.rst"))


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_plugins_were_added_in_a_release_or_come_with_the_next(path):
    added = Version(documentation_of(path)["version_added"])
    known = [final(version) for version in released(ROOT)]
    assert added in known or all(added > version for version in known), "make release replaces what is after the newest"


@pytest.mark.parametrize("path", PYTHON, ids=str)
def test_python_files_carry_the_license(path):
    text = re.sub(r"\A#!.*\n", "", read(path))
    assert text.startswith(PYTHON_HEADER), f"{path} does not start with the license header"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=str)
def test_docstrings_mark_code_as_documentation_does(path):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(read(path))) if isinstance(node, documented)]
    marked = [line for node in nodes for line in (ast.get_docstring(node) or "").splitlines() if "`" in line]
    assert not marked, "write C(code), as the documentation of modules does"


def test_the_license_is_whole():
    text = read(Path("LICENSE"))
    assert text.lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_action_group_holds_the_modules_that_take_connection_options():
    connected = {
        path.stem
        for path in MODULES
        if f"{COLLECTION}.connection" in documentation_of(path).get("extends_documentation_fragment", [])
    }
    assert set(load("meta/runtime.yml")["action_groups"]["manager"]) == connected


@pytest.mark.parametrize("role", SOURCES)
def test_roles_specify_what_modules_take_as_deep_as_these(role):
    text = path_of(role).read_text(encoding="utf-8")
    assert text == with_options(text, role), "run python -m tests.gates.role_options"


def test_every_role_hands_its_options_on():
    assert set(SOURCES) == {path.parts[1] for path in FILES if path.parts[0] == "roles"}


def test_runtime_requires_the_oldest_core_that_is_tested():
    oldest = Version(pins("oldest.txt")["ansible-core"])
    assert load("meta/runtime.yml")["requires_ansible"] == f">={oldest.major}.{oldest.minor}.0"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_what_is_asked_for(name):
    """Each direct requirement at a version that it admits: a lock that is older than its source is made again."""
    locked = locked_in(f"{name}.txt")
    for asked in asked_for(Path(f"requirements/{name}.in")):
        found = [one.specifier for one in locked if canonicalize_name(one.name) == canonicalize_name(asked.name)]
        assert found, f"{asked} is not in requirements/{name}.txt: run make lock"
        for specifier in found:
            assert asked.specifier.contains(pinned(specifier)), f"{asked}, but {specifier} is locked: run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_every_package_by_its_hashes_and_name_no_place(name):
    """Nothing but versions and hashes: no index, no path, no address."""
    text = re.sub(r"^ *#.*\n", "", read(Path(f"requirements/{name}.txt")), flags=re.MULTILINE)
    one = r"^[\w.-]+(\[[\w,-]+\])?==[\w.]+( ; [^\\\n/@]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"({one})+", text, re.MULTILINE), re.sub(one, "", text, flags=re.MULTILINE)


def test_the_lowest_libraries_that_users_may_have_are_tested():
    lowest = {
        requirement.name: Version(bound.version)
        for requirement in wanted_libraries()
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    assert len(lowest) == len(wanted_libraries()), "each library has a lower bound"
    locked = pins("lowest.txt")
    assert locked["ansible-core"] == pins("oldest.txt")["ansible-core"]
    assert {name: Version(locked[canonicalize_name(name)]) for name in lowest} == lowest


def test_the_modules_documentation_names_the_lowest_libraries():
    lowest = pins("lowest.txt")
    files = ("plugins/doc_fragments/connection.py", "plugins/modules/communication_document.py")
    text = "".join(read(Path(file)) for file in files)
    named = dict(re.findall(r"^  - ([\w.]+) >= ([\d.]+)", text, re.MULTILINE))
    named.pop("Python")
    assert named
    for name, version in named.items():
        assert Version(version) == Version(lowest[canonicalize_name(name)])


def locked_in(file: str) -> list[Requirement]:
    """What a lock holds: each package at a version, maybe several of them for different Pythons."""
    lines = read(Path("requirements") / file).splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line and line[0] not in " #"]


def pinned(specifier: SpecifierSet) -> str:
    """The version that a specifier pins."""
    (exact,) = specifier
    assert exact.operator == "=="
    return exact.version


def pins(file: str) -> dict[str, str]:
    """The versions that a lock holds, by package."""
    return {requirement.name: pinned(requirement.specifier) for requirement in locked_in(file)}


def asked_for(path: Path) -> list[Requirement]:
    """What a file of requirements names, and those that it takes in."""
    found = []
    for line in read(path).splitlines():
        if line.startswith("-r "):
            found += asked_for(Path(os.path.normpath(path.parent / line.removeprefix("-r "))))
        elif line and line[0] != "#":
            found.append(Requirement(line))
    return found


def wanted_libraries() -> list[Requirement]:
    """What meta/requirements.txt says."""
    return asked_for(Path("meta/requirements.txt"))


def test_sanity_has_no_ignores():
    assert not [path for path in FILES if path.parts[:2] == ("tests", "sanity") and path.name.startswith("ignore")]


def test_change_log_fragments_are_valid():
    subprocess.run([sys.executable, "-m", "antsibull_changelog", "lint"], cwd=ROOT, check=True)


# Each pattern is written so that it does not match itself.
UNPUBLISHED = {
    "a setting of somebody's package index": r"index[-_]url|find[-_]links|trusted[-_]host",
    "work that is left to do": r"\bTO[D]O\b|\bFIX[M]E\b|\bX[X]X\b",
    # Where the checkout and the home folder lie on the machine that this is written on.
    "a path of this machine": "|".join(
        rf"(?<![\w.]){re.escape(str(folder))}/"
        for folder in (ROOT, ROOT.parent, Path.home())
        if folder not in (Path("/"), Path(tempfile.gettempdir()))
    ),
}


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix != ".png"], ids=str)
def test_nothing_private_is_published(path):
    text = read(path)  # fails for what is not text: nothing but a picture needs to be binary
    for what, pattern in UNPUBLISHED.items():
        found = re.search(pattern, text)
        assert not found, f"{path} holds {what}: {found[0]}"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_lead_somewhere(path):
    assert not broken_links(ROOT, path)


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_tables_are_whole(path):
    assert not stray_rows(read(path)), "an empty line inside of a table ends it"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_examples_are_yaml(path):
    """Whatever a page shows as YAML can be read."""
    # Indented ones stand in lists.
    for indent, block in re.findall(r"^( *)```yaml\n(.*?)^ *```$", read(path), re.MULTILINE | re.DOTALL):
        example = yaml.safe_load(re.sub(rf"^{indent}", "", block, flags=re.MULTILINE))
        assert isinstance(example, (list, dict)) and example, block


def test_every_page_of_the_documentation_is_listed():
    pages = {path for path in PAGES if path.parts[0] == "docs"}
    assert pages
    for path in pages - {Path("docs/README.md"), Path("docs/index.md")}:
        listing = path.parent / "README.md"
        if path == listing:
            listing = path.parent.parent / "README.md"
        linked = {Path(os.path.normpath(listing.parent / link)) for link in links(read(listing))}
        assert path in linked, f"{listing} does not list {path}"


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/vendor_page.md"])
def test_the_tests_that_a_page_names_exist(page):
    named = re.findall(r"`(\w+/[\w/]+\.py)::(\w+)`", read(Path(page)))
    assert len(named) > 20
    for file, name in named:
        assert f"\ndef {name}(" in read(Path("tests") / file), f"{file}::{name}"


def test_the_codes_of_failures_are_explained():
    files = ("_basis/errors.py", "_manager/errors.py", "_communication/reviewed.py")
    gate = {"gate_failed", "gate_timed_out", "gate_unknown"}
    errors = "".join(read(Path("plugins/module_utils") / name) for name in files)
    # A problem without a code of its own is none that a task ends with.
    codes = set(re.findall(r'^    code = "(\w+)"$', errors, re.MULTILINE)) - {"problem"}
    explained = {
        code
        for row in re.findall(r"^\| (`.*?) \|", read(Path("docs/failures.md")), re.MULTILINE)
        for code in re.findall(r"`(\w+)`", row)
    }
    assert explained == codes | gate | {"failed_targets", "may_be_sent", "not_arrived"}


# The modules of one facet, as they name it themselves.
FACETS = [name for path in MODULES for name in re.findall(r'of_facet\("(\w+)"\)', read(path))]


def returned_by(path: Path) -> dict:
    """The RETURN of a module."""
    for node in ast.parse(read(path)).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "RETURN":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path} does not document what it returns")


def options_of(path: Path) -> set[str]:
    """The options of a module, with those of the fragments that it takes."""
    document = documentation_of(path)
    options = set(document.get("options", {}))
    for fragment in document.get("extends_documentation_fragment", []):
        name, _dot, part = fragment.removeprefix(f"{COLLECTION}.").partition(".")
        constant = part.upper() or "DOCUMENTATION"
        text = read(Path(f"plugins/doc_fragments/{name}.py"))
        found = re.search(rf'^    {constant} = r"""\n(.*?)"""', text, re.MULTILINE | re.DOTALL)
        options |= set(yaml.safe_load(found[1])["options"])
    return options


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_sample_of_a_failure_names_an_option_that_the_module_has(path):
    failure = returned_by(path)["failure"]
    sample = failure.get("sample") or {key: value.get("sample") for key, value in failure["contains"].items()}
    named = sample.get("option")
    options = options_of(path)
    # The option in question may be one below an option of the module: profiles[Servers].heartbeat.
    assert named is None or re.split(r"[\[.]", named)[0] in options
    message = sample.get("message") or ""
    assert set(re.findall(r"option '(.+?)'", message)) <= {named}, "the message is about the option"


@pytest.mark.parametrize("name", FACETS)
def test_modules_that_write_return_the_same(name):
    returned = [returned_by(Path(f"plugins/modules/{module}.py")) for module in ("communication_profile", name)]
    for one in returned:
        # Which of its own options a module names in the sample is its own.
        del one["failure"]["sample"]
    # What only a document has.
    for name in ("plan_file", "plan_changes", "undeclared", "left_alone"):
        del returned[0][name]
    assert returned[0] == returned[1]


@pytest.mark.parametrize("facet", FACETS)
def test_a_profile_takes_the_options_of_a_facet_as_its_module_does(facet):
    """What a facet's module says of its own options is said of the same options in a profile, but for their path."""
    own = documentation_of(Path(f"plugins/modules/{facet}.py"))["options"]
    suboptions = documentation_of(Path("plugins/modules/communication_profile.py"))["options"]["profiles"]["suboptions"]
    text = yaml.safe_dump(suboptions[facet]["suboptions"], width=10**6)
    assert yaml.safe_load(text.replace(f"O(profiles[].{facet}.", "O(")) == own


def test_a_profile_takes_the_targets_that_modules_take():
    """Descriptions differ: those in a profile are of one profile among several."""
    parts = re.findall(r'= r"""\n(.*?)"""', read(Path("plugins/doc_fragments/targets.py")), re.DOTALL)
    own = {name: option for part in parts for name, option in yaml.safe_load(part)["options"].items()}
    suboptions = documentation_of(Path("plugins/modules/communication_profile.py"))["options"]["profiles"]["suboptions"]
    for name, option in own.items():
        same = {**suboptions[name], "description": option["description"]}
        assert same == option, name
    assert set(suboptions) == {"name", *own, "try_on", *FACETS}


def test_communication_info_tells_all_facets():
    facets = documentation_of(Path("plugins/modules/communication_info.py"))["options"]["facets"]
    assert set(facets["choices"]) == set(facets["default"]) == set(FACETS)


def test_there_is_one_description_of_an_ssh_server():
    """The jump host's and a probe's differ in their descriptions alone."""
    fragment = re.search(
        r'DOCUMENTATION = r"""\n(.*?)"""', read(Path("plugins/doc_fragments/connection.py")), re.DOTALL
    )
    jump_host = yaml.safe_load(fragment[1])["options"]["jump_host"]["suboptions"]
    targets = documentation_of(Path("plugins/modules/agent_cipher_probe.py"))["options"]["targets"]["suboptions"]
    plain = [
        {name: {**option, "description": None} for name, option in one.items()}
        for one in (jump_host, targets["ssh"]["suboptions"])
    ]
    assert plain[0] == plain[1]


def descriptions(value, key=""):
    """Every text of documentation that is made of sentences, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from descriptions(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from descriptions(below, key)
    elif key in ("description", "notes", "details"):
        yield value


def test_descriptions_are_whole_sentences():
    """One that was cut short, as by an edit of its second line, ends in the middle of a sentence."""
    documents = [load(str(path)) for path in FILES if path.match("roles/*/meta/argument_specs.yml")]
    documents += [load(str(path)) for path in FILES if path.match("plugins/*/*.yml")]
    for path in FILES:
        if path.match("plugins/*/*.py"):
            documents += map(yaml.safe_load, re.findall(r'(?<!EXAMPLES) = r"""\n(.*?)"""', read(path), re.DOTALL))
    found = [one for document in documents for one in descriptions(document)]
    assert len(found) > 1000
    assert [one for one in found if not re.search(r"[.)]$", one.rstrip())] == []


def test_pages_that_are_broken_are_told(tmp_path):
    """What the tests of pages stand on."""
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert not stray_rows(f"# T\n\n{table}\n```\n| code |\n```\n")
    assert stray_rows(f"{table}\n| 3 | 4 |\n") == ["| 3 | 4 |"]
    assert stray_rows("- item\n\n  | a |\n") == ["| a |"]
    assert anchors("# A `b`, c!\n\n## A b c\n") == {"a-b-c", "a-b-c-1"}
    assert undefined_links("[a][b] and `x[y][z]`") == ["[a][b]"]
    (tmp_path / "page.md").write_text(
        "# Here\n\n[1](page.md#here) [2](#here) [3](https://example.com/none) [4][d]\n\n[d]: .\n"
    )
    assert not broken_links(tmp_path, Path("page.md"))
    (tmp_path / "page.md").write_text("[1](none.md) [2](#there) [3](../) ![4](none.png) [5][none]\n")
    assert len(broken_links(tmp_path, Path("page.md"))) == 5
