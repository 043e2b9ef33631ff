# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describes the firewall rules of a target: who may connect to the agents' port, and whether that is known."""

from __future__ import annotations

import typing as t

from ..._basis.address_set import EVERYTHING, Counts, PrefixLimit
from ..._basis.text import enumerated, quoted, shown
from ..._fleet.catalogue import COMMUNICATION_DIRECTION, FIREWALL_STATE, NETWORK_ENGINE_MODE
from ..._fleet.fleet import Fleet
from ..._fleet.objects import Target
from ..._fleet.outlook import Outlook
from ..._fleet.shared_objects import SharedObjects
from ..._manager.errors import BadRequest, Forbidden, NotFound
from ..._vendor.communication import AGENT_INITIATED, AGENT_PORT
from .admission import MOST, Admitted, Way, admitted_by, all_of
from .hidden_rule import Match, concerns_port, match_of
from .restriction import ACTIONS

# The most policies and computers that one task asks for their own versions of rules. Each needs a request.
MOST_ASKED = 200

DO_NOT_LISTEN = "agents initiate and do not listen"

# Actions that let packets in.
_LETTING_IN = ("bypass", "force-allow", "allow")

# The fields that a manager returns for every rule. If a rule has all of them, any other missing field is not set.
_ALWAYS_SHOWN = {
    *("action", "priority", "direction", "frameType", "protocol"),
    *("sourceIPType", "sourceMACType", "sourcePortType"),
    *("destinationIPType", "destinationMACType", "destinationPortType"),
}

_ANYBODY = Admitted((Way(EVERYTHING),))

Rule = t.Dict[str, t.Any]


class RulesThere:
    """Rules as they apply to one policy or computer, which may override any of their properties."""

    def __init__(self) -> None:
        self._asked: dict[Target, dict[int, Rule] | str] = {}
        self._admitted: dict[int, Admitted] = {}

    def admitted(self, fleet: Fleet, rule: Rule) -> Admitted:
        """Whom a rule admits without overrides. Worked out once, not for each target."""
        if rule["ID"] not in self._admitted:
            self._admitted[rule["ID"]] = _admitted(fleet, rule)
        return self._admitted[rule["ID"]]

    def of(self, fleet: Fleet, target: Target, rule_id: int) -> Rule | str:
        """The rule as it applies to the target, or why that is unknown.

        A target is asked once, and after C(MOST_ASKED) targets no others are. Raises C(ManagerError) if the manager
        cannot be asked anymore.
        """
        if target not in self._asked:
            self._asked[target] = self._ask(fleet, target)
        found = self._asked[target]
        if isinstance(found, str):
            return found
        return found.get(rule_id) or "the manager does not show the rule there"

    def _ask(self, fleet: Fleet, target: Target) -> dict[int, Rule] | str:
        if len(self._asked) >= MOST_ASKED:
            return f"after {MOST_ASKED} policies and computers, no more are checked; choose fewer"
        try:
            return fleet.client.rules_on(target.kind, target.id)
        except (BadRequest, Forbidden, NotFound) as error:
            return f"the manager does not show it: it answered {error.status}, {quoted(error.message)}"


class _Judged(t.NamedTuple):
    """A rule as it applies to a target, and the judgment about it."""

    rule: Rule
    match: Match
    replaces: bool | None
    overridden: bool | None
    admitted: Admitted

    @property
    def name(self) -> str:
        return quoted(self.rule.get("name"), 100)


def describe_restriction(outlook: Outlook, target: Target, there: RulesThere) -> dict[str, t.Any]:
    """The rules of a target that concern the agents' port, and who may connect to it.

    C(restricted) is C(None) if that is unknown; C(restricted_because) says why it is not true.
    """
    judged = _judged_rules(outlook.fleet, target, there)
    return {"rules": [_row(outlook.fleet, target, one) for one in judged], **_described(outlook, target, judged)}


def who_connects(outlook: Outlook, target: Target, there: RulesThere) -> dict[str, t.Any]:
    """Like C(describe_restriction), but without the rules, whose origin may need requests."""
    return _described(outlook, target, _judged_rules(outlook.fleet, target, there))


def port_rules(fleet: Fleet, rule_ids: t.Iterable[int]) -> list[int]:
    """The rules among these that are about the agents' port and that the manager shows."""
    return [
        rule_id
        for rule_id in sorted(rule_ids)
        if rule_id in fleet.rules and concerns_port(fleet.rules[rule_id], AGENT_PORT, fleet.port_list)
    ]


