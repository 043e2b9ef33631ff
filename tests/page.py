# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report's page as tests read it: with a strict parser and rules that keep it readable for all, and in a browser."""

from __future__ import annotations

import base64
import hashlib
import html
import html.parser
import json
import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VOID = {"meta", "link", "br", "img", "input"}


@dataclass
class Element:
    """An element of a page, with its content in reading order."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str, css_class: str = "") -> list[Element]:
        """The elements below with this tag (or any, for an empty one) and class."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if tag in ("", child.tag) and (not css_class or css_class in child.attributes.get("class", "").split()):
                    found.append(child)
                found += child.all(tag, css_class)
        return found

    def of_id(self, name: str) -> Element | None:
        """The element below with this ID, if there is one."""
        return next((one for one in self.all("") if one.attributes.get("id") == name), None)

    @property
    def text(self) -> str:
        """All text below, with single spaces."""
        return " ".join(" ".join(self._texts()).split())

    def _texts(self) -> t.Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()

    @property
    def tags(self) -> set[str]:
        """The tags of all elements below."""
        return {one.tag for one in self.all("")}

    @property
    def cells(self) -> list[list[str]]:
        """The texts of a table's body, by row."""
        return [[cell.text for cell in row.all("") if cell.tag in ("th", "td")] for row in self._body_rows()]

    def _body_rows(self) -> list[Element]:
        return [row for body in self.all("tbody") for row in body.all("tr")]


