# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that unbound-checkconf is shown: the whole of it, with our file as it will be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._dns import patterns, unbound_configuration
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.unbound_configuration import (
    configuration_with,
    files_of,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("server:\n  verbosity: 1\n")
    (tmp_path / "conf.d" / "z.conf").write_text("server:\n  verbosity: 2\n")
    return tmp_path


def expanded(folder: Path, main: str, ours: str = "conf.d/ours.conf") -> str | None:
    path = folder / "unbound.conf"
    path.write_text(main.replace("$", str(folder)))
    whole = configuration_with(str(path), str(folder / ours), "OURS")
    return whole and whole.replace(str(folder), "$")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "directive",
    [
        'include-toplevel: "$/conf.d/*.conf"',
        "include: $/conf.d/*.conf # all",
        '\tinclude:"$/conf.d/*.conf"',
        "include: {$/conf.d/*.conf}",
        'include-toplevel: "$/conf.d/[a-z]*.conf"',
    ],
)
def test_a_pattern_that_finds_our_file_is_replaced_by_the_files(folder: Path, there: bool, directive: str) -> None:
    if there:
        (folder / "conf.d" / "ours.conf").write_text("old")
    lead, comment = directive.strip().partition(":")[0], " # all" * ("#" in directive)
    whole = expanded(folder, f"# main\n{directive}\nserver:\n")
    files = f'{lead}: "$/conf.d/a.conf"\nOURS\n{lead}: "$/conf.d/z.conf"\n'
    assert whole == f"# main\n{directive[: directive.index('inc')]}{files}{comment}\nserver:\n"


def test_other_includes_stay_as_they_are(folder: Path) -> None:
    main = 'include: "$/other/*.conf"\ninclude: "$/conf.d/ours.conf"\n  # include: "$/conf.d/ours.conf"\ninclude: rel'
    assert expanded(folder, main) == main.replace('include: "$/conf.d/ours.conf"\n', "OURS\n\n", 1)


def test_a_file_that_includes_ours_is_expanded_too(folder: Path) -> None:
    (folder / "conf.d" / "m.conf").write_text(f'include: "{folder}/deep/ours"\nserver:\n')
    whole = expanded(folder, 'include: "$/conf.d/*.conf"\n', ours="deep/ours")
    assert whole == 'include: "$/conf.d/a.conf"\nOURS\n\nserver:\n\ninclude: "$/conf.d/z.conf"\n\n'


def test_our_file_is_found_through_links(folder: Path) -> None:
    (folder / "link").symlink_to("conf.d")
    (folder / "conf.d" / "ours.conf").write_text("old")
    assert "OURS" in expanded(folder, 'include: "$/link/*.conf"\n')


@pytest.mark.parametrize(
    "main",
    [
        "",
        "server:\n",
        'include: "$/conf.d/a.conf"\n',
        'include: "$/conf.d/*.cnf"\n',
        'include: "$/*.conf.d"\n',
        '# include: "$/conf.d/*.conf"\n',
        'include: "$/*/deep/*.conf"\n',
        'include: "conf.d/ours.conf"\n',
        'include: "conf.d/ours.conf"\nserver:\n  directory: "$"\n',
        'include: "$/{nothing,conf.d}/ours*"\n',
        'include: "$/conf.d/{a,z}.conf"\n',
        'local-data: "include: $/conf.d/ours.conf"\n',
        'include: "$/conf.d/[!o]*.conf"\n',
        'include: ""\ninclude:',
    ],
)
def test_a_configuration_that_does_not_include_our_file(folder: Path, main: str) -> None:
    assert expanded(folder, main) is None


def test_all_files_but_ours_are_named(folder: Path) -> None:
    (folder / "conf.d" / "a.conf").write_text('include: "more.conf"\nserver:\n  directory: "/nowhere"\n')
    (folder / "more.conf").write_text("")
    path = folder / "unbound.conf"
    path.write_text(f'server:\n  directory: "{folder}"\ninclude: "conf.d/*.conf"\ninclude: "missing"\n')
    names = ["conf.d/a.conf", "conf.d/z.conf", "more.conf", "unbound.conf"]
    found = files_of(str(path), str(folder / "conf.d" / "ours.conf"))
    assert found == ["/nowhere/missing", *(str(folder / name) for name in names)]


