# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May agents be switched to agent initiated, and may their port be restricted: from what hosts and manager tell."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.preflight import FilterModule, preflight

MANAGER = "192.0.2.10"
EVERYBODY = {"ipv4": 1 << 32, "ipv6": 1 << 128}


def seen(**changes: t.Any) -> dict[str, t.Any]:
    """What a host sees where everything works and the manager is connected."""
    return {
        "reachable": True,
        "problems": [],
        "endpoints": [endpoint(MANAGER), endpoint("192.0.2.77", required=False)],
        "listening": {"port": 4118, "listens": True, "connected_from": [MANAGER, "127.0.0.1", "::1"]},
        **changes,
    }


def endpoint(*addresses: str, required: bool = True) -> dict[str, t.Any]:
    return {
        "name": "dsm",
        "port": 4120,
        "required": required,
        "resolution": {"addresses": list(addresses)},
        "tls": {"name_matches": True, "names": ["dsm"]},
    }


def connected_from(*peers: str) -> dict[str, t.Any]:
    return seen(listening={"port": 4118, "listens": True, "connected_from": list(peers)})


def target(name: str = "web1", number: int = 1, direction: str | None = "bidirectional", **restriction: t.Any) -> dict:
    """What the manager says of a computer."""
    return {
        "type": "computer",
        "id": number,
        "name": name,
        "communication_direction": {"direction": {"override": None, "effective": direction}},
        "firewall_restriction": {
            "hidden_rule_replaced": bool(restriction.get("restricted")),
            "restricted": False,
            "restricted_because": "no rule replaces the hidden one, which admits anybody",
            "admitted_addresses": {"ipv4": 256, "ipv6": 0} if restriction.get("restricted") else EVERYBODY,
            "without_effect_because": None,
            **restriction,
        },
    }


def ask(
    connectivity: dict | None = None,
    targets: list[dict] | None = None,
    addresses: t.Sequence[str] = (MANAGER,),
    **options: t.Any,
) -> dict[str, t.Any]:
    """The row of one host."""
    hosts = {"web1": {"connectivity": seen() if connectivity is None else connectivity}}
    communication = {"targets": [target()] if targets is None else targets}
    (row,) = preflight(hosts, communication, manager_addresses=addresses, **options)["hosts"]
    return row


def test_everything_is_as_it_should_be() -> None:
    assert ask() == {
        "name": "web1",
        "computer_id": 1,
        "direction": "bidirectional",
        "agent_initiated": {"answer": "yes", "reasons": []},
        "firewall_restriction": {"answer": "yes", "reasons": []},
    }


def test_what_is_required_must_work() -> None:
    problem = {"name": "dsm", "port": 4120, "required": True, "cause": "it is lost", "remedy": "find it"}
    beside = {**problem, "port": 4119, "required": False}
    row = ask(seen(reachable=False, problems=[problem, beside]))
    assert row["agent_initiated"] == {"answer": "no", "reasons": ["dsm port 4120: it is lost. Fix it: find it"]}
    assert ask(seen(problems=[beside]))["agent_initiated"]["answer"] == "yes"


def test_an_agent_that_initiates_already() -> None:
    lost = {"name": "dsm", "port": 4120, "required": True, "cause": "it is lost", "remedy": "find it"}
    targets = [target(direction="agent_initiated", without_effect_because="agents initiate and do not listen")]
    row = ask(targets=targets)
    assert (row["agent_initiated"]["answer"], row["direction"]) == ("already", "agent_initiated")
    assert row["firewall_restriction"] == {
        "answer": "no_effect",
        "reasons": ["no rule has an effect: agents initiate and do not listen"],
    }
    assert ask(seen(problems=[lost]), targets)["agent_initiated"]["answer"] == "no"


