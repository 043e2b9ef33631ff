# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scheduled tasks. Tasks that send policies do so when told to run now. Other tasks are stored, but do nothing."""

from __future__ import annotations

import operator
import typing as t

from tests.lab.manager.message import ApiError, Call, choice, integer, text
from tests.lab.manager.resources import PlainResource
from tests.lab.manager.search import Field
from tests.lab.manager.sending import Sending
from tests.lab.manager.state import Computer, Table

SEND_POLICY = "send-policy"
TYPES = (
    *("scan-for-open-ports", "send-alert-summary", "discover-computers", "run-script", SEND_POLICY, "generate-report"),
    *("synchronize-directory", "synchronize-users", "scan-for-recommendations", "synchronize-vcenter"),
    *("scan-for-integrity-changes", "scan-for-malware", "check-for-security-updates", "synchronize-cloud-account"),
    *("check-for-software-updates", "update-suspicious-objects-list"),
)
RECURRENCES = ("none", "hourly", "daily", "weekly", "monthly")
_SCHEDULE_PROPERTIES = {
    *("timeZone", "recurrenceType", "recurrenceCount"),
    *(f"{when}ScheduleParameters" for when in ("onceOnly", "hourly", "daily", "weekly", "monthly")),
}
# The property that each type of filter needs.
_FILTERS = {
    "computer": "computerID",
    "all-computers": "",
    "computers-in-group": "computerGroupID",
    "computers-in-group-or-subgroup": "computerGroupID",
    "computers-using-policy": "policyID",
    "computers-using-policy-or-subpolicy": "policyID",
    "computers-in-smart-folder": "smartFolderID",
}


