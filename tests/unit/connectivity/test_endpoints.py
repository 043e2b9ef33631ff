# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names and ports are needed, by direction and deployment, and which options mean them."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.endpoints import cloud_endpoints
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.options import (
    ARGUMENTS,
    read_options,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.communication import DIRECTIONS

DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENTS.items()}


def endpoints(**options: t.Any) -> list[tuple]:
    """Name, port and whether it is required, of what the options mean."""
    found = read_options({**DEFAULTS, "direction": "agent_initiated", **options})
    return [(one.name, one.port, one.required) for one in found]


def test_an_agent_on_the_premises_needs_the_heartbeat_port() -> None:
    assert endpoints(manager="DSM.example.com.") == [("dsm.example.com", 4120, True), ("dsm.example.com", 4119, False)]
    assert endpoints(manager="dsm", direction="manager_initiated") == [("dsm", 4120, False), ("dsm", 4119, False)]
    assert endpoints(manager="dsm", direction="bidirectional")[0] == ("dsm", 4120, True)


@pytest.mark.parametrize(
    ("manager", "host", "port"),
    [
        ("https://dsm.example.com:8443/api", "dsm.example.com", 8443),
        ("https://dsm.example.com", "dsm.example.com", 443),
        ("https://[2001:db8::1]:4119/", "2001:db8::1", 4119),
        ("2001:DB8:0::1", "2001:db8::1", 4119),
        ("192.0.2.7", "192.0.2.7", 4119),
    ],
)
def test_a_manager_by_address_and_by_url(manager: str, host: str, port: int) -> None:
    assert [one[:2] for one in endpoints(manager=manager, heartbeat_port=5120)] == [(host, 5120), (host, port)]


def test_relays_serve_updates_only() -> None:
    assert endpoints(manager="dsm", relays=["relay1.example.com", "192.0.2.9"])[2:] == [
        ("relay1.example.com", 4122, False),
        ("192.0.2.9", 4122, False),
    ]


def test_a_region_needs_what_the_vendor_lists() -> None:
    found = {name: required for name, port, required in endpoints(region="jp-1") if port == 443}
    assert len(found) == len(endpoints(region="jp-1")) == 18
    domain = "workload.jp-1.cloudone.trendmicro.com"
    assert {name for name, required in found.items() if not required} == {
        f"{label}.{domain}" for label in ("relay", "xdr-resp-ioc", "gateway", "gateway-control")
    }
    assert found[f"agents.{domain}"] and found[f"agents-001.{domain}"] and found[f"agents-010.{domain}"]
    assert not any(required for _name, _port, required in endpoints(region="jp-1", direction="manager_initiated"))


def test_names_that_are_not_documented_for_a_region_are_tried_and_said_to_be_such() -> None:
    found = cloud_endpoints("trend-us-1", "agent_initiated")
    assert len(found) == len(cloud_endpoints("us-1", "agent_initiated"))
    undocumented = [one for one in found if not one.documented]
    assert [one.name.partition(".")[0] for one in undocumented] == [
        *("agent-comm", "xdr-resp-ioc", "gateway", "gateway-control")
    ]
    assert not any(one.required for one in undocumented)
    assert all("not documented for this region" in one.purpose for one in undocumented)
    assert all(one.documented for one in cloud_endpoints("us-1", "agent_initiated"))


def test_every_cloud_endpoint_says_what_it_is_for() -> None:
    purposes = {one.name.partition(".")[0]: one.purpose for one in cloud_endpoints("us-1", DIRECTIONS[0])}
    assert purposes["agents"] == "activation"
    assert "heartbeats" in purposes["agents-007"]
    assert "not said by the vendor" in purposes["dsmim"]


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("region", {"region": "mars-1"}),
        ("region", {"region": ""}),
        ("relays", {"region": "jp-1", "relays": ["relay1"]}),
        ("relays", {"manager": "dsm", "relays": ["relay1:4122"]}),
        ("manager", {"manager": ""}),
        ("manager", {"manager": "dsm example"}),
        ("manager", {"manager": "dsm:4119"}),
        ("manager", {"manager": "http://dsm:4119"}),
        ("manager", {"manager": "https://"}),
        ("manager", {"manager": "https://\u212aelvin.example.com"}),
        ("manager", {"manager": "https://dsm\t.example.com"}),
        ("manager", {"manager": " https://dsm.example.com"}),
        ("manager", {"manager": "https://dsm:" + "9" * 5000}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 10**5000}),
        ("manager", {"manager": "\u212aelvin.example.com"}),
        ("manager", {"manager": "https://dsm:99999"}),
        ("manager", {"manager": "https://dsm:0"}),
        ("manager", {"manager": "https://[::1"}),
        ("manager", {"manager": "https://workload.us-1.cloudone.trendmicro.com/api"}),
        ("manager", {"manager": "agents.deepsecurity.trendmicro.com"}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 0}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 65536}),
        ("timeout", {"manager": "dsm", "timeout": 0.9}),
        ("timeout", {"manager": "dsm", "timeout": 301}),
        ("timeout", {"manager": "dsm", "timeout": math.nan}),
    ],
)
def test_an_error_names_the_option(option: str, options: dict[str, t.Any]) -> None:
    with pytest.raises(OptionError) as raised:
        endpoints(**options)
    assert (raised.value.code, raised.value.option) == ("bad_option", option)
    assert str(raised.value).startswith(f"option '{option}'")


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(OptionError) as raised:
        endpoints(manager="https://admin:hunter2@dsm.example.com:4119")
    assert "hunter2" not in str(raised.value)
