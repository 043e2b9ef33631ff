# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: computers
short_description: Computers of the manager as hosts
version_added: 1.0.0
description:
  - Makes a host of each computer that the manager knows, or of those that options choose, and groups them by policy,
    computer group, platform, agent release, status and communication direction.
  - The file that configures it is called C(workload_security.yml), C(computers.yml) or C(SOMETHING.computers.yml), with
    C(.yml) or C(.yaml).
  - Nothing that the manager names is ever a template, whatever it looks like.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
  - workload_security.agent.connection
  - workload_security.agent.targets
  - workload_security.agent.targets.policies
  - workload_security.agent.targets.computers_by_name
  - workload_security.agent.targets.computers
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices:
      - workload_security.agent.computers
  query:
    description:
      - Another name of O(computers_query).
    type: str
  group_by:
    description:
      - What to create groups for. With an empty list, there are none.
      - "V(policy): the policy, in a group below that of its parent policy, and so on up to the topmost one."
      - "V(computer_group): the manager's group of computers, by its path, below that of the group it is in."
      - "V(platform): V(linux), V(windows), V(macos), V(solaris), V(aix) or V(other)."
      - "V(release): the release of the agent, below its release line such as V(20). Computers without an agent are in
        C(none)."
      - "V(status): the status of the agent, in the manager's words, such as V(active) or V(error)."
      - "V(direction): the communication direction. It costs one more request for every 5,000 computers."
    type: list
    elements: str
    choices:
      - policy
      - computer_group
      - platform
      - release
      - status
      - direction
    default:
      - policy
      - computer_group
      - platform
      - release
      - status
  group_prefixes:
    description:
      - What the names of these groups begin with. Characters that names of groups cannot have become underscores.
    type: dict
    suboptions:
      policy:
        description:
          - For O(group_by=policy).
        type: str
        default: policy_
      computer_group:
        description:
          - For O(group_by=computer_group).
        type: str
        default: computer_group_
      platform:
        description:
          - For O(group_by=platform).
        type: str
        default: platform_
      release:
        description:
          - For O(group_by=release).
        type: str
        default: agent_
      status:
        description:
          - For O(group_by=status).
        type: str
        default: status_
      direction:
        description:
          - For O(group_by=direction).
        type: str
        default: direction_
notes:
  - O(policies), O(below), O(policies_matching) and O(policies_query) select the computers that use these policies.
    Without any option that selects, all computers become hosts.
  - A host is called by its host name. If that is empty, shared by several computers, has characters that have a meaning
    in Ansible, or would lead to the machine that Ansible runs on or to an address in an unusual spelling, its display
    name is used, or else C(computer_) and its ID. A warning counts these hosts. Their C(ansible_host) is the host name,
    if that is usable and no other host has it.
  - A host with the computer's host name from another inventory source is the same host. It gets the groups and
    variables of this plugin, but keeps its connection variables, which begin with C(ansible_), even if O(compose) sets
    them. A warning names such hosts. Other hosts of other sources do not change.
  - "Each host has the variables C(workload_security_id), C(workload_security_host_name),
    C(workload_security_display_name), C(workload_security_platform), C(workload_security_platform_family),
    C(workload_security_agent_version), C(workload_security_agent_release), C(workload_security_last_ip),
    C(workload_security_policy) and C(workload_security_policy_path). As far as O(group_by) names them, it also has
    C(workload_security_group_path), C(workload_security_status) and C(workload_security_status_messages), and
    C(workload_security_direction)."
  - C(workload_security_last_ip) is empty if it would not lead to the computer, such as C(127.0.0.1).
  - The options of the connection may be templates, for example with a lookup. Other options are never templates.
  - With O(cache=true), what was built is cached, and never the API key. Each set of options has a cache entry of its
    own, but keys do not count as options. So for several tenants of one manager, use a file of this inventory for each,
    or O(api_key_file) with another file for each.
seealso:
  - module: workload_security.agent.computer_info
"""

EXAMPLES = r"""
---
# workload_security.yml: all computers, with the API key in the environment.
plugin: workload_security.agent.computers
url: https://dsm.example.com:4119

---
# linux.computers.yml: Linux servers of one site, reached at the address that the manager has seen last.
plugin: workload_security.agent.computers
url: https://dsm.example.com:4119
api_key_file: ~/.workload_security_key
query: "[?platform_family == 'linux' && in_network(last_ip, '10.7.0.0/16')]"
group_by: [policy, platform]
compose:
  ansible_host: workload_security_last_ip

