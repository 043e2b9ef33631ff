# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cipher suites a fleet can speak, by its agents' versions, and which agents a requirement would cut off.

What happens to an agent depends on its version and, for a few agents, on its platform. So a fleet is judged by its
versions, of which there are a few dozen, however many computers it has.
"""

from __future__ import annotations

import heapq
import typing as t
from collections import Counter, defaultdict

from .._agent.cipher_suites import AMBIGUOUS, DOCUMENTED, RANGES, UNDOCUMENTED, Documented, documented
from .._agent.presets import PRESETS
from .._agent.releases import describe, span_of
from .._agent.requirement import (
    KEPT,
    LOST,
    UNKNOWN,
    UNKNOWN_VERSION,
    WITHOUT,
    Requirement,
    Verdict,
    judge,
    lacks_tls_1_2,
    listed_builds,
    newest_upgrade,
    upgrade,
)
from .._agent.sources import SUITES_PAGE
from .._agent.suites import SUITES, find_suite
from .._agent.tls_versions import VERSIONS, normalize
from .._agent.versions import NO_AGENT, Release, parse
from .._basis.errors import OptionError
from .._basis.plain import items
from .._basis.text import shown
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer
from .._fleet.targets import Selector
from .._manager.client import Client
from .context import Contexts
from .platforms import platform_name
from .some_computers import CHOOSING_ARGUMENTS, at_most, choose, read_choice
from .table import as_csv, cells

# Which computers to list one by one.
ALL = "all"
AT_RISK = "lost"
NONE = "none"
# How to list them.
LIST = "list"
CSV = "csv"

REQUIREMENT_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "required_suites": {"type": "list", "elements": "str"},
    "minimum_tls": {"type": "str"},
}
_PRESET: dict[str, t.Any] = {"type": "str", "choices": list(PRESETS)}
CIPHER_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "require": {"type": "dict", "options": {"preset": {**_PRESET, "required": True}}},
    **REQUIREMENT_ARGUMENTS,
    "requirements": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "preset": _PRESET, **REQUIREMENT_ARGUMENTS},
    },
    "computers": {"type": "str", "choices": [ALL, AT_RISK, NONE], "default": AT_RISK},
    "computers_format": {"type": "str", "choices": [LIST, CSV], "default": LIST},
    "computers_most": {"type": "int"},
    **CHOOSING_ARGUMENTS,
}

# How many computers to name for each agent that is not kept.
_EXAMPLES = 5

# The name of a requirement without a name.
_UNNAMED = "required"

# The states of a computer besides those of an agent whose version is known.
_STATES = (DOCUMENTED, AMBIGUOUS, UNDOCUMENTED, UNKNOWN_VERSION, WITHOUT)


class CiphersAsked(t.NamedTuple):
    """Which requirements (by name) to judge which computers by; which computers to list one by one, and how.

    C(most): the most computers to list, C(None) for all.
    """

    requirements: dict[str, Requirement]
    listed: str
    format: str
    selector: Selector | None
    most: int | None = None

    @classmethod
    def from_options(cls, params: dict[str, t.Any]) -> CiphersAsked:
        """Read the options of C(agent_cipher_info). Raises C(OptionError)."""
        most = params["computers_most"]
        return cls(
            _requirements(params),
            str(params["computers"]),
            str(params["computers_format"]),
            read_choice(params),
            None if most is None else at_most(most),
        )


class _Agent(t.NamedTuple):
    """The facts that decide what happens to a computer."""

    version: str
    old_platform: bool

    @classmethod
    def of(cls, computer: Computer) -> _Agent:
        return cls(computer.agent_version, lacks_tls_1_2(computer.platform))


class _Judged(t.NamedTuple):
    """What happens to the computers with one agent under one requirement."""

    verdict: Verdict
    upgrade: Release | None
    newest: Release | None


_Judgments = t.Mapping[str, t.Mapping[_Agent, _Judged]]


def read_ciphers(client: Client, asked: CiphersAsked) -> dict[str, t.Any]:
    """The result of C(agent_cipher_info). Raises C(OptionError), C(ManagerError)."""
    fleet = Fleet(client)
    computers, missing = choose(fleet, asked.selector)
    agents: Counter[_Agent] = Counter()
    examples: dict[_Agent, list[str]] = defaultdict(list)
    for computer in computers:
        agent = _Agent.of(computer)
        agents[agent] += 1
        if agents[agent] <= _EXAMPLES:
            examples[agent].append(shown(computer.name))
    judgments = {
        name: {agent: _judged(agent, requirement) for agent in agents}
        for name, requirement in asked.requirements.items()
    }
    releases = _releases(agents, judgments)
    contexts = Contexts(fleet)
    one_by_one: dict[str, t.Any] = {}
    if asked.format == CSV:
        one_by_one["computers_csv"] = _as_csv(_listed(computers, contexts, judgments, asked.listed), list(judgments))
    if asked.format == LIST or asked.most is not None:
        listed = _listed(computers, contexts, judgments, asked.listed)
        worst_first = listed if asked.most is None else heapq.nsmallest(asked.most, listed, key=_urgency)
        one_by_one["computers"] = list(worst_first)
    return {
        "manager": client.transport.url,
        "summary": _summary(releases),
        "suites": _suites(releases),
        "releases": releases,
        "requirements": [
            _judgment(name, requirement, agents, judgments[name], examples)
            for name, requirement in asked.requirements.items()
        ],
        "breakdowns": _breakdowns(computers, contexts, judgments),
        **one_by_one,
        "warnings": missing,
    }


# -- options


def _requirements(params: dict[str, t.Any]) -> dict[str, Requirement]:
    if params["requirements"] is None:
        preset = None if params["require"] is None else params["require"]["preset"]
        alone = _requirement({**params, "preset": preset}, "", "require.preset")
        return {_UNNAMED: alone} if alone else {}
    for option in ("require", *REQUIREMENT_ARGUMENTS):
        if params[option] is not None:
            raise OptionError(
                option, params[option], "it cannot be given together with 'requirements'; put it into one of them"
            )
    result: dict[str, Requirement] = {}
    for number, given in enumerate(params["requirements"]):
        path = f"requirements[{number}]."
        name = str(given["name"])
        if not name or name in result:
            raise OptionError(f"{path}name", name, "it must be a name that no other requirement has")
        requirement = _requirement(given, path, f"{path}preset")
        if requirement is None:
            raise OptionError(
                f"{path}name", name, "it must require something: a preset, or required_suites, minimum_tls or both"
            )
        result[name] = requirement
    return result


def _requirement(params: dict[str, t.Any], path: str, preset_option: str) -> Requirement | None:
    names, tls, preset = params["required_suites"], params["minimum_tls"], params["preset"]
    if preset is not None:
        for option in REQUIREMENT_ARGUMENTS:
            if params[option] is not None:
                raise OptionError(
                    f"{path}{option}", params[option], f"{preset_option} says it already; give one of them"
                )
        return PRESETS[str(preset)]
    if names is None and tls is None:
        return None
    if names is not None and not names:
        raise OptionError(f"{path}required_suites", "[]", "it must name a suite; without one, no agent can connect")
    suites = [_suite(name, f"{path}required_suites") for name in items(names)]
    lowest = None
    if tls is not None:
        lowest = normalize(str(tls))
        if lowest is None:
            raise OptionError(f"{path}minimum_tls", tls, f"it must be one of {', '.join(VERSIONS)}")
        if suites and lowest > "1.2":
            raise OptionError(f"{path}minimum_tls", tls, "TLS 1.3 has none of the required suites; 1.2 is the last")
    return Requirement(tuple(dict.fromkeys(suites)), lowest)


def _suite(name: str, option: str) -> str:
    suite = find_suite(name)
    if suite is None:
        known = ", ".join(suite.iana for suite in SUITES)
        raise OptionError(option, name, f"it must hold suites that an agent is documented to use, which are {known}")
    return suite.iana


# -- by agent


def _judged(agent: _Agent, requirement: Requirement) -> _Judged:
    verdict = judge(agent.version, requirement, agent.old_platform)
    if verdict.outcome == KEPT:
        return _Judged(verdict, None, None)
    given = (agent.version, requirement, agent.old_platform)
    return _Judged(verdict, upgrade(*given), newest_upgrade(*given))


def _counted(agents: t.Mapping[_Agent, int], judged: t.Mapping[_Agent, _Judged]) -> dict[str, int]:
    counts = {KEPT: 0, LOST: 0, UNKNOWN: 0}
    for agent, count in agents.items():
        counts[judged[agent].verdict.outcome] += count
    return counts


def _judgment(
    name: str,
    requirement: Requirement,
    agents: t.Mapping[_Agent, int],
    judged: t.Mapping[_Agent, _Judged],
    examples: t.Mapping[_Agent, list[str]],
) -> dict[str, t.Any]:
    """One requirement: how many computers it keeps and loses, which agents they have, and which upgrades save them."""
    at_risk = [agent for agent in agents if judged[agent].verdict.outcome != KEPT]
    causes: Counter[str | None] = Counter()
    upgrades: Counter[Release] = Counter()
    newest: dict[Release, Release] = {}
    for agent in at_risk:
        fate = judged[agent]
        causes[fate.verdict.cause] += agents[agent]
        if fate.upgrade is not None:
            upgrades[fate.upgrade] += agents[agent]
        if fate.upgrade is not None and fate.newest is not None:
            newest[fate.upgrade] = max(fate.newest, newest.get(fate.upgrade, fate.newest))
    # Certain losses first, then uncertain ones; within each, the oldest agents first.
    at_risk.sort(key=lambda agent: (judged[agent].verdict.outcome != LOST, _order(agent.version), agent))
    return {
        "name": name,
        "required_suites": list(requirement.suites),
        "minimum_tls": requirement.minimum_tls,
        "source": requirement.source,
        **_counted(agents, judged),
        "causes": dict(causes.most_common()),
        "upgrades": [
            {
                "release": str(release),
                "builds": listed_builds(release),
                "newest": _name(newest.get(release)),
                "computers": upgrades[release],
            }
            for release in sorted(upgrades)
        ],
        "agents": [_agent_row(agent, agents[agent], judged[agent], examples[agent]) for agent in at_risk],
    }


def _agent_row(agent: _Agent, count: int, judged: _Judged, examples: list[str]) -> dict[str, t.Any]:
    return {
        "agent_version": shown(agent.version),
        "release": describe(agent.version)["release"],
        "computers": count,
        "examples": examples,
        "outcome": judged.verdict.outcome,
        "cause": judged.verdict.cause,
        "reason": judged.verdict.reason,
        "source": judged.verdict.source,
        "upgrade": _name(judged.upgrade),
        "newest_upgrade": _name(judged.newest),
    }


# -- by release


def _releases(agents: t.Mapping[_Agent, int], judgments: _Judgments) -> list[dict[str, t.Any]]:
    """Every range of the vendor's page, agents outside of all ranges, and computers without a version, by age."""
    members: dict[tuple[str, str], dict[_Agent, int]] = {(row.words, DOCUMENTED): {} for row in RANGES}
    ages = {(row.words, DOCUMENTED): row.releases.earliest for row in RANGES}
    lists: dict[tuple[str, str], t.Sequence[str]] = {(row.words, DOCUMENTED): row.suites for row in RANGES}
    for agent, count in agents.items():
        answer = documented(agent.version)
        row = _row(agent.version, answer)
        members.setdefault(row, {})[agent] = count
        lists.setdefault(row, answer["suites"])
        ages[row] = min(ages.get(row) or _age(agent.version), _age(agent.version))
    return [
        {
            "release": row[0],
            "state": row[1],
            "suites": list(lists[row]),
            "source": None if row[1] in (UNKNOWN_VERSION, WITHOUT) else SUITES_PAGE,
            "computers": sum(members[row].values()),
            "outcomes": {name: _counted(members[row], judged) for name, judged in judgments.items()},
            "versions": _versions(members[row]),
        }
        for row in sorted(members, key=lambda row: (ages[row], row))
    ]


