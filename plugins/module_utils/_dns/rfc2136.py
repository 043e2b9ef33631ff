# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zones of a primary server for dynamic updates (RFC 2136), signed with a shared key (RFC 8945) or Kerberos.

There is one update message for each zone. The records that were read are its prerequisites, so that the server makes
the whole update or, if somebody has changed a record since then, nothing.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Set, Tuple

from .._basis.errors import OptionError
from .._basis.numbers import in_range, port_number
from .._basis.text import enumerated
from . import tsig_key
from .errors import DnsError, NotKnown
from .place import Place
from .records import ADDRESS_TYPES, Record, host_name

if TYPE_CHECKING:
    from .kerberos import Kerberos

ARGUMENTS: Dict[str, Any] = dict(
    server=dict(type="str", required=True),
    port=dict(type="int", default=53),
    zone=dict(type="str"),
    authentication=dict(type="str", choices=["none", "tsig", "gss_tsig"]),
    **tsig_key.ARGUMENTS,
    principal=dict(type="str"),
    keytab=dict(type="path", no_log=False),
    ticket_cache=dict(type="str"),
    server_name=dict(type="str"),
    protocol=dict(type="str", choices=["udp", "tcp"], default="udp"),
    timeout=dict(type="float", default=5),
)

# The same words as in the modules for the manager.
_NOT_KNOWN = "it is not known whether the change was made"

# How often to try again if the server says that records have changed, but then shows that they have not.
_TRIES = 3


class Rfc2136(Place):
    """The primary server that the suboptions of C(rfc2136) name. Raises C(DnsError) for a wrong option.

    Nothing is sent before C(read).
    """

    types = (*ADDRESS_TYPES, "CNAME")
    default_ttl = 3600

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        # Imported here, because the import takes a fifth of a second and the other places do not need the library.
        from .primary import Primary

        port_number("rfc2136.port", options["port"])
        in_range("rfc2136.timeout", options["timeout"], 0.1, 60, "a number of seconds")
        if not options["server"].strip():
            raise OptionError("rfc2136.server", options["server"], "it must be the name or address of a name server")
        kerberos = _kerberos(options)
        key = _key(options)
        self._zone = host_name(options["zone"], "rfc2136.zone") if options["zone"] else None
        self._zones: Dict[str, str] = {}
        self._before: List[Record] = []
        self._primary = Primary(
            options["server"].strip(),
            port=options["port"],
            key=key,
            kerberos=kerberos,
            over_tcp=options["protocol"] == "tcp",
            timeout=options["timeout"],
        )

    def read(self, names: List[str]) -> List[Record]:
        """What the primary server answers for these names."""
        for name in names:
            if self._zone and not f".{name}".endswith(f".{self._zone}"):
                raise OptionError(
                    "rfc2136.zone", self._zone, f"{name} is not in this zone; if not set, the server is asked for it"
                )
        self._primary.log_on()
        self._zones = {name: self._zone or self._primary.zone_of(name) for name in names}
        self._before = self._held(names)
        return self._before

    def conflicts(self, after: List[Record]) -> List[Dict[str, object]]:
        """Always empty. Raises C(DnsError) if a CNAME would be beside other records of its name."""
        is_cname = {record.name for record in self._before if record.type == "CNAME"}
        for record in after:
            if record.type != "CNAME" or record.name in is_cname:
                continue
            others = self._primary.other_types(record.name)
            if others:
                raise DnsError(
                    "other_records",
                    f"{record.name} cannot become a CNAME, since it also has records of type {', '.join(others)}, "
                    "and a CNAME cannot exist next to those: give option addresses instead, or remove those records",
                    "cname",
                )
        for name in sorted(self._primary.wildcards.difference(record.name for record in after)):
            self.warnings.append(f"{name} has no records of its own, but a wildcard of the zone answers for it")
        return []

    def write(self, before: List[Record], after: List[Record]) -> None:
        """Change zone by zone; the records must be those of names that have been read."""
        changed = {record.name for record in set(before) ^ set(after)}
        done: List[str] = []
        for zone in sorted({self._zones[name] for name in changed}):
            names = {name for name in changed if self._zones[name] == zone}
            try:
                self._change(zone, _of(names, before), _of(names, after))
            except DnsError as error:
                if not done:
                    raise
                kept = f"{error}; before that, {enumerated(done)} had been changed"
                raise DnsError(error.code, kept, error.option) from None
            done.append(f"zone {zone}")

    def _change(self, zone: str, before: List[Record], after: List[Record]) -> None:
        doubt: Optional[NotKnown]
        names = sorted({record.name for record in before + after})
        for _try in range(_TRIES):
            taken, doubt = False, None
            try:
                taken = self._primary.update(zone, before, after)
            except NotKnown as error:
                doubt = error
            try:
                held = self._held(names)
            except DnsError as error:
                if doubt:
                    raise DnsError(doubt.code, f"{doubt}; {_NOT_KNOWN}", doubt.option) from None
                said = "the server says that it made the change, but then" if taken else "no change was made, and then"
                raise DnsError(error.code, f"{said} {error}", error.option) from None
            if held == after:
                # The zone is right, whoever changed it: another run may want the same, or an answer was lost.
                return
            if doubt and held == before:
                raise DnsError(doubt.code, f"{doubt}; the server shows that the change was not made", doubt.option)
            if doubt:
                found = f"the server now answers {_difference(after, held)}"
                raise DnsError(doubt.code, f"{doubt}; {_NOT_KNOWN}: {found}", doubt.option)
            if taken:
                raise DnsError("not_kept", f"the server accepted the update, but answers {_difference(after, held)}")
            if _values(held) != _values(before):
                raise DnsError(
                    "concurrent_change",
                    "somebody else has changed the records meanwhile, so nothing was written: the server now answers "
                    f"{_difference(before, held)}; run again to replace that",
                )
        raise DnsError(
            "not_as_read",
            f"the server answers {_listed(before)}, but holds something else in zone {zone}: it is not the primary "
            "server, or shows the zone differently to others",
            "rfc2136.server",
        )

    def _held(self, names: List[str]) -> List[Record]:
        return sorted(record for name in names for record in self._primary.records(name))


