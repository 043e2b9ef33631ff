# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets: turns names, IDs, patterns, places in trees and queries into policies and computers of the manager."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._basis.errors import OptionError
from .._basis.text import enumerated, quoted
from .fleet import Fleet
from .names import (
    MUST_BE_A_LIST,
    Computers,
    Key,
    Lookup,
    Pattern,
    ambiguous,
    missing,
    no_such,
    read_keys,
    read_patterns,
    shown_key,
    unmatched,
)
from .objects import Policy, Target
from .query import GROUP_FIELDS, OF_POLICY, PolicyQuery, Query, Table, computer_table, looked_at, policy_table

# Up to this many computers are searched by name. For more, the fleet is listed, with 5,000 computers per request.
SEARCHED_AT_MOST = 10

# The most problems that an error lists one by one.
_PROBLEMS_AT_MOST = 20

# Documented in plugins/doc_fragments/targets.py.
POLICY_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    # Raw, so that the word "all" differs from a list with it.
    "policies": {"type": "raw"},
    "below": {"type": "list", "elements": "raw"},
    "policies_matching": {"type": "list", "elements": "str"},
    "policies_query": {"type": "str"},
}
# Options that choose computers without naming each.
CHOSEN_COMPUTER_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "computer_groups": {"type": "list", "elements": "raw"},
    "computers_matching": {"type": "list", "elements": "str"},
    "computers_query": {"type": "str"},
}
COMPUTER_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "computers": {"type": "list", "elements": "raw"},
    **CHOSEN_COMPUTER_ARGUMENTS,
}
MISSING_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "allow_missing": {"type": "bool", "default": False},
    "allow_empty": {"type": "bool", "default": False},
}
TARGET_ARGUMENTS = {**POLICY_ARGUMENTS, **COMPUTER_ARGUMENTS, **MISSING_ARGUMENTS}

# The word in place of a list of policies.
ALL = "all"

T = t.TypeVar("T")


class Unresolved(t.NamedTuple):
    """A name or ID of a C(policy), C(computer) or C(group) that does not exist, or a pattern, and the reason."""

    type: str
    key: Key
    reason: str


class Selector(t.NamedTuple):
    """A choice of targets: names (str) and IDs (int), patterns, places in the trees, and queries.

    C(path): the option that contains it, such as C(profiles[servers]), for errors. C(allow_missing): whether names may
    not exist. C(allow_empty): whether it may select nothing at all.
    """

    policies: tuple[Key, ...] = ()
    computers: tuple[Key, ...] = ()
    all_policies: bool = False
    below: tuple[Key, ...] = ()
    computer_groups: tuple[Key, ...] = ()
    policies_matching: tuple[Pattern, ...] = ()
    computers_matching: tuple[Pattern, ...] = ()
    policies_query: PolicyQuery | None = None
    computers_query: Query | None = None
    path: str = ""
    allow_missing: bool = False
    allow_empty: bool = False

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], path: str) -> Selector:
        """Read those options of C(TARGET_ARGUMENTS) that are given. Raises C(OptionError)."""

        def named(option: str) -> str:
            return f"{path}.{option}" if path else option

        policies = listed_policies(options.get("policies"), named("policies"))
        of_policies, of_computers = options.get("policies_query"), options.get("computers_query")
        selector = cls(
            policies=() if policies == ALL else read_keys(policies, named("policies")),
            computers=read_keys(options.get("computers"), named("computers")),
            all_policies=policies == ALL,
            below=read_keys(options.get("below"), named("below")),
            computer_groups=read_keys(options.get("computer_groups"), named("computer_groups")),
            policies_matching=read_patterns(options.get("policies_matching"), named("policies_matching")),
            computers_matching=read_patterns(options.get("computers_matching"), named("computers_matching")),
            policies_query=None if of_policies is None else PolicyQuery(str(of_policies), named("policies_query")),
            computers_query=None if of_computers is None else Query(str(of_computers), named("computers_query")),
            path=path,
            allow_missing=bool(options.get("allow_missing")),
            allow_empty=bool(options.get("allow_empty")),
        )
        if not selector.chooses:
            must = "targets must be chosen by policies, computers or another option, such as computers_query"
            if not chosen_by(options):
                raise OptionError(path or "policies", None, must)
            if not selector.allow_empty:
                raise OptionError(path or "policies", None, f"{must}; empty lists need allow_empty: true")
        return selector

    @property
    def chooses(self) -> bool:
        """Whether any option names something."""
        return bool(self.chooses_policies or self.computers or self.chooses_from_all)

    @property
    def chooses_policies(self) -> bool:
        """Whether any option names policies."""
        return bool(self.all_policies or self.policies or self.below or self.policies_matching or self.policies_query)

    @property
    def chooses_from_all(self) -> bool:
        """Whether the list of all computers is needed."""
        return bool(self.computer_groups or self.computers_matching or self.computers_query)

    def option(self, name: str) -> str:
        """The name for errors of one of its options, or without C(name), of all of them."""
        if not name:
            return self.path or "policies"
        return f"{self.path}.{name}" if self.path else name