@pytest.mark.parametrize(
    ("connectivity", "options", "answer", "reason"),
    [
        (seen(), {"addresses": ["192.0.2.0/24"]}, "yes", None),
        (connected_from(), {}, "yes", None),
        (connected_from("192.0.2.99", "198.51.100.1"), {}, "no", "192.0.2.99, 198.51.100.1 is connected to the port"),
        (connected_from("fe80::1%eth0"), {}, "no", "fe80::1 is connected to the port"),
        (connected_from("192.0.2.99"), {"source_ips": ["192.0.2.9-192.0.2.99"]}, "yes", None),
        (seen(), {"source_ips": ["192.0.2.99"]}, "no", "the manager connects from 192.0.2.10, and would be shut out"),
        (seen(endpoints=[endpoint("192.0.2.11")]), {}, "no", "the manager's name resolves to 192.0.2.11, and would be"),
        (seen(), {"addresses": []}, "unknown", "it is not known from where the manager connects"),
        (
            seen(),
            {"addresses": [], "source_ips": [MANAGER]},
            "unknown",
            "it is not known from where the manager connects",
        ),
        (
            seen(listening={"port": 4118, "listens": True, "connected_from": None}),
            {},
            "unknown",
            "the host does not say who is connected to the port",
        ),
    ],
)
def test_whom_a_restriction_shuts_out(connectivity: dict, options: dict, answer: str, reason: str | None) -> None:
    found = ask(connectivity, **options)["firewall_restriction"]
    assert found["answer"] == answer
    assert [reason in one for one in found["reasons"]] == ([True] if reason else []), found["reasons"]


def test_on_the_cloud_the_manager_does_not_connect_from_where_its_name_leads() -> None:
    connectivity = {**connected_from("35.75.131.97"), "endpoints": [endpoint("203.0.113.5")]}
    found = ask(connectivity, addresses=[], region="jp-1")["firewall_restriction"]
    assert found == {"answer": "yes", "reasons": []}
    found = ask(connectivity, addresses=[], region="jp-1", source_ips=["35.75.131.96/27"])["firewall_restriction"]
    assert (found["answer"], found["reasons"]) == (
        "no",
        ["the manager connects from 18.99.69.160/27, and would be shut out"],
    )


def test_a_port_that_is_restricted_already() -> None:
    assert ask(targets=[target(restricted=True)])["firewall_restriction"] == {"answer": "already", "reasons": []}


@pytest.mark.parametrize(
    ("communication", "reason"),
    [
        (None, "the manager was not asked"),
        ({"skipped": True}, "the manager was not asked"),
        ({"msg": "unauthorized\x1b[31m"}, "the manager gives no answer: unauthorized\\x1b[31m"),
        ({"targets": []}, "the manager has no computer with the host name web1 or 192.0.2.1"),
        ({"targets": [target("other")]}, "the manager has no computer with the host name web1 or 192.0.2.1"),
        (
            {"targets": [target(), target(number=7)]},
            "the manager has 2 computers with the host name web1 or 192.0.2.1 (IDs 1, 7)",
        ),
    ],
)
def test_without_the_managers_view(communication: dict | None, reason: str) -> None:
    hosts = {"web1": {"names": ["web1", "192.0.2.1"], "connectivity": seen()}}
    (row,) = preflight(hosts, communication, manager_addresses=[MANAGER])["hosts"]
    assert row["agent_initiated"] == {"answer": "yes", "reasons": [f"{reason}, so its direction today is not known"]}
    assert row["firewall_restriction"] == {
        "answer": "unknown",
        "reasons": [f"{reason}, so it is not known whether the firewall is on"],
    }
    assert (row["computer_id"], row["direction"]) == (None, None)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ({}, "no result"),
        ({"connectivity": {"unreachable": True, "msg": "Failed to connect to the host via ssh"}}, "Failed to connect"),
        ({"connectivity": {"failed": False, "msg": "option 'region' is 'mars-1'"}}, "option 'region'"),
    ],
)
def test_a_host_that_was_not_reached_is_never_dropped(host: dict, reason: str) -> None:
    report = preflight({"web1": host, "web2": {"connectivity": seen()}}, {"targets": [target(), target("web2", 2)]})
    for question in ("agent_initiated", "firewall_restriction"):
        answer = report["hosts"][0][question]
        assert answer["answer"] == "unknown"
        assert answer["reasons"][0].startswith(f"the host gives no answer: {reason}")
    assert report["summary"]["agent_initiated"] == {"unknown": 1, "yes": 1}
    # What the manager says is enough to know that nothing is to be restricted.
    idle = target(without_effect_because="the firewall is off")
    assert preflight({"web1": host}, {"targets": [idle]})["hosts"][0]["firewall_restriction"]["answer"] == "no_effect"