def test_bytes_that_are_no_text_are_kept(folder: Path) -> None:
    path = folder / "unbound.conf"
    path.write_bytes(b"# \xff\ninclude: %s/conf.d/ours.conf\n" % bytes(folder))
    whole = configuration_with(str(path), str(folder / "conf.d" / "ours.conf"), "OURS")
    assert whole.encode("utf-8", "surrogateescape") == b"# \xff\nOURS\n\n"


def test_a_configuration_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(DnsError, match=r"cannot read .*/nothing: No such file") as caught:
        configuration_with(str(folder / "nothing"), "/ours", "OURS")
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize(
    "main",
    [
        'server:\n  directory: "$"\ninclude: "conf.d/*.conf"\n',
        "server: directory: $ include:\n  conf.d/ours.conf\n",
        "server:\n  directory: # where\n '$'\n  directory: conf.d\n  include: ours.conf",
        'server:\n  directory: "$/conf.d/deep"\n  directory: "../"\ninclude-toplevel: "./*.conf"\n',
        'include: "$/conf.d/folder.conf"\ninclude: ours.conf\n',
        'server:\n  directory: "$"\ninclude: "{conf.d/deep,conf.d}/{a,o{u,v}r}[!t].conf"\n',
        'include: "$/conf.d/{a,ours,z}.conf"\n',
        'include: "$/conf.?/[[:alpha:]]*[^0-9].conf"\n',
        'include: "$/conf.d/\\ours.{conf,}"\n',
        "server:\n  verbosity:1 include:$/conf.d/ours.conf",
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_our_file_is_found_as_unbound_finds_it(folder: Path, main: str, there: bool) -> None:
    (folder / "conf.d" / "deep").mkdir()
    (folder / "conf.d" / "folder.conf").write_text(f'server: directory: "{folder}/conf.d"')
    if there:
        (folder / "conf.d" / "ours.conf").write_text("old")
    whole = expanded(folder, main)
    assert whole is not None and whole.count("OURS\n") == 1


@pytest.mark.parametrize("there", [True, False])
def test_names_with_blanks_and_braces_in_their_order(folder: Path, there: bool) -> None:
    (folder / "of the site").mkdir()
    for name in ("b.conf", "c d.conf", "a[1].conf", *(["ours.conf"] if there else [])):
        (folder / "of the site" / name).write_text("")
    whole = expanded(folder, 'include: "$/of the site/{o,b,[ac]}*.conf"\n', ours="of the site/ours.conf")
    lead = 'include: "$/of the site/'
    assert whole == f'OURS\n{lead}b.conf"\n{lead}a\\[1].conf"\n{lead}c d.conf"\n\n'


def test_a_file_in_a_linked_folder_need_not_be_there(folder: Path) -> None:
    (folder / "link").symlink_to("conf.d")
    assert "OURS" in expanded(folder, 'include: "$/link/*.conf"\n')
    assert "OURS" in expanded(folder, 'include: "$/conf.d/*.conf"\n', ours="link/ours.conf")


@pytest.mark.parametrize(
    "pattern",
    ["{a,b}" * 30, "{" * 3000, "{a}" * 1300, "[" * 4000, "[" * 4000 + "\\]", "*a" * 2000, "x" * 5000 + "*"],
)
def test_no_pattern_takes_long(folder: Path, pattern: str) -> None:
    (folder / "conf.d" / ("a" * 250)).write_text("")
    try:
        assert expanded(folder, f'include: "$/conf.d/{pattern}"\n') is None
    except DnsError as error:
        assert "includes more than 10000 files" in str(error)


# -- includes without end


@pytest.mark.parametrize("lead", ["include", "include-toplevel"])
def test_files_that_include_themselves_are_named(folder: Path, lead: str) -> None:
    with pytest.raises(DnsError, match=r"includes .*unbound.conf in itself, without end"):
        expanded(folder, f'{lead}: "$/unbound.conf"\n')
    (folder / "conf.d" / "b.conf").write_text(f'{lead}: "{folder}/conf.d/*.conf"\n')
    with pytest.raises(DnsError, match=r"includes .*b.conf in itself, without end") as caught:
        expanded(folder, f'{lead}: "$/conf.d/*.conf"\n')
    assert caught.value.code == "unreadable"


def test_files_that_include_each_other_too_deep(folder: Path) -> None:
    for number in range(100):
        (folder / f"{number}").write_text(f'include: "{folder}/{number + 1}"\n')
    (folder / "100").write_text("")
    with pytest.raises(DnsError, match="is included more than 30 files deep"):
        expanded(folder, 'include: "$/0"\n')


@pytest.mark.parametrize("leads_to_ours", [True, False])
def test_doubling_at_each_step_ends(folder: Path, leads_to_ours: bool) -> None:
    for number in range(25):
        (folder / f"{number}").write_text(f'include: "{folder}/{number + 1}"\n' * 2)
    (folder / "25").write_text(f'include: "{folder}/conf.d/ours.conf"\n' if leads_to_ours else "server:\n")
    if leads_to_ours:
        with pytest.raises(DnsError, match="has more than 16777216 bytes"):
            expanded(folder, 'include: "$/0"\n')
    else:
        assert expanded(folder, 'include: "$/0"\n') is None


def test_files_that_are_included_from_ever_new_folders_come_to_an_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unbound_configuration, "_MOST_READS", 300)
    for number in range(25):
        include = f'include: "{folder}/{number + 1}"'
        (folder / f"{number}").write_text(f'directory: "a"\n{include}\ndirectory: "b"\n{include}\n')
    (folder / "25").write_text("")
    with pytest.raises(DnsError, match="the configuration of Unbound includes files more than 300 times") as caught:
        expanded(folder, 'include: "$/0"\n')
    assert caught.value.code == "unreadable"


def test_what_is_no_file_stays_included_and_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "conf.d" / "pipe.conf")
    (folder / "conf.d" / "zero.conf").symlink_to("/dev/zero")
    (folder / "conf.d" / "folder.conf").mkdir()
    whole = expanded(folder, 'include: "$/conf.d/*.conf"\n')
    assert whole.count("OURS") == 1
    assert all(f'include: "$/conf.d/{name}.conf"' in whole for name in ("pipe", "zero", "folder", "a", "z"))


