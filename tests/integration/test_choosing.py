# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which policies and computers the options of targets choose: by names, patterns, places in trees, and queries."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.targets import Selector, resolve
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.in_process import NAMESPACE, run_tasks
from tests.integration.support import connection, run_facet, run_profiles, writes
from tests.lab.manager.process import LabManager


class Chosen(t.NamedTuple):
    """The IDs of the policies and of the computers, what is missing, and what is said of it."""

    policies: list[int]
    computers: list[int]
    missing: list[str]
    warnings: list[str]


def choose(lab: LabManager, **options: t.Any) -> Chosen:
    """What the options choose."""
    lab.clear_requests()
    with Transport(connection(lab)) as transport:
        fleet = Fleet(Client(transport))
        ((targets, missing),) = resolve(fleet, [Selector.from_options(options, "")])
    computers = [target.id for target in targets if isinstance(target, Computer)]
    assert len(targets) == len(set(targets))
    policies = [target.id for target in targets if not isinstance(target, Computer)]
    return Chosen(policies, computers, [f"{one.type} {one.key}: {one.reason}" for one in missing], fleet.warnings)


def refused(lab: LabManager, **options: t.Any) -> str:
    """What is said of options that choose nothing, or nothing that there is."""
    with pytest.raises(OptionError) as caught:
        choose(lab, **options)
    return str(caught.value)


def asked(lab: LabManager) -> list[str]:
    """What was searched since, each kind once."""
    return sorted({one["path"].removeprefix("/api") for one in lab.requests() if one["method"] == "POST"})


def policies(lab: LabManager) -> dict[int, dict[str, t.Any]]:
    return {one["ID"]: one for one in lab.api("GET", "/policies")["policies"]}


def computers(lab: LabManager) -> dict[int, dict[str, t.Any]]:
    return {one["ID"]: one for one in lab.api("GET", "/computers", query={"expand": "none"})["computers"]}


def below(lab: LabManager, number: int) -> set[int]:
    found = {one["ID"] for one in policies(lab).values() if one.get("parentID") == number}
    return found.union(*(below(lab, one) for one in found))


# -- policies


def test_all_policies_by_the_word_alone(lab):
    everything = set(policies(lab))
    assert set(choose(lab, policies="all").policies) == everything
    assert asked(lab) == ["/policies/search"]
    # In a list it is a name; and a list may be written as text, as Ansible lets one do.
    assert "option 'policies' is 'all': the manager has no policy of that name" in refused(lab, policies=["all"])
    called_all = lab.api("POST", "/policies", {"name": "all"})["ID"]
    other = min(everything)
    assert choose(lab, policies=["all"]).policies == [called_all]
    assert choose(lab, policies="all, " + policies(lab)[other]["name"]).policies == [called_all, other]
    assert choose(lab, policies=other).policies == [other]
    assert set(choose(lab, policies="all", policies_matching=["*"]).policies) == everything | {called_all}
    assert "'All': the manager has no policy of that name; nearest: 'all'" in refused(lab, policies="All")
    for wrong in ({"all": True}, 7.5, True):
        assert "it must be a list of names (text) or IDs (whole numbers above 0), or the word all" in refused(
            lab, policies=wrong
        )


def test_policies_below_others_without_these(lab):
    base = next(one for one in policies(lab).values() if not one.get("parentID"))
    inner = next(one for one in policies(lab).values() if below(lab, one["ID"]) and one.get("parentID"))
    leaf = next(one for one in policies(lab).values() if not below(lab, one["ID"]))
    assert set(choose(lab, below=[base["name"]]).policies) == set(policies(lab)) - {base["ID"]}
    assert set(choose(lab, below=[inner["ID"]]).policies) == below(lab, inner["ID"])
    # Below both is what is below the first, with the second among it.
    assert set(choose(lab, below=[base["ID"], inner["name"]]).policies) == set(policies(lab)) - {base["ID"]}
    chosen = choose(lab, below=[inner["name"]], policies=[inner["name"]])
    assert set(chosen.policies) == below(lab, inner["ID"]) | {inner["ID"]}
    assert asked(lab) == ["/policies/search"]
    assert f"option 'below' is '{leaf['ID']}': no policy is below it; allow_empty: true" in refused(
        lab, below=[leaf["ID"]], policies="all"
    )
    assert choose(lab, below=[leaf["ID"]], allow_empty=True) == ([], [], [], [])
    assert "option 'below' is 'Nobody': the manager has no policy of that name" in refused(lab, below=["Nobody"])
    absent = choose(lab, below=["Nobody"], policies=[leaf["ID"]], allow_missing=True)
    assert absent.policies == [leaf["ID"]] and absent.missing == [
        "policy Nobody: the manager has no policy of that name"
    ]


