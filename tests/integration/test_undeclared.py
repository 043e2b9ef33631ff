# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides that a document does not declare: kept, reported or removed, within its scope and nowhere else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._facets.heartbeat import Heartbeat
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    HEARTBEAT_OFFLINE_ERRORS,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Policy
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.shared_objects import MARK
from tests.integration.in_process import run_tasks
from tests.integration.scene import APPLY, IP_LIST, RULE, SETTINGS, Scene, Truth
from tests.integration.support import RESTRICTION, names, run_profiles, writes
from tests.integration.test_profile import lineage, mac
from tests.lab.manager.process import LabManager
from tests.lab.replacing_rule import REPLACING

PROFILE = "workload_security.agent.communication_profile"
INTERVAL, DIRECTION = SETTINGS["interval"], SETTINGS["direction"]
HEARTBEAT = {"heartbeat": {"interval": "30"}}


def run(lab, profiles, *, check=False, **options):
    return run_tasks(lab, [{PROFILE: {"profiles": profiles, **options}}], check=check).results[0]


def told(groups):
    """Option, value and targets of groups."""
    return {(one["option"], str(one["before"]), *sorted((*one["policies"], *one["computers"]))) for one in groups}


def set_on(lab, kind, number, **values):
    """Somebody sets something on a policy or computer."""
    key = {"policies": "policySettings", "computers": "computerSettings"}[kind]
    lab.api("POST", f"/{kind}/{number}", {key: {SETTINGS[name]: {"value": value} for name, value in values.items()}})


@pytest.fixture(name="scene")
def scene_fixture(lab) -> Scene:
    """With overrides below Alpha that nobody declared, and one beside."""
    scene = Scene(lab)
    set_on(lab, "policies", scene.keys["Beta"][1], missed_before_alert="4")
    set_on(lab, "computers", scene.keys["one.example.com"][1], interval="5 Minutes", direction="Manager Initiated")
    set_on(lab, "computers", scene.keys["two.example.com"][1], interval="6 Minutes")
    lab.clear_requests()
    return scene


ALPHA = [{"name": "a", "policies": ["Alpha"], **HEARTBEAT}]
FOUND = {
    ("missed_before_alert", "4", "Beta"),
    ("interval", "5", "one.example.com"),
    ("direction", "manager_initiated", "one.example.com"),
}


def test_they_are_kept_unless_told(scene):
    result = run(scene.lab, ALPHA)
    assert "undeclared" not in result and names(result["changed_targets"]) == {"Alpha"}


@pytest.mark.parametrize("check", [True, False])
def test_they_are_reported_and_left_alone(scene, check):
    before = Truth.of(scene.lab)
    result = run(scene.lab, ALPHA, check=check, undeclared="report")
    assert told(result["undeclared"]) == FOUND and "3 overrides that are not declared" in result["summary"]
    assert names(result["changed_targets"]) == {"Alpha"}
    changed = Truth.of(scene.lab).parts_changed_since(before)
    assert changed == (set() if check else {("policy", scene.keys["Alpha"][1], INTERVAL)})
    assert all(one["after"] == "inherited" for one in result["undeclared"])


def test_they_are_removed_and_the_plan_says_so_before(scene):
    lab = scene.lab
    planned = run(lab, ALPHA, check=True, undeclared="remove")
    assert writes(lab) == []
    gone = [one for one in planned["plan"] if one["why"].endswith(", and the document does not declare it")]
    assert told(gone) == FOUND
    done = run(lab, ALPHA, undeclared="remove")
    assert done["plan"] == planned["plan"] and done["digest"] == planned["digest"] and not done["failed"]
    assert len(writes(lab)) == 3, "one write for each target"
    truth = Truth.of(lab)
    assert not truth.targets.get(scene.keys["one.example.com"]) and not truth.targets[scene.keys["Beta"]]
    assert truth.targets[scene.keys["two.example.com"]][INTERVAL] == "6 Minutes", "out of scope"
    lab.clear_requests()
    assert not run(lab, ALPHA, undeclared="remove")["changed"] and writes(lab) == []


def test_a_profile_taken_out_of_the_document_has_its_overrides_gone(scene):
    lab = scene.lab
    both = [*ALPHA, {"name": "b", "policies": ["Beta"], **APPLY.facets}]
    assert not run(lab, both, undeclared="remove")["failed"]
    assert ("firewall_rule", RULE) in Truth.of(lab).objects
    assert not run(lab, ALPHA, undeclared="remove")["failed"]
    truth = Truth.of(lab)
    assert truth.targets[scene.keys["Beta"]] == {}
    assert not {key for key in truth.objects if RULE in key[1]}, "what was made for it is gone, too"


