# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS cipher suites that agents use: their names, and what is known about each.

Names, code points and references are those of the IANA registry "TLS Cipher Suites". C(recommended) is the column of
that name: Y, N, or D for discouraged. The suites with RSA key exchange were N until RFC 10015 (July 2026), which
deprecates them; they are D here by the IANA Considerations of its draft, draft-ietf-tls-deprecate-obsolete-kex-07. The
others are as RFC 8447 set them.
"""

from __future__ import annotations

import re
from typing import Dict, NamedTuple, Optional, Tuple

NO_FORWARD_SECRECY = "RSA key exchange has no forward secrecy and is deprecated (RFC 10015)"
CBC = "CBC with MAC-then-encrypt is open to padding oracles such as Lucky Thirteen (RFC 7457)"
SHA1 = "the MAC is HMAC-SHA-1, on a hash that NIST retires by the end of 2030"
SWEET32 = "3DES has 64-bit blocks, which repeat within hours of traffic (Sweet32, CVE-2016-2183), and is disallowed"


class Suite(NamedTuple):
    """One cipher suite. C(lowest_tls) is the first TLS version that has it, C(rfc) is the RFC that IANA refers to."""

    iana: str
    code_point: str
    openssl: str
    rfc: int
    lowest_tls: str
    key_exchange: str
    forward_secrecy: bool
    aead: bool
    recommended: str
    weak: Tuple[str, ...]

    def as_dict(self) -> Dict[str, object]:
        """This suite in plain types, for results."""
        return {**self._asdict(), "weak": list(self.weak)}


def _rsa(iana: str, code_point: str, openssl: str, rfc: int, lowest_tls: str, *weak: str) -> Suite:
    return Suite(
        iana, code_point, openssl, rfc, lowest_tls, "RSA", False, "GCM" in iana, "D", (NO_FORWARD_SECRECY,) + weak
    )


def _ecdhe(iana: str, code_point: str, openssl: str, recommended: str, *weak: str) -> Suite:
    return Suite(iana, code_point, openssl, 5289, "1.2", "ECDHE", True, "GCM" in iana, recommended, weak)


SUITES = (
    _rsa("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "0x00,0x0A", "DES-CBC3-SHA", 5246, "1.0", SWEET32, CBC, SHA1),
    _rsa("TLS_RSA_WITH_AES_128_CBC_SHA", "0x00,0x2F", "AES128-SHA", 5246, "1.0", CBC, SHA1),
    _rsa("TLS_RSA_WITH_AES_256_CBC_SHA", "0x00,0x35", "AES256-SHA", 5246, "1.0", CBC, SHA1),
    _rsa("TLS_RSA_WITH_AES_128_CBC_SHA256", "0x00,0x3C", "AES128-SHA256", 5246, "1.2", CBC),
    _rsa("TLS_RSA_WITH_AES_256_CBC_SHA256", "0x00,0x3D", "AES256-SHA256", 5246, "1.2", CBC),
    _rsa("TLS_RSA_WITH_AES_128_GCM_SHA256", "0x00,0x9C", "AES128-GCM-SHA256", 5288, "1.2"),
    _ecdhe("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "0xC0,0x27", "ECDHE-RSA-AES128-SHA256", "N", CBC),
    _ecdhe("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "0xC0,0x28", "ECDHE-RSA-AES256-SHA384", "N", CBC),
    _ecdhe("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "0xC0,0x2F", "ECDHE-RSA-AES128-GCM-SHA256", "Y"),
    _ecdhe("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "0xC0,0x30", "ECDHE-RSA-AES256-GCM-SHA384", "Y"),
)

BY_IANA = {suite.iana: suite for suite in SUITES}

# The kinds of name that C(find_suite) reads.
NAMES = ("iana", "openssl", "code_point")

_CODE_POINT = re.compile(r"(?:0X)?([0-9A-F]{2}),?(?:0X)?([0-9A-F]{2})", re.ASCII)


def _key(name: str) -> str:
    name = name.strip().upper()
    code_point = _CODE_POINT.fullmatch(name)
    return ",".join(code_point.groups()) if code_point else name


_BY_NAME = {_key(getattr(suite, kind)): suite for suite in SUITES for kind in NAMES}


def find_suite(name: object) -> Optional[Suite]:
    """The suite with this IANA name, OpenSSL name or code point (C(0xC0,0x2F), C(C0,2F), C(0xc02f))."""
    # Some characters outside of ASCII, such as the long s, are ASCII in upper case. They must not match.
    return _BY_NAME.get(_key(name)) if isinstance(name, str) and name.isascii() else None