def test_policies_in_a_circle_are_below_each_other(lab):
    """No manager should say so; a task must end all the same."""
    names = [one["name"] for one in policies(lab).values()]
    circle = {number: {**one, "parentID": 2 if number == 1 else 1} for number, one in [(1, {}), (2, {})]}
    body = {"policies": [{"ID": n, "name": names[n], **one} for n, one in circle.items()]}
    lab.add_fault(path="/policies/search", times=0, action={"kind": "body", "body": json.dumps(body)})
    assert choose(lab, below=[1]).policies == [2]
    assert choose(lab, below=[1, 2]).policies == [1, 2]
    assert choose(lab, policies_query=f"[?path == '{names[2]}/{names[1]}']").policies == [1]
    lab.clear_faults()


@pytest.mark.parametrize("pattern", ["*Server*", "Linux*", "?ase Policy", "[BL]*", "[!B]*", "linux*"])
def test_policies_by_patterns_to_the_letter(lab, pattern):
    expected = {number for number, one in policies(lab).items() if fnmatch.fnmatchcase(one["name"], pattern)}
    if expected:
        assert set(choose(lab, policies_matching=[pattern]).policies) == expected
    else:
        assert (
            f"option 'policies_matching' is '{pattern}': it matches the name of no policy; nearest: 'Linux"
            in refused(lab, policies_matching=[pattern])
        )
    assert "*" not in "".join(one["name"] for one in policies(lab).values())


def test_patterns_that_match_nothing(lab):
    some = "Base Policy"
    said = refused(lab, policies=[some], policies_matching=["Nobody*", "Base*"])
    assert said == (
        "option 'policies_matching' is 'Nobody*': it matches the name of no policy; allow_empty: true allows that"
    )
    assert "option 'computers_matching' is 'nobody-*'" in refused(lab, computers_matching=["nobody-*"])
    for options in ({"allow_empty": True}, {"allow_missing": True}):
        chosen = choose(lab, policies=[some], computers_matching=["nobody-*"], **options)
        assert len(chosen.policies) == 1 and not chosen.computers
        assert bool(chosen.missing) == ("allow_missing" in options)
    # A pattern is no name: nothing else has wildcards.
    assert "the manager has no policy of that name" in refused(lab, policies=["Base*"])
    assert "the manager has no computer of that name" in refused(lab, computers=["*"])
    assert "it must hold patterns such as 'web-*', and these are text" in refused(lab, policies_matching=[7])
    assert "and not an empty one" in refused(lab, computers_matching=["a", " "])


def test_patterns_hold_what_names_may_hold(lab):
    names = ["[a]*", "x\n{{ 7*7 }}", "ΣΑΣ"]
    numbers = [lab.api("POST", "/policies", {"name": name})["ID"] for name in names]
    for pattern, number in (("[[]a]?", numbers[0]), ("x*7 }}", numbers[1]), ("?Α?", numbers[2])):
        assert choose(lab, policies_matching=[pattern]).policies == [number]
    evil = "[" + "a*" * 200 + "]" * 50 + "*" * 200 + "b"
    assert "it matches the name of no policy" in refused(lab, policies_matching=[evil])


