# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Heartbeat: how often agents report, and what raises an alert."""

from __future__ import annotations

import re
import typing as t

from .._basis.text import enumerated, literal
from .._fleet.catalogue import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MAXIMUM_CLOCK_CHANGE,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    HEARTBEAT_OFFLINE_ERRORS,
    INHERITED,
    UNLIMITED,
    Setting,
    Value,
)
from .._fleet.objects import Target
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL, CLOUD_MISSED_BEFORE_ALERT
from .._vendor.deployment import CLOUD
from .facet import Scope, SettingsFacet, SettingsWish

# A month: far above every choice in the console, which the vendor does not list. The manager itself decides.
_MOST = 43200
# The cloud's own values.
_FIXED: dict[Setting, Value] = {
    HEARTBEAT_INTERVAL: CLOUD_HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT: CLOUD_MISSED_BEFORE_ALERT,
}
_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Heartbeat(SettingsFacet):
    """On the cloud, the interval is fixed at 10 minutes and the missed heartbeats at 2 (source: the vendor's page)."""

    name = "heartbeat"
    settings = (
        HEARTBEAT_INTERVAL,
        HEARTBEAT_MISSED_BEFORE_ALERT,
        HEARTBEAT_MAXIMUM_CLOCK_CHANGE,
        HEARTBEAT_OFFLINE_ERRORS,
    )
    # The option that every deployment accepts.
    nothing = {HEARTBEAT_OFFLINE_ERRORS.option: INHERITED}
    arguments = {
        "interval": {"type": "str"},
        "missed_before_alert": {"type": "str"},
        "maximum_clock_change": {"type": "str"},
        "raise_offline_errors_for_inactive_vms": {"type": "str"},
        "accept_inherited": {"type": "bool", "default": False},
    }
    # Settings that can be unlimited, with the unit for messages.
    _numbers = {
        HEARTBEAT_INTERVAL: (False, "minutes"),
        HEARTBEAT_MISSED_BEFORE_ALERT: (True, "heartbeats"),
        HEARTBEAT_MAXIMUM_CLOCK_CHANGE: (True, "minutes"),
    }

    def wish(self, options: t.Mapping[str, t.Any], scope: Scope) -> SettingsWish:
        values: dict[Setting, Value] = {}
        for setting in self.settings:
            option = setting.option
            given = options.get(option)
            if given is None:
                continue
            if self.deployment == CLOUD and setting in self._numbers:
                raise scope.error(
                    option,
                    given,
                    "left out: in the cloud the manager fixes it (heartbeat every 10 minutes, alert after 2 missed);"
                    " only raise_offline_errors_for_inactive_vms can be set there",
                )
            values[setting] = self._value(setting, str(given), scope)
        if not values:
            raise scope.fault(
                "interval", None, f"it must be given, or one of {', '.join(one.option for one in self.settings[1:])}"
            )
        return SettingsWish.of(values, options.get("accept_inherited"))

    def __init__(self, deployment: str) -> None:
        super().__init__(deployment)
        # Overrides in the cloud that nobody can set there, with the labels of their targets.
        self._by_request: dict[tuple[Setting, Value], list[str]] = {}

    def is_drift(self, target: Target, setting: Setting, value: Value) -> bool:
        if self.deployment != CLOUD or setting not in self._numbers:
            return True
        if value != _FIXED.get(setting):
            self._by_request.setdefault((setting, value), []).append(target.label)
        return False

    def notes(self) -> list[str]:
        return [
            f"{self.name}.{setting.option} is {literal(value)} on {enumerated(labels, 3)}. In the cloud only the vendor"
            " sets it, at a customer's request, so that it is no drift"
            for (setting, value), labels in self._by_request.items()
        ]

    def _value(self, setting: Setting, given: str, scope: Scope) -> Value:
        word = given.strip().lower()
        if word == INHERITED:
            return INHERITED
        if setting not in self._numbers:
            if word not in _SWITCH:
                raise scope.error(setting.option, given, "true, false or inherited")
            return _SWITCH[word]
        may_be_unlimited, unit = self._numbers[setting]
        if may_be_unlimited and word == UNLIMITED:
            return UNLIMITED
        if not re.fullmatch(r"[0-9]{1,9}", word) or not 1 <= int(word) <= _MOST:
            also = ", unlimited" if may_be_unlimited else ""
            raise scope.error(setting.option, given, f"a whole number of {unit} from 1 to {_MOST}{also} or inherited")
        return int(word)
