# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a write ended: done, not done, not known, or not tried. All writes use the same states."""

from __future__ import annotations

import typing as t

from .._manager.errors import BadReply, ManagerError

DONE = "done"
NOT_DONE = "not_done"
NOT_KNOWN = "not_known"
NOT_TRIED = "not_tried"
# An object that should be deleted if nobody uses it, and that stays because somebody does.
KEPT = "kept"


class Outcome(t.NamedTuple):
    """The state of one thing to write, why it is not done, and the manager's error, if any.

    written: whether this run has written it. It has not if another run did so first.
    """

    state: str
    reason: str = ""
    error: ManagerError | None = None
    written: bool = True

    @classmethod
    def of(cls, error: ManagerError) -> Outcome:
        """The outcome of a write that ended with this error and was not checked afterward."""
        return cls(NOT_KNOWN if error.outcome_unknown else NOT_DONE, str(error), error)

    @classmethod
    def seen(cls, what: str, found: str, met: ManagerError | None) -> Outcome:
        """The manager was read, and C(what) is not as wanted, but as C(found) says. C(met): the write's error."""
        if met is None:
            return cls(NOT_DONE, f"the manager did not keep {what}{found}")
        return cls(NOT_DONE, f"{what} was not written{found}: {met.account}", met)

    @classmethod
    def unseen(cls, what: str, met: ManagerError) -> Outcome:
        """The state of C(what) could not be read. C(met): the error of the write, or else of the read."""
        return cls(NOT_KNOWN, f"it is not known whether {what} was written: {met.account}", met)


ALL_DONE = Outcome(DONE)
FOUND_DONE = Outcome(DONE, written=False)


def settle(what: str, write: t.Callable[[], bool], look: t.Callable[[], bool]) -> Outcome:
    """Write, and read back if the reply does not show that it is done. C(what): its name for reasons.

    C(write): returns whether the reply shows the wanted value. C(look): returns whether the value is there now.
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
