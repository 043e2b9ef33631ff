# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options: what they become, and which cannot be right."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._probe.offered import OFFERED
from ansible_collections.workload_security.agent.plugins.module_utils._probe.options import read_options
from ansible_collections.workload_security.agent.plugins.module_utils._probe.probe import Inquiry, Listener
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server

TARGET = {"host": "web1.example.com", "port": 4118, "agent_version": None, "server_name": None, "ssh": None}
SSH = {"host": "jump", "port": 22, "user": None, "private_key": None, "known_hosts": "/etc/hosts"}
DEFAULTS = {
    "targets": [TARGET],
    "versions": None,
    "suites": None,
    "timeout": 5.0,
    "target_timeout": 10.0,
    "concurrency": 100,
}


def read(**changes: object) -> tuple[list[Listener], Inquiry]:
    return read_options({**DEFAULTS, **changes})


def test_the_defaults() -> None:
    targets, inquiry = read()
    assert targets == [Listener("web1.example.com", 4118, None, "web1.example.com", None)]
    assert inquiry == Inquiry(("1.0", "1.1", "1.2", "1.3"), tuple(OFFERED), 5, 10, 100)


@pytest.mark.parametrize(
    ("host", "server_name", "sent"),
    [
        ("web1.example.com.", None, "web1.example.com"),
        ("192.0.2.7", None, None),
        ("2001:db8::7", None, None),
        ("fe80::1%eth0", None, None),
        ("192.0.2.7", "agent.example.com", "agent.example.com"),
    ],
)
def test_the_name_in_the_handshake(host: str, server_name: str | None, sent: str | None) -> None:
    (target,), _inquiry = read(targets=[{**TARGET, "host": host, "server_name": server_name}])
    assert (target.host, target.server_name) == (host, sent)


def test_ssh_reaches_its_own_loopback() -> None:
    (target,), _inquiry = read(targets=[{**TARGET, "host": None, "ssh": SSH}])
    assert target == Listener("127.0.0.1", 4118, None, None, Server("jump", 22, None, None, "/etc/hosts"))


def test_versions_and_suites_in_any_spelling() -> None:
    _targets, inquiry = read(
        versions=["TLS 1.2", "TLSv1", "1.2"],
        suites=["AES128-SHA", "0xC02F", "tls_rsa_with_aes_128_cbc_sha", "TLS_AES_128_GCM_SHA256", "C0,FF"],
    )
    assert inquiry.versions == ("1.0", "1.2")
    assert inquiry.suites == (0x002F, 0xC02F, 0x1301, 0xC0FF)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"versions": ["SSLv3"]}, "option 'versions' is 'SSLv3': it must be a version of TLS"),
        ({"versions": []}, "option 'versions' is '[]'"),
        ({"suites": ["TLS_NONSENSE"]}, "option 'suites' is 'TLS_NONSENSE': it must be the IANA name"),
        ({"suites": []}, "option 'suites' is '[]'"),
        (
            {"suites": ["0x1301"], "versions": ["1.1", "1.2"]},
            "option 'suites' is '['0x1301']': it must hold a cipher suite that exists in TLSv1.1, TLSv1.2",
        ),
        (
            {"suites": ["0xC030", "0x002F"], "versions": ["1.3"]},
            "option 'suites' is '['0xC030', '0x002F']': it must hold a cipher suite that exists in TLSv1.3",
        ),
        ({"timeout": 0}, "option 'timeout' is '0': it must be a number of seconds from 0.1 to 60"),
        ({"timeout": float("nan")}, "option 'timeout' is 'nan'"),
        ({"target_timeout": 601}, "option 'target_timeout' is '601'"),
        ({"concurrency": 257}, "option 'concurrency' is '257': it must be a number of targets from 1 to 256"),
        ({"targets": [TARGET, {**TARGET, "port": 0}]}, "option 'targets[1].port' is '0'"),
        ({"targets": [{**TARGET, "host": None}]}, "option 'targets[0].host': it must be the name or address of a host"),
        ({"targets": [{**TARGET, "host": ""}]}, "option 'targets[0].host' is ''"),
        ({"targets": [{**TARGET, "host": "a b"}]}, "option 'targets[0].host' is 'a b'"),
        ({"targets": [{**TARGET, "host": "x" * 254}]}, "option 'targets[0].host'"),
        ({"targets": [{**TARGET, "server_name": "é"}]}, "option 'targets[0].server_name' is 'é'"),
        ({"targets": [{**TARGET, "ssh": {**SSH, "host": "\n"}}]}, "option 'targets[0].ssh.host' is '\\n'"),
        ({"targets": [{**TARGET, "ssh": {**SSH, "port": 65536}}]}, "option 'targets[0].ssh.port' is '65536'"),
        (
            {"targets": [{**TARGET, "ssh": {**SSH, "known_hosts": "/none"}}]},
            "option 'targets[0].ssh.known_hosts' is '/none': it must be a readable file with the SSH server's host key",
        ),
    ],
)
def test_what_cannot_be_right(changes: dict, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(**changes)
    assert str(caught.value).startswith(words)
