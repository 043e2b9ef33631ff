# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that unbound-checkconf is shown: the whole of it, with our file as it will be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.unbound_configuration import (
    configuration_with,
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
        "\tinclude:'$/conf.d/*.conf'",
        'include-toplevel: "$/conf.d/[a-z]*.conf"',
    ],
)
def test_a_pattern_that_finds_our_file_is_replaced_by_the_files(folder: Path, there: bool, directive: str) -> None:
    if there:
        (folder / "conf.d" / "ours.conf").write_text("old")
    lead = directive[: directive.index("$")].rstrip("\"'")
    whole = expanded(folder, f"# main\n{directive}\nserver:\n")
    assert whole == f'# main\n{lead}"$/conf.d/a.conf"\nOURS\n{lead}"$/conf.d/z.conf"\nserver:\n'


def test_other_includes_stay_as_they_are(folder: Path) -> None:
    main = 'include: "$/other/*.conf"\ninclude: "$/conf.d/ours.conf"\n  # include: "$/conf.d/ours.conf"\ninclude: rel'
    assert expanded(folder, main) == main.replace('include: "$/conf.d/ours.conf"\n', "OURS\n", 1)


def test_a_file_that_includes_ours_is_expanded_too(folder: Path) -> None:
    (folder / "conf.d" / "m.conf").write_text(f'include: "{folder}/deep/ours"\nserver:\n')
    whole = expanded(folder, 'include: "$/conf.d/*.conf"\n', ours="deep/ours")
    assert whole == 'include: "$/conf.d/a.conf"\nOURS\nserver:\n\ninclude: "$/conf.d/z.conf"\n'


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
    ],
)
def test_a_configuration_that_does_not_include_our_file(folder: Path, main: str) -> None:
    assert expanded(folder, main) is None


def test_bytes_that_are_no_text_are_kept(folder: Path) -> None:
    path = folder / "unbound.conf"
    path.write_bytes(b"# \xff\ninclude: %s/conf.d/ours.conf\n" % bytes(folder))
    whole = configuration_with(str(path), str(folder / "conf.d" / "ours.conf"), "OURS")
    assert whole.encode("utf-8", "surrogateescape") == b"# \xff\nOURS\n"


def test_a_configuration_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(DnsError, match=r"cannot read .*/nothing: No such file") as caught:
        configuration_with(str(folder / "nothing"), "/ours", "OURS")
    assert caught.value.code == "unreadable"
