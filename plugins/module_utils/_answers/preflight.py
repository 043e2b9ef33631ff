# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two questions for each host before a change: may its agent be switched, and may the agents' port be restricted?

The switch is one to agent-initiated communication. The answers come from what the hosts see
(C(manager_connectivity_info)) and what the manager says (C(communication_info)). If one of them is missing, its facts
are unknown, and are never assumed. Windows hosts cannot run the check; only their last heartbeat shows whether they
reach the manager.
"""

from __future__ import annotations

import collections
import datetime
import ipaddress
import time
import typing as t

from .._basis.address_set import AddressSet, PrefixLimit
from .._basis.addresses import Span, given_ip_span, ip_span, ip_text, uncovered
from .._basis.errors import OptionError
from .._basis.text import enumerated, one_line
from .._facets.firewall.description import admitted_counts, restriction_told
from .._vendor.communication import AGENT_INITIATED, CLOUD_HEARTBEAT_INTERVAL, MANAGER_INITIATED
from .._vendor.regions import manager_subnets

# The questions.
SWITCH = "agent_initiated"
RESTRICT = "firewall_restriction"

# An agent counts as silent after this many heartbeats without communication, because one may be late or lost.
_HEARTBEATS = 2
# Minutes from one heartbeat to the next, if the manager does not tell.
_INTERVAL = CLOUD_HEARTBEAT_INTERVAL
_NOT_ON_WINDOWS = "the checks do not run on Windows hosts"

# The answers.
YES, NO, ALREADY, NO_EFFECT, UNKNOWN = "yes", "no", "already", "no_effect", "unknown"


class Finding(t.NamedTuple):
    """An answer, and the reasons for it in sentences."""

    answer: str
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, t.Any]:
        """For the report."""
        return {"answer": self.answer, "reasons": list(self.reasons)}


class Admission(t.NamedTuple):
    """The sources that a restriction would admit, and the addresses from which the manager connects; both sorted."""

    admitted: tuple[Span, ...]
    manager: tuple[Span, ...]
    is_cloud: bool

    @classmethod
    def from_options(
        cls, source_ips: t.Iterable[str], manager_addresses: t.Iterable[str], region: str | None
    ) -> Admission:
        """Read addresses, networks and ranges. Raises C(OptionError).

        Without C(source_ips), the restriction would only admit the manager.
        """
        if not isinstance(region, (str, type(None))):
            raise OptionError("region", region, "it must be the name of a region, such as jp-1")
        subnets = manager_subnets(region) if region else ()
        named = _spans("manager_addresses", manager_addresses)
        manager = tuple(sorted({*named, *_spans("region", subnets)}))
        return cls(_spans("source_ips", source_ips) or manager, manager, bool(region))


def assess(
    hosts: t.Mapping[str, dict[str, t.Any]], communication: dict[str, t.Any], admission: Admission
) -> dict[str, t.Any]:
    """The report: every host with both answers, how many there are of each, and a table of it for people.

    C(hosts): for each host C(connectivity), the result of C(manager_connectivity_info) for agents that initiate, and
    the C(names) that the manager may have for it. C(communication): the result of C(communication_info). Either result
    may be missing, or may be that of a failed task.
    """
    known = {str(name): _mapping(host) for name, host in hosts.items()}
    view = _View(communication, {name: _names(host.get("names")) or [name] for name, host in known.items()})
    rows = [_row(name, _mapping(host.get("connectivity")), view, admission) for name, host in known.items()]
    return {
        "hosts": rows,
        "summary": {
            question: dict(collections.Counter(row[question]["answer"] for row in rows))
            for question in (SWITCH, RESTRICT)
        },
        "table": _table(rows),
    }


def _mapping(value: t.Any) -> dict[str, t.Any]:
    """The value if it is a dictionary, otherwise an empty one, so that its facts are missing."""
    return value if isinstance(value, dict) else {}


def _names(value: t.Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else []


class _View:
    """What the manager says about the hosts' computers, found by host name. C(names): the names of each host."""

    def __init__(self, communication: dict[str, t.Any], names: t.Mapping[str, t.Sequence[str]]) -> None:
        self._names = names
        by_name: dict[str, list[dict[str, t.Any]]] = {}
        targets = communication.get("targets")
        for target in map(_mapping, targets if isinstance(targets, list) else ()):
            if target.get("type") == "computer" and isinstance(target.get("id"), int):
                by_name.setdefault(str(target.get("name")).lower(), []).append(target)
        # By ID, because a computer may have several of a host's names.
        self._found = {
            host: {target["id"]: target for name in known for target in by_name.get(name.lower(), ())}
            for host, known in self._names.items()
        }
        self._silent = None
        if not isinstance(targets, list):
            asked = communication and not communication.get("skipped")
            self._silent = (
                f"the manager gives no answer: {one_line(str(communication.get('msg')))}"
                if asked
                else "the manager was not asked"
            )

    def of(self, host: str) -> tuple[dict[str, t.Any], str | None]:
        """The only computer that matches this host and no other host; or the reason why there is none."""
        if self._silent:
            return {}, self._silent
        found = self._found[host]
        names = " or ".join(dict.fromkeys(self._names[host]))
        if not found:
            return {}, f"the manager has no computer with the host name {names}"
        if len(found) > 1:
            return {}, f"the manager has {len(found)} computers with the host name {names} (IDs {_listed(found)})"
        ((number, target),) = found.items()
        others = [other for other, computers in self._found.items() if number in computers]
        if len(others) > 1:
            return {}, f"the computer with ID {number} could be any of the hosts {_listed(others)}"
        return target, None


