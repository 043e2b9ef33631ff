# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a manager's communication, written by real playbook runs."""

from __future__ import annotations

import csv
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.gates.environments import ROOT
from tests.integration.support import ansible_playbook, policy_named, run_profiles
from tests.lab.manager.process import LabManager
from tests.page import Element, Page, assert_for_everybody

pytestmark = pytest.mark.slow

PLAYBOOK = ROOT / "playbooks" / "report.yml"
MANAGER = "dsm.example.com"
HOSTILE = [
    "<script>document.title = 'owned'</script>",
    "</bdi></td></table><h1 class=forged>forged</h1>]]>",
    "{{ 7*7 }} {% raw %} {# gone #}",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe\nsecond line",
]


def run(lab: LabManager, folder: Path, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook from beside the folder, for an inventory of one manager, without regard of how it ends."""
    variables = {
        "communication_report_directory": folder.name,
        "communication_manager": {"url": lab.url, "ca_path": lab.ca_path},
        **variables,
    }
    environment = {
        "WORKLOAD_SECURITY_API_KEY": lab.read_only_api_key,
    }
    arguments = ("-i", f"{MANAGER},", "-e", json.dumps(variables), str(PLAYBOOK))
    return ansible_playbook(*arguments, environment=environment, cwd=folder.parent)


def read(folder: Path) -> tuple[Page, dict[str, t.Any], list[dict[str, str]]]:
    """The page, the data and the table that a run wrote."""
    page = Page((folder / f"{MANAGER}.html").read_text(encoding="utf-8"))
    data = json.loads((folder / f"{MANAGER}.json").read_text(encoding="utf-8"))
    with (folder / f"{MANAGER}.csv").open(encoding="utf-8", newline="") as file:
        return page, data, list(csv.DictReader(file))


def section(page: Page, name: str) -> Element:
    """The section with a heading of that ID."""
    (found,) = [one for one in page.root.all("section") if one.attributes.get("aria-labelledby") == name]
    return found


def test_its_page_is_for_everybody(lab, browser, tmp_path):
    folder = tmp_path / "made"
    assert run(lab, folder, communication_report_page_computers=40).returncode == 0
    assert_for_everybody(browser, folder / f"{MANAGER}.html")


@pytest.mark.both_cores
def test_a_report_of_a_fleet_with_hostile_names_and_a_document(lab, tmp_path):
    """One run, since starting Ansible is what costs: what the page, the data and the table say, and that they agree."""
    policy = lab.api("POST", "/policies", {"name": HOSTILE[0], "parentID": 1})["ID"]
    for text in HOSTILE:
        lab.api("POST", "/computers", {"hostName": text, "displayName": text, "policyID": policy, "platform": text})
    mac = policy_named(lab, "macOS")
    profiles = [
        {"name": "All", "policies": ["Base Policy"], "heartbeat": {"interval": 7}},
        # Refused, as agents on macOS cannot take it: told in the report, which is written all the same.
        {"name": "Macs", "policies": [mac["ID"]], "communication_direction": {"direction": "bidirectional"}},
    ]
    folder = tmp_path / "made"
    lab.clear_requests()
    ran = run(
        lab,
        folder,
        communication_report_profiles=profiles,
        communication_report_page_computers=40,
        communication_report_title="Agents & <pages>",
    )
    assert ran.returncode == 0, ran.stdout
    # As docs/requests.md has it: pages of computers twice, and the rest once each; and all of it again for the document.
    assert len(lab.requests()) <= 2 * 8, [one["path"] for one in lab.requests()]
    assert {one["kind"] for one in lab.requests()} == {"read"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        f"{MANAGER}.{kind}": 0o600 for kind in ("html", "json", "csv")
    }
    page, data, rows = read(folder)
    assert not page.faults
    assert "305 computers" in ran.stdout

    assert page.root.all("title")[0].text == f"Agents & <pages>: {MANAGER}"
    subject = page.root.all("p", "subject")[0].text
    date = data["read_at"].replace("T", " ")[:16]
    assert subject == f"{MANAGER} {lab.url} {date} UTC 305 computers 31 policies"
    assert [one.attributes["href"] for one in page.root.all("a")] == [f"{MANAGER}.json", f"{MANAGER}.csv"]

    assert len(data["computers"]) == 40 and len(rows) == 305 + 31
    assert "The 40 most urgent of 305 computers" in section(page, "computers").text
    assert len(section(page, "computers").all("table")[0].cells) == 40
    assert [row[0] for row in section(page, "policies").all("table")[0].cells] == [
        one["policy_path"] for one in data["policies"]
    ]
    for kind in ("policy", "group", "platform"):
        table = next(one for one in section(page, "breakdowns").all("table") if kind in one.all("caption")[0].text)
        assert {(row[0], row[1]) for row in table.cells} == {
            (one["name"] or "none, or not shown", str(one["computers"])) for one in data["breakdowns"][kind]
        }
    for name in ("open", "restricted", "not_listening", "unknown"):
        assert data["summary"]["agent_port"][name] == sum(
            row["agent_port"] == name for row in rows if row["type"] == "computer"
        )

    document = section(page, "document")
    assert data["document"]["summary"] in document.text
    changes, failed = (table.cells for table in document.all("table"))
    assert changes[0][:4] == ["heartbeat", "interval", "inherited 10, default policy", "7"]
    assert failed[0][:3] == ["macOS", "policy", "communication_direction"] and "macOS" in failed[0][3]

    # Names are names, in each file.
    assert not page.root.all("h1", "forged") and len(page.root.all("script")) == 1
    shown = [text.replace("\u202e", r"\u202e").replace("\n", r"\n") for text in HOSTILE]
    table = section(page, "breakdowns").all("table")[2].cells
    assert {row[0] for row in table} >= {" ".join(text.split("(")[0].split()) for text in shown}
    assert "49" not in {row["name"] for row in rows}
    assert {row["name"].removeprefix("'") for row in rows} >= set(shown)
    for row in rows:
        assert not [cell for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_a_manager_that_cannot_be_read_leaves_no_half_report(lab, tmp_path):
    folder = tmp_path / "made"
    ran = run(lab, folder, communication_report_manager={"url": "https://localhost:1", "timeout": 1})
    assert ran.returncode != 0 and "https://localhost:1" in ran.stdout
    assert not folder.exists()
    # A document that cannot be read is no reason for half a report either.
    profiles = [{"name": "All", "policies": ["Nobody"], "heartbeat": {"interval": 7}}]
    ran = run(lab, folder, communication_report_profiles=profiles)
    assert ran.returncode != 0 and "Nobody" in ran.stdout
    assert not folder.exists()


def test_a_manager_without_computers(lab, tmp_path):
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": '{"computers": []}'})
    ran = run(lab, tmp_path)
    assert ran.returncode == 0, ran.stdout
    page, data, rows = read(tmp_path)
    assert not page.faults
    assert data["document"] is None and data["summary"]["computers"] == 0 and len(rows) == 30
    assert "0 computers" in page.root.all("p", "subject")[0].text and "None." in section(page, "computers").text


def test_what_came_of_slices_is_one_report(lab, tmp_path):
    computers = lab.api("GET", "/computers", query={"expand": "none"})["computers"][:9]
    restriction = {"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.10"]}
    for number in range(3):
        part = [one["ID"] for one in computers[number::3]]
        profile = {"name": "All", "computers": part, "heartbeat": {"interval": 7}, "firewall_restriction": restriction}
        (tmp_path / f"{number}.json").write_text(json.dumps(run_profiles(lab, [profile])))
    ran = run(
        lab,
        tmp_path,
        communication_report_results=[str(tmp_path / f"{number}.json") for number in range(3)],
        communication_report_profiles=[{"name": "Not looked at", "policies": ["Nobody"]}],
    )
    assert ran.returncode == 0, ran.stdout
    page, data, _rows = read(tmp_path)
    assert data["document"]["results"] == 3 and data["document"]["counts"]["changed"] == 9
    assert "3 results: targets: 9 that differ" in section(page, "document").text
    assert "What came of the slices" in section(page, "document").text
    interval = [group for group in data["document"]["plan"] if group["option"] == "interval"]
    assert {one for group in interval for one in group["computers"]} == {one["hostName"] for one in computers}
    assert len(data["document"]["objects"]) == 2
