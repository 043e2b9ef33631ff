# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which the lab misbehaves on demand, and the log that tells of it."""

from __future__ import annotations

import http.client
import json
import time
import typing as t

import pytest

from tests.contract.support import INTERVAL, MISSED, admin_headers, begin, refused, send
from tests.lab.manager.faults import _ACTIONS, mutated
from tests.lab.manager.message import Reply
from tests.lab.manager.process import LabError, LabManager

PATH = f"/policies/1/settings/{INTERVAL}"
BROKEN = (http.client.HTTPException, OSError)


def value(lab: LabManager) -> str | None:
    """The interval that policy 1 sets itself."""
    return lab.api("GET", PATH, query={"overrides": "true"}).get("value")


def write(lab: LabManager, text: str = "5 Minutes") -> t.Any:
    """Set the interval of policy 1."""
    return lab.api("POST", PATH, {"value": text}, key="admin")


def last_write(lab: LabManager) -> dict[str, t.Any]:
    """The log's entry of the newest write of the administrator."""
    return [request for request in lab.requests() if request["kind"] != "read" and request["key"] == "admin"][-1]


def test_every_kind_of_fault_has_a_test() -> None:
    tests = [name for name in globals() if name.startswith("test_")]
    assert [kind for kind in _ACTIONS if not any(name.startswith(f"test_{kind}") for name in tests)] == []


@pytest.mark.parametrize("body", ["<html>Service Unavailable</html>", '{"message": "busy"}', ""])
def test_status_answers_in_place_of_the_manager(lab: LabManager, body: str) -> None:
    lab.add_fault(action={"kind": "status", "status": 503, "headers": {"X-Reason": "test"}, "body": body})
    reply = send(lab, "POST", PATH, admin_headers(lab), b'{"value": "5 Minutes"}')
    assert (reply.status, reply.body.decode(), reply.headers["X-Reason"]) == (503, body, "test")
    assert (last_write(lab)["status"], last_write(lab)["fault"]) == (503, "status")
    assert value(lab) is None


@pytest.mark.parametrize(
    "when, kept, status",
    [("before", None, None), ("during", "5 Minutes", None), ("after_processing", "5 Minutes", None)],
)
def test_cut_breaks_the_connection(lab: LabManager, when: str, kept: str | None, status: int | None) -> None:
    lab.add_fault(method="POST", action={"kind": "cut", "when": when})
    with pytest.raises(BROKEN) as caught:
        write(lab)
    if when == "during":
        assert isinstance(caught.value, http.client.IncompleteRead) and caught.value.partial
    assert (last_write(lab)["status"], last_write(lab)["fault"]) == (status, "cut")
    assert value(lab) == kept


def test_cut_after_the_reply_closes_a_connection_that_was_promised_to_stay(lab: LabManager) -> None:
    lab.add_fault(method="POST", action={"kind": "cut", "when": "after_reply"})
    connection = begin(lab, "POST", PATH, admin_headers(lab), b'{"value": "5 Minutes"}')
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())) == (200, {"value": "5 Minutes"})
    assert response.headers["Connection"] == "keep-alive"
    sock = connection.sock
    assert sock and sock.recv(1) == b""
    connection.close()
    assert (value(lab), last_write(lab)["status"]) == ("5 Minutes", 200)


@pytest.mark.parametrize("when", ["during", "after_reply"])
def test_cut_of_a_reply_without_a_body(lab: LabManager, when: str) -> None:
    number = lab.api("POST", "/iplists", {"name": "Gone"})["ID"]
    lab.add_fault(method="DELETE", action={"kind": "cut", "when": when})
    if when == "during":
        with pytest.raises(BROKEN):
            send(lab, "DELETE", f"/iplists/{number}", admin_headers(lab))
    else:
        assert send(lab, "DELETE", f"/iplists/{number}", admin_headers(lab)).status == 204
    refused(lab, 404, "does not exist", "GET", f"/iplists/{number}")


