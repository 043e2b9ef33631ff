# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that agents of each region need."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import host_name
from ansible_collections.workload_security.agent.plugins.module_utils._vendor import deployment
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.hostnames import (
    required_hostnames,
    undocumented_hostnames,
    update_hostnames,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import REGIONS

# As the vendor's pages list them.
IN_TREND_US_1 = """
workload.trend-us-1.cloudone.trendmicro.com
agents.workload.trend-us-1.cloudone.trendmicro.com
agents-001.workload.trend-us-1.cloudone.trendmicro.com
agents-002.workload.trend-us-1.cloudone.trendmicro.com
agents-003.workload.trend-us-1.cloudone.trendmicro.com
agents-004.workload.trend-us-1.cloudone.trendmicro.com
agents-005.workload.trend-us-1.cloudone.trendmicro.com
agents-006.workload.trend-us-1.cloudone.trendmicro.com
agents-007.workload.trend-us-1.cloudone.trendmicro.com
agents-008.workload.trend-us-1.cloudone.trendmicro.com
agents-009.workload.trend-us-1.cloudone.trendmicro.com
agents-010.workload.trend-us-1.cloudone.trendmicro.com
dsmim.workload.trend-us-1.cloudone.trendmicro.com
relay.workload.trend-us-1.cloudone.trendmicro.com
""".split()
ELSEWHERE = ["agent-comm", "xdr-resp-ioc", "gateway", "gateway-control"]
UPDATES = """
files iaus iaus.activeupdate ipv6-iaus ipv6-iaus.activeupdate dsaas1100-en-census ds200-en.fbs25 ds200-jp.fbs25
dsaas.icrc dsaas-en-f.trx dsaas-en-b.trx deepsecaas11-en.gfrbridge dsaas.url
""".split()
RELAY = "relay.deepsecurity.trendmicro.com"


def test_the_names_of_a_region() -> None:
    assert required_hostnames("trend-us-1") == IN_TREND_US_1
    in_germany = [name.replace("trend-us-1", "de-1") for name in IN_TREND_US_1]
    in_germany += [f"{name}.workload.de-1.cloudone.trendmicro.com" for name in ELSEWHERE]
    assert required_hostnames("de-1") == in_germany


def test_what_is_not_documented_for_a_region_is_told_apart_from_what_is() -> None:
    missing = [f"{name}.workload.trend-us-1.cloudone.trendmicro.com" for name in ELSEWHERE]
    assert undocumented_hostnames("trend-us-1") == missing
    for region in REGIONS:
        every = [
            name.replace(f".{region}.", ".R.") for name in required_hostnames(region) + undocumented_hostnames(region)
        ]
        assert every == [name.replace(".de-1.", ".R.") for name in required_hostnames("de-1")]
    with pytest.raises(OptionError, match="option 'region' is 'mars-1'"):
        undocumented_hostnames("mars-1")


def test_shared_names_come_behind_those_of_the_region() -> None:
    updates = [f"{name}.trendmicro.com" for name in UPDATES]
    assert required_hostnames("de-1", shared=True) == [*required_hostnames("de-1"), RELAY, *updates]
    assert update_hostnames("us-1") == [RELAY, *updates]
    assert required_hostnames("ae-1", shared=True) == [*required_hostnames("ae-1"), *updates]
    legacy = [f"{name}.deepsecurity.trendmicro.com" for name in ("app", "agents", "dsmim")]
    assert required_hostnames("us-1", shared=True) == [*required_hostnames("us-1"), RELAY, *updates, *legacy]


@pytest.mark.parametrize("region", REGIONS)
def test_names_are_host_names_and_none_comes_twice(region: str) -> None:
    names = required_hostnames(region, shared=True)
    assert [host_name(name, "region") for name in names] == names
    assert len(set(names)) == len(names)
    assert deployment.url_for_region(region) == f"https://{names[0]}/api"


def test_an_unknown_region_is_told_which_there_are() -> None:
    with pytest.raises(OptionError, match="option 'region' is 'mars-1': it must be one of ae-1, .*, us-1") as caught:
        required_hostnames("mars-1")
    assert caught.value.option == "region"
