# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certificates say, as another library reads them, and what no certificate does."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.certificates import (
    Certificate,
    read_certificate,
)

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    subject: x509.Name, names: list[x509.GeneralName] | None = None, days: tuple[int, int] = (-1, 1)
) -> bytes:
    """A certificate that is signed by itself, in DER."""
    now = datetime.datetime(2049, 12, 31, 12, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def named(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


CN = x509.NameOID.COMMON_NAME


def test_the_fields() -> None:
    subject = named((x509.NameOID.COUNTRY_NAME, "JP"), (x509.NameOID.ORGANIZATION_NAME, "Übung, Inc"), (CN, "dsm"))
    names = [
        x509.DNSName("dsm.example.com"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
        x509.RFC822Name("admin@example.com"),
    ]
    der = certificate(subject, names)
    read = read_certificate(der)
    assert read.subject == read.issuer == "C=JP, O=Übung, Inc, CN=dsm"
    assert read.names == ["dsm.example.com", "192.0.2.7", "2001:db8::7"]
    # One time of each kind: two digits of the year until 2049, four from then on.
    assert (read.not_before, read.not_after) == ("2049-12-30T12:00:00Z", "2050-01-01T12:00:00Z")
    assert read.sha256 == x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex()


def test_issuer_and_subject_are_not_mixed_up() -> None:
    ca = trustme.CA(organization_name="The CA")
    issued = ca.issue_cert("dsm.example.com", organization_name="The site")
    pem = issued.cert_chain_pems[0].bytes()
    read = read_certificate(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER))
    assert "O=The CA" in read.issuer and "O=The site" in read.subject
    assert read.names == ["dsm.example.com"]


@pytest.mark.parametrize("names", [None, [x509.RFC822Name("admin@example.com")]])
def test_without_alternative_names_the_common_name_counts(names: list[x509.GeneralName] | None) -> None:
    assert read_certificate(certificate(named((CN, "dsm")), names)).names == ["dsm"]


def test_other_attributes_and_what_should_not_be_printed() -> None:
    subject = named((x509.NameOID.SERIAL_NUMBER, "7"), (CN, "a\x1b[31m\nb"))
    assert read_certificate(certificate(subject)).subject == "2.5.4.5=7, CN=a\\x1b[31m\\nb"


def test_many_names_are_bounded() -> None:
    names: list[x509.GeneralName] = [x509.DNSName(f"host{number}.example.com") for number in range(1000)]
    assert len(read_certificate(certificate(named((CN, "dsm")), names)).names) == 200


@pytest.mark.parametrize(
    ("names", "name", "matches"),
    [
        (["dsm.example.com"], "dsm.example.com", True),
        (["DSM.Example.com"], "dsm.example.COM", True),
        (["*.example.com"], "dsm.example.com", True),
        (["*.example.com"], "a.dsm.example.com", False),
        (["*.example.com"], "example.com", False),
        (["*"], "dsm", False),
        (["*."], "dsm", False),
        (["example.com"], "dsm.example.com", False),
        (["192.0.2.7"], "192.0.2.7", True),
        ([], "dsm", False),
    ],
)
def test_names_that_match(names: list[str], name: str, matches: bool) -> None:
    assert bool(Certificate("", "", names, "", "", "").is_for(name)) is matches


def test_a_letter_that_only_looks_like_one_of_ascii_in_lower_case_is_another() -> None:
    for name in ("\u212aelvin.example.com", "*.e\u212a.example"):
        own = Certificate("", "", [name], "", "", "")
        assert not own.is_for("kelvin.example.com") and not own.is_for("a.ek.example")


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_certificate_is_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(WHOLE)
    for _time in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert len(read_certificate(bytes(der)).sha256) == 64
    except ValueError as error:
        assert str(error)


@settings(max_examples=200)
@given(st.integers(0, 10**6))
def test_a_certificate_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ValueError):
        read_certificate(WHOLE[: length % len(WHOLE)])


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"\x3f\x81\x00\x00", b"\x30\x02\x30\x00", b"\x30\x84\xff\xff\xff\xff"],
)
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(ValueError):
        read_certificate(der)


WHOLE = certificate(named((CN, "dsm")), [x509.DNSName("dsm.example.com")])
