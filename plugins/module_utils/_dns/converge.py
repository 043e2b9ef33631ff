# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a task, the same for every place: what is wanted, what exists, what to write, the result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List

from .._basis.errors import OptionError
from .._basis.numbers import in_range
from .._basis.plain import items
from .._basis.text import enumerated
from .._vendor.hostnames import required_hostnames, undocumented_hostnames
from .place import Place
from .records import LONGEST_TTL, Record, address, host_name, type_of

PRESENT = "present"
ABSENT = "absent"

# Names of the loopback in the hosts files of systems. Their addresses must not change.
_LOOPBACK = (
    "localhost",
    "localhost.localdomain",
    *("localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6"),
    *("ip6-localhost", "ip6-loopback"),
)


def converge(place: Place, params: Dict[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the place to what the options ask for, or in check mode say what would change. Returns the task's result.

    Raises C(DnsError); the place is then unchanged.
    """
    names = names_of(params)
    wanted = wanted_of(params, names, place)
    left_out = [name for name in undocumented_of(params) if name not in names] if wanted else []
    if left_out:
        place.warnings.append(
            f"no record is made for {enumerated(left_out)}: the vendor does not document these names for region"
            f" {params['region']}, but for all others; if agents need them, name them in option hostnames"
        )
    before = sorted(place.read(names))
    after = sorted(_with_ttl(record, before, place) for record in wanted)
    changed = before != after or place.unfinished
    result = {
        "changed": changed,
        "before": [record.as_dict() for record in before],
        "records": [record.as_dict() for record in after],
        "conflicts": place.conflicts(after),
        "diff": place.diff(before, after),
    }
    if changed:
        place.expect_writable()
    if changed and not check_mode:
        place.write(before, after)
    elif not check_mode:
        place.tidy()
    return result


def names_of(params: Dict[str, Any]) -> List[str]:
    """The host names that the options name, each once, in their order. Raises C(DnsError) for a wrong name."""
    names = []
    for text in items(params["hostnames"]):
        name = host_name(text, "hostnames")
        if name in _LOOPBACK or name.endswith(".localhost"):
            raise OptionError("hostnames", text, "it is a name of the host itself; name the manager's")
        names.append(name)
    names += required_hostnames(params["region"]) if params["region"] is not None else []
    if not names:
        raise OptionError("hostnames", None, "name the host name of the manager, or set option region")
    return list(dict.fromkeys(names))


def undocumented_of(params: Dict[str, Any]) -> List[str]:
    """The names for which the vendor does not say whether agents of the region need them."""
    return undocumented_hostnames(params["region"]) if params["region"] is not None else []


def wanted_of(params: Dict[str, Any], names: List[str], place: Place) -> List[Record]:
    """The records that these names should have. Raises C(DnsError) for records that are impossible here."""
    if params["state"] == ABSENT:
        return []
    ttl = params["ttl"]
    if ttl is not None and place.default_ttl is None:
        raise OptionError("ttl", ttl, "hosts files have no TTL; rfc2136 and unbound have")
    if ttl is not None:
        in_range("ttl", ttl, 0, LONGEST_TTL, "a number of seconds")
    if params["cname"] is not None and "CNAME" not in place.types:
        raise OptionError("cname", params["cname"], "only rfc2136 supports aliases; give addresses here")
    if params["cname"] is not None:
        target = host_name(params["cname"], "cname")
        if target in names:
            raise OptionError("cname", params["cname"], "a name cannot be an alias of itself")
        return [Record(name, "CNAME", target, ttl) for name in names]
    values = {address(text, "addresses") for text in items(params["addresses"])}
    if not values:
        raise OptionError("addresses", None, "give the addresses of the host names, or an alias in option cname")
    return [Record(name, type_of(value), value, ttl) for name in names for value in values]


def _with_ttl(record: Record, before: List[Record], place: Place) -> Record:
    """The record. If the task asks for no TTL, it gets the TTL of the name's present records of its type."""
    if record.ttl is not None:
        return record
    held = [old.ttl for old in before if (old.name, old.type) == (record.name, record.type)]
    return replace(record, ttl=held[0] if held else place.default_ttl)
