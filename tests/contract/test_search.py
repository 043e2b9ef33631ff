# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches and paging."""

from __future__ import annotations

import typing as t

import deepsecurity
import pytest

from tests.contract.support import V1, Sdk, refused, search
from tests.lab.manager.process import LabManager

NONE = {"expand": "none"}


def found(lab: LabManager, *criteria: dict[str, t.Any], **options: t.Any) -> list[dict[str, t.Any]]:
    """The computers that a search brings."""
    body = {"searchCriteria": list(criteria), **options}
    return lab.api("POST", "/computers/search", body, query=NONE)["computers"]


def ids(computers: list[dict[str, t.Any]]) -> list[int]:
    """Their IDs, in order."""
    return [computer["ID"] for computer in computers]


def by_id(test: str, value: int) -> dict[str, t.Any]:
    """A criterion on the ID."""
    return {"fieldName": "ID", "idTest": test, "idValue": value}


def by_host_name(value: str, **options: t.Any) -> dict[str, t.Any]:
    """A criterion on the host name."""
    return {"fieldName": "hostName", "stringTest": "equal", "stringValue": value, **options}


@pytest.fixture
def all_ids(lab: LabManager) -> list[int]:
    return ids(lab.api("GET", "/computers", query=NONE)["computers"])


def test_pages_by_the_sdk_bring_every_computer_once(sdk: Sdk, all_ids: list[int]) -> None:
    seen: list[int] = []
    while True:
        criterion = deepsecurity.SearchCriteria(id_test="greater-than", id_value=seen[-1] if seen else 0)
        page = search(criterion, max_items=30, sort_by_object_id=True)
        computers = sdk.computers.search_computers(V1, search_filter=page, expand=["none"]).computers
        seen += [computer.id for computer in computers]
        if len(computers) < 30:
            break
    assert seen == all_ids and len(all_ids) == 200
    assert all_ids != list(range(1, 201)), "IDs have gaps"


@pytest.mark.parametrize(
    "test", ["less-than", "less-than-or-equal", "equal", "greater-than-or-equal", "greater-than", "not-equal"]
)
def test_tests_of_the_id(lab: LabManager, all_ids: list[int], test: str) -> None:
    value = all_ids[100]
    expected = {
        "less-than": all_ids[99::-1],
        "less-than-or-equal": all_ids[100::-1],
        "equal": [value],
        "greater-than-or-equal": all_ids[100:],
        "greater-than": all_ids[101:],
        "not-equal": all_ids[:100] + all_ids[101:],
    }[test]
    assert ids(found(lab, by_id(test, value))) == expected
    assert ids(found(lab, by_id(test, value), maxItems=7)) == expected[:7]
    # Sorted by ID where that is asked for.
    assert ids(found(lab, by_id(test, value), sortByObjectID=True)) == sorted(expected)


def test_several_criteria_must_all_hold_and_come_in_the_order_of_ids(lab: LabManager, all_ids: list[int]) -> None:
    window = (by_id("greater-than", all_ids[10]), by_id("less-than-or-equal", all_ids[20]))
    assert ids(found(lab, *window)) == all_ids[11:21]
    assert ids(found(lab, *window, by_id("not-equal", all_ids[15]))) == all_ids[11:15] + all_ids[16:21]
    name = found(lab, by_id("equal", all_ids[12]))[0]["hostName"]
    assert ids(found(lab, *window, by_host_name(name))) == [all_ids[12]]
    assert found(lab, by_id("greater-than", all_ids[12]), by_host_name(name)) == []
    assert found(lab, by_id("greater-than", all_ids[20]), by_id("less-than", all_ids[10])) == []


def test_wildcards_are_on_unless_turned_off(lab: LabManager) -> None:
    for name in ("web_1", "webx1", "web%", "Web_1", "web.1"):
        lab.api("POST", "/computers", {"hostName": name})

    def names(criterion: dict[str, t.Any]) -> set[str]:
        return {computer["hostName"] for computer in found(lab, criterion)}

    assert names(by_host_name("web_1")) == {"web_1", "webx1", "web.1"}
    assert names(by_host_name("web_1", stringWildcards=True)) == {"web_1", "webx1", "web.1"}
    assert names(by_host_name("web_1", stringWildcards=False)) == {"web_1"}
    assert names(by_host_name("web%")) == {"web_1", "webx1", "web%", "web.1"}
    assert names(by_host_name("web%", stringWildcards=False)) == {"web%"}
    assert names(by_host_name("web.1")) == {"web.1"}
    others = names({**by_host_name("web%"), "stringTest": "not-equal"})
    assert "Web_1" in others and "web_1" not in others
    assert len(names({**by_host_name("web_1", stringWildcards=False), "stringTest": "not-equal"})) >= 200