@pytest.mark.parametrize("kind", ["delay", "stall"])
def test_delay_and_stall_answer_late(lab: LabManager, kind: str) -> None:
    lab.add_fault(method="POST", action={"kind": kind, "seconds": 0.3})
    started = time.monotonic()
    assert write(lab) == {"value": "5 Minutes"}
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("kind, at_once", [("delay", "5 Minutes"), ("stall", None)])
def test_stall_and_delay_differ_in_when_the_call_is_carried_out(
    lab: LabManager, kind: str, at_once: str | None
) -> None:
    lab.add_fault(method="POST", action={"kind": kind, "seconds": 3})
    connection = begin(lab, "POST", PATH, admin_headers(lab), b'{"value": "5 Minutes"}')
    while not any(request["fault"] for request in lab.requests()):
        time.sleep(0.01)
    assert value(lab) == at_once
    connection.getresponse().read()
    connection.close()
    assert value(lab) == "5 Minutes"


def test_a_stalled_call_is_not_for_the_fleet_of_the_next_test(lab: LabManager) -> None:
    lab.add_fault(method="POST", action={"kind": "stall", "seconds": 1})
    connection = begin(lab, "POST", PATH, admin_headers(lab), b'{"value": "5 Minutes"}')
    while not any(request["fault"] for request in lab.requests()):
        time.sleep(0.01)
    lab.reset()
    with pytest.raises(BROKEN):
        connection.getresponse()
    connection.close()
    assert value(lab) is None


def test_body_replaces_the_reply_of_a_call_that_was_carried_out(lab: LabManager) -> None:
    lab.add_fault(method="POST", action={"kind": "body", "body": "surprise"})
    reply = send(lab, "POST", PATH, admin_headers(lab), b'{"value": "5 Minutes"}')
    assert (reply.status, reply.body) == (200, b"surprise")
    lab.add_fault(method="POST", action={"kind": "body", "body": "[]", "status": 202, "headers": {"X-Reason": "test"}})
    reply = send(lab, "POST", PATH, admin_headers(lab), b'{"value": "6 Minutes"}')
    assert (reply.status, reply.body, reply.headers["X-Reason"]) == (202, b"[]", "test")
    assert value(lab) == "6 Minutes"


def test_drop_fields_takes_fields_from_every_object(lab: LabManager) -> None:
    lab.add_fault(action={"kind": "drop_fields", "fields": ["ID", "policySettings", "moduleStatus"]})
    for policy in lab.api("GET", "/policies")["policies"]:
        assert "name" in policy and not policy.keys() & {"ID", "policySettings"}
        assert "state" in policy["firewall"] and "moduleStatus" not in policy["firewall"]
    assert "ID" in lab.api("GET", "/policies")["policies"][0]


@pytest.mark.parametrize("kind", ["body", "status"])
def test_a_portal_says_the_same_to_everything(lab: LabManager, kind: str) -> None:
    down = '{"status": "DOWN"}'
    lab.add_fault(path="", times=0, action={"kind": kind, "status": 200, "body": down})
    headers = admin_headers(lab)
    for method, path, body in (
        ("GET", "/policies", None),
        ("POST", "/computers/search", b"{}"),
        ("GET", "/policies/1", None),
        ("GET", "/computers/99999", None),
        ("DELETE", "/maclists/2", None),
        ("GET", "/no/such/path", None),
    ):
        reply = send(lab, method, path, headers, body)
        assert (reply.status, reply.body.decode()) == (200, down)
    assert send(lab, "GET", "/policies", {}).status == 200
    lab.clear_faults()
    left = [item["ID"] for item in lab.api("GET", "/maclists")["macLists"]]
    assert (2 in left) == (kind == "status"), "carried out, or not"


