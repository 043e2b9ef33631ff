# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names and ports are needed, by direction and deployment, and which options mean them."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.endpoints import (
    Asked,
    cloud_endpoints,
)
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.options import (
    ARGUMENTS,
    read_options,
    secrets_in,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.communication import DIRECTIONS

DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENTS.items()}


def endpoints(**options: t.Any) -> list[tuple]:
    """Name, port and whether it is required, of what the options mean."""
    return [(one.name, one.port, one.required) for one in asked(**options).endpoints]


def asked(**options: t.Any) -> Asked:
    """What the options mean, after Ansible has made a list of a manager."""
    given = {**DEFAULTS, "direction": "agent_initiated", **options}
    if isinstance(given["manager"], str):
        given["manager"] = [given["manager"]]
    return read_options(given)


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
        ("dsm.example.com:8443", "dsm.example.com", 8443),
        ("https://proxy.example.com/dsm/api", "proxy.example.com", 443),
    ],
)
def test_a_manager_by_address_and_by_url(manager: str, host: str, port: int) -> None:
    assert [one[:2] for one in endpoints(manager=manager, heartbeat_port=5120)] == [(host, 5120), (host, port)]


@pytest.mark.parametrize(
    "manager", ["dsm://dsm.example.com:4120/", "https://dsm.example.com:4120/", "DSM.example.com:4120"]
)
def test_what_agents_know_a_manager_by(manager: str) -> None:
    assert endpoints(manager=manager, heartbeat_port=5120) == [("dsm.example.com", 4120, True)]
    assert endpoints(manager="dsm://dsm.example.com:5120/") == [("dsm.example.com", 5120, True)]


def test_several_nodes_are_all_required() -> None:
    assert endpoints(manager=["dsm1", "dsm2", " dsm1 "]) == [
        ("dsm1", 4120, True),
        ("dsm1", 4119, False),
        ("dsm2", 4120, True),
        ("dsm2", 4119, False),
    ]
    assert [one.given for one in asked(manager=["dsm1", "https://dsm2:4119"]).managers] == ["dsm1", "https://dsm2:4119"]


def test_a_console_may_be_apart_from_what_waits_for_heartbeats() -> None:
    given = ["https://console.example.com:4119", "dsm://node1.example.com:4120/", "node2.example.com:4120"]
    assert endpoints(manager=given) == [
        ("console.example.com", 4119, False),
        ("node1.example.com", 4120, True),
        ("node2.example.com", 4120, True),
    ]


@pytest.mark.parametrize(
    "manager",
    [
        "https://agents-004.workload.jp-1.cloudone.trendmicro.com:443/",
        "https://workload.jp-1.cloudone.trendmicro.com/api",
        "dsm://agents.workload.jp-1.cloudone.trendmicro.com:443/",
        ["https://workload.jp-1.cloudone.trendmicro.com", "agents-001.workload.jp-1.cloudone.trendmicro.com"],
    ],
)
def test_a_name_of_the_cloud_stands_for_its_region(manager: t.Any) -> None:
    assert endpoints(manager=manager) == endpoints(region="jp-1")


def test_an_account_from_before_cloud_one_has_a_name_more() -> None:
    name = "agents.deepsecurity.trendmicro.com"
    assert endpoints(manager=f"https://{name}:443/") == [(name, 443, True), *endpoints(region="us-1")]


@pytest.mark.parametrize("host", ["de-1.cloudone.trendmicro.com", "a.b.workload.de-1.cloudone.trendmicro.com."])
def test_a_name_of_the_cloud_without_a_region_is_not_taken_for_one(host: str) -> None:
    for manager in (host, f"https://{host}"):
        with pytest.raises(OptionError) as caught:
            asked(manager=manager)
        assert repr(manager) in str(caught.value) and "does not say the region" in str(caught.value)
    # The name by which accounts from before Cloud One reach their manager.
    assert asked(manager="https://cloudone.trendmicro.com").managers[0].region == "us-1"


def test_updates_and_revocation_are_looked_at_when_asked() -> None:
    every = ["heartbeat", "updates", "revocation"]
    found = asked(region="jp-1", checks=every).endpoints
    assert found[:18] == asked(region="jp-1").endpoints
    by_check = {check: [one for one in found if one.check == check] for check in every}
    # The region's own relay is looked at anyway.
    assert by_check["updates"][0].name == "relay.workload.jp-1.cloudone.trendmicro.com"
    assert len(by_check["updates"]) == 15 and len(by_check["revocation"]) == 3
    names = [one.name for one in by_check["updates"]]
    assert "dsaas-en-f.trx.trendmicro.com" in names and "relay.deepsecurity.trendmicro.com" in names
    assert [one.name for one in by_check["updates"] if one.optional] == [
        "ipv6-iaus.trendmicro.com",
        "ipv6-iaus.activeupdate.trendmicro.com",
    ]
    assert {(one.name, one.port, one.tls) for one in by_check["revocation"]} == {
        (f"{name}.rootca1.amazontrust.com", 80, False) for name in ("crl", "ocsp", "crt")
    }
    assert not any(one.required for one in found[18:])
    alone = asked(region="jp-1", checks=["updates"])
    assert alone.endpoints == by_check["updates"] and alone.managers[0].region == "jp-1"
    assert endpoints(manager="dsm", relays=["relay1"], checks=["updates"]) == [("relay1", 4122, False)]
    both = asked(manager=["dsm", "https://workload.jp-1.cloudone.trendmicro.com"], relays=["relay1"], checks=every)
    assert {one.name for one in both.endpoints} > {"dsm", "relay1", "crl.rootca1.amazontrust.com"}


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
        ("manager", {"manager": "http://dsm:4119"}),
        ("manager", {"manager": "https://"}),
        ("manager", {"manager": "https://\u212aelvin.example.com"}),
        ("manager", {"manager": "https://dsm\t.example.com"}),
        ("manager", {"manager": "https://dsm:" + "9" * 5000}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 10**5000}),
        ("manager", {"manager": "\u212aelvin.example.com"}),
        ("manager", {"manager": "https://dsm:99999"}),
        ("manager", {"manager": "https://dsm:0"}),
        ("manager", {"manager": "https://[::1"}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 0}),
        ("heartbeat_port", {"manager": "dsm", "heartbeat_port": 65536}),
        ("manager", {"manager": []}),
        ("manager", {"manager": ["dsm1", ""]}),
        ("manager", {"manager": ["dsm1", "dsm2 dsm3"]}),
        ("manager", {"manager": "dsm:99999"}),
        ("manager", {"manager": "agents.workload.mars-1.cloudone.trendmicro.com"}),
        ("relays", {"manager": "agents.workload.jp-1.cloudone.trendmicro.com", "relays": ["relay1"]}),
        ("relays", {"manager": "dsm", "relays": ["relay.workload.jp-1.cloudone.trendmicro.com"]}),
        ("checks", {"manager": "dsm", "checks": []}),
        ("checks", {"manager": "dsm", "checks": ["updates"]}),
        ("checks", {"manager": "dsm", "checks": ["heartbeat", "revocation"]}),
        ("heartbeat_interval", {"manager": "dsm", "heartbeat_interval": 0}),
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
    # Nor among the options that Ansible shows with the result.
    assert secrets_in({"manager": ["dsm", "https://admin:hunter2@dsm"]}) >= {"admin:hunter2"}
    assert secrets_in({"manager": None}) == set()
