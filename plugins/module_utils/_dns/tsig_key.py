# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key that signs updates (TSIG, RFC 8945), from options or from a file as C(nsupdate -k) reads it.

Messages never contain a secret or a part of a key's file.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from .._basis.errors import OptionError
from .._basis.files import read_beginning
from .._basis.text import enumerated, shown
from .errors import DnsError

ALGORITHMS = ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
BROKEN_ALGORITHM = "hmac-md5"
_USUAL_ALGORITHM = "hmac-sha256"

ARGUMENTS: Dict[str, Any] = dict(
    key_name=dict(type="str", no_log=False),
    key_secret=dict(type="str", no_log=True),
    key_algorithm=dict(type="str", choices=[BROKEN_ALGORITHM, *ALGORITHMS], no_log=False),
    key_file=dict(type="path", no_log=False),
    allow_hmac_md5=dict(type="bool", default=False),
)

# A file of keys has a few hundred bytes. A longer file is something else.
_LONGEST_FILE = 65536

_NO_KEY = "it holds no key as tsig-keygen or dnssec-keygen write it"

# The syntax of BIND's configuration: strings, in which nothing is a comment, and three kinds of comments. A comment
# without an end goes on to the end of the file, so that it is only searched once.
_STRING_OR_COMMENT = re.compile(r'("[^"\n]*")|/\*.*?(?:\*/|\Z)|(?://|#)[^\n]*', re.DOTALL)
_STATEMENT = re.compile(r'\bkey\s+"?([^\s"{};]+)"?\s*\{([^{}]*)\}\s*;')
_FIELD = re.compile(r'\b(algorithm|secret)\s+"?([^\s";]+)"?\s*;')

# The pair of files that dnssec-keygen writes: numbers instead of names of algorithms.
_NUMBERS = {"157": BROKEN_ALGORITHM, **{str(161 + place): name for place, name in enumerate(ALGORITHMS)}}
_PRIVATE = re.compile(r"^(Algorithm|Key):[ \t]*(\S+)", re.MULTILINE)
_PRIVATE_NAME = re.compile(r"K(.+)\.\+\d{3}\+\d{5}\.private")
_RECORD = re.compile(
    r"^(\S+)[ \t]+(?:\d+[ \t]+)?(?:IN[ \t]+)?KEY[ \t]+\d+[ \t]+\d+[ \t]+(\d+)[ \t]+(\S+(?:[ \t]+[A-Za-z0-9+/=]+)*)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Key:
    """A key that is shared with the server: its name, its secret, and its algorithm, such as hmac-sha256.

    C(option) is the option that the secret comes from.
    """

    name: str
    secret: bytes = field(repr=False)
    algorithm: str
    option: str


def key_of(options: Mapping[str, Any]) -> Optional[Key]:
    """The key that the options C(ARGUMENTS) name; C(None) if they name none. Raises C(DnsError) or C(OptionError)."""
    # Values that are read from a file or a program end with a newline. No secret or name has blanks around it.
    name, secret = ((options[option] or "").strip() for option in ("key_name", "key_secret"))
    algorithm: str = options["key_algorithm"] or _USUAL_ALGORITHM
    where = "rfc2136.key_secret"
    if options["key_file"]:
        if secret:
            raise OptionError(
                "rfc2136.key_file", options["key_file"], "the key's secret comes from here or from key_secret"
            )
        where = "rfc2136.key_file"
        name, algorithm, secret = _from_file(options["key_file"], name)
        if options["key_algorithm"] not in (None, algorithm):
            raise OptionError(
                "rfc2136.key_algorithm",
                options["key_algorithm"],
                f"the key in key_file has {algorithm}, which is used if this option is not set",
            )
    for given, missing in ((name, "key_secret"), (secret, "key_name")):
        if given and not (name and secret):
            raise OptionError(
                f"rfc2136.{missing}", None, "a key has a name and a secret: give both, or option key_file"
            )
    if not secret:
        return None
    _check_algorithm(algorithm, options["allow_hmac_md5"])
    return Key(name, _decoded(secret, where), algorithm, where)


def _check_algorithm(algorithm: str, allow_hmac_md5: bool) -> None:
    if algorithm != BROKEN_ALGORITHM:
        return
    if not allow_hmac_md5:
        raise OptionError(
            "rfc2136.key_algorithm",
            algorithm,
            "MD5 is broken, and RFC 8945 forbids signatures that are made with it: have a key of hmac-sha256 made on the "
            "server (tsig-keygen), or set rfc2136.allow_hmac_md5 if the server accepts nothing else",
        )
    try:
        hmac.new(b"key", b"message", "md5")
    except ValueError as error:
        raise OptionError(
            "rfc2136.key_algorithm", algorithm, "this machine's policy does not let MD5 be used"
        ) from error


def _decoded(secret: str, where: str) -> bytes:
    try:
        decoded = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    # Some Pythons also decode a lone = to nothing.
    if not decoded:
        # The message shows neither the secret nor the wrong part of it.
        raise OptionError(where, None, "the key's secret must be base64")
    return decoded


def _from_file(path: str, name: str) -> Tuple[str, str, str]:
    """The name, the algorithm and the secret of the key in a file. If there are several, the key with this name."""
    try:
        text = read_beginning(path, _LONGEST_FILE).decode("latin-1")
    except OSError as error:
        raise DnsError(
            "unreadable", f"key file '{shown(path)}' cannot be read: {error.strerror}", "rfc2136.key_file"
        ) from error
    keys = _keys_in(text, os.path.basename(path), name)
    if not keys:
        raise OptionError("rfc2136.key_file", path, _NO_KEY)
    if name:
        found = [key for key in keys if _plain(key) == _plain(name)]
        if not found:
            raise OptionError("rfc2136.key_name", name, f"key_file has {enumerated(sorted(keys))}")
    elif len(keys) > 1:
        raise OptionError("rfc2136.key_name", None, f"key_file has several keys, name one: {enumerated(sorted(keys))}")
    else:
        found = list(keys)
    algorithm, secret = keys[found[0]]
    if algorithm not in _NUMBERS.values():
        raise OptionError(
            "rfc2136.key_file",
            path,
            f"its key has algorithm '{shown(algorithm)}', and can have {enumerated(ALGORITHMS)}",
        )
    return found[0], algorithm, secret


def _keys_in(text: str, file_name: str, name: str) -> Dict[str, Tuple[str, str]]:
    """The algorithm and the secret of each key in a file, by name."""
    if text.startswith("Private-key-format:"):
        of_file = _PRIVATE_NAME.fullmatch(file_name)
        fields = dict(_PRIVATE.findall(text))
        owner, number = str(of_file.group(1)) if of_file else name, str(fields.get("Algorithm", ""))
        return {owner: (_NUMBERS.get(number, number), fields["Key"])} if "Key" in fields else {}
    # Long secrets, as those of hmac-sha512, have blanks between their parts.
    records = {
        owner: (_NUMBERS.get(number, number), "".join(secret.split()))
        for owner, number, secret in _RECORD.findall(text)
    }
    statements = {}
    for owner, block in _STATEMENT.findall(_STRING_OR_COMMENT.sub(lambda found: found.group(1) or " ", text)):
        fields = dict(_FIELD.findall(block))
        if "secret" in fields:
            algorithm = _plain(fields.get("algorithm", "")).replace(".sig-alg.reg.int", "")
            statements[owner] = (algorithm, fields["secret"])
    return statements or records


def _plain(name: str) -> str:
    """The name of a key or of an algorithm, in the form for comparisons."""
    return name.lower().rstrip(".")