def _row(version: str, answer: Documented) -> tuple[str, str]:
    """The row in the table of releases for an agent: the row's words, and the state of all agents in it."""
    subject = parse(version)
    if subject is None:
        return "unknown version", UNKNOWN_VERSION
    if subject == NO_AGENT:
        return "no agent", WITHOUT
    if answer["state"] == DOCUMENTED:
        return " or ".join(answer["ranges"]), DOCUMENTED
    return f"{subject.line}, {answer['state']}", answer["state"]


def _versions(members: t.Mapping[_Agent, int]) -> list[dict[str, t.Any]]:
    counts: Counter[str] = Counter()
    for agent, count in members.items():
        counts[agent.version] += count
    rows = []
    for version in sorted(counts, key=_order):
        known, answer = describe(version), documented(version)
        rows.append(
            {
                "agent_version": shown(version),
                "release": known["release"],
                "release_certainty": known["certainty"],
                "suites_certainty": answer["certainty"],
                "tls": answer["tls"],
                "computers": counts[version],
            }
        )
    return rows


def _order(version: str) -> tuple[t.Any, ...]:
    """The key that sorts agents from old to new."""
    return _age(version), parse(version) or (), version


def _age(version: str) -> Release:
    """The earliest release that an agent can be. Text that is not an agent's version comes first."""
    subject = parse(version)
    return Release(0, 0) if subject is None or subject == NO_AGENT else span_of(subject).earliest