def test_a_query_over_policies(lab):
    base = next(one for one in policies(lab).values() if not one.get("parentID"))
    inner = next(one for one in policies(lab).values() if below(lab, one["ID"]) and one.get("parentID"))
    path = f"{base['name']}/{inner['name']}"
    mark = lab.api("POST", "/policies", {"name": "marked", "description": "PCI {{ x }}", "parentID": inner["ID"]})["ID"]
    for query, expected in (
        (f"[?path == '{path}']", {inner["ID"]}),
        (f"[?starts_with(path, '{path}/')]", below(lab, inner["ID"])),
        (f"[?parent == '{inner['name']}' && contains(description, 'PCI')]", {mark}),
        ("[?parent == '']", {base["ID"]}),
        (f"[?id == `{mark}`] | [0:1]", {mark}),
        ("[?name == 'marked' || name == 'Base Policy']", {mark, base["ID"]}),
    ):
        assert set(choose(lab, policies_query=query).policies) == expected, query
        assert asked(lab) == ["/policies/search"]
    for query, said in (
        ("[?name == 'markd']", "the manager has no policy 'markd'; nearest: 'marked'; allow_missing: true allows that"),
        (f"[?path != '{inner['name']}/x']", "the manager has no policy"),
        ("[?parent == 'Nobody']", "the manager has no policy 'Nobody'"),
        ("[?description == 'nothing']", f"it selects none of the {len(policies(lab))} policies that the manager lists"),
        ("[?title == 'x']", "policies have no field 'title'"),
    ):
        assert said in refused(lab, policies="all", policies_query=query)
    missing = choose(lab, policies_query="[?name == 'markd' || id == `1`]", allow_missing=True)
    assert missing.policies == [1] and len(missing.missing) == 1
    assert choose(lab, policies_query="[?description == 'nothing']", allow_empty=True).policies == []


@pytest.mark.parametrize("replies", ["whole", "id_only", "null_properties", "without_parent"])
def test_descriptions_and_paths_however_the_manager_shows_overrides(lab, replies):
    mark = lab.api("POST", "/policies", {"name": "marked", "description": "PCI", "parentID": 1})["ID"]
    lab.switch(override_replies=replies)
    query = f"[?description == 'PCI' && path == '{policies(lab)[1]['name']}/marked']"
    assert choose(lab, policies_query=query).policies == [mark]
    assert len(lab.requests()) <= 3


# -- computers


def test_names_of_computers_whatever_their_case(lab):
    """Searched for first, in few requests, whether or not the manager's searches ignore case."""
    one = lab.api("POST", "/computers", {"hostName": "Web-01.Example.COM", "displayName": "Shop Front"})["ID"]
    for ignores in (False, True):
        lab.switch(string_tests_ignore_case=ignores)
        assert choose(lab, computers=["Web-01.Example.COM"]).computers == [one]
        assert len(lab.requests()) == 1
        assert choose(lab, computers=["Shop Front"]).computers == [one]
        assert len(lab.requests()) == 2
        for spelling in ("web-01.example.com", "WEB-01.EXAMPLE.COM", " web-01.example.com"):
            assert choose(lab, computers=[spelling]).computers == [one]
            assert asked(lab) == ["/computers/search"] and len(lab.requests()) <= 6
        assert choose(lab, computers=["shop front", "web-01.EXAMPLE.com", one]).computers == [one]
        # The same where the fleet is listed.
        assert choose(lab, computers=["SHOP FRONT"], computers_query=f"[?id == `{one}`]").computers == [one]
        said = refused(lab, computers=["web-02.example.com"])
        assert "'web-02.example.com': the manager has no computer of that name; nearest: 'Web-01.Example.COM'" in said
        assert choose(lab, computers=["web-02.example.com"], allow_missing=True, allow_empty=True).computers == []


