# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is believed of a reply, and what is said of a write that cannot be looked after, over a real connection."""

from __future__ import annotations

import functools
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import client as client_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.checks import all_fit, check
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import MOST_OBJECTS, Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import (
    BadReply,
    Forbidden,
    ManagerError,
    NotFound,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import (
    COMPUTER,
    COMPUTER_GROUP,
    FIREWALL_RULE,
    IP_LIST,
    MAC_LIST,
    POLICY,
    PORT_LIST,
    SCHEDULED_TASK,
)
from tests.unit.manager.https_server import reply

KINDS = (POLICY, COMPUTER, COMPUTER_GROUP, FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST)
PORTAL = reply({"status": "DOWN"})
FORBIDDEN = reply({"message": "Not authorized to view firewall rules."}, status=403)
GONE = reply({"message": "The firewall rule does not exist."}, status=404)
RULE = {"ID": 7, "name": "Rule"}


def listed(kind: t.Any, client: Client, **options: t.Any) -> list[dict[str, t.Any]]:
    return [item for page in client.pages(kind, **options) for item in page]


def bodies(it: t.Any) -> list[dict[str, t.Any]]:
    return [json.loads(request.body) for request in it.server.requests]


# -- one boundary


READS: dict[str, t.Callable[[Client], t.Any]] = {
    **{f"list {kind.noun}": lambda client, kind=kind: listed(kind, client) for kind in KINDS},
    **{f"find {kind.noun}": lambda client, kind=kind: client.named(kind, "x") for kind in KINDS[2:]},
    **{f"get {kind.noun}": lambda client, kind=kind: client.get(kind, 7) for kind in KINDS},
    "overrides": lambda client: client.get(COMPUTER, 7, overrides=True),
    "known": lambda client: client.known(COMPUTER, [7, 9], overrides=True),
    "default policy": lambda client: client.default_settings(),
    "system settings": lambda client: client.system_settings(),
    "system setting": lambda client: client.system_setting("x"),
    "assignments": lambda client: client.assigned_rules(POLICY, 7),
    "modify": lambda client: client.modify(POLICY, 7, {}),
    "modify system settings": lambda client: client.modify_system_settings({}),
    "rules there": lambda client: client.rules_on(POLICY, 7),
    "assign": lambda client: client.assign_rules(POLICY, 7, [1]),
    "create": lambda client: client.create(FIREWALL_RULE, {"name": "x"}),
    "script": lambda client: client.deployment_script({}),
}


@pytest.mark.parametrize("said", [{"status": "DOWN"}, {"status": "DOWN", "message": "x"}, {"ID": True}, {"ID": 0}])
@pytest.mark.parametrize("read", READS)
def test_what_anybody_could_answer_is_no_answer(manager, read, said):
    it = manager(*[reply(said)] * 8)
    with pytest.raises(BadReply) as caught:
        READS[read](Client(it.transport))
    assert len(it.asked) <= 6
    assert caught.value.outcome_unknown == (read in ("modify", "modify system settings", "assign", "create"))


@pytest.mark.parametrize("nothing", [{}, {"computers": None}])
def test_nothing_at_all_of_a_kind_is_not_believed_of_an_empty_reply(manager, nothing):
    it = manager(reply({"policies": []}), *[reply(nothing)] * 2)
    client = Client(it.transport)
    assert listed(POLICY, client) == []
    with pytest.raises(BadReply, match="no list 'computers'"):
        listed(COMPUTER, client)


def test_a_search_may_be_answered_by_an_empty_reply_where_lists_were_seen(manager):
    it = manager(
        reply({}), reply({}), reply({"policies": []}), reply({}), reply({}), reply({}), reply({"macLists": []})
    )
    client = Client(it.transport)
    # Asked twice, as a list can get lost; then whether this manager answers with lists at all.
    assert client.named(COMPUTER, "x", by="hostName") == []
    assert bodies(it)[2] == {"maxItems": 1, "sortByObjectID": True}
    assert client.named(COMPUTER, "y", by="hostName") == []
    assert client.named(MAC_LIST, "x") == []
    assert len(it.asked) == 7


ITEMS: dict[str, tuple[t.Any, t.Any, str]] = {
    "no object": (POLICY, "x", "a policy must be an object, and is a text"),
    "no ID": (POLICY, {"name": "x"}, "'ID' of a policy must be a whole number above 0, and is not there"),
    "true": (POLICY, {"name": "x", "ID": True}, "and is true"),
    "none": (COMPUTER, {"hostName": "x", "ID": 0}, "and is a number"),
    "huge": (COMPUTER, {"hostName": "x", "ID": 2**63}, "and is a number"),
    "fraction": (COMPUTER, {"hostName": "x", "ID": 1.0}, "and is a number"),
    "no name": (POLICY, {"ID": 7}, "policy 7 has no 'name'"),
    "no names": (COMPUTER, {"ID": 7, "policyID": 1}, "computer 7 has no 'hostName' and no 'displayName'"),
    "parent": (POLICY, {"ID": 7, "name": "x", "parentID": "1"}, "'parentID' of policy 7 must be an ID, or 0"),
    "parent true": (POLICY, {"ID": 7, "name": "x", "parentID": True}, "or 0 for none, and is true"),
    "policy": (COMPUTER, {"ID": 7, "hostName": "x", "policyID": [1]}, "'policyID' of computer 7 must be .* a list"),
    "group": (COMPUTER, {"ID": 7, "hostName": "x", "groupID": -1}, "'groupID' of computer 7 must be"),
    "platform": (COMPUTER, {"ID": 7, "hostName": "x", "platform": {}}, "'platform' of computer 7 must be text"),
    "rules": (POLICY, {"ID": 7, "name": "x", "firewall": {"ruleIDs": [1, True]}}, "'firewall' of policy 7 must be"),
    "state": (POLICY, {"ID": 7, "name": "x", "firewall": {"state": 1}}, "'firewall' of policy 7 must be"),
    "settings": (POLICY, {"ID": 7, "name": "x", "policySettings": {"a": {"value": 1}}}, "'policySettings' of policy"),
    "items": (IP_LIST, {"ID": 7, "name": "x", "items": ["192.0.2.1", 1]}, "'items' of IP list 7 must be a list of"),
    "IP list": (FIREWALL_RULE, {"ID": 7, "name": "x", "sourceIPListID": "3"}, "'sourceIPListID' of firewall rule 7"),
    "ports": (FIREWALL_RULE, {**RULE, "destinationPortMultiple": "4118"}, "'destinationPortMultiple' of firewall"),
    "negation": (FIREWALL_RULE, {**RULE, "sourceIPNot": "false"}, "'sourceIPNot' of .* true or false, and is a text"),
    "group's parent": (
        COMPUTER_GROUP,
        {"ID": 7, "name": "x", "parentGroupID": {}},
        "'parentGroupID' of computer group",
    ),
    "depth": (POLICY, {"ID": 7, "name": "x", "later": json.loads("[" * 40 + "]" * 40)}, "body has more than 32 levels"),
}


@pytest.mark.parametrize("case", ITEMS)
def test_an_object_that_is_none(manager, case):
    """The message names object and field, and says what came, but not its text: that may be a secret."""
    kind, item, message = ITEMS[case]
    it = manager(reply({kind.envelope: [item]}), reply(item if isinstance(item, dict) else {"x": 1}))
    with pytest.raises(BadReply, match=message):
        listed(kind, Client(it.transport))
    if isinstance(item, dict):
        with pytest.raises(BadReply):
            Client(it.transport).get(kind, 7)


def test_another_object_than_asked_for(manager):
    it = manager(reply({"ID": 8, "name": "x"}))
    with pytest.raises(BadReply, match="policy 7 was asked for, and policy 8 came"):
        Client(it.transport).get(POLICY, 7)


@pytest.mark.parametrize("nothing", [{}, {"ID": None, "hostName": None}])
def test_a_computer_without_overrides_may_be_null(manager, nothing):
    it = manager(reply(nothing), reply({"computers": [nothing, {"ID": 9}]}), reply(nothing))
    client = Client(it.transport)
    assert client.get(COMPUTER, 7, overrides=True) == nothing
    assert client.known(COMPUTER, [7, 9], overrides=True) == [{"ID": 9}]
    with pytest.raises(BadReply):
        client.get(COMPUTER, 7)


@pytest.mark.parametrize("said", [{"assignedRuleIDs": None}, {"assignedRuleIDs": []}, {}])
def test_no_assigned_rules(manager, said):
    it = manager(reply(said))
    assert Client(it.transport).assigned_rules(POLICY, 7) == set()


# -- pages


def page(*numbers: int) -> t.Any:
    return reply({"firewallRules": [{"ID": number, "name": f"rule {number}"} for number in numbers]})


@pytest.mark.parametrize(
    "pages", [[(1, 1)], [range(1, 51), (50,)], [range(1, 51), range(1, 51)], [range(1, 51), (60, 60)]]
)
def test_pages_that_repeat_themselves(manager, pages):
    it = manager(*(page(*numbers) for numbers in pages))
    with pytest.raises(BadReply, match="comes twice|where it was not asked for"):
        listed(FIREWALL_RULE, Client(it.transport))


def test_a_page_that_may_be_cut_off_is_followed(manager):
    """A round number, the manager's own limit once it is known, and nothing else."""
    cut = [range(1, 51), range(51, 101), range(101, 121)]
    it = manager(*(page(*numbers) for numbers in cut), page(*range(1, 50)), page(*range(1, 101)), page())
    client = Client(it.transport)
    assert len(listed(FIREWALL_RULE, client)) == 120 and client.largest_page == 50
    assert [body.get("searchCriteria") for body in bodies(it)] == [
        None,
        [{"idTest": "greater-than", "idValue": 50}],
        [{"idTest": "greater-than", "idValue": 100}],
    ]
    assert len(listed(FIREWALL_RULE, client)) == 49
    assert len(it.asked) == 4
    assert len(listed(FIREWALL_RULE, Client(it.transport))) == 100


LIMITS = [10, 16, 20, 25, 30, 32, 40, 48, 50, 60, 64, 75, 80, 96, 100, 120, 125, 128, 150, 175, 192, 200, 250, 256, 300]


@pytest.mark.parametrize("limit", [*LIMITS, 384, 400, 500, 512, 600, 640, 750, 768, 1000, 1024, 2000, 2048, 2500, 4096])
def test_all_objects_of_a_manager_that_gives_less_than_it_is_asked_for(manager, limit):
    pages = [range(1, limit + 1), range(limit + 1, 2 * limit + 1), (2 * limit + 1,)]
    it = manager(*(page(*numbers) for numbers in pages))
    assert len(listed(FIREWALL_RULE, Client(it.transport))) == 2 * limit + 1


def test_objects_outside_of_the_window_that_was_asked_for(manager):
    it = manager(reply({"computers": [{"ID": 5, "hostName": "x"}]}))
    with pytest.raises(BadReply, match="computer 5 comes where it was not asked for"):
        Client(it.transport).known(COMPUTER, [7, 9])


def test_pages_that_never_end(manager, monkeypatch):
    assert MOST_OBJECTS == 1_000_000
    monkeypatch.setattr(client_module, "MOST_OBJECTS", 1000)
    it = manager(*(page(*range(first, first + 100)) for first in range(1, 2000, 100)))
    with pytest.raises(BadReply, match="do not end: 1000 objects"):
        listed(FIREWALL_RULE, Client(it.transport))
    assert len(it.asked) == 10


# -- what became of a write


WRITES: dict[str, tuple[t.Callable[[Client], t.Any], list[t.Any]]] = {
    "delete, cut": (lambda client: client.delete(FIREWALL_RULE, 7), ["cut", FORBIDDEN]),
    "delete, yes": (lambda client: client.delete(FIREWALL_RULE, 7), [reply(status=204), FORBIDDEN]),
    "unassign, cut": (lambda client: client.unassign_rule(POLICY, 7, 1), ["cut", FORBIDDEN]),
    "unassign, yes": (lambda client: client.unassign_rule(POLICY, 7, 1), [reply(status=204), FORBIDDEN]),
    "create, cut": (lambda client: client.create(FIREWALL_RULE, {"name": "x"}), ["cut", FORBIDDEN]),
    "create, no ID": (lambda client: client.create(FIREWALL_RULE, {"name": "x"}), [reply({"ID": 0}), FORBIDDEN]),
    "assign, no rules": (lambda client: client.assign_rules(POLICY, 7, [1]), [PORTAL]),
    "modify, no object": (lambda client: client.modify(POLICY, 7, {}), [PORTAL]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_look_that_fails_leaves_open_what_was_done(manager, write):
    do, answers = WRITES[write]
    if answers[0] == "cut":
        cuts = 1 if write.startswith("create") else 5
        answers = [reply({"message": "busy"}, status=500)] * cuts + answers[1:]
    it = manager(*answers)
    with pytest.raises(ManagerError) as caught:
        do(Client(it.transport))
    error = caught.value
    assert error.outcome_unknown and "it is not known whether the change was made" in str(error)
    if len(answers) > 1:
        assert "Not authorized" in error.message
        assert ("busy" in error.message) == (write.endswith("cut"))
        assert error.status == (500 if write.endswith("cut") else 403 if write.endswith("yes") else None)
        assert error.method == ("POST" if write.startswith("create") else "DELETE")


def test_what_was_not_found_was_not_changed_either(manager):
    it = manager(GONE, FORBIDDEN, GONE, FORBIDDEN)
    client = Client(it.transport)
    for do in (lambda: client.delete(FIREWALL_RULE, 7), lambda: client.unassign_rule(POLICY, 7, 1)):
        with pytest.raises(Forbidden) as caught:
            do()
        assert not caught.value.outcome_unknown


def test_a_taken_name_that_cannot_be_looked_up_was_not_made_here(manager):
    it = manager(reply({"message": "Firewall Rule name already exists: x"}, status=400), FORBIDDEN)
    with pytest.raises(Forbidden) as caught:
        Client(it.transport).create(FIREWALL_RULE, {"name": "x"})
    assert not caught.value.outcome_unknown


def test_a_deleted_object(manager):
    it = manager(reply(status=204), GONE)
    Client(it.transport).delete(FIREWALL_RULE, 7)
    it = manager(GONE)
    with pytest.raises(NotFound):
        Client(it.transport).get(FIREWALL_RULE, 7)


# -- a page checked at once


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 7, -1, 2**63 - 1, 2**63, 1.0, "", "x", "None"]),
    st.sampled_from([[], ["x"], [1], [None], [True], {}, {"value": "x"}, {"a": {"value": "x"}}, {"a": {"value": 1}}]),
    st.sampled_from([{"ruleIDs": [1, 2]}, {"ruleIDs": [0]}, {"state": "on"}, {"agentStatus": 1}, {"a": None}]),
)