# -- by computer, and in total


def _listed(
    computers: t.Iterable[Computer], contexts: Contexts, judgments: _Judgments, listed: str
) -> t.Iterator[dict[str, t.Any]]:
    if listed == NONE:
        return
    # Computers with the same agent share the same texts.
    fates: dict[_Agent, dict[str, dict[str, t.Any]]] = defaultdict(lambda: {fate: {} for fate in _FATES})
    for name, judged in judgments.items():
        for agent, one in judged.items():
            fates[agent]["outcomes"][name] = one.verdict.outcome
            fates[agent]["upgrades"][name] = _name(one.upgrade)
            fates[agent]["newest_upgrades"][name] = _name(one.newest)
            fates[agent]["sources"][name] = one.verdict.source
    for computer in computers:
        fate = fates[_Agent.of(computer)]
        if listed == ALL or any(outcome != KEPT for outcome in fate["outcomes"].values()):
            policy = contexts.policy(computer)
            yield {
                "id": computer.id,
                "name": shown(computer.name),
                "display_name": shown(computer.display_name),
                "policy": shown(policy.name) if policy else None,
                "policy_path": contexts.path(policy),
                "group_path": contexts.group_path(computer),
                "platform": shown(computer.platform),
                "platform_name": platform_name(shown(computer.platform)),
                "agent_version": shown(computer.agent_version),
                **fate,
            }


