# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""known_hosts files, held against what OpenSSH's own ssh-keygen finds in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import subprocess
import tempfile
import types

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._ssh import known_hosts
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.known_hosts import (
    known_in,
    name_of,
    read_known,
)

HOSTS = ("jump.example.com", "[jump.example.com]:2222", "192.0.2.7", "2001:db8::7", "[2001:db8::7]:2222")


def encoded(*fields):
    """A key's blob in Base64."""
    return base64.b64encode(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).decode()


def ed25519(number):
    return encoded(b"ssh-ed25519", hashlib.sha256(b"%d" % number).digest())


def rsa(number):
    modulus = b"\0\xff" + hashlib.sha512(b"%d" % number).digest() * 4 + b"\1"
    return encoded(b"ssh-rsa", b"\1\0\1", modulus)


def hashed(host, salt=b"01234567890123456789"):
    digest = hmac.digest(salt, host.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def found_by_openssh(content, host):
    """The marker and the fingerprint of each line that ssh-keygen finds for a host."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        ran = subprocess.run(
            ["ssh-keygen", "-lF", host, "-f", file.name], capture_output=True, text=True, check=False, errors="replace"
        )
    found = re.findall(r"^# Host .* found: line \d+ ?(\w*) *\n\S+ \S+ (SHA256:\S+)", ran.stdout, re.MULTILINE)
    assert len(found) == ran.stdout.count("# Host ")
    return found


def found_by_us(content, host):
    known = known_in(content, host)
    markers = {"": known.keys, "REVOKED": known.revoked, "CA": known.authorities}
    return [(marker, key.fingerprint) for marker, keys in markers.items() for key in keys]


# In each field of a line: what is usual, and what goes wrong.
PATTERNS = st.one_of(
    st.sampled_from(HOSTS),
    st.sampled_from(["*", "*.example.com", "*.EXAMPLE.com", "?ump.*.com", "j*p*e*x*m", "JUMP.example.com", "[*]:2222"]),
    st.sampled_from(
        ["other.example.com", "192.0.2.?", "192.0.*.*", "2001:db8:*", "[2001:*]:*", "jump.example.com.", ""]
    ),
    st.text("jump.exalco*?[]:2", max_size=20),
)
LISTS = st.lists(st.builds("{}{}".format, st.sampled_from(["", "", "", "!"]), PATTERNS), min_size=1, max_size=4).map(
    ",".join
)


def names_like(host):
    """Lists that name the host, most of them, and what only looks so."""
    odd = ["|1|", "|1|x|y", "|", "||||", f"{hashed(host)},{host}", f"{host},|1|x|y", hashed(host).replace("|1|", "|2|")]
    odd += [hashed(host, salt=b"short"), hashed(host)[:-1], hashed(host) + "|", hashed("other.example.com")]
    return st.one_of(LISTS, LISTS.map(f"{{}},{host}".format), LISTS.map(f"{host},{{}}".format), st.sampled_from(odd))


KEYS = st.integers(1, 1000).flatmap(
    lambda number: st.sampled_from(
        [("ssh-ed25519", ed25519(number)), ("ssh-rsa", rsa(number)), ("rsa-sha2-512", rsa(number))] * 2
        + [("ssh-rsa", ed25519(number)), ("ssh-ed25519", rsa(number)), ("ssh-nonsense", ed25519(number))]
        + [("SSH-ED25519", ed25519(number)), ("2048", "65537"), ("", ""), ("ssh-ed25519", "")]
        + [
            ("ssh-ed25519", broken)
            for broken in ("AAAA", "A", "=", "%%%%", ed25519(number)[:-4], ed25519(number) + "AAAA")
        ]
        + [("ssh-ed25519", ed25519(number).rstrip("=")), ("ssh-rsa", rsa(number)[:-8]), ("ssh-rsa", rsa(number) + "#")]
    )
)
BLANKS = st.sampled_from(["  ", "\t", " \t "])
MARKERS = st.sampled_from(["@revoked ", "@revoked   ", "@cert-authority ", "@unknown ", "@ ", "@revoked @revoked "])
TAILS = st.sampled_from([" a comment", "\r", " # it\r", "\t", "  one two"])
LEADS = st.sampled_from([" ", "\t", "  \t ", "#", "# "])
NO_LINES = ["", "\r", "#", "# a comment", "@", "@revoked", "@revoked jump.example.com", "jump.example.com", "é ü"]


@st.composite
def lines_about(draw, host):
    """A line that OpenSSH takes for the host's key, but for one field of it, or for all, or something else altogether."""
    odd = draw(st.sampled_from(["nothing", "lead", "marker", "names", "blank", "key", "tail", "all", "else"]))
    if odd == "else":
        return draw(st.sampled_from(NO_LINES))

    def field(name, usual, unusual):
        return draw(unusual) if odd in (name, "all") else usual

    names = draw(st.sampled_from([host, host.upper(), hashed(host), "*", f"x,{host}"]))
    number = draw(st.integers(1, 1000))
    kind, key = field("key", draw(st.sampled_from([("ssh-ed25519", ed25519(number)), ("ssh-rsa", rsa(number))])), KEYS)
    blank = field("blank", " ", BLANKS)
    lead, marker = field("lead", "", LEADS), field("marker", "", MARKERS)
    return f"{lead}{marker}{field('names', names, names_like(host))}{blank}{kind}{blank}{key}{field('tail', '', TAILS)}"


FILES = st.sampled_from(HOSTS).flatmap(lambda host: st.tuples(st.lists(lines_about(host), max_size=40), st.just(host)))


@settings(max_examples=150)
@given(FILES)
@example(([f"jump.example.com ssh-ed25519 {ed25519(1)}"], HOSTS[0]))
@example(([f"@revoked * ssh-ed25519 {ed25519(1)}", f"*,!jump.example.com ssh-ed25519 {ed25519(2)}"], HOSTS[0]))
@example(
    ([f"{hashed(HOSTS[1])} ssh-rsa {rsa(1)}", f"@cert-authority *.example.com ssh-ed25519 {ed25519(2)}"], HOSTS[1])
)
def test_the_lines_that_openssh_finds(file):
    lines, host = file
    content = "\n".join(lines).encode()
    assert sorted(found_by_us(content, host)) == sorted(found_by_openssh(content, host))


@pytest.mark.parametrize(
    "line",
    [
        f"{hashed(HOSTS[0], salt=b'short')} ssh-ed25519 {ed25519(1)}",
        f"{HOSTS[0]} ssh-ed25519 %{ed25519(1)}",
        f"{HOSTS[0]} ssh-ed25519 {ed25519(1)[:8]}%{ed25519(1)[8:]}",
        f"{HOSTS[0]} ssh-ed25519 {encoded(b'ssh-ed25519', bytes(32), b'more')}",
        f"{HOSTS[0]} ecdsa-sha2-nistp256 {rsa(1)}",
        f"{HOSTS[0]} ssh-rsa {encoded(b'ssh-ed25519', bytes(32), b'more')}",
    ],
)
def test_lines_that_openssh_passes_over(line):
    assert found_by_openssh(line.encode(), HOSTS[0]) == found_by_us(line.encode(), HOSTS[0]) == []


@pytest.mark.parametrize("length", [1000, 1022, 1023, 1024, 5000])
@pytest.mark.parametrize("form", ["{long},jump.example.com", "jump.example.com,{long}", "*{long},*", "*,{long}*"])
def test_patterns_of_any_length(form, length):
    content = f"{form.format(long='x' * (length - form.startswith('*')))} ssh-ed25519 {ed25519(1)}\n".encode()
    assert found_by_us(content, HOSTS[0]) == found_by_openssh(content, HOSTS[0])


def test_a_real_file_that_ssh_keygen_has_hashed(tmp_path):
    file = tmp_path / "known_hosts"
    lines = [f"{host},alias{number} ssh-ed25519 {ed25519(number)}" for number, host in enumerate(HOSTS)]
    file.write_text("\n".join(lines) + "\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "jump" not in file.read_text()
    for number, host in enumerate(HOSTS):
        (key,) = known_in(file.read_bytes(), host).keys
        assert base64.b64encode(key.blob).decode() == ed25519(number)


def test_a_server_on_another_port_is_looked_for_with_and_without_it(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"jump ssh-ed25519 {ed25519(1)}\n")
    assert (name_of("jump", 22), name_of("jump", 2222)) == ("jump", "[jump]:2222")
    assert read_known(str(file), "jump", 2222) == read_known(str(file), "JUMP", 22)
    file.write_text(f"jump ssh-ed25519 {ed25519(1)}\n@revoked [jump]:2222 ssh-ed25519 {ed25519(1)}\n")
    known = read_known(str(file), "jump", 2222)
    assert (len(known.keys), len(known.revoked)) == (0, 1)
    assert not read_known(str(file), "jump2", 22).keys


@pytest.mark.parametrize("after", [" ", "\t", " \t"])
def test_a_key_is_revoked_whatever_blank_follows_the_marker(after):
    # OpenSSH passes over a line with a tab there. To trust the key would be the worse misunderstanding.
    known = known_in(f"@revoked{after}* ssh-ed25519 {ed25519(1)}".encode(), "jump")
    assert len(known.revoked) == 1 and not known.keys


def test_only_what_can_match_is_worked_on(monkeypatch):
    key = ed25519(1)
    lines = [f"host{number}.example.com,192.0.2.{number} ssh-ed25519 {key}" for number in range(100_000)]
    lines += [f"{hashed(f'host{number}')} ssh-ed25519 {ed25519(number)}" for number in range(200)]
    lines += [f"*.dc{number} ssh-ed25519 {ed25519(number)}" for number in range(50)]
    lines += [f"host7.example.com ssh-ed25519 {ed25519(5000)}"]
    counts = {"line": 0, "key": 0, "hash": 0, "pattern": 0}

    def counting(what, function):
        def counted(*words, **more):
            counts[what] += 1
            return function(*words, **more)

        return counted

    line = types.SimpleNamespace(match=counting("line", known_hosts._LINE.match))
    monkeypatch.setattr(known_hosts, "_LINE", line)
    monkeypatch.setattr(known_hosts, "_key", counting("key", known_hosts._key))
    monkeypatch.setattr(known_hosts.hmac, "digest", counting("hash", hmac.digest))
    monkeypatch.setattr(known_hosts, "_matches", counting("pattern", known_hosts._matches))
    assert len(known_in("\n".join(lines).encode(), "host7.example.com").keys) == 2
    assert counts == {"line": 100_251, "key": 2, "hash": 200, "pattern": 50}


def test_a_pattern_cannot_take_long():
    steps = 0

    class Counting(bytes):
        def __getitem__(self, index):
            nonlocal steps
            steps += 1
            return super().__getitem__(index)

    assert not known_hosts._matches(Counting(b"*a" * 500 + b"b"), b"a" * 250)
    assert steps < 3 * 1001 * 250


@pytest.mark.parametrize("size", [2**40])
def test_a_file_of_any_size_is_an_answer(tmp_path, size):
    file = tmp_path / "known_hosts"
    with file.open("wb") as opened:
        opened.truncate(size)
    with pytest.raises(OSError, match=f"longer than {known_hosts.LARGEST} bytes"):
        read_known(str(file), "jump", 22)
