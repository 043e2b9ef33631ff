# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of the cipher suites, written by real playbook runs and looked at in a real browser."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gates.environments import ROOT
from tests.integration.support import ansible_playbook
from tests.lab.manager.process import LabManager
from tests.page import Page, assert_for_everybody

pytestmark = pytest.mark.slow

PLAYBOOK = ROOT / "playbooks" / "cipher_report.yml"
MANAGER = "dsm.example.com"
TITLE = "Cipher suites of the agents"

# Markup that acts if it becomes markup, and expressions that show if they are evaluated.
HOSTILE = [
    "<script>document.title = 'owned'</script>",
    "<img src=http://collector.example/image onerror=\"document.title='owned'\">",
    "</bdi></td></table><h1 class=forged>forged</h1>",
    "\"'><svg/onload=\"document.title='owned'\">",
    "{{ 7654321*7 }} {% raw %} {# gone #}",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe\u2066 &lt;b&gt; &#60;",
]
# Too long to be a part of a port, a time or a version.
EVALUATED = "53580247"

# How pages mark what becomes of agents.
KINDS = {"kept": "good", "lost": "bad", "unknown": "unknown"}


def run(lab: LabManager, folder: Path, *arguments: str, **variables: t.Any) -> str:
    """Run the playbook; returns its output. Fails where it fails."""
    ran = start(lab, {"cipher_report_directory": str(folder), **variables}, *arguments)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def start(lab: LabManager, variables: dict[str, t.Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook for an inventory of one manager, unless told otherwise, without regard of how it ends."""
    manager = {"url": lab.url, "ca_path": lab.ca_path}
    variables = {"communication_manager": manager, "cipher_report_date": "12 June 2026", **variables}
    key = {"WORKLOAD_SECURITY_API_KEY": lab.api_key}
    told = json.dumps(variables)
    return ansible_playbook(
        "-i", f"{MANAGER},", "-e", told, *arguments, str(PLAYBOOK), environment=key, cwd=PLAYBOOK.parent
    )


def changed(output: str) -> list[int]:
    """How many tasks changed something, of each host."""
    # Another play looks at localhost whether the inventory has a host.
    return [int(count) for count in re.findall(r"^(?!localhost ).*changed=(\d+)", output, re.MULTILINE)]


def serve(lab: LabManager, computers: list[dict]) -> None:
    """Let the lab answer every search for computers with these."""
    body = json.dumps({"computers": computers})
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": body})


def hostile_fleet() -> list[dict]:
    """Computers whose every text is hostile, with agents that all requirements lose or cannot judge."""
    return [
        {"ID": number, "hostName": text, "displayName": text, "platform": text, "agentVersion": version}
        for number, (text, version) in enumerate(
            [(text, version) for text in HOSTILE for version in ("9.5.3.2754", text)], start=1
        )
    ]


# -- an ordinary fleet


@dataclass
class Report:
    """What one run wrote."""

    folder: Path
    output: str

    def path(self, kind: str) -> Path:
        return self.folder / f"{MANAGER}.{kind}"

    @property
    def data(self) -> dict[str, t.Any]:
        return json.loads(self.path("json").read_text(encoding="utf-8"))

    @property
    def rows(self) -> list[dict[str, str]]:
        with self.path("csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def report(running_lab: LabManager, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The lab's 300 computers, in a folder that the run makes."""
    running_lab.reset()
    folder = tmp_path_factory.mktemp("report") / "made"
    return Report(folder, run(running_lab, folder))


@pytest.mark.both_cores
def test_three_files_for_their_owner_only(report):
    assert changed(report.output) == [2]
    assert sorted(path.name for path in report.folder.iterdir()) == [
        f"{MANAGER}.{kind}" for kind in ("csv", "html", "json")
    ]
    assert {path.stat().st_mode & 0o777 for path in report.folder.iterdir()} == {0o600}
    assert report.folder.stat().st_mode & 0o777 == 0o700


def test_an_unchanged_fleet_leaves_the_files_unchanged_and_a_changed_one_does_not(lab, report):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in report.folder.iterdir()}
    report.folder.chmod(0o755)
    output = run(lab, report.folder)
    assert changed(output) == [0]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in report.folder.iterdir()} == before
    assert report.folder.stat().st_mode & 0o777 == 0o755, "a folder that is there keeps its mode"
    told = report.data["requirements"][0]
    assert told["name"] == "TLS 1.2" and min(told["kept"], told["lost"], told["unknown"]) > 0
    assert f"TLS 1.2: {told['kept']} computers kept, {told['lost']} lost, {told['unknown']} not known" in output
    lab.api("POST", "/computers", {"hostName": "without-agent"})
    assert changed(run(lab, report.folder, "--check")) == [1]
    assert {path: path.read_bytes() for path in before} == {path: content for path, (content, _time) in before.items()}


