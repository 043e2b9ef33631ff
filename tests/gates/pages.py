# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with Markdown pages as they are shown: links that lead nowhere, and tables that are split."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark").enable("table")


def _inlines(text: str) -> Iterator[Token]:
    """The pieces of text of a page, each with its parts, without code blocks."""
    return (token for token in _MARKDOWN.parse(text) if token.type == "inline")


def links(text: str) -> list[str]:
    """The targets of the links and images of a page, as they are written."""
    parts = [part for inline in _inlines(text) for part in inline.children or []]
    return [
        str(part.attrs.get("href", part.attrs.get("src", ""))) for part in parts if part.type in ("link_open", "image")
    ]


def undefined_links(text: str) -> list[str]:
    """Links by name, such as [text][name], whose name the page does not define, so that they are shown in brackets."""
    # The text of each line without code, where brackets may mean anything.
    shown = [
        "".join(part.content for part in inline.children or [] if part.type == "text") for inline in _inlines(text)
    ]
    return [found for line in shown for found in re.findall(r"\[[^\[\]]+\]\[[^\[\]]*\]", line)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and most site generators name them."""
    found: dict[str, int] = {}
    tokens = _MARKDOWN.parse(text)
    for token, inline in zip(tokens, tokens[1:]):
        if token.type == "heading_open":
            words = "".join(part.content for part in inline.children or [] if part.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            seen = found.setdefault(name, 0)
            found[name] += 1
            if seen:
                found[f"{name}-{seen}"] = 1
    return set(found)


def broken_links(root: Path, page: Path) -> list[str]:
    """The links of the page, whose path is relative to root, that lead to no file, folder or heading below root."""
    text = (root / page).read_text(encoding="utf-8")
    broken = [f"{page}: {link}" for link in undefined_links(text)]
    for link in links(text):
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (root / page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else root / page
        inside = target.is_relative_to(root.resolve()) or not parts.path
        if not inside or not target.exists():
            broken.append(f"{page}: {link}")
        elif parts.fragment and parts.fragment not in anchors(target.read_text(encoding="utf-8")):
            broken.append(f"{page}: {link}")
    return broken


def stray_rows(text: str) -> list[str]:
    """Lines that are meant as rows of a table but shown as text, such as after an empty line within a table."""
    return [line for inline in _inlines(text) for line in inline.content.splitlines() if line.lstrip().startswith("|")]
