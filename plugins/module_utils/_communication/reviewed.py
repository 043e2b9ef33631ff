# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that was reviewed is the plan that is applied: by its digest, or from its file.

With the file, an interrupted run can be continued: the rest of the reviewed plan may be carried out if all other steps
are done.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from .._basis.errors import OptionError, Problem
from .._basis.text import enumerated
from .._facets.step import DELETE, UNLESS_USED, WRITE, Refusal, Step, Subject
from .._fleet.fleet import Fleet
from .._fleet.shared_objects import differences
from .._manager.kinds import POLICY
from .groups import DIGEST_LENGTH, digest, essence, is_on_target, known_fields
from .plan import Plan
from .plan_file import PlanFile

# The most steps of each kind that an error names.
_NAMED = 3

# Tells whether a rule or list is as a step leaves it.
Stands = t.Callable[[Step], bool]
# Tells whether the manager is known to have a policy or computer.
Known = t.Callable[[Subject], bool]


class PlanChanged(Problem):
    """The new plan is not the reviewed one. Nothing was written.

    no_longer: steps that only the reviewed plan has and that are not done, C(None) if only its digest is known. new:
    steps that only the new plan has.
    """

    code = "plan_changed"

    def __init__(
        self,
        expected: str,
        now: Plan,
        no_longer: t.Sequence[Step] | None,
        new: t.Sequence[Step],
        refusals: t.Sequence[Refusal] = (),
    ) -> None:
        self.expected, self.digest = expected, digest(now.steps, now.refusals)
        self.no_longer, self.new = no_longer, new
        differ, advice = (
            "",
            (
                "Somebody changed the manager or the document since, or a run of the reviewed plan was interrupted or did not"
                " do all of it. After such a run, apply_plan continues, with the file of that plan; otherwise make a new plan"
                " and review it"
            ),
        )
        if no_longer is not None:
            told = [
                _told("no longer in it, and not done", [step.words for step in no_longer]),
                _told("new in it", [step.words for step in new]),
                _told("refused in one of them only", [refusal.subject.label for refusal in refusals]),
            ]
            differ = f" ({'; '.join(filter(None, told))})"
            advice = "Somebody changed the manager since; make a new plan and review it"
        super().__init__(
            f"nothing was written, since the plan that comes out now, {self.digest}, is not the reviewed one,"
            f" {expected}{differ}. {advice}"
        )


def _told(what: str, names: t.Sequence[str]) -> str:
    return f"{what}: {enumerated(names, _NAMED)}" if names else ""


class Reviewed(t.NamedTuple):
    """The plan that may be carried out, by its digest, and with its content if that is known."""

    digest: str
    plan: PlanFile | None = None

    @classmethod
    def by_digest(cls, option: str, given: str) -> Reviewed:
        """The plan with this digest. Raises C(OptionError)."""
        if not re.fullmatch(f"[0-9a-f]{{{DIGEST_LENGTH}}}", given):
            raise OptionError(option, given, f"it must be the digest of a plan, {DIGEST_LENGTH} digits from 0 to f")
        return cls(given)

    def check(self, now: Plan, stands: Stands, known: Known = lambda _subject: True) -> int:
        """Raise C(PlanChanged) unless this plan is the reviewed one, or the rest of it.

        Returns how many of its steps are already done. A plan with nothing left to do is fine, too: the manager is then
        as the reviewed plan would make it. But the document must still have all of its targets that exist.
        """
        if self.plan is None:
            if (now.steps or now.refusals) and self.digest != digest(now.steps, now.refusals):
                raise PlanChanged(self.digest, now, None, now.steps)
            return 0
        held, found = _by_place(self.plan.steps), _by_place(now.steps)
        refused, refused_now = _refused(self.plan.refusals), _refused(now.refusals)
        new_refusals = [refusal for key, refusal in refused_now.items() if key not in refused]
        covered = now.scope.union(target.identity for target in now.targets)
        if not found and not new_refusals:
            aside = {step.subject for step in held.values() if is_on_target(step) and step.subject[:2] not in covered}
            if not any(map(known, aside)):
                return len(held)
        guarded = _Guarded(self.plan.steps)
        missing = [step for place, step in held.items() if place not in found]
        done: list[Step] = []
        no_longer: list[Step] = []
        for step in missing:
            is_done = step.subject[:2] in covered if is_on_target(step) else stands(step) or guarded.may_stay(step)
            (done if is_done else no_longer).append(step)
        around = _Done.of(done)
        differing = [place for place in held if place in found and not around.same(held[place], found[place])]
        no_longer += [held[place] for place in differing]
        new = [step for place, step in found.items() if place not in held] + [found[place] for place in differing]
        gone = [
            refusal for key, refusal in refused.items() if key not in refused_now and refusal.subject[:2] not in covered
        ]
        if no_longer or new or new_refusals or gone:
            raise PlanChanged(self.digest, now, no_longer, new, [*new_refusals, *gone])
        return len(done)