def mutation(pointer: str, to: t.Any) -> dict[str, t.Any]:
    """A fault that changes what everybody is answered."""
    return {"times": 0, "action": {"kind": "mutate", "pointer": pointer, "to": to}}


@pytest.mark.parametrize(
    "pointer, to, change",
    [
        ("/ipLists/0/ID", "missing", lambda lists: lists[0].pop("ID")),
        ("/ipLists/*/ID", "missing", lambda lists: [one.pop("ID") for one in lists]),
        ("/ipLists/*/ID", {"value": None}, lambda lists: [one.update(ID=None) for one in lists]),
        ("/ipLists/1/*", {"value": [1]}, lambda lists: lists[1].update(dict.fromkeys(lists[1], [1]))),
        ("/ipLists/*/items/0", "missing", lambda lists: [one["items"].pop(0) for one in lists]),
        ("/ipLists/*/items/*", "missing", lambda lists: [one["items"].clear() for one in lists]),
        ("/ipLists/0", {"value": {"a/b": {"~": 1}}}, lambda lists: lists.__setitem__(0, {"a/b": {"~": 1}})),
        ("/ipLists/*", "missing", lambda lists: lists.clear()),
        ("/ipLists/99", "missing", lambda lists: None),
        ("/ipLists/ID", "missing", lambda lists: None),
        ("/ipLists/0/ID/deeper", {"value": 1}, lambda lists: None),
        ("/ipLists/0/unknown", {"value": 1}, lambda lists: None),
        ("/nothing", {"value": 1}, lambda lists: None),
    ],
)
def test_mutate_changes_what_a_pointer_names(
    lab: LabManager, pointer: str, to: t.Any, change: t.Callable[[list[t.Any]], t.Any]
) -> None:
    expected = lab.api("GET", "/iplists")
    change(expected["ipLists"])
    lab.add_fault(path="^/iplists$", **mutation(pointer, to))
    for _call in range(2):
        assert lab.api("GET", "/iplists") == expected
    assert lab.api("GET", "/iplists/1")["ID"] == 1
    assert [one["fault"] for one in lab.requests()] == [None, "mutate", "mutate", None]


def test_mutate_changes_the_whole_of_a_reply(lab: LabManager) -> None:
    headers = admin_headers(lab)
    for to, body in (
        ({"value": [None]}, b"[null]"),
        ({"value": {}}, b"{}"),
        ({"text": "<html>"}, b"<html>"),
        ("missing", b""),
    ):
        lab.add_fault(**mutation("", to))
        assert send(lab, "GET", "/policies/1", headers)[::2] == (200, body)
        lab.clear_faults()


@pytest.mark.parametrize("text", ["9" * 400, "[" * 3000 + "]" * 3000, '"\\ud800"', "NaN", "{"])
def test_mutate_puts_in_what_not_every_parser_takes(lab: LabManager, text: str) -> None:
    lab.add_fault(**mutation("/policies/0/description", {"text": text}))
    lab.keep_replies()
    body = send(lab, "GET", "/policies", admin_headers(lab)).body.decode()
    assert f'"description":{text},' in body
    (entry,) = lab.requests()
    assert entry["reply"] == body, "told as text, as the lab's own parser does not take it either"


def test_mutate_follows_a_pointer_and_leaves_empty_replies_alone(lab: LabManager) -> None:
    def changed(value: t.Any, pointer: str, to: t.Any) -> t.Any:
        return json.loads(mutated(Reply.of(value), pointer, to).body)

    odd = {"a/b": {"~": 1, "": 2, "~1": 3}, "0": [[1, 2], [3]]}
    assert changed(odd, "/a~1b/~0", {"value": 9}) == {**odd, "a/b": {"~": 9, "": 2, "~1": 3}}
    assert changed(odd, "/a~1b/~01", {"value": 9}) == {**odd, "a/b": {"~": 1, "": 2, "~1": 9}}
    assert changed(odd, "/a~1b/", {"value": 9}) == {**odd, "a/b": {"~": 1, "": 9, "~1": 3}}
    assert changed(odd, "/0/*/0", "missing") == {**odd, "0": [[2], []]}
    assert changed(odd, "/*/*", {"value": 9}) == {"a/b": {"~": 9, "": 9, "~1": 9}, "0": [9, 9]}
    lab.add_fault(**mutation("", {"value": 1}))
    reply = send(lab, "DELETE", "/maclists/2", admin_headers(lab))
    assert (reply.status, reply.body) == (204, b"")


