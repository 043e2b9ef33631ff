# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployment scripts from the manager, which install an agent and let it activate itself."""

from __future__ import annotations

import string
import typing as t

from tests.lab.manager import settings
from tests.lab.manager.message import ApiError, Call, choice, integer

if t.TYPE_CHECKING:
    from tests.lab.manager.manager import Manager

PLATFORMS = ("linux", "windows", "solaris", "aix")
_SWITCHES = (
    "activationRequired",
    "validateCertificateRequired",
    "validateDigitalSignatureRequired",
    "xbcDeploymentRequired",
)
_IDS = ("policyID", "computerGroupID", "relayGroupID", "dsmProxyID", "relayProxyID")

# The API that the vendor's SDK covers cannot list these. The second proxy needs a user name and a password.
RELAY_GROUPS = {1: "Default Relay Group"}
PROXIES = {1: ("192.0.2.3:3128", ""), 2: ("192.0.2.4:3128", "agents:proxy-password-of-the-lab")}

_API_PORTS = {settings.ON_PREMISES: 4119, settings.CLOUD: 443}

# Like the vendor's: checks, package, reset, activation, and the last command again as a comment. The lab's manager has
# no packages to download. Agents are installed before the script runs, so it downloads nothing.
_SHELL = string.Template("""\
#!/bin/bash
ACTIVATIONURL='$activation_url'
MANAGERURL='$manager_url'
CURLOPTIONS='--silent --fail --tlsv1.2$insecure'
$variables
if [[ $$(/usr/bin/id -u) -ne 0 ]]; then
    echo You are not running as the root user. Please try again with root privileges.
    exit 1
fi

if [[ ! -x /opt/ds_agent/dsa_control ]]; then
    echo Downloading agent package...
    if ! curl -L "$$MANAGERURL/software/agent/$platform/$package$tenant" -o /tmp/$package $$CURLOPTIONS; then
        echo Failed to download the agent package. Please make sure the package is imported in the manager
        exit 1
    fi
$signature    $install /tmp/$package || exit 1
    sleep 15
fi
$commands""")
_INSECURE_SHELL = " --insecure"
_SIGNATURE_SHELL = "    dpkg-sig --verify /tmp/agent.deb || exit 1\n"

_POWERSHELL = string.Template("""\
#requires -version 4.0
$$ACTIVATIONURL="$activation_url"
$$MANAGERURL="$manager_url"
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
$insecure$variables
$$identity = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-NOT $$identity.IsInRole([Security.Principal.WindowsBuiltInRole] "Administrator")) {
    Write-Warning "You are not running as an Administrator. Please try again with admin privileges."
    exit 1
}

if (-NOT (Test-Path "$$Env:ProgramFiles\\Trend Micro\\Deep Security Agent\\dsa_control.cmd")) {
    Invoke-WebRequest "$$MANAGERURL/software/agent/$platform/$package$tenant" -OutFile "$$env:temp\\$package"
$signature    Start-Process -FilePath $install -ArgumentList "/i $$env:temp\\$package /qn ADDLOCAL=ALL" -Wait
    Start-Sleep -s 50
}
$commands""")
_INSECURE_POWERSHELL = "[Net.ServicePointManager]::ServerCertificateValidationCallback = {$true}\n"
_SIGNATURE_POWERSHELL = """\
    if ((Get-AuthenticodeSignature "$env:temp\\agent.msi").Status -ne "Valid") { exit 1 }
"""

# Platform: package, and the command that installs it.
_PACKAGES = {
    "linux": ("agent.deb", "dpkg -i"),
    "solaris": ("agent.p5p.gz", "pkg install -g"),
    "aix": ("agent.bff.gz", "installp -a -d"),
    "windows": ("agent.msi", "msiexec"),
}


