# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys in the formats that OpenSSL and OpenSSH write, converted for paramiko."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Dict, Type

from .._basis.files import read_whole
from .._basis.text import shown
from .errors import SshError, said

if TYPE_CHECKING:
    from paramiko import PKey

# Bytes. A key of 16,384 bits has 13,000.
_LARGEST = 2**20

_PUBLIC = re.compile(
    rb"\s*(?:(?:ssh|ecdsa|sk)-[a-z0-9@.-]+[ \t]|-----BEGIN [A-Z ]*PUBLIC KEY|---- BEGIN SSH2 PUBLIC KEY)"
)
_TAKEN = "Ed25519, ECDSA or RSA"


def load_private_key(path: str) -> PKey:
    """paramiko's key from a file: PKCS#8, PEM or OpenSSH's own format. A certificate beside it is loaded, too.

    Raises C(SshError).
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
    from paramiko import ECDSAKey, Ed25519Key, RSAKey

    named = f"private_key {shown(path)}"
    try:
        where = os.path.expanduser(path)
        content = read_whole(where, _LARGEST)
    except OSError as error:
        raise SshError(f"{named} cannot be read: {said(error)}", permanent=True) from error
    if _PUBLIC.match(content):
        raise SshError(
            f"{named} is a public key: give the private key, which is usually next to it, without .pub",
            permanent=True,
        )
    is_openssh = b"-----BEGIN OPENSSH PRIVATE KEY-----" in content
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    except Exception as error:  # besides ValueError and UnsupportedAlgorithm, whatever broken files make it raise
        # A key with a passphrase raises TypeError, but not always in older versions.
        if isinstance(error, TypeError) or "password" in str(error).lower():
            problem = f"{named} needs a passphrase: add it to the SSH agent and leave out private_key"
        else:
            problem = f"{named} is not a usable private key: {said(error)}"
        raise SshError(problem, permanent=True) from error
    classes: Dict[type, Type[PKey]] = {
        rsa.RSAPrivateKey: RSAKey,
        ec.EllipticCurvePrivateKey: ECDSAKey,
        ed25519.Ed25519PrivateKey: Ed25519Key,
    }
    suitable = next((taken for kind, taken in classes.items() if isinstance(key, kind)), None)
    if suitable is None:
        kind = "DSA" if isinstance(key, dsa.DSAPrivateKey) else type(key).__name__
        raise SshError(f"{named} is a {kind} key, which cannot be used: make one of {_TAKEN}", permanent=True)
    try:
        # The only format that all versions of paramiko read for all kinds of keys.
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        usable = suitable.from_private_key(io.StringIO(text.decode("ascii")))
        certificate = f"{where}-cert.pub"
        if os.path.exists(certificate):
            usable.load_certificate(certificate)
    except Exception as error:  # as above
        raise SshError(f"{named} is not a usable private key: {said(error)}", permanent=True) from error
    return usable
