# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A document: profiles, each a set of targets and their declared facets. Made from options, asks no manager."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._facets.facet import Conflict, Facet, Scope
from .._facets.registry import FACETS
from .._facets.step import Step
from .._fleet.targets import COMPUTER_ARGUMENTS, TARGET_ARGUMENTS, Selector, chosen_by
from .bound import Bound
from .slices import Slice

Options = t.Mapping[str, t.Any]

# What to do with overrides that a document does not declare, and for which targets.
UNDECLARED = ("keep", "report", "remove")
KEEP, REPORT, REMOVE = UNDECLARED
SCOPES = ("declared", "targets", "fleet")
DECLARED, TARGETS, FLEET = SCOPES


class TryOn(t.NamedTuple):
    """The computers on which a rollout tries a profile before it changes the policies.

    selector: C(None) for all computers below the profile's policies. sample: how many of these, C(None) for all.
    """

    path: str
    selector: Selector | None
    sample: Bound | None


class Profile(t.NamedTuple):
    """The C(wishes), by facet name, for the targets of C(selector), and the computers for a trial."""

    name: str
    selector: Selector
    wishes: t.Mapping[str, t.Any]
    try_on: TryOn | None = None


class Document(t.NamedTuple):
    """Profiles and facets in planning order: the facets that they use, or all unless C(undeclared) is to keep.

    scope: whose overrides count as undeclared: those of targets and everything below policies among them, only of
    targets, or of the whole fleet. part, only: the chosen slice of the plan, and the chosen targets; C(None) for all.
    reviewed: the steps of the plan that is to be continued, if it removes what is undeclared. undone: the steps of the
    plan that is to be undone.
    """

    profiles: tuple[Profile, ...]
    facets: tuple[Facet[t.Any], ...]
    undeclared: str = KEEP
    scope: str = DECLARED
    part: Slice | None = None
    only: Selector | None = None
    reviewed: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()


def profile_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec of one profile."""
    facets = {name: {"type": "dict", "options": facet.arguments} for name, facet in FACETS.items()}
    trial = {"try_on": {"type": "dict", "options": {**COMPUTER_ARGUMENTS, "sample": {"type": "str"}}}}
    return {"name": {"type": "str", "required": True}, **TARGET_ARGUMENTS, **trial, **facets}


def read_document(
    profiles: t.Sequence[Options], deployment: str, undeclared: str = KEEP, scope: str = DECLARED
) -> Document:
    """The options of C(communication_profile). Raises C(OptionError) before anything is sent."""
    facets = [kind(deployment) for kind in FACETS.values()]
    read: list[Profile] = []
    for number, options in enumerate(profiles):
        name = str(options.get("name") or "").strip()
        if not name:
            raise OptionError(f"profiles[{number}].name", options.get("name"), "it must be a name, not empty")
        if any(other.name == name for other in read):
            raise OptionError(f"profiles[{number}].name", name, "it must be a name that no other profile has")
        path = f"profiles[{name}]"
        wishes = {
            facet.name: facet.wish(options[facet.name], Scope(f"{path}.{facet.name}"))
            for facet in facets
            if options.get(facet.name) is not None
        }
        if not wishes:
            raise OptionError(path, None, f"it must declare at least one of {', '.join(FACETS)}")
        selector = Selector.from_options(options, path)
        read.append(Profile(name, selector, wishes, _try_on(options.get("try_on"), selector, f"{path}.try_on")))
    if not read and undeclared == REMOVE:
        # Otherwise, an accidentally empty list would remove everything from the manager.
        raise OptionError("profiles", [], "it must hold at least one profile, since undeclared is remove")
    document = _document(read, facets)
    return document if undeclared == KEEP else Document(document.profiles, tuple(facets), undeclared, scope)


def _try_on(given: Options | None, selector: Selector, path: str) -> TryOn | None:
    """The computers on which to try a profile first. Raises C(OptionError)."""
    if given is None:
        return None
    if not selector.chooses_policies:
        raise OptionError(
            path, None, "it must be left out if the profile has no policies, because only changes of policies are tried"
        )
    sample = None if given.get("sample") is None else Bound.of(f"{path}.sample", given["sample"])
    of_all = sample is not None and not chosen_by(given)
    return TryOn(path, None if of_all else Selector.from_options(given, path), sample)


def facet_document(name: str, options: Options, deployment: str) -> Document:
    """A document with one profile, from the options of a module for one facet. Raises C(OptionError)."""
    facet = FACETS[name](deployment)
    profile = Profile(name, Selector.from_options(options, ""), {name: facet.wish(options, Scope())})
    return _document([profile], [facet])._replace(part=Slice.from_options(options.get("slice")))


def _document(profiles: list[Profile], facets: t.Sequence[Facet[t.Any]]) -> Document:
    used = tuple(facet for facet in facets if any(facet.name in profile.wishes for profile in profiles))
    for facet in used:
        declaring = [profile for profile in profiles if facet.name in profile.wishes]
        try:
            facet.check_together(profile.wishes[facet.name] for profile in declaring)
        except Conflict as conflict:
            names = ", ".join(profile.name for profile in declaring)
            raise OptionError("profiles", names, f"they must agree: {conflict}") from None
    return Document(tuple(profiles), used)