def answer_script(call: Call, manager: Manager) -> dict[str, t.Any]:
    """The request's properties, with the script added. Raises C(ApiError)."""
    written = call.json()
    if unknown := written.keys() - {"platform", "scriptBody", *_SWITCHES, *_IDS}:
        raise ApiError(400, f"Unrecognized property: {min(unknown)}")
    wanted = {
        "platform": choice(written, "platform", "", PLATFORMS),
        **{name: _switch(written, name) for name in _SWITCHES},
        **{name: number for name in _IDS if (number := integer(written, name, 0))},
    }
    known: dict[str, t.Container[int]] = {
        "policyID": manager.state.policies.items,
        "computerGroupID": manager.state.groups.items,
        "relayGroupID": RELAY_GROUPS,
        "dsmProxyID": PROXIES,
        "relayProxyID": PROXIES,
    }
    for name in _IDS:
        if name in wanted and wanted[name] not in known[name]:
            raise ApiError(400, f"Invalid value for {name}: {wanted[name]} does not exist")
    return {**wanted, "scriptBody": _script(wanted, manager)}


def _switch(written: dict[str, t.Any], name: str) -> bool:
    value = written.get(name, False)
    if not isinstance(value, bool):
        raise ApiError(400, f"Invalid value for {name}: must be true or false")
    return value


def _script(wanted: dict[str, t.Any], manager: Manager) -> str:
    windows = wanted["platform"] == "windows"
    variables, commands = _conversation(wanted, manager, windows)
    package, install = _PACKAGES[wanted["platform"]]
    insecure = _INSECURE_POWERSHELL if windows else _INSECURE_SHELL
    signature = _SIGNATURE_POWERSHELL if windows else _SIGNATURE_SHELL
    return (_POWERSHELL if windows else _SHELL).substitute(
        activation_url=_activation_url(manager),
        manager_url=f"https://{manager.host_name}:{_API_PORTS[manager.deployment]}",
        insecure="" if wanted["validateCertificateRequired"] else insecure,
        variables="".join(f"{line}\n" for line in variables),
        platform=wanted["platform"],
        package=package,
        tenant=f"?tenantID={manager.tenant['tenantID']}" if manager.tenant else "",
        signature=signature if wanted["validateDigitalSignatureRequired"] else "",
        install=install,
        commands="".join(f"{line}\n" for line in commands) if wanted["activationRequired"] else "",
    )


def _activation_url(manager: Manager) -> str:
    return f"dsm://{manager.host_name}:{manager.heartbeat_port}/"


def _conversation(wanted: dict[str, t.Any], manager: Manager, windows: bool) -> tuple[list[str], list[str]]:
    """The proxies as variables, and the commands that end in the activation."""
    control = (
        '& $Env:ProgramFiles"\\Trend Micro\\Deep Security Agent\\dsa_control"'
        if windows
        else "/opt/ds_agent/dsa_control"
    )
    assignment = '$%s="%s"' if windows else "%s='%s'"
    variables, commands = [], [f"{control} -r"]
    for name, variable, address_option, credential_option in (
        ("dsmProxyID", "PROXY", "-x dsm_proxy", "-u"),
        ("relayProxyID", "RELAY_PROXY", "-y relay_proxy", "-w"),
    ):
        address, credential = PROXIES.get(wanted.get(name, 0), ("", ""))
        if address:
            variables.append(assignment % (f"{variable}_ADDR_PORT", address))
            commands.append(f"{control} {address_option}://${variable}_ADDR_PORT/")
        if credential:
            variables.append(assignment % (f"{variable}_CREDENTIAL", credential))
            commands.append(f"{control} {credential_option} ${variable}_CREDENTIAL")
    arguments = _arguments(wanted, manager)
    commands.append(f"{control} -a $ACTIVATIONURL{arguments}")
    commands.append(f"# {control} -a {_activation_url(manager)}{arguments}")
    return variables, commands


def _arguments(wanted: dict[str, t.Any], manager: Manager) -> str:
    """The arguments of dsa_control -a after the address, each in quotes and after a space."""
    token = manager.state.system_settings[settings.ACTIVATION_TOKEN]
    values = {
        **({"token": token} if token else {}),
        **manager.tenant,
        **{
            word: wanted[name]
            for name, word in (
                ("policyID", "policyid"),
                ("computerGroupID", "groupid"),
                ("relayGroupID", "relaygroupid"),
            )
            if name in wanted
        },
    }
    return "".join(f' "{word}:{value}"' for word, value in values.items())
