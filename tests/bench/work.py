# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work for the contenders other than the collection, in the words of the manager's API."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.bench.fleet import RULE

DIRECTION = "platformSettingAgentCommunicationsDirection"
# The settings that tests/bench/fleet.py declares, in the API's spelling.
SETTINGS = {
    "platformSettingHeartbeatInterval": "5 Minutes",
    "platformSettingHeartbeatMissedAlertThreshold": "3",
    "platformSettingHeartbeatLocalTimeShiftAlertThreshold": "30 Minutes",
    "platformSettingHeartbeatInactiveVmOfflineAlertEnabled": "true",
    DIRECTION: "Bidirectional",
}


@dataclass
class Work:
    """A fleet to bring to the declared state.

    settings: wanted on every target; on macOS, agents initiate. rule: the name of the firewall rule that every target
    must have, either directly (C(rule_itself)) or also inherited. computers: whether they are targets, in addition to
    all policies. only: the targets of a sample, each with its kind, its ID and its name or platform, for a loop that
    need not list them; C(None) for all targets. concurrency: writes at once. file: for the results.
    """

    url: str
    ca_path: str
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    rule: str = RULE
    rule_itself: bool = False
    computers: bool = True
    only: list[tuple[str, int, str]] | None = None
    concurrency: int = 8
    file: str = ""

    @classmethod
    def read(cls, path: Path) -> Work:
        """Read what C(write) has written."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write it for another process."""
        path.write_text(json.dumps(asdict(self)))

    def settings_of(self, told: str) -> dict[str, str]:
        """The wanted settings of a target. C(told) is a policy's name or a computer's platform."""
        if DIRECTION in self.settings and told.startswith("macOS"):
            return {**self.settings, DIRECTION: "Agent/Appliance Initiated"}
        return self.settings


def uri_play(work: Work, told: t.Mapping[tuple[str, int], str]) -> dict[str, t.Any]:
    """The work of the loop as a play with C(ansible.builtin.uri). It gets its targets, so it need not list them.

    C(told): the name of each policy and the platform of each computer that is a target.
    """
    url = work.url
    targets = [f"{kind}/{target}" for kind, target in told]
    values = [
        {"path": f"{kind}/{target}/settings/{name}", "value": value}
        for (kind, target), one in told.items()
        for name, value in work.settings_of(one).items()
    ]
    uri = "ansible.builtin.uri"
    search = {
        "searchCriteria": [
            {"fieldName": "name", "stringTest": "equal", "stringValue": work.rule, "stringWildcards": False}
        ]
    }
    assignments = f"{url}/{{{{ item }}}}/firewall/assignments?overrides={str(work.rule_itself).lower()}"
    tasks = [
        {
            "name": "Find the rule",
            uri: {"url": f"{url}/firewallrules/search", "method": "POST", "body_format": "json", "body": search},
            "register": "rules",
        },
        {
            "name": "Read each setting",
            uri: {"url": f"{url}/{{{{ item.path }}}}?overrides=false"},
            "loop": values,
            "register": "settings",
        },
        {
            "name": "Write those that differ",
            uri: {
                "url": f"{url}/{{{{ item.item.path }}}}?overrides=true",
                "method": "POST",
                "body_format": "json",
                "body": {"value": "{{ item.item.value }}"},
            },
            "when": "item.json.value != item.item.value",
            "loop": "{{ settings.results }}",
            "loop_control": {"label": "{{ item.item.path }}"},
            "changed_when": True,
        },
        {
            "name": "Read the rules of each target",
            uri: {"url": assignments},
            "loop": targets,
            "register": "assigned",
        },
        {
            "name": "Assign the rule where it is not",
            uri: {
                "url": f"{url}/{{{{ item.item }}}}/firewall/assignments?overrides=true",
                "method": "POST",
                "body_format": "json",
                "body": {"ruleIDs": ["{{ rule }}"]},
            },
            "vars": {"rule": "{{ rules.json.firewallRules[0].ID }}"},
            "when": "rule | int not in item.json.assignedRuleIDs",
            "loop": "{{ assigned.results }}",
            "loop_control": {"label": "{{ item.item }}"},
            "changed_when": True,
        },
    ]
    headers = {
        "api-version": "v1",
        "api-secret-key": "{{ lookup('ansible.builtin.env', 'WORKLOAD_SECURITY_API_KEY') }}",
    }
    return {
        "name": "Do the work with ansible.builtin.uri",
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {uri: {"ca_path": work.ca_path, "headers": headers}},
        "tasks": tasks,
    }
