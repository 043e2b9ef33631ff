# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that sign updates, from options and from files as BIND's programs write them."""

from __future__ import annotations

import base64
import hmac
import os
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import Problem
from ansible_collections.workload_security.agent.plugins.module_utils._dns.tsig_key import Key, key_of

SECRET = "bm9ib2R5IG1heSBzZWUgdGhpcy8v/w=="
BYTES = base64.b64decode(SECRET)

STATEMENT = f"""\
key "ansible" {{
\talgorithm hmac-sha256;
\tsecret "{SECRET}";
}};
"""

PRIVATE = f"""\
Private-key-format: v1.3
Algorithm: 165 (HMAC_SHA512)
Key: {SECRET}
Bits: AAA=
Created: 20200101000000
"""


def options(**given_options: t.Any) -> dict[str, t.Any]:
    unset = dict.fromkeys(["key_name", "key_secret", "key_algorithm", "key_file"])
    return {**unset, "allow_hmac_md5": False, **given_options}


def read(tmp_path: Path, text: str, name: str = "file", **given_options: t.Any) -> Key | None:
    file = tmp_path / name
    file.write_bytes(text.encode("latin-1"))
    return key_of(options(key_file=str(file), **given_options))


def failure(tmp_path: Path, text: str, name: str = "file", **given_options: t.Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(tmp_path, text, name, **given_options)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "text, name, algorithm",
    [
        (STATEMENT, "ansible", "hmac-sha256"),
        (STATEMENT.replace('"', "").replace("//", ""), "ansible", "hmac-sha256"),
        (STATEMENT.replace("\n", " ").replace("hmac-sha256", "HMAC-SHA512"), "ansible", "hmac-sha512"),
        (STATEMENT.replace("\n", "\r\n"), "ansible", "hmac-sha256"),
        (f"# old\n/* key x {{}};\n*/ // and\n{STATEMENT}# end", "ansible", "hmac-sha256"),
        (f'{STATEMENT}server 192.0.2.1 {{ keys {{ "ansible"; }}; }};', "ansible", "hmac-sha256"),
        (f"ansible.lab.test. IN KEY 512 3 163 {SECRET}\n", "ansible.lab.test.", "hmac-sha256"),
        (f"; made by dnssec-keygen\nansible. 3600 IN KEY 512 3 161 {SECRET}\n", "ansible.", "hmac-sha1"),
    ],
)
def test_what_bind_s_programs_write_is_read(tmp_path, text, name, algorithm):
    secret = SECRET if SECRET in text else SECRET.replace("//", "")
    assert read(tmp_path, text) == Key(name, base64.b64decode(secret), algorithm, "rfc2136.key_file")


@pytest.mark.parametrize("end", ["\n", "", " ; a comment\n", "\r\n"])
@pytest.mark.parametrize("length", [16, 42, 43, 64, 128])
def test_a_long_secret_in_a_record_has_several_words(tmp_path, length, end):
    """The words have up to 56 characters."""
    secret = os.urandom(length)
    text = base64.b64encode(secret).decode()
    words = " ".join(text[start : start + 56] for start in range(0, len(text), 56))
    key = read(tmp_path, f"; made by dnssec-keygen\nansible. IN KEY 512 3 165 {words}{end}")
    assert key == Key("ansible.", secret, "hmac-sha512", "rfc2136.key_file")


@pytest.mark.parametrize("given_name, name", [(None, "ansible.lab.test"), ("ANSIBLE.lab.test.", "ansible.lab.test")])
def test_a_private_file_tells_its_key_s_name_by_its_own(tmp_path, given_name, name):
    key = read(tmp_path, PRIVATE, "Kansible.lab.test.+165+01234.private", key_name=given_name)
    assert key == Key(name, BYTES, "hmac-sha512", "rfc2136.key_file")


def test_a_private_file_of_another_name_takes_the_one_that_is_given(tmp_path):
    assert read(tmp_path, PRIVATE, key_name="ansible").name == "ansible"
    assert failure(tmp_path, PRIVATE).option == "rfc2136.key_name"


