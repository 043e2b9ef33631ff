# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing to write, as a value: facets create steps, apply carries them out, and results show them."""

from __future__ import annotations

import typing as t

from .._basis.text import quoted, shown
from .._manager.kinds import COMPUTER, FIREWALL_RULE, IP_LIST, MAC_LIST, POLICY, PORT_LIST, Kind

# Actions: set a setting of a target; assign a rule to a target, or unassign it; create or change a rule or list, or
# delete it.
SET = "set"
ASSIGN = "assign"
UNASSIGN = "unassign"
WRITE = "write"
DELETE = "delete"
# The key of a deletion that must first check who has the rule, because the pages did not tell during planning.
UNLESS_USED = "unless used"

# The order of writing: lists before the rules that use them, rules before they are assigned, restrictions before a port
# may open, and directions that shield macOS agents before the directions that they shield them from.
LISTS, RULES, ASSIGNMENTS, SHIELDS, SETTINGS, UNASSIGNMENTS, RULES_GONE, LISTS_GONE = range(8)

KINDS: dict[str, Kind] = {
    kind.noun.lower().replace(" ", "_"): kind
    for kind in (POLICY, COMPUTER, FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST)
}
TYPES = {kind: name for name, kind in KINDS.items()}
_TARGETS = ("policy", "computer")
_SCALAR = (str, int, type(None))


class Subject(t.NamedTuple):
    """The object that is written: a policy, computer, rule or list. C(id) is C(None) if it does not exist yet."""

    type: str
    id: int | None
    name: str

    @property
    def kind(self) -> Kind:
        """The kind of object."""
        return KINDS[self.type]

    @property
    def label(self) -> str:
        """The name for messages."""
        return f"{self.kind.noun} '{shown(self.name, 100)}'" + ("" if self.id is None else f" (ID {self.id})")

    @property
    def reference(self) -> dict[str, t.Any]:
        """The reference for results."""
        identity = {} if self.id is None else {"id": self.id}
        return {"type": self.type, **identity, "name": shown(self.name)}


class Effective(t.NamedTuple):
    """The effective value of a target, its own or inherited, and where it is set; C(None) if it is unknown."""

    value: t.Any
    source: str


# The source of a value that is set on the target itself.
HERE = "here"


def step_id(action: str, kind: str, subject: int | str | None, key: str) -> str:
    """The ID of the step with this action on a target (by ID), or on a rule or list (by name)."""
    # Nothing is stripped: names of lists can differ only by a blank at their end.
    return f"{action} {kind} {subject} {key}" if key else f"{action} {kind} {subject}"


class Step(t.NamedTuple):
    """One thing to write. All of it is plain JSON; equal steps are the same step.

    action: one of the words above. key: the option of a setting, the name of an assigned or unassigned rule, or empty
    if the subject itself is written. before, after: the values on the subject now and later; for a rule or list, all
    wanted fields, C(None) if it does not exist. effective_before: the effective value of a target today, C(None) for a
    rule or list. object_id: the ID of the assigned rule, if it already exists. needs: the IDs of steps that must have
    succeeded first, if they are in the plan.
    """

    action: str
    subject: Subject
    facet: str
    key: str
    before: t.Any
    effective_before: Effective | None
    after: t.Any
    why: str
    stage: int
    object_id: int | None = None
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The step's ID: unique in a plan, and the same for the same step in another plan."""
        subject = self.subject
        on_target = self.action in (SET, ASSIGN, UNASSIGN)
        return step_id(self.action, subject.type, subject.id if on_target else subject.name, self.key)

    @property
    def words(self) -> str:
        """The name for messages."""
        key = f"{self.key} of " if self.action == SET else ""
        if self.action in (ASSIGN, UNASSIGN):
            key = f"rule {quoted(self.key, 100)} on "
        return f"{key}the {self.subject.label}"

    def as_dict(self) -> dict[str, t.Any]:
        """The step as JSON."""
        effective = self.effective_before and self.effective_before._asdict()
        return {
            "id": self.id,
            **self._asdict(),
            "subject": self.subject._asdict(),
            "effective_before": effective,
            "needs": list(self.needs),
        }

    @classmethod
    def from_dict(cls, given: t.Any) -> Step:
        """The step that C(as_dict) has written. Raises C(ValueError) for anything that it cannot have written."""
        values = _fields(given, ("id", *cls._fields))
        effective = values["effective_before"]
        if effective is not None:
            effective = Effective(**_fields(effective, Effective._fields))
        subject, needs = _subject(values["subject"]), values["needs"]
        on_target = subject.type in _TARGETS
        values_fit = (
            isinstance(needs, list)
            and all(isinstance(need, str) for need in (*needs, *(values[name] for name in ("facet", "key", "why"))))
            and (effective is None or (isinstance(effective.source, str) and isinstance(effective.value, _SCALAR)))
            and all(
                isinstance(values[side], _SCALAR if on_target else (dict, type(None))) for side in ("before", "after")
            )
            and values["action"] in ((SET, ASSIGN, UNASSIGN) if on_target else (WRITE, DELETE))
            and _is_number(values["stage"])
            and values["stage"] in range(LISTS_GONE + 1)
            and (values["object_id"] is None or _is_number(values["object_id"]))
        )
        if not values_fit:
            raise ValueError("it has a value that a step cannot have")
        number = values.pop("id")
        step = cls(**{**values, "subject": subject, "effective_before": effective, "needs": tuple(needs)})
        if step.id != number:
            raise ValueError("its id is not that of what it changes")
        return step


def needed_by(steps: t.Iterable[Step], by_id: t.Mapping[str, Step]) -> set[str]:
    """The IDs of all steps of a plan that these steps need, directly or indirectly."""
    found: set[str] = set()
    unseen = [need for step in steps for need in step.needs]
    while unseen:
        need = unseen.pop()
        # A needed step may be done already, and is then not in the plan.
        if need not in found and need in by_id:
            found.add(need)
            unseen += by_id[need].needs
    return found


class Refusal(t.NamedTuple):
    """A wish that must not be carried out on a target. The reason says why, and what to do."""

    subject: Subject
    facet: str
    reason: str

    def as_dict(self) -> dict[str, t.Any]:
        """The refusal as JSON."""
        return {**self._asdict(), "subject": self.subject._asdict()}

    @classmethod
    def from_dict(cls, given: t.Any) -> Refusal:
        """The refusal that C(as_dict) has written. Raises C(ValueError) for anything that it cannot have written."""
        values = _fields(given, cls._fields)
        if not (isinstance(values["facet"], str) and isinstance(values["reason"], str)):
            raise ValueError("it has a value that a refusal cannot have")
        return cls(_subject(values["subject"]), values["facet"], values["reason"])


def _fields(given: t.Any, names: t.Iterable[str]) -> dict[str, t.Any]:
    """The written fields of a named tuple: all of them, and no others."""
    if not isinstance(given, dict) or given.keys() != set(names):
        raise ValueError(f"it must have {', '.join(names)}, and nothing else")
    return dict(given)


def _subject(given: t.Any) -> Subject:
    subject = Subject(**_fields(given, Subject._fields))
    if not (isinstance(subject.type, str) and subject.type in KINDS and isinstance(subject.name, str)):
        raise ValueError(f"a subject is one of {', '.join(KINDS)} and has a name")
    if not (_is_number(subject.id) or (subject.id is None and subject.type not in _TARGETS)):
        raise ValueError("the ID of a subject is a number")
    return subject


def _is_number(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Said = t.Union[Step, Refusal]