def test_the_log_keeps_what_was_answered_where_it_is_told_to(lab: LabManager) -> None:
    lab.api("GET", "/policies/1")
    lab.keep_replies()
    shown = lab.api("GET", "/policies/1")
    lab.add_fault(path="^/policies/1$", **mutation("/ID", {"value": "text"}))
    lab.add_fault(path="^/computers/1$", action={"kind": "cut", "when": "before"})
    changed = lab.api("GET", "/policies/1")
    with pytest.raises(BROKEN):
        send(lab, "GET", "/computers/1", admin_headers(lab))
    lab.clear_faults()
    refused(lab, 404, "does not exist", "GET", "/policies/99999")
    lab.api("DELETE", "/maclists/2")
    lab.keep_replies(False)
    lab.api("GET", "/policies/1")
    message = {"message": "The policy does not exist"}
    replies = [one["reply"] for one in lab.requests()]
    assert replies == [None, shown, changed, None, message, None, None]
    assert changed == {**shown, "ID": "text"}
    lab.keep_replies()
    lab.reset()
    lab.api("GET", "/policies/1")
    assert lab.requests()[0]["reply"] is None


def test_ignore_write_says_yes_and_forgets(lab: LabManager) -> None:
    def ignored(method: str, path: str, body: t.Any = None) -> t.Any:
        lab.add_fault(method=method, action={"kind": "ignore_write"})
        return lab.api(method, path, body, key="admin")

    before = lab.api("GET", "/policies/1")
    assert ignored("POST", PATH, {"value": "5 Minutes"}) == {"value": "10 Minutes"}
    assert ignored("POST", "/policies/1", {"name": "Renamed"}) == before
    assert ignored("POST", "/policies/1/firewall/assignments", {"ruleIDs": [20]}) == {"assignedRuleIDs": []}
    lab.api("POST", "/policies/1/firewall/assignments", {"ruleIDs": [20]})
    assert ignored("DELETE", "/policies/1/firewall/assignments/20") == {"assignedRuleIDs": [20]}
    created = ignored("POST", "/iplists", {"name": "Never", "items": ["192.0.2.1"]})
    assert created["name"] == "Never" and created["ID"]
    assert ignored("DELETE", "/maclists/2") is None
    assert lab.api("GET", "/maclists/2")["name"] == "Load Balancers"
    assert "Never" not in [item["name"] for item in lab.api("GET", "/iplists")["ipLists"]]
    assert {request["status"] for request in lab.requests() if request["fault"]} == {200, 204}


@pytest.mark.parametrize(
    "when, shown, kept", [("before", "5 Minutes", "5 Minutes"), ("after", "5 Minutes", "7 Minutes")]
)
def test_run_is_a_second_writer(lab: LabManager, when: str, shown: str, kept: str) -> None:
    request = {"method": "POST", "path": PATH, "body": {"value": "7 Minutes"}}
    lab.add_fault(method="POST", action={"kind": "run", "when": when, "request": request})
    assert write(lab) == {"value": shown}
    assert value(lab) == kept
    writes = [(one["key"], one["status"], one["body"]) for one in lab.requests() if one["kind"] == "settings"]
    assert sorted(writes) == [("admin", 200, {"value": "5 Minutes"}), ("colleague", 200, {"value": "7 Minutes"})]


