# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that was reviewed is the plan that is applied: by its digest, or from its file."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._basis.errors import OptionError, Problem
from .._facets.step import Refusal, Step
from .groups import DIGEST_LENGTH, digest, essence
from .plan import Plan
from .plan_file import PlanFile


class PlanChanged(Problem):
    """The plan that came out is not the one that was reviewed. Nothing was written.

    no_longer: what only the reviewed plan has, C(None) where only its digest is known; new: what only this plan has.
    """

    code = "plan_changed"

    def __init__(self, expected: str, now: Plan, no_longer: t.Sequence[Step] | None, new: t.Sequence[Step]) -> None:
        self.expected, self.digest = expected, digest(now.steps, now.refusals)
        self.no_longer, self.new = no_longer, new
        differ = (
            f": {len(no_longer)} steps are no longer in it, and {len(new)} are new" if no_longer is not None else ""
        )
        super().__init__(
            f"nothing was written, since the plan that comes out now, {self.digest}, is not the reviewed one,"
            f" {expected}{differ}. Somebody changed the manager or the document since; make a new plan and review it"
        )


@dataclass(frozen=True)
class Reviewed:
    """The plan that may be carried out, by its digest, and where it is known, with what it holds."""

    digest: str
    plan: PlanFile | None = None

    @classmethod
    def by_digest(cls, option: str, given: str) -> Reviewed:
        """The plan of this digest. Raises C(OptionError)."""
        if not re.fullmatch(f"[0-9a-f]{{{DIGEST_LENGTH}}}", given):
            raise OptionError(option, given, f"it must be the digest of a plan, {DIGEST_LENGTH} digits from 0 to f")
        return cls(given)

    def check(self, now: Plan) -> None:
        """Raise C(PlanChanged) unless this plan is the one that was reviewed.

        A plan with nothing left to do is fine, too: the manager is as the reviewed plan would make it, or a run has
        done so.
        """
        found = _by_essence(now.steps, now.refusals)
        if self.plan is None:
            if found and self.digest != digest(now.steps, now.refusals):
                raise PlanChanged(self.digest, now, None, now.steps)
            return
        held = _by_essence(self.plan.steps, self.plan.refusals)
        if found.keys() != held.keys() and (now.steps or not found.keys() <= held.keys()):
            raise PlanChanged(self.digest, now, _steps_only_in(held, found), _steps_only_in(found, held))


_ByEssence = t.Dict[str, t.Union[Step, Refusal]]


def _by_essence(steps: t.Sequence[Step], refusals: t.Sequence[Refusal]) -> _ByEssence:
    return dict(zip(essence(steps, refusals), [*steps, *refusals]))


def _steps_only_in(some: _ByEssence, others: _ByEssence) -> list[Step]:
    return [one for key, one in some.items() if key not in others and isinstance(one, Step)]
