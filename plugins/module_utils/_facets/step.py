# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing to write, as a value: what a facet says once, what apply carries out, and what a result shows."""

from __future__ import annotations

import typing as t

from .._basis.text import quoted, shown
from .._manager.client import COMPUTER, FIREWALL_RULE, IP_LIST, MAC_LIST, POLICY, PORT_LIST, Kind

# What is done: a setting of a target is set; a rule is assigned to a target, or taken away from it; a rule or list is
# made or brought to what is wanted, or deleted.
SET = "set"
ASSIGN = "assign"
UNASSIGN = "unassign"
WRITE = "write"
DELETE = "delete"
# The key of a deletion before which it must be looked who has the rule, since pages could not tell while it was planned.
UNLESS_USED = "unless used"

# The order of writing. Lists before the rules that use them, rules before they are assigned; who may connect is
# restricted before a port may open, and directions that shield agents on macOS come before those that they shield from.
LISTS, RULES, ASSIGNMENTS, SHIELDS, SETTINGS, UNASSIGNMENTS, RULES_GONE, LISTS_GONE = range(8)

KINDS: dict[str, Kind] = {
    kind.noun.lower().replace(" ", "_"): kind
    for kind in (POLICY, COMPUTER, FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST)
}
TYPES = {kind: name for name, kind in KINDS.items()}
_TARGETS = ("policy", "computer")
_SCALAR = (str, int, type(None))


class Subject(t.NamedTuple):
    """What is written to: a policy or computer, or a rule or list. C(id) is C(None) of what is yet to be made."""

    type: str
    id: int | None
    name: str

    @property
    def kind(self) -> Kind:
        """The kind of object."""
        return KINDS[self.type]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.kind.noun} '{shown(self.name, 100)}'" + ("" if self.id is None else f" (ID {self.id})")

    @property
    def reference(self) -> dict[str, t.Any]:
        """How results name it."""
        identity = {} if self.id is None else {"id": self.id}
        return {"type": self.type, **identity, "name": shown(self.name)}


class Effective(t.NamedTuple):
    """What holds for a target, set on it or inherited, and where it is set; C(None) where the manager does not say."""

    value: t.Any
    source: str


# The source of what is set on the target itself.
HERE = "here"


def step_id(action: str, kind: str, subject: int | str | None, key: str) -> str:
    """The ID of the step that does this to a target by its ID, or to a rule or list by its name."""
    return f"{action} {kind} {subject} {key}".rstrip()


class Step(t.NamedTuple):
    """One thing to write. All of it is plain JSON; equal steps are the same step.

    action: one of the words above. key: the option of a setting, the name of a rule that is assigned or taken away, or
    empty where the subject itself is written. before, after: what is set on the subject, and what will be; of a rule or
    list all fields that are wanted, C(None) for none. effective_before: what holds for a target today, C(None) of
    a rule or list. object_id: of the rule that is assigned, where it exists already.
    needs: the IDs of steps that must have succeeded first, if they are in the plan.
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
        """Unique in a plan, and the same for the same step of another plan."""
        subject = self.subject
        on_target = self.action in (SET, ASSIGN, UNASSIGN)
        return step_id(self.action, subject.type, subject.id if on_target else subject.name, self.key)

    @property
    def words(self) -> str:
        """How messages name it."""
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
        """The step that C(as_dict) wrote down. Raises C(ValueError) for anything that it cannot have written."""
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
    """The IDs of all steps of a plan that these need, however far."""
    found: set[str] = set()
    unseen = [need for step in steps for need in step.needs]
    while unseen:
        need = unseen.pop()
        # What a step needs may be done already.
        if need not in found and need in by_id:
            found.add(need)
            unseen += by_id[need].needs
    return found


class Refusal(t.NamedTuple):
    """A wish that must not be carried out on a target; the reason says why, and what to do."""

    subject: Subject
    facet: str
    reason: str

    def as_dict(self) -> dict[str, t.Any]:
        """The refusal as JSON."""
        return {**self._asdict(), "subject": self.subject._asdict()}

    @classmethod
    def from_dict(cls, given: t.Any) -> Refusal:
        """The refusal that C(as_dict) wrote down. Raises C(ValueError) for anything that it cannot have written."""
        values = _fields(given, cls._fields)
        if not (isinstance(values["facet"], str) and isinstance(values["reason"], str)):
            raise ValueError("it has a value that a refusal cannot have")
        return cls(_subject(values["subject"]), values["facet"], values["reason"])


def _fields(given: t.Any, names: t.Iterable[str]) -> dict[str, t.Any]:
    """What was written down of a named tuple: all its fields, and no others."""
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
