# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the options and the files hold, a module ends with a result or a failure that can be tested for.

And whatever it shows, in messages, warnings, diffs and results, is one line that steers no terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.check import Checked
from ansible_collections.workload_security.agent.plugins.module_utils._dns.hosts_text import BEGIN, END
from ansible_collections.workload_security.agent.plugins.modules import local_dns, manager_connectivity_info

NAME = "dsm.example.com"
FUZZ = settings(max_examples=150)


@pytest.fixture(autouse=True)
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: heard.append(text))
    return heard


def run(main: t.Callable[[], None], **options: t.Any) -> dict[str, t.Any]:
    """The result of a module, through Ansible's own serializer."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), patch_module_args(options), pytest.raises(SystemExit):
        main()
    return json.loads(output.getvalue())


def texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def assert_safe(result: dict[str, t.Any], warned: t.Sequence[str] = ()) -> None:
    """A diff is the one text of several lines, and holds lines of files with their tabs, as C(conflicts) does.

    What ansible-core itself refuses, it says in its own way.
    """
    if result.get("failed") and "failure" not in result:
        return
    own = {name: value for name, value in result.items() if name not in ("invocation", "diff", "conflicts")}
    diff = result.get("diff", {})
    lines = [line.replace("\t", "") for part in diff.values() for line in part.split("\n")]
    lines += [text.replace("\t", "") for text in texts(result.get("conflicts", []))]
    for text in [*texts(own), *warned, *lines]:
        assert text.isprintable(), text
        text.encode("utf-8")
    assert len(result.get("msg", "")) < 5000


# Lone surrogates do not come as far as a module: ansible-core refuses them.
TEXT = st.text(max_size=20) | st.sampled_from(
    [
        NAME,
        "192.0.2.1",
        "2001:db8::1",
        "trend-us-1",
        "us-1",
        "\u212aelvin",
        "\u0661.2.3.4",
        "255.255.255.255",
        "",
        " ",
        ".",
        "\0",
    ]
    + ["x" * 300, "\x1b[31m\n", "1e400", "9" * 300, "https://a:9", "https://[", "a" * 64 + ".b", "fe80::1%a"]
)


def is_finite(value: t.Any) -> bool:
    """Of whole numbers with more than 4,300 digits, and of infinite ones, ansible-core itself ends in a traceback."""
    try:
        return not math.isinf(float(value))
    except (ValueError, OverflowError):
        return not str(value)[:1].isdigit() or len(str(value)) < 4300


NUMBER = (st.integers() | st.sampled_from(["9" * 300, "-1", "0", "1e3", "nan", "\u0663"]) | st.floats() | TEXT).filter(
    is_finite
)
TEXTS = st.none() | st.lists(TEXT, max_size=3) | TEXT


@FUZZ
@given(
    options=st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from(["present", "absent"]),
            "hostnames": TEXTS,
            "region": st.none() | TEXT,
            "addresses": TEXTS,
            "cname": st.none() | TEXT,
            "ttl": NUMBER,
        },
    ),
    place=st.sampled_from(["hosts_file", "unbound", "dnsmasq", "rfc2136"]),
    path=TEXT,
    port=NUMBER,
)
@example(
    options={"hostnames": [NAME], "addresses": ["192.0.2.1"], "ttl": "9" * 300},
    place="unbound",
    path="a",
    port="9" * 300,
)
def test_any_options_of_local_dns(
    tmp_path: Path, warnings: list[str], options: dict, place: str, path: str, port: t.Any
) -> None:
    where = f"{tmp_path}/{path}"
    suboptions: dict[str, t.Any] = {
        "hosts_file": {"path": where},
        # No server is there: at port 1 of the loopback, and at no name that anybody has.
        "unbound": {"path": where, "configuration": where, "address": path, "port": port},
        "dnsmasq": {"path": where, "pid_file": where, "address": path, "port": port},
        "rfc2136": {
            "server": "name.invalid",
            "zone": path,
            "port": port,
            "key_name": path,
            "key_secret": path,
            "timeout": 0.1,
        },
    }[place]
    if place in ("unbound", "dnsmasq"):
        # Neither the machine's own server is asked, nor one elsewhere.
        suboptions["address"] = path if path.startswith("\0") else "127.0.0.1"
        suboptions["port"] = port if not isinstance(port, (int, float)) or not 1 < port < 65536 else 1
    result = run(local_dns.main, _ansible_check_mode=True, _ansible_diff=True, **options, **{place: suboptions})
    assert_safe({**result, "invocation": None}, warnings)
    assert not result.get("failed") or result["msg"]
    warnings.clear()


@FUZZ
@given(
    lines=st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                BEGIN,
                END,
                b"192.0.2.9 dsm.example.com",
                b"192.0.2.9\tdsm.example.com # \xff\x1b[31m\r",
                b"\xe2\x80\xae",
                b"%",
            ]
            + [
                b"fe80::1%\x1b[31m dsm.example.com",
                b"192.0.2.9 \xa0 dsm.example.com",
                b"\xd9\xa3.2.3.4 dsm.example.com",
            ]
        ),
        max_size=6,
    ),
    end=st.sampled_from([b"\n", b"\r\n", b" "]),
    replace=st.booleans(),
    check=st.booleans(),
)
def test_any_hosts_file(
    tmp_path: Path, warnings: list[str], lines: list[bytes], end: bytes, replace: bool, check: bool
) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(end.join(lines))
    result = run(
        local_dns.main,
        hostnames=[NAME],
        addresses=["192.0.2.1"],
        hosts_file={"path": str(path), "replace_conflicts": replace, "unsafe_writes": replace},
        _ansible_check_mode=check,
        _ansible_diff=True,
    )
    assert_safe(result, warnings)
    assert not result.get("failed") or result["failure"]["code"] == "broken_block"
    warnings.clear()


def test_a_tab_in_a_hosts_file_is_a_tab_and_in_a_message_can_be_seen(tmp_path: Path, warnings: list[str]) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"192.0.2.9\tdsm.example.com\t# \xff\n")
    options = {"hostnames": [NAME], "addresses": ["192.0.2.1"], "hosts_file": {"path": str(path)}}
    result = run(local_dns.main, **options, _ansible_diff=True, _ansible_check_mode=True)
    shown = "192.0.2.9\tdsm.example.com\t# \\xff"
    assert result["conflicts"][0]["text"] == shown and result["diff"]["before"] == f"{shown}\n"
    assert "'192.0.2.9\\tdsm.example.com\\t# \\xff'" in warnings[0]


@FUZZ
@given(
    options=st.fixed_dictionaries(
        {"direction": st.sampled_from(["bidirectional", "manager_initiated", "agent_initiated"]) | TEXT},
        optional={
            "region": TEXT,
            "manager": TEXT | TEXTS,
            "heartbeat_port": NUMBER,
            "heartbeat_interval": NUMBER,
            "checks": TEXTS | st.lists(st.sampled_from(["heartbeat", "updates", "revocation"])),
            "relays": TEXTS,
            "timeout": NUMBER | st.floats(),
        },
    )
)
@example(options={"direction": "bidirectional", "manager": "dsm", "heartbeat_port": "9" * 300})
@example(options={"direction": "bidirectional", "manager": "https://\u212aelvin\n.example.com"})
def test_any_options_of_manager_connectivity_info(monkeypatch: pytest.MonkeyPatch, options: dict) -> None:
    # What is tried is another matter, and needs a network.
    nothing = Checked([], [], {}, {}, {}, {}, [], True, 0.0)
    monkeypatch.setattr(manager_connectivity_info, "check", lambda *_arguments: nothing)
    result = run(manager_connectivity_info.main, **options)
    assert_safe(result)
    assert not result.get("failed") or result["msg"]