def test_run_can_take_the_target_away(lab: LabManager) -> None:
    number = lab.api("POST", "/policies", {"name": "Doomed"})["ID"]
    request = {"method": "DELETE", "path": f"/policies/{number}"}
    lab.add_fault(
        method="POST", path=f"^/policies/{number}$", action={"kind": "run", "when": "before", "request": request}
    )
    refused(lab, 404, "The policy does not exist", "POST", f"/policies/{number}", {"name": "Too late"})


def test_a_fault_meets_the_requests_that_it_describes(lab: LabManager) -> None:
    action = {"kind": "status", "status": 500}
    lab.add_fault(method="POST", path="/settings/", body="7 Minutes", skip=1, times=2, action=action)
    lab.api("GET", PATH)
    write(lab, "5 Minutes")
    lab.api("POST", "/policies/1", {"policySettings": {INTERVAL: {"value": "7 Minutes"}}})
    write(lab, "7 Minutes")
    for _call in range(2):
        refused(lab, 500, "", "POST", PATH, {"value": "7 Minutes"})
    write(lab, "7 Minutes")


def test_a_fault_without_end_lasts_until_it_is_cleared(lab: LabManager) -> None:
    lab.add_fault(path="^/computers", times=0, action={"kind": "status", "status": 502})
    for _call in range(5):
        refused(lab, 502, "", "GET", "/computers/1")
    assert lab.api("GET", "/policies/1")["ID"] == 1
    lab.clear_faults()
    assert lab.api("GET", "/computers/1")["ID"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"action": {"kind": "explode"}},
        {"action": {"kind": "cut", "when": "sometimes"}},
        {"action": {"kind": "delay"}},
        {"action": {"kind": "stall", "second": 1}},
        {"action": {"kind": "status", "status": 500}, "paths": "x"},
        {"action": {"kind": "status", "status": 500}, "path": "("},
        {"action": {"kind": "mutate", "pointer": "/ID"}},
        {"action": {"kind": "mutate", "pointer": "ID", "to": "missing"}},
        {"action": {"kind": "mutate", "pointer": 1, "to": "missing"}},
        {"action": {"kind": "mutate", "pointer": "/ID", "to": "gone"}},
        {"action": {"kind": "mutate", "pointer": "/ID", "to": {"value": 1, "text": "1"}}},
        {"action": {"kind": "mutate", "pointer": "/ID", "to": {"text": 1}}},
    ],
)
def test_what_is_no_fault_is_refused(lab: LabManager, fault: dict[str, t.Any]) -> None:
    with pytest.raises(LabError) as caught:
        lab.add_fault(**fault)
    assert caught.value.status == 400
    assert lab.api("GET", "/policies/1")["ID"] == 1


def test_the_log_tells_what_each_request_does(lab: LabManager) -> None:
    calls = [
        ("GET", "/policies/1", None, "read"),
        ("POST", "/computers/search", {}, "read"),
        ("POST", "/agentdeploymentscripts", {"platform": "linux"}, "read"),
        ("POST", "/policies/1", {"policySettings": {MISSED: {"value": "4"}}}, "settings"),
        ("POST", "/computers/1", {"description": "x"}, "settings"),
        ("POST", PATH, {"value": "5 Minutes"}, "settings"),
        ("DELETE", PATH, None, "settings"),
        ("POST", "/policies/default", {MISSED: {"value": "4"}}, "settings"),
        ("POST", "/systemsettings", {}, "settings"),
        ("POST", "/policies/1/firewall/assignments", {"ruleIDs": [20]}, "assignment"),
        ("PUT", "/computers/1/firewall/assignments", {"ruleIDs": [20]}, "assignment"),
        ("DELETE", "/policies/1/firewall/assignments/20", None, "assignment"),
        ("POST", "/policies", {"name": "New"}, "create"),
        ("POST", "/maclists", {"name": "New"}, "create"),
        ("POST", "/firewallrules/20", {"description": "x"}, "modify"),
        ("POST", "/iplists/1", {"description": "x"}, "modify"),
        ("DELETE", "/maclists/2", None, "delete"),
        ("DELETE", "/computers/1", None, "delete"),
    ]
    for method, path, body, _kind in calls:
        lab.api(method, path, body, query={"overrides": "true", "expand": ["none", "firewall"]}, key="admin")
    log = lab.requests()
    assert [(one["method"], one["path"], one["body"], one["kind"]) for one in log] == calls
    assert [one["n"] for one in log] == list(range(1, len(calls) + 1))
    assert {one["status"] for one in log} == {200, 204}
    assert {one["key"] for one in log} == {"admin"} and {one["fault"] for one in log} == {None}
    assert log[0]["query"] == {"overrides": ["true"], "expand": ["none", "firewall"]}
    assert lab.summary() == {
        "read": 3,
        "settings": 6,
        "assignment": 3,
        "create": 2,
        "modify": 2,
        "delete": 2,
        "total": len(calls),
    }
    lab.clear_requests()
    assert lab.requests() == [] and lab.summary()["total"] == 0


