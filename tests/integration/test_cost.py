# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task costs the manager and the machine it runs on, by the lab's request log and the kernel's accounts."""

from __future__ import annotations

import collections
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._answers.communication import (
    CommunicationAsked,
    describe_communication,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall.description import MOST_ASKED
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.rules import ASKED_AT_MOST
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.bench.fleet import BY_HAND, HEARTBEAT, MACS, MODULE, RESTRICTION, RULE, SERVERS, DeclaredFleet
from tests.bench.measure import run_task
from tests.integration.in_process import run_tasks
from tests.integration.support import connection, names, run_facet, run_profiles
from tests.lab.manager.process import LabManager
from tests.lab.manager.switches import CHOICES

NAMESPACE = "workload_security.agent"

MOST_REQUESTS = 10
MOST_MEMORY = 400 * 2**20


def converged(lab: LabManager, *kinds: bool, **options: t.Any) -> DeclaredFleet:
    """The lab's fleet, made as declared at any cost: policies first, for computers to inherit. The log is empty.

    C(kinds): whether with computers, once for each time.
    """
    fleet = DeclaredFleet(lab, **options)
    for computers in kinds or (False, True):
        assert not run_profiles(lab, fleet.profiles(computers=computers), concurrency=16)["failed_targets"]
    lab.clear_requests()
    return fleet


def spent(lab: LabManager) -> collections.Counter[str]:
    """The requests of tasks, by kind."""
    return collections.Counter(request["kind"] for request in lab.requests() if request["key"] == "admin")


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[DeclaredFleet]:
    """5,400 computers and 200 policies, each of which has the firewall rule itself: two pages of them."""
    with LabManager(computers=5_400, policies=200, seed=2) as lab:
        yield converged(lab, inherited_rule=False)


@pytest.fixture(scope="module")
def inheriting_fleet() -> t.Iterator[DeclaredFleet]:
    """10,000 computers and 200 policies, which have everything from above where they can."""
    with LabManager(computers=10_000, policies=200, seed=3) as lab:
        yield converged(lab)


@pytest.fixture(scope="module")
def large_fleet() -> t.Iterator[DeclaredFleet]:
    """100,000 computers, which have everything through their policies but for those that override it."""
    with LabManager(computers=100_000, policies=200, seed=3) as lab:
        yield converged(lab, False)


def document(profiles: list[dict]) -> dict[str, t.Any]:
    """The task of a document."""
    return {MODULE: {"profiles": profiles}}


def test_a_converged_fleet_costs_ten_requests_and_no_write(fleet):
    everybody = {"policies": fleet.servers + fleet.macs, "computers_query": "[]"}
    policies = {"policies": fleet.servers + fleet.macs}
    facets = fleet.facets("bidirectional")
    tasks = {
        "heartbeat": {f"{NAMESPACE}.heartbeat": {**everybody, **facets["heartbeat"]}},
        "heartbeat of policies": {f"{NAMESPACE}.heartbeat": {**policies, **facets["heartbeat"]}},
        "direction": fleet.task("communication_direction"),
        "direction of policies": fleet.task("communication_direction", computers=False),
        "direction of servers": {
            f"{NAMESPACE}.communication_direction": {
                "policies": fleet.servers,
                "computers_query": SERVERS,
                **facets["communication_direction"],
            }
        },
        "restriction": {f"{NAMESPACE}.firewall_restriction": {**everybody, **RESTRICTION}},
        "restriction of policies": {f"{NAMESPACE}.firewall_restriction": {**policies, **RESTRICTION}},
        "no restriction": {f"{NAMESPACE}.firewall_restriction": {**everybody, "state": "absent", "rule_name": "None"}},
        "all facets": fleet.task(),
        "all facets of policies": fleet.task(computers=False),
    }
    fleet.lab.clear_requests()
    played = run_tasks(fleet.lab, list(tasks.values()))
    seen = spent(fleet.lab)
    assert len(played.results) == len(tasks), played.output
    costs = {}
    for name, result in zip(tasks, played.results):
        assert not result.get("failed") and not result["changed"], (name, result.get("msg"), result.get("plan", [])[:3])
        assert not result["failed_targets"]
        costs[name] = result["requests"]["sent"]
    # What tasks say of themselves is what the manager saw.
    assert seen == {"read": sum(costs.values())}
    assert {name: cost for name, cost in costs.items() if cost > MOST_REQUESTS} == {}


def test_a_fleet_is_not_gone_through_for_each_policy(fleet, inheriting_fleet, monkeypatch):
    """What a task takes grows with policies and computers, and not with the product of both."""
    times = []
    every_one = Fleet.read_computers.fget
    monkeypatch.setattr(Fleet, "read_computers", property(lambda self: times.append(1) or every_one(self)))
    for one in (fleet, inheriting_fleet):
        times.clear()
        assert not run_profiles(one.lab, one.profiles())["changed"]
        assert len(times) <= 5
        one.lab.clear_requests()


def test_sources_by_mac_address_fit_into_ten_requests_too(fleet):
    """With a MAC list next to the IP list, a task reads every kind of object that there is."""
    macs = {"source_macs": ["00:00:5E:00:53:01"], "manager_macs": ["00:00:5E:00:53:01"]}
    profiles = fleet.profiles()
    for profile in profiles:
        profile["firewall_restriction"] = {**profile["firewall_restriction"], **macs}
    undone = [{**profile, "firewall_restriction": RESTRICTION} for profile in profiles]
    fleet.lab.clear_requests()
    made, again, back = run_tasks(fleet.lab, [document(profiles), document(profiles), document(undone)]).results
    assert made["changed"] and not again["changed"] and back["changed"]
    assert not made["plan"], "only the rule and its list are written"
    assert made["requests"]["writes"] == 2
    assert (again["requests"]["writes"], again["requests"]["sent"] <= MOST_REQUESTS) == (0, True), again["requests"]
    (left,) = [one for one in fleet.lab.api("GET", "/maclists")["macLists"] if one["name"].startswith(RULE)]
    fleet.lab.api("DELETE", f"/maclists/{left['ID']}")


def test_a_look_at_a_fleet_costs_pages(inheriting_fleet):
    """10,000 computers: two requests for each look, and to look after their health."""
    fleet = inheriting_fleet
    sending = {f"{NAMESPACE}.policy_sending": {"computers_query": "[]", "wait": True, "wait_timeout": 1}}
    fleet.lab.let_live(
        [
            one["ID"]
            for one in fleet.lab.api("GET", "/computers", query={"expand": "none"})["computers"]
            if "macOS" in one["platform"] and one["agentVersion"] != "0.0.0.0"
        ],
        beats=False,
        messages=["Offline"],
    )
    fleet.lab.clear_requests()
    (sent,) = run_tasks(fleet.lab, [sending]).results
    assert not sent["failed"] and sent["looks"] == 1 and sent["counts"]["offline"] and sent["counts"]["arrived"] > 9000
    seen = fleet.lab.requests()
    assert len([one for one in seen if one["query"].get("overrides") == ["false"]]) == 2
    assert spent(fleet.lab)["create"] == 1 and sent["requests"]["sent"] == len(seen) <= MOST_REQUESTS + 2
    fleet.lab.clear_requests()
    (health,) = run_tasks(fleet.lab, [{f"{NAMESPACE}.agent_health_info": {}}]).results
    # Two full pages, and one that shows that there is no more.
    assert health["state"] == "WARNING" and spent(fleet.lab) == {"read": 3}


def change_by_hand(fleet: DeclaredFleet, number: int, *, unassign: bool) -> None:
    """Change computers: one setting on every second, all settings on the others, and the rule's assignment."""
    rules = {rule["name"]: rule["ID"] for rule in fleet.lab.api("GET", "/firewallrules")["firewallRules"]}
    for place, computer in enumerate(fleet.some_servers(number)):
        one = list(BY_HAND)[place % len(BY_HAND)]
        settings = BY_HAND if place % 2 else {one: BY_HAND[one]}
        fleet.lab.api("POST", f"/computers/{computer}", {"computerSettings": settings}, {"expand": "none"})
        if unassign:
            fleet.lab.api("DELETE", f"/computers/{computer}/firewall/assignments/{rules[RULE]}")
    fleet.lab.clear_requests()


@pytest.mark.parametrize(
    ("number", "facets"),
    [(0, ()), (1, ()), (7, ()), (50, ()), (7, ("heartbeat", "communication_direction"))],
    ids=["none", "one", "seven", "fifty", "seven in two facets"],
)
def test_changed_computers_cost_one_settings_write_each(fleet, number, facets):
    change_by_hand(fleet, number, unassign=not facets)
    played = run_tasks(fleet.lab, [fleet.task(*facets)])
    seen = spent(fleet.lab)
    assert not played.results[0].get("failed"), played.output
    assert len(played.results[0]["changed_targets"]) == number
    assert seen.pop("read") <= MOST_REQUESTS
    expected = {"settings": number} if facets else {"settings": number, "assignment": number}
    assert seen == {kind: count for kind, count in expected.items() if count}


@pytest.mark.both_cores
def test_check_mode_sends_nothing_that_writes(lab):
    """Every module in every state, on targets on which the real run would write."""
    policies = DeclaredFleet(lab).servers[:3]
    lab.api("POST", "/policies/1", {"policySettings": BY_HAND})
    targets = {"policies": policies, "computers_query": f"{SERVERS} | [:20]"}
    macs = {"computers_query": MACS}
    restricted = {f"{NAMESPACE}.firewall_restriction": {**targets, **RESTRICTION}}
    inherited = dict.fromkeys(HEARTBEAT, "inherited")
    directions = ("bidirectional", "manager_initiated", "agent_initiated", "inherited")
    changing = [
        {f"{NAMESPACE}.heartbeat": {**targets, **HEARTBEAT}},
        {f"{NAMESPACE}.heartbeat": {**targets, **HEARTBEAT, "accept_inherited": True}},
        {f"{NAMESPACE}.heartbeat": {**targets, **inherited}},
        *({f"{NAMESPACE}.communication_direction": {**targets, "direction": direction}} for direction in directions),
        {f"{NAMESPACE}.communication_direction": {**macs, "direction": "agent_initiated"}},
        {f"{NAMESPACE}.firewall_restriction": {**targets, **RESTRICTION, "source_ips": ["192.0.2.0/25"]}},
        {f"{NAMESPACE}.firewall_restriction": {**targets, "state": "absent"}},
        {
            f"{NAMESPACE}.firewall_restriction": {
                **macs,
                "rule_name": "Another",
                "source_macs": ["00:00:5E:00:53:01"],
                "allow_manager_lockout": True,
                "action": "force_allow",
                "port_list": "Deep Security Agent",
            }
        },
        document(
            [
                {"name": "all", **targets, "heartbeat": HEARTBEAT, "firewall_restriction": {"state": "absent"}},
                {"name": "macs", **macs, "communication_direction": {"direction": "agent_initiated"}},
            ]
        ),
        {f"{NAMESPACE}.policy_sending": {"policies": policies[:1], "wait": True}},
    ]
    reading = [
        {f"{NAMESPACE}.policy_info": {"policies": policies, "expand": ["settings"]}},
        {f"{NAMESPACE}.computer_info": {"query": "[].hostName"}},
        {f"{NAMESPACE}.communication_info": targets},
    ]
    # What fails halfway in planning must not write either.
    failing = [{f"{NAMESPACE}.communication_direction": {**macs, "direction": "bidirectional"}}]
    for_real = run_tasks(lab, [restricted]).results[0]
    assert for_real["changed"] and not for_real.get("failed")
    lab.clear_requests()
    played = run_tasks(lab, [*changing, *reading, *failing], check=True, diff=True)
    assert len(played.results) == len(changing) + len(reading) + len(failing), played.output
    failed = [bool(result.get("failed")) for result in played.results]
    assert failed == [False] * len(changing + reading) + [True] * len(failing), played.output
    for task, result in zip(changing, played.results):
        assert result["changed"], task
    requests = lab.requests()
    assert {request["kind"] for request in requests} == {"read"}
    assert all(request["method"] == "GET" or request["path"].endswith("/search") for request in requests)


@pytest.fixture
def other_habits() -> t.Iterator[t.Callable[..., None]]:
    """Switches of a lab that others use, too, for one test."""
    labs: list[tuple[LabManager, dict[str, t.Any]]] = []

    def switch(lab: LabManager, **switches: t.Any) -> None:
        labs.append((lab, {name: CHOICES[name][0] for name in switches}))
        lab.switch(**switches)

    yield switch
    for lab, usual in labs:
        lab.switch(**usual)


@pytest.mark.parametrize("listed", CHOICES["rule_ids_with_overrides"])
@pytest.mark.parametrize("absent", CHOICES["computer_without_overrides"])
def test_taking_a_rule_from_a_policy_costs_pages(inheriting_fleet, other_habits, listed, absent):
    """Who has it among the 10,000 computers below: however rules are listed, nobody is asked one by one."""
    lab = inheriting_fleet.lab
    other_habits(lab, rule_ids_with_overrides=listed, computer_without_overrides=absent)
    lab.clear_requests()
    policies = inheriting_fleet.servers[:1]
    wanted = {"policies": policies, "state": "absent"}
    result = run_facet(lab, "firewall_restriction", wanted, check=True)
    assert names(result["changed_targets"]) == set(policies)
    # Three pages of names, two of rules; policies, rules and lists; and some few that pages cannot tell of.
    assert spent(lab) == {"read": result["requests"]["sent"]}
    assert result["requests"]["sent"] <= 5 + 6 + 10


@pytest.mark.parametrize("listed", CHOICES["rule_ids_with_overrides"])
def test_what_may_be_inherited_is_asked_of_nobody(inheriting_fleet, other_habits, listed):
    """A converged fleet of 10,000, however rules are listed: two pages of rules and one of policies more at most."""
    lab = inheriting_fleet.lab
    other_habits(lab, rule_ids_with_overrides=listed)
    for task in (inheriting_fleet.task(), inheriting_fleet.task(computers=False)):
        lab.clear_requests()
        (result,) = run_tasks(lab, [task]).results
        assert not result["failed"] and not result["changed"]
        assert spent(lab) == {"read": result["requests"]["sent"]}
        assert result["requests"]["sent"] <= MOST_REQUESTS + {"absent": 3}.get(listed, 0)


@pytest.mark.parametrize("listed", CHOICES["rule_ids_with_overrides"])
def test_describing_a_fleet_costs_pages(fleet, other_habits, listed):
    """And every target is told to be restricted, although only some ways of listing say what is assigned here."""
    lab = fleet.lab
    other_habits(lab, rule_ids_with_overrides=listed)
    lab.clear_requests()
    options = {"policies": fleet.servers[:3], "computers": None, "computers_query": SERVERS}
    wanted = CommunicationAsked.from_options({**options, "facets": ["firewall_restriction"]}, "on_premises")
    with Transport(connection(lab)) as transport:
        told = describe_communication(Client(transport), wanted)["targets"]
    assert len(told) > 5_000
    facets = [target["firewall_restriction"] for target in told]
    # Whether the rule is overridden on a target is asked of the first ones; some have their firewall off.
    restricted = collections.Counter(facet["restricted"] for facet in facets if not facet["without_effect_because"])
    assert restricted[False] == 0 and 0 < restricted[True] <= MOST_ASKED
    assert all(RULE in [rule["name"] for rule in facet["rules"]] for facet in facets)
    here = {rule["assigned_here"] for facet in facets for rule in facet["rules"] if rule["name"] == RULE}
    assert here == {"direct": {True}, "effective": {True, None}, "absent": {True, None}}[listed]
    # Where pages of overrides do not tell, those of effective rules are read, too: of policies and of computers.
    assert spent(lab)["read"] <= MOST_REQUESTS + MOST_ASKED + ASKED_AT_MOST + {"direct": 0}.get(listed, 5)


@pytest.mark.slow
def test_naming_five_computers_does_not_list_the_fleet(inheriting_fleet):
    lab = inheriting_fleet.lab
    window = [{"fieldName": "ID", "idTest": "greater-than", "idValue": 6_000}]
    listed = [
        lab.api("POST", "/computers/search", {"maxItems": 5000, **criteria}, query={"expand": "none"})["computers"]
        for criteria in ({}, {"searchCriteria": window})
    ]
    # From both ends of the fleet, by host name, display name and ID.
    near, far = ([item for item in page if "macOS" not in item["platform"]] for page in listed)
    displayed = next(item for item in near if item["displayName"] not in ("", item["hostName"]))
    computers = [near[0]["hostName"], displayed["displayName"], near[-1]["ID"], far[5]["hostName"], far[-1]["ID"]]
    facets = inheriting_fleet.facets("bidirectional")
    tasks = [
        document([{"name": "five", "computers": computers, **{name: {**one, **own} for name, one in facets.items()}}])
        for own in ({}, {"accept_inherited": False}, {"accept_inherited": False})
    ]
    lab.clear_requests()
    played = run_tasks(lab, tasks)
    searches = [request for request in lab.requests() if request["path"] == "/computers/search"]
    accepted, made, again = played.results
    assert not any(result.get("failed") for result in played.results), played.output
    assert not accepted["changed"] and len(made["changed_targets"]) == 5 and not again["changed"]
    assert again["requests"]["sent"] <= 20
    naming = {("hostName", "equal"), ("displayName", "equal"), ("ID", "equal")}
    for search in searches:
        (criterion,) = search["body"]["searchCriteria"]
        test = criterion.get("stringTest") or criterion.get("idTest")
        assert (criterion.get("fieldName", "ID"), test) in naming, search["body"]
    # A search for the host name of each of the three that are named, one for a display name, and the five by ID.
    assert len(searches) <= 3 * (4 + 2 + 5)


@pytest.mark.slow
def test_memory_of_a_task_over_a_hundred_thousand_computers(large_fleet, tmp_path):
    """By the kernel's account of the largest process among ansible-playbook, its worker and the module.

    More than a thousand of them have drifted. A task that finds nothing to do reads and holds the same, and makes no plan.
    """
    change_by_hand(large_fleet, 1000, unassign=False)
    usage, has_changed = run_task(large_fleet.lab, large_fleet.task(), tmp_path, "--check", "--diff")
    assert has_changed
    assert usage.memory < MOST_MEMORY
    assert spent(large_fleet.lab)["read"] > 40, "the fleet was read whole"