def test_the_scope_can_be_the_fleet(scene):
    result = run(scene.lab, ALPHA, check=True, undeclared="report", scope="fleet", list_targets=True)
    assert any("two.example.com" in one["computers"] for one in result["undeclared"] if one["before"] == 6)
    known = {number for kind, number in Truth.of(scene.lab).targets if kind == "policy"}
    assert len(known) > 4 and len(result["undeclared"]) > len(FOUND)


def test_rules_of_others_that_restrict_the_port_count_and_no_others(scene):
    lab = scene.lab
    ips = lab.api("POST", "/iplists", {"name": "Theirs", "items": ["198.51.100.0/24"]})["ID"]
    fields = {"priority": "4", "direction": "incoming", "frameType": "ip", "protocol": "tcp", "action": "bypass"}
    source = {"sourceIPType": "ip-list", "sourceIPListID": ips, "destinationPortType": "multiple"}
    theirs = lab.api(
        "POST", "/firewallrules", {"name": "Theirs", **fields, **source, "destinationPortMultiple": ["4118"]}
    )["ID"]
    web = lab.api("POST", "/firewallrules", {"name": "Web", **fields, **source, "destinationPortMultiple": ["443"]})[
        "ID"
    ]
    beta = scene.keys["Beta"][1]
    lab.api("POST", f"/policies/{beta}/firewall/assignments", {"ruleIDs": [theirs, web]})
    lab.clear_requests()
    result = run(lab, ALPHA, check=True, undeclared="report")
    assert ("Theirs", "assigned", "Beta") in told(result["undeclared"])
    assert not [one for one in result["undeclared"] if one["option"] == "Web"]
    document = [{**ALPHA[0], "firewall_restriction": RESTRICTION}, {"name": "b", "policies": ["Beta"], **HEARTBEAT}]
    assert not run(lab, document, undeclared="remove")["failed"]
    truth = Truth.of(lab)
    assert truth.targets[("policy", beta)] == {INTERVAL: "30 Minutes", "rule Web": "assigned"}
    assert ("firewall_rule", "Theirs") in truth.objects and ("ip_list", "Theirs") in truth.objects, "not ours to delete"
    assert truth.targets[scene.keys["Alpha"]][f"rule {RULE}"] == "assigned"


@pytest.mark.parametrize(
    "held", [{"scheduleID": 1}, {"sourceIPNot": True}, {"action": "deny", "priority": "2"}, {"protocol": "udp"}]
)
def test_a_rule_that_the_document_makes_a_restriction_is_undeclared_elsewhere_at_once(scene, held):
    """Not only in the next run, when its options can be declared."""
    lab = scene.lab
    rule = lab.api("POST", "/firewallrules", {"name": RULE, **REPLACING, **held})["ID"]
    beta = scene.keys["Beta"][1]
    lab.api("POST", f"/policies/{beta}/firewall/assignments", {"ruleIDs": [rule]})
    document = [{**ALPHA[0], "firewall_restriction": RESTRICTION}]
    reported = run(lab, document, check=True, undeclared="report")
    assert (RULE, "assigned", "Beta") in told(reported["undeclared"])
    removed = run(lab, document, undeclared="remove")
    assert not removed["failed"] and not [one for one in removed["warnings"] if "no document can declare" in one]
    truth = Truth.of(lab)
    assert f"rule {RULE}" not in truth.targets.get(("policy", beta), {})
    lab.clear_requests()
    assert not run(lab, document, undeclared="remove")["changed"] and writes(lab) == []


@pytest.mark.parametrize("port", ["4118", "443"])
def test_a_rule_with_a_list_that_the_document_makes_readable_is_undeclared_at_once(scene, port):
    lab = scene.lab
    ips = lab.api("POST", "/iplists", {"name": IP_LIST, "items": [], "description": MARK})["ID"]
    source = {"sourceIPType": "ip-list", "sourceIPListID": ips, "destinationPortMultiple": [port]}
    theirs = lab.api("POST", "/firewallrules", {"name": "Theirs", **REPLACING, **source})["ID"]
    beta = scene.keys["Beta"][1]
    lab.api("POST", f"/policies/{beta}/firewall/assignments", {"ruleIDs": [theirs]})
    document = [{**ALPHA[0], "firewall_restriction": RESTRICTION}]
    removed = run(lab, document, undeclared="remove")
    assert not removed["failed"]
    assert ("rule Theirs" in Truth.of(lab).targets.get(("policy", beta), {})) == (port == "443")
    lab.clear_requests()
    assert not run(lab, document, undeclared="remove")["changed"] and writes(lab) == []


