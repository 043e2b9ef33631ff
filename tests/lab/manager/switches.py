# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers that the vendor's documents leave open: one switch each, the likeliest answer first, or a number."""

from __future__ import annotations

import typing as t

CHOICES: dict[str, tuple[t.Any, ...]] = {
    # What a single setting, asked for with overrides=true, holds when it is inherited: {}, {"value": null} or
    # {"value": ""}.
    "inherited_single_setting": ("empty_object", "null_value", "empty_value"),
    # How a computer without overrides appears in a list asked for with overrides=true.
    "computer_without_overrides": ("null_object", "omitted", "id_only"),
    # What replies asked for with overrides=true hold beside the overrides of a policy or computer: all that it has,
    # nothing but its ID, null for each of its properties, or all but what it is below.
    "override_replies": ("whole", "id_only", "null_properties", "without_parent"),
    "delete_status": (204, 200),
    # What deleting a rule that is assigned, or a list that a rule uses, does: the assignments go with it, and a rule
    # without its list is for any address or port. Only a third party's code tells of the refusal.
    "delete_in_use": ("rejected", "deleted"),
    # How replies word the agent-initiated direction, and which wordings are accepted.
    "direction_wording": ("Agent/Appliance Initiated", "Agent Initiated"),
    "direction_accepts": ("both", "own"),
    # "30 Minutes" or "30"; the other wording is refused.
    "time_shift_wording": ("minutes", "bare"),
    # "60 Minutes" or "1 Hour"; the other wording is refused.
    "heartbeat_interval_wording": ("minutes", "hours_when_whole"),
    # What the cloud does with a heartbeat setting that it does not let anybody configure.
    "cloud_heartbeat_write": ("ignored", "rejected"),
    # How agent-initiated activation is worded where it is not allowed; other wordings are refused.
    "activation_nobody_wording": ("No", "Not allowed", "Disabled", "false"),
    # How replies word a setting that holds the ID of a policy or list.
    "id_setting_wording": ("id", "name"),
    # What such a setting holds without a policy or list: "" or "0".
    "no_id_setting": ("empty", "zero"),
    # Whether a key that may only read gets deployment scripts.
    "scripts_for_read_only_keys": (True, False),
    # What firewall.ruleIDs holds with overrides=true.
    "rule_ids_with_overrides": ("direct", "effective", "absent"),
    # Which rules a policy or computer lists with overrides=true: those of which it overrides properties, with these
    # properties alone (the guides), or all that are assigned to itself (the SDK).
    "rule_overrides": ("overridden_properties", "assigned_rules"),
    # What assignedRuleIDs holds where no rule is assigned.
    "no_assigned_rules": ("empty_list", "null", "absent"),
    # What taking away an inherited rule answers.
    "unassign_inherited": ("ignored", "rejected", "not_found"),
    "list_items": ("as_written", "reordered", "normalized"),
    "mac_separator": ("as_written", "-", ":"),
    # Where the reasons stand when several settings are wrong: one message, or a list.
    "several_invalid_settings": ("message", "errors"),
    # Whether firewall.ruleIDs counts when a policy or computer is modified.
    "policy_rule_ids_on_modify": ("ignored", "merged", "replaced"),
    "no_policy_id": ("absent", "zero"),
    # What stands for a date that there is none of, such as that of the last policy where none was ever sent.
    "no_date": ("absent", "null"),
    # In what dates are told: a captured reply has milliseconds.
    "date_unit": ("milliseconds", "seconds"),
    # What becomes of a scheduled task that has run as often as it should.
    "finished_scheduled_task": ("gone", "kept"),
    # Whether two scheduled tasks may have one name.
    "scheduled_task_names": ("any", "unique"),
    "unknown_fields": (False, True),
    "shuffled": (False, True),
    "list_envelope_without_results": ("empty_list", "absent"),
    # Whether a search may name the field of a test of the ID, which the guides leave out.
    "id_criteria_field_name": ("accepted", "rejected"),
    # Whether a test of a text, such as a name, ignores upper and lower case.
    "string_tests_ignore_case": (False, True),
    # What searches for policies and computers leave out although one of them alone has it: value is that of each
    # setting, names are name, hostName and displayName.
    "search_leaves_out": ("nothing", "policySettings", "computerSettings", "firewall", "value", "names"),
    # Which rules replace the hidden one that opens the agents' port, beside Bypass rules for that port alone: the
    # vendor's pages disagree on the first two, and none tells of ranges or further ports in the rule itself.
    "force_allow_replaces_hidden_rule": (True, False),
    "port_list_replaces_hidden_rule": (True, False),
    "several_ports_replace_hidden_rule": (False, True),
    # Whether the alert comes with the last heartbeat that can be missed, or with the next one.
    "missed_heartbeat_alert": ("at_the_number", "after_the_number"),
    # Whether the manager looks for an agent that listens and has missed a heartbeat that it should have sent itself.
    "manager_calls_missing_agents": (False, True),
    # What a manager shows of an agent that sends heartbeats, and cannot be called.
    "agent_that_cannot_be_called": ("online", "error"),
    # Whether a Bypass rule needs priority 4, an Allow rule 0 and a Log Only rule 4.
    "bypass_priority_enforced": (True, False),
    # Whether the Retry-After header of a 429 is a number of seconds or a date.
    "retry_after_form": ("seconds", "date"),
}

# Switches that are whole numbers: the default, and what they may be.
NUMBERS: dict[str, tuple[int, range]] = {
    # Seconds in the Retry-After header of a 429; 0 leaves the header out.
    "retry_after": (0, range(1_000_000)),
    # Seconds from being told to run now until a scheduled task runs.
    "scheduled_task_start": (0, range(1_000_000)),
    # Seconds by which the dates in its headers are ahead of its clock; negative where they are behind.
    "clock_skew": (0, range(-1_000_000_000, 1_000_000_001)),
    # Searches bring no more than that, although more was asked for.
    "largest_page": (5000, range(1, 5001)),
}


class Switches(dict[str, t.Any]):
    """The answers in force."""

    def __init__(self) -> None:
        super().__init__({name: choices[0] for name, choices in CHOICES.items()})
        self.update({name: default for name, (default, _allowed) in NUMBERS.items()})

    def change(self, names: dict[str, t.Any]) -> None:
        """Set some switches, or none of them; raises C(ValueError) that says what would be right."""
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
        """Back to the likeliest answers."""
        self.update(Switches())
