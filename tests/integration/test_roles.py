# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong inside the variables of a role is found before anything runs, with its path, and shows no key."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.integration.support import ansible_playbook

KEY = "1:0123456789abcdef0123456789abcdef"
MANAGER = {"url": "https://localhost:1", "api_key": KEY}
PROFILE = {"name": "Web", "policies": ["Base Policy"], "heartbeat": {"interval": 7}}


def output_of(role: str, variables: dict[str, t.Any], folder: Path) -> str:
    """What a play of the role prints with C(-vvvvv); it must fail."""
    book = [
        {
            "name": "Test",
            "hosts": "localhost",
            "gather_facts": False,
            "roles": [{"role": f"workload_security.agent.{role}"}],
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(book))
    (folder / "variables.yml").write_text(json.dumps({**variables, "ansible_python_interpreter": sys.executable}))
    arguments = ("-i", "localhost,", "-c", "local", "-vvvvv", "-e", "@variables.yml", "play.yml")
    ran = ansible_playbook(*arguments, cwd=folder)
    assert ran.returncode, ran.stdout
    return ran.stdout


@pytest.mark.both_cores
@pytest.mark.parametrize(
    ("role", "variables", "told"),
    [
        (
            "cipher_report",
            {"cipher_report_directory": "x", "cipher_report_manager": {"timeout": "soon"}},
            "argument 'timeout' is of type str found in 'cipher_report_manager'",
        ),
        (
            "connectivity",
            {"connectivity_manager": {"jump_host": {"port": 22}}},
            "missing required arguments: host found in connectivity_manager -> jump_host",
        ),
        (
            "local_dns",
            {
                "local_dns_place": {"rfc2136": {"server": "192.0.2.53", "key_secret": KEY, "protocol": "tls"}},
                "local_dns_records": [{"hostnames": ["dsm.example.com"]}],
            },
            "value of protocol must be one of: udp, tcp, got: tls found in local_dns_place -> rfc2136",
        ),
    ],
)
def test_an_error_deep_inside_a_variable_names_its_path(tmp_path, role, variables, told):
    if role != "local_dns":
        manager = f"{role}_manager"
        variables = {**variables, manager: {**MANAGER, **variables.get(manager, {})}}
    output = output_of(role, variables, tmp_path)
    assert told in output, output
    assert "Validation of arguments failed" in output and KEY not in output and KEY.split(":")[1] not in output


HERE = {"connectivity_manager_host": "127.0.0.1", "connectivity_timeout": 1}


@pytest.mark.both_cores
@pytest.mark.parametrize(
    ("role", "variables", "told"),
    [
        ("cipher_report", {"cipher_report_directory": None}, "Set cipher_report_directory to the path of a folder"),
        ("cipher_report", {"cipher_report_directory": "x", "communication_manager": None}, "option 'url': "),
        *(
            (
                role,
                {**variables, "communication_profiles": [], "communication_manager": '{"url": "x"}'},
                f"{named} must",
            )
            for role, variables, named in (
                ("communication", {}, "communication_manager"),
                ("cipher_report", {"cipher_report_directory": "x"}, "cipher_report_manager"),
                ("communication_report", {"communication_report_directory": "x"}, "communication_report_manager"),
            )
        ),
        (
            "communication_report",
            {"communication_report_directory": None},
            "Set communication_report_directory to the path of a folder",
        ),
        (
            "communication_report",
            {"communication_report_directory": "x", "communication_report_manager": None},
            "option 'url': ",
        ),
        ("communication", {"communication_report_directory": None, "communication_profiles": [3]}, "'profiles[0]': "),
        ("connectivity", {"connectivity_manager_host": None, "connectivity_region": None}, "Set connectivity_region "),
        ("connectivity", {**HERE, "connectivity_manager": None}, "argument 'connectivity_manager' is of type NoneType"),
        (
            "connectivity",
            {**HERE, "connectivity_directory": None, "connectivity_fail_unless": "agent_initiated"},
            "agent_initiated: the answer is no or unknown for localhost",
        ),
        (
            "connectivity",
            {**HERE, "connectivity_source_ips": "192.0.2.7,192.0.2", "connectivity_manager_addresses": "192.0.2.8"},
            "option 'source_ips' is '192.0.2': ",
        ),
        ("connectivity", {**HERE, "connectivity_source_ips": [None]}, "option 'source_ips' is 'None': "),
        ("connectivity", {**HERE, "connectivity_manager_addresses": 10.7}, "option 'manager_addresses' is '10.7': "),
        ("connectivity", {**HERE, "connectivity_manager_host": 5, "connectivity_source_ips": [{}]}, "is '{}': "),
        (
            "local_dns",
            {"local_dns_place": {"hosts_file": None}, "local_dns_records": [{"hostnames": "dsm.example.com"}]},
            "option 'hosts_file': it is null",
        ),
    ],
)
def test_a_variable_that_is_null_or_text_fails_by_its_name_or_not_at_all(tmp_path, role, variables, told):
    output = output_of(role, variables, tmp_path)
    assert told in output, output


@pytest.mark.both_cores
@pytest.mark.parametrize(
    ("role", "variables", "told"),
    [
        (
            "communication",
            {"communication_profiles": [PROFILE, {"name": "Data", "heartbeat": {"intervall": 7}}]},
            "option 'profiles[Data]': heartbeat.intervall. Supported parameters include: accept_inherited, interval",
        ),
        (
            "communication",
            {"communication_profiles": [PROFILE, {**PROFILE, "name": "Data", "heartbeat": {"interval": "soon"}}]},
            "option 'profiles[Data].heartbeat.interval' is 'soon': it must be a whole number of minutes",
        ),
        (
            "communication",
            {"communication_profiles": [PROFILE, {**PROFILE, "communication_direction": {"direction": "both"}}]},
            "option 'profiles[Web]': value of direction must be one of: bidirectional, manager_initiated, "
            "agent_initiated, inherited, got: both found in communication_direction",
        ),
        ("communication", {"communication_profiles": [PROFILE, "Data"]}, "option 'profiles[1]': "),
        (
            "cipher_report",
            {"cipher_report_directory": "x", "cipher_report_requirements": [{"name": "Soon", "tls": "1.3"}]},
            "option 'requirements[Soon]': tls. Supported parameters include: ",
        ),
    ],
)
def test_an_error_inside_a_list_names_its_item(tmp_path, role, variables, told):
    """Which Ansible's own check of a role's variables does not: the module says it, before anything is sent."""
    output = output_of(role, {**variables, f"{role}_manager": MANAGER}, tmp_path)
    assert told in output, output
    assert KEY not in output and KEY.split(":")[1] not in output