def test_the_table() -> None:
    idle = target("web10.example.com", 2, without_effect_because="the firewall is off")
    hosts = {"web1": {"connectivity": seen()}, "web10.example.com": {"connectivity": seen()}, "web2": {}}
    report = preflight(hosts, {"targets": [target(), idle]}, manager_addresses=[MANAGER])
    assert report["table"].splitlines()[:4] == [
        "HOST               AGENT INITIATED?  RESTRICT THE PORT?",
        "web1               yes               yes",
        "web10.example.com  yes               no effect",
        "    restrict: no rule has an effect: the firewall is off",
    ]
    json.dumps(report)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"source_ips": ["192.0.2.300"]}, "source_ips"),
        ({"manager_addresses": ["dsm.example.com"]}, "manager_addresses"),
        ({"region": "mars-1"}, "region"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, t.Any], named: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"preflight: option '{named}'"):
        preflight({}, **options)


def test_no_hosts() -> None:
    assert preflight({})["summary"] == {"agent_initiated": {}, "firewall_restriction": {}}
    assert FilterModule().filters() == {"preflight": preflight}


def test_an_answer_of_yes_needs_to_know_that_something_was_tried() -> None:
    nothing = seen(endpoints=[endpoint(MANAGER, required=False)])
    found = ask(nothing)["agent_initiated"]
    assert (found["answer"], found["reasons"]) == ("unknown", ["the host was not asked about agents that initiate"])
    broken = ask(seen(reachable=False))["agent_initiated"]
    assert (broken["answer"], broken["reasons"]) == ("unknown", ["the host does not say what is not reachable"])


def test_a_certificate_of_another_name_is_worth_a_look() -> None:
    """Agents keep to the certificate, not to the name in it; but perhaps it is another server that answers."""
    other = {**endpoint(MANAGER), "tls": {"name_matches": False, "names": ["mail.example.com", "www.example.com"]}}
    assert ask(seen(endpoints=[other]))["agent_initiated"] == {
        "answer": "yes",
        "reasons": [
            "dsm port 4120 shows a certificate for mail.example.com, www.example.com: make sure that it is the manager's"
        ],
    }


@pytest.mark.parametrize("facet", [None, {}, {"rules": []}])
def test_what_the_manager_does_not_say_of_the_firewall_is_not_known(facet: dict | None) -> None:
    silent = {**target(), "firewall_restriction": facet, "communication_direction": facet}
    row = ask(targets=[silent])
    assert (row["computer_id"], row["direction"]) == (1, None)
    assert row["agent_initiated"] == {
        "answer": "yes",
        "reasons": ["the manager does not say which direction it has today"],
    }
    assert row["firewall_restriction"] == {
        "answer": "unknown",
        "reasons": ["the manager does not say whether a rule has an effect"],
    }


