# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How all agents of a manager communicate: which values apply where, overrides, open ports, and silent agents.

A fleet is described by its policies: all computers without overrides are like their policy.
"""

from __future__ import annotations

import heapq
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._basis.text import enumerated, in_words, shown
from .._facets.communication_direction import CommunicationDirection
from .._facets.facet import SettingsFacet
from .._facets.firewall.description import DO_NOT_LISTEN, Rule, RulesThere, port_rules, who_connects
from .._facets.firewall.facet import FirewallRestriction
from .._facets.heartbeat import Heartbeat
from .._fleet.catalogue import (
    COMMUNICATION_DIRECTION,
    FIREWALL_STATE,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    NETWORK_ENGINE_MODE,
    Setting,
    Value,
)
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .._fleet.targets import Selector
from .._manager.client import Client
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL, DIRECTIONS
from .._vendor.deployment import CLOUD
from .context import Contexts, date_of
from .platforms import platform_name
from .some_computers import CHOOSING_ARGUMENTS, at_most, choose, read_choice
from .table import as_csv, cells

FLEET_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **CHOOSING_ARGUMENTS,
    "computers_most": {"type": "int", "default": 2000},
    "rule_overrides": {"type": "bool", "default": False},
}

# The states of the agents' port.
RESTRICTED, OPEN, NOT_LISTENING, UNKNOWN = "restricted", "open", "not_listening", "unknown"
PORTS = (RESTRICTED, OPEN, NOT_LISTENING, UNKNOWN)
# Whether an agent has communicated lately.
HEARD, SILENT, NEVER, NO_AGENT = "heard", "silent", "never", "no_agent"
CONTACTS = (HEARD, SILENT, NEVER, NO_AGENT, UNKNOWN)

# After this many heartbeats without communication, an agent counts as silent.
SILENT_AFTER = 2

# How many computers to name if many are alike, and how many sources of a port to show in a cell.
_EXAMPLES = 5
_SOURCES = 10

_SETTINGS: tuple[tuple[type[SettingsFacet], Setting], ...] = tuple(
    (facet, setting) for facet in (Heartbeat, CommunicationDirection) for setting in facet.settings
)
COLUMNS = (
    *("type", "id", "name", "display_name", "policy", "policy_path", "group_path", "platform", "agent_version"),
    *("last_agent_communication", "contact", "direction", "direction_set_by", "interval", "interval_set_by"),
    *("missed_before_alert", "agent_port", "admitted", "why", "overrides"),
)

Row = t.Dict[str, t.Any]

# The overrides of most targets.
_NOTHING: list[str] = []


@dataclass(frozen=True)
class FleetAsked:
    """Which computers to look at, how many to list, and whether to ask policies for rules that they override.

    C(now): seconds since 1970.
    """

    deployment: str
    selector: Selector | None = None
    most: int = 2000
    rule_overrides: bool = False
    now: float = field(default_factory=time.time)

    @classmethod
    def from_options(cls, params: dict[str, t.Any], deployment: str) -> FleetAsked:
        """Read the options of C(communication_fleet_info). Raises C(OptionError)."""
        return cls(deployment, read_choice(params), at_most(params["computers_most"]), bool(params["rule_overrides"]))


def read_fleet(client: Client, asked: FleetAsked) -> dict[str, t.Any]:
    """The result of C(communication_fleet_info). Raises C(OptionError), C(ManagerError)."""
    fleet = Fleet(client)
    if asked.selector is None:
        fleet.begin(["policies"])
    computers, missing = choose(fleet, asked.selector)
    fleet.read_overrides([*fleet.policies.values(), *computers])
    stock = _Stock(fleet, asked)
    policies = [stock.row(stock.line(policy)) for policy in stock.outlook.from_the_top(fleet.policies.values())]
    lines = [stock.line(computer) for computer in computers]
    states = [line.state for line in lines]
    directly = Counter(computer.policy_id for computer in computers)
    for row in policies:
        row["computers"] = directly[row["id"]]
    return {
        "manager": client.transport.url,
        "read_at": date_of(int(asked.now * 1000)),
        "rule_overrides": asked.rule_overrides,
        "summary": {
            "policies": len(policies),
            **_counted(Counter(states)),
            "overriding_policies": sum(bool(row["overrides"]) for row in policies),
        },
        "heartbeats": _alike(lines, policies, ("interval", "missed_before_alert")),
        "directions": _alike(lines, policies, ("direction",)),
        "ports": _alike(lines, policies, ("agent_port", "admitted", "why")),
        "overrides": stock.overrides,
        "breakdowns": {
            kind: _broken_down(map(name, computers), states)
            for kind, name in (
                ("policy", stock.policy_path),
                ("group", stock.contexts.group_path),
                ("platform", stock.platform),
            )
        },
        "policies": policies,
        "computers": [stock.row(line) for line in heapq.nsmallest(asked.most, lines, key=_urgency)],
        "targets_csv": as_csv(
            COLUMNS,
            (
                *(cells(_cell(row[column]) for column in COLUMNS) for row in policies),
                *map(stock.cells, lines),
            ),
        ),
        "warnings": missing,
    }


class _RulesAsDefined(RulesThere):
    """Rules as they are defined, or, if policies are asked, as they are on the policy nearest to a target."""

    def __init__(self, ask_policies: bool) -> None:
        super().__init__()
        self._ask_policies = ask_policies

    def of(self, fleet: Fleet, target: Target, rule_id: int) -> Rule | str:
        policy = target if isinstance(target, Policy) else next(iter(fleet.lineage(target)), None)
        if self._ask_policies and policy and rule_id in fleet.assignments.effective(policy):
            return super().of(fleet, policy, rule_id)
        return fleet.rules[rule_id]


class _State(t.NamedTuple):
    """The values by which computers are counted."""

    direction: t.Any
    agent_port: str
    contact: str
    overriding: bool


class _Line(t.NamedTuple):
    """What is known about a target. All targets that are like their policy share one object as C(facets)."""

    target: Target
    facets: Row
    contact: str
    overrides: list[str]

    @property
    def state(self) -> _State:
        """The values by which this target is counted."""
        return _State(self.facets["direction"], self.facets["agent_port"], self.contact, bool(self.overrides))


class _Stock:
    """Describes targets. Targets that are alike share one description."""

    def __init__(self, fleet: Fleet, asked: FleetAsked) -> None:
        self.outlook = Outlook(fleet)
        self._fleet = fleet
        self._asked = asked
        self.contexts = Contexts(fleet)
        self._rules = _RulesAsDefined(asked.rule_overrides)
        self._ports: dict[tuple[t.Any, ...], Row] = {}
        self._plain: dict[int | None, Row] = {}
        self._overrides: dict[tuple[t.Any, ...], Row] = {}
        # Cells of the table that many computers share: by policy and group, by agent and platform, and by facets.
        self._of_place: dict[tuple[int | None, int | None], str] = {}
        self._of_agent: dict[tuple[str, str], str] = {}
        self._of_facets: dict[int, str] = {}
        self._platforms: dict[str, str | None] = {}

    def line(self, target: Target) -> _Line:
        """What is known about one target, without its place."""
        own_rules = self._own_rules(target)
        facets = self._facets(target, own_rules)
        contact = "" if isinstance(target, Policy) else self._contact(target, facets)
        return _Line(target, facets, contact, self._noted(target, own_rules))

    def row(self, line: _Line) -> Row:
        """Everything that is known about one target."""
        context = self.contexts.of(line.target)
        return {
            **line.target.reference,
            **context,
            "platform_name": platform_name(context["platform"]),
            **line.facets,
            "contact": line.contact or None,
            "overrides": line.overrides,
        }

    def cells(self, line: _Line) -> str:
        """The row of a computer in the table."""
        computer, facets = t.cast(Computer, line.target), line.facets
        place = computer.policy_id, computer.group_id
        if place not in self._of_place:
            context = self.contexts.of(computer)
            self._of_place[place] = cells(context[name] for name in ("policy", "policy_path", "group_path"))
        agent = computer.platform, computer.agent_version
        if agent not in self._of_agent:
            self._of_agent[agent] = cells(agent)
        if id(facets) not in self._of_facets:
            self._of_facets[id(facets)] = cells(_cell(facets[name]) for name in COLUMNS if name in facets)
        heard = date_of(computer.last_agent_communication)
        return ",".join(
            (
                cells(("computer", computer.id, computer.name, computer.display_name)),
                self._of_place[place],
                self._of_agent[agent],
                cells((heard, line.contact)),
                self._of_facets[id(facets)],
                cells((_cell(line.overrides),)),
            )
        )

    def platform(self, computer: Computer) -> str | None:
        """The name of a computer's platform."""
        platform = computer.platform
        if platform not in self._platforms:
            self._platforms[platform] = platform_name(shown(platform))
        return self._platforms[platform]

    def policy_path(self, computer: Computer) -> str | None:
        """The path of a computer's policy."""
        return self.contexts.path(self.contexts.policy(computer))

    @property
    def overrides(self) -> list[Row]:
        """The overrides of targets: equal ones are counted together, the most frequent ones first."""
        rows = self._overrides.values()
        return sorted(rows, key=lambda row: (-len(row["policies"]) - row["computers"], row["facet"], row["option"]))

    def _own_rules(self, target: Target) -> frozenset[int]:
        """The rules that are assigned to a target itself."""
        return target.rule_ids - self._fleet.assignments.inherited(target)

    def _facets(self, target: Target, own_rules: frozenset[int]) -> Row:
        if isinstance(target, Policy) or target.overrides or own_rules:
            return self._told(target)
        if target.policy_id not in self._plain:
            self._plain[target.policy_id] = self._told(target)
        return self._plain[target.policy_id]

    def _told(self, target: Target) -> Row:
        told: Row = {}
        for name, setting in (
            ("direction", COMMUNICATION_DIRECTION),
            ("interval", HEARTBEAT_INTERVAL),
            ("missed_before_alert", HEARTBEAT_MISSED_BEFORE_ALERT),
        ):
            value, source = self.outlook.effective(target, setting)
            told[name] = _safe(value)
            told[f"{name}_set_by"] = "here" if source == target.label else source
        return {**told, **self._port(target)}

    def _port(self, target: Target) -> Row:
        effective = self.outlook.effective
        settings = (COMMUNICATION_DIRECTION, FIREWALL_STATE, NETWORK_ENGINE_MODE)
        place = target.id if isinstance(target, Policy) else target.policy_id
        key = (place, self._own_rules(target), *(effective(target, setting)[0] for setting in settings))
        if key not in self._ports:
            self._ports[key] = _port_told(who_connects(self.outlook, target, self._rules))
        return self._ports[key]

    def _contact(self, computer: Computer, facets: Row) -> str:
        heard = computer.last_agent_communication
        # With the version 0.0.0.0, a computer that has communicated had an agent.
        if not (computer.has_agent or computer.has_unknown_agent):
            return NO_AGENT
        if heard is None:
            return NEVER
        interval = facets["interval"]
        if interval is None and self._asked.deployment == CLOUD:
            interval = CLOUD_HEARTBEAT_INTERVAL
        if not isinstance(interval, int):
            return UNKNOWN
        return SILENT if self._asked.now - heard / 1000 > SILENT_AFTER * interval * 60 else HEARD

    def _noted(self, target: Target, rules: frozenset[int]) -> list[str]:
        """Count the target's overrides, and return them in words. C(rules): those assigned to the target itself."""
        if not (target.overrides or rules):
            return _NOTHING
        noted = []
        for facet, setting in _SETTINGS:
            value = self.outlook.override(target, setting)
            if value is not None:
                inherited = self.outlook.inherited(target, setting)[0]
                noted.append(self._note(target, facet.name, setting.option, value, inherited))
        for rule_id in port_rules(self._fleet, rules) if rules else ():
            name = shown(self._fleet.rules[rule_id].get("name"))
            noted.append(self._note(target, FirewallRestriction.name, "rule", name, None))
        return noted

    def _note(self, target: Target, facet: str, option: str, value: Value, inherited: Value | None) -> str:
        key = (facet, option, value, inherited, isinstance(value, bool), isinstance(inherited, bool))
        row = self._overrides.get(key)
        if row is None:
            of_targets: Row = {"policies": [], "computers": 0, "examples": []}
            row = {"facet": facet, "option": option, "value": _safe(value), "inherits": _safe(inherited), **of_targets}
            self._overrides[key] = row
        if isinstance(target, Policy):
            row["policies"].append(shown(self._fleet.path(target)))
        else:
            row["computers"] += 1
            if row["computers"] <= _EXAMPLES:
                row["examples"].append(shown(target.name))
        return (
            f"{option}: {_words(value)}" if option == "rule" else f"{option}: {_words(value)}, not {_words(inherited)}"
        )