def chosen_by(options: t.Mapping[str, t.Any]) -> list[str]:
    """The options for targets that are given, even if empty."""
    return [name for name in (*POLICY_ARGUMENTS, *COMPUTER_ARGUMENTS) if options.get(name) is not None]


def listed_policies(given: t.Any, option: str) -> t.Any:
    """The value as a list, converted as Ansible does; but the word C(all), which stands for a list, unchanged.

    Raises C(OptionError) for any other value.
    """
    if isinstance(given, str):
        return ALL if given == ALL else given.split(",")
    if isinstance(given, int) and not isinstance(given, bool):
        return [given]
    if given is not None and not isinstance(given, (list, tuple)):
        raise OptionError(option, given, f"{MUST_BE_A_LIST}, or the word {ALL}")
    return given


class _Problem(t.NamedTuple):
    """The parts of an C(OptionError)."""

    option: str
    value: t.Any
    text: str

    @property
    def error(self) -> OptionError:
        """The whole error."""
        return OptionError(self.option, self.value, self.text)


def resolve(fleet: Fleet, selectors: t.Sequence[Selector]) -> list[tuple[list[Target], list[Unresolved]]]:
    """The targets of each selector, each once, policies first; and missing names, if these are allowed.

    The fleet is only listed if a selector needs it. Warnings about the choice are added to C(fleet.warnings). Raises
    one C(OptionError) for all missing and ambiguous names, and for all empty selections, of all selectors.
    """
    resolver = _Resolver(fleet, selectors)
    choices = [resolver.choose(selector) for selector in selectors]
    problems = [problem for choice in choices for problem in choice.problems]
    if problems:
        first, *others = problems
        told = [first.text, *(str(one.error) for one in others[: _PROBLEMS_AT_MOST - 1])]
        if len(problems) > _PROBLEMS_AT_MOST:
            told.append(f"and {len(problems) - _PROBLEMS_AT_MOST} more problems")
        raise OptionError(first.option, first.value, "; ".join(told))
    return [(list(choice.targets), choice.unresolved) for choice in choices]


# The plural of each C(Unresolved.type).
_ABSENT = {
    "policy": "policies that the manager does not have",
    "computer": "computers that the manager does not have",
    "group": "groups of computers that the manager does not have",
    "pattern": "patterns that match nothing",
}


def missing_told(missing: t.Iterable[Unresolved], lead: str) -> list[str]:
    """Warnings about missing objects: one line for each kind. If there are many, only the first ones are named.

    C(lead): the beginning of each line, such as C(profile 'Servers' is kept without).
    """
    by_kind: dict[str, list[Unresolved]] = {}
    for one in missing:
        by_kind.setdefault(one.type, []).append(one)
    told = []
    for kind, (first, *others) in by_kind.items():
        if others:
            names = enumerated([shown_key(one.key, 100) for one in (first, *others)])
            told.append(f"{lead} {1 + len(others)} {_ABSENT[kind]}: {names}")
        else:
            told.append(f"{lead} {kind} {quoted(first.key)}: {first.reason}")
    return told


