# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot: turns the present values on the manager into profiles, added to those that a document already has.

Applying the resulting document changes nothing. What the document declares stays declared: unchanged if it is true,
otherwise with the present value.
"""

from __future__ import annotations

import collections
import itertools
import json
import typing as t
from dataclasses import dataclass, field

from .._basis.errors import OptionError
from .._basis.text import can_be_written, enumerated, quoted, shown
from .._facets.facet import NOTHING, Facet, Options, Restated, Scope
from .._fleet.fleet import Fleet
from .._fleet.names import Key
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .._fleet.query import Query
from .._fleet.targets import ALL, TARGET_ARGUMENTS, Selector, resolve
from .advice import Advice, advise

# The longest name of a profile that a snapshot creates.
_LONGEST_NAME = 100
_LISTS = ("policies", "computers")
_QUERY = "computers_query"
# The option that modifies the other options of a facet.
_ACCEPTING = "accept_inherited"

Facets = t.Sequence[Facet[t.Any]]


class Written(t.NamedTuple):
    """A profile as the document has it: the given options, converted to the right types.

    untold: facets whose values are unknown here, such as templates. They stay as they are.
    """

    number: int
    name: str
    path: str
    options: t.Mapping[str, t.Any]
    untold: frozenset[str] = frozenset()


class Copied(t.NamedTuple):
    """A facet of a written profile that is copied unchanged to another profile."""

    number: int
    facet: str


# What a profile declares, by facet: options, or a copy of a written facet.
Declared = t.Mapping[str, t.Union[Options, Copied]]


class Named(t.NamedTuple):
    """A target as a document names it: by its name, or by its ID with the name in a comment."""

    option: str
    key: Key
    comment: str | None = None


@dataclass
class Edit:
    """The changes of a written profile: options of facets (empty: no longer declared), and its targets.

    left: targets that leave the profile, by keys to remove, or by IDs that its query must exclude.
    """

    facets: dict[str, Options] = field(default_factory=dict)
    dropped: dict[str, set[Key]] = field(default_factory=dict)
    excluded: tuple[int, ...] = ()
    query_gone: bool = False
    added: list[Named] = field(default_factory=list)
    left: frozenset[Target] = frozenset()
    gone: bool = False


class NewProfile(t.NamedTuple):
    """A profile that the document does not have yet."""

    name: str
    targets: tuple[Named, ...]
    facets: Declared


class LeftOut(t.NamedTuple):
    """Overrides of targets that cannot be declared, and why."""

    facet: str
    reason: str
    targets: tuple[Target, ...]

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        return f"{self.facet} of {enumerated([one.label for one in self.targets], 3)}: {shown(self.reason)}"


class Snapshot(t.NamedTuple):
    """What to write into a document. Edits of existing profiles are by the profile's number."""

    edits: t.Mapping[int, Edit]
    profiles: tuple[NewProfile, ...]
    left_out: tuple[LeftOut, ...]
    advice: tuple[Advice, ...]
    # How many targets have overrides that are declared, and how many overrides these are.
    targets: int
    overrides: int
    # The facets that were captured, and whether the whole manager was.
    facets: frozenset[str]
    is_whole: bool
    # What is left out for the chosen targets only, because the document's own targets may have changed.
    noted: tuple[LeftOut, ...]


def take_snapshot(
    fleet: Fleet, facets: Facets, chosen: Selector | None, written: t.Sequence[Written], complete: bool = False
) -> Snapshot:
    """Read the chosen targets (C(None): all) and the document's targets, and say what to write into the document.

    C(facets): the facets to capture; others stay as written. C(complete): also name targets without overrides, and
    rules that can only be declared by name, so that any later override can be removed; all targets are named by ID.
    Raises C(OptionError) if the manager lacks something that the document names, C(ManagerError) if reading fails.
    """
    return _Taking(fleet, facets, written, complete).result(chosen)


@dataclass
class _Reach:
    """The targets of a written profile: those by name or ID, those by its query, and all others."""

    by_key: dict[tuple[str, Key], Target] = field(default_factory=dict)
    by_query: set[Target] = field(default_factory=set)
    otherwise: set[Target] = field(default_factory=set)

    @property
    def targets(self) -> list[Target]:
        """All targets, each once, policies first."""
        return _in_order({*self.by_key.values(), *self.by_query, *self.otherwise})


