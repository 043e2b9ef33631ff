# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet made from a seed: the same seed and sizes give the same policies, rules and computers, to the last ID."""

from __future__ import annotations

import functools
import itertools
import random
import typing as t

from tests.lab.manager import settings
from tests.lab.manager.predefined import IP_LISTS, MAC_LISTS, PORT_LISTS, RULES
from tests.lab.manager.rule_fields import complete
from tests.lab.manager.state import Computer, Policy, State

# All dates are before this one, 2025-11-01 in milliseconds since 1970. They do not depend on when the lab runs.
_NEWEST = 1_761_955_200_000
_DAY = 86_400_000

_SITES = ("ams2", "fra1", "iad3", "lhr1", "nrt1", "sin2", "syd1")
_SITE_NAMES = ("Amsterdam", "Frankfurt", "Ashburn", "London", "Tokyo", "Singapore", "Sydney")
_ROLES = (
    "web",
    "app",
    "db",
    "cache",
    "mail",
    "dns",
    "proxy",
    "batch",
    "mon",
    "backup",
    "ci",
    "bastion",
    "files",
    "k8s",
)
_POLICY_ROLES = (
    *("Web", "Application", "Database", "Cache", "Mail", "DNS", "Proxy", "Batch", "Monitoring", "Backup"),
    *("Build", "Bastion", "File Server", "Container Host", "Directory", "Print", "Payment", "Reporting"),
)

# Family of agents, share of computers, branch of the policy tree, platforms in the manager's words.
_FAMILIES: tuple[tuple[str, float, str, tuple[str, ...]], ...] = (
    (
        "linux",
        0.55,
        "Linux Server",
        (
            "Red Hat Enterprise 7 (64 bit) (3.10.0-1160.el7.x86_64)",
            "Red Hat Enterprise 8 (64 bit) (4.18.0-477.el8.x86_64)",
            "Red Hat Enterprise 9 (64 bit) (5.14.0-427.el9.x86_64)",
            "Ubuntu Linux 20 (64 bit) (5.4.0-187-generic)",
            "Ubuntu Linux 22 (64 bit) (5.15.0-113-generic)",
            "Ubuntu Linux 24 (64 bit) (6.8.0-45-generic)",
            "Amazon Linux 2 (64 bit) (4.14.348-265.565.amzn2.x86_64)",
            "SUSE Linux Enterprise Server 15 (64 bit) (5.14.21-150500.55.68-default)",
        ),
    ),
    (
        "windows",
        0.33,
        "Windows Server",
        (
            "Microsoft Windows Server 2012 R2 (64 bit)  Build 9600",
            "Microsoft Windows Server 2016 (64 bit)  Build 14393",
            "Microsoft Windows Server 2019 (64 bit)  Build 17763",
            "Microsoft Windows Server 2022 (64 bit)  Build 20348",
        ),
    ),
    ("macos", 0.05, "macOS", ("macOS 12 (64 bit)", "macOS 13 (64 bit)", "macOS 14 (64 bit)")),
    ("unix", 0.04, "Solaris Server", ("Solaris 10 Updates 4-6 (SPARC)", "Solaris 11 (64 bit)", "Solaris 11 (SPARC)")),
    ("unix", 0.03, "AIX Server", ("AIX 6.1", "AIX 7.1", "AIX 7.2", "AIX 7.3")),
)
MACOS_BRANCH = "macOS"
# The predefined rules with which each manager starts. Making them takes a third of the time for a small fleet.
_COMPLETE: dict[int, dict[str, t.Any]] = {}


def _families_of(platform: str) -> tuple[str, ...]:
    """The families that an agent build of the release table runs on."""
    if platform.startswith("macOS"):
        return ("macos",)
    if platform in ("", "all"):
        return ("linux", "windows", "unix")
    families = []
    if "Windows" in platform:
        families.append("windows")
    if any(word in platform for word in ("Linux", "RedHat", "amzn", "Ubuntu", "rpm")):
        families.append("linux")
    if "Unix" in platform:
        families.append("unix")
    return tuple(families)


@functools.lru_cache(maxsize=None)
def agent_versions() -> t.Mapping[str, t.Sequence[str]]:
    """Agent versions by family, oldest first."""
    versions: dict[str, list[str]] = {"linux": [], "windows": [], "macos": [], "unix": []}
    for row in settings.read_table("agent_releases.tsv"):
        for family in _families_of(row["platform_if_specific"]):
            versions[family].append(row["agent_version_numeric"])
    for builds in versions.values():
        builds.sort(key=lambda version: tuple(map(int, version.split("."))))
    return versions


