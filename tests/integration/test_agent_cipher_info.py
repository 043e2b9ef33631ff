# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's cipher suites, read from the lab's manager: what is counted, who is lost, what it costs."""

from __future__ import annotations

import csv
import io
import json
import typing as t
from collections import Counter

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._answers.cipher_fleet import (
    CIPHER_ARGUMENTS,
    CiphersAsked,
    read_ciphers,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.in_process import run_tasks
from tests.integration.support import connection, writes
from tests.lab.manager.process import LabManager

MODULE = "workload_security.agent.agent_cipher_info"

# Each suite in another spelling.
FORWARD_SECRECY = {
    "required_suites": [
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "0xC0,0x28",
        "c027",
    ]
}
TLS_1_2 = {"minimum_tls": "TLSv1.2"}

# Version: how it stands with forward secrecy, and what saves it. Worked out from the vendor's page.
FATES = {
    "9.5.3.2754": ("lost", "11.0 GA"),
    "9.6.2.8846": ("unknown", "11.0 GA"),
    "10.0.0.3186": ("lost", "11.0 GA"),
    "11.0.0.550": ("unknown", "11.0 Update 6"),
    "11.0.0.582": ("kept", None),
    "12.5.0.713": ("unknown", "20 GA"),
    "20.0.2.1390": ("kept", None),
    "0.0.0.0": ("unknown", None),
    "what is this": ("unknown", None),
}


def options(**given: t.Any) -> dict[str, t.Any]:
    """A module's options as Ansible fills them in."""
    empty = {name: argument.get("default") for name, argument in CIPHER_ARGUMENTS.items()}
    filled = {**empty, **given}
    if filled["requirements"]:
        filled["requirements"] = [
            {"preset": None, "required_suites": None, "minimum_tls": None, **requirement}
            for requirement in filled["requirements"]
        ]
    return filled


def read(lab: LabManager, **given: t.Any) -> dict[str, t.Any]:
    """The module's result, made in this process."""
    wanted = CiphersAsked.from_options(options(**given))
    with Transport(connection(lab)) as transport:
        return read_ciphers(Client(transport), wanted)


def computer(number: int, version: t.Any, platform: str = "Ubuntu Linux 22 (64 bit)", **fields: t.Any) -> dict:
    """A computer as the manager's API gives it."""
    return {"ID": number, "hostName": f"host-{number}", "agentVersion": version, "platform": platform, **fields}


def serve(lab: LabManager, computers: list[dict]) -> None:
    """Let the lab answer every search for computers with these."""
    body = json.dumps({"computers": computers})
    lab.add_fault(path="^/computers/search", times=0, action={"kind": "body", "body": body})


def task(lab: LabManager, **given: t.Any) -> dict[str, t.Any]:
    return {MODULE: {"url": lab.url, "ca_path": lab.ca_path, **given}}


# 300 computers and 30 policies are round numbers, so that more could follow their pages; and groups.
PAGES = 5


@pytest.mark.both_cores
def test_a_task_tells_who_is_lost_and_writes_nothing(lab):
    tasks = [task(lab, **FORWARD_SECRECY), {**task(lab, **FORWARD_SECRECY), "check_mode": True}]
    played = run_tasks(lab, tasks)
    found, checked = played.results
    assert not found.get("failed"), played.output
    assert not found["changed"] and not writes(lab)
    computers = [request["query"] for request in lab.requests() if request["path"] == "/computers/search"]
    assert computers == [{"expand": ["none"]}] * 2 * 2 and len(lab.requests()) == PAGES * 2
    for part in ("summary", "suites", "releases", "requirements", "computers"):
        assert found[part] == checked[part]
    in_lab = lab.api("POST", "/computers/search", {}, query={"expand": "none"})["computers"]
    assert found["summary"]["computers"] == len(in_lab) == 300
    (requirement,) = found["requirements"]
    assert (requirement["name"], len(requirement["required_suites"])) == ("required", 4)
    assert requirement["kept"] + requirement["lost"] + requirement["unknown"] == 300
    outcomes = Counter(row["outcomes"]["required"] for row in found["computers"])
    assert outcomes == {"lost": requirement["lost"], "unknown": requirement["unknown"]}
    assert sum(requirement["causes"].values()) == outcomes.total()
    # Whole release lines of the page, counted from the manager's own list.
    lines = Counter(row["agentVersion"].split(".")[0] for row in in_lab)
    by_release = {row["release"]: row["computers"] for row in found["releases"]}
    assert by_release["20"] == lines["20"] > 0
    assert sum(by_release.values()) == 300
    gcm = next(suite for suite in found["suites"] if suite["openssl"] == "ECDHE-RSA-AES256-GCM-SHA384")
    assert gcm["computers"] == by_release["20"] + by_release["12.0"] + by_release["11.0 Update 6 and later updates"]


def test_every_computer_gets_what_its_version_says(lab):
    serve(lab, [computer(number, version) for number, version in enumerate(FATES, 1)])
    found = read(lab, computers="all", **FORWARD_SECRECY)
    told = {
        row["agent_version"]: (row["outcomes"]["required"], row["upgrades"]["required"]) for row in found["computers"]
    }
    assert told == FATES
    assert found["summary"] == {
        "computers": 9,
        "documented": 4,
        "ambiguous": 1,
        "undocumented": 2,
        "unknown_version": 1,
        "no_agent": 1,
    }
    outside = [(row["release"], row["state"]) for row in found["releases"] if row["state"] != "documented"]
    assert outside == [
        ("no agent", "no_agent"),
        ("unknown version", "unknown_version"),
        ("9.6, undocumented", "undocumented"),
        ("11.0, ambiguous", "ambiguous"),
        ("12.5, undocumented", "undocumented"),
    ]
    assert len([row for row in found["releases"] if row["state"] == "documented"]) == 12
    (requirement,) = found["requirements"]
    assert [(row["agent_version"], row["cause"], row["examples"]) for row in requirement["agents"]] == [
        ("9.5.3.2754", "no_shared_suite", ["host-1"]),
        ("10.0.0.3186", "no_shared_suite", ["host-3"]),
        ("what is this", "unknown_version", ["host-9"]),
        ("0.0.0.0", "no_agent", ["host-8"]),
        ("9.6.2.8846", "undocumented", ["host-2"]),
        ("11.0.0.550", "ambiguous", ["host-4"]),
        ("12.5.0.713", "undocumented", ["host-6"]),
    ]
    assert {row["release"]: row["computers"] for row in requirement["upgrades"]} == {
        "11.0 GA": 3,
        "11.0 Update 6": 1,
        "20 GA": 1,
    }
    assert [row["id"] for row in read(lab, computers="lost", **FORWARD_SECRECY)["computers"]] == [1, 2, 3, 4, 6, 8, 9]
    assert read(lab, computers="none", **FORWARD_SECRECY)["computers"] == []


def test_a_platform_without_tls_1_2_is_told_apart_from_others_with_the_same_agent(lab):
    serve(lab, [computer(1, "12.0.0.967"), computer(2, "12.0.0.967", "CloudLinux 5 (64 bit)")])
    found = read(lab, **TLS_1_2)
    assert [row["id"] for row in found["computers"]] == [2]
    (requirement,) = found["requirements"]
    assert (requirement["kept"], requirement["lost"], requirement["causes"]) == (1, 1, {"platform": 1})
    assert requirement["upgrades"] == []
    row = next(row for row in found["releases"] if row["computers"])
    assert row["outcomes"] == {"required": {"kept": 1, "lost": 1, "unknown": 0}}
    assert [(version["agent_version"], version["computers"]) for version in row["versions"]] == [("12.0.0.967", 2)]


def test_of_many_computers_with_one_agent_five_are_named(lab):
    serve(lab, [computer(number, "10.0.0.3186") for number in range(1, 8)])
    (row,) = read(lab, **FORWARD_SECRECY)["requirements"][0]["agents"]
    assert (row["computers"], row["examples"]) == (7, ["host-1", "host-2", "host-3", "host-4", "host-5"])


def test_several_requirements_on_one_reading(lab):
    named = [{"name": "modern", **TLS_1_2}, {"name": "forward secrecy", **FORWARD_SECRECY}]
    found = read(lab, computers="all", requirements=named)
    assert lab.summary()["total"] == PAGES
    for given, requirement in zip((TLS_1_2, FORWARD_SECRECY), found["requirements"], strict=True):
        (alone,) = read(lab, **given)["requirements"]
        assert {**alone, "name": requirement["name"]} == requirement
    assert {tuple(row["outcomes"]) for row in found["computers"]} == {("modern", "forward secrecy")}


def test_what_the_vendors_scripts_require(lab):
    versions = ["9.6.2.8436", "10.0.0.2094", "10.0.0.3864", "11.0.0.514", "12.0.0.967"]
    serve(lab, [computer(number, version) for number, version in enumerate(versions, 1)])
    (alone,) = read(lab, require={"preset": "strong"})["requirements"]
    named = [{"name": "strong", "preset": "strong"}, {"name": "GCM", "preset": "strong_gcm"}]
    found = read(lab, computers="all", requirements=named)
    strong, gcm = found["requirements"]
    assert {**alone, "name": "strong"} == strong and alone["name"] == "required"
    assert (len(strong["required_suites"]), len(gcm["required_suites"]), gcm["minimum_tls"]) == (4, 2, "1.2")
    assert "EnableStrongCiphers.script" in strong["source"] and "EnableStrongCiphers12.script" in gcm["source"]
    outcomes = [tuple(row["outcomes"].values()) for row in found["computers"]]
    assert outcomes == [
        ("lost", "lost"),
        ("lost", "lost"),
        ("unknown", "unknown"),
        ("kept", "unknown"),
        ("kept", "kept"),
    ]
    assert strong["causes"] == {"no_shared_suite": 2, "extendable": 1} and gcm["causes"]["extendable"] == 2
    told = next(row for row in strong["agents"] if row["cause"] == "extendable")
    assert "can be extended" in told["reason"] and "EnableStrongCiphers.script" in told["source"]
    assert all("communication between" in row["source"] for row in found["releases"])
    assert read(lab, minimum_tls="1.2")["requirements"][0]["source"] is None


def test_without_a_requirement_it_counts(lab):
    found = read(lab)
    assert (found["requirements"], found["computers"]) == ([], [])
    assert found["summary"]["computers"] == 300
    everybody = read(lab, computers="all")["computers"]
    assert len(everybody) == 300
    assert everybody[0]["outcomes"] == {} == everybody[0]["upgrades"]


def test_a_query_narrows(lab):
    found = read(lab, computers="all", computers_query="[?contains(platform, 'macOS')]", **TLS_1_2)
    assert 0 < found["summary"]["computers"] < 300
    assert all("macOS" in row["platform"] for row in found["computers"])
    # The agents of macOS count their builds of 20 below 20 GA, and are not taken for older ones.
    assert found["requirements"][0]["kept"] == found["summary"]["documented"] == found["summary"]["computers"]


def test_no_computer_at_all(lab):
    serve(lab, [])
    found = read(lab, **TLS_1_2)
    assert found["summary"]["computers"] == 0
    assert (found["requirements"][0]["kept"], found["requirements"][0]["agents"]) == (0, [])


def test_hostile_texts_are_told_as_text(lab):
    hostile = [
        computer(1, "0.0.0.0", hostName="<script>alert(1)</script>", displayName='=cmd|"/C calc"!A0'),
        computer(2, None, "+1\n2", hostName="\x1b[2J\ud800\u202eevil\r\n=1+1", displayName=" @SUM(A1)"),
        computer(3, "{{ 7*7 }}" * 100, hostName="{{ 7*7 }}", displayName="＝1"),
        computer(4, "20.0.0.877", hostName="", displayName="-2, \"quoted\""),
    ]  # fmt: skip
    serve(lab, hostile)
    found = read(lab, computers="all", **TLS_1_2)
    names = [row["name"] for row in found["computers"]]
    evil = "\\x1b[2J\\ud800\\u202eevil\\r\\n=1+1"
    assert names == ["<script>alert(1)</script>", evil, "{{ 7*7 }}", '-2, "quoted"']
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    text = read(lab, computers="all", computers_format="csv", **TLS_1_2)["computers_csv"]
    rows = csv.DictReader(io.StringIO(text))
    assert [[row[column] for column in ("id", "name", "display_name", "platform")] for row in rows] == [
        ["1", "<script>alert(1)</script>", '\'=cmd|"/C calc"!A0', "Ubuntu Linux 22 (64 bit)"],
        ["2", evil, " '@SUM(A1)", "'+1\\n2"],
        ["3", "{{ 7*7 }}", "'＝1", "Ubuntu Linux 22 (64 bit)"],
        ["4", '\'-2, "quoted"', '\'-2, "quoted"', "Ubuntu Linux 22 (64 bit)"],
    ]


def test_the_table_says_what_the_list_says(lab):
    named = [{"name": "=modern", **TLS_1_2}, {"name": "forward secrecy", **FORWARD_SECRECY}]
    listed = read(lab, requirements=named)["computers"]
    text = read(lab, requirements=named, computers_format="csv")
    assert "computers" not in text
    header, *rows = csv.reader(io.StringIO(text["computers_csv"]))
    of_computers = (
        *("id", "name", "display_name", "policy", "policy_path", "group_path", "platform", "agent_version"),
    )
    assert tuple(header[:8]) == of_computers
    more = ("", ": upgrade to", ": newest that saves it", ": source")
    assert header[8:] == [f"{name}{one}" for name in ("'=modern", "forward secrecy") for one in more]
    assert rows == [
        [
            *(str(row[column] or "") for column in of_computers),
            *(
                str(row[part][one["name"]] or "")
                for one in named
                for part in ("outcomes", "upgrades", "newest_upgrades", "sources")
            ),
        ]
        for row in listed
    ]
    # What is said of the agents, computer by computer.
    of_agents = {one["agent_version"]: one["source"] for one in read(lab, **TLS_1_2)["requirements"][0]["agents"]}
    lost = [row for row in listed if row["outcomes"]["=modern"] == "lost"]
    assert lost and all(row["sources"]["=modern"] == of_agents[row["agent_version"]] for row in lost)
    assert any(row["sources"]["=modern"] for row in lost)


def test_the_worst_come_first_where_only_some_are_listed(lab):
    named = [{"name": "modern", **TLS_1_2}, {"name": "forward secrecy", **FORWARD_SECRECY}]
    everybody = read(lab, requirements=named, computers="all")["computers"]
    found = read(lab, requirements=named, computers="all", computers_format="csv", computers_most=50)
    assert len(found["computers_csv"].splitlines()) == 301
    lost = {row["id"]: list(row["outcomes"].values()).count("lost") for row in everybody}
    assert [lost[row["id"]] for row in found["computers"]] == sorted(lost.values(), reverse=True)[:50]
    assert read(lab, computers_most=0, computers="all")["computers"] == []


def test_each_policy_group_and_platform_is_counted(lab):
    found = read(lab, computers="all", requirements=[{"name": "modern", **TLS_1_2}])
    rows = found["computers"]
    for kind, column in (("policy", "policy_path"), ("group", "group_path"), ("platform", "platform_name")):
        told = found["breakdowns"][kind]
        assert {part["name"]: part["computers"] for part in told} == Counter(row[column] for row in rows)
        for part in told:
            outcomes = Counter(row["outcomes"]["modern"] for row in rows if row[column] == part["name"])
            assert {name: count for name, count in part["outcomes"]["modern"].items() if count} == outcomes


def test_the_newest_release_saves_what_the_nearest_saves(lab):
    (requirement,) = read(lab, **FORWARD_SECRECY)["requirements"]
    assert requirement["upgrades"]
    for one in requirement["upgrades"]:
        assert one["newest"].startswith("20 LTS Update ")
    for agent in requirement["agents"]:
        assert (agent["upgrade"] is None) == (agent["newest_upgrade"] is None)


def test_policies_and_groups_that_a_key_may_not_see_are_null(lab):
    for path in ("^/computergroups/search", "^/policies/search"):
        lab.add_fault(path=path, times=0, action={"kind": "status", "status": 403})
    found = read(lab, computers="all", **TLS_1_2)
    assert {(row["policy"], row["policy_path"], row["group_path"]) for row in found["computers"]} == {(None,) * 3}
    assert found["summary"]["computers"] == 300


@pytest.fixture(scope="module")
def large_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=20_000, policies=30, seed=5) as lab:
        yield lab