@pytest.mark.parametrize("ignores", [False, True])
def test_case_is_that_of_a_to_z(lab, ignores):
    """As in DNS: what other rules of case make equal are two names."""
    lab.api("POST", "/computers", {"hostName": "stra\u00dfe.example.com"})
    lab.switch(string_tests_ignore_case=ignores)
    for other in ("strasse.example.com", "STRASSE.example.com"):
        assert "the manager has no computer of that name" in refused(lab, computers=[other])


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_names_that_differ_in_case_alone(lab, ignores, listed):
    """To the letter comes first: then both can be named, whatever the way that they are found in."""
    upper = lab.api("POST", "/computers", {"hostName": "TWIN.example.com"})["ID"]
    lower = lab.api("POST", "/computers", {"hostName": "twin.example.com"})["ID"]
    display = lab.api("POST", "/computers", {"hostName": "other", "displayName": "Twin.example.com"})["ID"]
    lab.switch(string_tests_ignore_case=ignores)
    options = {"computers_query": "[:1]"} if listed else {}
    for name, number in (("TWIN.example.com", upper), ("twin.example.com", lower), ("Twin.example.com", display)):
        assert number in choose(lab, computers=[name], **options).computers
    said = refused(lab, computers=["tWIN.example.com"], **options)
    assert f"2 have that name: ID {upper} (display name '', Unknown), ID {lower} (display name ''" in said


def test_groups_and_what_is_below_them(lab):
    groups = {one["ID"]: one for one in lab.api("GET", "/computergroups")["computerGroups"]}
    inner = next(one for one in groups.values() if one.get("parentGroupID"))
    outer = groups[inner["parentGroupID"]]
    path = f"{outer['name']}/{inner['name']}"
    inside = {number for number, one in computers(lab).items() if one.get("groupID") == inner["ID"]}
    within = {outer["ID"]} | {number for number, one in groups.items() if one.get("parentGroupID") == outer["ID"]}
    all_inside = {number for number, one in computers(lab).items() if one.get("groupID") in within}
    assert inside < all_inside
    for key, expected in (
        (path, inside),
        (inner["ID"], inside),
        (outer["name"], all_inside),
        (outer["ID"], all_inside),
    ):
        assert set(choose(lab, computer_groups=[key]).computers) == expected
        assert asked(lab) == ["/computergroups/search", "/computers/search"]
    assert set(choose(lab, computers_query=f"[?group_path == '{path}']").computers) == inside
    assert set(choose(lab, computers_query=f"[?starts_with(group_path, '{outer['name']}/')]").computers) == all_inside
    said = refused(lab, computer_groups=[inner["name"]])
    assert (
        f"option 'computer_groups' is '{inner['name']}': the manager has no group of computers of that path; nearest: "
        in said
    )
    assert f"/{inner['name']}'" in said
    assert "no group of computers of that ID" in refused(lab, computer_groups=[10**9])
    for one in inside:
        lab.api("POST", f"/computers/{one}", {"groupID": outer["ID"]})
    assert "no computer is in it, or below; allow_empty" in refused(lab, computer_groups=[path], policies="all")
    assert choose(lab, computer_groups=[path], allow_empty=True).computers == []


def test_groups_of_one_path_are_told_apart_by_ids(lab):
    """A name may hold a slash."""
    body = {
        "computerGroups": [{"ID": 1, "name": "a"}, {"ID": 2, "name": "b", "parentGroupID": 1}, {"ID": 3, "name": "a/b"}]
    }
    lab.add_fault(path="/computergroups/search", times=0, action={"kind": "body", "body": json.dumps(body)})
    assert "option 'computer_groups' is 'a/b': 2 have that name: ID 2, ID 3. Name one by its ID" in refused(
        lab, computer_groups=["a/b"]
    )
    lab.clear_faults()


def test_computers_by_patterns_whatever_their_case(lab):
    lab.api("POST", "/computers", {"hostName": "192.0.2.1", "displayName": "Shop 1"})
    two = lab.api("POST", "/computers", {"hostName": "192.0.2.2", "displayName": "Shop 2"})["ID"]
    known = computers(lab)
    expected = {n for n, one in known.items() if fnmatch.fnmatchcase(one["hostName"].lower(), "fra*")}
    site = next(iter(known.values()))["hostName"][:3]
    expected = {n for n, one in known.items() if one["hostName"].lower().startswith(site.lower())}
    for pattern in (f"{site.lower()}*", f"{site.upper()}*"):
        assert set(choose(lab, computers_matching=[pattern]).computers) == expected
        assert asked(lab) == ["/computers/search"]
    assert choose(lab, computers_matching=["shop [!1]"]).computers == [two]
    assert set(choose(lab, computers_matching=["*"]).computers) == set(known)