def _judged_rules(fleet: Fleet, target: Target, there: RulesThere) -> list[_Judged]:
    rule_ids = port_rules(fleet, fleet.assignments.effective(target))
    return [_judged(fleet, target, fleet.rules[rule_id], there) for rule_id in rule_ids]


def _described(outlook: Outlook, target: Target, judged: t.Sequence[_Judged]) -> dict[str, t.Any]:
    fleet = outlook.fleet
    unlisted = sorted(rule_id for rule_id in fleet.assignments.effective(target) if rule_id not in fleet.rules)
    unseen = []
    if unlisted:
        numbers = enumerated([str(rule_id) for rule_id in unlisted])
        unseen.append(f"the manager does not show the rule with ID {numbers} to this API key, which is assigned")
    policy_id = fleet.unseen_above(target)
    if policy_id is not None:
        unseen.append(
            f"the manager does not show the policy with ID {policy_id} to this API key, and its rules are inherited"
        )
    idle = without_effect(outlook, target)
    told = outlook.effective(target, FIREWALL_STATE)[0] in ("on", "off")
    return {**_summary(judged, unseen, idle, told), "without_effect_because": idle}


def without_effect(outlook: Outlook, target: Target) -> str | None:
    """Why firewall rules have no effect on a target now; C(None) if they have, or if the manager does not tell."""
    if outlook.effective(target, COMMUNICATION_DIRECTION)[0] == AGENT_INITIATED:
        return DO_NOT_LISTEN
    if outlook.effective(target, FIREWALL_STATE)[0] == "off":
        return "the firewall is off"
    if outlook.effective(target, NETWORK_ENGINE_MODE)[0] == "tap":
        return "the network engine is in tap mode"
    return None


def openings(fleet: Fleet, rule_ids: frozenset[int]) -> list[str]:
    """The other rules that undo a restriction, each as the part of a sentence that follows "the restriction".

    These are rules that replace, or may replace, the hidden one. Whom a rule admits is worked out from its sources.
    """
    rules = {rule_id: fleet.rules[rule_id] for rule_id in sorted(rule_ids)}
    admitted = {rule_id: _admitted(fleet, rule) for rule_id, rule in rules.items()}
    names = {rule_id: quoted(rule.get("name"), 100) for rule_id, rule in rules.items()}
    alone = [rule_id for rule_id in rules if admitted[rule_id].everybody]
    sentences = [
        f"is undone by the rule {names[rule_id]}, which admits anybody to the agents' port" for rule_id in alone
    ]
    if not alone and all_of(admitted.values()).everybody:
        sentences.append(
            f"is undone by the rules {enumerated(list(names.values()))}, which together admit anybody to the agents' port"
        )
    sentences += [
        f"may be undone by the rule {names[rule_id]}: it is not known which addresses that admits, because {one.untold[0]}"
        for rule_id, one in admitted.items()
        if one.everybody is None
    ]
    return sentences


def restricts_nothing(fleet: Fleet, rule: Rule) -> str | None:
    """Why a rule that is declared only by name may not restrict the agents' port. Follows "the restriction"."""
    name = quoted(rule.get("name"), 100)
    match = match_of(rule, AGENT_PORT, fleet.port_list)
    if match.replaces is not True:
        may = "restricts" if match.replaces is False else "may restrict"
        return f"{may} nothing by the rule {name}, which does not replace the hidden one for sure: {enumerated(match.failing, 3)}"
    admitted = _admitted(fleet, rule)
    if admitted.everybody is None:
        untold = f"it is not known which addresses that admits, because {admitted.untold[0]}"
        return f"may restrict nothing by the rule {name}: {untold}"
    return (
        f"restricts nothing by the rule {name}, which admits anybody to the agents' port"
        if admitted.everybody
        else None
    )


def opening_candidates(shared: SharedObjects, port: int) -> frozenset[int]:
    """The rules that replace, or may replace, the hidden rule for a port, whomever they admit."""
    return frozenset(
        rule_id
        for rule_id, rule in shared.rules.items()
        if rule.get("priority") == "4"
        and rule.get("action") in ACTIONS.values()
        and match_of(rule, port, shared.port_list).replaces is not False
    )


