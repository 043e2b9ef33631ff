# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without the manager's name in the local DNS, agents that initiate are lost; every way of local_dns brings them back.

Read with dig and getent, never with the code that wrote; and with what the manager hears of the agents.
"""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from tests.end_to_end.play import play
from tests.end_to_end.site import MANAGER_NAME, Placed, Site
from tests.lab.nameserver import Bind, Dnsmasq, NameServer, Unbound
from tests.lab.waiting import until

MACHINES = 6
AGENTS = {"host05": "Bidirectional", "host06": "Agent/Appliance Initiated"}


@pytest.fixture(scope="module")
def agents(site: Site) -> t.Iterator[list[Placed]]:
    """An agent in each direction that needs the name; their hosts have lost it."""
    placed = [site.agent(host, policy=site.policy(way, direction=way)) for host, way in AGENTS.items()]
    site.wait_until_current(*placed)
    before = {one.host.name: one.host.read("/etc/resolv.conf") for one in placed}
    for one in placed:
        site.no_name_in_hosts_file(one.host)
    yield placed
    for one in placed:
        one.agent.stop()
        one.host.write("/etc/resolv.conf", before[one.host.name])


@contextlib.contextmanager
def asking(server: NameServer, agents: list[Placed]) -> t.Iterator[NameServer]:
    """The agents' hosts ask a name server, which runs for so long."""
    with server:
        for placed in agents:
            placed.host.use_resolvers(server.address)
        yield server


def resolved(placed: Placed) -> str:
    """What the host's own resolver finds for the manager's name."""
    found = placed.host.run(["getent", "ahostsv4", MANAGER_NAME], check=False)
    assert found.returncode in (0, 2), "2 means that there is no such name"
    return found.stdout.split()[0] if found.stdout else ""


def lost(site: Site, agents: list[Placed]) -> None:
    """See that agents do not find the manager, and that it misses them."""
    for placed in agents:
        assert resolved(placed) == ""
        until(lambda placed=placed: missed(site, placed), f"{placed.host.name} is not missed")


def missed(site: Site, placed: Placed) -> list[dict[str, t.Any]]:
    """The alerts of the manager that an agent is offline, as long as they stand."""
    alerts = site.manager.alerts(placed.computer_id)
    return [alert for alert in alerts if alert["kind"] == "offline" and alert["cleared"] is None]


def back(site: Site, agents: list[Placed]) -> None:
    """See that agents find the manager, and beat on their own."""
    for placed in agents:
        assert resolved(placed) == site.manager_host.address
        until(lambda placed=placed: not missed(site, placed), f"{placed.host.name} does not come back")
        assert site.manager.heartbeats(placed.computer_id)[-1]["by"] == "agent"


def answer(site: Site) -> dict[str, t.Any]:
    """What local_dns is to keep."""
    return {"hostnames": [MANAGER_NAME], "addresses": [site.manager_host.address]}


def keep(site: Site, hosts: t.Sequence[t.Any], **options: t.Any) -> None:
    """Run local_dns on hosts, which must succeed and change something."""
    for result in site.on_hosts(hosts, "local_dns", **answer(site), **options).values():
        assert result["changed"], result


def test_agents_that_initiate_find_the_manager_by_hosts_file(site, agents):
    with asking(Bind(site.machine("primary")), agents):
        lost(site, agents)
        keep(site, [placed.host for placed in agents], hosts_file={})
        back(site, agents)
        keep(site, [placed.host for placed in agents], hosts_file={}, state="absent")
        lost(site, agents)


def test_agents_that_initiate_find_the_manager_by_dynamic_update(site, agents, tmp_path):
    with asking(Bind(site.machine("primary")), agents) as server:
        lost(site, agents)
        key = server.key
        place = {
            "server": server.address,
            "key_name": key.name,
            "key_secret": key.secret,
            "key_algorithm": key.algorithm,
        }
        task = {"workload_security.agent.local_dns": {**answer(site), "rfc2136": place}}
        assert play(site.hosts, tmp_path, task).results[0]["changed"]
        assert server.answer(MANAGER_NAME) == [site.manager_host.address]
        back(site, agents)


@pytest.mark.parametrize("kind", [Unbound, Dnsmasq])
def test_agents_that_initiate_find_the_manager_by_the_site_s_resolver(site, agents, kind):
    place = kind.program
    with asking(kind(site.machine(place)), agents) as server:
        lost(site, agents)
        keep(site, [server.host], **{place: {}})
        assert server.answer(MANAGER_NAME) == [site.manager_host.address]
        back(site, agents)
        keep(site, [server.host], **{place: {}}, state="absent")
        lost(site, agents)
