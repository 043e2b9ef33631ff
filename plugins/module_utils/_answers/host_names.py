# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of a manager's computers can be host names. Agents may have chosen them, so they count as hostile.

A name must not lead Ansible to its own machine, nor to another host than the intended one. Names are not looked up, so
this does not know where a name server sends a name that looks honest.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import unicodedata
from collections import Counter

from .._fleet.objects import Computer

# No blanks, and no characters with a special meaning in patterns of hosts, in paths or in command lines.
_NAME = re.compile(r"\w[\w.-]*")
_LONGEST_NAME = 253
# Programs read a name as an IPv4 address if all its parts are like this: 127.1, 2130706433, 0x7f000001, 0177.0.0.1.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# Names of Ansible's own groups, and of its implicit host.
RESERVED = ("all", "ungrouped", "localhost")
# Names that this code gives to hosts. No computer may bring such a name.
_GIVEN = re.compile(r"computer_[0-9]+_*")
# Names that lead to the machine itself by convention: in any part of a name, as a whole name (Debian's hosts file,
# macOS, systemd's nss-myhostname, where _gateway is the next router), and at the end of a name (inside a container: its
# host).
_LOCAL_PART = re.compile(r"localhost[46]?")
_LOCAL_NAME = re.compile(
    r"loopback|broadcasthost|ip6-(?:localhost|loopback|localnet|mcastprefix|allnodes|allrouters|allhosts)"
    r"|_(?:gateway|outbound|localdnsstub|localdnsproxy)"
)
_LOCAL_ENDS = (".docker.internal", ".containers.internal")


def is_usable(name: str) -> bool:
    """Whether a name can be used in an inventory, in a pattern of hosts and in a command, and means a host there."""
    if len(name) > _LONGEST_NAME:
        return False
    if ":" in name:
        return leads_to_a_host(name)
    # Check both spellings, because one character may stand for several.
    key = key_of(name)
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(key) or key in RESERVED or _GIVEN.fullmatch(key):
        return False
    parts = key.split(".")
    if all(map(_NUMBER.fullmatch, parts)):
        # Such a name is an address in some spelling. All programs agree only about the usual spelling.
        return leads_to_a_host(name)
    return not (any(map(_LOCAL_PART.fullmatch, parts)) or _LOCAL_NAME.fullmatch(key) or f".{key}".endswith(_LOCAL_ENDS))


def leads_to_a_host(text: str) -> bool:
    """Whether it is an IP address that belongs to the same host everywhere, unlike an address such as 127.0.0.1."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        # IPv4 addresses in IPv6 form are in a reserved block, except for this kind.
        address = address.sixtofour or address
    if address.version == 4 and int(address) >> 24 == 0:
        return False
    return not (
        address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
    )


def key_of(name: str) -> str:
    """A key that is equal for names of the same host: it ignores case, the width of letters, and a final dot."""
    return (name if name.isascii() else unicodedata.normalize("NFKC", name)).casefold().rstrip(".")


def fallback(computer_id: int, taken: t.Callable[[str], bool]) -> str:
    """A name for a computer without a usable one. No other computer has this name, and it is not C(taken)."""
    name = f"computer_{computer_id}"
    while taken(name):
        name += "_"
    return name


class HostNames:
    """Gives each computer a name. C(known): all computers that the manager has shown, including these.

    C(groups): names of groups, which no host can have. C(names): in the order of the computers. C(unusual): computers
    whose name is not their host name. C(addresses): by ID, the host names of unusual computers that still lead to them.
    """

    def __init__(self, computers: t.Sequence[Computer], known: t.Iterable[Computer], groups: t.Container[str]) -> None:
        count = Counter(key_of(one.host_name) for one in known)
        led_to = {one.id for one in computers if count[key_of(one.host_name)] == 1 and is_usable(one.host_name)}
        found = {one.id: one.host_name for one in computers if one.id in led_to and one.host_name not in groups}
        self.unusual = [one for one in computers if one.id not in found]
        self.addresses = {one.id: one.host_name for one in self.unusual if one.id in led_to}
        displays = Counter(key_of(one.display_name) for one in self.unusual)
        for one in self.unusual:
            name, key = one.display_name, key_of(one.display_name)
            # A name that is another computer's host name would lead to that computer.
            is_free = displays[key] == 1 and key not in count and name not in groups and is_usable(name)
            found[one.id] = name if is_free else fallback(one.id, groups.__contains__)
        self.names = [found[one.id] for one in computers]
