# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as an agent of a release speaks it: exactly the suites of the vendor's page, with a library that has them."""

from __future__ import annotations

import csv
import hashlib
import ipaddress
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import CipherSuite

_WIRE = {"1.0": (3, 1), "1.1": (3, 2), "1.2": (3, 3)}
_SUITE = re.compile(r"TLS_(RSA|ECDHE_RSA)_WITH_(AES_128|AES_256|3DES_EDE)_(CBC|GCM)_(SHA|SHA256|SHA384)")
_EXCHANGES = {"RSA": "rsa", "ECDHE_RSA": "ecdhe_rsa"}
_CIPHERS = {
    ("AES_128", "CBC"): "aes128",
    ("AES_256", "CBC"): "aes256",
    ("3DES_EDE", "CBC"): "3des",
    ("AES_128", "GCM"): "aes128gcm",
    ("AES_256", "GCM"): "aes256gcm",
}


@dataclass(frozen=True)
class Profile:
    """The TLS of a release's agents: the first and the last TLS version, and suites by their IANA names."""

    heading: str
    min_tls: str
    max_tls: str
    suites: tuple[str, ...]

    def settings(self) -> HandshakeSettings:
        """The library's settings. It combines ciphers, MACs and exchanges, which gives no suite that is not listed."""
        parts = [_SUITE.fullmatch(suite).groups() for suite in self.suites]
        settings = HandshakeSettings()
        settings.minVersion, settings.maxVersion = _WIRE[self.min_tls], _WIRE[self.max_tls]
        settings.versions = [version for version in settings.versions if version <= settings.maxVersion]
        settings.keyExchangeNames = _unique(_EXCHANGES[exchange] for exchange, _cipher, _mode, _hash in parts)
        settings.cipherNames = _unique(_CIPHERS[cipher, mode] for _exchange, cipher, mode, _hash in parts)
        settings.macNames = _unique(
            "aead" if mode == "GCM" else digest.lower() for _exchange, _cipher, mode, digest in parts
        )
        return settings


def _unique(names) -> list[str]:
    return list(dict.fromkeys(names))


def profile_of(version: str, limits: tuple[str, str] | None = None) -> Profile:
    """The profile of an agent's version, such as C(20.0.0.8438); raises C(ValueError) for one before 9.5.

    C(limits): the first and the last TLS version, in place of those in the table.
    """
    number = _number(version)
    with open(Path(__file__).with_name("cipher_suites.tsv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))
    rows = [row for row in rows if _number(row["min_version"]) <= number]
    if not rows:
        raise ValueError(f"no suites are documented for agent {version}")
    row = rows[-1]
    return Profile(row["heading"], *(limits or (row["min_tls"], row["max_tls"])), tuple(row["suites"].split()))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


# The key comes with the package, because making a new one takes longer than the rest of an agent's start.
_KEY = Path(__file__).resolve().parents[2] / "ds_agent.key"


class Certificate:
    """The agent's own certificate: RSA with 2048 bits, made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        certificate = folder / "ds_agent.crt"
        if not certificate.exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [
                    *("openssl", "req", "-x509", "-key", str(_KEY), "-sha256", "-days", "3650"),
                    *("-subj", "/CN=Deep Security Agent", "-out", str(certificate)),
                ],
                check=True,
                capture_output=True,
            )
        self.chain = X509CertChain()
        self.chain.parsePemList(certificate.read_text(encoding="ascii"))
        self.key = parsePEMKey(_KEY.read_text(encoding="ascii"), private=True)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, as hexadecimal digits."""
        return _fingerprint(self.chain)


def _fingerprint(chain: X509CertChain) -> str:
    return hashlib.sha256(chain.x509List[0].writeBytes()).hexdigest()


def accept(connection: socket.socket, profile: Profile, certificate: Certificate) -> TLSConnection:
    """Shake hands with the other side of an accepted connection."""
    tls = TLSConnection(connection)
    tls.handshakeServer(certChain=certificate.chain, privateKey=certificate.key, settings=profile.settings())
    return tls


def connect(connection: socket.socket, profile: Profile, name: str) -> tuple[TLSConnection, str]:
    """Shake hands with the manager with that host name. Also returns the fingerprint of its certificate."""
    tls = TLSConnection(connection)
    tls.handshakeClientCert(settings=profile.settings(), serverName="" if _is_address(name) else name)
    return tls, _fingerprint(tls.session.serverCertChain)


def suite_of(connected: TLSConnection) -> str:
    """The IANA name of the cipher suite of a connection."""
    return CipherSuite.ietfNames[connected.session.cipherSuite]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
