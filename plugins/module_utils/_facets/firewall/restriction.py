# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A firewall restriction as it is declared: who may connect to the agents' port, and by which rule."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._basis.addresses import Span, ip_span, ip_text, mac, uncovered
from ..._basis.text import enumerated
from ..._fleet.catalogue import AGENT_PORT
from ..._manager.client import IP_LIST, MAC_LIST, Kind
from ..._vendor.deployment import REGIONS
from ..facet import Scope

DEFAULT_RULE_NAME = "Agent port: named sources only"
ACTIONS = {"bypass": "bypass", "force_allow": "force-allow"}


@dataclass(frozen=True)
class Restriction:
    """A wish: the rule by its name, and with C(present) who is admitted. Spans and MACs are sorted."""

    rule_name: str
    present: bool
    ip_list_name: str
    mac_list_name: str
    action: str = "bypass"
    port: int = AGENT_PORT
    port_list: str | None = None
    ips: tuple[Span, ...] = ()
    macs: tuple[str, ...] = ()
    accept_inherited: bool = field(default=False, compare=False)

    @classmethod
    def from_options(cls, options: dict, scope: Scope) -> Restriction:
        """The options of C(firewall_restriction). Raises C(OptionError) for what can never be right."""
        rule_name = str(options.get("rule_name") or "").strip()
        if not rule_name:
            raise scope.error("rule_name", options.get("rule_name"), "the name of the rule, not empty")
        present = options.get("state") != "absent"
        names = {
            "ip_list_name": str(options.get("ip_list_name") or f"{rule_name} (IPs)"),
            "mac_list_name": str(options.get("mac_list_name") or f"{rule_name} (MACs)"),
        }
        if not present:
            for option in ("source_ips", "source_macs"):
                if options.get(option) is not None:
                    raise scope.error(option, options[option], "left out with state=absent, which admits everybody")
            return cls(rule_name, False, **names)
        port = options.get("port") or 0
        if not 1 <= port <= 65535:
            raise scope.error("port", port, "a port number from 1 to 65535; agents listen on 4118")
        restriction = cls(
            rule_name,
            True,
            action=ACTIONS[options.get("action") or "bypass"],
            port=port,
            port_list=options.get("port_list"),
            ips=_parsed(options, "source_ips", ip_span, scope),
            macs=_parsed(options, "source_macs", mac, scope),
            accept_inherited=bool(options.get("accept_inherited")),
            **names,
        )
        if not restriction.ips and not restriction.macs:
            raise scope.error("source_ips", None, "given with the addresses that may connect, or source_macs, or both")
        if not options.get("allow_manager_lockout"):
            _check_manager_admitted(restriction, options, scope)
        return restriction

    @property
    def lists(self) -> list[tuple[Kind, str, tuple]]:
        """The lists that it needs: kind, name and items."""
        lists = ((IP_LIST, self.ip_list_name, self.ips), (MAC_LIST, self.mac_list_name, self.macs))
        return [(kind, name, items) for kind, name, items in lists if items]

    @property
    def summary(self) -> str:
        """Who is admitted and how, in one line."""
        sources = enumerated([ip_text(span) for span in self.ips] + list(self.macs))
        return f"{sources} by rule '{self.rule_name}' ({self.action}, port {self.port})"


def _parsed(options: dict, option: str, parse: t.Callable[[str], t.Any], scope: Scope) -> tuple:
    given = options.get(option)
    if given is None:
        return ()
    if not given:
        raise scope.fault(option, given, "it must hold at least one item; an empty list would admit nobody")
    result = set()
    for item in given:
        try:
            result.add(parse(str(item)))
        except ValueError as error:
            raise scope.fault(option, item, str(error)) from None
    return tuple(sorted(result))


def _check_manager_admitted(restriction: Restriction, options: dict, scope: Scope) -> None:
    """Refuse a restriction that would cut the agents off from their manager."""
    if restriction.ips:
        region = options.get("manager_region")
        wanted = [*_parsed(options, "manager_addresses", ip_span, scope)]
        if region:
            if region not in REGIONS:
                raise scope.error("manager_region", region, f"one of {', '.join(REGIONS)}")
            wanted += [ip_span(subnet) for subnet in REGIONS[region]]
        if not wanted:
            raise scope.error(
                "manager_addresses",
                None,
                "given with the addresses from which the manager connects, or manager_region for a region's published"
                " subnets, so that the restriction cannot shut the manager out; allow_manager_lockout=true if that is meant",
            )
        missing = uncovered(wanted, restriction.ips)
        if missing:
            raise scope.error(
                "source_ips",
                [ip_text(span) for span in restriction.ips],
                f"a list that admits the manager too: add {enumerated([ip_text(span) for span in missing])},"
                " or set allow_manager_lockout=true if shutting it out is meant",
            )
    if restriction.macs:
        wanted_macs = _parsed(options, "manager_macs", mac, scope)
        if not wanted_macs or set(wanted_macs) - set(restriction.macs):
            raise scope.error(
                "manager_macs",
                options.get("manager_macs"),
                "given with the MACs from which the manager's packets reach the agents (the manager's own, or the last"
                " router's), each of them in source_macs too; allow_manager_lockout=true if shutting it out is meant",
            )
