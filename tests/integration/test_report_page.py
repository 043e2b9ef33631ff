# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the script of reports does to a table of 2,000 rows, in a real browser."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.gates.environments import ROOT
from tests.page import judged, render

ROLE = ROOT / "roles" / "report_page" / "templates"
PAGE = """\
{%- extends 'page.html.j2' -%}
{%- import 'page_macros.j2' as page -%}
{% block content %}
<section aria-labelledby="rows">
  <h2 id="rows">Rows</h2>
  {{ page.table('Rows', columns, rows, tools=true, long=true) }}
  <details><summary>More</summary><p id="folded">folded</p></details>
</section>
{% endblock %}
"""
COLUMNS = [
    {"key": "name", "title": "Name"},
    {"key": "count", "title": "Count", "right": True},
    {"key": "kind", "title": "Kind", "filter": True},
]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
# What tests do to the page, and look at.
HELP = """
const rows = () => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden);
const names = () => rows().slice(0, 3).map((row) => row.cells[0].textContent);
const status = () => document.querySelector(".status").textContent;
const heads = document.querySelectorAll("th[data-sort] button");
const type = async (text) => {
  const field = document.querySelector("input[type=search]");
  field.value = text;
  field.dispatchEvent(new Event("input"));
  await new Promise((resolve) => setTimeout(resolve, 500));
};
const choose = (value) => {
  const select = document.querySelector("select");
  select.value = value;
  select.dispatchEvent(new Event("change"));
};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 rows, some of them with names and values that are markup."""
    return written(tmp_path_factory.mktemp("page") / "page.html", 2000)


def written(path: Path, count: int) -> Path:
    """A page with so many rows."""
    rows = [
        {"name": f"Host-{number}", "count": number * 37 % 2000, "kind": ["web", "mail", HOSTILE, None][number % 4]}
        for number in range(count)
    ]
    rows[7]["name"] = HOSTILE
    variables = {
        "report_page_title": "Title",
        "report_page_name": "dsm.example.com",
        "report_page_manager": "",
        "report_page_date": "",
        "report_page_templates": {"html": "", "csv": ""},
        "report_page_file": "dsm.example.com",
        "columns": COLUMNS,
        "rows": rows,
    }
    path.write_text(render(PAGE, variables, ROLE), encoding="utf-8")
    return path


def test_rows_are_sorted_filtered_and_searched(browser, page):
    answer: dict[str, t.Any] = browser.run(
        page,
        HELP
        + """
        const seen = { first: [names(), status()] };
        heads[1].click();
        seen.up = [rows()[0].cells[1].textContent, heads[1].parentElement.getAttribute("aria-sort")];
        heads[1].click();
        seen.down = [rows()[0].cells[1].textContent, heads[1].parentElement.getAttribute("aria-sort")];
        heads[2].click();
        seen.other = [heads[1].parentElement.getAttribute("aria-sort"), rows().at(-1).cells[2].textContent];
        heads[0].click();
        seen.numbers = names();
        await type("HOST-199  mail");
        seen.searched = [rows().length, status(), rows().every((row) => /Host-199/.test(row.textContent))];
        await type("");
        seen.options = [...document.querySelector("select").options].map((option) => option.textContent);
        choose(seen.hostile = document.querySelector("select").options[2].value);
        seen.filtered = [rows().length, status()];
        await type("none of them");
        seen.none = status();
        [...document.querySelectorAll(".tools button")].at(-1).click();
        seen.all = [rows().length, status()];
        seen.title = document.title;
        seen.images = document.images.length;
        return seen;
        """,
    )
    hostile = answer.pop("hostile")
    assert answer == {
        "first": [["Host-0", "Host-1", "Host-2"], "2,000 rows"],
        "up": ["0", "ascending"],
        "down": ["1,999", "descending"],
        "other": [None, "–"],
        "numbers": [HOSTILE, "Host-0", "Host-1"],
        "searched": [2, "2 of 2,000 rows", True],
        "options": ["all", "– (500)", f"{HOSTILE} (500)", "mail (500)", "web (500)"],
        "filtered": [500, "500 of 2,000 rows"],
        "none": "0 of 2,000 rows",
        "all": [2000, "2,000 rows"],
        "title": "Title: dsm.example.com",
        "images": 0,
    }
    assert hostile == HOSTILE


def test_a_print_opens_what_is_folded_and_folds_it_again(browser, page):
    assert browser.run(
        page,
        """
        const open = () => document.querySelector("details").open;
        const seen = [open()];
        dispatchEvent(new Event("beforeprint"));
        seen.push(open());
        dispatchEvent(new Event("afterprint"));
        return [...seen, open()];
        """,
    ) == [False, True, False]


def test_only_a_table_that_scrolls_says_so(browser, page):
    answer = browser.run(
        page,
        """
        const hint = () => getComputedStyle(document.querySelector(".hint")).display;
        const seen = [hint(), document.documentElement.scrollWidth <= innerWidth];
        document.querySelector("main").style.width = "120px";
        dispatchEvent(new Event("resize"));
        return [...seen, hint()];
        """,
        "--window-size=1280,900",
    )
    assert answer == ["none", True, "block"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_independent_judge_finds_nothing_against_it(browser, tmp_path, scheme):
    page = written(tmp_path / "page.html", 20)
    flags = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    assert judged(browser, page, *flags) == [scheme, []]