def test_numbers_versions_dates_and_nothing(lab: LabManager, all_ids: list[int]) -> None:
    computers = found(lab)
    policy_id = computers[50]["policyID"]

    def expected(holds: t.Callable[[dict[str, t.Any]], bool]) -> list[int]:
        return [computer["ID"] for computer in computers if holds(computer)]

    policy = {"fieldName": "policyID", "numericTest": "equal", "numericValue": policy_id}
    assert ids(found(lab, policy)) == expected(lambda one: one.get("policyID") == policy_id)
    without = expected(lambda one: "policyID" not in one)
    assert without and ids(found(lab, {"fieldName": "policyID", "nullTest": True})) == without
    newer = {"fieldName": "agentVersion", "versionTest": "greater-than-or-equal", "versionValue": "12.0.0.1090"}
    versions = expected(lambda one: tuple(map(int, one["agentVersion"].split("."))) >= (12, 0, 0, 1090))
    assert 0 < len(versions) < 200 and ids(found(lab, newer)) == versions
    limit = computers[60]["lastAgentCommunication"]
    since = {"fieldName": "lastAgentCommunication", "firstDateValue": limit}
    assert ids(found(lab, since)) == expected(lambda one: one.get("lastAgentCommunication", 0) > limit)
    inclusive = {**since, "firstDateInclusive": True}
    assert set(ids(found(lab, inclusive))) == {*ids(found(lab, since)), computers[60]["ID"]}


def test_a_search_without_criteria_brings_everything(lab: LabManager, sdk: Sdk, all_ids: list[int]) -> None:
    assert ids(found(lab)) == all_ids
    assert ids(lab.api("POST", "/computers/search", query=NONE)["computers"]) == all_ids
    assert [computer.id for computer in sdk.computers.search_computers(V1, expand=["none"]).computers] == all_ids


def test_no_hit_is_an_empty_list(lab: LabManager, sdk: Sdk) -> None:
    body = {"searchCriteria": [by_host_name("nobody")]}
    assert lab.api("POST", "/computers/search", body, query=NONE) == {"computers": []}
    criterion = deepsecurity.SearchCriteria(field_name="name", string_test="equal", string_value="nothing")
    assert sdk.ip_lists.search_ip_lists(V1, search_filter=search(criterion)).ip_lists == []


@pytest.mark.parametrize(
    "path, field", [("computers", "platform"), ("computers", "hostname"), ("policies", "Name"), ("iplists", "items")]
)
def test_unknown_fields_are_named(lab: LabManager, path: str, field: str) -> None:
    body = {"searchCriteria": [{"fieldName": field, "stringTest": "equal", "stringValue": "x"}]}
    refused(lab, 400, f"Invalid SearchFilter: unknown fieldName: {field}", "POST", f"/{path}/search", body)


@pytest.mark.parametrize(
    "body",
    [
        {"maxItems": 5001},
        {"maxItems": 0},
        {"maxItems": "10"},
        {"sortByObjectId": True},
        {"sortByObjectID": "true"},
        {"searchCriteria": "hostName"},
        {"searchCriteria": [{"fieldName": "hostName"}]},
        {"searchCriteria": [{"fieldName": "hostName", "stringTest": "like", "stringValue": "x"}]},
        {"searchCriteria": [{"fieldName": "hostName", "stringTest": "equal"}]},
        {"searchCriteria": [{"fieldName": "hostName", "numericTest": "equal", "numericValue": 1}]},
        {"searchCriteria": [{"fieldName": "ID", "stringTest": "equal", "stringValue": "1"}]},
        {"searchCriteria": [{"fieldName": "ID", "idTest": "above", "idValue": 1}]},
        {"searchCriteria": [{"fieldName": "ID", "idTest": "equal", "idValue": "1"}]},
        {"searchCriteria": [{"fieldName": "agentVersion", "versionTest": "equal", "versionValue": "new"}]},
    ],
)
def test_what_is_no_search_filter_is_refused(lab: LabManager, body: dict[str, t.Any]) -> None:
    refused(lab, 400, "Invalid SearchFilter: ", "POST", "/computers/search", body)


def test_a_page_holds_5000_at_most() -> None:
    with LabManager(computers=5003, policies=10) as lab:
        page = lab.api("POST", "/computers/search", {"maxItems": 5000}, query=NONE)["computers"]
        assert len(page) == 5000
        assert len(found(lab)) == 5000
        assert len(found(lab, by_id("greater-than", page[-1]["ID"]))) == 3
        assert len(lab.api("GET", "/computers", query=NONE)["computers"]) == 5003
