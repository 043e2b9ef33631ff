# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's scripts that install and activate agents."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._fleet.fleet import Fleet
from .._fleet.names import Key
from .._fleet.references import read_key, resolve_one
from .._manager.client import Client
from .._manager.kinds import COMPUTER_GROUP, POLICY

# The options, with the manager's names (source: the vendor's SDK).
_SENT = {
    "platform": "platform",
    "activate": "activationRequired",
    "validate_manager_certificate": "validateCertificateRequired",
    "validate_signature": "validateDigitalSignatureRequired",
    "relay_group_id": "relayGroupID",
    "manager_proxy_id": "dsmProxyID",
    "relay_proxy_id": "relayProxyID",
}
_IDS = ("relay_group_id", "manager_proxy_id", "relay_proxy_id")

SCRIPT_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "platform": {"type": "str", "required": True, "choices": ["linux", "windows", "solaris", "aix"]},
    "activate": {"type": "bool", "default": True},
    "policy": {"type": "raw"},
    "computer_group": {"type": "raw"},
    "validate_manager_certificate": {"type": "bool", "default": True},
    "validate_signature": {"type": "bool", "default": False},
    **{option: {"type": "int"} for option in _IDS},
}


class ScriptAsked(t.NamedTuple):
    """Which script: C(body) is the request's body, still without the IDs of objects that must be found first."""

    body: dict[str, t.Any]
    policy: Key | None
    computer_group: Key | None

    @classmethod
    def from_options(cls, params: dict[str, t.Any], _deployment: str) -> ScriptAsked:
        """Read the options. Raises C(OptionError)."""
        for option in _IDS:
            if params[option] is not None and params[option] < 1:
                raise OptionError(option, params[option], "it must be an ID, a whole number above 0")
        asked = cls(
            {name: params[option] for option, name in _SENT.items() if params[option] is not None},
            read_key(params, "policy"),
            read_key(params, "computer_group"),
        )
        if not params["activate"]:
            for option in ("policy", "computer_group", "relay_group_id"):
                if params[option] is not None:
                    raise OptionError(
                        option, params[option], "it must be left out unless the script activates the agent"
                    )
        return asked


def read_script(client: Client, asked: ScriptAsked) -> dict[str, t.Any]:
    """The whole script. Raises C(OptionError) for a policy or group that the manager does not have."""
    fleet = Fleet(client)
    body = dict(asked.body)
    if asked.policy is not None:
        policies = {policy.id: policy.name for policy in fleet.policies.values()}
        body["policyID"] = resolve_one("policy", asked.policy, POLICY, policies)
    if asked.computer_group is not None:
        body["computerGroupID"] = resolve_one("computer_group", asked.computer_group, COMPUTER_GROUP, fleet.groups)
    script = client.deployment_script(body)
    return {
        "script": script,
        "complete": True,
        "lines": len(script.splitlines()),
        "platform": body["platform"],
        "activate": body["activationRequired"],
    }


def without_script(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result that Ansible may show: without any text from the manager, since all of it may be secret."""
    rest = {name: value for name, value in result.items() if name != "script"}
    return {
        **rest,
        "complete": False,
        "warnings": [
            "the script is not in the result, since it may hold secrets, which Ansible would show: set no_log: true on "
            "the task to get it"
        ],
    }
