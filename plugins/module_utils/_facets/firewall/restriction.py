# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A firewall restriction as declared: who may connect to the agents' port, and by which rule."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._basis.address_set import AddressSet, PrefixLimit
from ..._basis.addresses import Span, given_ip_span, given_mac, ip_span, ip_text, uncovered
from ..._basis.numbers import port_number
from ..._basis.text import can_be_written, enumerated, quoted
from ..._manager.kinds import IP_LIST, MAC_LIST, Kind
from ..._vendor.communication import AGENT_PORT
from ..._vendor.regions import manager_subnets
from ..facet import Scope

DEFAULT_RULE_NAME = "Agent port: named sources only"
# The wanted state of the rule: as declared and assigned, assigned but otherwise unchanged, or absent.
STATES = PRESENT, ASSIGNED, ABSENT = ("present", "assigned", "absent")
ACTIONS = {"bypass": "bypass", "force_allow": "force-allow"}

# The options of C(prefix_limit).
PREFIX_LIMIT_ARGUMENTS = {
    "warn_above_ipv4_prefix": {"type": "int", "default": PrefixLimit().ipv4},
    "warn_above_ipv6_prefix": {"type": "int", "default": PrefixLimit().ipv6},
}


def prefix_limit(options: t.Mapping[str, t.Any], scope: Scope) -> PrefixLimit:
    """The number of admitted addresses above which there is a warning. Raises C(OptionError)."""
    lengths = []
    for option, most in (("warn_above_ipv4_prefix", 32), ("warn_above_ipv6_prefix", 128)):
        length = options.get(option)
        if length is None:
            length = PREFIX_LIMIT_ARGUMENTS[option]["default"]
        if isinstance(length, bool) or not isinstance(length, int) or not 0 <= length <= most:
            raise scope.error(option, length, f"the length of a prefix, a whole number from 0 to {most}")
        lengths.append(length)
    return PrefixLimit(*lengths)


@dataclass(frozen=True)
class Restriction:
    """A wish: the rule by its name and, with C(present), who is admitted. Spans and MACs are sorted.

    described: whether the options describe the rule. Otherwise an existing rule is assigned unchanged.
    """

    rule_name: str
    present: bool
    ip_list_name: str
    mac_list_name: str
    action: str = "bypass"
    port: int = AGENT_PORT
    port_list: str | None = None
    ips: tuple[Span, ...] = ()
    macs: tuple[str, ...] = ()
    described: bool = True
    accept_inherited: bool = field(default=False, compare=False)
    # Whether to change lists that somebody else has created and that other rules also use.
    allow_shared_lists: bool = field(default=False, compare=False)
    limit: PrefixLimit = field(default=PrefixLimit(), compare=False)

    def __hash__(self) -> int:
        # This is called several times for each target. Of the many fields, the name is distinctive enough.
        return hash(self.rule_name)

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], scope: Scope) -> Restriction:
        """The options of C(firewall_restriction). Raises C(OptionError) for options that can never be right."""
        rule_name = str(options.get("rule_name") or "").strip()
        if not rule_name:
            raise scope.error("rule_name", options.get("rule_name"), "the name of the rule, not empty")
        state = options.get("state") or PRESENT
        for option in ("ip_list_name", "mac_list_name"):
            if options.get(option) and not str(options[option]).strip():
                raise scope.error(option, options[option], "the name of the list, not blank")
        for option in ("rule_name", "ip_list_name", "mac_list_name", "port_list"):
            if not can_be_written(str(options.get(option) or "")):
                raise scope.error(option, options[option], "text that can be written in UTF-8")
        ip_list_name = str(options.get("ip_list_name") or f"{rule_name} (IPs)")
        mac_list_name = str(options.get("mac_list_name") or f"{rule_name} (MACs)")
        if state != PRESENT:
            why = "which admits everybody" if state == ABSENT else "which takes the rule as it is"
            for option in ("source_ips", "source_macs"):
                if options.get(option) is not None:
                    raise scope.error(option, options[option], f"left out with state={state}, {why}")
            return cls(rule_name, state == ASSIGNED, ip_list_name, mac_list_name, described=state != ASSIGNED)
        port = port_number(scope.named("port"), options.get("port"), f"; agents listen on {AGENT_PORT}")
        restriction = cls(
            rule_name,
            True,
            ip_list_name,
            mac_list_name,
            action=ACTIONS[options.get("action") or "bypass"],
            port=port,
            port_list=options.get("port_list"),
            ips=_parsed(options, "source_ips", given_ip_span, scope),
            macs=_parsed(options, "source_macs", given_mac, scope),
            accept_inherited=bool(options.get("accept_inherited")),
            allow_shared_lists=bool(options.get("allow_shared_lists")),
            limit=prefix_limit(options, scope),
        )
        if not restriction.ips and not restriction.macs:
            raise scope.fault("source_ips", None, "give the addresses that may connect, or source_macs, or both")
        if not options.get("allow_everybody"):
            _check_restricts(restriction, scope)
        if not options.get("allow_manager_lockout"):
            _check_manager_admitted(restriction, options, scope)
        return restriction

    @property
    def lists(self) -> list[tuple[Kind, str, tuple[t.Any, ...]]]:
        """The lists that it needs: kind, name and items."""
        lists: tuple[tuple[Kind, str, tuple[t.Any, ...]], ...] = (
            (IP_LIST, self.ip_list_name, self.ips),
            (MAC_LIST, self.mac_list_name, self.macs),
        )
        return [(kind, name, items) for kind, name, items in lists if items]

    @property
    def summary(self) -> str:
        """Who is admitted and how, in one line."""
        if not self.described:
            return f"those of the rule '{self.rule_name}', as it is"
        sources = enumerated([ip_text(span) for span in self.ips] + list(self.macs))
        return f"{sources} by rule '{self.rule_name}' ({self.action}, port {self.port})"

    @property
    def width_warning(self) -> str | None:
        """The warning if it admits more addresses than its limit."""
        admitted = AddressSet.of(self.ips)
        if not admitted.counts.above(self.limit):
            return None
        return (
            f"firewall_restriction by rule {quoted(self.rule_name)} admits {admitted.counts.text}, more than"
            f" {self.limit.text}: {enumerated(admitted.texts())}"
        )


