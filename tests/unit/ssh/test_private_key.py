# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys in all the formats that OpenSSH and OpenSSL write, and what is none that can be used."""

from __future__ import annotations

import base64
import functools
import os
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._ssh.errors import SshError
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.private_key import load_private_key
from tests.lab.ssh_server import make_key

FORMATS = {
    "OpenSSH": serialization.PrivateFormat.OpenSSH,
    "PEM": serialization.PrivateFormat.TraditionalOpenSSL,
    "PKCS#8": serialization.PrivateFormat.PKCS8,
}
MAKE = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@functools.cache
def made(kind):
    """One key of a kind for all tests: to make an RSA key takes longer than everything else that they do."""
    return MAKE[kind]()


def written(key, form, passphrase=b""):
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, FORMATS[form], encryption)


def refused(path):
    with pytest.raises(SshError) as caught:
        load_private_key(str(path))
    assert caught.value.permanent
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "key"


@pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind in MAKE for form in FORMATS if (kind, form) != ("Ed25519", "PEM")]
)
def test_keys_that_can_be_used(file, kind, form):
    key = made(kind)
    file.write_bytes(written(key, form))
    loaded = load_private_key(str(file))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert base64.b64encode(loaded.asbytes()) == public.split()[1]
    assert loaded.can_sign()
    # With other words before it and line ends as Windows has them.
    file.write_bytes(b"a comment\r\n" * (form != "OpenSSH") + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_private_key(str(file)).asbytes() == loaded.asbytes()


@pytest.mark.parametrize("form", FORMATS)
def test_a_passphrase(file, form):
    file.write_bytes(written(made("RSA"), form, b"secret words"))
    assert refused(file) == f"private_key {file} needs a passphrase: add it to the SSH agent and leave out private_key"


@pytest.mark.parametrize("form", FORMATS)
def test_dsa_is_named(file, form):
    if form == "OpenSSH":
        make_key(file, "dsa")
    else:
        file.write_bytes(written(dsa.generate_private_key(1024), form))
    assert refused(file) == f"private_key {file} is a DSA key, which cannot be used: make one of Ed25519, ECDSA or RSA"


def test_keys_that_are_for_something_else(file):
    file.write_bytes(written(x25519.X25519PrivateKey.generate(), "PKCS#8"))
    assert "X25519PrivateKey key, which cannot be used" in refused(file)
    file.write_bytes(written(ec.generate_private_key(ec.SECP256K1()), "PKCS#8"))
    assert "is not a usable private key" in refused(file)


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa"])
def test_the_public_key_instead(tmp_path, kind):
    key = make_key(tmp_path / "key", kind)
    public = key.with_suffix(".pub")
    assert f"private_key {public} is a public key: give the private key" in refused(public)
    for form in ("RFC4716", "PKCS8", "PEM"):
        if kind != "ed25519" or form == "RFC4716":
            ran = subprocess.run(["ssh-keygen", "-e", "-m", form, "-f", str(public)], capture_output=True, check=True)
            other = tmp_path / form
            other.write_bytes(ran.stdout)
            assert "is a public key" in refused(other)


def test_a_certificate_beside_it_is_taken_along(tmp_path):
    authority, key = make_key(tmp_path / "authority"), make_key(tmp_path / "key")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "lab", "-n", "me", str(key) + ".pub"],
        check=True,
        capture_output=True,
    )
    certificate = tmp_path / "key-cert.pub"
    assert load_private_key(str(key)).public_blob.key_type == "ssh-ed25519-cert-v01@openssh.com"
    certificate.write_text("nonsense")
    assert "is not a usable private key" in refused(key)
    assert "is a public key" in refused(make_key(tmp_path / "ssh-x").with_suffix(".pub"))


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "cannot be read: It is a folder, not a regular file" in refused(tmp_path)
    assert "cannot be read: It is a named pipe, not a regular file" in refused(tmp_path / "fifo")
    assert "cannot be read: No such file" in refused(tmp_path / "none")
    assert "a\\x00b cannot be read" in refused("a\0b")
    huge = tmp_path / "huge"
    huge.touch()
    os.truncate(huge, 2**40)
    assert "cannot be read: It is longer than 1048576 bytes" in refused(huge)


KEYS = [written(made(kind), form) for kind, form in (("P-256", "OpenSSH"), ("P-256", "PEM"), ("Ed25519", "PKCS#8"))]


@settings(max_examples=150)
@given(st.sampled_from(KEYS), st.integers(0, 400), st.integers(1, 200), st.binary(max_size=40))
def test_a_broken_key_is_an_answer(tmp_path_factory, key, start, length, instead):
    file = tmp_path_factory.getbasetemp() / "broken"
    file.write_bytes(key[:start] + instead + key[start + length :])
    try:
        load_private_key(str(file))
    except SshError as error:
        assert str(error).isprintable()