@functools.cache  # A strategy takes longer to make than to draw from.
def pages(kind: t.Any) -> st.SearchStrategy[list[t.Any]]:
    """Objects of the kind, most of them as they should be."""
    sound = {"ID": 7, **dict.fromkeys(kind.named_by, "x")}
    fields = st.sampled_from(["ID", "ID", "else", *kind.fields])
    changed = st.builds(lambda given: {**sound, **given}, st.dictionaries(fields, VALUES, max_size=3))
    null = st.builds(lambda given: {**dict.fromkeys(sound), **given}, st.dictionaries(fields, VALUES, max_size=1))
    return st.lists(st.one_of(changed, changed, null, st.dictionaries(fields, VALUES, max_size=2), VALUES), max_size=4)


@given(st.sampled_from([POLICY, COMPUTER, FIREWALL_RULE, IP_LIST, SCHEDULED_TASK]), st.booleans(), st.data())
def test_a_page_that_is_found_sound_at_once_has_nothing_that_is_not(kind, overrides, data):
    items = data.draw(pages(kind))
    at_once = all_fit(kind, items, overrides=overrides, checked=False)
    try:
        for item in items:
            check(kind, item, "POST", "/x", overrides=overrides)
    except BadReply:
        assert not at_once
    else:
        assert at_once