---
# outdated.computers.yml: computers of a branch of policies, grouped once more by whether their agent is old.
plugin: workload_security.agent.computers
region: us-1
below: [Linux Server]
groups:
  outdated: workload_security_agent_version is workload_security.agent.older_than_release('20.0 LTS Update 2024-01-17')
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/workload_security
"""

import hashlib
import json
import typing as t

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ..module_utils._answers.host_names import fallback, key_of
from ..module_utils._answers.inventory import (
    HOST_NAME,
    ID,
    INVENTORY_ARGUMENTS,
    MOST_NAMED,
    VARIABLES,
    HostsAsked,
    InventoryHost,
    read_hosts,
)
from ..module_utils._basis.refusal import LONGEST_WARNING
from ..module_utils._basis.text import enumerated, quoted, shown
from ..module_utils._fleet.nearest import suggestion
from ..module_utils._manager.connection import CONNECTION_ARGUMENTS
from ..module_utils._task.work import of_reading, result_of
from ..module_utils._task.worker import checked
from ..plugin_utils._manager_action import watched

if t.TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

    from ..module_utils._manager.progress import Progress

# The format of cached data. Data in another format is read again from the manager.
FORMAT = 2
ENDINGS = ("workload_security", "computers")

_ID = f"{VARIABLES}{ID}"
_HOST_NAME = f"{VARIABLES}{HOST_NAME}"

WORK = of_reading(
    INVENTORY_ARGUMENTS,
    lambda params, _deployment: HostsAsked.from_options(params),
    lambda client, asked: read_hosts(client, asked, _safe),
)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory for Ansible."""

    NAME = "workload_security.agent.computers"

    def verify_file(self, path: str) -> bool:
        """Whether a file's name is one for this plugin."""
        endings = tuple(f"{name}.{ending}" for name in ENDINGS for ending in ("yml", "yaml"))
        return super().verify_file(path) and path.endswith(endings)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Read the file, and the computers from the manager or from the cache."""
        super().parse(inventory, loader, path, cache)
        file = self._read_config_data(path)
        self._refuse_unknown(file)
        params = self._params(file)
        if not self.get_option("cache"):
            built = self._build(params)
        else:
            self.load_cache_plugin()
            key = f"{self.get_cache_key(path)}_{_digest(params)}"
            built = self._cached(key) if cache else None
            if built is None:
                built = self._build(params)
                built["hosts"] = list(built["hosts"])
                self._cache[key] = {**built, "format": FORMAT}
        self._populate(built)

    def _refuse_unknown(self, file: t.Iterable[str]) -> None:
        """Ansible takes any. Where the name of an option that selects is misspelt, all computers would be hosts."""
        for option in map(str, file):
            if option not in self._options:
                raise AnsibleParserError(
                    f"option {quoted(option)}: the inventory has no option of that name"
                    f"{suggestion(option, self._options)}"
                )

    def _params(self, file: t.Container[str]) -> dict[str, t.Any]:
        """The options, checked like a module's. Options of the connection may be templates.

        Environment variables come before defaults for options that the file does not have.
        """
        self.templar.available_variables = self._vars
        given = {}
        for option in filter(file.__contains__, WORK.arguments):
            value = self.get_option(option)
            if option in CONNECTION_ARGUMENTS:
                value = self.templar.template(value)
            if value is not None:
                given[option] = _plain(value)
        options = checked(WORK.arguments, given, "Unsupported parameters of the inventory: ")
        if options.refusal:
            raise AnsibleParserError(options.refusal["msg"])
        return options.params

    def _build(self, params: dict[str, t.Any]) -> dict[str, t.Any]:
        result = result_of(WORK, _Host(params, self.display.warning))
        if "msg" in result:
            raise AnsibleParserError(result["msg"])
        return {"groups": result["groups"], "hosts": result["hosts"]}

    def _cached(self, key: str) -> dict[str, t.Any] | None:
        """The cached data, None if there is none or if it has another format."""
        try:
            cached = self._cache[key]
        except KeyError:
            return None
        return cached if isinstance(cached, dict) and cached.get("format") == FORMAT else None

    def _populate(self, built: dict[str, t.Any]) -> None:
        inventory = self.inventory
        made = _Constructed(*(self.get_option(option) for option in _Constructed._fields))
        others = _Others(inventory, built["groups"], map(self._sanitize_group_name, made.groups or ()))
        for group in built["groups"]:
            inventory.add_group(group)
        for group, parent in built["groups"].items():
            if parent is not None:
                inventory.add_child(parent, group)
        renamed, kept = [], []
        added: dict[str, InventoryHost] = {}
        for one in built["hosts"]:
            host = InventoryHost(*one)
            name = others.name_for(host)
            if name != host.name:
                renamed.append(host.name)
            is_there = name in others.hosts
            self._add(host, name, is_there, made)
            if is_there and made.harmless != (made.compose or {}):
                kept.append(name)
            if made.keyed_groups and not is_there:
                added[name] = host
        # Only now, all keyed groups are known. A host with the name of a group would be taken for it.
        for name in added.keys() & inventory.groups.keys():
            inventory.remove_host(inventory.hosts[name])
            renamed.append(name)
            self._add(added[name], others.other_name_for(added[name]), False, made)
        self._tell(
            renamed, "computers go by computer_ and their ID, since other inventory sources or groups have their names"
        )
        self._tell(kept, "hosts keep the connection variables from other inventory sources, and not those from compose")

    def _add(self, host: InventoryHost, name: str, is_there: bool, made: _Constructed) -> None:
        """Add a host by this name. C(is_there): another source has it, whose variables about the connection stay."""
        inventory, strict = self.inventory, made.strict
        if name != host.name and host.name == host.variables[_HOST_NAME]:
            host.variables.setdefault("ansible_host", host.name)
        inventory.add_host(name)
        for group in host.groups:
            inventory.add_child(group, name)
        for variable, value in host.variables.items():
            if not (is_there and _is_of_connection(variable)):
                inventory.set_variable(name, variable, value)
        if made.compose:
            composed = made.harmless if is_there else made.compose
            self._set_composite_vars(composed, host.variables, name, strict=strict)
        if made.groups:
            self._add_host_to_composed_groups(made.groups, host.variables, name, strict=strict)
        if made.keyed_groups:
            self._add_host_to_keyed_groups(made.keyed_groups, host.variables, name, strict=strict)

    def _tell(self, names: list[str], what: str) -> None:
        if names:
            examples = enumerated([quoted(name, 60) for name in names], MOST_NAMED)
            self.display.warning(shown(f"{len(names)} {what}: {examples}", LONGEST_WARNING))


class _Constructed(t.NamedTuple):
    """The options of Ansible's constructed inventories."""

    compose: dict[str, t.Any] | None
    groups: dict[str, t.Any] | None
    keyed_groups: list[t.Any] | None
    strict: bool

    @property
    def harmless(self) -> dict[str, t.Any]:
        """The variables of compose that are not about the connection to a host."""
        return {variable: how for variable, how in (self.compose or {}).items() if not _is_of_connection(variable)}


