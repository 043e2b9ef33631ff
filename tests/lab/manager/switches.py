# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches for the answers that the vendor's documents leave open: choices, the likeliest one first, or numbers."""

from __future__ import annotations

import typing as t

CHOICES: dict[str, tuple[t.Any, ...]] = {
    # The reply for a single inherited setting with overrides=true: {}, {"value": null} or {"value": ""}.
    "inherited_single_setting": ("empty_object", "null_value", "empty_value"),
    # How a computer without overrides appears in a list with overrides=true.
    "computer_without_overrides": ("null_object", "omitted", "id_only"),
    # What replies with overrides=true contain in addition to the overrides of a policy or computer: all its properties,
    # only its ID, null for each of its properties, or all properties except the IDs of its parent and group.
    "override_replies": ("whole", "id_only", "null_properties", "without_parent"),
    "delete_status": (204, 200),
    # What happens on deleting an assigned rule, or a list that a rule uses. If it is deleted, so are the assignments,
    # and a rule without its list is for any address or port. The refusal is only known from a third party's code.
    "delete_in_use": ("rejected", "deleted"),
    # How replies word the agent-initiated direction, and which wordings are accepted.
    "direction_wording": ("Agent/Appliance Initiated", "Agent Initiated"),
    "direction_accepts": ("both", "own"),
    # "30 Minutes" or "30"; the other wording is refused.
    "time_shift_wording": ("minutes", "bare"),
    # "60 Minutes" or "1 Hour"; the other wording is refused.
    "heartbeat_interval_wording": ("minutes", "hours_when_whole"),
    # What the cloud does with a write to a heartbeat setting, which nobody can configure there.
    "cloud_heartbeat_write": ("ignored", "rejected"),
    # How agent-initiated activation is worded if it is not allowed; other wordings are refused.
    "activation_nobody_wording": ("No", "Not allowed", "Disabled", "false"),
    # How replies word a setting that contains the ID of a policy or list.
    "id_setting_wording": ("id", "name"),
    # The value of such a setting without a policy or list: "" or "0".
    "no_id_setting": ("empty", "zero"),
    # Whether a read-only key gets deployment scripts.
    "scripts_for_read_only_keys": (True, False),
    # Which rules firewall.ruleIDs contains with overrides=true.
    "rule_ids_with_overrides": ("direct", "effective", "absent"),
    # Which rules a policy or computer lists with overrides=true: those whose properties it overrides, with only these
    # properties (as the guides say), or all that are assigned to it directly (as the SDK says).
    "rule_overrides": ("overridden_properties", "assigned_rules"),
    # The value of assignedRuleIDs if no rule is assigned.
    "no_assigned_rules": ("empty_list", "null", "absent"),
    # The reply to removing an inherited rule.
    "unassign_inherited": ("ignored", "rejected", "not_found"),
    "list_items": ("as_written", "reordered", "normalized"),
    "mac_separator": ("as_written", "-", ":"),
    # Where the reasons are if several settings are wrong: in one message, or in a list.
    "several_invalid_settings": ("message", "errors"),
    # Whether firewall.ruleIDs counts when a policy or computer is modified.
    "policy_rule_ids_on_modify": ("ignored", "merged", "replaced"),
    "no_policy_id": ("absent", "zero"),
    # How replies show a missing date, such as that of the last policy if none was ever sent.
    "no_date": ("absent", "null"),
    # The unit of dates. A captured reply has milliseconds.
    "date_unit": ("milliseconds", "seconds"),
    # What happens to a scheduled task that has run as often as it should.
    "finished_scheduled_task": ("gone", "kept"),
    # Whether two scheduled tasks may have the same name.
    "scheduled_task_names": ("any", "unique"),
    "unknown_fields": (False, True),
    "shuffled": (False, True),
    "list_envelope_without_results": ("empty_list", "absent"),
    # Whether a search may give the field name in a test of the ID. The guides leave it out.
    "id_criteria_field_name": ("accepted", "rejected"),
    # Whether tests of strings, such as names, ignore case.
    "string_tests_ignore_case": (False, True),
    # What searches for policies and computers leave out, although reading a single one shows it: ruleIDs is a
    # part of firewall, value is the value of each setting, names are name, hostName and displayName.
    "search_leaves_out": ("nothing", "policySettings", "computerSettings", "firewall", "ruleIDs", "value", "names"),
    # Which rules replace the hidden rule that opens the agents' port, besides Bypass rules for only that port. The
    # vendor's pages disagree on the first two, and none mentions ranges or further ports in the rule itself.
    "force_allow_replaces_hidden_rule": (True, False),
    "port_list_replaces_hidden_rule": (True, False),
    "several_ports_replace_hidden_rule": (False, True),
    # Whether the alert comes with the last heartbeat that can be missed, or with the next one.
    "missed_heartbeat_alert": ("at_the_number", "after_the_number"),
    # Whether the manager calls an agent that listens and has missed a heartbeat that it should have sent itself.
    "manager_calls_missing_agents": (False, True),
    # What the manager shows for an agent that sends heartbeats, but cannot be called.
    "agent_that_cannot_be_called": ("online", "error"),
    # Whether a Bypass rule needs priority 4, an Allow rule 0 and a Log Only rule 4.
    "bypass_priority_enforced": (True, False),
    # Whether the Retry-After header of a 429 is a number of seconds or a date.
    "retry_after_form": ("seconds", "date"),
}

# Switches that are whole numbers: the default, and the allowed values.
NUMBERS: dict[str, tuple[int, range]] = {
    # Seconds in the Retry-After header of a 429; 0 leaves the header out.
    "retry_after": (0, range(1_000_000)),
    # Seconds until a scheduled task runs after it was told to run now.
    "scheduled_task_start": (0, range(1_000_000)),
    # Seconds by which the dates in headers are ahead of the manager's clock; negative if they are behind.
    "clock_skew": (0, range(-1_000_000_000, 1_000_000_001)),
    # The most results of a search, even if more were requested.
    "largest_page": (5000, range(1, 5001)),
}


class Switches(dict[str, t.Any]):
    """The current answers."""

    def __init__(self) -> None:
        super().__init__({name: choices[0] for name, choices in CHOICES.items()})
        self.update({name: default for name, (default, _allowed) in NUMBERS.items()})

    def change(self, names: dict[str, t.Any]) -> None:
        """Set all given switches, or none of them. Raises C(ValueError) that says what is allowed."""
        for name, value in names.items():
            if name in NUMBERS:
                allowed = NUMBERS[name][1]
                if value.__class__ is not int or value not in allowed:
                    raise ValueError(f"{name}: {value!r} is no whole number from {allowed[0]} to {allowed[-1]}")
            elif name not in CHOICES:
                raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(self))}")
            elif not any(
                value is choice or (value.__class__ is type(choice) and value == choice) for choice in CHOICES[name]
            ):
                raise ValueError(f"{name}: {value!r} is none of {', '.join(map(repr, CHOICES[name]))}")
        self.update(names)

    def clear(self) -> None:
        """Go back to the likeliest answers."""
        self.update(Switches())
