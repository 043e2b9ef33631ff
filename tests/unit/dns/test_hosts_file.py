# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trip of a task with a hosts file as the place: what is read, written, reported and left alone."""

from __future__ import annotations

import errno
import os
import sys
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis import files
from ansible_collections.workload_security.agent.plugins.module_utils._dns import hosts_file
from ansible_collections.workload_security.agent.plugins.module_utils._dns.converge import converge
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.hosts_file import HostsFile

OLD = b"127.0.0.1\tlocalhost\n192.0.2.9 old dsm.example.com # dsm\n\xff\xfe no text\n192.0.2.10 DSM.example.com web"
BLOCK = b"# BEGIN workload_security.agent.local_dns\n%s\n# END workload_security.agent.local_dns\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_bytes(OLD)
    return file


def run(
    path: Path, *, check: bool = False, replace: bool = False, in_place: bool = False, **params: t.Any
) -> dict[str, t.Any]:
    place = HostsFile({"path": str(path), "replace_conflicts": replace, "unsafe_writes": in_place})
    filled = {"state": "present", "hostnames": ["dsm.example.com"], "region": None, "addresses": None, "cname": None}
    result = converge(place, {**filled, "ttl": None, **params}, check_mode=check)
    return {**result, "warnings": place.warnings}


def records(found: list[dict[str, t.Any]]) -> list[tuple[str, str]]:
    return [(record["name"], record["value"]) for record in found]


STEPS = [
    (
        {"addresses": ["192.0.2.10"]},
        BLOCK % b"192.0.2.10 dsm.example.com" + OLD,
    ),
    (
        {"addresses": ["2001:db8::a", "192.0.2.11"], "hostnames": ["DSM.example.com.", "relay.example.com"]},
        BLOCK
        % b"\n".join(
            [
                b"192.0.2.11 dsm.example.com",
                b"2001:db8::a dsm.example.com",
                b"192.0.2.11 relay.example.com",
                b"2001:db8::a relay.example.com",
            ]
        )
        + OLD,
    ),
    (
        {"state": "absent"},
        BLOCK % b"192.0.2.11 relay.example.com\n2001:db8::a relay.example.com" + OLD,
    ),
    ({"state": "absent", "hostnames": ["relay.example.com"]}, OLD),
]


def seen(content: bytes) -> bytes:
    """How a diff shows a file: what cannot be seen is escaped, but for tabs."""
    return content.replace(b"\xff\xfe", rb"\xff\xfe").replace(b"\r", rb"\r")


def test_create_change_and_remove_each_as_check_and_real_and_again(path: Path) -> None:
    before = OLD
    for params, after in STEPS:
        check = run(path, check=True, **params)
        assert path.read_bytes() == before
        real = run(path, **params)
        assert path.read_bytes() == after
        assert check == real
        assert real["changed"]
        assert real["diff"]["before"].encode("utf-8") == seen(before)
        assert real["diff"]["after"].encode("utf-8") == seen(after)
        for again in (run(path, check=True, **params), run(path, **params)):
            assert not again["changed"]
            assert again["before"] == again["records"] == real["records"]
            assert again["diff"]["before"] == again["diff"]["after"]
        assert path.read_bytes() == after
        before = after


def test_lines_that_contradict_are_reported_and_left_alone(path: Path) -> None:
    result = run(path, addresses=["192.0.2.10"])
    assert result["conflicts"] == [
        {
            "name": "dsm.example.com",
            "type": "A",
            "value": "192.0.2.9",
            "ttl": None,
            "line": 2,
            "text": "192.0.2.9 old dsm.example.com # dsm",
            "replaced": False,
        }
    ]
    (warning,) = result["warnings"]
    assert f"in {path}, line 2 says 192.0.2.9 for dsm.example.com: '192.0.2.9 old dsm.example.com # dsm'" in warning
    assert "replace_conflicts" in warning
    again = run(path, addresses=["192.0.2.10"])
    assert [conflict["line"] for conflict in again["conflicts"]] == [5], "the block has moved the line down"
    assert again["warnings"] and not again["changed"]


