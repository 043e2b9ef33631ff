# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing settings: in the manager's own spelling, and believed when a reply shows them."""

from __future__ import annotations

import typing as t

from .._manager.errors import BadRequest, ManagerError
from .catalogue import Setting, Spelling, Value


class NotKept(Exception):
    """The manager said yes, but did not keep what was written."""


class SettingsOwner(t.Protocol):
    """What has the settings: a policy, a computer, or the manager itself. All but C(label) are in the API's terms."""

    @property
    def label(self) -> str:
        """How messages name it."""

    def send(self, settings: dict[str, dict[str, str]]) -> t.Any:
        """Write these, and return what the reply shows of the settings. Raises C(ManagerError)."""

    def read(self) -> t.Any:
        """The settings as they are now. Raises C(ManagerError)."""

    def value(self, setting: Setting, settings: t.Any) -> Value | None:
        """What such settings say of one, as it compares with what is wanted."""


def write_settings(owner: SettingsOwner, wanted: dict[Setting, Value], spelling: Spelling) -> dict[Setting, NotKept]:
    """Write all of them in one request; returns those that the manager did not keep, and why.

    Nobody documents how a manager spells every value: where it refuses one, its other spellings are tried, and
    C(spelling) learns the one that it takes. Raises the C(ManagerError) of the first attempt where none is taken.
    """
    candidates = {setting: spelling.candidates(setting, value) for setting, value in wanted.items()}
    tried = dict.fromkeys(wanted, 0)
    first_error: BadRequest | None = None
    while True:
        try:
            reply = owner.send({setting.name: {"value": candidates[setting][tried[setting]]} for setting in wanted})
        except BadRequest as error:
            first_error = first_error or error
            others = [setting for setting in wanted if tried[setting] + 1 < len(candidates[setting])]
            named = [setting for setting in others if setting.name in error.message]
            if not others:
                raise first_error from None
            for setting in named or others:
                tried[setting] += 1
        except ManagerError as error:
            if not error.outcome_unknown:
                raise
            reply = _read_back(owner, error)
            break
        else:
            break
    for setting in wanted:
        if tried[setting]:
            spelling.learn(setting, wanted[setting], candidates[setting][tried[setting]])
    return _not_kept(owner, wanted, reply) and _not_kept(owner, wanted, _read_back(owner, None))


def _read_back(owner: SettingsOwner, error: ManagerError | None) -> t.Any:
    try:
        return owner.read()
    except ManagerError as second:
        raise error or second from None


def _not_kept(owner: SettingsOwner, wanted: dict[Setting, Value], settings: t.Any) -> dict[Setting, NotKept]:
    lost = {}
    for setting, value in wanted.items():
        found = owner.value(setting, settings)
        if found != value:
            lost[setting] = NotKept(
                f"the manager did not keep {setting.name} of the {owner.label}: wanted {value!r}, it says {found!r}"
            )
    return lost