def _urgency(row: dict[str, t.Any]) -> tuple[int, int, int]:
    """Computers that most requirements lose come first, then unknown ones, then by ID."""
    outcomes = list(row["outcomes"].values())
    return -outcomes.count(LOST), -outcomes.count(UNKNOWN), row["id"]


def _breakdowns(
    computers: t.Iterable[Computer], contexts: Contexts, judgments: _Judgments
) -> dict[str, list[dict[str, t.Any]]]:
    """What happens to the computers of each policy, group and platform, the largest first."""
    parts: dict[str, dict[str | None, Counter[_Agent]]] = {"policy": {}, "group": {}, "platform": {}}
    for computer in computers:
        agent = _Agent.of(computer)
        names = {
            "policy": contexts.path(contexts.policy(computer)),
            "group": contexts.group_path(computer),
            "platform": platform_name(shown(computer.platform)),
        }
        for kind, name in names.items():
            parts[kind].setdefault(name, Counter())[agent] += 1
    return {
        kind: sorted(
            (
                {
                    "name": name,
                    "computers": agents.total(),
                    "outcomes": {requirement: _counted(agents, judged) for requirement, judged in judgments.items()},
                }
                for name, agents in of_kind.items()
            ),
            key=lambda part: (-part["computers"], part["name"] or ""),
        )
        for kind, of_kind in parts.items()
    }


_COLUMNS = ("id", "name", "display_name", "policy", "policy_path", "group_path", "platform", "agent_version")
# The values of a computer for each requirement, and the names of their columns after the requirement's name.
_FATES = {
    "outcomes": "",
    "upgrades": ": upgrade to",
    "newest_upgrades": ": newest that saves it",
    "sources": ": source",
}


def _as_csv(rows: t.Iterable[dict[str, t.Any]], requirements: t.Sequence[str]) -> str:
    """The computers as a table for spreadsheets, with four columns for each requirement."""
    return as_csv(
        (*_COLUMNS, *(f"{name}{what}" for name in requirements for what in _FATES.values())),
        (
            cells(
                [*(row[column] for column in _COLUMNS), *(row[fate][name] for name in requirements for fate in _FATES)]
            )
            for row in rows
        ),
    )


def _summary(releases: t.Sequence[dict[str, t.Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in releases:
        counts[row["state"]] += row["computers"]
    return {"computers": counts.total(), **{state: counts[state] for state in _STATES}}


def _suites(releases: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Every suite that agents are documented to use, with how many computers it is documented for."""
    counts: Counter[str] = Counter()
    for row in releases:
        for name in row["suites"]:
            counts[name] += row["computers"]
    return [{**suite.as_dict(), "computers": counts[suite.iana]} for suite in SUITES]


def _name(release: Release | None) -> str | None:
    return None if release is None else str(release)