def known_to(fleet: Fleet) -> Known:
    """A function that tells whether a fleet, as far as it was read, has a policy or computer."""

    def known(subject: Subject) -> bool:
        if subject.kind is POLICY:
            return any(policy.id == subject.id for policy in fleet.policies_read)
        return subject.id in fleet.computers

    return known


def standing(fleet: Fleet) -> Stands:
    """A function that tells whether a rule or list on a manager is as a step leaves it."""

    def ids_by_name(noun: t.Any, name: str) -> list[int]:
        return [number for number, item in fleet.objects(noun).items() if item["name"] == name]

    def stands(step: Step) -> bool:
        kind, objects = step.subject.kind, fleet.objects(step.subject.kind)
        if step.action == DELETE:
            return step.subject.id not in objects
        found = ids_by_name(kind, step.subject.name)
        lists = [value for value in step.after.values() if isinstance(value, dict)]
        named = {
            (one["type"], one["name"]): numbers[0]
            for one in lists
            if len(numbers := ids_by_name(Subject(one["type"], None, one["name"]).kind, one["name"])) == 1
        }
        return len(found) == 1 and not differences(kind, objects[found[0]], step.after, named)

    return stands


class _Guarded:
    """Deletions that the reviewed plan only makes if nobody else has the rule. It is fine if these objects stay."""

    def __init__(self, steps: t.Sequence[Step]) -> None:
        self._ids = {step.id for step in steps if step.action == DELETE and step.key == UNLESS_USED}

    def may_stay(self, step: Step) -> bool:
        """Whether it is fine if this deletion was not made."""
        return step.id in self._ids or (step.action == DELETE and not self._ids.isdisjoint(step.needs))


@dataclass(frozen=True)
class _Done:
    """What the finished steps have changed for the remaining ones.

    made: rules and lists that were created and have IDs now. setters: by option or rule, the labels of the targets on
    which it was set, and from which others inherit it now, or inherited it before.
    """

    made: set[tuple[str, str]] = field(default_factory=set)
    setters: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, steps: t.Sequence[Step]) -> _Done:
        """The changes by these steps."""
        done = cls()
        for step in steps:
            if is_on_target(step):
                done.setters.setdefault(step.key, set()).add(step.subject.label)
            elif step.action == WRITE and step.subject.id is None:
                done.made.add((step.subject.type, step.subject.name))
        return done

    def same(self, held: Step, found: Step) -> bool:
        """Whether a step is the reviewed one: it writes the same value in the same place, over the same own value."""
        # The inherited value was reviewed, too. It may only differ by values that this same plan has set above.
        before, now = held.effective_before, found.effective_before
        inherits_the_same = before == now or bool(
            before and now and {before.source, now.source} & self.setters.get(held.key, set())
        )
        made_since = held.object_id is None and ("firewall_rule", held.key) in self.made
        return (
            inherits_the_same
            and (held.object_id == found.object_id or made_since)
            and self._text(held) == self._text(found)
        )

    def _text(self, step: Step) -> str:
        before, after = step.before, step.after
        if not is_on_target(step):
            before, after = known_fields(step, before), known_fields(step, after)
            lists = {
                name
                for name, value in (after or {}).items()
                if isinstance(value, dict) and (value["type"], value["name"]) in self.made
            }
            after = after and {name: {**value, "id": None} if name in lists else value for name, value in after.items()}
            # If a list did not exist yet, the rule's field for it looked like no list.
            before = before and {name: value for name, value in before.items() if value or name not in lists}
        return json.dumps([step.subject.id, before, after], sort_keys=True)


def _by_place(steps: t.Sequence[Step]) -> dict[str, Step]:
    """Steps by what they write, and where."""
    # Without the key of deletions: the check for other users of a rule depends on what pages show at the time.
    return {step._replace(key="").id if step.action == DELETE else step.id: step for step in steps}


def _refused(refusals: t.Sequence[Refusal]) -> dict[str, Refusal]:
    return dict(zip(essence((), refusals), refusals))
