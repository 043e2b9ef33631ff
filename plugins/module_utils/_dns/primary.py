# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversation with a primary name server, through dnspython. It runs on the controller, not on managed hosts."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import time
import uuid
from typing import TYPE_CHECKING, Any, Dict, List, NoReturn, Optional, Set, Tuple

from .._basis.errors import OptionError
from .._basis.libraries import require
from .._basis.text import one_line, shown
from .errors import DnsError, NotKnown
from .records import Record
from .tsig_key import BROKEN_ALGORITHM, Key
from .wire import by_datagram, by_stream

if TYPE_CHECKING:
    from .kerberos import Kerberos

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.TKEY
    import dns.tsig
    import dns.update
except ImportError as import_error:
    DNSPYTHON_IMPORT_ERROR: Optional[str] = str(import_error)
else:
    DNSPYTHON_IMPORT_ERROR = None
    # Codes that say something about the zone; all others are refusals. For updates, only the first one means success.
    _TELLING = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.YXRRSET)

TYPES = ("A", "AAAA", "CNAME")

# Other types that a host's name may have. There is no sure way to ask for all types: servers answer ANY only in part,
# if at all.
_OTHER_TYPES = (
    *("CAA", "DNAME", "DS", "HINFO", "HTTPS", "KX", "LOC", "MX", "NAPTR", "NS", "PTR"),
    *("RP", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI"),
)
# These come from signing a zone, and may exist beside a CNAME.
_OF_DNSSEC = ("RRSIG", "NSEC", "NSEC3", "KEY")

# No host has this name, so any answer for it comes from a wildcard.
_NOBODY = "_wildcard"
_LONGEST_NAME = 253

# Kerberos needs one message and its answer. Other mechanisms of GSS-API need more.
_ROUNDS = 5
# The domain of a key's name is no domain of any zone: if names in a message end in the same way, dnspython compresses
# the key's name, and Samba then treats the signature as wrong.
_KEY_DOMAIN = "workload-security-agent."
_BY_GSS_API = 3  # a mode of RFC 2930
_KEY_LASTS = 3600  # seconds

# A datagram may be lost, so it is sent more than once. An update that was already made fails its prerequisites the next
# time, so it is never made twice. The size of a datagram, in bytes, that passes every network (RFC 1035, section
# 4.2.1).
_LONGEST_DATAGRAM = 512


# Bits in the third byte of a message.
_IS_ANSWER, _TRUNCATED = 0x80, 0x02
_HEADER = 12


class _NotSent(DnsError):
    """A message that was not sent."""


class Primary:
    """A primary server. Methods raise C(DnsError).

    With a C(key), every question is signed, and every answer must be signed. With C(kerberos), this only applies to
    updates, after C(log_on): Active Directory answers questions without signatures, as its clients send them.
    C(timeout) is in seconds, for each question and for each of the server's addresses until one has answered.
    C(wildcards) are the names that were asked for and that have no records of their own, only those of a wildcard.
    """

    def __init__(
        self,
        server: str,
        *,
        port: int,
        key: Optional[Key],
        kerberos: Optional[Kerberos],
        over_tcp: bool,
        timeout: float,
    ) -> None:
        """Raises C(MissingLibrary) without dnspython. Sends nothing."""
        require({"dnspython": DNSPYTHON_IMPORT_ERROR})
        self._server = server
        self._port = port
        self._over_tcp = over_tcp
        self._timeout = timeout
        self._kerberos = kerberos
        self._signer = f"key {shown(key.name, 200)}" if key else "nobody"
        self._key_option = key.option if key else None
        self._key = _tsig_key(key) if key else None
        # The key for updates: the same key, or one that was agreed with the server through Kerberos.
        self._update_key = self._key
        self._addresses: List[str] = []
        self.wildcards: Set[str] = set()

    def log_on(self) -> None:
        """Agree with the server on a key that signs updates, if Kerberos is used (RFC 3645)."""
        if self._kerberos is None:
            return
        context = self._kerberos.context()
        key = dns.tsig.Key(dns.name.from_text(f"{uuid.uuid4()}.{_KEY_DOMAIN}"), context, dns.tsig.GSS_TSIG)
        with self._kerberos.problems():
            token = context.step()
            for _round in range(_ROUNDS):
                answer = self._agree(key, token)
                # If the answer is signed, its token was already used to verify the signature.
                token = None if context.complete else context.step(answer)
                if context.complete:
                    self._signer, self._update_key = self._kerberos.signer, key
                    return
        raise self._no_gss_tsig("it asks for more and more")

    def _agree(self, key: dns.tsig.Key, token: Optional[bytes]) -> bytes:
        """The server's answer to one message of Kerberos."""
        now = int(time.time())
        message = dns.message.make_query(key.name, dns.rdatatype.TKEY, dns.rdataclass.ANY)
        message.flags &= ~dns.flags.RD
        message.find_rrset(message.additional, key.name, dns.rdataclass.ANY, dns.rdatatype.TKEY, create=True).add(
            dns.rdtypes.ANY.TKEY.TKEY(
                *(dns.rdataclass.ANY, dns.rdatatype.TKEY, dns.tsig.GSS_TSIG),
                *(now, now + _KEY_LASTS, _BY_GSS_API, dns.rcode.NOERROR, token or b""),
            )
        )
        message.keyring = dns.tsig.GSSTSigAdapter({key.name: key})
        reply = self._exchange(message, None, over_tcp=True)
        found = reply.get_rrset(reply.answer, key.name, dns.rdataclass.ANY, dns.rdatatype.TKEY)
        if reply.rcode() != dns.rcode.NOERROR or not found:
            raise self._no_gss_tsig(f"it answers {dns.rcode.to_text(reply.rcode())}")
        answer = found[0]
        if answer.error in (dns.rcode.BADALG, dns.rcode.BADMODE):
            raise self._no_gss_tsig(f"it answers {dns.rcode.to_text(answer.error)}")
        if answer.error:
            self._rejected_signature(
                dns.tsig.PeerBadTime() if answer.error == dns.rcode.BADTIME else dns.tsig.PeerBadKey()
            )
        return bytes(answer.key)

    def _no_gss_tsig(self, why: str) -> DnsError:
        return DnsError(
            "no_gss_tsig",
            f"{self} does not accept Kerberos signatures (GSS-TSIG), {why}: check options rfc2136.authentication and "
            "rfc2136.server",
            "rfc2136.authentication",
        )

    def zone_of(self, name: str) -> str:
        """The zone that holds a name, according to the server."""
        labels = name.split(".")
        for start in range(len(labels)):
            asked = ".".join(labels[start:])
            reply = self._ask(asked, "SOA")
            if _rrset_of(reply, asked, "CNAME"):
                # The rest of this answer may be about the zone that the CNAME leads to.
                continue
            for rrset in reply.answer + reply.authority:
                if rrset.rdtype == dns.rdatatype.SOA and _name(asked).is_subdomain(rrset.name):
                    return _text(rrset.name)
            break
        raise DnsError(
            "no_zone", f"{self} does not say which zone holds {name}: give option rfc2136.zone", "rfc2136.zone"
        )

    def records(self, name: str) -> List[Record]:
        """The name's own A, AAAA and CNAME records, without those that come from a wildcard."""
        found: List[dns.rrset.RRset] = []
        # A name with a CNAME has no other records.
        for kind in ("CNAME", "A", "AAAA"):
            reply = self._ask(name, kind)
            _expect_no_dname(name, reply)
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
        """The types of a name's own records, except A, AAAA, CNAME and the types of DNSSEC."""
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
        """Whether the answer for a name comes from a wildcard. Names below and beside it then have the same records."""
        below, beside = f"{_NOBODY}.{name}", f"{_NOBODY}.{name.partition('.')[2]}"
        return (
            len(below) <= _LONGEST_NAME
            and self._answers_same(below, answered)
            # A zone's own name never comes from a wildcard, and names beside it are in another zone.
            and _rrset_of(self._ask(name, "SOA"), name, "SOA") is None
            and self._answers_same(beside, answered)
        )

    def _answers_same(self, name: str, answered: dns.rrset.RRset) -> bool:
        kind = dns.rdatatype.to_text(answered.rdtype)
        found = _rrset_of(self._ask(name, kind), name, kind)
        return found is not None and found.to_rdataset() == answered.to_rdataset()

    def update(self, zone: str, before: List[Record], after: List[Record]) -> bool:
        """Replace C(before) by C(after), if the zone still has exactly C(before) for all their names and C(TYPES).

        Returns whether all of it was done; otherwise nothing was. Raises C(NotKnown) if the server gives no trustworthy
        answer, and another C(DnsError) if it says that it did nothing.
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
        # Deletions come first, because a name can have either a CNAME or addresses.
        for name, kind in held:
            if held[name, kind] != wanted.get((name, kind)):
                message.delete(_name(name), kind)
        for (name, kind), records in wanted.items():
            if records != held.get((name, kind)):
                # In this place, every record has a TTL.
                message.add(_name(name), _rdataset(records, ttl=records[0].ttl or 0))
        try:
            # A ticket may expire before it signs.
            with self._kerberos.problems() if self._kerberos else contextlib.nullcontext():
                reply = self._exchange(message, self._update_key, over_tcp=self._over_tcp or self._kerberos is not None)
        except _NotSent:
            raise
        except DnsError as error:
            raise NotKnown(error.code, str(error), error.option) from None
        code = reply.rcode()
        if code not in _TELLING:
            try:
                self._refused(code, f"an update of zone {zone}", zone)
            except DnsError as error:
                if self._update_key is None or reply.had_tsig:
                    raise
                raise NotKnown(error.code, str(error), error.option) from None
        return code == dns.rcode.NOERROR

    def _ask(self, name: str, kind: str) -> dns.message.Message:
        """The server's answer about a name, which may or may not exist."""
        reply = self._exchange(dns.message.make_query(_name(name), kind), self._key, over_tcp=self._over_tcp)
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

    def _exchange(
        self, message: dns.message.Message, key: Optional[dns.tsig.Key], *, over_tcp: bool
    ) -> dns.message.Message:
        if key:
            message.use_tsig(key)
        errors: Dict[str, Exception] = {}
        for address in self._addresses or self._look_up():
            try:
                reply = self._send(message, address, over_tcp)
            except OSError as error:
                errors[address] = error
            except dns.tsig.PeerError as error:
                self._rejected_signature(error)
            except dns.tsig.BadTime as error:
                raise self._bad_time("the answer's signature is of another time") from error
            except dns.exception.TooBig as error:
                raise _NotSent(
                    "too_big", "these are too many names for one update: use several tasks", "hostnames"
                ) from error
            # Besides its own errors, dnspython raises these for a wrong message.
            except (dns.exception.DNSException, ValueError, LookupError, struct.error) as error:
                raise DnsError(
                    "bad_answer", f"{self} sent something that does not answer the question: {_words(error)}"
                ) from error
            else:
                self._addresses = [address]
                # A refusal may come unsigned: nothing is done on its word.
                if key and not reply.had_tsig and reply.rcode() in _TELLING:
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

    def _send(self, message: dns.message.Message, address: str, over_tcp: bool) -> dns.message.Message:
        wire = message.to_wire()
        family, _kind, _protocol, _name, where = socket.getaddrinfo(
            address, self._port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        if not over_tcp and len(wire) <= _LONGEST_DATAGRAM:
            reply = self._send_datagrams(message, wire, family, where)
            if reply:
                return reply
        answer = by_stream(family, where, wire, time.monotonic() + self._timeout)
        try:
            reply = _read(message, answer)
        except dns.tsig.BadSignature:
            if self._kerberos is None or len(answer) < _HEADER:
                raise
            # Samba's own server signs its answers to updates in a way that nobody can verify. They only count as the
            # reason of a refusal.
            reply = dns.message.Message(id=message.id)
            reply.flags = int.from_bytes(answer[2:4], "big")
            return reply
        if not message.is_response(reply):
            raise dns.exception.FormError("it does not belong to the question")
        return reply

    def _send_datagrams(
        self, message: dns.message.Message, wire: bytes, family: int, where: Tuple[Any, ...]
    ) -> Optional[dns.message.Message]:
        """The answer; C(None) if it is too long. Anybody can send datagrams, so all others are ignored."""
        answer: Optional[dns.message.Message] = None
        why_not = ""

        def is_answer(datagram: bytes) -> bool:
            nonlocal answer, why_not
            if len(datagram) < _HEADER or datagram[:2] != wire[:2] or not datagram[2] & _IS_ANSWER:
                why_not = "it does not belong to the question"
                return False
            if datagram[2] & _TRUNCATED:
                return True
            try:
                reply = _read(message, datagram)
            except dns.tsig.PeerError:
                raise
            except (dns.exception.DNSException, ValueError, LookupError, struct.error) as error:
                why_not = _words(error)
                return False
            if not message.is_response(reply):
                why_not = "it does not belong to the question"
                return False
            # A refusal may come unsigned: nothing is done on its word.
            if message.had_tsig and not reply.had_tsig and reply.rcode() in _TELLING:
                why_not = f"it is {self._unsigned}"
                return False
            answer = reply
            return True

        try:
            by_datagram(family, where, wire, time.monotonic() + self._timeout, is_answer)
        except socket.timeout as error:
            if not why_not:
                raise
            raise DnsError("bad_answer", f"{self} sent nothing that answers the question: {why_not}") from error
        return answer

    def _rejected_signature(self, error: dns.tsig.PeerError) -> NoReturn:
        if self._kerberos and not isinstance(error, dns.tsig.PeerBadTime):
            raise DnsError(
                "bad_key",
                f"{self} does not accept the Kerberos ticket for {self._kerberos.service} (BADKEY): it is another server "
                "than its name says, its keytab has other keys, or its clock differs by more than five minutes. Its log "
                "tells which; check option rfc2136.server_name",
                "rfc2136.server_name",
            ) from error
        if isinstance(error, dns.tsig.PeerBadKey):
            raise DnsError(
                "bad_key",
                f"{self} does not know {self._signer} with this algorithm (BADKEY): check options "
                "rfc2136.key_name and rfc2136.key_algorithm, or the file that rfc2136.key_file names",
                "rfc2136.key_name",
            ) from error
        if isinstance(error, dns.tsig.PeerBadTime):
            raise self._bad_time("BADTIME") from error
        raise DnsError(
            "bad_signature",
            f"{self} knows {self._signer} with another secret (BADSIG): check option {self._key_option}",
            self._key_option,
        ) from error

    def _bad_time(self, sign: str) -> DnsError:
        return DnsError(
            "bad_time", f"the clocks of {self} and of this machine differ too much ({sign}): set the clocks"
        )

    def _refused(self, code: dns.rcode.Rcode, what: str, zone: Optional[str]) -> NoReturn:
        option: Optional[str] = None
        if code == dns.rcode.REFUSED and zone and self._update_key:
            option = "rfc2136.principal" if self._kerberos else "rfc2136.key_name"
            advice = f"its policy does not let {self._signer} do this: check option {option}, or the policy"
        elif code == dns.rcode.SERVFAIL and zone and self._kerberos:
            option = "rfc2136.principal"
            advice = (
                f"Samba answers so where {self._signer} may not change a name: check option {option}, and who has the "
                "right to the name's record; otherwise the server's log tells why"
            )
            raise DnsError("refused", f"{self} answers {what} with SERVFAIL: {advice}", option)
        elif code == dns.rcode.REFUSED and zone:
            option = "rfc2136.key_name"
            advice = (
                f"its policy lets nobody do this without a key: give options {option} and rfc2136.key_secret, or for "
                "Active Directory rfc2136.authentication gss_tsig"
            )
        elif code == dns.rcode.REFUSED:
            option = "rfc2136.server"
            advice = f"it does not have the zone, or does not say so to this machine: check option {option}"
        elif code == dns.rcode.NOTAUTH:
            option = "rfc2136.zone"
            advice = f"it is not the primary server of the zone: check options {option} and rfc2136.server"
        elif code == dns.rcode.NOTZONE:
            option = "rfc2136.zone"
            advice = f"a name is outside of the zone: check option {option}"
        elif code == dns.rcode.NOTIMP:
            option = "rfc2136.server"
            advice = f"it does not accept dynamic updates: check option {option}"
        else:
            advice = "the server's log tells why"
        name = dns.rcode.to_text(code)
        raise DnsError(name.lower(), f"{self} answers {what} with {name}: {advice}", option)

    @property
    def _unsigned(self) -> str:
        return f"not signed with the key of {self._signer}" if self._kerberos else f"not signed with {self._signer}"

    def __str__(self) -> str:
        return f"name server {shown(self._server, 200)} port {self._port}"


def _tsig_key(key: Key) -> dns.tsig.Key:
    # The only algorithm whose name in messages differs from its usual name.
    algorithm = dns.tsig.HMAC_MD5 if key.algorithm == BROKEN_ALGORITHM else key.algorithm
    try:
        return dns.tsig.Key(key.name, key.secret, algorithm)
    except dns.exception.DNSException as error:
        raise OptionError("rfc2136.key_name", key.name, f"it must be a domain name: {_words(error)}") from error


def _read(message: dns.message.Message, answer: bytes) -> dns.message.Message:
    """Parse an answer to the message, and verify its signature if it has one."""
    return dns.message.from_wire(answer, keyring=message.keyring, request_mac=message.mac)


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _rrset_of(reply: dns.message.Message, name: str, kind: str) -> Optional[dns.rrset.RRset]:
    """The answer's records of this very name."""
    return reply.get_rrset(reply.answer, _name(name), dns.rdataclass.IN, dns.rdatatype.from_text(kind))


def _expect_no_dname(name: str, reply: dns.message.Message) -> None:
    """Raise C(DnsError) if the name lies below one with a DNAME, so that the CNAME in the answer is made up from it."""
    for rrset in reply.answer:
        if rrset.rdtype == dns.rdatatype.DNAME and rrset.name != _name(name) and _name(name).is_subdomain(rrset.name):
            raise DnsError(
                "other_records",
                f"{name} cannot have records of its own, since {_text(rrset.name)} has a DNAME record, which leads all"
                f" names below it to {_text(rrset[0].target)}: remove that record, or name another host",
                "hostnames",
            )


def _value(rdata: dns.rdata.Rdata) -> str:
    text = rdata.to_text()
    return _text(_name(text)) if rdata.rdtype == dns.rdatatype.CNAME else str(ipaddress.ip_address(text))


def _rdataset(records: List[Record], ttl: int) -> dns.rdataset.Rdataset:
    kind = records[0].type
    values = [f"{record.value}." if kind == "CNAME" else record.value for record in records]
    return dns.rdataset.from_text("IN", kind, ttl, *values)


def _says_nothing(rrset: dns.rrset.RRset) -> bool:
    """Whether this is the answer of RFC 8482 to a question for ANY, which says nothing."""
    return rrset.rdtype == dns.rdatatype.HINFO and rrset[0].cpu == b"RFC8482"


def _by_name_and_type(records: List[Record]) -> Dict[Tuple[str, str], List[Record]]:
    found: Dict[Tuple[str, str], List[Record]] = {}
    for record in sorted(records):
        found.setdefault((record.name, record.type), []).append(record)
    return found


def _words(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