def _listed(items: t.Iterable[t.Any]) -> str:
    return enumerated([str(item) for item in items])


def _row(name: str, seen: dict[str, t.Any], view: _View, admission: Admission) -> dict[str, t.Any]:
    unseen = (
        None if "reachable" in seen else f"the host gives no answer: {one_line(str(seen.get('msg') or 'no result'))}"
    )
    target, unsaid = view.of(name)
    try:
        if unseen and _is_windows(target):
            unseen = _NOT_ON_WINDOWS
            switch = _switch_as_heard(target)
        else:
            switch = _switch(seen, unseen, target, unsaid)
        restrict = _restrict(seen, unseen, target, unsaid, admission)
    except (AttributeError, KeyError, TypeError, ValueError):
        # The owner of a host controls its result. Bad results must not keep the other hosts from getting answers.
        return _row(name, {"msg": "its result cannot be read"}, view, admission)
    return {
        "name": name,
        "computer_id": target.get("id"),
        "direction": _direction(target),
        SWITCH: switch.as_dict(),
        RESTRICT: restrict.as_dict(),
    }


def _direction(target: dict[str, t.Any]) -> str | None:
    facet = _mapping(target.get("communication_direction"))
    direction = _mapping(facet.get("direction")).get("effective")
    return direction if isinstance(direction, str) else None


def _switch(seen: dict[str, t.Any], unseen: str | None, target: dict[str, t.Any], unsaid: str | None) -> Finding:
    if unseen:
        return Finding(UNKNOWN, (unseen,))
    broken = tuple(
        f"{one_line(problem['name'])} port {int(problem['port'])}: {one_line(problem['cause'])}."
        f" Fix it: {one_line(problem['remedy'])}"
        for problem in seen["problems"]
        if problem["required"]
    )
    if broken:
        return Finding(NO, broken)
    required = [endpoint for endpoint in seen["endpoints"] if endpoint["required"]]
    if not required:
        return Finding(UNKNOWN, ("the host was not asked about agents that initiate",))
    if seen["reachable"] is not True:
        return Finding(UNKNOWN, ("the host does not say what is not reachable",))
    if _direction(target) == AGENT_INITIATED:
        return Finding(ALREADY)
    notes = [_other_name(endpoint) for endpoint in required]
    if unsaid:
        notes.append(f"{unsaid}, so its direction today is not known")
    elif not _direction(target):
        notes.append("the manager does not say which direction it has today")
    return Finding(YES, tuple(note for note in notes if note))


def _is_windows(target: dict[str, t.Any]) -> bool:
    return "windows" in str(target.get("platform")).lower()


def _switch_as_heard(target: dict[str, t.Any]) -> Finding:
    """The answer for a host that cannot run the check: based on the agent's last communication with the manager."""
    direction = _direction(target)
    if direction is None:
        return Finding(UNKNOWN, (f"{_NOT_ON_WINDOWS}, and the manager does not say which direction it has today",))
    if direction == MANAGER_INITIATED:
        reason = "today the manager connects to the agent, which does not show whether the agent can reach it"
        return Finding(UNKNOWN, (f"{_NOT_ON_WINDOWS}, and {reason}",))
    date = target.get("last_agent_communication")
    minutes = _minutes_since(date)
    if minutes is None:
        return Finding(UNKNOWN, (f"{_NOT_ON_WINDOWS}, and the manager does not say when it last heard from the agent",))
    interval = _mapping(_mapping(target.get("heartbeat")).get("interval")).get("effective")
    longest = _HEARTBEATS * (interval if isinstance(interval, int) and interval > 0 else _INTERVAL)
    heard = f"the manager last heard from the agent at {one_line(str(date))}, {minutes} minutes ago"
    if minutes > longest:
        return Finding(UNKNOWN, (f"{_NOT_ON_WINDOWS}, and {heard}, more than {_HEARTBEATS} heartbeats",))
    if direction == AGENT_INITIATED:
        return Finding(ALREADY, (f"{_NOT_ON_WINDOWS}, but {heard}",))
    return Finding(YES, (f"{_NOT_ON_WINDOWS}, but {heard}; in this direction, heartbeats come from the agent",))