def make_fleet(
    deployment: str, *, computers: int = 1000, policies: int = 40, seed: int = 1, shared_host_names: int = 0
) -> State:
    """A manager's objects.

    C(shared_host_names): how many computers have the host name of another one.
    Raises C(ValueError) for sizes with which no fleet can be made.
    """
    if computers < 0 or policies < 1 or not 0 <= shared_host_names <= computers // 2:
        raise ValueError("a fleet needs a policy, and at most half of its computers can share host names")
    state = State(deployment)
    rng = random.Random(f"{seed}/{policies}/{computers}")
    _add_lists_and_rules(state)
    branches = _add_policies(state, rng, policies)
    groups = _add_groups(state, rng)
    _add_computers(state, rng, computers, branches, groups)
    for index in range(shared_host_names):
        state.computers.items[state.computers.ids[2 * index + 1]].host_name = state.computers.items[
            state.computers.ids[2 * index]
        ].host_name
    return state


def _add_lists_and_rules(state: State) -> None:
    for table, lists in (
        (state.ip_lists, IP_LISTS),
        (state.mac_lists, MAC_LISTS),
        (state.port_lists, PORT_LISTS),
    ):
        for number, name, items in lists:
            table.add(number, {"name": name, "description": "", "items": list(items), "ID": number})
    if not _COMPLETE:
        _COMPLETE.update((number, complete({}, written, state) | {"ID": number}) for number, written in RULES)
    for number, rule in _COMPLETE.items():
        state.rules.add(number, {key: [*value] if isinstance(value, list) else value for key, value in rule.items()})


def _next_id(rng: random.Random, previous: int) -> int:
    """IDs have gaps: objects were deleted over the years."""
    return previous + (1 if rng.random() < 0.8 else rng.randint(2, 7))


def _policy_names(branch: str) -> t.Iterator[str]:
    for round_number in itertools.count(1):
        for role in _POLICY_ROLES:
            yield f"{branch} > {role}" if round_number == 1 else f"{branch} > {role} {round_number}"


def _add_policies(state: State, rng: random.Random, count: int) -> dict[str, list[int]]:
    """A base policy, one branch for each family, and leaves. Returns the IDs of each branch and its leaves."""
    add = state.policies.add
    base = add(1, Policy(1, "Base Policy", description="Settings for all computers", firewall_state="off"))
    branches: dict[str, list[int]] = {}
    for _family, _share, branch, _platforms in _FAMILIES[: count - 1]:
        number = _next_id(rng, state.policies.next_id - 1)
        policy = add(number, Policy(number, branch, base.id, f"{branch}: settings for every one of them"))
        policy.firewall_state = "off" if branch == "AIX Server" else "on"
        policy.settings = {"firewallSettingEngineOptionLogEventsPerSecondMax": "200"}
        policy.rule_ids = tuple(sorted(rng.sample(state.rules.ids, 4)))
        if branch == MACOS_BRANCH:
            policy.settings[settings.DIRECTION] = settings.AGENT_INITIATED
        branches[branch] = [number]
    _add_leaves(state, rng, count - len(state.policies), branches)
    return branches or {_FAMILIES[0][2]: [base.id]}


def _add_leaves(state: State, rng: random.Random, count: int, branches: dict[str, list[int]]) -> None:
    # Linux and Windows get most of the leaves, because they have most of the computers.
    order = ("Linux Server", "Windows Server", "Linux Server", MACOS_BRANCH, "Windows Server", "Solaris Server")
    order += ("Linux Server", "Windows Server", "Linux Server", "AIX Server")
    names = {branch: _policy_names(branch) for branch in branches}
    for branch in itertools.islice(itertools.cycle(order), count):
        number = _next_id(rng, state.policies.next_id - 1)
        leaf = state.policies.add(number, Policy(number, next(names[branch]), branches[branch][0]))
        leaf.settings = _leaf_settings(rng, branch)
        if rng.random() < 0.1:
            leaf.firewall_state = rng.choice(("on", "off"))
        if rng.random() < 0.6:
            leaf.rule_ids = tuple(sorted(rng.sample(state.rules.ids, rng.randint(1, 6))))
        branches[branch].append(number)


