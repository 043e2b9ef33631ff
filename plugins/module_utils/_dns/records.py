# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records: the names that agents look up, and what they should find."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from .._basis.errors import OptionError

ADDRESS_TYPES = ("A", "AAAA")

# Seconds; RFC 2181, section 8.
LONGEST_TTL = 2**31 - 1

# The standard does not allow underscores in host names, but some hosts have them.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# Resolvers read a name that ends in a number as an IPv4 address.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}", re.ASCII)


# The limited broadcast (RFC 919).
_EVERYBODY = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True)
class Record:
    """One record. Records sort by name, type and value.

    C(name) is in lower case and without the final dot; C(type) is A, AAAA or CNAME; C(value) is an address or a name in
    its one canonical form; C(ttl) is in seconds, C(None) if the place has no TTLs or chooses it. Nothing is checked
    here: values from outside must go through C(host_name) and C(address) first.
    """

    name: str
    type: str
    value: str
    ttl: Optional[int] = None

    def __lt__(self, other: Record) -> bool:
        return self._key() < other._key()

    def _key(self) -> Tuple[str, str, str, int]:
        return (*self.identity, -1 if self.ttl is None else self.ttl)

    @property
    def identity(self) -> Tuple[str, str, str]:
        """Name, type and value: everything but the TTL."""
        return (self.name, self.type, self.value)

    def __str__(self) -> str:
        """The record as a zone file has it."""
        ttl = [] if self.ttl is None else [str(self.ttl)]
        return " ".join([self.name, *ttl, self.type, self.value])

    def as_dict(self) -> Dict[str, object]:
        """The record for a module's result."""
        return {"name": self.name, "type": self.type, "value": self.value, "ttl": self.ttl}


def host_name(text: str, option: str) -> str:
    """A host name in lower case and without the final dot. Raises C(OptionError) if it is not one."""
    # Checked before the change to lower case, which would turn the Kelvin sign into a k.
    if not text.isascii():
        raise OptionError(option, text, "a host name is ASCII; write an internationalized one in its xn-- form")
    name = text.lower()
    name = name[:-1] if name.endswith(".") else name
    if not _NAME.fullmatch(name):
        raise OptionError(
            option, text, "it must be a host name, such as dsm.example.com, without port, URL or wildcard"
        )
    return name


def address(text: str, option: str) -> str:
    """An IPv4 or IPv6 address in its canonical form. Raises C(OptionError) for other text or an unusable address."""
    example = "it must be an IPv4 or IPv6 address, such as 192.0.2.10 or 2001:db8::10"
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError as error:
        raise OptionError(option, text, example) from error
    # Old Pythons read 010.0.0.1 as 10.0.0.1, but resolvers read it as octal or not at all. New Pythons accept a zone
    # after %, which no record can hold; old ones refuse it.
    if (parsed.version == 4 and str(parsed) != text) or "%" in text:
        raise OptionError(option, text, example)
    if parsed.is_unspecified or parsed.is_multicast or parsed == _EVERYBODY:
        raise OptionError(option, text, "nothing can be reached at this address")
    if parsed.version == 6 and parsed.ipv4_mapped:
        raise OptionError(option, text, f"write the IPv4 address itself, {parsed.ipv4_mapped}")
    return str(parsed)


def type_of(canonical_address: str) -> str:
    """The type of the record that holds this address, A or AAAA."""
    return "AAAA" if ":" in canonical_address else "A"