def _minutes_since(date: t.Any) -> int | None:
    """The minutes since a date in a result of ours; never below 0, because clocks differ."""
    try:
        then = datetime.datetime.strptime(str(date), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return max(0, int(time.time() - then.timestamp())) // 60


def _other_name(endpoint: dict[str, t.Any]) -> str | None:
    """What to check if another server may answer: agents trust the certificate itself, not the name in it."""
    if endpoint["tls"]["name_matches"] is not False:
        return None
    names = one_line(", ".join(endpoint["tls"]["names"][:5]))
    where = f"{one_line(endpoint['name'])} port {int(endpoint['port'])}"
    return f"{where} shows a certificate for {names or 'nobody'}: make sure that it is the manager's"


def _restrict(
    seen: dict[str, t.Any], unseen: str | None, target: dict[str, t.Any], unsaid: str | None, admission: Admission
) -> Finding:
    facet = _mapping(target.get("firewall_restriction"))
    if facet.get("without_effect_because"):
        return Finding(NO_EFFECT, (f"no rule has an effect: {one_line(facet['without_effect_because'])}",))
    reasons = _shut_out(seen, admission)
    planned = AddressSet.of(admission.admitted).counts
    if planned.everybody:
        reasons.append(f"what is planned restricts nothing: it admits {planned.text}")
    if reasons:
        return Finding(NO, tuple(reasons))
    restricted, untold = restriction_told(facet)
    if restricted:
        return Finding(ALREADY, _width(facet))
    unknown = [unseen]
    if unsaid:
        unknown.append(f"{unsaid}, so it is not known whether the firewall is on")
    elif "without_effect_because" not in facet:
        unknown.append("the manager does not say whether a rule has an effect")
    elif restricted is None:
        unknown.append(untold)
    if not admission.manager:
        unknown.append("it is not known from where the manager connects")
    if not unseen and seen["listening"]["connected_from"] is None:
        unknown.append("the host does not say who is connected to the port")
    elif not unseen and seen["listening"]["listens"] is not True:
        unknown.append("nothing listens on the port, so nobody can be seen to use it")
    left = tuple(reason for reason in unknown if reason)
    return Finding(UNKNOWN if left else YES, left)


def _width(facet: dict[str, t.Any]) -> tuple[str, ...]:
    """What to say if the existing rules admit very many addresses."""
    counts, limit = admitted_counts(facet), PrefixLimit()
    if counts is None or not counts.above(limit):
        return ()
    return (f"the rules that there are admit {counts.text}, more than {limit.text}",)


def _shut_out(seen: dict[str, t.Any], admission: Admission) -> list[str]:
    """Addresses that need or use the port and are not admitted; each once, with the most important reason."""
    if not admission.admitted:
        return []
    needing = (
        ("the manager connects from {}", admission.manager),
        ("the manager's name resolves to {}", () if admission.is_cloud else _resolved(seen)),
        ("{} is connected to the port, or was some moments ago", _peers(seen)),
    )
    reasons = []
    told: set[Span] = set()
    for sentence, spans in needing:
        missing = [span for span in uncovered(spans, admission.admitted) if span not in told]
        told.update(missing)
        if missing:
            who = enumerated([ip_text(span) for span in missing])
            reasons.append(f"{sentence.format(who)}, and would be shut out")
    return reasons


def _peers(seen: dict[str, t.Any]) -> list[Span]:
    return _foreign(seen.get("listening", {}).get("connected_from") or ())


def _resolved(seen: dict[str, t.Any]) -> list[Span]:
    """The addresses of an on-premises manager. It connects from there unless there is something in between."""
    return _foreign(
        address
        for endpoint in seen.get("endpoints", ())
        if endpoint["required"]
        for address in endpoint["resolution"]["addresses"]
    )


def _foreign(addresses: t.Iterable[str]) -> list[Span]:
    """The addresses without those of the host itself, to which rules for the agents' port do not apply; each once."""
    # The zone of a link-local address only matters on the host itself.
    plain = dict.fromkeys(address.partition("%")[0] for address in addresses)
    return [ip_span(address) for address in plain if not ipaddress.ip_address(address).is_loopback]


def _spans(option: str, items: t.Iterable[str]) -> tuple[Span, ...]:
    if not isinstance(items, (list, tuple)):
        # In a text, each character would be an item.
        raise OptionError(option, items, "it must be a list")
    spans = set()
    for item in items:
        try:
            spans.add(given_ip_span(str(item)))
        except ValueError as error:
            raise OptionError(option, item, str(error)) from None
    return tuple(sorted(spans))


def _table(rows: t.Sequence[dict[str, t.Any]]) -> str:
    heads = ("HOST", "AGENT INITIATED?", "RESTRICT THE PORT?")
    cells = [(row["name"], row[SWITCH]["answer"], row[RESTRICT]["answer"]) for row in rows]
    widths = [max(len(str(line[column])) for line in [heads, *cells]) for column in range(3)]
    lines = [_line(heads, widths)]
    for row, cell in zip(rows, cells):
        lines.append(_line(cell, widths))
        for question, word in ((SWITCH, "agent initiated"), (RESTRICT, "restrict")):
            lines += [f"    {word}: {reason}" for reason in row[question]["reasons"]]
    return "\n".join(lines)


def _line(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return "  ".join(str(cell).replace("_", " ").ljust(width) for cell, width in zip(cells, widths)).rstrip()
