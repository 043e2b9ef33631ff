# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, IDs and patterns in options, and the objects of the manager that they mean: none, one or many."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._basis.errors import OptionError
from .._basis.text import LONGEST, can_be_written, enumerated, lowered, quoted, shown
from .._manager.errors import ManagerError
from .._manager.shapes import LARGEST_ID
from .fleet import Fleet
from .nearest import suggestion
from .objects import Computer, Policy, Target

Key = t.Union[str, int]
T = t.TypeVar("T")

_MUST = "it must hold names (text) or IDs (whole numbers above 0)"
MUST_BE_A_LIST = "it must be a list of names (text) or IDs (whole numbers above 0)"

# The most missing names of one option in an error, and the most names for which similar ones are searched.
_NAMED_AT_MOST = 100
_SUGGESTED_AT_MOST = 10

_PLURALS = {"policy": "policies", "computer": "computers", "group of computers": "groups of computers"}

# The special characters of a pattern.
_WILDCARDS = re.compile(r"[*?\[\]!]")


@dataclass(frozen=True)
class Pattern:
    """A shell-style pattern of names."""

    text: str

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(self.text))

    @cached_property
    def _folded(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(lowered(self.text)))

    def matches(self, name: str) -> bool:
        """Whether the pattern matches a name exactly."""
        return bool(self._expression.match(name))

    def matches_folded(self, name: str) -> bool:
        """Whether the pattern, ignoring case, matches a name in lower case."""
        return bool(self._folded.match(name))

    @property
    def literal(self) -> str:
        """The pattern's text without its special characters."""
        return _WILDCARDS.sub("", self.text)


class Lookup(t.Generic[T]):
    """Objects by their names and IDs.

    C(names_of): an object's names; first names win over second names. With C(any_case), a name that no object has
    exactly means objects whose names differ in case.
    """

    def __init__(self, by_id: t.Mapping[int, T], names_of: t.Callable[[T], tuple[str, ...]], any_case: bool) -> None:
        self.by_id = by_id
        self._names_of = names_of
        self._any_case = any_case

    def find(self, key: Key) -> t.Sequence[T]:
        """The objects with that name or ID. If no object has a name with blanks around it, the blanks are ignored.

        Ansible splits C("A, B") at the comma and leaves the blank. Afterward, this cannot be told from a list.
        """
        if isinstance(key, int):
            return [self.by_id[key]] if key in self.by_id else []
        return self._named(key) or self._named(key.strip())

    @cached_property
    def known(self) -> dict[int, tuple[str, ...]]:
        """The names of all objects, by ID."""
        return {number: self._names_of(one) for number, one in self.by_id.items()}

    def _named(self, name: str) -> t.Sequence[T]:
        ways = [(self._exact, name), (self._folded, lowered(name))]
        for indices, wanted in ways if self._any_case else ways[:1]:
            for index in indices:
                if wanted in index:
                    return index[wanted]
        return []

    @cached_property
    def _exact(self) -> list[dict[str, list[T]]]:
        return self._indices(lambda name: name)

    @cached_property
    def _folded(self) -> list[dict[str, list[T]]]:
        return self._indices(lowered)

    def _indices(self, written: t.Callable[[str], str]) -> list[dict[str, list[T]]]:
        indices: list[dict[str, list[T]]] = []
        for one in self.by_id.values():
            for place, name in enumerate(self._names_of(one)):
                if place == len(indices):
                    indices.append({})
                indices[place].setdefault(written(name), []).append(one)
        return indices


class Computers:
    """Computers by names and IDs: searched one by one, until a name is not found or the fleet was listed."""

    def __init__(self, fleet: Fleet, listed: bool) -> None:
        self._fleet = fleet
        self._listed = listed
        self._found: dict[Key, t.Sequence[Computer]] = {}

    def find(self, key: Key) -> t.Sequence[Computer]:
        """The computers with that ID or name: exact names first, then ignoring case; host names before display names.

        It is not documented whether a manager's searches ignore case, so a name that is not found is searched in the
        whole fleet.
        """
        if key not in self._found:
            self._found[key] = self._search(key) if not self._listed else self.all.find(key)
        return self._found[key]

    @cached_property
    def all(self) -> Lookup[Computer]:
        """Every computer of the manager."""
        by_id = {computer.id: computer for computer in self._fleet.list_computers()}
        self._listed = True
        return Lookup(by_id, lambda computer: (computer.host_name, computer.display_name), any_case=True)

    @property
    def known(self) -> t.Mapping[int, tuple[str, ...]]:
        """The names of computers, by ID; only of known computers if the manager cannot list them."""
        try:
            return self.all.known
        except ManagerError:
            return {number: (one.host_name, one.display_name) for number, one in self._fleet.computers.items()}

    @cached_property
    def folded(self) -> list[tuple[Computer, str, str]]:
        """Every computer with its names in lower case."""
        return [(one, lowered(one.host_name), lowered(one.display_name)) for one in self.all.by_id.values()]

    def _search(self, key: Key) -> t.Sequence[Computer]:
        if isinstance(key, int):
            computer = self._fleet.search_computer_id(key)
            return [computer] if computer else []
        bare = key.strip()
        return self._searched(key) or (self._searched(bare) if bare != key else []) or self.all.find(key)

    def _searched(self, name: str) -> t.Sequence[Computer]:
        """The computers that searches find for that name, without reading the fleet."""
        near: t.Sequence[Computer] = []
        for field, attribute in (("hostName", "host_name"), ("displayName", "display_name")):
            found = self._fleet.search_computers(field, name)
            exact = [computer for computer in found if getattr(computer, attribute) == name]
            if exact:
                return exact
            near = near or found
        return near


