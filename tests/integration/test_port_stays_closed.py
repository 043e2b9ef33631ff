# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No run opens the port of an agent that is to be restricted, whatever is declared around it and whatever fails."""

from __future__ import annotations

import random

import pytest

from tests.integration.in_process import run_tasks
from tests.integration.support import RESTRICTION
from tests.integration.test_macs import AGENT, BOTH, DIRECTION, NAMES, NONE
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

PROFILE = "workload_security.agent.communication_profile"
REFUSED = {"kind": "status", "status": 403, "body": '{"message": "No"}'}
NEW, OLD = {"firewall_restriction": RESTRICTION}, {"firewall_restriction": {"state": "absent", "rule_name": "Old"}}
BOTH_WAYS = {"communication_direction": {"direction": "bidirectional"}}
INITIATE = {"communication_direction": {"direction": "agent_initiated"}}
INHERIT = {"communication_direction": {"direction": "inherited"}}
HOST = NAMES[-1]


@pytest.fixture
def lab(small_lab: LabManager) -> LabManager:
    """What else is in the fleet takes no part."""
    return small_lab


class Tree:
    """Three policies, one below the other, and a computer; some have an old restriction, some a direction of their own."""

    def __init__(self, lab, restricted=(), directions=(NONE, NONE, NONE, NONE)) -> None:
        self.lab = lab
        ips = lab.api("POST", "/iplists", {"name": "Old (IPs)", "items": ["192.0.2.0/24"]})["ID"]
        body = {"name": "Old", **REPLACING, "sourceIPType": "ip-list", "sourceIPListID": ips}
        self.old = lab.api("POST", "/firewallrules", body)["ID"]
        self.paths: dict[str, str] = {}
        above = 0
        for name, direction in zip(NAMES, directions):
            settings = {DIRECTION: {"value": direction}} if direction else {}
            if name == HOST:
                above = lab.api(
                    "POST", "/computers", {"hostName": name, "policyID": above, "computerSettings": settings}
                )["ID"]
                self.paths[name] = f"/computers/{above}"
            else:
                above = lab.api("POST", "/policies", {"name": name, "parentID": above, "policySettings": settings})[
                    "ID"
                ]
                self.paths[name] = f"/policies/{above}"
            if name in restricted:
                lab.api("POST", f"{self.paths[name]}/firewall/assignments", {"ruleIDs": [self.old]})

    def keep(self, declared, refused=(), unset=(), **options):
        """Apply facets by name of the target; what is assigned to some of them is refused, or their settings are."""
        paths = [f"^{self.paths[name]}/firewall/assignments" for name in refused]
        for path in [*paths, *(f"^{self.paths[name]}$" for name in unset)]:
            self.lab.add_fault(method="POST", path=path, times=0, action=REFUSED)
        profiles = [
            {"name": f"{name} {number}", ("computers" if name == HOST else "policies"): [name], **facets}
            for name, some in declared.items()
            for number, facets in enumerate(some)
        ]
        result = run_tasks(self.lab, [{PROFILE: {"profiles": profiles, **options}}]).results[0]
        self.lab.clear_faults()
        return result

    @property
    def rules(self) -> list[int]:
        """The rules that hold for the host, its own and those of its policies."""
        return self.lab.api("GET", f"{self.paths[HOST]}/firewall/assignments").get("assignedRuleIDs") or []

    @property
    def is_closed(self) -> bool:
        """Whether nobody but named addresses reaches the host's agent: it does not listen, or a rule restricts it."""
        direction = self.lab.api("GET", f"{self.paths[HOST]}/settings/{DIRECTION}", query={"overrides": "false"})
        return direction["value"] == AGENT or bool(self.rules)


def unfit_list(lab) -> None:
    """Somebody else's list, with the name of ours and in use, so that our restriction is refused."""
    number = lab.api("POST", "/iplists", {"name": "Agent port: named sources only (IPs)", "items": ["10.0.0.1"]})["ID"]
    fields = {"action": "allow", "priority": "0", "direction": "incoming", "frameType": "ip", "protocol": "tcp"}
    lab.api("POST", "/firewallrules", {"name": "Theirs", **fields, "sourceIPType": "ip-list", "sourceIPListID": number})