def test_lines_that_still_name_an_absent_host_are_reported(path: Path) -> None:
    result = run(path, state="absent")
    assert not result["changed"]
    assert [(one["line"], one["value"]) for one in result["conflicts"]] == [(2, "192.0.2.9"), (4, "192.0.2.10")]
    (warning,) = result["warnings"]
    assert "line 2 says 192.0.2.9 for" in warning and "line 4 says 192.0.2.10 for" in warning
    assert path.read_bytes() == OLD


def test_however_many_lines_contradict_the_warning_is_short(path: Path) -> None:
    path.write_text(
        "".join(f"10.0.{number // 250}.{number % 250} dsm.example.com {'x' * 300}\n" for number in range(3900))
    )
    result = run(path, addresses=["192.0.2.10"])
    (warning,) = result["warnings"]
    assert "and 3890 more" in warning and len(warning) < 4000
    assert len(result["conflicts"]) == 3900


def test_on_request_names_are_taken_out_of_lines_that_contradict(path: Path) -> None:
    check = run(path, check=True, replace=True, addresses=["192.0.2.10", "192.0.2.11"])
    result = run(path, replace=True, addresses=["192.0.2.10", "192.0.2.11"])
    assert check == result
    assert path.read_bytes() == BLOCK % b"192.0.2.11 dsm.example.com" + OLD.replace(b" dsm.example.com #", b" #")
    assert records(result["before"]) == [("dsm.example.com", "192.0.2.10"), ("dsm.example.com", "192.0.2.9")]
    assert records(result["records"]) == [("dsm.example.com", "192.0.2.10"), ("dsm.example.com", "192.0.2.11")]
    assert [(one["line"], one["replaced"]) for one in result["conflicts"]] == [(2, True)]
    assert result["warnings"] == []
    again = run(path, replace=True, addresses=["192.0.2.11", "192.0.2.10"])
    assert not again["changed"]
    assert again["conflicts"] == []


def test_on_request_an_equal_line_of_others_is_all_that_is_needed(path: Path) -> None:
    result = run(path, replace=True, addresses=["192.0.2.10"])
    assert path.read_bytes() == OLD.replace(b" dsm.example.com #", b" #")
    assert result["changed"]
    assert not run(path, replace=True, addresses=["192.0.2.10"])["changed"]


def test_a_record_that_no_resolver_reads_is_not_all_that_is_needed(path: Path) -> None:
    # Resolvers read a line up to NUL.
    path.write_bytes(b"192.0.2.10 web\0 dsm.example.com\n")
    result = run(path, replace=True, addresses=["192.0.2.10"])
    assert result["changed"] and result["before"] == []
    assert path.read_bytes() == BLOCK % b"192.0.2.10 dsm.example.com" + b"192.0.2.10 web\0 dsm.example.com\n"
    assert not run(path, replace=True, addresses=["192.0.2.10"])["changed"]


def test_on_request_absent_takes_names_out_of_all_lines(path: Path) -> None:
    run(path, addresses=["192.0.2.10"])
    result = run(path, replace=True, state="absent")
    assert path.read_bytes() == OLD.replace(b" dsm.example.com", b"").replace(b" DSM.example.com", b"")
    assert result["changed"] and result["records"] == []
    assert not run(path, replace=True, state="absent")["changed"]


def test_a_file_that_is_not_there_is_made(path: Path) -> None:
    path.unlink()
    assert not run(path, state="absent")["changed"]
    assert run(path, check=True, addresses=["192.0.2.10"])["changed"]
    assert not path.exists()
    run(path, addresses=["192.0.2.10"])
    assert path.read_bytes() == BLOCK % b"192.0.2.10 dsm.example.com"


