# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a write ended: done, not done, not known, or not tried. One table of states for all that is written."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._manager.errors import BadReply, ManagerError

DONE = "done"
NOT_DONE = "not_done"
NOT_KNOWN = "not_known"
NOT_TRIED = "not_tried"
# What was to go if nobody has it, and stays, since somebody does.
KEPT = "kept"


@dataclass(frozen=True)
class Outcome:
    """The state of one thing that was to be written, why it is not done, and the manager's answer where it was one.

    written: whether this run had to write for it; where another run came first, it did not.
    """

    state: str
    reason: str = ""
    error: ManagerError | None = None
    written: bool = True

    @classmethod
    def of(cls, error: ManagerError) -> Outcome:
        """What a write comes to that ended with this error, where nobody looked what became of it."""
        return cls(NOT_KNOWN if error.outcome_unknown else NOT_DONE, str(error), error)

    @classmethod
    def seen(cls, what: str, found: str, met: ManagerError | None) -> Outcome:
        """The manager was looked at, and C(what) is not as wanted but as C(found) says; C(met): what the write met."""
        if met is None:
            return cls(NOT_DONE, f"the manager did not keep {what}{found}")
        return cls(NOT_DONE, f"{what} was not written{found}: {met.account}", met)

    @classmethod
    def unseen(cls, what: str, met: ManagerError) -> Outcome:
        """What became of C(what) could not be seen; C(met): the answer that the write met, or else the look."""
        return cls(NOT_KNOWN, f"it is not known whether {what} was written: {met.account}", met)


ALL_DONE = Outcome(DONE)
FOUND_DONE = Outcome(DONE, written=False)


def settle(what: str, write: t.Callable[[], bool], look: t.Callable[[], bool]) -> Outcome:
    """Write, and where the reply does not show that it is done, look. C(what) names it in reasons.

    C(write): whether its reply shows what is wanted; C(look): whether it is so now.
    """
    met: ManagerError | None = None
    try:
        if write():
            return ALL_DONE
    except ManagerError as error:
        if not (error.outcome_unknown or isinstance(error, BadReply)):
            return Outcome.of(error)
        met = error
    try:
        return ALL_DONE if look() else Outcome.seen(what, "", met)
    except ManagerError as error:
        return Outcome.unseen(what, met or error)