def test_a_port_on_which_nothing_listens_shows_nobody_who_uses_it() -> None:
    found = ask(seen(listening={"port": 4118, "listens": False, "connected_from": []}))["firewall_restriction"]
    assert found == {
        "answer": "unknown",
        "reasons": ["nothing listens on the port, so nobody can be seen to use it"],
    }


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"restricted": True, "admitted_addresses": EVERYBODY, "hidden_rule_replaced": True}, None),
        ({"restricted": True, "admitted_addresses": {"ipv4": 1, "ipv6": 1 << 125}, "hidden_rule_replaced": True}, None),
        ({"restricted": True, "admitted_addresses": None}, "does not say which addresses may connect"),
        ({"restricted": True, "admitted_addresses": {"ipv4": 1}}, "does not say which addresses may connect"),
        (
            {"restricted": True, "admitted_addresses": {"ipv4": "1", "ipv6": 0}},
            "does not say which addresses may connect",
        ),
        (
            {"restricted": True, "admitted_addresses": {"ipv4": True, "ipv6": 0}},
            "does not say which addresses may connect",
        ),
        ({"restricted": True, "hidden_rule_replaced": None}, "does not say which addresses may connect"),
        ({"restricted": "yes"}, "does not say which addresses may connect"),
        ({"restricted": None, "restricted_because": "a list\x1b is missing"}, r"a list\x1b is missing"),
        ({"restricted": None, "restricted_because": None}, "it is not known which addresses"),
    ],
)
def test_only_the_content_of_what_the_manager_says_is_believed(told: dict, reason: str | None) -> None:
    found = ask(targets=[target(**told)])["firewall_restriction"]
    assert found["answer"] == ("unknown" if reason else "yes"), "never restricted already"
    assert not reason or reason in found["reasons"][0]


@pytest.mark.parametrize("restricted", [True, False, None])
def test_a_result_of_before_addresses_were_counted_is_not_known(restricted: bool | None) -> None:
    old = {**target(), "firewall_restriction": {"restricted": restricted, "without_effect_because": None}}
    found = ask(targets=[old])["firewall_restriction"]
    assert found == {
        "answer": "unknown",
        "reasons": ["the manager does not say which addresses may connect to the port today"],
    }


def test_a_port_that_is_restricted_already_but_not_much() -> None:
    wide = target(restricted=True, admitted_addresses={"ipv4": (1 << 24) + 1, "ipv6": 0})
    found = ask(targets=[wide])["firewall_restriction"]
    assert found["answer"] == "already" and "admit 16,777,217 IPv4 addresses, more than a /8" in found["reasons"][0]


