# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host keys that a known_hosts file holds for one server, as OpenSSH reads such files: sshd(8).

Only lines that name the server are parsed, so other lines do no harm, whatever they contain and however many there are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._basis.files import read_whole
from .server import SSH_PORT

# Bytes. 100,000 lines with keys of 4,096 bits have 80 million.
LARGEST = 256 * 2**20

# A marker, the hosts, the type of the key, and the key. A comment may follow.
_LINE = re.compile(rb"[ \t]*(?:(@[^ \t]*)[ \t]+)?([^ \t@#][^ \t]*)[ \t]+([^ \t]+)[ \t]+([^ \t\r]+)")

_AUTHORITY = b"@cert-authority"
_REVOKED = b"@revoked"

_WILDCARDS = re.compile(rb"[*?!]")
# In OpenSSH, a line with a longer pattern does not match.
_LONGEST_PATTERN = 1022

_SALT_BYTES = 20

# How many fields a public key of each type has, including the type's name.
_FIELDS = {
    b"ssh-rsa": 3,
    b"ssh-dss": 5,
    b"ssh-ed25519": 2,
    b"ecdsa-sha2-nistp256": 3,
    b"ecdsa-sha2-nistp384": 3,
    b"ecdsa-sha2-nistp521": 3,
    b"sk-ssh-ed25519@openssh.com": 3,
    b"sk-ecdsa-sha2-nistp256@openssh.com": 4,
}
# Other names for a type in the file: RSA keys have one for each hash.
_ALIASES = {b"rsa-sha2-256": b"ssh-rsa", b"rsa-sha2-512": b"ssh-rsa"}


class HostKey(NamedTuple):
    """A public key, as the bytes that SSH sends."""

    blob: bytes

    @property
    def kind(self) -> str:
        """Its type, such as C(ssh-ed25519)."""
        return self.blob[4 : 4 + int.from_bytes(self.blob[:4], "big")].decode("ascii", "backslashreplace")

    @property
    def fingerprint(self) -> str:
        """As OpenSSH shows it: C(SHA256:...)."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii").rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


class Known(NamedTuple):
    """What a file says about one server. C(authorities): keys that may certify the server's keys."""

    keys: Tuple[HostKey, ...] = ()
    revoked: Tuple[HostKey, ...] = ()
    authorities: Tuple[HostKey, ...] = ()


def name_of(host: str, port: int) -> str:
    """The server's name in the file."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def read_known(path: str, host: str, port: int) -> Known:
    """What the file says about a server. If its port is not 22 and is not in the file, its name without a port counts.

    Raises C(OSError).
    """
    content = read_whole(path, LARGEST)
    known = known_in(content, name_of(host, port))
    return known if known != Known() or port == SSH_PORT else known_in(content, host)


def known_in(content: bytes, name: str) -> Known:
    """What the file's content says about a name, such as C(jump.example.com) or C([192.0.2.1]:2222)."""
    found: Dict[Optional[bytes], List[HostKey]] = {None: [], _REVOKED: [], _AUTHORITY: []}
    for marker, key in _matching(content, name.lower().encode("utf-8", "surrogateescape")):
        if marker in found:
            found[marker].append(key)
    return Known(tuple(found[None]), tuple(found[_REVOKED]), tuple(found[_AUTHORITY]))


def _matching(content: bytes, name: bytes) -> Iterator[Tuple[Optional[bytes], HostKey]]:
    for line in content.split(b"\n"):
        fields = _LINE.match(line)
        if fields:
            marker, hosts, kind, encoded = fields.groups()
            if _is_hashed_as(hosts, name) if hosts[:1] == b"|" else _is_listed(hosts.lower(), name):
                key = _key(kind, encoded)
                if key:
                    yield marker, key


def _is_hashed_as(hosts: bytes, name: bytes) -> bool:
    parts = hosts.split(b"|")
    if len(parts) != 4 or parts[1] != b"1":
        return False
    try:
        salt = binascii.a2b_base64(parts[2])
    except binascii.Error:
        return False
    hashed = binascii.b2a_base64(hmac.digest(salt, name, "sha1"), newline=False)
    return hashed == parts[3] and len(salt) == _SALT_BYTES


def _is_listed(hosts: bytes, name: bytes) -> bool:
    """Whether a pattern of the list matches, and no negated pattern matches."""
    if not _WILDCARDS.search(hosts):
        # Most lines need no more than this.
        return name in hosts and name in hosts.split(b",") and _are_short(hosts)
    if not _are_short(hosts):
        return False
    matches = False
    for pattern in hosts.split(b","):
        negated = pattern[:1] == b"!"
        if _matches(pattern[negated:], name):
            if negated:
                return False
            matches = True
    return matches


def _are_short(hosts: bytes) -> bool:
    return len(hosts) <= _LONGEST_PATTERN or max(map(len, hosts.split(b","))) <= _LONGEST_PATTERN


def _matches(pattern: bytes, name: bytes) -> bool:
    """Whether a name matches a pattern with C(*) and C(?), in no more steps than the product of their lengths."""
    at = place = 0
    # The position after the last asterisk, and how much of the name the asterisk has matched.
    resume = taken = -1
    while place < len(name):
        if at < len(pattern) and pattern[at] == ord("*"):
            at += 1
            resume, taken = at, place
        elif at < len(pattern) and pattern[at] in (name[place], ord("?")):
            at += 1
            place += 1
        elif resume >= 0:
            taken += 1
            at, place = resume, taken
        else:
            return False
    return not pattern[at:].strip(b"*")


def _key(kind: bytes, encoded: bytes) -> Optional[HostKey]:
    """The key, if it is complete and of that type."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    kind = _ALIASES.get(kind, kind)
    fields = []
    at = 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        fields.append(blob[at + 4 : end])
        at = end
    is_whole = at == len(blob) and bool(fields) and fields[0] == kind and len(fields) == _FIELDS.get(kind)
    return HostKey(blob) if is_whole else None
