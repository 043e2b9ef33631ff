# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing to write, as a value: what a facet says once, what apply carries out, and what a result shows."""

from __future__ import annotations

import typing as t

from .._basis.text import shown
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


class Step(t.NamedTuple):
    """One thing to write. All of it is plain JSON; equal steps are the same step.

    action: one of the words above. key: the option of a setting, the name of a rule that is assigned or taken away, or
    empty where the subject itself is written. before, after: what is set on the subject, and what will be; of a rule or
    list all fields that are wanted, C(None) for none. effective_before: what holds for a target today, C(None) of
    a rule or list. object_id: of the rule that is assigned, where it exists already.
    needs: the IDs of steps that must have succeeded first.
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
        return f"{self.action} {subject.type} {subject.id if on_target else subject.name} {self.key}".rstrip()

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
    def from_dict(cls, given: t.Mapping[str, t.Any]) -> Step:
        """The step that C(as_dict) wrote down."""
        fields = {name: value for name, value in given.items() if name != "id"}
        effective = given["effective_before"] and Effective(**given["effective_before"])
        subject, needs = Subject(**given["subject"]), tuple(given["needs"])
        return cls(**{**fields, "subject": subject, "effective_before": effective, "needs": needs})


class Refusal(t.NamedTuple):
    """A wish that must not be carried out on a target; the reason says why, and what to do."""

    subject: Subject
    facet: str
    reason: str


Said = t.Union[Step, Refusal]