class _Taking:
    """Takes a snapshot."""

    def __init__(self, fleet: Fleet, facets: Facets, written: t.Sequence[Written], complete: bool) -> None:
        self.fleet = fleet
        self.complete = complete
        self.facets = facets
        self.written = written
        self.reach: dict[int, _Reach] = {}
        # By number of the profile and by target, the new options of its facets.
        self.becomes: dict[int, dict[Target, dict[str, Options]]] = {one.number: {} for one in written}
        # By target and facet, what must be declared in another profile than before.
        self.pieces: dict[Target, dict[str, list[Options | Copied]]] = {}
        self.own: dict[Target, dict[tuple[str, str], t.Any]] = {}
        self.left_out: dict[tuple[str, str], list[Target]] = {}
        self.chosen: list[Target] = []

    def result(self, chosen: Selector | None) -> Snapshot:
        targets = self._targets(chosen)
        self.fleet.read_overrides(targets)
        for facet in self.facets:
            self._look(facet, targets)
        for facet in self.facets if self.complete else ():
            for target in targets if facet.nothing else ():
                self.pieces.setdefault(target, {facet.name: [facet.nothing]})
        edits = {one.number: edit for one in self.written if (edit := self._edit(one)) is not None}
        self._leave_out_what_is_declared(edits)
        profiles = self._placed(edits)
        return Snapshot(
            edits,
            profiles,
            self._left_out_of(targets),
            tuple(advise(self.fleet, set(targets), self.own)),
            len(self.own),
            sum(map(len, self.own.values())),
            frozenset(facet.name for facet in self.facets),
            chosen is None,
            self._left_out_of(targets if chosen is None else self.chosen),
        )

    def _left_out_of(self, targets: t.Iterable[Target]) -> tuple[LeftOut, ...]:
        """What is left out, in an order that does not depend on what the document declares."""
        names = [facet.name for facet in self.facets]
        order = sorted(self.left_out, key=lambda found: (names.index(found[0]), found[1]))
        wanted = set(targets)
        found = [LeftOut(*one, tuple(_in_order(wanted.intersection(self.left_out[one])))) for one in order]
        return tuple(one for one in found if one.targets)

    # -- targets

    def _targets(self, chosen: Selector | None) -> list[Target]:
        """All chosen targets and all targets of the document. Records which part of a profile names each."""
        fleet = self.fleet
        selectors: list[Selector] = [] if chosen is None else [chosen]
        reached: list[t.Callable[[list[Target]], t.Any]] = [] if chosen is None else [list]
        for one in self.written:
            for selector, keep in self._selectors(one):
                selectors.append(selector)
                reached.append(keep)
        if chosen is None and selectors:
            # With a query among the selectors, the list of all computers is read anyway, and names are looked up in it.
            selectors.append(Selector(computers_query=Query("[]", _QUERY), allow_empty=True))
        if chosen is None:
            fleet.begin(["policies"])
        resolved = resolve(fleet, selectors)
        for (found, _missing), keep in zip(resolved, reached):
            keep(found)
        wanted = {target for reach in self.reach.values() for target in reach.targets}
        if chosen is None:
            wanted.update(fleet.policies.values(), fleet.list_computers())
        else:
            self.chosen = resolved[0][0]
            wanted.update(self.chosen)
        if any(isinstance(target, Computer) for target in wanted):
            # Needed to know whether a name belongs to only one computer.
            fleet.list_computers()
        return _in_order(wanted)

    def _selectors(self, one: Written) -> t.Iterator[tuple[Selector, t.Callable[[list[Target]], None]]]:
        """A selector for each name, one for the query, and one for everything else that chooses targets."""
        reach = self.reach[one.number] = _Reach()
        given = {name: one.options[name] for name in TARGET_ARGUMENTS if one.options.get(name) is not None}
        allowed = {name: value for name, value in given.items() if isinstance(value, bool)}
        Selector.from_options(one.options, one.path)
        for option in _LISTS:
            if given.get(option) == ALL:
                continue
            for key in given.pop(option, ()):

                def by_key(found: list[Target], option: str = option, key: Key = key) -> None:
                    if len(found) == 1:
                        reach.by_key[option, key] = found[0]
                    else:
                        reach.otherwise.update(found)

                yield Selector.from_options({option: [key], **allowed, "allow_empty": True}, one.path), by_key
        if _QUERY in given:
            yield Selector.from_options({_QUERY: given.pop(_QUERY), **allowed}, one.path), reach.by_query.update
        if given.keys() - allowed.keys():
            yield Selector.from_options(given, one.path), reach.otherwise.update

    # -- values

    def _look(self, facet: Facet[t.Any], targets: list[Target]) -> None:
        """Let a facet say what each target has, starting with the targets for which it is already declared."""
        outlook = Outlook(self.fleet)
        declared: dict[Target, list[tuple[int, Options, t.Any]]] = {}
        for one in self.written:
            if self._is_told(one, facet.name):
                options = one.options[facet.name]
                wish = facet.wish(facet.filled(options), Scope(f"{one.path}.{facet.name}"))
                for target in self.reach[one.number].targets:
                    declared.setdefault(target, []).append((one.number, options, wish))
        untold = {
            target for one in self.written if facet.name in one.untold for target in self.reach[one.number].targets
        }
        for target in sorted(targets, key=lambda target: target not in declared):
            saying = declared.get(target, [])
            restated = facet.restated(outlook, target, [(options, wish) for _number, options, wish in saying])
            if restated is NOTHING:
                continue
            for (number, _options, _wish), becomes in zip(saying, restated.declared):
                self.becomes[number].setdefault(target, {})[facet.name] = becomes
            self._keep(facet, target, restated, untold)

    def _keep(self, facet: Facet[t.Any], target: Target, restated: Restated, untold: t.Container[Target]) -> None:
        if restated.added and target not in untold:
            self.pieces.setdefault(target, {}).setdefault(facet.name, []).append(restated.added)
        for options in restated.as_it_is if self.complete else ():
            self.pieces.setdefault(target, {}).setdefault(facet.name, []).append(options)
        if restated.own:
            own = self.own.setdefault(target, {})
            own.update({(facet.name, key): value for key, value in restated.own.items()})
        for reason in restated.left_out:
            self.left_out.setdefault((facet.name, reason), []).append(target)

    def _is_told(self, one: Written, facet: str) -> bool:
        return one.options.get(facet) is not None and facet not in one.untold

    # -- existing profiles

    def _edit(self, one: Written) -> Edit | None:
        """The changes of a profile: most of its targets stay, and targets with other values leave."""
        told = [facet.name for facet in self.facets if self._is_told(one, facet.name)]
        classes: dict[str, list[Target]] = {}
        becomes: dict[str, dict[str, Options]] = {}
        for target, facets in self.becomes[one.number].items():
            classes.setdefault(_frozen(facets), []).append(target)
            becomes[_frozen(facets)] = facets
        unchanged = _frozen({name: one.options[name] for name in told})
        if classes.keys() <= {unchanged}:
            return None
        staying = max(classes, key=lambda frozen: (len(classes[frozen]), frozen == unchanged))
        leaving = {target for frozen, found in classes.items() if frozen != staying for target in found}
        reach = self.reach[one.number]
        others = [name for name in self._facet_names(one) if name not in told]
        if leaving & reach.otherwise:
            return self._undeclared(one, becomes, others)
        edit = Edit(
            {name: options for name, options in becomes[staying].items() if options != one.options[name]},
            left=frozenset(leaving),
        )
        for (option, key), target in reach.by_key.items():
            if target in leaving:
                edit.dropped.setdefault(option, set()).add(key)
        leaving_query = leaving & reach.by_query
        edit.query_gone = bool(leaving_query) and leaving_query == reach.by_query
        edit.excluded = () if edit.query_gone else tuple(sorted(target.id for target in leaving_query))
        for target in leaving:
            pieces = self.pieces.setdefault(target, {})
            for name, options in self.becomes[one.number][target].items():
                pieces.setdefault(name, []).extend([options] if options else [])
            for name in others:
                pieces.setdefault(name, []).append(Copied(one.number, name))
        edit.gone = not any(becomes[staying].values()) and not others
        return edit

    def _undeclared(self, one: Written, becomes: t.Mapping[str, dict[str, Options]], others: list[str]) -> Edit:
        """The profile without options that are not true for all of its targets, as some targets cannot leave it."""
        names = list(next(iter(becomes.values())))
        differing = [name for name in names if len({_frozen(facets[name]) for facets in becomes.values()}) > 1]
        for target, facets in self.becomes[one.number].items():
            for name in differing:
                if facets[name]:
                    self.pieces.setdefault(target, {}).setdefault(name, []).append(facets[name])
        common = next(iter(becomes.values()))
        after: dict[str, Options] = {name: {} if name in differing else common[name] for name in names}
        return Edit(
            {name: options for name, options in after.items() if options != one.options[name]},
            gone=not any(after.values()) and not others,
        )

    def _facet_names(self, one: Written) -> list[str]:
        return [
            name for name in one.options if name not in TARGET_ARGUMENTS and name != "name" and one.options[name]
        ] + [*(name for name in sorted(one.untold) if name not in one.options)]

    def _leave_out_what_is_declared(self, edits: t.Mapping[int, Edit]) -> None:
        """Drop what another profile, in which the target stays, already declares."""
        for one in self.written:
            edit = edits.get(one.number, Edit())
            for target, facets in self.becomes[one.number].items():
                if target in edit.left or target not in self.pieces:
                    continue
                for name, options in facets.items():
                    stays = edit.facets.get(name, one.options[name])
                    if not stays or stays != options:
                        continue
                    self.pieces[target][name] = [
                        rest
                        for piece in self.pieces[target].get(name, [])
                        if (rest := self._beside(name, piece, stays))
                    ]

    def _beside(self, name: str, piece: Options | Copied, declared: Options) -> Options | Copied:
        """The part of a piece that another declaration does not already have."""
        if isinstance(piece, Copied):
            return piece
        if not self._divisible(name):
            return {} if self._wish(name, piece) == self._wish(name, declared) else piece
        rest = {
            key: value
            for key, value in piece.items()
            if key == _ACCEPTING or key not in declared or str(declared[key]) != str(value)
        }
        return {} if rest.keys() <= {_ACCEPTING} else rest

    # -- new profiles

    def _placed(self, edits: dict[int, Edit]) -> tuple[NewProfile, ...]:
        """A new profile for each combination of values to declare, or an existing one that declares exactly these."""
        by_content: dict[str, tuple[Declared, list[Target]]] = {}
        for target in _in_order(self.pieces):
            for declared in self._bundles(self.pieces[target]):
                by_content.setdefault(_frozen(declared), (declared, []))[1].append(target)
        names = _Names(self.fleet, self.complete)
        taken = {one.name for one in self.written if one.number not in edits or not edits[one.number].gone}
        made = []
        for declared, targets in sorted(by_content.values(), key=lambda found: self._title(found[0])):
            fitting = self._fitting(declared, targets, edits)
            named = sorted(map(names.of, targets), key=_place)
            if fitting is not None:
                edits.setdefault(fitting.number, Edit()).added += named
                continue
            title, name = self._title(declared), ""
            for number in itertools.count(1):
                name = title if number == 1 else f"{title} ({number})"
                if name not in taken:
                    break
            taken.add(name)
            made.append(NewProfile(name, tuple(named), declared))
        return tuple(made)

    def _bundles(self, pieces: t.Mapping[str, list[Options | Copied]]) -> list[Declared]:
        """The pieces of a target, bundled for profiles: all in one, except pieces that exclude each other."""
        lists: dict[str, list[Options | Copied]] = {}
        for facet in self._all_facets(pieces):
            merged: list[Options | Copied] = []
            for piece in pieces[facet]:
                if piece in merged:
                    continue
                if isinstance(piece, Copied) or not self._divisible(facet):
                    merged.append(piece)
                    continue
                fitting = next(
                    (
                        number
                        for number, other in enumerate(merged)
                        if not isinstance(other, Copied)
                        and all(other[key] == piece[key] for key in other.keys() & piece.keys())
                    ),
                    None,
                )
                if fitting is None:
                    merged.append(piece)
                else:
                    merged[fitting] = {**t.cast(Options, merged[fitting]), **piece}
            lists[facet] = merged
        longest = max(map(len, lists.values()), default=0)
        return [
            {facet: found[number] for facet, found in lists.items() if number < len(found)} for number in range(longest)
        ]

    def _all_facets(self, pieces: t.Iterable[str]) -> list[str]:
        known = [facet.name for facet in self.facets]
        return sorted(pieces, key=lambda name: (known.index(name) if name in known else len(known), name))

    def _divisible(self, name: str) -> bool:
        return next((facet.divisible for facet in self.facets if facet.name == name), False)

    def _fitting(self, declared: Declared, targets: list[Target], edits: t.Mapping[int, Edit]) -> Written | None:
        """An existing profile that declares exactly this, and that none of the targets has just left."""
        if any(isinstance(options, Copied) for options in declared.values()):
            return None
        for one in self.written:
            edit = edits.get(one.number, Edit())
            names = self._facet_names(one)
            if edit.gone or any(not self._is_told(one, name) for name in names):
                continue
            after = {name: edit.facets.get(name, one.options[name]) for name in names}
            after = {name: options for name, options in after.items() if options}
            if after.keys() != declared.keys() or not self.reach[one.number].targets:
                continue
            if all(self._wish(name, after[name]) == self._wish(name, declared[name]) for name in after) and not (
                set(targets) & set(self.reach[one.number].targets)
            ):
                return one
        return None

    def _wish(self, name: str, options: t.Any) -> t.Any:
        facet = next((facet for facet in self.facets if facet.name == name), None)
        return options if facet is None else facet.wish(facet.filled(options), Scope(name))

    def _title(self, declared: Declared) -> str:
        """A name for a profile that says what it declares, and that no template engine would interpret."""
        by_name = {facet.name: facet for facet in self.facets}
        words = [
            f"{name} as before" if isinstance(options, Copied) else by_name[name].title(options)
            for name, options in declared.items()
        ]
        title = shown(", ".join(words).replace("{", "(").replace("}", ")"), _LONGEST_NAME)
        return title.strip()


