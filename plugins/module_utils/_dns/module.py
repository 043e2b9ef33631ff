# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module local_dns: its arguments, and how it ends."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.common.parameters import env_fallback

from .._basis.errors import OptionError, Problem
from .._basis.module import Module
from . import dnsmasq, hosts_file, rfc2136, unbound
from .converge import ABSENT, PRESENT, converge

# Everywhere in Ansible, this environment variable of the host is the default of this option.
_UNSAFE_WRITES = {**hosts_file.ARGUMENTS["unsafe_writes"], "fallback": (env_fallback, ["ANSIBLE_UNSAFE_WRITES"])}

_PLACES = {
    "hosts_file": (hosts_file.HostsFile, {**hosts_file.ARGUMENTS, "unsafe_writes": _UNSAFE_WRITES}),
    "rfc2136": (rfc2136.Rfc2136, rfc2136.ARGUMENTS),
    "unbound": (unbound.Unbound, unbound.ARGUMENTS),
    "dnsmasq": (dnsmasq.Dnsmasq, dnsmasq.ARGUMENTS),
}

ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
    "hostnames": {"type": "list", "elements": "str"},
    "region": {"type": "str"},
    "addresses": {"type": "list", "elements": "str"},
    "cname": {"type": "str"},
    "ttl": {"type": "int"},
    **{name: {"type": "dict", "options": arguments} for name, (_kind, arguments) in _PLACES.items()},
}


def run() -> None:
    """The whole module."""
    module = Module(
        ARGUMENTS,
        required_one_of=[tuple(_PLACES), ("hostnames", "region")],
        mutually_exclusive=[tuple(_PLACES), ("addresses", "cname")],
    )
    name = next(name for name in _PLACES if name in module.given)
    kind, _arguments = _PLACES[name]
    try:
        # For Ansible, an option that is null is given.
        if module.params[name] is None:
            raise OptionError(name, None, "it is null: give its options, or {} for its defaults")
        place = kind(module.params[name])
        result = converge(place, module.params, check_mode=module.check_mode)
    except Problem as error:
        module.fail(error)
    for warning in place.warnings:
        module.warn(warning)
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)