def restriction_told(facet: dict[str, t.Any]) -> tuple[bool | None, str]:
    """The present state in a description: whether the port is restricted, and why it is not, or why it is unknown.

    If the description lacks something, or contradicts itself, the state is unknown.
    """
    counts = admitted_counts(facet)
    restricted = facet.get("restricted")
    if "admitted_addresses" not in facet or "restricted" not in facet or not isinstance(restricted, (bool, type(None))):
        return None, "the manager does not say which addresses may connect to the port today"
    if restricted is None:
        return None, shown(
            facet.get("restricted_because") or "it is not known which addresses may connect to the port today"
        )
    if restricted is False:
        return False, shown(facet.get("restricted_because") or "")
    if counts is None or facet.get("hidden_rule_replaced") is not True:
        return None, "the manager does not say which addresses may connect to the port today"
    if counts.everybody:
        return False, f"{counts.text} are admitted"
    return True, ""


def width_warnings(targets: t.Iterable[dict[str, t.Any]], limit: PrefixLimit) -> list[str]:
    """Warnings about described targets whose rules admit more than C(limit), or an unknown number of addresses."""
    found: dict[str, list[str]] = {}
    for target in targets:
        facet = target.get("firewall_restriction") or {}
        if facet.get("hidden_rule_replaced") is False or facet.get("without_effect_because"):
            # An open port is no surprise there, and the result says so anyway.
            continue
        restricted, reason = restriction_told(facet)
        counts = admitted_counts(facet)
        if restricted is None:
            sentence = f"it is not known who may connect to the agents' port, because {reason}"
        elif counts is not None and (counts.everybody or counts.above(limit)):
            who = enumerated([shown(text) for text in facet.get("admitted") or []], 5)
            much = "practically everybody" if counts.everybody else f"more than {limit.text}"
            sentence = f"the rule for the agents' port admits {counts.text}, {much}: {who}"
        else:
            continue
        found.setdefault(sentence, []).append(f"{target.get('type')} {quoted(target.get('name'))}")
    return [f"{sentence}; on {enumerated(labels)}" for sentence, labels in found.items()]


def admitted_counts(facet: dict[str, t.Any]) -> Counts | None:
    """How many addresses a description says are admitted; C(None) if it has no valid number."""
    told = facet.get("admitted_addresses")
    if not isinstance(told, dict):
        return None
    ipv4, ipv6 = told.get("ipv4"), told.get("ipv6")
    if any(isinstance(count, bool) or not isinstance(count, int) or count < 0 for count in (ipv4, ipv6)):
        return None
    return Counts(t.cast(int, ipv4), t.cast(int, ipv6))


def _admitted(fleet: Fleet, rule: Rule) -> Admitted:
    # The lists are only read if a rule names one.
    def ip_list(number: int) -> Rule | None:
        return fleet.ip_lists.get(number)

    def mac_list(number: int) -> Rule | None:
        return fleet.mac_lists.get(number)

    return admitted_by(rule, ip_list, mac_list)


def _judged(fleet: Fleet, target: Target, rule: Rule, there: RulesThere) -> _Judged:
    match = match_of(rule, AGENT_PORT, fleet.port_list)
    replaces = match.replaces
    overridden = None
    admitted = there.admitted(fleet, rule)
    if replaces is not False:
        # Only these rules are worth a request: if no rule replaces the hidden one, the port is open.
        found = there.of(fleet, target, rule["ID"])
        if isinstance(found, str):
            replaces = None
            admitted = Admitted(untold=(f"it may be overridden here, and {found}",))
        else:
            as_it_is = {key: value for key, value in found.items() if value is not None}
            if not _ALWAYS_SHOWN <= as_it_is.keys():
                as_it_is = {**rule, **as_it_is}
            overridden = as_it_is != rule
            if overridden:
                rule = as_it_is
                match = match_of(rule, AGENT_PORT, fleet.port_list)
                replaces = match.replaces
                admitted = _admitted(fleet, rule)
    return _Judged(rule, match, replaces, overridden, admitted)