def _port_told(described: Row) -> Row:
    """The state of the agents' port in one word, the admitted sources, and why the port is not restricted."""
    if described["without_effect_because"] == DO_NOT_LISTEN:
        return {"agent_port": NOT_LISTENING, "admitted": None, "why": DO_NOT_LISTEN}
    state = {True: RESTRICTED, False: OPEN, None: UNKNOWN}[described["restricted"]]
    admitted = described["admitted"]
    return {
        "agent_port": state,
        "admitted": None if admitted is None else enumerated(admitted, _SOURCES),
        "why": described["restricted_because"],
    }


def _counted(states: Counter[_State]) -> Row:
    """The counts of computers for a result, from the number of computers in each state."""
    directions, ports, contacts = Counter[t.Any](), Counter[str](), Counter[str]()
    for state, count in states.items():
        directions[state.direction] += count
        ports[state.agent_port] += count
        contacts[state.contact] += count
    others = sum(count for value, count in directions.items() if value not in DIRECTIONS)
    return {
        "computers": states.total(),
        "directions": {**{value: directions[value] for value in DIRECTIONS}, UNKNOWN: others},
        "agent_port": {value: ports[value] for value in PORTS},
        "contact": {value: contacts[value] for value in CONTACTS},
        "overriding": sum(count for state, count in states.items() if state.overriding),
    }