@pytest.mark.parametrize("options", [{"undeclared": "remove"}, {}])
@pytest.mark.parametrize("spoilt", ["the assignment", "the rule", "the list"])
def test_an_old_restriction_stays_until_the_one_above_is_there(lab, options, spoilt):
    tree = Tree(lab, [HOST])
    if spoilt == "the rule":
        lab.add_fault(method="POST", path="^/firewallrules$", times=0, action=REFUSED)
    elif spoilt == "the list":
        unfit_list(lab)
    declared = {"Top": [NEW], HOST: [] if options else [OLD]}
    result = tree.keep(declared, ["Top"] if spoilt == "the assignment" else (), **options)
    assert tree.is_closed
    reasons = {one["name"]: one["reason"] for one in result["failed_targets"]}
    assert {"Top", HOST} <= reasons.keys()
    if spoilt == "the list":
        assert "the rule 'Old' stays, since the restriction of the policy 'Top'" in reasons[HOST]
    else:
        assert "had to come first and failed" in reasons[HOST]
    # With nothing in the way, the old one goes.
    if spoilt != "the list":
        assert not tree.keep(declared, **options)["failed"]
        assert tree.old not in tree.rules and tree.rules


def test_an_old_restriction_waits_for_the_one_that_is_inherited_in_its_place(lab):
    """Below a policy that declares the same, in words of its own, and not that an inherited one will do."""
    tree = Tree(lab, ["Low"])
    inherited = {"firewall_restriction": {**RESTRICTION, "accept_inherited": True}}
    declared = {"Top": [NEW], "Low": [inherited, OLD]}
    tree.keep(declared, ["Top"])
    assert tree.is_closed
    assert not tree.keep(declared)["failed"] and tree.is_closed


def test_a_rule_that_restricts_nothing_does_not_take_the_place_of_an_old_restriction(lab):
    tree = Tree(lab, ["Low"])
    web = {
        "name": "Web",
        "action": "allow",
        "priority": "0",
        "direction": "incoming",
        "frameType": "ip",
        "protocol": "tcp",
    }
    ports = {"destinationPortType": "multiple", "destinationPortMultiple": ["443"]}
    number = lab.api("POST", "/firewallrules", {**web, **ports})["ID"]
    declared = {"Top": [NEW], "Low": [{"firewall_restriction": {"state": "assigned", "rule_name": "Web"}}, OLD]}
    tree.keep(declared, ["Top"])
    assert set(tree.rules) == {tree.old, number}
    assert not tree.keep(declared)["failed"] and tree.old not in tree.rules and len(tree.rules) == 2


def test_what_moves_down_is_there_before_it_goes_above(lab):
    tree = Tree(lab, ["Top"])
    result = tree.keep({"Top": [OLD], HOST: [NEW]}, [HOST])
    assert tree.is_closed and {one["name"] for one in result["failed_targets"]} >= {"Top", HOST}
    assert not tree.keep({"Top": [OLD], HOST: [NEW]})["failed"] and tree.is_closed


def test_agents_listen_when_their_restriction_is_there(lab):
    tree = Tree(lab, directions=(AGENT, NONE, NONE, NONE))
    result = tree.keep({"Top": [{**NEW, **BOTH_WAYS}]}, ["Top"])
    (failed,) = [one for one in result["failed_targets"] if one["facet"] == "communication_direction"]
    assert tree.is_closed and "had to come first and failed: rule" in failed["reason"]
    assert not tree.keep({"Top": [{**NEW, **BOTH_WAYS}]})["failed"]


def test_a_direction_waits_for_a_restriction_that_was_refused(lab):
    tree = Tree(lab, directions=(AGENT, NONE, NONE, NONE))
    unfit_list(lab)
    result = tree.keep({"Top": [NEW], "Low": [BOTH_WAYS]})
    reasons = {(one["name"], one["facet"]): one["reason"] for one in result["failed_targets"]}
    assert tree.is_closed
    assert "would listen on a port that is open to anybody" in reasons["Low", "communication_direction"]


def test_a_policy_that_only_inherits_is_not_refused_with_the_one_above(lab):
    """A second run says the same as the first, in which it still had a direction of its own."""
    tree = Tree(lab, directions=(AGENT, BOTH, NONE, NONE))
    unfit_list(lab)
    declared = {"Top": [{**NEW, **BOTH_WAYS}], NAMES[1]: [INHERIT]}
    for _again in range(2):
        result = tree.keep(declared)
        assert {(one["name"], one["facet"]) for one in result["failed_targets"]} == {
            ("Top", "firewall_restriction"),
            ("Top", "communication_direction"),
        }


def test_agents_that_listen_already_do_not_wait(lab):
    tree = Tree(lab, directions=(BOTH, NONE, NONE, NONE))
    manager = {"communication_direction": {"direction": "manager_initiated"}}
    result = tree.keep({"Top": [{**NEW, **manager}]}, ["Top"])
    assert {one["facet"] for one in result["failed_targets"]} == {"firewall_restriction"}
    assert result["counts"]["changed"] == 1