class ScheduledTasks(PlainResource):
    """Scheduled tasks of all types."""

    noun = "scheduled task"
    plural = "scheduled tasks"
    envelope = "scheduledTasks"
    properties = frozenset(
        {
            *("ID", "name", "type", "scheduleDetails", "enabled", "lastRunTime", "nextRunTime", "runNow"),
            "sendPolicyTaskParameters",
        }
    )
    fields = {
        "name": Field("string", lambda task: task["name"]),
        "type": Field("choice", lambda task: task["type"]),
        "enabled": Field("boolean", lambda task: task["enabled"]),
        "lastRunTime": Field("date", operator.methodcaller("get", "lastRunTime")),
        "nextRunTime": Field("date", operator.methodcaller("get", "nextRunTime")),
    }

    def __init__(self, *arguments: t.Any, sending: Sending) -> None:
        super().__init__(*arguments)
        self._sending = sending

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the tasks."""
        return self.state.scheduled_tasks

    def create(self, call: Call, written: dict[str, t.Any]) -> dict[str, t.Any]:
        """Add a new task, and run it if the write has C(runNow)."""
        task: dict[str, t.Any] = {"name": "", "enabled": True, "ID": self.table.next_id}
        if "type" not in written or "scheduleDetails" not in written:
            raise ApiError(400, "Scheduled Task type and scheduleDetails cannot be empty")
        self._write(task, written, required=True)
        self.table.add(task["ID"], task)
        self._run(task, written)
        return dict(task)

    def modify(self, call: Call, item: dict[str, t.Any], written: dict[str, t.Any]) -> None:
        """Change a task, and run it if the write has C(runNow)."""
        self._write(item, written)
        self._run(item, written)

    def remove(self, item: dict[str, t.Any]) -> None:
        """Delete a task. A run that has not started yet does not happen."""
        self.table.remove(item["ID"])

    def _write(self, task: dict[str, t.Any], written: dict[str, t.Any], *, required: bool = False) -> None:
        if self.switches["scheduled_task_names"] == "unique":
            self._check_name(written, task["ID"], required=required)
        elif not text(written, "name", task["name"]).strip():
            raise ApiError(400, "Scheduled Task Name cannot be blank")
        changed = {
            "name": text(written, "name", task["name"]),
            "type": choice(written, "type", task.get("type", ""), TYPES),
            "enabled": _flag(written, "enabled", task["enabled"]),
        }
        _flag(written, "runNow", False)
        if "scheduleDetails" in written:
            changed["scheduleDetails"] = _schedule(written["scheduleDetails"])
        if "sendPolicyTaskParameters" in written:
            changed["sendPolicyTaskParameters"] = self._parameters(written["sendPolicyTaskParameters"])
        if changed["type"] == SEND_POLICY and "sendPolicyTaskParameters" not in {**task, **changed}:
            raise ApiError(400, "sendPolicyTaskParameters cannot be empty")
        task.update(changed)

    def _parameters(self, written: t.Any) -> dict[str, t.Any]:
        chosen = written.get("computerFilter") if isinstance(written, dict) else None
        if not isinstance(chosen, dict):
            raise ApiError(400, "Invalid value for computerFilter")
        needed = _FILTERS[choice(chosen, "type", "", _FILTERS)]
        if chosen.keys() - {"type", needed}:
            raise ApiError(400, f"Unrecognized property: {sorted(chosen.keys() - {'type', needed})[0]}")
        tables: dict[str, Table[t.Any]] = {
            "computerID": self.state.computers,
            "computerGroupID": self.state.groups,
            "policyID": self.state.policies,
        }
        if needed and (needed not in tables or tables[needed].get(integer(chosen, needed, 0)) is None):
            raise ApiError(400, f"Invalid value for {needed}: {chosen.get(needed)} does not exist")
        return {"computerFilter": dict(chosen)}

    def _run(self, task: dict[str, t.Any], written: dict[str, t.Any]) -> None:
        if written.get("runNow"):
            self._sending.later(self.switches["scheduled_task_start"], lambda: self._runs(task))

    def _runs(self, task: dict[str, t.Any]) -> None:
        if self.table.get(task["ID"]) is not task:
            return
        task["lastRunTime"] = self._sending.milliseconds()
        if task["type"] == SEND_POLICY:
            self._sending.send(self._chosen(task["sendPolicyTaskParameters"]["computerFilter"]))
        once = task["scheduleDetails"].get("recurrenceCount") == 1
        if once and self.switches["finished_scheduled_task"] == "gone":
            self.table.remove(task["ID"])

    def _chosen(self, chosen: dict[str, t.Any]) -> list[Computer]:
        computers = self.state.computers
        kind = chosen["type"]
        number = chosen.get(_FILTERS[kind], 0)
        if kind == "computer":
            found = computers.get(number)
            return [found] if found else []
        if kind.startswith("computers-in-group"):
            groups = {number}
            for group in self.state.groups if kind.endswith("subgroup") else ():
                # A group comes after its parent group.
                if group.get("parentGroupID") in groups:
                    groups.add(group["ID"])
            return [one for one in computers if one.group_id in groups]
        if kind == "computers-using-policy":
            return [one for one in computers if one.policy_id == number]
        if kind == "computers-using-policy-or-subpolicy":
            return [one for one in computers if self.state.reaches(number, one)]
        return list(computers)


def _flag(written: dict[str, t.Any], key: str, default: bool) -> bool:
    value = written.get(key, default)
    if not isinstance(value, bool):
        raise ApiError(400, f"Invalid value for {key}: must be a boolean")
    return value


def _schedule(written: t.Any) -> dict[str, t.Any]:
    if not isinstance(written, dict) or written.keys() - _SCHEDULE_PROPERTIES:
        raise ApiError(400, "Invalid value for scheduleDetails")
    recurrence = choice(written, "recurrenceType", "", RECURRENCES)
    needed = "onceOnlyScheduleParameters" if recurrence == "none" else f"{recurrence}ScheduleParameters"
    if not isinstance(written.get(needed), dict):
        raise ApiError(400, f"{needed} cannot be empty")
    if recurrence == "none":
        integer(written[needed], "startTime", 0)
    integer(written, "recurrenceCount", 1)
    return dict(written)