def test_a_rule_that_the_document_cannot_make_a_restriction_stays_elsewhere(scene):
    lab = scene.lab
    ips = lab.api("POST", "/iplists", {"name": IP_LIST, "items": ["198.51.100.0/24"]})["ID"]
    lab.api("POST", "/firewallrules", {"name": "Web", "sourceIPType": "ip-list", "sourceIPListID": ips})
    rule = lab.api("POST", "/firewallrules", {"name": RULE, **REPLACING, "scheduleID": 1})["ID"]
    beta = scene.keys["Beta"][1]
    lab.api("POST", f"/policies/{beta}/firewall/assignments", {"ruleIDs": [rule]})
    document = [{**ALPHA[0], "firewall_restriction": RESTRICTION}]
    result = run(lab, document, undeclared="remove")
    assert [one["name"] for one in result["failed_targets"]] == ["Alpha"]
    assert Truth.of(lab).targets["policy", beta][f"rule {RULE}"] == "assigned"


def test_a_mac_keeps_what_keeps_it_agent_initiated(lab):
    some = mac(lab)
    chain = lineage(lab, some["policyID"])
    for policy in chain:
        set_on(lab, "policies", policy["ID"], direction="")
    set_on(lab, "policies", chain[-1]["ID"], direction="Bidirectional")
    set_on(lab, "computers", some["ID"], direction="Agent/Appliance Initiated")
    other = lab.api("POST", "/computers", {"hostName": "linux.example.com", "policyID": some["policyID"]})["ID"]
    set_on(lab, "computers", other, direction="Agent/Appliance Initiated")
    profiles = [{"name": "a", "policies": [chain[-1]["ID"]], "communication_direction": {"direction": "bidirectional"}}]
    # That policy reaches the Mac only as far as its own override lets it.
    result = run(lab, profiles, undeclared="remove", list_targets=True)
    reasons = {one["id"]: one["reason"] for one in result["failed_targets"]}
    assert "agents on macOS only support agent_initiated" in reasons[some["ID"]]
    truth = Truth.of(lab)
    assert truth.targets[("computer", some["ID"])][DIRECTION] == "Agent/Appliance Initiated"
    assert DIRECTION not in truth.targets.get(("computer", other), {})


def test_the_clouds_own_heartbeat_is_shown_and_is_no_drift(cloud_lab):
    lab = cloud_lab
    number = lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"][0]["ID"]
    lab.switch(cloud_heartbeat_write="ignored")
    result = run(lab, [{"name": "a", "policies": [number], "communication_direction": {"direction": "agent_initiated"}}],
                 check=True, undeclared="report", scope="fleet", deployment=lab.deployment)  # fmt: skip
    assert not result["failed"], result
    options = {one["option"] for one in result["undeclared"]}
    assert not options & {"interval", "missed_before_alert", "maximum_clock_change"}


def test_what_the_vendor_has_set_in_the_cloud_is_said_to_the_end(cloud_lab):
    """A policy that the vendor gave another heartbeat: no drift, nothing to remove, and a warning that names it."""
    lab = cloud_lab
    lab.reset()
    policy = lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"][0]
    value = {INTERVAL: {"value": "5 Minutes"}, SETTINGS["missed_before_alert"]: {"value": "4"}}
    lab.add_fault(
        path="^/policies/search$",
        times=0,
        action={"kind": "mutate", "pointer": "/policies/0/policySettings", "to": {"value": value}},
    )
    profiles = [{"name": "a", "policies": [policy["ID"]], "communication_direction": {"direction": "agent_initiated"}}]
    lab.clear_requests()
    for what in ("report", "remove"):
        result = run(lab, profiles, check=True, undeclared=what, scope="fleet", deployment="cloud")
        assert not result["failed"], result
        of_heartbeat = {one["option"] for one in [*result["plan"], *result.get("undeclared", [])]}
        assert not of_heartbeat & {"interval", "missed_before_alert"}
        for note in ("heartbeat.interval is 5 on policy", "heartbeat.missed_before_alert is 4 on policy"):
            (told,) = [one for one in result["warnings"] if one.startswith(note)]
            assert f"(ID {policy['ID']}). In the cloud only the vendor sets it" in told
    assert writes(lab) == []