class _Names:
    """How a document names targets, so that each name leads to exactly that target.

    by_id: always by ID, which stays right if the target is renamed.
    """

    def __init__(self, fleet: Fleet, by_id: bool) -> None:
        self._by_id = by_id
        self._policies = collections.Counter(policy.name.strip() for policy in fleet.policies.values())
        # In lower case, as DNS ignores case. A computer is found by either of its two names.
        self._computers = collections.Counter(
            name
            for one in fleet.computers.values()
            for name in dict.fromkeys((one.host_name.strip().casefold(), one.display_name.strip().casefold()))
        )

    def of(self, target: Target) -> Named:
        """The name, or the ID if other targets have the same name or if it has invisible characters."""
        name = target.name
        if isinstance(target, Policy):
            option, number = "policies", self._policies[name.strip()]
        else:
            option, number = "computers", self._computers[name.strip().casefold()]
        can_be_seen = can_be_written(name) and shown(name) == name == name.strip() != ""
        if number == 1 and can_be_seen and not self._by_id:
            return Named(option, name)
        return Named(option, target.id, shown(name, 100) or "without a name")


def _in_order(targets: t.Iterable[Target]) -> list[Target]:
    return sorted(targets, key=lambda target: (not isinstance(target, Policy), target.id))


def _place(named: Named) -> tuple[bool, bool, str, str, int]:
    """The sort key: policies before computers, names before IDs, each in an order independent of the manager's."""
    key = named.key
    text = key if isinstance(key, str) else ""
    return named.option != _LISTS[0], isinstance(key, int), text.casefold(), text, key if isinstance(key, int) else 0


def _frozen(declared: t.Mapping[str, t.Any]) -> str:
    """The same text for the same options, whatever their order."""
    return json.dumps(declared, sort_keys=True, default=lambda copied: [copied.number, copied.facet])


def profiles_path(variable: str, name: object) -> str:
    """The path of a profile of a document, for errors."""
    return f"{variable}[{shown(name, 100)}]"


def misplaced(path: str, option: str) -> OptionError:
    """The error for an option whose value must be known here."""
    return OptionError(
        f"{path}.{option}", None, "it must be written out here, since what a template or a vault holds is not known"
    )


def told_of(untold: t.Iterable[Written]) -> list[str]:
    """Remarks about facets that stay as they are because their values are unknown here."""
    return [
        f"profile {quoted(one.name)} keeps {', '.join(sorted(one.untold))} as it is, since templates or vaults in it are"
        " not known here; check mode of communication_profile tells whether it still holds"
        for one in untold
        if one.untold
    ]