def missing(noun: str, keys: t.Sequence[Key], known: t.Mapping[int, tuple[str, ...]]) -> tuple[Key | None, str]:
    """The value and the text of an error about unknown names and IDs. C(known): all names by ID."""
    hints = [_hint(key, noun, known) for key in keys[:_SUGGESTED_AT_MOST]]
    scope = "What the role of the API key may not see is not found either"
    if len(keys) == 1:
        return keys[0], f"{no_such(noun, keys[0])}{hints[0]}. {scope}"
    hints += [""] * (len(keys) - len(hints))
    row = enumerated(
        [f"{shown_key(key)} ({hint.removeprefix('; ')})" if hint else shown_key(key) for key, hint in zip(keys, hints)],
        _NAMED_AT_MOST,
    )
    return None, f"the manager has none of these {len(keys)} {_PLURALS[noun]}: {row}. {scope}"


def no_such(noun: str, key: Key) -> str:
    """The text that nothing has that name or ID."""
    word = "ID" if isinstance(key, int) else "path" if noun == "group of computers" else "name"
    return f"the manager has no {noun} of that {word}"


def unmatched(noun: str, pattern: Pattern, names: t.Iterable[str]) -> str:
    """The text that a pattern matches no name, with the nearest names."""
    return f"it matches the name of no {noun}{suggestion(pattern.literal, names)}"


def ambiguous(found: t.Sequence[t.Any]) -> str:
    """The text that several objects have one name. Each is a policy, a computer, or the ID of a group."""
    return f"{len(found)} have that name: {enumerated([_candidate(one) for one in found])}. Name one by its ID"


def shown_key(key: Key, longest: int = LONGEST) -> str:
    """A name or ID for messages."""
    return f"ID {key}" if isinstance(key, int) else quoted(key, longest)


def _hint(key: Key, noun: str, known: t.Mapping[int, tuple[str, ...]]) -> str:
    if isinstance(key, int):
        same = any(str(key) in of_one for of_one in known.values())
        return f"; there is one of that name: write '{key}' in quotes, since a number is an ID" if same else ""
    digits = key.strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) in known:
        name = next(filter(None, known[int(digits)]), "")
        return f"; the {noun} {quoted(name)} has that ID: write {digits} as a number, in a list and without quotes"
    names = [name for of_one in known.values() for name in of_one]
    # Somebody who gives only a group's name means the end of a path.
    ends = [name for name in names if name.endswith(f"/{key}")]
    return f"; nearest: {enumerated([quoted(name) for name in ends[:3]])}" if ends else suggestion(key, names)


def _candidate(target: Target | int) -> str:
    if isinstance(target, int):
        return f"ID {target}"
    if isinstance(target, Policy):
        return f"ID {target.id}"
    platform = shown(target.platform) or "unknown platform"
    return f"ID {target.id} (display name {quoted(target.display_name)}, {platform})"


def read_keys(given: t.Any, option: str) -> tuple[Key, ...]:
    """The names (str) and IDs (int) of an option, each once. Raises C(OptionError) for anything else."""
    if given is not None and not isinstance(given, (list, tuple)):
        raise OptionError(option, given, MUST_BE_A_LIST)
    # Plain types: since ansible-core 2.19 values can be tagged subclasses.
    return tuple(dict.fromkeys(_key(item, option) for item in given or ()))


def read_patterns(given: t.Any, option: str) -> tuple[Pattern, ...]:
    """The patterns of an option, each once. Raises C(OptionError) for anything else."""
    if given is not None and not isinstance(given, (list, tuple)):
        raise OptionError(option, given, "it must be a list of patterns such as 'web-*'")
    must = "it must hold patterns such as 'web-*'"
    for item in given or ():
        if not isinstance(item, str):
            raise OptionError(option, item, f"{must}, and these are text")
        if not item.strip():
            raise OptionError(option, item, f"{must}, and not an empty one; an extra comma makes one")
        if not can_be_written(item):
            raise OptionError(option, item, f"{must}, and a pattern must be text that can be written in UTF-8")
    # Ansible splits "a*, b*" at the comma and leaves the blank in the second pattern.
    return tuple(Pattern(text) for text in dict.fromkeys(str(item).strip(" \t\n") for item in given or ()))


def _key(item: t.Any, option: str) -> Key:
    if isinstance(item, bool) or not isinstance(item, (int, str)):
        kind = {type(None): "null", bool: "a boolean; a name of that kind needs quotes"}.get(
            type(item), "something else"
        )
        raise OptionError(option, item, f"{_MUST}, and not {kind}")
    if isinstance(item, int):
        if not 0 < item <= LARGEST_ID:
            raise OptionError(option, item, f"{_MUST}, and no ID is above {LARGEST_ID}; a name of digits needs quotes")
        return int(item)
    if not item.strip():
        raise OptionError(option, item, f"{_MUST}, and not an empty name; an extra comma makes one")
    if not can_be_written(item):
        raise OptionError(option, item, f"{_MUST}, and a name must be text that can be written in UTF-8")
    return str(item)