@pytest.mark.parametrize("check", [True, False])
def test_a_document_without_profiles_changes_nothing_and_never_empties_a_manager(scene, check):
    lab = scene.lab
    before = Truth.of(lab)
    kept, nobody, all_of_it, refused, emptied = (
        run(lab, [], check=check, **options)
        for options in (
            {},
            {"undeclared": "report"},
            {"undeclared": "report", "scope": "fleet"},
            {"undeclared": "remove"},
            {"undeclared": "remove", "scope": "fleet"},
        )
    )
    assert not kept["failed"] and not kept["changed"] and "undeclared" not in kept
    assert not nobody["failed"] and nobody["undeclared"] == [], "nobody is in its scope"
    assert not all_of_it["changed"] and told(all_of_it["undeclared"]) >= {("missed_before_alert", "4", "Beta")}
    for result in (refused, emptied):
        assert result["failed"] and "option 'profiles' is '[]'" in result["msg"]
        assert result["failure"]["code"] == "bad_option"
    assert Truth.of(lab) == before


def test_what_only_the_vendor_sets_in_the_cloud():
    facet = Heartbeat("cloud")
    for number, interval in ((1, 5), (2, 5), (3, 10)):
        held = {HEARTBEAT_INTERVAL: interval, HEARTBEAT_MISSED_BEFORE_ALERT: 2, HEARTBEAT_OFFLINE_ERRORS: True}
        found = facet.undeclared(None, Policy(number, f"P{number}", None, held, frozenset()), None)
        assert [step.key for step in found.steps] == ["raise_offline_errors_for_inactive_vms"]
        assert found.wish.values == {HEARTBEAT_OFFLINE_ERRORS: "inherited"}
    (note,) = facet.notes()
    assert "heartbeat.interval is 5 on policy 'P1' (ID 1), policy 'P2' (ID 2). In the cloud only the vendor" in note
    on_premises = Heartbeat("on_premises")
    found = on_premises.undeclared(None, Policy(1, "P", None, {HEARTBEAT_INTERVAL: 10}, frozenset()), None)
    assert [step.key for step in found.steps] == ["interval"] and on_premises.notes() == []


def test_what_it_costs(lab):
    profiles = [{"name": "a", "policies": ["Base Policy"], **HEARTBEAT}]
    run(lab, profiles, undeclared="report", check=True)
    reads = len(lab.requests())
    assert reads <= 10 and writes(lab) == [], "pages, whatever the number of computers"


SOME = st.sampled_from
VALUES = {
    "interval": ["5 Minutes", "7 Minutes", ""],
    "missed_before_alert": ["3", ""],
    "direction": ["Bidirectional", ""],
}


@pytest.fixture(name="own_lab", scope="module")
def own_lab_fixture():
    with LabManager(computers=12, policies=6, seed=5) as lab:
        yield lab


@settings(max_examples=15)
@given(st.data())
def test_after_a_removal_nothing_is_undeclared_and_nothing_else_was_touched(own_lab: LabManager, data) -> None:
    lab = own_lab
    lab.reset()
    scene = Scene(lab)
    for kind, number in scene.keys.values():
        set_on(lab, {"policy": "policies", "computer": "computers"}[kind], number,
               **{name: data.draw(SOME(values)) for name, values in VALUES.items()})  # fmt: skip
    named = data.draw(st.sets(SOME(list(scene.keys)), min_size=1))
    profiles = [{**scene.profiles(APPLY, named)[0], "heartbeat": {"interval": "7"}}]
    for facet in ("communication_direction", "firewall_restriction"):
        if data.draw(st.booleans()):
            del profiles[0][facet]
    before = Truth.of(lab)
    result = run(lab, profiles, undeclared="remove", list_targets=True)
    assert not result["failed"], result
    after = Truth.of(lab)
    again = run(lab, profiles, check=True, undeclared="report")
    assert again["undeclared"] == [] and not again["changed"]
    below = {"Alpha": {"Beta", "one.example.com"}, "Beta": {"one.example.com"}}
    scope = {scene.keys[one] for name in named for one in (name, *below.get(name, ()))}
    assert {key[:2] for key in after.parts_changed_since(before)} <= scope
    assert run_profiles(lab, profiles, check=True)["changed"] is False


# -- any rules, any document