@pytest.mark.slow
@pytest.mark.parametrize("listed", ["none", "all"])
def test_20000_computers_cost_pages(large_lab, listed):
    large_lab.clear_requests()
    found = read(
        large_lab,
        computers=listed,
        requirements=[{"name": "modern", **TLS_1_2}, {"name": "forward secrecy", **FORWARD_SECRECY}],
    )
    assert found["summary"]["computers"] == 20_000
    assert len(found["computers"]) == (20_000 if listed == "all" else 0)
    requests = large_lab.requests()
    # Four full pages, and one to see that there are no more; policies and groups.
    assert Counter((request["path"], request["kind"]) for request in requests) == {
        ("/computers/search", "read"): 5,
        ("/policies/search", "read"): 1,
        ("/computergroups/search", "read"): 1,
    }
    computers = [request for request in requests if request["path"] == "/computers/search"]
    assert all(request["query"] == {"expand": ["none"]} for request in computers)
    # Whatever the fleet's size, what is said beside the list is bounded by the number of versions.
    assert len(json.dumps({**found, "computers": []})) < 400_000


BAD = [
    ({"required_suites": ["AES128-SHA", "ROT13"]}, "required_suites", "ROT13"),
    ({"required_suites": []}, "required_suites", "must name a suite"),
    ({"minimum_tls": "2.0"}, "minimum_tls", "1.0, 1.1, 1.2, 1.3"),
    ({"minimum_tls": "SSLv3"}, "minimum_tls", "SSLv3"),
    ({"minimum_tls": "1.3", "required_suites": ["AES128-SHA"]}, "minimum_tls", "TLS 1.3 has none"),
    ({"requirements": [{"name": "x", **TLS_1_2}], "minimum_tls": "1.2"}, "minimum_tls", "together with 'requirements'"),
    ({"requirements": [{"name": "x", **TLS_1_2}], "require": {"preset": "strong"}}, "require", "with 'requirements'"),
    ({"require": {"preset": "strong"}, "minimum_tls": "1.2"}, "minimum_tls", "require.preset says it already"),
    (
        {"requirements": [{"name": "x", "preset": "strong", "required_suites": ["AES128-SHA"]}]},
        "requirements[0].required_suites",
        "requirements[0].preset says it already",
    ),
    (
        {"requirements": [{"name": "x", **TLS_1_2}, {"name": "x", **TLS_1_2}]},
        "requirements[1].name",
        "a name that no other requirement has",
    ),
    ({"requirements": [{"name": "", **TLS_1_2}]}, "requirements[0].name", "a name that no other requirement has"),
    ({"requirements": [{"name": "x"}]}, "requirements[0].name", "must require something"),
    ({"requirements": [{"name": "x", "required_suites": ["?"]}]}, "requirements[0].required_suites", "'?'"),
    ({"computers_query": "[?"}, "computers_query", "JMESPath"),
    ({"computers_query": "length(@)"}, "computers_query", "list of computers"),
]


@pytest.mark.parametrize(("given", "option", "words"), BAD, ids=[words for _given, _option, words in BAD])
def test_bad_options_are_named(given, option, words):
    with pytest.raises(OptionError) as caught:
        CiphersAsked.from_options(options(**given))
    assert caught.value.option == option
    assert words in str(caught.value)


def test_a_task_with_a_bad_option_sends_nothing(lab):
    (result,) = run_tasks(lab, [task(lab, minimum_tls="1.4")]).results
    assert result["failed"] and result["failure"] == {
        "code": "bad_option",
        "option": "minimum_tls",
        "message": result["msg"],
    }
    assert not lab.requests()