def _leaf_settings(rng: random.Random, branch: str) -> dict[str, str]:
    own: dict[str, str] = {}
    if rng.random() < 0.25:
        own[settings.HEARTBEAT_INTERVAL] = settings.minutes(rng.choice((1, 5, 15, 20, 30, 60)))
    if rng.random() < 0.15:
        own[settings.HEARTBEAT_MISSED] = rng.choice(("3", "5", settings.UNLIMITED))
    if rng.random() < 0.1:
        own[settings.OFFLINE_ERRORS] = "true"
    if rng.random() < 0.1:
        own[settings.CLOCK_CHANGE] = settings.minutes(rng.choice((10, 30)))
    if branch != MACOS_BRANCH and rng.random() < 0.15:
        own[settings.DIRECTION] = rng.choice(
            (settings.BIDIRECTIONAL, settings.MANAGER_INITIATED, settings.AGENT_INITIATED)
        )
    return own


def _add_groups(state: State, rng: random.Random) -> list[list[int]]:
    """Sites, and roles below each of them. Returns the IDs of each site's roles."""
    groups: list[list[int]] = []

    def add(name: str, parent: int) -> int:
        number = _next_id(rng, state.groups.next_id - 1)
        group: dict[str, t.Any] = {"type": "folder", "name": name, "description": "", "ID": number}
        if parent:
            group["parentGroupID"] = parent
        state.groups.add(number, group)
        return number

    for site in _SITE_NAMES:
        site_id = add(site, 0)
        groups.append([add(role, site_id) for role in ("Front end", "Back end", "Operations")])
    return groups


def _add_computers(
    state: State, rng: random.Random, count: int, branches: dict[str, list[int]], groups: list[list[int]]
) -> None:
    versions = agent_versions()
    fallback = [state.policies.ids[0]]
    families = [
        (platforms, versions[family], branches.get(branch, fallback), branch)
        for family, _share, branch, platforms in _FAMILIES
    ]
    shares = list(itertools.accumulate(share for _family, share, _branch, _platforms in _FAMILIES))
    chosen = rng.choices(families, cum_weights=shares, k=count)
    rand = rng.random
    number = 0
    for index in range(count):
        platforms, builds, policy_ids, branch = chosen[index]
        number += 1 if rand() < 0.8 else 2 + int(rand() * 6)
        site = int(rand() * len(_SITES))
        role = int(rand() * len(_ROLES))
        host_name = f"{_SITES[site]}-{_ROLES[role]}-{index + 1:04d}"
        drawn = rand()
        if branch == "Windows Server":
            host_name = host_name.replace("-", "").upper()
        elif drawn < 0.25:
            host_name += ".corp.example.com"
        computer = Computer(number, host_name)
        if drawn < 0.5:
            computer.display_name = host_name
        elif drawn < 0.7:
            computer.display_name = f"{_ROLES[role]} {index + 1} ({_SITE_NAMES[site]})"
        computer.group_id = groups[site][role % 3]
        digits = f"{rng.getrandbits(128):032x}"
        computer.host_guid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        if rand() >= 0.01 or branch == MACOS_BRANCH:
            computer.policy_id = policy_ids[int(rand() * len(policy_ids))]
        if rand() >= 0.005:
            computer.last_ip_used = f"10.{site}.{index // 250 % 250}.{index % 250 + 1}"
            computer.platform = platforms[int(rand() * len(platforms))]
            # Most agents are recent.
            computer.agent_version = builds[int(max(rand(), rand()) * len(builds))]
            computer.agent_finger_print = rng.randbytes(20).hex(":").upper()
            computer.last_agent_communication = _NEWEST - int(rand() * _DAY)
            # Some agents have never been sent a policy.
            if number % 50:
                computer.last_send_policy_success = computer.last_agent_communication - number % 1000 * 60_000
                computer.last_send_policy_request = computer.last_send_policy_success - 900
        if rand() < 0.02:
            computer.settings = _computer_settings(rng, branch)
        if rand() < 0.02:
            computer.rule_ids = tuple(sorted(rng.sample(state.rules.ids, rng.randint(1, 3))))
        state.computers.add(number, computer)


def _computer_settings(rng: random.Random, branch: str) -> dict[str, str]:
    own = _leaf_settings(rng, branch)
    return own or {settings.HEARTBEAT_INTERVAL: settings.minutes(rng.choice((5, 15, 30)))}
