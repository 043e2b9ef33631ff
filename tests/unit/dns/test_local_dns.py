# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module local_dns as Ansible calls it: options in, a result or a failure out, each as JSON."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.workload_security.agent.plugins.module_utils._basis import files
from ansible_collections.workload_security.agent.plugins.modules.local_dns import main

OLD = "192.0.2.9 dsm.example.com\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_text(OLD)
    return file


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module warned of, which Ansible otherwise shows or returns, depending on what else was imported."""
    heard: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: heard.append(text))
    return heard


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    """Run the module with options, of which those with an underscore are Ansible's own."""

    def run(**options: t.Any) -> dict[str, t.Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            main()
        return json.loads(capfd.readouterr().out)

    return run


def test_a_name_is_put_into_the_file_and_taken_out(run, warnings: list[str], path: Path) -> None:
    wanted = {"hostnames": ["dsm.example.com"], "addresses": ["192.0.2.10"], "hosts_file": {"path": str(path)}}
    result = run(**wanted, _ansible_check_mode=True, _ansible_diff=True)
    assert path.read_text() == OLD
    assert result["changed"]
    assert result["diff"]["before"] == OLD
    assert result["diff"]["after"].endswith(OLD)
    assert result["records"] == [{"name": "dsm.example.com", "type": "A", "value": "192.0.2.10", "ttl": None}]
    assert len(warnings) == 1 and "says 192.0.2.9 for dsm.example.com" in warnings[0]
    result = run(**wanted)
    assert "diff" not in result
    assert path.read_text() == (
        "# BEGIN workload_security.agent.local_dns\n192.0.2.10 dsm.example.com\n"
        f"# END workload_security.agent.local_dns\n{OLD}"
    )
    assert run(state="absent", hostnames=["dsm.example.com"], hosts_file={"path": str(path)})["records"] == []
    assert path.read_text() == OLD


def test_a_failure_can_be_tested_for(run, path: Path) -> None:
    result = run(hostnames=["dsm example"], addresses=["192.0.2.10"], hosts_file={"path": str(path)})
    assert result["failed"]
    assert result["failure"] == {"code": "bad_option", "option": "hostnames", "message": result["msg"]}
    assert "'dsm example': it must be a host name" in result["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hosts_file": {}}, "one of the following is required: hostnames, region"),
        ({"hostnames": ["dsm"]}, "one of the following is required: hosts_file, rfc2136, unbound, dnsmasq"),
        ({"hostnames": ["dsm"], "hosts_file": {}, "unbound": {}}, "mutually exclusive"),
        ({"hostnames": ["dsm"], "hosts_file": {}, "addresses": ["192.0.2.1"], "cname": "a"}, "mutually exclusive"),
        ({"hostnames": ["dsm"], "hosts_file": {"server": "ns1"}}, "Unsupported parameters"),
        ({"hostnames": ["dsm"], "rfc2136": {}}, "missing required arguments: server found in rfc2136"),
    ],
)
def test_one_place_is_needed_and_whose_names(run, options: dict, words: str) -> None:
    result = run(**options)
    assert result["failed"]
    assert words in result["msg"]


@pytest.mark.parametrize("place", ["hosts_file", "rfc2136", "unbound", "dnsmasq"])
def test_a_place_that_is_null_is_refused_and_the_message_says_what_would_be_right(run, place: str) -> None:
    result = run(hostnames=["dsm"], addresses=["192.0.2.1"], **{place: None})
    assert (result["failure"]["code"], result["failure"]["option"]) == ("bad_option", place)
    assert result["msg"] == f"option '{place}': it is null: give its options, or {{}} for its defaults"


@pytest.mark.parametrize("place", ["unbound", "dnsmasq"])
def test_name_servers_are_asked_before_anything_else(run, place: str, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    result = run(hostnames=["dsm"], addresses=["192.0.2.1"], **{place: {"path": str(ours), "port": 1}})
    assert result["failure"]["code"] == "no_server"
    assert not ours.exists()


def test_comma_text_is_taken_as_people_write_it(run, warnings: list[str], path: Path) -> None:
    result = run(
        hostnames="a.example.com, b.example.com", addresses="192.0.2.10, 192.0.2.11", hosts_file={"path": str(path)}
    )
    assert {(record["name"], record["value"]) for record in result["records"]} == {
        (f"{name}.example.com", f"192.0.2.{last}") for name in "ab" for last in (10, 11)
    }
    assert warnings == []


def test_unsafe_writes_has_the_default_of_ansible_s_own_modules(
    run, warnings: list[str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "is_mount", lambda _path: True)
    wanted = {"hostnames": ["relay.example.com"], "addresses": ["192.0.2.10"], "_ansible_check_mode": True}
    refused = run(**wanted, hosts_file={"path": str(path)})
    assert (refused["failure"]["code"], refused["failure"]["option"]) == ("unwritable", "hosts_file.unsafe_writes")
    monkeypatch.setenv("ANSIBLE_UNSAFE_WRITES", "1")
    assert run(**wanted, hosts_file={"path": str(path)})["changed"]
    assert run(**wanted, hosts_file={"path": str(path), "unsafe_writes": False})["failed"]