def test_check_mode_makes_nothing_and_each_manager_gets_its_files(lab, tmp_path):
    folder = tmp_path / "reports"
    output = run(lab, folder, "--check")
    assert changed(output) == [1] and not folder.exists()
    by_script = [{"name": "By script", "preset": "strong"}]
    output = run(
        lab, folder, "-i", "second.example.com,", cipher_report_mode="0644", cipher_report_requirements=by_script
    )
    names = {f"{host}.{kind}" for host in (MANAGER, "second.example.com") for kind in ("html", "json", "csv")}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    page = (folder / f"{MANAGER}.html").read_text()
    assert "12 June 2026" in page
    (required,) = json.loads((folder / f"{MANAGER}.json").read_text())["requirements"]
    assert required["source"] in page and required["source"].endswith("EnableStrongCiphers.script (2018)")
    assert required["causes"]["extendable"] and "list can be extended" in page
    # One run for two managers and one in check mode: each two requests for 300 computers and two for 30 policies, because
    # more could follow a page of a round number, and one for groups.
    assert lab.summary()["total"] == 3 * 5


def test_page_numbers_and_list_agree(report):
    data, rows = report.data, report.rows
    assert data["summary"]["computers"] == len(rows) == 300
    for requirement in data["requirements"]:
        outcomes = Counter(row[requirement["name"]] for row in rows)
        assert {name: outcomes[name] for name in ("kept", "lost", "unknown")} == {
            name: requirement[name] for name in ("kept", "lost", "unknown")
        }
        saved = Counter(row[f"{requirement['name']}: upgrade to"] for row in rows)
        assert {one["release"]: one["computers"] for one in requirement["upgrades"]} == {
            release: count for release, count in saved.items() if release
        }


def test_a_browser_shows_the_matrix_and_who_is_lost(report, browser):
    data = report.data
    page = Page(browser.load(report.path("html"))[0]).root
    assert page.all("h1")[0].text == TITLE
    assert not Page(report.path("html").read_text(encoding="utf-8")).faults
    assert page.all("p", "subject")[0].text == f"{MANAGER} {report.data['manager']} 12 June 2026 300 computers"
    for article, requirement in zip(page.all("article"), data["requirements"], strict=True):
        assert article.all("h3")[0].text == requirement["name"]
        assert article.all("p", "headline")[0].text == f"{requirement['lost']} lost"
        widths = [float(part.attributes["style"].removeprefix("width:").removesuffix("%")) for part in article.all("b")]
        parts = [requirement[name] for name in ("kept", "unknown", "lost") if requirement[name]]
        assert widths == pytest.approx([count / 3 for count in parts], abs=0.001)
        # Signs and words beside the colors.
        assert re.findall(r"[✓?✕] \d+", article.text) == [
            f"{sign} {requirement[name]}" for sign, name in (("✓", "kept"), ("?", "unknown"), ("✕", "lost"))
        ]
    (matrix,) = page.all("table", "matrix")
    suites = list(reversed(data["suites"]))
    heads = [head.text for head in matrix.all("th", "tall")]
    assert heads == [suite["openssl"] for suite in suites] + [one["name"] for one in data["requirements"]]
    body = matrix.all("tbody")[0].all("tr")
    for row, release in zip(body, reversed(data["releases"]), strict=True):
        assert row.all("th")[0].text == release["release"]
        assert row.all("td", "count")[0].text == str(release["computers"])
        if release["state"] == "documented":
            shown = [cell.text for cell in row.all("td", "suite")]
            count = str(release["computers"])
            assert shown == [count if suite["iana"] in release["suites"] else "no" for suite in suites]
        else:
            assert row.all("td", "undocumented")[0].attributes["colspan"] == "10"
        for cell, requirement in zip(row.all("td", "fate"), data["requirements"], strict=True):
            expected = release["outcomes"][requirement["name"]]
            told = {outcome.attributes["class"].split()[1]: outcome.text for outcome in cell.all("span", "outcome")}
            assert {kind: int(re.search(r"\d+", text)[0]) for kind, text in told.items()} == {
                KINDS[name]: count for name, count in expected.items() if count
            }
    totals = matrix.all("tfoot")[0].all("td", "suite")
    assert [cell.text for cell in totals] == [str(suite["computers"]) for suite in suites]