def test_computers_by_address_version_and_family(lab):
    lab.api("POST", "/computers", {"hostName": "new.example.com"})
    known = computers(lab)
    network = ipaddress.ip_network("10.1.0.0/16")
    here = {n for n, one in known.items() if one["lastIPUsed"] and ipaddress.ip_address(one["lastIPUsed"]) in network}
    assert here
    assert set(choose(lab, computers_query=f"[?in_network(last_ip, '{network}')]").computers) == here
    assert asked(lab) == ["/computers/search"]
    versions = {n: tuple(map(int, one["agentVersion"].split("."))) for n, one in known.items()}
    without = sum(not any(version) for version in versions.values())
    old = {n for n, version in versions.items() if any(version) and version < (20, 0, 0, 1000)}
    assert old and without
    chosen = choose(lab, computers_query="[?version_lt(agent_version, '20.0.0.1000')]")
    assert set(chosen.computers) == old
    assert chosen.warnings == [
        f"option 'computers_query': {without} of the {len(known)} computers have no agent version, or none that can be"
        " read; a comparison of versions is neither true nor false for them, negated or not"
    ]
    others = choose(lab, computers_query="[?!version_lt(agent_version, '20.0.0.1000')]")
    assert others.warnings == chosen.warnings and not set(others.computers) & old
    assert len(others.computers) + len(old) + without == len(known)
    windows = {n for n, one in known.items() if "Windows" in one["platform"]}
    assert set(choose(lab, computers_query="[?platform_family == 'windows']").computers) == windows
    said = refused(lab, computers_query="[?platform_family == 'Windows']")
    assert "the manager has no platform family 'Windows'; nearest: 'windows'" in said
    policy = next(one["policyID"] for one in known.values() if one.get("policyID"))
    path = run_tasks(lab, [{f"{NAMESPACE}.policy_info": {"policies": [policy]}}]).results[0]["policies"][0]["path"]
    users = {n for n, one in known.items() if one.get("policyID") == policy}
    assert set(choose(lab, computers_query=f"[?policy_path == '{path}']").computers) == users


# -- in modules


def test_all_problems_of_all_profiles_in_one_error(lab):
    profiles = [
        {"name": "a", "below": ["Nobody"], "heartbeat": {"interval": "7"}},
        {"name": "b", "computer_groups": ["Nowhere"], "policies_matching": ["no*"], "heartbeat": {"interval": "7"}},
        {"name": "c", "policies_query": "[?name == 'x']", "heartbeat": {"interval": "7"}},
        {"name": "d", "computers_query": "[?abs(id) < `0`]", "heartbeat": {"interval": "7"}},
        *(
            {"name": f"m{number}", "computers_matching": [f"nobody{number}"], "heartbeat": {"interval": "7"}}
            for number in range(30)
        ),
    ]
    lab.clear_requests()
    with pytest.raises(OptionError) as caught:
        run_profiles(lab, profiles)
    said = str(caught.value)
    for option in (
        "[a].below",
        "[b].computer_groups",
        "[b].policies_matching",
        "[c].policies_query",
        "[d].computers_query",
    ):
        assert f"option 'profiles{option}'" in said
    assert "'profiles[m0].computers_matching'" in said and "'profiles[m29]" not in said
    assert said.endswith("and 15 more problems") and not writes(lab)


