# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts files as text: whatever a file holds, everything but our block stays as it is, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.hosts_text import (
    BEGIN,
    END,
    read_hosts,
    records_of,
    without,
)
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record

PATH = "/etc/hosts"
NAMES = ["dsm.example.com", "relay.example.com", "dsm"]

addresses = st.ip_addresses().map(str)
names = st.sampled_from(NAMES)
records = st.builds(lambda name, value: Record(name, "AAAA" if ":" in value else "A", value), names, addresses)
# Lines as hosts files have them, and as nobody should write them.
plausible = st.tuples(addresses, st.sampled_from(["\t", " ", "  "]), st.lists(names | st.just("Web")), st.text()).map(
    lambda parts: (parts[0] + parts[1] + " ".join(parts[2]) + "#" + parts[3].replace("\n", "")).encode(
        "utf-8", "surrogatepass"
    )
)
lines = plausible | st.binary(max_size=40) | st.sampled_from([b"", b"127.0.0.1 localhost", b"\xff\xfe", b"# note"])
files = st.builds(
    lambda parts, end, last: end.join(parts) + last,
    st.lists(lines, max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"\n", b"\r\n"]),
).filter(lambda content: BEGIN not in content and END not in content)


def with_block(content: bytes, block: list[Record]) -> bytes:
    return read_hosts(content, PATH)._replace(block=sorted(block)).text()


@given(files, st.lists(records, min_size=1))
@example(b"", [Record("dsm", "A", "192.0.2.1")])
@example(b"127.0.0.1 localhost", [Record("dsm", "A", "192.0.2.1")])
@example(b"127.0.0.1 localhost\r\n", [Record("dsm", "A", "192.0.2.1")])
def test_a_block_that_comes_and_goes_leaves_the_file_as_it_was(content: bytes, block: list[Record]) -> None:
    written = with_block(content, block)
    assert written.endswith(content)
    assert with_block(written, []) == content


@given(files, st.sets(records), st.sets(records, min_size=1))
def test_what_was_written_is_read_and_written_again(content: bytes, first: set[Record], second: set[Record]) -> None:
    written = with_block(with_block(content, list(first)), list(second))
    assert read_hosts(written, PATH).block == sorted(second)
    assert with_block(written, list(second)) == written
    # Whatever was there before: only what is wanted counts.
    assert written == with_block(content, list(second))


@given(files, files, st.sets(records, min_size=1), st.sets(records))
def test_a_block_stays_where_somebody_has_moved_it(
    before: bytes, behind: bytes, block: set[Record], later: set[Record]
) -> None:
    start = before if not before or before.endswith(b"\n") else before + b"\n"
    hosts = read_hosts(start + with_block(b"", list(block)) + behind, PATH)
    assert hosts.block == sorted(block)
    written = hosts._replace(block=sorted(later)).text()
    assert written.startswith(start)
    assert written.endswith(behind)
    assert hosts._replace(block=[]).text() == start + behind


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_block_has_the_line_ends_of_the_file(end: bytes) -> None:
    written = with_block(b"127.0.0.1 localhost" + end + b"::1 localhost", [Record("dsm", "A", "192.0.2.1")])
    assert written == end.join([BEGIN, b"192.0.2.1 dsm", END, b"127.0.0.1 localhost", b"::1 localhost"])


BROKEN = [
    [BEGIN, b"192.0.2.1 dsm"],
    [b"192.0.2.1 dsm", END],
    [END, b"192.0.2.1 dsm", BEGIN],
    [BEGIN, b"192.0.2.1 dsm", END, BEGIN, b"192.0.2.2 dsm", END],
    [BEGIN, BEGIN, b"192.0.2.1 dsm", END],
    [BEGIN, b"192.0.2.1 dsm", END, END],
]
FOREIGN = [
    b"# a note",
    b"192.0.2.1 dsm # why",
    b"192.0.2.1",
    b"dsm 192.0.2.1",
    b"192.0.2.1 dsm \xff",
    b"192.0.2.300 dsm",
    "192.0.2.1 dsm b\u00fccher".encode(),
]


