# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and records: one canonical form for what can be, an error for what cannot."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import (
    Record,
    address,
    host_name,
    type_of,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dsm.example.com", "dsm.example.com"),
        ("DSM.Example.COM.", "dsm.example.com"),
        ("dsm", "dsm"),
        ("dsm_1.lab.test", "dsm_1.lab.test"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("4.example", "4.example"),
        ("1a", "1a"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
        (".".join(["a" * 63] * 3) + "." + "b" * 61, ".".join(["a" * 63] * 3) + "." + "b" * 61),
    ],
)
def test_host_names_get_one_form(text: str, name: str) -> None:
    assert host_name(text, "hostnames") == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "a.b..",
        ".a",
        "-a.b",
        "a-.b",
        "*.example.com",
        "dsm.example.com:4120",
        "https://dsm.example.com",
        "dsm example",
        "dsm.example.com\n",
        "192.0.2.10",
        "dsm.123",
        "2001:db8::1",
        "b\u00fccher.example",
        "dsm\u0130.example",
        "dsm\u0131.example",
        "\u212aelvin.example",
        "d\u017fm.example",
        "dsm.example\uff0ecom",
        "\u0664.example",
        "a" * 64,
        ".".join(["a" * 63] * 3) + "." + "b" * 62,
    ],
)
def test_what_is_no_host_name_is_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        host_name(text, "hostnames")
    assert (caught.value.code, caught.value.option) == ("bad_option", "hostnames")
    assert str(caught.value).startswith("option 'hostnames' is ")
    assert caught.value.as_failure() == {
        "code": "bad_option",
        "option": "hostnames",
        "message": str(caught.value),
    }


@pytest.mark.parametrize(
    ("text", "canonical", "kind"),
    [
        ("192.0.2.10", "192.0.2.10", "A"),
        ("2001:DB8:0:0::10", "2001:db8::10", "AAAA"),
        ("127.0.0.1", "127.0.0.1", "A"),
    ],
)
def test_addresses_get_one_form(text: str, canonical: str, kind: str) -> None:
    assert address(text, "addresses") == canonical
    assert type_of(canonical) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dsm.example.com",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.010",
        "192.0.2.10/32",
        " 192.0.2.10",
        "fe80::1%eth0",
        "0.0.0.0",
        "255.255.255.255",
        "\u0661.2.3.4",
        "::",
        "224.0.0.1",
        "ff02::1",
        "::ffff:192.0.2.10",
    ],
)
def test_what_is_no_address_of_a_manager_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="option 'addresses' is "):
        address(text, "addresses")


def test_records_sort_by_name_type_and_value_with_and_without_ttl() -> None:
    records = [
        Record("a", "A", "192.0.2.1"),
        Record("a", "A", "192.0.2.1", 0),
        Record("a", "A", "192.0.2.2", 5),
        Record("a", "AAAA", "2001:db8::1"),
        Record("b", "A", "192.0.2.1"),
    ]
    assert sorted([records[3], records[1], records[4], records[0], records[2]]) == records


def test_a_record_reads_as_in_a_zone_file() -> None:
    assert str(Record("a", "A", "192.0.2.1")) == "a A 192.0.2.1"
    assert str(Record("a", "CNAME", "b", 0)) == "a 0 CNAME b"
    assert Record("a", "A", "192.0.2.1", 60).as_dict() == {"name": "a", "type": "A", "value": "192.0.2.1", "ttl": 60}