def test_every_way_to_choose_in_a_document(lab):
    lab.api("POST", "/computers", {"hostName": "new.example.com"})
    inner = next(one for one in policies(lab).values() if below(lab, one["ID"]) and one.get("parentID"))
    group = lab.api("GET", "/computergroups")["computerGroups"][0]["name"]
    profiles = [
        {"name": "below", "below": [inner["name"]]},
        {"name": "all", "policies": "all"},
        {"name": "matching", "policies_matching": ["Base*"], "computers_matching": ["*.corp.example.com"]},
        {
            "name": "queried",
            "policies_query": "[?parent == '']",
            "computers_query": "[?version_ge(agent_version, '20')]",
        },
        {"name": "group", "computer_groups": [group]},
    ]
    document = [{**one, "heartbeat": {"missed_before_alert": "9"}} for one in profiles]
    planned = run_profiles(lab, document, check=True)
    assert not writes(lab) and planned["changed"]
    assert any("have no agent version" in warning for warning in planned["warnings"])
    done = run_profiles(lab, document)
    assert done["digest"] == planned["digest"] and not done["failed_targets"]
    assert not run_profiles(lab, document)["changed"]
    chosen = {one["id"] for one in done["changed_targets"] if one["type"] == "policy"}
    assert chosen == set(policies(lab))


def test_modules_with_one_facet_and_modules_that_read(lab):
    lab.api("POST", "/computers", {"hostName": "new.example.com"})
    inner = next(one for one in policies(lab).values() if below(lab, one["ID"]) and one.get("parentID"))
    under = below(lab, inner["ID"])
    known = computers(lab)
    corp = {n for n, one in known.items() if one["hostName"].endswith(".corp.example.com")}
    group = lab.api("GET", "/computergroups")["computerGroups"][0]["name"]
    result = run_facet(lab, "heartbeat", {"below": [inner["ID"]], "missed_before_alert": "9"}, check=True)
    assert {one["id"] for one in result["changed_targets"]} <= under
    tasks = [
        {f"{NAMESPACE}.policy_info": {"policies": "all"}},
        {f"{NAMESPACE}.policy_info": {"below": [inner["name"]], "overrides": True}},
        {f"{NAMESPACE}.policy_info": {"policies_query": "[?parent == '']"}},
        {f"{NAMESPACE}.policy_info": {"policies_matching": ["No*"], "allow_empty": True}},
        {f"{NAMESPACE}.policy_info": {"policies": ["Base Policy", "Nobody"], "allow_missing": True}},
        {f"{NAMESPACE}.computer_info": {"computers_matching": ["*.CORP.example.com"]}},
        {f"{NAMESPACE}.computer_info": {"computers_matching": ["*.corp.example.com"], "overrides": True}},
        {f"{NAMESPACE}.computer_info": {"computer_groups": [group], "query": "[].group_path"}},
        {f"{NAMESPACE}.computer_info": {"computers": [], "allow_empty": True}},
        {f"{NAMESPACE}.communication_info": {"below": [inner["name"]], "facets": ["heartbeat"]}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_matching": ["*.corp.example.com"], "computers": "all"}},
        {f"{NAMESPACE}.agent_cipher_info": {"computer_groups": [group], "computers": "all"}},
        {f"{NAMESPACE}.agent_cipher_info": {"computers_query": "[?version_lt(agent_version, '20')]"}},
    ]
    lab.clear_requests()
    results = run_tasks(lab, tasks).results
    assert not any(result["failed"] for result in results), [result.get("msg") for result in results]
    every, low, base, none, some, matching, own, paths, nobody, described, judged, in_group, old = results
    assert {one["ID"] for one in every["policies"]} == set(policies(lab))
    assert {one["ID"] for one in low["policies"]} == under and all("path" in one for one in low["policies"])
    assert [one["name"] for one in base["policies"]] == ["Base Policy"] == [one["name"] for one in some["policies"]]
    assert none["policies"] == [] == nobody["computers"]
    assert some["warnings"] == ["the result is without policy 'Nobody': the manager has no policy of that name"]
    assert {one["ID"] for one in matching["computers"]} == corp == {one["ID"] for one in own["computers"]}
    assert all(path == group or path.startswith(f"{group}/") for path in paths["result"]) and paths["result"]
    assert {one["id"] for one in described["targets"]} == under
    assert {one["id"] for one in judged["computers"]} == corp
    assert len(in_group["computers"]) == len(paths["result"])
    assert any("have no agent version" in warning for warning in old["warnings"])
    # Many are read by their pages.
    assert len(corp) > 10 and len(lab.requests()) < 60