@dataclass
class _Choice:
    """The targets that one selector has chosen so far."""

    selector: Selector
    targets: dict[Target, None] = field(default_factory=dict)
    unresolved: list[Unresolved] = field(default_factory=list)
    problems: list[_Problem] = field(default_factory=list)

    def add(self, targets: t.Iterable[Target]) -> None:
        """Add these targets."""
        if self.targets:
            self.targets.update(dict.fromkeys(targets))
        else:
            self.targets = dict.fromkeys(targets)

    def problem(self, option: str, value: t.Any, text: str) -> None:
        """Note what is wrong with an option."""
        self.problems.append(_Problem(self.selector.option(option), value, text))

    def nothing(self, option: str, value: t.Any, text: str) -> None:
        """Note the problem that an option selects nothing, unless that is allowed."""
        if not self.selector.allow_empty:
            self.problem(option, value, f"{text}; allow_empty: true allows that")


class _Resolver:
    """The objects from which selectors choose, read when first needed."""

    def __init__(self, fleet: Fleet, selectors: t.Sequence[Selector]) -> None:
        self._fleet = fleet
        self._selectors = selectors
        named = {key for selector in selectors for key in selector.computers}
        listed = any(selector.chooses_from_all for selector in selectors) or len(named) > SEARCHED_AT_MOST
        self._computers = Computers(fleet, listed)
        fleet.begin(self._sure())
        # This comes first: only full pages show that the manager does not shorten the pages of policies.
        if listed:
            fleet.list_computers()
        for key in named:
            self._computers.find(key)

    def _sure(self) -> t.Iterator[str]:
        """The lists that are certainly needed besides the computers."""
        expressions = [one.computers_query.expression for one in self._selectors if one.computers_query]
        if any(one.chooses_policies for one in self._selectors) or looked_at(expressions, OF_POLICY):
            yield "policies"
        if any(one.computer_groups for one in self._selectors) or looked_at(expressions, GROUP_FIELDS):
            yield "group_tree"

    def choose(self, selector: Selector) -> _Choice:
        """The targets of one of the selectors."""
        choice = _Choice(selector)
        policies = self._named(
            choice, "policies", "policy", selector.policies, self._policy, lambda: self._policies.known
        )
        choice.add(policies)
        if selector.all_policies:
            choice.add(self._fleet.policies.values())
        self._below(choice)
        self._matching_policies(choice)
        if selector.policies_query:
            chosen = self._queried(choice, "policies_query", selector.policies_query, self._policy_table)
            choice.add(self._fleet.policies[number] for number in chosen)
        find = self._computers.find
        computers = self._named(
            choice, "computers", "computer", selector.computers, find, lambda: self._computers.known
        )
        choice.add(computers)
        self._in_groups(choice)
        self._matching_computers(choice)
        if selector.computers_query:
            chosen = self._queried(choice, "computers_query", selector.computers_query, self._computer_table)
            choice.add(map(self._fleet.computers.__getitem__, chosen))
        if not (choice.targets or choice.problems):
            choice.nothing("", None, "nothing that is named here exists")
        return choice

    # -- objects

    @cached_property
    def _policies(self) -> Lookup[Policy]:
        return Lookup(self._fleet.policies, lambda policy: (policy.name,), any_case=False)

    @cached_property
    def _groups(self) -> Lookup[int]:
        """The IDs of groups, by their paths."""
        groups = self._fleet.groups
        return Lookup({number: number for number in groups}, lambda number: (groups[number],), any_case=False)

    @cached_property
    def _policy_table(self) -> Table:
        return policy_table(self._fleet, [one.policies_query for one in self._selectors if one.policies_query])

    @cached_property
    def _computer_table(self) -> Table:
        return computer_table(self._fleet, [one.computers_query for one in self._selectors if one.computers_query])

    def _policy(self, key: Key) -> t.Sequence[Policy]:
        return self._policies.find(key)

    def _group(self, key: Key) -> t.Sequence[int]:
        return self._groups.find(key)

    # -- ways to choose

    def _named(
        self,
        choice: _Choice,
        option: str,
        noun: str,
        keys: t.Sequence[Key],
        find: t.Callable[[Key], t.Sequence[T]],
        known: t.Callable[[], t.Mapping[int, tuple[str, ...]]],
    ) -> list[T]:
        """The objects with these names and IDs, without missing and ambiguous ones."""
        found = {key: find(key) for key in keys}
        absent = [key for key, same in found.items() if not same]
        if choice.selector.allow_missing:
            word = "group" if noun.startswith("group") else noun
            choice.unresolved += [Unresolved(word, key, no_such(noun, key)) for key in absent]
        elif absent:
            choice.problem(option, *missing(noun, absent, known()))
        for key, same in found.items():
            if len(same) > 1:
                choice.problem(option, key, ambiguous(same))
        return [same[0] for same in found.values() if len(same) == 1]

    def _below(self, choice: _Choice) -> None:
        named = choice.selector.below
        above = self._named(choice, "below", "policy", named, self._policy, lambda: self._policies.known)
        inside = self._fleet.policies_below(policy.id for policy in above) if above else ()
        choice.add(self._fleet.policies[number] for number in sorted(inside))
        if above and not inside:
            choice.nothing("below", _one(named), f"no policy is below {_each(named)}")

    def _in_groups(self, choice: _Choice) -> None:
        named = choice.selector.computer_groups
        find = self._group
        groups = self._named(choice, "computer_groups", "group of computers", named, find, lambda: self._groups.known)
        within = self._fleet.groups_within(groups) if groups else ()
        inside = [one for one in self._fleet.list_computers() if one.group_id in within] if within else []
        choice.add(inside)
        if groups and not inside:
            choice.nothing("computer_groups", _one(named), f"no computer is in {_each(named)}, or below")

    def _matching_policies(self, choice: _Choice) -> None:
        for pattern in choice.selector.policies_matching:
            found = [policy for policy in self._fleet.policies.values() if pattern.matches(policy.name)]
            choice.add(found)
            if not found:
                names = [policy.name for policy in self._fleet.policies.values()]
                self._unmatched(choice, "policies_matching", "policy", pattern, names)

    def _matching_computers(self, choice: _Choice) -> None:
        for pattern in choice.selector.computers_matching:
            everybody = self._computers.folded
            # As with names, display names only count if no host name matches.
            found = [computer for computer, host, _display in everybody if pattern.matches_folded(host)] or [
                computer for computer, _host, display in everybody if pattern.matches_folded(display)
            ]
            choice.add(found)
            if not found:
                names = [name for names in self._computers.all.known.values() for name in names]
                self._unmatched(choice, "computers_matching", "computer", pattern, names)

    @staticmethod
    def _unmatched(choice: _Choice, option: str, noun: str, pattern: Pattern, names: t.Iterable[str]) -> None:
        reason = unmatched(noun, pattern, names)
        if choice.selector.allow_missing:
            choice.unresolved.append(Unresolved("pattern", pattern.text, reason))
        else:
            choice.nothing(option, pattern.text, reason)

    def _queried(self, choice: _Choice, option: str, query: Query, table: Table) -> list[int]:
        expression, allowed = query.expression.text, choice.selector.allow_missing
        absent = query.missing(self._fleet)
        if allowed:
            choice.unresolved += [Unresolved(one.noun.partition(" ")[0], one.name, one.reason) for one in absent]
        for one in absent if not allowed else ():
            choice.problem(option, expression, f"{one.reason}; allow_missing: true allows that")
        try:
            selected = query.select(table)
        except OptionError as error:
            choice.problems.append(_Problem(error.option, error.value, error.what_would_be_right))
            return []
        if not selected and (allowed or not absent):
            text = f"it selects none of the {len(table)} {query.what} that the manager lists"
            choice.nothing(option, expression, text)
        if query.without_version:
            self._fleet.warnings.append(
                f"option '{choice.selector.option(option)}': {query.without_version} of the {len(table)} computers have"
                " no agent version, or none that can be read; a comparison of versions is neither true nor false for them,"
                " negated or not"
            )
        return selected


def _one(keys: t.Sequence[Key]) -> Key | None:
    return keys[0] if len(keys) == 1 else None


def _each(keys: t.Sequence[Key]) -> str:
    return "it" if len(keys) == 1 else f"any of {enumerated([shown_key(key) for key in keys])}"