def _row(fleet: Fleet, target: Target, judged: _Judged) -> dict[str, t.Any]:
    """A rule for a result."""
    rule, admitted = judged.rule, judged.admitted
    told = not admitted.untold
    return {
        "id": rule["ID"],
        "name": shown(rule.get("name")),
        "action": rule.get("action"),
        "assigned_here": fleet.assignments.assigned_here(target, rule["ID"]),
        "inherited_from": [policy.label for policy in fleet.assignments.sources(target, rule["ID"])],
        "overridden": judged.overridden,
        "replaces_hidden_rule": judged.replaces,
        "basis": judged.match.basis,
        "failing_conditions": judged.match.failing,
        "admits_anybody": admitted.everybody,
        "admitted": list(admitted.texts) if told or admitted.ways else None,
        "admitted_addresses": admitted.counts.as_dict() if told else None,
        "cannot_be_told_because": None if told else "; ".join(admitted.untold),
        "source_ips": _items(fleet.ip_lists, rule, "sourceIP"),
        "source_macs": _items(fleet.mac_lists, rule, "sourceMAC"),
    }


def _summary(
    judged: t.Sequence[_Judged], unseen: t.Sequence[str], idle: str | None, firewall_told: bool
) -> dict[str, t.Any]:
    """Who may connect, taking all rules together. C(unseen): what the manager does not show of the rules."""
    replacing = [one for one in judged if one.replaces]
    undecided = [one for one in judged if one.replaces is None]
    admitted = all_of(one.admitted for one in replacing or undecided)
    doubts: list[str] = []
    notes: list[str] = []
    open_because = None
    if idle is not None and idle != DO_NOT_LISTEN:
        open_because, admitted = f"no rule has an effect: {idle}", _ANYBODY
    elif not replacing and not undecided and not unseen:
        open_because, admitted = "no rule replaces the hidden one, which admits anybody", _ANYBODY
    elif admitted.everybody:
        open_because = f"practically everybody is admitted: {enumerated(admitted.texts, 5)}"
    else:
        doubts = _doubts(replacing, undecided, unseen)
        if not firewall_told:
            doubts.append("the manager does not say whether the firewall is on")
        others = [one for one in _beside(judged) if not one.admitted.within(admitted)] if replacing else []
        if others:
            who = enumerated([f"{one.name} ({one.rule.get('action')})" for one in others])
            sentence = f"others are admitted by {who}, and it is not documented whether that counts here"
            opening = (admitted | all_of(one.admitted for one in others)).everybody
            (notes if opening is False else doubts).append(sentence)
        if admitted.macs:
            notes.append(
                "a MAC address alone only identifies a sender within the agents' own network segment: with a router's MAC"
                " address, everybody behind that router is admitted"
            )
    restricted = False if open_because else None if doubts else True
    told = restricted is not None
    return {
        "hidden_rule_replaced": True if replacing else None if undecided or unseen else False,
        "restricted": restricted,
        "restricted_because": open_because or "; ".join(doubts) or None,
        "admitted": list(admitted.texts) if told or admitted.ways else None,
        "admitted_addresses": admitted.counts.as_dict() if told else None,
        "admitted_macs": {"count": len(admitted.macs), "first": sorted(admitted.macs)[:MOST]} if told else None,
        "notes": notes,
    }


def _doubts(replacing: t.Sequence[_Judged], undecided: t.Sequence[_Judged], unseen: t.Sequence[str]) -> list[str]:
    """Why it is unknown who is admitted."""
    doubts = [*unseen]
    if undecided and not replacing:
        names = enumerated([one.name for one in undecided])
        doubts.append(f"it is not known whether the hidden rule, which admits anybody, is replaced by {names}")
    told = replacing or undecided
    doubts += [f"of the rule {one.name}, {reason}" for one in told[:MOST] for reason in one.admitted.untold]
    return doubts


def _beside(judged: t.Iterable[_Judged]) -> list[_Judged]:
    """Rules that admit somebody, but do not certainly replace the hidden rule."""
    return [
        one
        for one in judged
        if one.replaces is None or (one.replaces is False and one.rule.get("action") in _LETTING_IN)
    ]


def _items(known: dict[int, dict[str, t.Any]], rule: Rule, side: str) -> t.Any:
    """A rule's sources as the console shows them: a list's items, or the values in the rule itself."""
    kind = rule.get(f"{side}Type", "any")
    if kind == "any":
        return None
    if kind in ("ip-list", "mac-list"):
        list_id = rule.get(f"{side}ListID")
        items = (known.get(list_id) or {}).get("items") if isinstance(list_id, int) else None
        return items if items is None else [shown(item) for item in items]
    values = [rule.get(f"{side}{key}") for key in ("Value", "Mask", "RangeFrom", "RangeTo")]
    return [shown(value) for value in (*values, *(rule.get(f"{side}Multiple") or ())) if value is not None]
