# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes settings, in the manager's own spelling. A write only counts as done if a reply shows the value."""

from __future__ import annotations

import typing as t

from .._basis.text import literal
from .._manager.errors import BadRequest, ManagerError
from .catalogue import Setting, Spelling, Value
from .outcome import ALL_DONE, Outcome


class SettingsOwner(t.Protocol):
    """An owner of settings: a policy, a computer, or the manager. All but C(label) uses the API's terms."""

    @property
    def label(self) -> str:
        """The name for messages."""

    def send(self, settings: dict[str, dict[str, str]]) -> t.Any:
        """Write these settings, and return the settings in the reply. Raises C(ManagerError)."""

    def read(self) -> t.Any:
        """The present settings. Raises C(ManagerError)."""

    def value(self, setting: Setting, settings: t.Any) -> Value | None:
        """The value of a setting in C(settings), comparable with the wanted value."""


def write_settings(
    owner: SettingsOwner, wanted: t.Mapping[Setting, Value], spelling: Spelling
) -> dict[Setting, Outcome]:
    """Write all settings in one request. Returns the outcome of each.

    It is not documented how managers spell every value. If a manager refuses a spelling, the others are tried, and
    C(spelling) learns the accepted one.
    """
    met: ManagerError | None = None
    reply: t.Any = None
    try:
        reply = _send(owner, wanted, spelling)
    except ManagerError as error:
        if not error.outcome_unknown:
            return dict.fromkeys(wanted, Outcome.of(error))
        met = error
    outcomes: dict[Setting, Outcome] = {}
    missing = [setting for setting, value in wanted.items() if met or owner.value(setting, reply) != value]
    if missing:
        try:
            reply = owner.read()
        except ManagerError as error:
            outcomes = {one: Outcome.unseen(f"{one.option} of the {owner.label}", met or error) for one in missing}
        else:
            for setting in missing:
                found = owner.value(setting, reply)
                if found != wanted[setting]:
                    says = f": wanted {literal(wanted[setting])}, it says {literal(found)}"
                    outcomes[setting] = Outcome.seen(f"{setting.option} of the {owner.label}", says, met)
    return {setting: outcomes.get(setting, ALL_DONE) for setting in wanted}


def _send(owner: SettingsOwner, wanted: t.Mapping[Setting, Value], spelling: Spelling) -> t.Any:
    """The reply to the first accepted spelling. If none is accepted, raises the error for the first one."""
    candidates = {setting: spelling.candidates(setting, value) for setting, value in wanted.items()}
    tried = dict.fromkeys(wanted, 0)
    refused: BadRequest | None = None
    while True:
        try:
            reply = owner.send({setting.name: {"value": candidates[setting][tried[setting]]} for setting in wanted})
        except BadRequest as error:
            refused = refused or error
            others = [setting for setting in wanted if tried[setting] + 1 < len(candidates[setting])]
            named = [setting for setting in others if setting.name in error.message]
            if not others:
                raise refused from None
            for setting in named or others:
                tried[setting] += 1
            continue
        for setting in wanted:
            if tried[setting]:
                spelling.learn(setting, wanted[setting], candidates[setting][tried[setting]])
        return reply
