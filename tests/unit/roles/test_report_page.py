# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame that reports share: whoever reads it, whatever names it shows, and on whatever screen."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.environments import ROOT
from tests.page import Page, render

TEMPLATES = ROOT / "roles" / "report_page" / "templates"
CSS = (TEMPLATES / "page.css").read_text(encoding="utf-8")

# A page of its own, which shows what the frame offers.
CONTENT = """\
{%- extends 'page.html.j2' -%}
{%- import 'page_macros.j2' as page -%}
{% block subject %}<span>{{ page.counted(total, 'computer') }}</span>{% endblock %}
{% block content %}
<section aria-labelledby="whole">
  <h2 id="whole">The whole</h2>
  <article class="row">
    <div class="what"><h3>Part</h3></div>
    <p class="headline bad"><strong>{{ page.number(total) }}</strong> in all</p>
    {{ page.divided([['good', total, words], ['bad', 0, words]], total) }}
  </article>
  {{ page.sign('bad', words) }}
</section>
<section aria-labelledby="rows">
  <h2 id="rows">Rows</h2>
  {{ page.table('Rows', columns, rows, tools=true, long=true) }}
</section>
{% endblock %}
"""
COLUMNS = [
    {"key": "name", "title": "Name"},
    {"key": "count", "title": "Count", "right": True},
    {"key": "state", "title": "State", "signs": {"open": ["bad", "open to anybody"]}, "filter": True},
    {"key": "notes", "title": "Notes", "text": True},
]


def rendered(**variables: t.Any) -> str:
    """The page as the role's own task makes it, with these variables."""
    shared = {
        "report_page_title": "Title",
        "report_page_name": "dsm.example.com",
        "report_page_manager": "https://dsm.example.com:4119/api",
        "report_page_date": "2026-06-12",
        "report_page_templates": {"html": "page.j2", "csv": "rows.j2"},
        "report_page_file": "dsm.example.com",
        "total": 1234,
        "words": "words",
        "columns": COLUMNS,
        "rows": [],
    }
    return render(CONTENT, {**shared, **variables}, TEMPLATES)


def row(text: t.Any, count: int = 1) -> dict[str, t.Any]:
    return {"name": text, "count": count, "state": text, "notes": text}


def test_a_page_is_for_everybody() -> None:
    page = Page(rendered(rows=[row("open"), row(None, 2500)]))
    assert not page.faults
    assert page.root.all("p", "subject")[0].text == (
        "dsm.example.com https://dsm.example.com:4119/api 2026-06-12 1,234 computers"
    )
    assert [(link.text, link.attributes["href"]) for link in page.root.all("a")] == [
        ("dsm.example.com.csv", "dsm.example.com.csv")
    ]
    assert page.root.all("table")[0].cells == [
        ["open", "1", "✕ open to anybody", "open"],
        ["–", "2,500", "–", "–"],
    ]
    assert page.root.all("article")[0].text == "Part 1,234 in all ✓ 1,234 words words, 100.0 % ✕ 0 words words, 0.0 %"


def test_what_is_not_known_is_left_out() -> None:
    page = Page(rendered(report_page_manager="", report_page_date="", report_page_templates={"html": "page.j2"}))
    assert not page.faults
    assert page.root.all("p", "subject")[0].text == "dsm.example.com 1,234 computers"
    assert not page.root.all("a")
    assert not page.root.all("table") and "None." in page.root.all("section")[1].text


HOSTILE = st.sampled_from(
    [
        "<script>document.title = 'owned'</script>",
        "</bdi></td></table><h1>forged</h1>",
        "\"'><svg/onload=\"document.title='owned'\">",
        "]]>--><![CDATA[",
        "{{ 7*7 }}{% raw %}{# gone #}",
        "\u202egnp.exe\u2066\n\t",
    ]
)


@settings(max_examples=15)
@given(text=HOSTILE | st.text(max_size=20), number=st.integers(-(10**9), 10**12))
def test_any_name_is_text(text: str, number: int) -> None:
    visible = "".join(character for character in text if character not in "\0\r") or "x"
    page = Page(
        rendered(
            rows=[row(visible, number)],
            words=visible,
            report_page_title=visible,
            report_page_name=visible,
            report_page_date=visible,
            report_page_manager=visible,
        )
    )
    plain = Page(rendered(rows=[row("x", number)]))
    assert page.root.tags == plain.root.tags
    expected = " ".join(visible.split()) or ""
    assert page.root.all("h1")[0].text == expected
    cells = page.root.all("table")[0].cells[0]
    assert cells == [expected, f"{number:,}", f"? {expected}".strip(), expected]


def test_the_script_is_the_one_that_the_page_allows() -> None:
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in (TEMPLATES / "page.html.j2").read_text(encoding="utf-8")
    # It would be a template otherwise.
    assert not re.search(r"\{\{|\{%|\{#", script)
    # Nothing that makes markup or code out of text.
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(|setTimeout\(['\"]", script
    )


# -- colors


def colors(dark: bool) -> dict[str, str]:
    """The page's colors by name."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert len(blocks) == 2
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", blocks[0]))
    return {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", blocks[1]))} if dark else found


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        *((text, ground, 4.5) for text in ("text", "soft", "good") for ground in ("page", "tint")),
        ("bad", "page", 4.5),
        *((f"on-{ground}", ground, 4.5) for ground in ("good", "bad", "strong", "fair", "weak")),
        *(("text", ground, 4.5) for ground in ("hatch", "hatch-ground")),
        # Edges of controls, and parts of pictures.
        ("edge", "page", 3),
        ("unknown", "page", 3),
        ("good", "page", 3),
    ],
)
def test_colors_can_be_told_apart(dark: bool, text: str, ground: str, least: float) -> None:
    found = colors(dark)
    assert contrast(found[text], found[ground]) >= least, (found[text], found[ground])


def test_no_other_colors_are_used() -> None:
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|hsl", rules)
    used = set(re.findall(r"var\(--([\w-]+)\)", rules))
    assert used <= set(colors(False)) and set(colors(False)) == set(colors(True))


def test_roles_bring_no_colors_of_their_own() -> None:
    for style in (ROOT / "roles").glob("*/templates/*.css"):
        if style.parent != TEMPLATES:
            text = style.read_text(encoding="utf-8")
            assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|hsl", text), style
            assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= set(colors(False)), style
