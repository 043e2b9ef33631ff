# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on a port of this host, and who is connected to it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import listening
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.listening import (
    Listening,
    read_listening,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def test_what_this_machine_says() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        assert read_listening(port) == Listening(port, True, ["0.0.0.0"], [])
        with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.9", 0)):
            assert read_listening(port).peers == ["127.0.0.9"]
    assert read_listening(port).listens is False


def test_a_listener_on_the_loopback_alone_is_for_nobody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert read_listening(port) == Listening(port, False, ["127.0.0.1"], [])
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            assert read_listening(port) == Listening(port, False, ["127.0.0.1", "::1"], [])


def test_ipv6_and_ipv4_in_the_form_of_ipv6() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("::1", port)):
            found = read_listening(port)
    assert found.addresses == ["::"]
    assert sorted(found.peers or []) == ["127.0.0.1", "::1"]


def entry(address: str, port: int) -> str:
    """An address as the kernel of this machine writes it."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"


def test_tables_of_another_host(tmp_path: Path) -> None:
    rows = [
        ("0.0.0.0", 4118, "0.0.0.0", 0, "0A"),
        ("192.0.2.10", 4118, "192.0.2.11", 49153, "01"),
        ("192.0.2.10", 4118, "192.0.2.12", 49153, "06"),
        ("192.0.2.10", 4119, "192.0.2.13", 4118, "01"),
    ]
    table = tmp_path / "tcp"
    table.write_text(
        HEAD
        + "".join(
            f"   {number}: {entry(*row[:2])} {entry(*row[2:4])} {row[4]} 00000000:00000000 00:00000000 00000000  0  0\n"
            for number, row in enumerate(rows)
        )
    )
    found = read_listening(4118, (str(table), str(tmp_path / "none")))
    assert found == Listening(4118, True, ["0.0.0.0"], ["192.0.2.11", "192.0.2.12"])
    assert found.as_dict() == {
        "port": 4118,
        "listens": True,
        "addresses": ["0.0.0.0"],
        "connected_from": ["192.0.2.11", "192.0.2.12"],
    }


def test_without_tables_the_host_asks_itself_where_others_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = (str(tmp_path / "none"),)
    monkeypatch.setattr(listening, "_SOMEWHERE", ())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert read_listening(port, tables) == Listening(port, None, [], None), "it has no address for others"
        # The way to the loopback leads from the loopback, which is none for others.
        monkeypatch.setattr(listening, "_SOMEWHERE", ((socket.AF_INET, "127.0.0.1"),))
        assert read_listening(port, tables) == Listening(port, None, [], None)
        monkeypatch.setattr(listening, "_own_addresses", lambda: ["127.0.0.1"])
        assert read_listening(port, tables) == Listening(port, True, [], None)
    assert read_listening(port, tables) == Listening(port, False, [], None)


def test_half_of_the_tables_does_not_tell_who_is_connected(tmp_path: Path) -> None:
    (tmp_path / "tcp6").write_text(HEAD)
    (tmp_path / "tcp").mkdir()
    assert read_listening(4118, (str(tmp_path / "tcp"), str(tmp_path / "tcp6"))).peers is None


def test_half_of_the_tables_does_not_tell_that_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tcp6").write_text(HEAD)
    (tmp_path / "tcp").mkdir()
    monkeypatch.setattr(listening, "_own_addresses", lambda: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert read_listening(port, (str(tmp_path / "tcp"), str(tmp_path / "tcp6"))).listens is True


def test_a_table_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = f"   0: {entry('0.0.0.0', 4118)} {entry('0.0.0.0', 0)} 0A 00000000:00000000\n"
    for end in range(len(whole)):
        (tmp_path / "tcp").write_text(HEAD + whole + whole[:end])
        assert read_listening(4118, (str(tmp_path / "tcp"),)).listens is True