@pytest.mark.parametrize("block", BROKEN, ids=range(len(BROKEN)))
def test_a_block_that_does_not_begin_and_end_once_is_refused(block: list[bytes]) -> None:
    content = b"\n".join([b"127.0.0.1 localhost", *block, b""])
    with pytest.raises(DnsError, match=r"must begin and end once, but line [235] is '# ") as caught:
        read_hosts(content, PATH)
    assert caught.value.code == "broken_block"


@pytest.mark.parametrize("line", FOREIGN, ids=repr)
def test_a_block_with_what_is_not_ours_is_refused(line: bytes) -> None:
    content = b"\n".join([b"127.0.0.1 localhost", BEGIN, b"192.0.2.1 dsm", line, END])
    with pytest.raises(DnsError, match="line 4 of /etc/hosts lies in the block") as caught:
        read_hosts(content, PATH)
    assert caught.value.code == "broken_block"


def test_lines_in_the_block_that_say_the_same_otherwise_are_ours() -> None:
    content = b"\n".join([BEGIN, b"", b"  192.0.2.1\tDSM  relay.example.com\r", b"2001:DB8::1 dsm", END])
    assert read_hosts(content, PATH).block == [
        Record("dsm", "A", "192.0.2.1"),
        Record("relay.example.com", "A", "192.0.2.1"),
        Record("dsm", "AAAA", "2001:db8::1"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"192.0.2.1 dsm", ["dsm"]),
        (b"\t192.0.2.1\tweb DSM\tdsm.example.com # dsm", ["dsm", "dsm.example.com"]),
        (b"192.0.2.1 web # dsm", []),
        (b"# 192.0.2.1 dsm", []),
        (b"192.0.2.1#x dsm", []),
        (b"192.0.2 dsm", []),
        (b"dsm dsm", []),
        (b"192.0.2.1 dsm\r\n", ["dsm"]),
        (b"192.0.2.1 \xff dsm", ["dsm"]),
        (b"\xff dsm", []),
        (b"192.0.2.1 web\xa0dsm", []),
        (b"192.0.2.1 web\x1cdsm\x85", []),
        (b"192.0.2.1 web\0 dsm", []),
        (b"192.0.2.1 dsm\0x dsm.example.com # dsm", ["dsm"]),
        (b"\0192.0.2.1 dsm", []),
        (b"", []),
    ],
)
def test_what_a_line_says(line: bytes, said: list[str]) -> None:
    assert records_of(line, NAMES) == [Record(name, "A", "192.0.2.1") for name in said]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (b"192.0.2.1 dsm\n", b""),
        (b"192.0.2.1 dsm DSM\r\n", b""),
        (b"192.0.2.1\tweb dsm\n", b"192.0.2.1\tweb\n"),
        (b" 192.0.2.1  dsm\tweb \xff\r\n", b" 192.0.2.1\tweb \xff\r\n"),
        (b"192.0.2.1 dsm web", b"192.0.2.1 web"),
        (b"192.0.2.1 dsm # the old dsm\n", b"# the old dsm\n"),
        (b"192.0.2.1 dsm web # dsm\n", b"192.0.2.1 web # dsm\n"),
        (b"192.0.2.1 dsm web\0 dsm # dsm\n", b"192.0.2.1 web\0 dsm # dsm\n"),
        (b"192.0.2.1 dsm\0\0\0", b"\0\0\0"),
        (b"192.0.2.1 dsm.example.com dsm-2\n", b"192.0.2.1 dsm.example.com dsm-2\n"),
    ],
)
def test_a_name_is_taken_out_of_a_line_and_nothing_else(line: bytes, left: bytes) -> None:
    assert without(line, {"dsm"}) == left


@given(plausible, st.sets(names, min_size=1))
def test_a_line_says_nothing_more_of_a_name_that_was_taken_out(line: bytes, removed: set[str]) -> None:
    kept = [record for record in records_of(line, [*NAMES, "web"]) if record.name not in removed]
    assert records_of(without(line, removed), [*NAMES, "web"]) == kept
    for end in (b"#", b"\0"):
        assert without(line, removed).partition(end)[2] == line.partition(end)[2]