def _broken_down(names: t.Iterable[str | None], states: t.Iterable[_State]) -> list[Row]:
    """The same for each policy, group or platform, the largest first. The name is C(None) for computers without one."""
    parts: dict[str | None, Counter[_State]] = {}
    for (name, state), count in Counter(zip(names, states)).items():
        parts.setdefault(name, Counter())[state] += count
    told = [{"name": name, **_counted(of_part)} for name, of_part in parts.items()]
    return sorted(told, key=lambda part: (-part["computers"], part["name"] or ""))


def _alike(computers: t.Iterable[_Line], policies: t.Iterable[Row], keys: t.Sequence[str]) -> list[Row]:
    """The values of these keys, with the number of computers and the policies that have them; frequent ones first."""
    found: dict[tuple[t.Any, ...], Row] = {}

    def part_of(facets: Row) -> Row:
        values = tuple(facets[key] for key in keys)
        if values not in found:
            found[values] = {**dict(zip(keys, values)), "computers": 0, "policies": [], "examples": []}
        return found[values]

    for row in policies:
        part_of(row)["policies"].append(row["policy_path"])
    by_facets: dict[int, Row] = {}
    for line in computers:
        part = by_facets.get(id(line.facets))
        if part is None:
            part = by_facets[id(line.facets)] = part_of(line.facets)
        part["computers"] += 1
        if part["computers"] <= _EXAMPLES:
            part["examples"].append(shown(line.target.name))
    return sorted(found.values(), key=lambda part: -part["computers"])


def _urgency(line: _Line) -> tuple[int, int]:
    """The order in which computers need attention: silent agents, open ports, unknown ports, overrides; then by ID."""
    port, contact = line.facets["agent_port"], line.contact
    place = 4
    if contact in (SILENT, NEVER):
        place = 0
    elif port == OPEN:
        place = 1
    elif UNKNOWN in (port, contact):
        place = 2
    elif line.overrides:
        place = 3
    return place, line.target.id


def _cell(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return "; ".join(value)
    return _words(value) if isinstance(value, bool) else value


def _safe(value: Value | None) -> Value | None:
    """A value of a setting, made safe for a result, because a manager may return any text."""
    return shown(value, 200) if isinstance(value, str) else value


def _words(value: Value | None) -> str:
    return "not reported" if value is None else shown(in_words(value), 200)