def test_a_broken_block_stops_everything(path: Path) -> None:
    broken = OLD + b"\n# END workload_security.agent.local_dns"
    path.write_bytes(broken)
    for params in ({"addresses": ["192.0.2.10"]}, {"state": "absent"}):
        with pytest.raises(DnsError, match="must begin and end once"):
            run(path, **params)
    assert path.read_bytes() == broken


def test_a_long_file_is_changed_and_only_the_records_are_shown(path: Path) -> None:
    ads = b"".join(b"0.0.0.0 ad%d.example\n" % number for number in range(20000))
    path.write_bytes(ads)
    result = run(path, addresses=["192.0.2.10"])
    assert path.read_bytes() == BLOCK % b"192.0.2.10 dsm.example.com" + ads
    assert result["diff"] == {"before": "", "after": "dsm.example.com A 192.0.2.10\n"}


# -- a file that cannot be replaced


@pytest.fixture
def mount(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that nothing can take the place of. Real ones are in the end-to-end tests."""

    def busy(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "rename", busy)
    return path


def test_a_mount_fails_in_check_mode_too_and_warns_when_it_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (files, hosts_file):
        monkeypatch.setattr(module, "is_mount", lambda asked: asked == str(path))
    for check in (True, False):
        with pytest.raises(
            DnsError, match="cannot write .*: it is a mount .* hosts_file.unsafe_writes: true"
        ) as caught:
            run(path, check=check, addresses=["192.0.2.10"])
        assert (caught.value.code, caught.value.option) == ("unwritable", "hosts_file.unsafe_writes")
    (warning,) = run(path, in_place=True, addresses=["192.0.2.11"])["warnings"][1:]
    assert "is a mount of its own, as in containers, which may get a new one at each start" in warning
    assert not run(path, addresses=["192.0.2.11"])["changed"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("what", ["mount", "folder", "missing"])
def test_what_this_user_cannot_write_fails_in_check_mode_too(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: str, check: bool
) -> None:
    """Root, which tests may run as, is refused by a read-only mount alone: see the end-to-end tests."""
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    if what == "mount":
        monkeypatch.setattr(files, "is_mount", lambda asked: asked == str(path))
    if what == "missing":
        path.unlink()
    for in_place in (True, False):
        with pytest.raises(
            DnsError, match=r"cannot write .*hosts: Permission denied \(this user may not; use become\)$"
        ):
            run(path, check=check, in_place=in_place, addresses=["192.0.2.10"])
    assert what == "missing" or path.read_bytes() == OLD


@pytest.mark.parametrize("flags", [0x10, 0x80010, 0x20])
def test_an_immutable_file_fails_in_check_mode_too(path: Path, monkeypatch: pytest.MonkeyPatch, flags: int) -> None:
    """Not every file system has attributes, and not everybody may set them."""

    def ioctl(handle: int, request: int, answer: bytearray) -> int:
        assert os.path.samestat(os.fstat(handle), path.stat()) and request == 0x80086601
        answer[:4] = flags.to_bytes(4, sys.byteorder)
        return 0

    assert not files.is_immutable(str(path)) and not files.is_immutable(f"{path}/none")
    monkeypatch.setattr(files.fcntl, "ioctl", ioctl)
    for check in (True, False):
        with pytest.raises(
            DnsError, match=r"Operation not permitted \(.* the file is immutable or append-only \(chattr -ia\)\)$"
        ):
            run(path, check=check, addresses=["192.0.2.10"])
    assert path.read_bytes() == OLD


def test_a_folder_that_an_earlier_task_may_make_is_no_fault_in_check_mode(tmp_path: Path) -> None:
    assert run(tmp_path / "folder" / "hosts", check=True, addresses=["192.0.2.10"])["changed"]


def test_what_cannot_be_replaced_names_the_option(mount: Path) -> None:
    with pytest.raises(
        DnsError, match="it is a mount .* with hosts_file.unsafe_writes: true, it is written in place"
    ) as (caught):
        run(mount, addresses=["192.0.2.10"])
    assert (caught.value.code, caught.value.option) == ("unwritable", "hosts_file.unsafe_writes")
    assert mount.read_bytes() == OLD


def test_what_cannot_be_replaced_is_written_in_place_on_request(mount: Path) -> None:
    number = mount.stat().st_ino
    for params, after in STEPS:
        assert run(mount, in_place=True, **params)["changed"]
        assert mount.read_bytes() == after
        assert not run(mount, in_place=True, **params)["changed"]
    assert (mount.stat().st_ino, os.listdir(mount.parent)) == (number, [mount.name])


def test_what_can_be_replaced_is_replaced_whatever_the_option(path: Path) -> None:
    number = path.stat().st_ino
    run(path, in_place=True, addresses=["192.0.2.10"])
    assert path.stat().st_ino != number


# -- what the top of the file says


CLOUD_INIT = b"""\
# Your system has configured 'manage_etc_hosts' as True.
# As a result, if you wish for changes to this file to persist
# then you will need to either
# a.) make changes to the master file in /etc/cloud/templates/hosts.debian.tmpl
# b.) change or remove the value of 'manage_etc_hosts' in
#     /etc/cloud/cloud.cfg or cloud-config from user-data
#
127.0.1.1 web web
"""
WSL = b"""\
# This file was automatically generated by WSL. To stop automatic generation of this file, add the following entry \
to /etc/wsl.conf:
# [network]
# generateHosts = false
127.0.0.1\tlocalhost
"""
HEADERS = {
    CLOUD_INIT: "add the names to /etc/cloud/templates/hosts.debian.tmpl, or set manage_etc_hosts: false",
    CLOUD_INIT.replace(b"/etc/cloud/templates/hosts.debian.tmpl", b"..."): "add the names to the template, or set",
    WSL: "set generateHosts = false in the section [network] of /etc/wsl.conf",
    b"# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n": "add the names to hostAliases",
    b"# Kubernetes-managed hosts file (host network).\n": "add the names to hostAliases",
    b"# Generated by Docker Engine.\n": "--add-host",
    b"# Generated by NetworkManager\n": "NetworkManager or its dispatcher scripts",
    b"\n#\n# Ansible managed\n": "change the template of the Ansible role",
    b"# Ansible managed: /site/templates/hosts.j2 modified on 2026-01-01\n": "change /site/templates/hosts.j2 of the",
    b"# HEADER: This file was autogenerated at 2026-01-01\n# HEADER: by puppet.\n": "change the template that it is made",
    b"# This file is managed by Puppet. DO NOT EDIT.\n": "change the template that writes it",
    b"# DO NOT EDIT THIS FILE BY HAND -- YOUR CHANGES WILL BE OVERWRITTEN\r\n": "change the template",
    b"# Warning: This file is auto-generated and might be overwritten by\n#   univention-config-registry.\n"
    b"# Please edit the following file(s) instead:\n# /etc/univention/templates/files/etc/hosts\n": (
        "change /etc/univention/templates/files/etc/hosts that it is made from"
    ),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_file_that_is_written_anew_by_others_warns_and_names_what_to_change(path: Path, header: bytes) -> None:
    path.write_bytes(header)
    for _time in range(2):
        (warning,) = run(path, addresses=["192.0.2.10"])["warnings"]
        assert f"{path} may be regenerated without these records, as its comments say: '#" in warning
        assert HEADERS[header] in warning and "\n" not in warning
    assert run(path, state="absent")["warnings"] == []


@pytest.mark.parametrize(
    "header",
    [
        b"# Loopback entries; do not change.\n# For historical reasons, localhost precedes localhost.localdomain:\n",
        b"##\n# Host Database\n#\n# localhost is used to configure the loopback interface\n"
        b"# when the system is booting.  Do not change this entry.\n##\n",
        b"# BEGIN ANSIBLE MANAGED BLOCK\n192.0.2.80 web\n# END ANSIBLE MANAGED BLOCK\n",
        b"# The following lines are desirable for IPv6 capable hosts\n",
        b"127.0.0.1 localhost\n# generated by adblock: the rest of the file\n0.0.0.0 ads.example\n",
        b"169.254.169.254 metadata.google.internal # Added by Google\n",
        b"# --- BEGIN PVE ---\n127.0.1.1 web\n# --- END PVE ---\n",
        b"",
        b"# generated by hand on 2026-11-26",
        b"# this file is not managed by puppet",
        b"# No longer managed by Ansible; changes will not be overwritten",
        b"# changes will not be lost",
        b"# is never automatically generated",
    ],
)
def test_other_comments_warn_of_nothing(path: Path, header: bytes) -> None:
    path.write_bytes(header)
    assert run(path, addresses=["192.0.2.10"])["warnings"] == []


def test_however_long_a_comment_is_it_is_read_at_once(path: Path) -> None:
    path.write_bytes(b"# " + b"/" * 1_000_000 + b"\n" + b"# changes " * 100_000)
    assert run(path, addresses=["192.0.2.10"])["warnings"] == []


# -- what addresses resolve back to


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"192.0.2.10 web dsm.example.com", "192.0.2.10 resolves back to dsm.example.com and not to 'web', as line 2"),
        (
            b"2001:DB8:0::A\tWeb.Example.com",
            "2001:db8::a resolves back to dsm.example.com and not to 'web.example.com'",
        ),
        (b"192.0.2.10 DSM.example.com web", None),
        (b"192.0.2.10", None),
        (b"# 192.0.2.10 web", None),
        (b"192.0.2.11 web", None),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_an_address_that_resolves_back_to_another_name_is_told(
    path: Path, line: bytes, told: str | None, check: bool
) -> None:
    path.write_bytes(b"127.0.0.1 localhost\n" + line + b"\n192.0.2.10 late\n" * (told is not None))
    warnings = run(path, check=check, addresses=["192.0.2.10", "2001:db8::a"])["warnings"]
    assert [warning for warning in warnings if "resolves back" in warning] == warnings
    assert len(warnings) == (told is not None)
    assert told is None or told in warnings[0]


def test_an_address_whose_line_comes_before_the_block_resolves_as_before(path: Path) -> None:
    path.write_bytes(b"192.0.2.10 web\n" + BLOCK % b"192.0.2.10 dsm.example.com" + b"192.0.2.10 late\n")
    assert run(path, addresses=["192.0.2.10"])["warnings"] == []


def test_what_the_warning_advises_keeps_what_an_address_resolves_back_to(path: Path) -> None:
    path.write_bytes(b"192.0.2.10 web\n")
    (warning,) = run(path, addresses=["192.0.2.10"])["warnings"]
    assert "add the name to the end of that line, and set replace_conflicts" in warning
    wanted = b"192.0.2.10 web dsm.example.com\n"
    path.write_bytes(path.read_bytes().replace(b"192.0.2.10 web\n", wanted))
    check = run(path, check=True, replace=True, addresses=["192.0.2.10"])
    result = run(path, replace=True, addresses=["192.0.2.10"])
    assert check == result
    assert result["warnings"] == [] and result["changed"] and result["diff"]["after"].encode() == wanted
    assert path.read_bytes() == wanted
    assert not run(path, replace=True, addresses=["192.0.2.10"])["changed"]


@given(st.permutations([("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "2001:db8::3")]), st.booleans())
def test_the_order_of_runs_does_not_count(tmp_path_factory: t.Any, order: list[tuple[str, str]], replace: bool) -> None:
    path = tmp_path_factory.mktemp("order") / "hosts"
    path.write_bytes(OLD)
    for name, value in order:
        run(path, replace=replace, hostnames=[name], addresses=[value])
    assert path.read_bytes() == BLOCK % b"192.0.2.1 a\n192.0.2.2 b\n2001:db8::3 c" + OLD
    for name, _value in order[::-1]:
        run(path, replace=replace, state="absent", hostnames=[name])
    assert path.read_bytes() == OLD
