# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's scripts that install and activate agents, and what in them is secret."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._basis.errors import OptionError
from .._fleet.fleet import Fleet
from .._fleet.references import read_key, resolve_one
from .._fleet.targets import Key
from .._manager.client import COMPUTER_GROUP, POLICY, Client

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

SCRIPT_ARGUMENTS: dict[str, dict] = {
    "platform": {"type": "str", "required": True, "choices": ["linux", "windows", "solaris", "aix"]},
    "activate": {"type": "bool", "default": True},
    "policy": {"type": "raw"},
    "computer_group": {"type": "raw"},
    "validate_manager_certificate": {"type": "bool", "default": True},
    "validate_signature": {"type": "bool", "default": False},
    **{option: {"type": "int"} for option in _IDS},
}

MASK = "********"

# Names of what is secret, at the end of a word: PROXY_CREDENTIAL and tenantID alike.
_NAMES = r"(?:tenant_?id|tenant_?pw|tenant_?password|token|password|passwd|pwd|secret|credentials?|authorization)"
# What is between double quotes, where a backslash, or PowerShell's backtick, takes the meaning of a quote away.
_QUOTED = r'"(?P<secret>(?:[\\`].|[^"\\`])+)'
_USER = r"\s-(?:[uw]|-(?:proxy-)?user)[\s=]+"
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # The arguments of dsa_control -a: "token:text with spaces", 'tenantID:text'.
        rf'"\w*{_NAMES}\s*:\s*{_QUOTED[1:]}',
        rf"'\w*{_NAMES}\s*:\s*(?P<secret>[^']+)",
        # Variables, parameters of URLs and of calls, options: TOKEN='text', ?tenantID=1, Add("tenantID", "1"), -pw "1".
        rf'{_NAMES}["\']?(?:\s*[:=,]\s*|(?<!["\'])[ \t]+){_QUOTED}',
        rf"{_NAMES}[\"']?(?:\s*[:=,]\s*|(?<![\"'])[ \t]+)'(?P<secret>[^']+)",
        rf"{_NAMES}[\"']?\s*[:=,]\s*(?P<secret>[^\s\"'&;)]+)",
        rf"\s--?[\w-]*{_NAMES}\s+(?P<secret>[^\s\"']+)",
        # User and password of a proxy, as options of dsa_control or curl, or within a URL.
        rf"{_USER}{_QUOTED}",
        rf"{_USER}'(?P<secret>[^']+)",
        rf"{_USER}(?P<secret>[^\s\"']+)",
        r"://(?P<secret>[^\s/]+)@",
        # Whatever looks like a key, by whatever name.
        r"(?P<secret>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        r"(?<![\w-])(?P<secret>(?=[\w-]*[0-9])[\w-]{32,})",
    )
]
# What is shorter could be any word or number of the script.
_LONG_ENOUGH = 8


@dataclass(frozen=True)
class ScriptWanted:
    """Which script: C(body) as the manager takes it, but for the objects that are yet to be found."""

    body: dict[str, t.Any]
    policy: Key | None
    computer_group: Key | None

    @classmethod
    def from_options(cls, params: dict, _deployment: str) -> ScriptWanted:
        """Read the options. Raises C(OptionError)."""
        for option in _IDS:
            if params[option] is not None and params[option] < 1:
                raise OptionError(option, params[option], "it must be an ID, a whole number above 0")
        wanted = cls(
            {name: params[option] for option, name in _SENT.items() if params[option] is not None},
            read_key(params, "policy"),
            read_key(params, "computer_group"),
        )
        if not params["activate"]:
            for option in ("policy", "computer_group", "relay_group_id"):
                if params[option] is not None:
                    raise OptionError(option, params[option], "it must be left out unless the script is to activate")
        return wanted


def read_script(client: Client, wanted: ScriptWanted) -> dict[str, t.Any]:
    """The script, whole. Raises C(OptionError) for a policy or group that the manager does not have."""
    fleet = Fleet(client)
    body = dict(wanted.body)
    if wanted.policy is not None:
        policies = {policy.id: policy.name for policy in fleet.policies.values()}
        body["policyID"] = resolve_one("policy", wanted.policy, POLICY, policies)
    if wanted.computer_group is not None:
        body["computerGroupID"] = resolve_one("computer_group", wanted.computer_group, COMPUTER_GROUP, fleet.groups)
    return {"script": client.deployment_script(body), "complete": True}


def without_secrets(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result with the script to look at, not to run."""
    return {
        "script": masked(result["script"]),
        "complete": False,
        "warnings": [
            f"the secrets in the script are shown as {MASK}; for the whole script, set no_log: true on the task"
        ],
    }


def masked(script: str) -> str:
    """The script with a mask for each secret, wherever it stands."""
    secrets: set[str] = set()

    def mask(found: re.Match[str]) -> str:
        # Whole, and in parts: a password may stand without its user elsewhere.
        secrets.update([found["secret"], *re.split(r"[:\s]", found["secret"])])
        start, end = (place - found.start() for place in found.span("secret"))
        return found[0][:start] + MASK + found[0][end:]

    for pattern in _SECRETS:
        script = pattern.sub(mask, script)
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _LONG_ENOUGH and MASK not in secret:
            script = script.replace(secret, MASK)
    return script
