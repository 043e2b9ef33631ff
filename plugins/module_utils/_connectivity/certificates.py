# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an X.509 certificate says, read from DER without a library. Python itself reads only trusted certificates.

Certificates come from anybody who answers. All bounds are checked, and the time to read is linear in the length.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._basis.text import shown

_OCTETS, _OID, _UTF8, _UTC_TIME, _TIME, _BMP = 0x04, 0x06, 0x0C, 0x17, 0x18, 0x1E
_SEQUENCE = 0x30
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = _NAMES = (0x82, 0x87)

_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_COMMON_NAME = "2.5.4.3"
_ATTRIBUTES = {
    _COMMON_NAME: "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "1.2.840.113549.1.9.1": "emailAddress",
}

# The most names that are shown. Certificates of large sites have a few hundred.
_MOST_NAMES = 200


class Certificate(NamedTuple):
    """names: the host names and addresses that the certificate is valid for. Times are UTC in ISO 8601."""

    subject: str
    issuer: str
    names: List[str]
    not_before: str
    not_after: str
    sha256: str

    def as_dict(self) -> Dict[str, Any]:
        """For the module's result."""
        return dict(
            subject=self.subject,
            issuer=self.issuer,
            not_before=self.not_before,
            not_after=self.not_after,
            sha256=self.sha256,
        )

    def is_for(self, name: str) -> bool:
        """Whether a host name or an address is one of its names (RFC 6125: C(*) stands for the first label)."""
        name = name.lower()
        parent = name.partition(".")[2]
        # Some characters outside of ASCII, such as the Kelvin sign, are ASCII in lower case. They must not match.
        names = [own.lower() for own in self.names if own.isascii()]
        return name in names or bool(parent and f"*.{parent}" in names)


def read_certificate(der: bytes) -> Certificate:
    """Read one certificate. Raises C(ValueError) if this is not a certificate."""
    certificate = list(_elements(der))
    if len(certificate) != 1 or certificate[0][0] != _SEQUENCE:
        raise ValueError("it is not a certificate")
    tag, signed = _first(certificate[0][1])
    fields = list(_elements(signed)) if tag == _SEQUENCE else []
    if fields and fields[0][0] == _VERSION:
        del fields[0]
    # Serial number, signature algorithm, issuer, validity, subject, public key, and the optional fields.
    if len(fields) < 6 or not all(fields[number][0] == _SEQUENCE for number in range(1, 6)):
        raise ValueError("it lacks the fields of a certificate")
    issuer, validity, subject = (fields[number][1] for number in (2, 3, 4))
    times = [_time(kind, content) for kind, content in _elements(validity)]
    if len(times) != 2:
        raise ValueError("it has no times between which it is valid")
    begins, ends = times
    names = _alternative_names(fields[6:])
    if names is None:
        names = [value for oid, value in _attributes(subject) if oid == _COMMON_NAME]
    digest = hashlib.sha256(der).hexdigest()
    return Certificate(_shown(subject), _shown(issuer), names[:_MOST_NAMES], begins, ends, digest)


def _elements(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """The elements that follow each other: the tag and the content of each."""
    position = 0
    while position < len(data):
        start = position + 2
        if len(data) < start:
            raise ValueError("it is cut off")
        tag, length = data[position], data[position + 1]
        if length >= 0x80:
            size = length & 0x7F
            start += size
            if not 1 <= size <= 4 or len(data) < start:
                raise ValueError("it has an element without a length")
            length = int.from_bytes(data[start - size : start], "big")
        position = start + length
        if tag & 0x1F == 0x1F or len(data) < position:
            raise ValueError("it has an invalid element")
        yield tag, data[start:position]


def _first(data: bytes) -> Tuple[int, bytes]:
    for element in _elements(data):
        return element
    raise ValueError("it is empty where it must not be")


def _oid(content: bytes) -> str:
    numbers: List[int] = []
    number = 0
    for byte in content[:64]:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = numbers[0] if numbers else 0
    top = min(first // 40, 2)
    return ".".join(str(part) for part in (top, first - 40 * top, *numbers[1:]))


def _text(tag: int, content: bytes) -> str:
    encoding = {_UTF8: "utf-8", _BMP: "utf-16-be"}.get(tag, "latin-1")
    return shown(content.decode(encoding, "replace"))


def _attributes(name: bytes) -> Iterator[Tuple[str, str]]:
    """The attributes of a distinguished name."""
    for _set, together in _elements(name):
        for _sequence, attribute in _elements(together):
            (kind, oid), (tag, value) = _pair(attribute)
            if kind != _OID:
                raise ValueError("it has a name without types")
            yield _oid(oid), _text(tag, value)


def _pair(data: bytes) -> List[Tuple[int, bytes]]:
    pair = list(_elements(data))
    if len(pair) != 2:
        raise ValueError("it has an invalid name")
    return pair


def _shown(name: bytes) -> str:
    return shown(", ".join(f"{_ATTRIBUTES.get(oid, oid)}={value}" for oid, value in _attributes(name)))


def _time(tag: int, content: bytes) -> str:
    text = content.decode("latin-1")
    if tag == _UTC_TIME:
        # Years with two digits mean 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
        text = ("20" if text[:2] < "50" else "19") + text
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", text, re.ASCII)
    if tag not in (_UTC_TIME, _TIME) or not match:
        raise ValueError("it has an invalid time")
    return "{}-{}-{}T{}:{}:{}Z".format(*match.groups())


def _alternative_names(fields: List[Tuple[int, bytes]]) -> Optional[List[str]]:
    """The names in the extension for them; C(None) if it is missing or has neither names nor addresses."""
    extensions = next((content for tag, content in fields if tag == _EXTENSIONS), None)
    if extensions is None:
        return None
    for _sequence, extension in _elements(_first(extensions)[1]):
        (_kind, oid), *rest = _elements(extension)
        if _oid(oid) == _SUBJECT_ALTERNATIVE_NAME and rest and rest[-1][0] == _OCTETS:
            return [_name(tag, value) for tag, value in _elements(_first(rest[-1][1])[1]) if tag in _NAMES] or None
    return None


def _name(tag: int, value: bytes) -> str:
    return _text(tag, value) if tag == _DNS_NAME else str(ipaddress.ip_address(value))