def test_the_page_is_for_everybody(report, browser):
    assert_for_everybody(browser, report.path("html"))


def test_the_page_asks_nobody_for_anything(report, browser, tmp_path):
    clean = report.path("html").read_text(encoding="utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', clean)[0]
    urls = {"http://collector.example/image", "http://127.0.0.1/script.js"}
    image, script = sorted(urls, reverse=True)
    probed = clean.replace("<main>", f'<main><img src="{image}"><script src="{script}"></script>')
    asked = []
    for number, content in enumerate((clean, probed, probed.replace(policy, ""))):
        page = tmp_path / f"{number}.html"
        page.write_text(content, encoding="utf-8")
        asked.append(browser.load(page)[1])
    as_written, with_foreign_markup, without_its_policy = asked
    assert as_written == set()
    assert with_foreign_markup == set(), "markup that should not be there could load nothing either"
    assert without_its_policy == urls, "or else this test cannot see requests"


# -- other fleets


def test_hostile_names_are_names(lab, browser, tmp_path):
    serve(lab, hostile_fleet())
    run(lab, tmp_path, cipher_report_title="Agents & <suites>")
    report = Report(tmp_path, "")
    markup, asked = browser.load(report.path("html"))
    page = Page(markup).root
    assert asked == set()
    assert page.all("title")[0].text == f"Agents & <suites>: {MANAGER}"
    assert not page.tags & {"svg", "img", "iframe"} and not page.all("h1", "forged")
    assert not Page(report.path("html").read_text(encoding="utf-8")).faults
    attributes = {name for tag in page.tags for element in page.all(tag) for name in element.attributes}
    assert not [name for name in attributes if name.startswith("on")]
    listed = {name.text for cell in page.all("td", "names") for name in cell.all("bdi")}
    # What steers the direction of text is shown instead.
    expected = {text.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066") for text in HOSTILE}
    assert listed == expected
    assert expected < {head.text for table in page.all("table", "list") for head in table.all("th")}
    assert EVALUATED not in page.text
    for row in report.rows:
        assert not [cell for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert {row["name"].removeprefix("'") for row in report.rows} == expected


def test_an_agent_without_a_version_is_named_so(lab, tmp_path):
    serve(lab, [{"ID": 1, "hostName": "web"}])
    run(lab, tmp_path)
    page = Page((tmp_path / f"{MANAGER}.html").read_text(encoding="utf-8"))
    assert not page.faults and "no version" in page.root.text


def test_a_fleet_without_computers(lab, browser, tmp_path):
    serve(lab, [])
    run(lab, tmp_path)
    page = Page(browser.load(tmp_path / f"{MANAGER}.html")[0]).root
    assert "0 computers" in page.all("p", "subject")[0].text
    assert len(page.all("table", "matrix")[0].all("tbody")[0].all("tr")) == 12


def test_a_large_fleet_makes_a_small_page(tmp_path):
    with LabManager(computers=5_100, policies=30, seed=6) as lab:
        run(lab, tmp_path)
        # As docs/requests.md has it: 100,000 computers cost 23.
        assert lab.summary() == {**dict.fromkeys(lab.summary(), 0), "read": 4, "total": 4}
    report = Report(tmp_path, "")
    assert len(report.rows) == 5_100
    # 2,000 of them are listed, however many there are.
    assert report.path("html").stat().st_size < 3_000_000
    assert report.path("json").stat().st_size < 1_000_000


def test_a_missing_folder_name_is_said_before_anything_is_read(lab):
    ran = start(lab, {})
    assert ran.returncode != 0
    assert "cipher_report_directory" in ran.stdout
    assert lab.summary()["total"] == 0