@pytest.mark.parametrize("planned", [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::/0", MANAGER]])
def test_a_restriction_that_would_restrict_nothing(planned: list[str]) -> None:
    found = ask(source_ips=planned)["firewall_restriction"]
    assert found["answer"] == "no" and "restricts nothing: it admits" in found["reasons"][-1]


def test_somebody_who_would_be_shut_out_of_a_port_that_is_restricted_otherwise() -> None:
    found = ask(connected_from("192.0.2.99"), [target(restricted=True)])["firewall_restriction"]
    assert found["answer"] == "no" and "192.0.2.99 is connected" in found["reasons"][0]


def test_a_host_that_could_be_two_computers() -> None:
    hosts = {"web1": {"names": ["web1", "192.0.2.1"], "connectivity": seen()}}
    targets = [target("WEB1", 1, without_effect_because="the firewall is off"), target("192.0.2.1", 2)]
    (row,) = preflight(hosts, {"targets": targets}, manager_addresses=[MANAGER])["hosts"]
    assert (row["computer_id"], row["firewall_restriction"]["answer"]) == (None, "unknown")
    assert "the manager has 2 computers with the host name web1 or 192.0.2.1 (IDs 1, 2)" in str(row)


def test_a_computer_that_could_be_two_hosts() -> None:
    """Such as machines behind one address, with a port each."""
    hosts = {name: {"names": [name, "gate"], "connectivity": seen()} for name in ("a", "b")}
    targets = [target("gate", 5, without_effect_because="the firewall is off")]
    for row in preflight(hosts, {"targets": targets}, manager_addresses=[MANAGER])["hosts"]:
        assert (row["computer_id"], row["firewall_restriction"]["answer"]) == (None, "unknown")
        assert "the computer with ID 5 could be any of the hosts a, b" in str(row)


def test_names_in_any_case() -> None:
    """And who only differ in case are two computers, or two hosts, of one name."""
    (row,) = preflight({"WEB1.example.com": {"connectivity": seen()}}, {"targets": [target("Web1.Example.COM")]})[
        "hosts"
    ]
    assert row["computer_id"] == 1
    hosts = {"web1": {"connectivity": seen()}}
    (row,) = preflight(hosts, {"targets": [target("Web1", 1), target("web1", 2)]})["hosts"]
    assert "the manager has 2 computers with the host name web1 (IDs 1, 2)" in str(row)
    hosts["WEB1"] = {"connectivity": seen()}
    for row in preflight(hosts, {"targets": [target("Web1", 1)]})["hosts"]:
        assert "the computer with ID 1 could be any of the hosts web1, WEB1" in str(row)


def ago(minutes: float) -> str:
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


WINDOWS = {"platform": "Microsoft Windows Server 2022 (64 bit)  Build 20348"}
NOT_RUN = {"msg": "The module failed to execute correctly"}


@pytest.mark.parametrize(
    ("heard", "direction", "interval", "answer", "reason"),
    [
        (3, "bidirectional", 10, "yes", "3 minutes ago; in this direction, heartbeats come from the agent"),
        (3, "agent_initiated", 10, "already", "the manager last heard from the agent at 20"),
        (19, "agent_initiated", 10, "already", "19 minutes ago"),
        (25, "agent_initiated", 10, "unknown", "25 minutes ago, more than 2 heartbeats"),
        (25, "bidirectional", 60, "yes", "25 minutes ago"),
        (25, "bidirectional", None, "unknown", "more than 2 heartbeats"),
        (-5, "bidirectional", 10, "yes", "0 minutes ago"),
        (3, "manager_initiated", 10, "unknown", "the manager connects to the agent, which does not show"),
        (3, None, 10, "unknown", "does not say which direction it has today"),
        (None, "bidirectional", 10, "unknown", "does not say when it last heard from the agent"),
        ("yesterday", "bidirectional", 10, "unknown", "does not say when it last heard from the agent"),
    ],
)
def test_windows_hosts_are_judged_by_their_last_heartbeat(
    heard: int | str | None, direction: str | None, interval: int | None, answer: str, reason: str
) -> None:
    """C(heard): so many minutes ago, by the time of the test, or what the manager says in place of a time."""
    known = {
        **target(direction=direction),
        **WINDOWS,
        "last_agent_communication": ago(heard) if isinstance(heard, int) else heard,
        "heartbeat": {"interval": {"effective": interval}},
    }
    row = ask(NOT_RUN, [known])
    assert row["agent_initiated"]["answer"] == answer
    (told,) = row["agent_initiated"]["reasons"]
    assert told.startswith("the checks do not run on Windows hosts, ") and reason in told
    assert (row["computer_id"], row["direction"]) == (1, direction)
    restricting = row["firewall_restriction"]
    assert (restricting["answer"], restricting["reasons"][0]) == ("unknown", "the checks do not run on Windows hosts")


def test_what_a_windows_host_needs_no_check_for() -> None:
    idle = {**target(direction="agent_initiated", without_effect_because="agents initiate"), **WINDOWS}
    assert ask(NOT_RUN, [idle])["firewall_restriction"]["answer"] == "no_effect"
    limited = {**target(restricted=True), **WINDOWS}
    assert ask(NOT_RUN, [limited])["firewall_restriction"]["answer"] == "already"
    # One that did answer is believed, and one that only could not be reached is no Windows host.
    assert ask(seen(), [{**target(), **WINDOWS}])["agent_initiated"] == {"answer": "yes", "reasons": []}
    linux = {**target(), "platform": "Ubuntu Linux 22 (64 bit)", "last_agent_communication": ago(1)}
    assert "the host gives no answer" in str(ask(NOT_RUN, [linux])["agent_initiated"])


def test_all_nodes_of_a_manager_are_needed() -> None:
    """What was found out about one is in one list with the others."""
    second = {**endpoint("192.0.2.11"), "name": "dsm2"}
    both = seen(endpoints=[endpoint(MANAGER), second])
    assert ask(both, addresses=(MANAGER, "192.0.2.11"))["firewall_restriction"]["answer"] == "yes"
    found = ask(both)["firewall_restriction"]
    assert found["reasons"] == ["the manager's name resolves to 192.0.2.11, and would be shut out"]
    lost = {"name": "dsm2", "port": 4120, "required": True, "cause": "it is lost", "remedy": "find it"}
    found = ask({**both, "reachable": False, "problems": [lost]})["agent_initiated"]
    assert found == {"answer": "no", "reasons": ["dsm2 port 4120: it is lost. Fix it: find it"]}


def test_a_policy_of_the_same_name_is_no_computer() -> None:
    policy = {**target(without_effect_because="the firewall is off"), "type": "policy"}
    assert ask(targets=[policy])["firewall_restriction"]["answer"] == "unknown"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"reachable": True},
        seen(problems=None),
        seen(problems=[{}]),
        seen(endpoints=["dsm"]),
        seen(endpoints=[endpoint("mars")]),
        seen(listening=None),
        connected_from("mars"),
        {**connected_from(), "listening": {"listens": True, "connected_from": 5}},
    ],
)
def test_one_host_that_tells_nonsense_spoils_nothing(nonsense: dict) -> None:
    hosts = {"web1": {"connectivity": nonsense}, "web2": {"connectivity": seen()}}
    bad, good = preflight(hosts, {"targets": [target(), target("web2", 2)]}, manager_addresses=[MANAGER])["hosts"]
    assert (bad["agent_initiated"]["answer"], bad["firewall_restriction"]["answer"]) == ("unknown", "unknown")
    assert "the host gives no answer: its result cannot be read" in str(bad)
    assert (good["agent_initiated"]["answer"], good["firewall_restriction"]["answer"]) == ("yes", "yes")


