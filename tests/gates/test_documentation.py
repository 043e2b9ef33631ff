# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site builds: schemas, markup and references of every plugin and role, and all pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from tests.gates import messages, pictures, screenshots
from tests.gates.environments import ROOT
from tests.gates.export import export_collection, repository_files
from tests.page import needed_browser

TOOLS = Path(sys.executable).parent

# Codes whose messages are made of others.
WITHOUT_WORDS = {"other_answer"}

# Where the site lies after it was built, to be looked at.
SITE = ROOT / ".cache" / "docs"


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
        # Sphinx reads the same files, and knows all of their roles.
        "--skip-rstcheck",
        "--validate-collection-refs",
        "self",
        ".",
        cwd=collection,
    )


def test_the_page_of_messages_has_all_of_them():
    held = (ROOT / messages.PAGE).read_text(encoding="utf-8")
    assert held == messages.page(), "run .venv/tools/bin/python -m tests.gates.messages"
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / "module_utils").rglob("*.py"))
    codes = set(re.findall(r'^    code = "(\w+)"$|DnsError\(\s*"(\w+)"', sources, re.MULTILINE))
    assert len(codes) > 40
    # A problem without a code of its own is none that a task ends with.
    unlisted = {"".join(code) for code in codes} - {"problem"} - set(re.findall(r"`(\w+)`:$", held, re.MULTILINE))
    assert unlisted == WITHOUT_WORDS


def test_messages_are_found_however_they_are_written():
    source = """
_RIGHT = "it must be a port"

class Late(Problem):
    code = "late"
    advice = "try again"

def check(value, name):
    \"\"\"No docstring is a message to anybody.\"\"\"
    if re.fullmatch("not a message at all", value):
        raise OptionError("port", value, f"{_RIGHT} from 1 to {LAST}")
    warnings.append(f"the name {name!r} " + ("is taken by somebody" if value else "cannot be read by anybody"))
    raise DnsError("refused", f"{name} is refused: {value}")
"""
    assert messages.messages_in(source) == {
        messages.Message("late", "", "try again"),
        messages.Message("bad_option", "port", "it must be a port from 1 to …"),
        messages.Message("", "", "it must be a port"),
        messages.Message("", "", "is taken by somebody"),
        messages.Message("", "", "cannot be read by anybody"),
        messages.Message("refused", "", "… is refused: …"),
    }


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures_show_what_is_so_and_can_be_read(name):
    drawn = (ROOT / pictures.FOLDER / name).read_text(encoding="utf-8")
    assert drawn == pictures.PICTURES[name](), "run .venv/tools/bin/python -m tests.gates.pictures"
    sizes = [int(size) for size in re.findall(r"(?:font: |font-size: )(\d+)px", drawn)]
    assert len(sizes) == 3 and min(sizes) >= 11
    assert "prefers-color-scheme: dark" in drawn and "<title>" in drawn


@pytest.mark.parametrize("name", screenshots.REPORTS)
def test_pictures_of_reports_have_the_words_of_today(name):
    words = screenshots.words_of(ROOT / pictures.FOLDER / f"{name}.png")
    assert len(words) >= 7, words
    gone = [word for word in words if word not in screenshots.templates()]
    assert not gone, "tests/gates/screenshots.py says how to take the pictures again"


def test_each_picture_is_small_is_shown_and_has_words():
    pages = "".join((ROOT / path).read_text(encoding="utf-8") for path in repository_files() if path.suffix == ".md")
    for picture in (ROOT / pictures.FOLDER).iterdir():
        assert picture.stat().st_size < 150_000, picture
        assert re.search(rf"!\[[^\]]{{40,}}\]\(\S*pictures/{picture.name}\)", pages), (
            f"no page shows {picture.name} in words"
        )


# Sphinx keeps the trees of pages, of which each part knows its parent, to its end: there is little garbage to look for.
_SPHINX = "import gc, sys; gc.disable(); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module", name="site")
def site_fixture(collection) -> Path:
    """The documentation site, built without a warning: pages of docs/ and roles/, and reference pages of all plugins."""
    shutil.copy(collection / "docs" / "index.md", collection / "index.md")
    reference = collection / "reference"
    reference.mkdir(mode=0o755)
    options = ("--use-current", "--fail-on-error", "--squash-hierarchy", "--dest-dir", "reference")
    run("antsibull-docs", "collection", *options, "workload_security.agent", cwd=collection)
    shutil.rmtree(SITE, ignore_errors=True)
    options = ("--fail-on-warning", "--keep-going", "-q", "-c", "docs", ".", str(SITE))
    run(sys.executable, "-c", _SPHINX, *options, cwd=collection)
    return SITE


def test_every_plugin_role_and_page_is_on_the_site(site):
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    plugins = [path for path in repository_files() if path.parts[:1] == ("plugins",) and path.suffix == ".py"]
    wanted = {Path("reference", f"{path.stem}_module") for path in plugins if path.parts[1] == "modules"}
    wanted |= {
        Path("reference", f"{path.stem}_{path.parts[1]}")
        for path in plugins
        if path.parts[1] in ("filter", "inventory", "test") and path.stem != "__init__"
    }
    pages = [path for path in repository_files() if path.parts[0] in ("docs", "roles") and path.suffix == ".md"]
    wanted |= {path.with_suffix("") for path in pages if path != Path("docs/index.md")}
    assert len(wanted) > 40 and wanted <= built


# What is wider than a phone, on each of the pages one after the other. What scrolls in a box of its own may be.
_TOO_WIDE = """
const wide = [];
for (const address of PAGES) {
  const frame = document.createElement("iframe");
  frame.width = 390;
  frame.height = 800;
  frame.src = address;
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  document.body.append(frame);
  await loaded;
  const inside = frame.contentDocument;
  const scrolls = (one) =>
    !one.matches(".wy-nav-content") && (getComputedStyle(one).overflowX === "auto" || scrolls(one.parentElement));
  const out = [...inside.querySelectorAll(".wy-nav-content *")]
    .filter((one) => one.getBoundingClientRect().right > 390 && !scrolls(one.parentElement));
  if (out.length) wide.push([address, out[0].outerHTML.slice(0, 200)]);
  frame.remove();
}
return wide;
"""


def test_no_page_is_wider_than_a_phone(site, tmp_path):
    browser = needed_browser(tmp_path)
    pages = sorted(path.as_uri() for path in site.rglob("*.html"))
    assert len(pages) > 60
    host = tmp_path / "host.html"
    host.write_text("<!doctype html><html><body></body></html>", encoding="utf-8")
    script = f"const PAGES = {json.dumps(pages)};\n{_TOO_WIDE}"
    assert browser.run(host, script, "--allow-file-access-from-files") == []


def test_the_site_needs_nothing_from_elsewhere(site):
    loaded = re.compile(r"<(?:script|img)[^>]* src=\"([^\"]+)|<link[^>]* rel=\"stylesheet\"[^>]* href=\"([^\"]+)")
    for page in site.rglob("*.html"):
        addresses = ["".join(found) for found in loaded.findall(page.read_text(encoding="utf-8"))]
        assert addresses, page
        assert [address for address in addresses if urllib.parse.urlsplit(address).netloc] == [], page
