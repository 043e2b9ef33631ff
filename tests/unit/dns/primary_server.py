# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A primary name server on loopback, in memory. It accepts updates as RFC 2136 says, and misbehaves when told to."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import typing as t

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset
import dns.tsig
import dns.update

Sets = t.Dict[t.Tuple[str, str], t.Tuple[int, t.FrozenSet[str]]]
# Takes the query, whether it came over TCP, and the correct reply. Returns what to send instead: over UDP, it may be a
# list of datagrams, and None means nothing.
Fault = t.Callable[
    [dns.message.Message, bool, dns.message.Message], t.Union[dns.message.Message, bytes, t.List[bytes], None]
]


class PrimaryServer:
    """Context manager: serves C(zones) on C(address) port C(port), over UDP and TCP.

    sets: its records, from C((name, type)) to C((ttl, values)), with names without the final dot.
    updates: the number of updates so far, including repeated ones. C(on_update) is called before each one with its
    number, from 1. fault: if set, what to send instead of correct replies. C(ignores_updates): accept updates, and do
    nothing.
    """

    address = "127.0.0.1"

    def __init__(self, *zones: str, key: dns.tsig.Key | None = None) -> None:
        self.zones = zones
        self.key = key
        self.sets: Sets = {}
        self.questions: list[str] = []
        self.updates = 0
        self.ignores_updates = False
        self.on_update: t.Callable[[int], None] | None = None
        self.fault: Fault | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> PrimaryServer:
        answer = self._answer

        class OverTcp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                (length,) = struct.unpack("!H", self.request.recv(2, socket.MSG_WAITALL))
                reply = answer(self.request.recv(length, socket.MSG_WAITALL), True)
                if reply is not None:
                    self.request.sendall(struct.pack("!H", len(reply)) + reply)

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                wire, connection = self.request
                reply = answer(wire, False)
                for datagram in reply if isinstance(reply, list) else [] if reply is None else [reply]:
                    connection.sendto(datagram, self.client_address)

        tcp = socketserver.ThreadingTCPServer((self.address, 0), OverTcp)
        self.port = tcp.server_address[1]
        udp = socketserver.UDPServer((self.address, self.port), OverUdp)
        self._servers = [tcp, udp]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def put(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """Set exactly these values. Without values, remove the record."""
        self.sets.pop((name, kind), None)
        if values:
            self.sets[name, kind] = (ttl, frozenset(values))

    def get(self, name: str, kind: str) -> set[str]:
        """The current values."""
        return set(self.sets.get((name, kind), (0, frozenset()))[1])

    def _answer(self, wire: bytes, over_tcp: bool) -> bytes | list[bytes] | None:
        with self._lock:
            query = dns.message.from_wire(wire, keyring=self.key)
            reply = dns.message.make_response(query)
            if query.opcode() == dns.opcode.UPDATE:
                self.updates += 1
                if self.on_update:
                    self.on_update(self.updates)
                reply.set_rcode(self._update(query))
            else:
                self._look_up(query, reply)
            answer = self.fault(query, over_tcp, reply) if self.fault else reply
            return answer.to_wire() if isinstance(answer, dns.message.Message) else answer

    def _look_up(self, query: dns.message.Message, reply: dns.message.Message) -> None:
        asked = query.question[0]
        name, kind = _text(asked.name), dns.rdatatype.to_text(asked.rdtype)
        self.questions.append(f"{name} {kind}")
        zone = next((zone for zone in self.zones if f".{name}".endswith(f".{zone}")), None)
        if zone is None:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        reply.flags |= dns.flags.AA
        source = name
        if not self._exists(name, zone):
            while not self._exists(source, zone):
                source = source.partition(".")[2]
            source = f"*.{source}"
        held = {of: found for (owner, of), found in self.sets.items() if owner == source}
        for of in held if kind == "ANY" else {kind, "CNAME"} & set(held):
            ttl, values = held[of]
            reply.answer.append(dns.rrset.from_text(asked.name, ttl, "IN", of, *sorted(values)))
        if not self._exists(source, zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not reply.answer:
            text = f"ns.{zone}. admin.{zone}. 1 2 3 4 5"
            section = reply.answer if name == zone and kind == "SOA" else reply.authority
            section.append(dns.rrset.from_text(f"{zone}.", 300, "IN", "SOA", text))

    def _exists(self, name: str, zone: str) -> bool:
        return any(f".{owner}".endswith(f".{name}") for owner in [zone, *(owner for owner, _kind in self.sets)])

    def _update(self, query: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        zone = _text(query.zone[0].name)
        if zone not in self.zones:
            return dns.rcode.NOTAUTH
        wanted: dict[tuple[str, str], set[str]] = {}
        for record in query.prerequisite:
            if record.deleting == dns.rdataclass.NONE and _key(record) in self.sets:
                return dns.rcode.YXRRSET
            if record.deleting is None:
                wanted.setdefault(_key(record), set()).update(_values(record))
        if any(self.get(*key) != values for key, values in wanted.items()):
            return dns.rcode.NXRRSET
        for change in [] if self.ignores_updates else query.update:
            if change.deleting == dns.rdataclass.ANY:
                self.sets.pop(_key(change), None)
                continue
            owner, kind = _key(change)
            # A name has either a CNAME or other records. The server silently skips what does not fit.
            if not any(name == owner and (of == "CNAME") != (kind == "CNAME") for name, of in self.sets):
                self.put(owner, kind, *(self.get(owner, kind) | _values(change)), ttl=change.ttl)
        return dns.rcode.NOERROR


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _key(rrset: dns.rrset.RRset) -> tuple[str, str]:
    return _text(rrset.name), dns.rdatatype.to_text(rrset.rdtype)


def _values(rrset: dns.rrset.RRset) -> frozenset[str]:
    return frozenset(rdata.to_text() for rdata in rrset)