NAMES_OF_RULES = ("R", "R ", "r", "R2", "caf\xe9", "cafe\u0301", RULE)
NAMES_OF_LISTS = ("L", "L ", "R (IPs)", "R2 (IPs)", IP_LIST)
ITEMS = ([], ["192.0.2.1"], ["0.0.0.0/0"], ["192.0.2.0/24 # x", "# only"])
# What makes a rule one that a document can declare, or not, or one that does not restrict the port.
MAKES: tuple[dict, ...] = (
    {}, {"sourceIPNot": True}, {"scheduleID": 1}, {"action": "force-allow"}, {"action": "deny", "priority": "2"},
    {"sourceIPType": "single", "sourceIPValue": "192.0.2.9"}, {"sourceIPType": "any"}, {"protocol": "udp"},
)  # fmt: skip


def some_rules(lab: LabManager, chance: random.Random) -> list[int]:
    """Rules and lists with names that nearly are those of others, made by this collection or somebody else."""
    lists = [
        lab.api(
            "POST", "/iplists", {"name": name, "items": chance.choice(ITEMS), "description": chance.choice(("", MARK))}
        )["ID"]
        for name in chance.sample(NAMES_OF_LISTS, chance.randint(1, 4))
    ]
    return [
        lab.api("POST", "/firewallrules", {**REPLACING, "name": name, "description": chance.choice(("", MARK)),
                "sourceIPType": "ip-list", "sourceIPListID": chance.choice(lists), **chance.choice(MAKES)})["ID"]
        for name in chance.sample(NAMES_OF_RULES, chance.randint(0, 5))
    ]  # fmt: skip


def some_profiles(scene: Scene, chance: random.Random) -> list[dict]:
    """Restrictions of some targets. A rule is declared in one way."""
    ways: dict[str, dict] = {}
    profiles = []
    for number in range(chance.randint(1, 3)):
        name = chance.choice(NAMES_OF_RULES)
        state = chance.choice(("present", "present", "assigned", "absent"))
        wanted = {"rule_name": name, "state": state}
        if state == "present":
            way = {"source_ips": chance.choice((["192.0.2.1"], ["192.0.2.0/25", "192.0.2.128/25"]))}
            way |= {"ip_list_name": chance.choice(NAMES_OF_LISTS)} if chance.random() < 0.4 else {}
            wanted |= {**ways.setdefault(name.strip(), way), "allow_manager_lockout": True}
            wanted |= {"allow_shared_lists": chance.random() < 0.6, "accept_inherited": chance.random() < 0.3}
        named = chance.sample(list(scene.keys), chance.randint(1, 2))
        targets = scene.profiles(APPLY, named)[0]
        profiles.append(
            {
                "name": f"p{number}",
                **{kind: targets[kind] for kind in ("policies", "computers")},
                "firewall_restriction": wanted,
            }
        )
    return profiles


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_a_second_run_does_nothing_whatever_rules_there_are(own_lab: LabManager, seed: int) -> None:
    """And check mode says what the first one does."""
    lab, chance = own_lab, random.Random(seed)
    lab.reset()
    scene = Scene(lab)
    rules = some_rules(lab, chance)
    for kind, number in scene.keys.values():
        path = f"/{'policies' if kind == 'policy' else 'computers'}/{number}/firewall/assignments"
        lab.api("PUT", path, {"ruleIDs": [rule for rule in rules if chance.random() < 0.3]})
    profiles = some_profiles(scene, chance)
    options = {
        "undeclared": chance.choice(("keep", "report", "remove", "remove")),
        "scope": "fleet",
        "list_targets": True,
    }
    foreseen = run(lab, profiles, check=True, **options)
    before = Truth.of(lab)
    result = run(lab, profiles, **options)
    if "plan" not in result:
        assert result["failure"]["code"] == "bad_option" and result["msg"] == foreseen["msg"]
        return
    same = ("changed", "plan", "digest", "counts", "objects", "warnings", "failed_targets")
    assert {one: result.get(one) for one in same} == {one: foreseen.get(one) for one in same}
    after = Truth.of(lab)
    changed = {(one["type"], one["id"]) for one in result["changed_targets"]}
    assert {key[:2] for key in after.parts_changed_since(before)} == changed
    assert after.objects_changed_since(before) == {(one["type"], one["name"]) for one in result["objects"]}
    if result["failed"]:
        # What was refused, because another rule used a list, may be done once that rule no longer uses it.
        return
    lab.clear_requests()
    again = run(lab, profiles, **options)
    assert not again["changed"] and not again["failed"] and writes(lab) == []