def test_one_of_several_keys_is_named(tmp_path):
    both = STATEMENT + STATEMENT.replace("ansible", "other").replace("256", "384")
    error = failure(tmp_path, both)
    assert error.option == "rfc2136.key_name" and "ansible, other" in str(error)
    assert read(tmp_path, both, key_name="Other.").algorithm == "hmac-sha384"
    error = failure(tmp_path, both, key_name="third")
    assert error.option == "rfc2136.key_name" and "ansible, other" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        STATEMENT.replace("hmac-sha256", "hmac-md5"),
        STATEMENT.replace("hmac-sha256", "hmac-md5.sig-alg.reg.int"),
        f"ansible. IN KEY 512 3 157 {SECRET}\n",
        PRIVATE.replace("165 (HMAC_SHA512)", "157 (HMAC_MD5)"),
    ],
)
def test_a_file_with_a_key_for_a_broken_algorithm_is_refused_unless_asked_for(tmp_path, text):
    name = "Kansible.+157+00001.private"
    error = failure(tmp_path, text, name)
    assert error.option == "rfc2136.key_algorithm" and "RFC 8945" in str(error)
    assert read(tmp_path, text, name, allow_hmac_md5=True).algorithm == "hmac-md5"
    # Asked for twice over is no contradiction.
    assert read(tmp_path, text, name, allow_hmac_md5=True, key_algorithm="hmac-md5").algorithm == "hmac-md5"


def test_where_md5_may_not_be_used_this_is_said(monkeypatch):
    def refuse(*_arguments):
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hmac, "new", refuse)
    with pytest.raises(Problem, match="policy"):
        key_of(options(key_name="a", key_secret=SECRET, key_algorithm="hmac-md5", allow_hmac_md5=True))


@pytest.mark.parametrize(
    "text, option, words",
    [
        ("", "key_file", "no key"),
        ("nothing of the kind", "key_file", "no key"),
        ('key "ansible" { algorithm hmac-sha256; };', "key_file", "no key"),
        ("Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: AAAA\n", "key_file", "no key"),
        (STATEMENT.replace("hmac-sha256", "hmac-sha3"), "key_file", "hmac-sha3"),
        (f"sig0. IN KEY 512 3 13 {SECRET}", "key_file", "'13'"),
        (STATEMENT.replace(SECRET, "a secret"), "key_file", "no key"),
        (STATEMENT.replace(SECRET, "=secret="), "key_file", "base64"),
        (STATEMENT.replace("algorithm hmac-sha256;", ""), "key_file", "algorithm ''"),
    ],
)
def test_a_file_without_a_usable_key_is_named_and_not_shown(tmp_path, text, option, words):
    error = failure(tmp_path, text)
    assert (error.code, error.option) == ("bad_option", f"rfc2136.{option}")
    assert words in str(error) and "secret=" not in str(error)


def test_a_comment_without_an_end_hides_all_that_follows(tmp_path):
    # With one look for the end from each beginning, twenty thousand of them would take seconds.
    for text in (f"/* {STATEMENT}", f"{'/* ' * 20000}{STATEMENT}"):
        assert "it holds no key" in str(failure(tmp_path, text))


@pytest.mark.parametrize("path", ["/no/such/file", "/", "/etc\0", "/dev/zero", "pipe"])
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    # Opened as a file, it would be waited for without end.
    os.mkfifo("pipe")
    with pytest.raises(Problem) as caught:
        key_of(options(key_file=path))
    assert (caught.value.code, caught.value.option) == ("unreadable", "rfc2136.key_file")


@pytest.mark.parametrize(
    "given_options, option",
    [
        ({"key_secret": SECRET}, "key_file"),
        ({"key_algorithm": "hmac-sha512"}, "key_algorithm"),
    ],
)
def test_an_option_that_contradicts_the_file(tmp_path, given_options, option):
    assert failure(tmp_path, STATEMENT, **given_options).option == f"rfc2136.{option}"


def test_without_any_of_them_there_is_no_key():
    assert key_of(options()) is None
    assert key_of(options(key_name=" ", key_secret="\n")) is None


def test_a_key_does_not_show_its_secret():
    assert "nobody" not in repr(key_of(options(key_name="a", key_secret=SECRET)))


PIECES = st.sampled_from(
    [
        *'{}";\n #*/',
        "key ",
        "ansible",
        "algorithm ",
        "hmac-sha256",
        "secret ",
        SECRET,
        "/*",
        "//",
        "IN KEY 512 3 163 ",
        "\0",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.lists(PIECES, max_size=25).map("".join), st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
)
def test_any_file_gives_a_key_or_a_problem_without_the_secret(tmp_path, text):
    try:
        key = read(tmp_path, text)
    except Problem as error:
        assert SECRET not in str(error)
    else:
        assert key.secret == BYTES or SECRET not in text
