# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversation with a primary name server, through dnspython. It runs beside the playbook, not on managed hosts."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from typing import Dict, List, NoReturn, Optional, Set, Tuple

from .._basis.errors import OptionError
from .._basis.libraries import require
from .._basis.text import one_line, shown
from .errors import DnsError, NotKnown
from .records import Record
from .tsig_key import BROKEN_ALGORITHM, Key
from .wire import by_datagram

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype
    import dns.tsig
    import dns.update
except ImportError as import_error:
    DNSPYTHON_IMPORT_ERROR: Optional[str] = str(import_error)
else:
    DNSPYTHON_IMPORT_ERROR = None
    # What tells something of the zone; all other codes are refusals. Of an update, the first alone says it was made.
    _TELLING = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.YXRRSET)

TYPES = ("A", "AAAA", "CNAME")

# What else may stand at a host's name. There is no sure way to ask for everything: ANY is answered in part, if at all.
_OTHER_TYPES = (
    *("CAA", "DNAME", "DS", "HINFO", "HTTPS", "KX", "LOC", "MX", "NAPTR", "NS", "PTR"),
    *("RP", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI"),
)
# These come with signing a zone, and a CNAME may have them.
_OF_DNSSEC = ("RRSIG", "NSEC", "NSEC3", "KEY")

# Nobody has such a host: what is answered for it is a wildcard's.
_NOBODY = "_wildcard"
_LONGEST_NAME = 253

# A datagram may be lost, so it is sent more than once. An update that was taken already fails its prerequisites the
# next time, and so is never done twice.
# What goes through every network in one datagram, in bytes (RFC 1035, section 4.2.1).
_LONGEST_DATAGRAM = 512


# In the third byte of a message.
_IS_ANSWER, _TRUNCATED = 0x80, 0x02


class _NotSent(DnsError):
    """A message that did not go out."""


class Primary:
    """A primary server. Every answer must carry the key's signature, if there is a key. Methods raise C(DnsError).

    C(timeout) is in seconds, for each question, and each of the server's addresses until one has answered.
    C(wildcards) are the names that were asked for and have no records of their own, but those of a wildcard.
    """

    def __init__(self, server: str, *, port: int, key: Optional[Key], over_tcp: bool, timeout: float) -> None:
        """Raises C(MissingLibrary) without dnspython. Nothing is sent yet."""
        require({"dnspython": DNSPYTHON_IMPORT_ERROR})
        self._server = server
        self._port = port
        self._over_tcp = over_tcp
        self._timeout = timeout
        self._key_name = shown(key.name, 200) if key else None
        self._key_option = key.option if key else None
        self._key = key and _tsig_key(key)
        self._addresses: List[str] = []
        self.wildcards: Set[str] = set()

    def zone_of(self, name: str) -> str:
        """The zone that holds a name, as the server tells it."""
        labels = name.split(".")
        for start in range(len(labels)):
            asked = ".".join(labels[start:])
            reply = self._ask(asked, "SOA")
            if _rrset_of(reply, asked, "CNAME"):
                # What follows may be about the zone that the CNAME leads to.
                continue
            for rrset in reply.answer + reply.authority:
                if rrset.rdtype == dns.rdatatype.SOA and _name(asked).is_subdomain(rrset.name):
                    return _text(rrset.name)
            break
        raise DnsError(
            "no_zone", f"{self} does not tell which zone holds {name}: give option rfc2136.zone", "rfc2136.zone"
        )

    def records(self, name: str) -> List[Record]:
        """The name's own A, AAAA and CNAME records, not those that a wildcard answers for it."""
        found: List[dns.rrset.RRset] = []
        # A name with a CNAME has nothing else.
        for kind in ("CNAME", "A", "AAAA"):
            reply = self._ask(name, kind)
            rrset = _rrset_of(reply, name, kind)
            found += [rrset] if rrset else []
            if (found and kind == "CNAME") or reply.rcode() == dns.rcode.NXDOMAIN:
                break
        if found and self._is_from_wildcard(name, found[0]):
            self.wildcards.add(name)
            return []
        return [
            Record(name, dns.rdatatype.to_text(rrset.rdtype), _value(rdata), rrset.ttl)
            for rrset in found
            for rdata in rrset
        ]

    def other_types(self, name: str) -> List[str]:
        """The types of a name's own records besides A, AAAA, CNAME, and what belongs to DNSSEC."""
        found: Dict[str, dns.rrset.RRset] = {}
        for kind in ("ANY", *_OTHER_TYPES):
            reply = self._ask(name, kind)
            for rrset in reply.answer:
                if rrset.name == _name(name) and not _says_nothing(rrset):
                    found[dns.rdatatype.to_text(rrset.rdtype)] = rrset
            if reply.rcode() == dns.rcode.NXDOMAIN:
                break
        others = sorted(set(found).difference(TYPES, _OF_DNSSEC))
        return [] if others and self._is_from_wildcard(name, found[others[0]]) else others

    def _is_from_wildcard(self, name: str, answered: dns.rrset.RRset) -> bool:
        """Whether what is answered for a name is a wildcard's: then names below and beside it have the same."""
        below, beside = f"{_NOBODY}.{name}", f"{_NOBODY}.{name.partition('.')[2]}"
        return (
            len(below) <= _LONGEST_NAME
            and self._answers_same(below, answered)
            # A zone's own name is no wildcard's, and beside it is another zone.
            and _rrset_of(self._ask(name, "SOA"), name, "SOA") is None
            and self._answers_same(beside, answered)
        )

    def _answers_same(self, name: str, answered: dns.rrset.RRset) -> bool:
        kind = dns.rdatatype.to_text(answered.rdtype)
        found = _rrset_of(self._ask(name, kind), name, kind)
        return found is not None and found.to_rdataset() == answered.to_rdataset()

    def update(self, zone: str, before: List[Record], after: List[Record]) -> bool:
        """Replace C(before) by C(after), if the zone still holds exactly that for all their names and C(TYPES).

        Returns whether it did. Then all is done, otherwise nothing. Raises C(NotKnown) where the server does not say so
        in words that can be believed, and another C(DnsError) where it says that it did nothing.
        """
        message = dns.update.UpdateMessage(_name(zone))
        held, wanted = _by_name_and_type(before), _by_name_and_type(after)
        names = sorted({name for name, _kind in [*held, *wanted]})
        for name, kind in [(name, kind) for name in names for kind in TYPES]:
            if (name, kind) in held:
                message.present(_name(name), _rdataset(held[name, kind], ttl=0))
            else:
                message.absent(_name(name), kind)
        for name, kind in wanted:
            if kind == "CNAME":
                for other in _OTHER_TYPES:
                    message.absent(_name(name), other)
        # First what goes, since a name can hold either a CNAME or addresses.
        for name, kind in held:
            if held[name, kind] != wanted.get((name, kind)):
                message.delete(_name(name), kind)
        for (name, kind), records in wanted.items():
            if records != held.get((name, kind)):
                # Every record of this place has a TTL.
                message.add(_name(name), _rdataset(records, ttl=records[0].ttl or 0))
        try:
            reply = self._exchange(message)
        except _NotSent:
            raise
        except DnsError as error:
            raise NotKnown(error.code, str(error), error.option) from None
        code = reply.rcode()
        if code not in _TELLING:
            try:
                self._refused(code, f"an update of zone {zone}", zone)
            except DnsError as error:
                if self._key is None or reply.had_tsig:
                    raise
                raise NotKnown(error.code, str(error), error.option) from None
        return code == dns.rcode.NOERROR

    def _ask(self, name: str, kind: str) -> dns.message.Message:
        """What the server says of a name, which exists or does not."""
        reply = self._exchange(dns.message.make_query(_name(name), kind))
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            self._refused(reply.rcode(), f"a question about {name}", None)
        if not reply.flags & dns.flags.AA:
            raise DnsError(
                "not_authoritative",
                f"{self} answers for {name}, but not as the primary server of its zone: it is a resolver, or the name "
                "lies in a zone that is delegated to another server",
                "rfc2136.server",
            )
        return reply

    def _exchange(self, message: dns.message.Message) -> dns.message.Message:
        if self._key:
            message.use_tsig(self._key)
        errors: Dict[str, Exception] = {}
        for address in self._addresses or self._look_up():
            try:
                reply = self._send(message, address)
            except (OSError, EOFError, dns.exception.Timeout) as error:
                errors[address] = error
            except dns.tsig.PeerError as error:
                self._rejected_signature(error)
            except dns.exception.TooBig as error:
                raise _NotSent(
                    "too_big", "these are too many names for one update: use several tasks", "hostnames"
                ) from error
            # What dnspython does not wrap of all that can be wrong in a message.
            except (dns.exception.DNSException, ValueError, LookupError, struct.error) as error:
                raise DnsError(
                    "bad_answer", f"{self} sent what is no answer to the question: {_words(error)}"
                ) from error
            else:
                self._addresses = [address]
                # A refusal may come unsigned: nothing is done on its word.
                if self._key and not reply.had_tsig and reply.rcode() in _TELLING:
                    raise DnsError("bad_answer", f"{self} sent an answer that is {self._unsigned}")
                return reply
        reasons = "; ".join(f"{address}: {_words(error)}" for address, error in errors.items())
        raise DnsError("no_answer", f"{self} does not answer ({reasons})", "rfc2136.server")

    def _look_up(self) -> List[str]:
        try:
            found = socket.getaddrinfo(self._server, self._port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise DnsError(
                "no_address", f"name server {shown(self._server, 200)} has no address: {error}", "rfc2136.server"
            ) from error
        return list(dict.fromkeys(str(address[4][0]) for address in found))

    def _send(self, message: dns.message.Message, address: str) -> dns.message.Message:
        wire = message.to_wire()
        if not self._over_tcp and len(wire) <= _LONGEST_DATAGRAM:
            reply = self._send_datagrams(message, wire, address)
            if reply:
                return reply
        return dns.query.tcp(message, address, self._timeout, self._port)

    def _send_datagrams(self, message: dns.message.Message, wire: bytes, address: str) -> Optional[dns.message.Message]:
        """The answer, C(None) if it is too long; anybody can send datagrams, so all others are passed over."""
        answer: Optional[dns.message.Message] = None
        why_not = ""

        def is_answer(datagram: bytes) -> bool:
            nonlocal answer, why_not
            if len(datagram) < 12 or datagram[:2] != wire[:2] or not datagram[2] & _IS_ANSWER:
                why_not = "it does not belong to the question"
                return False
            if datagram[2] & _TRUNCATED:
                return True
            try:
                reply = dns.message.from_wire(datagram, keyring=message.keyring, request_mac=message.mac)
            except dns.tsig.PeerError:
                raise
            except (dns.exception.DNSException, ValueError, LookupError, struct.error) as error:
                why_not = _words(error)
                return False
            if not message.is_response(reply):
                why_not = "it does not belong to the question"
                return False
            # A refusal may come unsigned: nothing is done on its word.
            if self._key and not reply.had_tsig and reply.rcode() in _TELLING:
                why_not = f"it is {self._unsigned}"
                return False
            answer = reply
            return True

        family, _kind, _protocol, _name, where = socket.getaddrinfo(
            address, self._port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        try:
            by_datagram(family, where, wire, time.monotonic() + self._timeout, is_answer)
        except socket.timeout as error:
            if not why_not:
                raise
            raise DnsError("bad_answer", f"{self} sent nothing but what is no answer: {why_not}") from error
        return answer

    def _rejected_signature(self, error: dns.tsig.PeerError) -> NoReturn:
        if isinstance(error, dns.tsig.PeerBadKey):
            raise DnsError(
                "bad_key",
                f"{self} does not know key {self._key_name} with this algorithm (BADKEY): check options "
                "rfc2136.key_name and rfc2136.key_algorithm, or the file that rfc2136.key_file names",
                "rfc2136.key_name",
            ) from error
        if isinstance(error, dns.tsig.PeerBadTime):
            raise DnsError(
                "bad_time",
                f"the clocks of {self} and of this machine differ too much (BADTIME): set the clocks",
            ) from error
        raise DnsError(
            "bad_signature",
            f"{self} knows key {self._key_name} with another secret (BADSIG): check option {self._key_option}",
            self._key_option,
        ) from error

    def _refused(self, code: dns.rcode.Rcode, what: str, zone: Optional[str]) -> NoReturn:
        option: Optional[str] = None
        if code == dns.rcode.REFUSED and zone and self._key:
            option = "rfc2136.key_name"
            advice = f"its policy does not let key {self._key_name} do this: check option {option}, or the policy"
        elif code == dns.rcode.REFUSED and zone:
            option = "rfc2136.key_name"
            advice = f"its policy lets nobody do this without a key: give options {option} and rfc2136.key_secret"
        elif code == dns.rcode.REFUSED:
            option = "rfc2136.server"
            advice = f"it does not have the zone, or does not tell this machine: check option {option}"
        elif code == dns.rcode.NOTAUTH:
            option = "rfc2136.zone"
            advice = f"it is not the primary server of the zone: check options {option} and rfc2136.server"
        elif code == dns.rcode.NOTZONE:
            option = "rfc2136.zone"
            advice = f"a name is outside of the zone: check option {option}"
        elif code == dns.rcode.NOTIMP:
            option = "rfc2136.server"
            advice = f"it takes no dynamic updates: check option {option}"
        else:
            advice = "the server's log tells why"
        name = dns.rcode.to_text(code)
        raise DnsError(name.lower(), f"{self} answers {what} with {name}: {advice}", option)

    @property
    def _unsigned(self) -> str:
        return f"not signed with key {self._key_name}"

    def __str__(self) -> str:
        return f"name server {shown(self._server, 200)} port {self._port}"


def _tsig_key(key: Key) -> dns.tsig.Key:
    # The only one whose name in messages is not what everybody calls it.
    algorithm = dns.tsig.HMAC_MD5 if key.algorithm == BROKEN_ALGORITHM else key.algorithm
    try:
        return dns.tsig.Key(key.name, key.secret, algorithm)
    except dns.exception.DNSException as error:
        raise OptionError("rfc2136.key_name", key.name, f"it must be a domain name: {_words(error)}") from error


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _rrset_of(reply: dns.message.Message, name: str, kind: str) -> Optional[dns.rrset.RRset]:
    """What the answer says of the name itself."""
    return reply.get_rrset(reply.answer, _name(name), dns.rdataclass.IN, dns.rdatatype.from_text(kind))


def _value(rdata: dns.rdata.Rdata) -> str:
    text = rdata.to_text()
    return _text(_name(text)) if rdata.rdtype == dns.rdatatype.CNAME else str(ipaddress.ip_address(text))


def _rdataset(records: List[Record], ttl: int) -> dns.rdataset.Rdataset:
    kind = records[0].type
    values = [f"{record.value}." if kind == "CNAME" else record.value for record in records]
    return dns.rdataset.from_text("IN", kind, ttl, *values)


def _says_nothing(rrset: dns.rrset.RRset) -> bool:
    """Whether this is how RFC 8482 answers a question for ANY."""
    return rrset.rdtype == dns.rdatatype.HINFO and rrset[0].cpu == b"RFC8482"


def _by_name_and_type(records: List[Record]) -> Dict[Tuple[str, str], List[Record]]:
    found: Dict[Tuple[str, str], List[Record]] = {}
    for record in sorted(records):
        found.setdefault((record.name, record.type), []).append(record)
    return found


def _words(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
