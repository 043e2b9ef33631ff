# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's files about names, read as its resolver reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.sources import (
    HostsLine,
    Sources,
    read_sources,
)

NAME = "dsm.example.com"


def sources(folder: Path, hosts: str = "", resolv: str = "", nsswitch: str = "") -> Sources:
    """What is read where these are the files."""
    paths = []
    for name, text in (("hosts", hosts), ("resolv.conf", resolv), ("nsswitch.conf", nsswitch)):
        path = folder / name
        path.write_bytes(text.encode("latin-1"))
        paths.append(str(path))
    return read_sources({NAME}, *paths)


def test_lines_of_the_hosts_file_that_name_it(tmp_path: Path) -> None:
    hosts = (
        "127.0.0.1 localhost\n"
        "# 192.0.2.1 dsm.example.com\n"
        "192.0.2.2\tdsm DSM.Example.com # dsm.example.com\r\n"
        "192.0.2.3 notdsm.example.com dsm.example.com.org\n"
        "192.0.2.4 other # dsm.example.com\n"
        "no-address dsm.example.com\n"
        "dsm.example.com\n"
        "\xff\xfe\x00\n"
        "192.0.2.6 other\x00 dsm.example.com\n"
        "2001:DB8:0::5   other dsm.example.com"
    )
    assert sources(tmp_path, hosts=hosts).hosts == {NAME: [HostsLine(3, "192.0.2.2"), HostsLine(10, "2001:db8::5")]}


@pytest.mark.parametrize(
    ("resolv", "servers", "search", "ndots"),
    [
        ("", ["127.0.0.1"], [], 1),
        ("; a comment\n#nameserver 192.0.2.1\nnameserver\nnameserver ns1\n", ["127.0.0.1"], [], 1),
        ("nameserver 192.0.2.1\nnameserver fe80::1%eth0 # x\n", ["192.0.2.1", "fe80::1%eth0"], [], 1),
        ("".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)), ["192.0.2.1", "192.0.2.2", "192.0.2.3"], [], 1),
        ("domain a.example\nsearch B.example c.example.\n", ["127.0.0.1"], ["b.example", "c.example"], 1),
        ("search .\noptions timeout:1 ndots:3\n", ["127.0.0.1"], [], 3),
        ("options ndots:99\noptions ndots:x\n", ["127.0.0.1"], [], 15),
        # What glibc 2.36 asks for these was seen by a server.
        ("nameserver\t192.0.2.1 \nnameserver 192.0.2.2\0x\n", ["192.0.2.1", "192.0.2.2"], [], 1),
        (" nameserver 192.0.2.1\n\tnameserver 192.0.2.1\n search a\n", ["127.0.0.1"], [], 1),
        ("nameserver 192.0.2.1\r\nnameserver 192.0.2.1#x\nnameserver\v192.0.2.1\n", ["127.0.0.1"], [], 1),
        ("domain a b\n", ["127.0.0.1"], ["a"], 1),
        ("search a \tb\0c\n", ["127.0.0.1"], ["a", "b"], 1),
    ],
)
def test_the_resolver(tmp_path: Path, resolv: str, servers: list[str], search: list[str], ndots: int) -> None:
    found = sources(tmp_path, resolv=resolv)
    assert (found.servers, found.search, found.ndots) == (servers, search, ndots)


@pytest.mark.parametrize(
    ("nsswitch", "services"),
    [
        ("", ["files", "dns"]),
        (
            "passwd: files\n#hosts: nis\nhosts:  files mdns4_minimal [NOTFOUND=return] dns # x\n",
            ["files", "mdns4_minimal", "dns"],
        ),
        ("hosts: files\n", ["files"]),
        ("hosts:\n", []),
        # What glibc 2.36 asks for these was seen by a server.
        ("hosts: files\nhosts: files dns\npasswd: files\n", ["files", "dns"]),
        ("hosts: files dns\n hosts:files\n", ["files"]),
    ],
)
def test_services(tmp_path: Path, nsswitch: str, services: list[str]) -> None:
    assert sources(tmp_path, nsswitch=nsswitch).services == services


def test_files_that_are_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert read_sources({NAME}, missing, missing, missing) == Sources(
        ["files", "dns"], ["127.0.0.1"], [], 1, {NAME: []}
    )


@pytest.mark.parametrize(
    ("name", "ndots", "candidates"),
    [
        ("dsm", 1, ["dsm.a", "dsm.b", "dsm"]),
        ("dsm.x", 1, ["dsm.x", "dsm.x.a", "dsm.x.b"]),
        ("dsm.x", 2, ["dsm.x.a", "dsm.x.b", "dsm.x"]),
    ],
)
def test_candidates(name: str, ndots: int, candidates: list[str]) -> None:
    assert Sources([], [], ["a", "b"], ndots, {}).candidates(name) == candidates


def test_words_are_those_of_the_resolver_and_not_of_unicode(tmp_path: Path) -> None:
    found = sources(
        tmp_path,
        hosts="192.0.2.1\xa0dsm.example.com\n192.0.2.2 a\x85dsm.example.com\nfe80::1%eth0 dsm.example.com\n",
        resolv="nameserver 192.0.2.53\x1c\nnameserver fe80::1%eth0\nnameserver fe80::1%\x1b[31m\nsearch a\xa0b\n",
        nsswitch="hosts: files\x85x dns\n",
    )
    assert found.hosts == {NAME: []}
    assert (found.servers, found.search, found.services) == (["fe80::1%eth0"], ["a\xa0b"], ["files\x85x", "dns"])


def test_a_pipe_or_a_device_in_the_place_of_a_file_counts_as_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = read_sources({NAME}, str(tmp_path / "pipe"), "/dev/zero", str(tmp_path))
    assert (found.services, found.servers, found.hosts) == (["files", "dns"], ["127.0.0.1"], {NAME: []})


def test_brackets_without_end_cost_no_more_than_their_number(tmp_path: Path) -> None:
    # Squared, this would be hours.
    assert sources(tmp_path, nsswitch="hosts: files " + "[" * 2_000_000).services[0] == "files"


@settings(max_examples=200)
@given(
    parts=st.lists(
        st.binary(max_size=20)
        | st.sampled_from(
            [b"\n", b" ", b"hosts:", b"nameserver ", b"search ", b"options ndots:", b"9", b"192.0.2.1 ", b"%", b"::1"]
            + [NAME.encode(), b"#", b"[", b"]", b"\xd9\xa3"]
        )
    )
)
def test_any_bytes_are_read(tmp_path: Path, parts: list[bytes]) -> None:
    path = tmp_path / "any"
    path.write_bytes(b"".join(parts))
    found = read_sources({NAME}, str(path), str(path), str(path))
    assert found.servers and len(found.servers) <= 3 and 0 <= found.ndots <= 15
    assert found.candidates(NAME)