class Page(html.parser.HTMLParser):
    """Reads a page, and checks that each element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.root = Element("", {})
        self._open = [self.root]
        self.feed(text)
        assert self._open == [self.root], "each element is closed where it should be"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        assert len(element.attributes) == len(attrs), f"an attribute of {tag} stands there twice"
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    # -- rules

    @property
    def faults(self) -> list[str]:
        """Everything that keeps somebody from reading the page, or lets it act on its own. Empty if there is none."""
        return [*self._security(), *self._structure(), *self._tables()]

    def _security(self) -> t.Iterator[str]:
        policies = [
            one.attributes["content"]
            for one in self.root.all("meta")
            if one.attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        scripts = ["".join(one._texts()) for one in self.root.all("script")]
        hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
        directives = dict(part.strip().split(" ", 1) for part in ";".join(policies).split(";") if part.strip())
        if len(policies) != 1 or directives.get("default-src") != "'none'":
            yield "there is no policy that forbids everything else"
        if directives.get("script-src", "") != " ".join(f"'sha256-{one}'" for one in hashes):
            yield f"the policy allows other scripts than those of the page, which are 'sha256-{hashes}'"
        for one in self.root.all(""):
            if any(name.startswith("on") for name in one.attributes):
                yield f"{one.tag} has a script in an attribute"
            for name in ("src", "href", "action"):
                if re.match(r"[a-z]+:(?!,$)|//", one.attributes.get(name, ""), re.IGNORECASE):
                    yield f"{one.tag} leads away: {one.attributes[name]}"

    def _structure(self) -> t.Iterator[str]:
        elements = self.root.all("")
        (page,) = self.root.all("html")
        if not page.attributes.get("lang") or not [one.text for one in self.root.all("title") if one.text]:
            yield "the page has no language or no title"
        for landmark in ("header", "main", "h1"):
            if len(self.root.all(landmark)) != 1:
                yield f"there is not one {landmark}"
        levels = [int(one.tag[1]) for one in elements if re.fullmatch("h[1-6]", one.tag)]
        yield from (f"h{one} is followed by h{other}" for one, other in zip(levels, levels[1:]) if other > one + 1)
        ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
        yield from (f"the ID {name} stands there twice" for name in set(ids) if ids.count(name) > 1)
        for one in elements:
            for name in ("aria-labelledby", "for"):
                if name in one.attributes and one.attributes[name] not in ids:
                    yield f"{one.tag} is labelled by nothing"
            if one.attributes.get("role") == "img" and not one.attributes.get("aria-label"):
                yield "a picture has no words"
        labels = [
            one.attributes.get("aria-label") or self._text_of(one.attributes.get("aria-labelledby", ""))
            for one in elements
            if one.tag == "section" or one.attributes.get("role") in ("region", "search")
        ]
        yield from (f"two regions are called {label!r}" for label in set(labels) if labels.count(label) > 1)
        for control in elements:
            if control.tag in ("input", "select") and control.attributes.get("id") not in [
                one.attributes.get("for") for one in elements if one.tag == "label"
            ]:
                yield f"{control.tag} has no label"

    def _text_of(self, name: str) -> str:
        found = self.root.of_id(name)
        return found.text if found else ""

    def _tables(self) -> t.Iterator[str]:
        boxes = self.root.all("div", "wide")
        inside = [table for box in boxes for table in box.all("table")]
        for box in boxes:
            if not {"tabindex", "aria-label", "role"} <= box.attributes.keys():
                yield "a box that scrolls cannot be reached by keyboard, or has no name"
        for table in self.root.all("table"):
            if table not in inside:
                yield "a table is in no box that scrolls"
            if not [one for one in table.all("caption") if one.text]:
                yield "a table has no caption"
            heads = table.all("th")
            if not heads or [head for head in heads if "scope" not in head.attributes or not head.text]:
                yield f"a table has heads without scope or text: {[head.text for head in heads][:5]}"


def render(template: str, variables: dict[str, t.Any], *folders: Path) -> str:
    """A template as Ansible renders it. Templates that it extends or includes are looked up in these folders."""
    templar = Templar(DataLoader(), variables=variables)
    return templar.copy_with_new_env(searchpath=list(map(str, folders))).template(trust_as_template(template))


# -- a browser


@dataclass(frozen=True)
class Browser:
    """Chromium without a network: all connections, even to loopback addresses, use a proxy that does not exist."""

    program: str
    profile: Path

    def load(self, page: Path, *flags: str) -> tuple[str, set[str]]:
        """The markup of a page after it has loaded, and the URLs that the page requested.

        Chromium also sends requests of its own to its vendor. The network log distinguishes the two: only the requests
        of a page have an origin.
        """
        log = self.profile / "network.json"
        always = (
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-quic"
            " --disable-background-networking --disable-component-update --disable-sync --disable-extensions"
            " --proxy-server=http://127.0.0.1:9 --proxy-bypass-list=<-loopback>"
            f" --user-data-dir={self.profile} --log-net-log={log} --dump-dom"
        )
        command = [self.program, *always.split(), *flags, page.as_uri()]
        markup = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True).stdout
        network = json.loads(log.read_text(encoding="utf-8"))
        start = network["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
        started = [event["params"] for event in network["events"] if event["type"] == start and "params" in event]
        return markup, {one["url"] for one in started if one.get("initiator") not in (None, "not an origin")}

    def run(self, page: Path, script: str, *flags: str) -> t.Any:
        """What a script returns in the loaded page. It runs in a copy of the page that allows it by its hash."""
        text = page.read_text(encoding="utf-8")
        whole = (
            f"(async () => {{{script}}})()"
            ".then((answer) => { document.body.dataset.answer = JSON.stringify(answer); });"
        )
        allowed = base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()
        text = text.replace("script-src ", f"script-src 'sha256-{allowed}' ", 1)
        text = text.replace("</body>", f"<script>{whole}</script></body>", 1)
        copy = self.profile / "copy.html"
        copy.write_text(text, encoding="utf-8")
        # While the script waits, no real time passes.
        markup, _asked = self.load(copy, "--virtual-time-budget=10000", *flags)
        found = re.search(r'<body data-answer="([^"]*)"', markup)
        assert found, "the script did not come to its end"
        return json.loads(html.unescape(found[1]))


def find_browser(profile: Path) -> Browser | None:
    """Chromium with a separate profile; C(None) if there is no Chromium on this machine."""
    program = shutil.which("chromium")
    return Browser(program, profile) if program else None


def needed_browser(profile: Path) -> Browser:
    """The same for a test, which is skipped if there is none."""
    found = find_browser(profile)
    if found is None:
        pytest.skip("there is no Chromium on this machine (Debian's package chromium)")
    return found


# How a page looks in a narrow window, and what is left of it without scripts.
_FRAMED = """
const look = async (page) => {
  // Until its own document is there, a frame has an empty one, which is complete.
  const isThere = () => page.contentDocument?.URL === "about:srcdoc" && page.contentDocument.readyState === "complete";
  await new Promise((resolve) => { isThere() ? resolve() : (page.onload = resolve); });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const inside = page.contentDocument;
  const root = inside.documentElement;
  for (const one of inside.querySelectorAll("details")) one.open = true;
  const seen = (one) => one.getClientRects().length > 0;
  const wide = [...inside.querySelectorAll(".wide")].filter((one) => one.scrollWidth > one.clientWidth);
  return {
    scripted: root.classList.contains("scripted"),
    sideways: root.scrollWidth > root.clientWidth,
    rows: [...inside.querySelectorAll("tbody tr")].filter(seen).length,
    tools: [...inside.querySelectorAll(".tools input, .tools select")].filter(seen).length,
    wide: wide.length,
    unsaid: wide.filter((one) => ![...one.parentElement.querySelectorAll(".hint")].some(seen)).length,
  };
};
return Promise.all([...document.querySelectorAll("iframe")].map(look));
"""
_WITHOUT_SCRIPTS = ' sandbox="allow-same-origin"'


def framed(browser: Browser, page: Path, *frames: tuple[int, bool]) -> list[dict[str, t.Any]]:
    """What a page shows in frames of given widths, because Chromium's own windows may not get narrow enough.

    C(frames): the width of each frame in pixels, and whether scripts may run in it.
    """
    source = html.escape(page.read_text(encoding="utf-8"))
    shown = [
        f'<iframe width="{width}" height="800"{"" if scripted else _WITHOUT_SCRIPTS} srcdoc="{source}"></iframe>'
        for width, scripted in frames
    ]
    host = browser.profile / "host.html"
    host.write_text(f"<!doctype html><html><body>{''.join(shown)}</body></html>", encoding="utf-8")
    return t.cast("list[dict[str, t.Any]]", browser.run(host, _FRAMED))


def judged(browser: Browser, page: Path, *flags: str) -> list[t.Any]:
    """The violations that axe-core finds in a page, and whether the page was dark or light."""
    import axe_core_python  # It is not installed where the documentation is built.

    axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    judge = """
        // Where it finds nothing, it need not tell of every element how to find it.
        const found = await axe.run(document, { resultTypes: ["violations"] });
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        return [dark ? "dark" : "light", found.violations.map((one) => [one.id, one.nodes[0].html])];
    """
    return t.cast("list[t.Any]", browser.run(page, f"{axe}\n{judge}", *flags))


def assert_for_everybody(browser: Browser, path: Path) -> None:
    """Assert that a report can be read on a phone, without its script, and with assistive technology."""
    rows = sum(len(table.cells) for table in Page(path.read_text(encoding="utf-8")).root.all("table"))
    narrow, plain = framed(browser, path, (390, True), (1280, False))
    assert narrow["scripted"] and narrow["wide"] > 0 == narrow["unsaid"] and not narrow["sideways"]
    assert not plain["scripted"] and plain["rows"] == rows and plain["tools"] == 0
    assert judged(browser, path, "--window-size=1280,900") == ["light", []]