class _Others:
    """What other sources have put into the inventory before this one is read. C(hosts): names of hosts.

    C(composed): names of the groups that the option C(groups) makes, even if no host is in them.
    """

    def __init__(self, inventory: InventoryData, own_groups: t.Container[str], composed: t.Iterable[str]) -> None:
        self._inventory = inventory
        self.hosts = frozenset(inventory.hosts)
        self._keys = frozenset(map(key_of, self.hosts))
        # A host with the name of a group would be confused with it.
        self._groups = frozenset((*composed, *(name for name in inventory.groups if name not in own_groups)))

    def name_for(self, host: InventoryHost) -> str:
        """A name that means this computer, and no group or host of another source."""
        return self.other_name_for(host) if self._is_anothers(host.name, host) else host.name

    def other_name_for(self, host: InventoryHost) -> str:
        """A name from the computer's ID."""
        return fallback(host.id, lambda name: name in self._inventory.groups or self._is_anothers(name, host))

    def _is_anothers(self, name: str, host: InventoryHost) -> bool:
        """Whether the name belongs to something else than this computer."""
        if name in self._groups:
            return True
        if name == host.variables[_HOST_NAME]:
            return False
        if name not in self.hosts:
            return key_of(name) in self._keys
        # Another file for this plugin may have added the same computer.
        there = self._inventory.hosts[name].vars
        return any(there.get(variable) != host.variables[variable] for variable in (_ID, _HOST_NAME))


class _Host:
    """The host of work that runs for an inventory source, which only reads."""

    environment = None
    check_mode = diff = no_log = False

    def __init__(self, params: dict[str, t.Any], warn: t.Callable[[str], None]) -> None:
        self.params = params
        self.no_log_values: set[str] = set()
        self.warn: t.Callable[[str], None] = lambda warning: warn(shown(warning, LONGEST_WARNING))

    def watched(self, progress: Progress, seconds: int) -> t.ContextManager[None]:
        """Show the progress until the end of the block."""
        return watched("computers", progress, seconds)


def _is_of_connection(variable: str) -> bool:
    return variable.startswith("ansible_")


def _safe(name: str) -> str:
    return str(to_safe_group_name(name, force=True, silent=True))


def _plain(value: t.Any) -> t.Any:
    """A value without the tags of ansible-core."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, type(None))):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def _digest(params: dict[str, t.Any]) -> str:
    """A short digest of options, without the secret ones."""
    kept = {name: value for name, value in params.items() if not WORK.arguments[name].get("no_log")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:12]