@pytest.mark.parametrize("option", ["source_ips", "manager_addresses"])
def test_addresses_that_are_no_list(option: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"option '{option}' is '192.0.2.7': it must be a list"):
        preflight({}, **{option: "192.0.2.7"})
    assert preflight({}, **{option: None})["hosts"] == []


def test_what_a_host_tells_makes_no_lines_of_the_table() -> None:
    problem = {"name": "dsm", "port": 4120, "required": True, "cause": "lost\nweb2  yes  yes\x1b[2J", "remedy": "find"}
    table = preflight({"web1": {"connectivity": seen(problems=[problem])}})["table"]
    assert "\x1b" not in table and len(table.splitlines()) == 5


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["web1", MANAGER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(tree: t.Any, path: tuple = ()) -> t.Iterator[tuple]:
    """The ways to all that is inside."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(tree: t.Any, path: tuple, value: t.Any) -> t.Any:
    if not path:
        return value
    copied = dict(tree) if isinstance(tree, dict) else list(tree)
    copied[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copied


INPUT = {
    "hosts": {"web1": {"names": ["web1"], "connectivity": seen()}, "web2": {"connectivity": NOT_RUN}},
    "communication": {
        "targets": [
            target(restricted=True),
            {
                **target("web2", 2),
                **WINDOWS,
                "last_agent_communication": "2026-06-12T08:15:00Z",
                "heartbeat": {"interval": {"effective": 10}},
            },
        ]
    },
    "source_ips": ["192.0.2.0/24"],
    "manager_addresses": [MANAGER],
    "region": "jp-1",
}


@given(st.sampled_from(list(places(INPUT))), trees)
@example(("communication", "targets", 0, "firewall_restriction"), "x")
@example(("communication", "targets", 0, "id"), [])
@example(("communication", "targets", 0), None)
@example(("hosts", "web1", "names"), "web1")
def test_no_input_ends_in_a_traceback(path: tuple, value: t.Any) -> None:
    """And what is asked for is there for all hosts, where it can be told of them."""
    changed = replaced(INPUT, path, value)
    try:
        report = preflight(**changed)
    except AnsibleFilterError as error:
        assert str(error).startswith("preflight: option '")
        assert path[0] != "communication" or len(path) == 1
        return
    json.dumps(report)
    assert len(report["hosts"]) == len(changed["hosts"] or {})