def test_the_log_tells_who_asked(lab: LabManager) -> None:
    lab.api("GET", "/policies/1", key="admin")
    lab.api("GET", "/policies/1", key="colleague")
    refused(lab, 403, "Not authorized", "POST", "/policies", {"name": "x"}, key="read_only")
    send(lab, "GET", "/policies/1", {})
    seen = [(one["key"], one["status"]) for one in lab.requests()]
    assert seen == [("admin", 200), ("colleague", 200), ("read_only", 403), ("unknown", 401)]


def test_the_log_leaves_out_long_bodies(lab: LabManager) -> None:
    for size, kept in ((60_000, True), (70_000, False)):
        lab.api("POST", "/iplists/1", {"description": "x" * size})
        assert (lab.requests()[-1]["body"] is not None) == kept


def test_a_reset_brings_everything_back(lab: LabManager) -> None:
    before = lab.api("GET", "/policies")
    lab.api("POST", "/policies/1", {"name": "Renamed"})
    lab.api("POST", f"/policies/default/settings/{MISSED}", {"value": "9"})
    lab.add_fault(times=0, action={"kind": "status", "status": 500})
    lab.switch(delete_status=200)
    lab.reset()
    assert lab.requests() == []
    assert lab.api("GET", "/policies") == before
    assert lab.switch()["delete_status"] == 204


def test_a_reset_brings_what_was_kept_back(lab: LabManager) -> None:
    parts = {"overrides": True, "expand": ["computerSettings", "firewall"]}

    def held() -> list[t.Any]:
        return [lab.api("GET", "/policies"), lab.api("POST", "/computers/search", {}, parts)]

    policy = lab.api("POST", "/policies", {"name": "New"})["ID"]
    computer = lab.api("POST", "/computers", {"hostName": "new.example.com", "policyID": policy})["ID"]
    assigned = f"/computers/{computer}/firewall/assignments"
    lab.api("POST", f"/policies/{policy}", {"policySettings": {MISSED: {"value": "9"}}})
    lab.api("POST", assigned, {"ruleIDs": [3]})
    before = held()
    lab.keep("new")
    for _twice in range(2):
        lab.api("DELETE", f"{assigned}/3")
        lab.api("POST", f"/policies/{policy}", {"name": "Renamed", "policySettings": {MISSED: {"value": "2"}}})
        assert all(now != then for now, then in zip(held(), before))
        lab.reset("new")
        assert held() == before
        assert lab.api("GET", f"/policies/{policy}/settings/{MISSED}") == {"value": "9"}
    # What is made from here on is as if all had been made in one go.
    assert lab.api("POST", "/computers", {"hostName": "next.example.com"})["ID"] == computer + 1
    lab.reset()
    assert lab.api("POST", "/policies", {"name": "Other"})["ID"] == policy