def test_a_main_file_that_is_none(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in (folder / "pipe", Path("/dev/zero"), folder):
        with pytest.raises(DnsError, match="cannot read .*: It is a .*, not a regular file"):
            configuration_with(str(path), "/ours", "OURS")


def test_long_files_many_files_and_names_that_cannot_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_FILES", 2)
    (folder / "conf.d" / "m.conf").write_text("")
    with pytest.raises(DnsError, match=r"includes more than 2 files: '.*/\[amz\]\*'"):
        expanded(folder, 'include: "$/conf.d/[amz]*"\n')
    monkeypatch.setattr(patterns, "MOST_FILES", 10)
    (folder / "conf.d" / 'q"\n.conf').write_text("")
    with pytest.raises(DnsError, match=r"has a name that cannot be included by itself"):
        expanded(folder, 'include: "$/conf.d/*.conf"\n')
    (folder / "conf.d" / "a.conf").write_bytes(b"#" * 100)
    monkeypatch.setattr(unbound_configuration, "_LONGEST", 99)
    with pytest.raises(DnsError, match="It is longer than 99 bytes"):
        configuration_with(str(folder / "conf.d" / "a.conf"), "/ours", "OURS")


@settings(max_examples=200)
@given(
    content=st.lists(
        st.binary(max_size=30)
        | st.sampled_from([b"include: ", b"include-toplevel:", b'"', b"\n", b"\0", b"$", b"/*", b"[", b"\r", b"../"])
        | st.sampled_from([b"{", b",", b"}", b"\\", b"directory: ", b"'", b"#", b"]", b"[:alpha:]", b"!", b"-", b"~"])
    ).map(b"".join)
)
def test_no_configuration_ends_in_a_traceback(folder: Path, content: bytes) -> None:
    path = folder / "unbound.conf"
    path.write_bytes(content.replace(b"$", bytes(folder / "conf.d")))
    try:
        configuration_with(str(path), str(folder / "conf.d" / "ours.conf"), "OURS")
    except DnsError as error:
        assert str(error).isprintable()