def _key(options: Mapping[str, Any]) -> Optional[tsig_key.Key]:
    """The key that signs everything, if the options ask for one or name one."""
    named = next((name for name in ("key_file", "key_name", "key_secret") if (options[name] or "").strip()), None)
    authentication = options["authentication"]
    if named and authentication not in (None, "tsig"):
        raise OptionError(
            "rfc2136.authentication", authentication, f"{named} is for tsig, which is the default with it"
        )
    if authentication == "tsig" and not named:
        raise OptionError("rfc2136.key_name", None, "it is needed for authentication tsig, or key_file is")
    return tsig_key.key_of(options)


def _kerberos(options: Mapping[str, Any]) -> Optional[Kerberos]:
    """The principal that signs updates with Kerberos, if the options ask for it."""
    given = {name: (options[name] or "").strip() for name in ("principal", "keytab", "ticket_cache", "server_name")}
    if options["authentication"] != "gss_tsig":
        for name, value in given.items():
            if value:
                raise OptionError(f"rfc2136.{name}", value, "it is for authentication gss_tsig alone")
        return None
    for name, value in given.items():
        # A path may have any bytes, and text from a playbook may have lone surrogates. The library accepts neither.
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise OptionError(f"rfc2136.{name}", value, "it must be text in UTF-8") from None
    if given["keytab"] and given["ticket_cache"]:
        raise OptionError("rfc2136.ticket_cache", given["ticket_cache"], "tickets come from here or from keytab")
    server, option = given["server_name"], "rfc2136.server_name"
    if not server:
        server, option = options["server"].strip(), "rfc2136.server"
        if _is_address(server):
            raise OptionError(
                "rfc2136.server_name",
                None,
                f"Kerberos knows servers by their host names: name that of {server}, as dc1.corp.example.com",
            )
    # Imported here, because only this needs the library, which is not installed everywhere.
    from .kerberos import Kerberos

    principal, keytab, ticket_cache = (given[name] or None for name in ("principal", "keytab", "ticket_cache"))
    return Kerberos(host_name(server, option), principal, keytab, ticket_cache)


def _is_address(server: str) -> bool:
    try:
        ipaddress.ip_address(server.partition("%")[0])
    except ValueError:
        return False
    return True


def _of(names: Set[str], records: List[Record]) -> List[Record]:
    return sorted(record for record in records if record.name in names)


def _values(records: List[Record]) -> Set[Tuple[str, str, str]]:
    return {record.identity for record in records}


def _difference(wanted: List[Record], found: List[Record]) -> str:
    """The records that were found instead of the wanted ones, for the first name with a difference."""
    name = min(record.name for record in set(wanted) ^ set(found))
    return f"{_listed(_of({name}, found))} instead of {_listed(_of({name}, wanted))} for {name}"


def _listed(records: List[Record]) -> str:
    return enumerated([f"'{record}'" for record in records]) or "nothing"