def _parsed(
    options: t.Mapping[str, t.Any], option: str, parse: t.Callable[[str], t.Any], scope: Scope
) -> tuple[t.Any, ...]:
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


def _check_restricts(restriction: Restriction, scope: Scope) -> None:
    """Refuse a restriction that admits practically all addresses."""
    admitted = AddressSet.of(restriction.ips)
    if admitted.counts.everybody:
        raise scope.error(
            "source_ips",
            [ip_text(span) for span in restriction.ips],
            f"a list of those who may connect, but it admits {admitted.counts.text}, which is practically everybody:"
            f" {enumerated(admitted.texts())}; set allow_everybody=true if you want that",
        )


def _check_manager_admitted(restriction: Restriction, options: t.Mapping[str, t.Any], scope: Scope) -> None:
    """Refuse a restriction that would cut the agents off from their manager."""
    if restriction.ips:
        region = options.get("manager_region")
        wanted = [*_parsed(options, "manager_addresses", given_ip_span, scope)]
        if region:
            wanted += [ip_span(subnet) for subnet in manager_subnets(region, scope.named("manager_region"))]
        if not wanted:
            raise scope.fault(
                "manager_addresses",
                None,
                "give the addresses from which the manager connects, or manager_region for a region's published subnets,"
                " so that the restriction cannot shut the manager out; or set allow_manager_lockout=true",
            )
        missing = uncovered(wanted, restriction.ips)
        if missing:
            raise scope.error(
                "source_ips",
                [ip_text(span) for span in restriction.ips],
                f"a list that admits the manager too: add {enumerated([ip_text(span) for span in missing])},"
                " or set allow_manager_lockout=true if you want to shut it out",
            )
    if restriction.macs:
        wanted_macs = _parsed(options, "manager_macs", given_mac, scope)
        if not wanted_macs or set(wanted_macs) - set(restriction.macs):
            raise scope.fault(
                "manager_macs",
                options.get("manager_macs"),
                "give the MACs from which the manager's packets reach the agents (the manager's own, or the last router's), and"
                " each of them in source_macs too; or set allow_manager_lockout=true if you want to shut it out",
            )


# The wish for one target: at most one present restriction, and any number of absent ones.
Wish = t.Tuple[Restriction, ...]