@pytest.mark.parametrize("listening", [("Top", HOST), (HOST, HOST), ("Top", "Low"), ("Low", "Top")])
@pytest.mark.parametrize("options", [{"undeclared": "remove"}, {}])
def test_a_restriction_stays_until_nobody_listens(lab, listening, options):
    """As where a change is taken back: the port was closed since agents did not listen."""
    set_on, restricted = listening
    tree = Tree(lab, [restricted], [BOTH if name == set_on else NONE for name in NAMES])
    declared = {
        set_on: [INITIATE],
        **({} if options else {restricted: [{**OLD, **(INITIATE if set_on == restricted else {})}]}),
    }
    if options:
        declared.setdefault(restricted, [{"heartbeat": {"interval": 10}}])
    result = tree.keep(declared, unset=[set_on], **options)
    reasons = {one["facet"]: one["reason"] for one in result["failed_targets"] if one["name"] in listening}
    assert tree.is_closed and "had to come first and failed: direction" in reasons["firewall_restriction"]
    assert not tree.keep(declared, **options)["failed"] and tree.is_closed and not tree.rules


def test_an_agent_goes_back_to_a_policy_that_is_to_make_it_initiate(lab):
    tree = Tree(lab, directions=(BOTH, NONE, AGENT, NONE))
    declared = {"Top": [INITIATE], "Low": [INHERIT]}
    tree.keep(declared, unset=["Top"])
    assert tree.is_closed
    assert not tree.keep(declared)["failed"] and tree.is_closed


def test_any_tree_any_way_back_any_refusal(lab):
    """What is closed before a run and after one that met no refusal is closed after one that did."""
    drawn = random.Random(12)
    closed = 0
    for _case in range(40):
        restricted = [name for name in NAMES if drawn.random() < 0.4]
        directions = [drawn.choice((AGENT, BOTH, NONE, NONE)) for _name in NAMES]
        declared = {
            name: [part for part in (NEW, OLD, drawn.choice((INITIATE, INITIATE, INHERIT))) if drawn.random() < 0.35]
            for name in NAMES
        }
        options = {"undeclared": "remove"} if drawn.random() < 0.4 else {}
        refused, unset = ([name for name in NAMES if drawn.random() < 0.4] for _kind in range(2))
        lab.reset()
        tree = Tree(lab, restricted, directions)
        if not (any(declared.values()) and tree.is_closed):
            continue
        tree.keep(declared, **options)
        if not tree.is_closed:
            continue
        closed += 1
        lab.reset()
        tree = Tree(lab, restricted, directions)
        tree.keep(declared, refused, unset, **options)
        assert tree.is_closed, (restricted, directions, declared, refused, unset, options)
    assert closed > 15


@pytest.mark.parametrize("listing", ["direct", "effective", "absent"])
def test_what_a_policy_only_inherits_is_given_by_the_one_above(lab, listing):
    """However pages list rules: when the policy above loses the rule, those in between do not have it either."""
    tree = Tree(lab)
    assert not tree.keep({"Top": [NEW]})["failed"]
    lab.switch(rule_ids_with_overrides=listing)
    inherited = {"firewall_restriction": {**RESTRICTION, "accept_inherited": True}}
    assert not tree.keep({"Top": [{"firewall_restriction": {"state": "absent"}}], HOST: [inherited]})["failed"]
    assert tree.is_closed


def test_any_tree_any_document_any_refusal(lab):
    """Drawn from all of them, the same each time."""
    drawn = random.Random(11)
    closed = 0
    for _case in range(60):
        lab.reset()
        lab.switch(rule_ids_with_overrides=drawn.choice(["direct", "effective", "absent"]))
        restricted = [name for name in NAMES if drawn.random() < 0.4]
        tree = Tree(lab, restricted, [drawn.choice((AGENT, BOTH, NONE, NONE)) for _name in NAMES])
        declared = {
            name: [
                *([NEW] if drawn.random() < 0.4 else []),
                *(
                    [{"firewall_restriction": {**RESTRICTION, "accept_inherited": True}}]
                    if drawn.random() < 0.3
                    else []
                ),
                *([OLD] if drawn.random() < 0.4 else []),
                *([BOTH_WAYS] if drawn.random() < 0.4 else []),
            ]
            for name in NAMES
        }
        restrictions = [facets.get("firewall_restriction", {}) for some in declared.values() for facets in some]
        to_be = any("source_ips" in one for one in restrictions)
        if not (to_be and tree.is_closed):
            continue
        closed += 1
        refused = [name for name in NAMES if drawn.random() < 0.3]
        options = {"undeclared": "remove"} if drawn.random() < 0.5 else {}
        tree.keep(declared, refused, **options)
        assert tree.is_closed, (restricted, declared, refused, options)
    assert closed > 20
