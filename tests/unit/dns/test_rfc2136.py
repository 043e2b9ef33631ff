# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic updates, against a small server that does what it should, or does not. Real BIND is in tests/end_to_end."""

from __future__ import annotations

import base64
import itertools
import time
import typing as t

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError, Problem
from ansible_collections.workload_security.agent.plugins.module_utils._dns import primary
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from ansible_collections.workload_security.agent.plugins.module_utils._dns.rfc2136 import Rfc2136
from ansible_collections.workload_security.agent.plugins.module_utils._dns.tsig_key import ALGORITHMS
from tests.unit.dns.primary_server import PrimaryServer

ZONE = "lab.test"
NAME = "dsm.lab.test"
SECRET = base64.b64encode(b"the secret that nobody may see").decode()
KEY = dns.tsig.Key("ansible", SECRET, "hmac-sha256")


@pytest.fixture(name="server")
def server_fixture() -> t.Iterator[PrimaryServer]:
    with PrimaryServer(ZONE, "other.test", key=KEY) as server:
        yield server


def place(asked: PrimaryServer, **options: t.Any) -> Rfc2136:
    """The place that a playbook would name, with the options that matter to the test."""
    given_options = dict(
        server=asked.address,
        port=asked.port,
        zone=None,
        key_name="ansible",
        key_secret=SECRET,
        key_algorithm="hmac-sha256",
        key_file=None,
        allow_hmac_md5=False,
        authentication=None,
        principal=None,
        keytab=None,
        ticket_cache=None,
        server_name=None,
        protocol="udp",
        timeout=3,
    )
    return Rfc2136({**given_options, **options})


def a(*values: str, name: str = NAME, ttl: int = 300) -> list[Record]:
    return [Record(name, "A", value, ttl) for value in sorted(values)]


def cname(value: str, name: str = NAME) -> list[Record]:
    return [Record(name, "CNAME", value, 300)]


def bring(asked: PrimaryServer, after: list[Record], names: t.Sequence[str] = (NAME,), **options: t.Any) -> None:
    """Read, check and write, as the module does."""
    there = place(asked, **options)
    before = there.read(list(names))
    there.conflicts(after)
    there.write(before, after)


def failure(asked: PrimaryServer, after: list[Record], **options: t.Any) -> Problem:
    """How the same fails."""
    with pytest.raises(Problem) as caught:
        bring(asked, after, **options)
    assert SECRET not in str(caught.value)
    return caught.value


# -- options


@pytest.mark.parametrize(
    "option, value",
    [
        ("server", " "),
        ("port", 0),
        ("port", 65536),
        ("timeout", 0.01),
        ("timeout", 3600.0),
        ("zone", "not a zone"),
        ("zone", "example.com"),
        ("zone", "ab.test"),
        ("zone", "x.dsm.lab.test"),
        ("key_name", None),
        ("key_name", "a..b"),
        ("key_secret", None),
        ("key_secret", "it's no base64"),
    ],
)
def test_a_bad_option_is_named_before_anything_is_sent(server, option, value):
    error = failure(server, a("192.0.2.1"), **{option: value})
    assert (error.code, error.option) == ("bad_option", f"rfc2136.{option}")
    assert f"'rfc2136.{option}'" in str(error)
    assert option == "key_secret" or value is None or repr(value) in str(error)
    assert "base64" in str(error) or "it's" not in str(error)
    assert not server.questions and not server.updates


def test_the_missing_library_is_named(server, monkeypatch):
    monkeypatch.setattr(primary, "DNSPYTHON_IMPORT_ERROR", "No module named 'dns'")
    error = failure(server, [])
    assert error.code == "missing_library"
    assert "dnspython" in str(error)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_signs(algorithm):
    with PrimaryServer(ZONE, key=dns.tsig.Key("ansible", SECRET, algorithm)) as server:
        bring(server, a("192.0.2.1"), key_algorithm=algorithm)
        assert server.get(NAME, "A") == {"192.0.2.1"}


def test_an_algorithm_that_is_broken_is_refused_with_its_reason_unless_asked_for():
    with PrimaryServer(ZONE, key=dns.tsig.Key("ansible", SECRET, dns.tsig.HMAC_MD5)) as server:
        error = failure(server, a("192.0.2.1"), key_algorithm="hmac-md5")
        assert (error.code, error.option) == ("bad_option", "rfc2136.key_algorithm")
        assert "RFC 8945" in str(error) and "rfc2136.allow_hmac_md5" in str(error)
        assert not server.questions
        bring(server, a("192.0.2.1"), key_algorithm="hmac-md5", allow_hmac_md5=True)
        assert server.get(NAME, "A") == {"192.0.2.1"}


def test_what_stands_around_a_secret_does_not_count(server):
    bring(server, a("192.0.2.1"), key_name="ansible\n", key_secret=f" {SECRET}\r\n", key_algorithm=None)
    assert server.get(NAME, "A") == {"192.0.2.1"}


def test_the_key_comes_from_a_file_and_what_fails_names_the_file(server, tmp_path):
    file = tmp_path / "ansible.key"
    file.write_text(f'key "ansible" {{ algorithm hmac-sha256; secret "{SECRET}"; }};', encoding="ascii")
    from_file = dict(key_name=None, key_secret=None, key_algorithm=None, key_file=str(file))
    bring(server, a("192.0.2.1"), **from_file)
    assert server.get(NAME, "A") == {"192.0.2.1"}
    server.fault = rejecting("BADSIG")
    error = failure(server, a("192.0.2.2"), **from_file)
    assert (error.code, error.option) == ("bad_signature", "rfc2136.key_file")


def test_a_server_may_know_hosts_by_their_address_and_need_no_key():
    with PrimaryServer(ZONE) as server:
        bring(server, a("192.0.2.1"), key_name=None, key_secret=None)
        assert server.get(NAME, "A") == {"192.0.2.1"}


def test_what_some_pythons_read_as_an_empty_secret_still_signs(server, monkeypatch):
    monkeypatch.setattr(base64, "b64decode", lambda _text, **_options: b"")
    with pytest.raises(OptionError) as caught:
        place(server, key_secret="==").read([NAME])
    assert (caught.value.code, caught.value.option) == ("bad_option", "rfc2136.key_secret")
    assert not server.questions


# -- what is read and written


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_records_are_made_changed_and_removed(server, protocol):
    after = [*a("192.0.2.1", "192.0.2.2"), Record(NAME, "AAAA", "2001:db8::1", 300)]
    bring(server, after, protocol=protocol)
    assert place(server).read([NAME]) == after
    bring(server, a("192.0.2.3"), protocol=protocol)
    assert place(server).read([NAME]) == a("192.0.2.3")
    bring(server, [], protocol=protocol)
    assert not server.sets
    assert server.updates == 3


def test_another_ttl_is_a_change(server):
    bring(server, a("192.0.2.1", ttl=300))
    bring(server, a("192.0.2.1", ttl=60))
    assert server.sets[NAME, "A"] == (60, {"192.0.2.1"})


def test_without_a_difference_nothing_is_sent(server):
    server.put(NAME, "A", "192.0.2.1")
    bring(server, a("192.0.2.1"))
    assert server.updates == 0


def test_addresses_replace_an_alias_and_the_other_way_round(server):
    server.put(NAME, "A", "192.0.2.1")
    bring(server, cname("elsewhere.example.com"))
    assert server.sets == {(NAME, "CNAME"): (300, {"elsewhere.example.com."})}
    bring(server, a("192.0.2.1"))
    assert server.sets == {(NAME, "A"): (300, {"192.0.2.1"})}


def test_records_of_other_types_and_names_are_left_alone(server):
    server.put(NAME, "TXT", '"kept"')
    server.put(f"x.{NAME}", "A", "192.0.2.9")
    bring(server, a("192.0.2.1"))
    bring(server, [])
    assert server.sets.keys() == {(NAME, "TXT"), (f"x.{NAME}", "A")}


def test_an_alias_cannot_stand_beside_other_records(server):
    server.put(NAME, "A", "192.0.2.1")
    server.put(NAME, "TXT", '"kept"')
    server.put(NAME, "MX", "10 mail.lab.test.")
    error = failure(server, cname("elsewhere.example.com"))
    assert (error.code, error.option) == ("other_records", "cname")
    assert NAME in str(error) and "MX, TXT" in str(error)
    assert server.updates == 0


def test_a_record_that_comes_to_stand_beside_an_alias_fails_the_update(server):
    server.put(NAME, "A", "192.0.2.1")
    server.on_update = lambda _number: server.put(NAME, "TXT", '"new"')
    failure(server, cname("elsewhere.example.com"))
    assert server.get(NAME, "A") == {"192.0.2.1"} and not server.get(NAME, "CNAME")


NAMES_OF_TWO_ZONES = [NAME, "a.other.test", "b.other.test"]


def test_the_zones_of_names_are_found_and_each_is_updated_once(server):
    bring(server, sorted(r for name in NAMES_OF_TWO_ZONES for r in a("192.0.2.1", name=name)), NAMES_OF_TWO_ZONES)
    assert {name for name, _kind in server.sets} == set(NAMES_OF_TWO_ZONES)
    assert server.updates == 2


def test_a_failure_tells_which_zones_were_changed_before_it(server):
    def refuse_lab(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE and server.updates == 2:
            reply.set_rcode(dns.rcode.REFUSED)
        return reply

    server.fault = refuse_lab
    there = place(server)
    before = there.read([*NAMES_OF_TWO_ZONES])
    with pytest.raises(DnsError, match=r"zone other\.test with REFUSED.*before that, zone lab\.test had been changed"):
        there.write(before, sorted(r for name in NAMES_OF_TWO_ZONES for r in a("192.0.2.1", name=name)))


def test_the_zone_of_an_alias_is_its_own(server):
    server.put(NAME, "CNAME", "a.other.test.")
    bring(server, a("192.0.2.1"))
    assert server.get(NAME, "A") == {"192.0.2.1"}


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.99"])
def test_what_a_wildcard_answers_is_not_the_names_own(server, address):
    server.put("*.lab.test", "A", "192.0.2.99")
    server.put("*.lab.test", "TXT", '"everywhere"')
    there = place(server)
    assert there.read([NAME]) == []
    assert there.conflicts(cname("elsewhere.example.com")) == [] and not there.warnings
    assert there.conflicts([]) == []
    assert NAME in there.warnings[0] and "wildcard" in there.warnings[0]
    bring(server, a(address))
    assert place(server).read([NAME]) == a(address)
    bring(server, [])
    assert server.sets.keys() == {("*.lab.test", "A"), ("*.lab.test", "TXT")}


@pytest.mark.parametrize(
    ("name", "wildcards"),
    [
        (NAME, [f"*.{NAME}"]),
        (NAME, [f"*.{NAME}", "*.lab.test"]),
        (ZONE, ["*.lab.test"]),
    ],
    ids=["below it", "below and beside it", "of the zone itself"],
)
@pytest.mark.parametrize("zone", [None, ZONE])
def test_a_name_is_not_taken_for_a_wildcard_s_that_has_one_below_it(server, name, wildcards, zone):
    server.put(name, "A", "192.0.2.1")
    for wildcard in wildcards:
        server.put(wildcard, "A", "192.0.2.99")
    there = place(server, zone=zone)
    assert there.read([name]) == a("192.0.2.1", name=name)
    server.put(name, "TXT", '"kept"')
    with pytest.raises(DnsError, match="TXT"):
        there.conflicts(cname("elsewhere.example.com", name=name))
    bring(server, a("192.0.2.2", name=name), [name], zone=zone)
    assert server.get(name, "A") == {"192.0.2.2"}


def test_the_longest_name_is_not_too_long_to_look_for_wildcards(server):
    name = ".".join(["a" * 60] * 4) + ".lab.test"
    assert len(name) == 253 - 1
    bring(server, a("192.0.2.1", name=name), names=[name])
    assert server.get(name, "A") == {"192.0.2.1"}


names = st.sampled_from([NAME, "a.lab.test", "b.a.lab.test"])
addresses = st.sets(st.sampled_from(["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", "AAAA 2001:db8::2"]))
targets = st.sampled_from([{"CNAME one.example.com"}, {"CNAME two.example.com"}])
states = st.dictionaries(names, addresses | targets)


def records_of(state: dict[str, set[str]], ttl: int) -> list[Record]:
    return sorted(Record(name, *value.split(), ttl) for name, values in state.items() for value in values)


@settings(max_examples=60)
@given(before=states, after=states, ttl=st.sampled_from([60, 300]))
def test_any_state_is_brought_to_any_other(server, before, after, ttl):
    server.sets.clear()
    bring(server, records_of(before, 300), list(before))
    asked = sorted({*before, *after})
    bring(server, records_of(after, ttl), asked)
    assert place(server).read(asked) == records_of(after, ttl)
    # Read without the code that wrote, too.
    held = {
        f"{name} {kind} {value.rstrip('.')}" for (name, kind), (_ttl, found) in server.sets.items() for value in found
    }
    assert held == {f"{name} {value}" for name, values in after.items() for value in values}


# -- others who write


def test_a_change_since_the_reading_is_not_overwritten(server):
    server.put(NAME, "A", "192.0.2.1")
    server.on_update = lambda _number: server.put(NAME, "A", "192.0.2.7")
    error = failure(server, a("192.0.2.2"))
    assert error.code == "concurrent_change"
    assert "A 192.0.2.7" in str(error) and "A 192.0.2.1" in str(error)
    assert server.get(NAME, "A") == {"192.0.2.7"}


def test_a_record_made_since_the_reading_is_not_overwritten(server):
    server.on_update = lambda _number: server.put(NAME, "AAAA", "2001:db8::7")
    assert failure(server, a("192.0.2.2")).code == "concurrent_change"
    assert server.sets == {(NAME, "AAAA"): (300, {"2001:db8::7"})}


def test_two_who_wish_the_same_both_succeed(server):
    server.on_update = lambda _number: server.put(NAME, "A", "192.0.2.2")
    bring(server, a("192.0.2.2"))
    assert server.get(NAME, "A") == {"192.0.2.2"}


def test_a_change_that_was_taken_back_is_tried_again(server):
    server.put(NAME, "A", "192.0.2.1")
    server.on_update = lambda number: number == 1 and server.put(NAME, "A", "192.0.2.7")

    def take_back(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE and server.updates == 1:
            server.put(NAME, "A", "192.0.2.1")
        return reply

    server.fault = take_back
    bring(server, a("192.0.2.2"))
    assert server.get(NAME, "A") == {"192.0.2.2"}


def test_a_name_below_a_dname_is_refused_before_anything_is_sent(server):
    def below_a_dname(query, _over_tcp, reply):
        reply.answer = [
            dns.rrset.from_text("lab.test.", 60, "IN", "DNAME", "other.test."),
            dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "dsm.other.test."),
        ]
        return reply

    server.fault = below_a_dname
    for after in (a("192.0.2.2"), []):
        error = failure(server, after, zone="lab.test")
        assert (error.code, error.option) == ("other_records", "hostnames")
        assert "lab.test has a DNAME record, which leads all names below it to other.test" in str(error)
    assert server.updates == 0


def test_a_server_that_answers_what_it_does_not_hold_is_not_asked_for_ever(server):
    def another_view(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.QUERY and query.question[0].rdtype == dns.rdatatype.A:
            reply.answer = [dns.rrset.from_text(f"{NAME}.", 300, "IN", "A", "192.0.2.50")]
        if query.opcode() == dns.opcode.UPDATE:
            reply.set_rcode(dns.rcode.NXRRSET)
        return reply

    server.fault = another_view
    server.put(NAME, "AAAA", "2001:db8::1")
    error = failure(server, a("192.0.2.2"))
    assert (error.code, error.option) == ("not_as_read", "rfc2136.server")
    assert server.updates < 12


def test_an_update_counts_when_the_server_shows_it(server):
    server.ignores_updates = True
    error = failure(server, a("192.0.2.2"))
    assert error.code == "not_kept"
    assert f"nothing instead of '{NAME} 300 A 192.0.2.2' for {NAME}" in str(error)


# -- the network


def test_a_lost_answer_does_no_harm(server):
    lost = []

    def lose_one(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE and not lost:
            lost.append(query)
            return None
        return reply

    server.fault = lose_one
    bring(server, a("192.0.2.1"))
    assert lost and server.updates == 2
    assert server.get(NAME, "A") == {"192.0.2.1"}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_silent_server_costs_a_bounded_time(server, protocol):
    server.fault = lambda _query, _over_tcp, _reply: None
    started = time.monotonic()
    error = failure(server, a("192.0.2.1"), protocol=protocol, timeout=0.6)
    assert (error.code, error.option) == ("no_answer", "rfc2136.server")
    assert time.monotonic() - started < 20


def unsigned_refusal(_query, _over_tcp, reply):
    reply.tsig = None
    reply.set_rcode(dns.rcode.REFUSED)
    return reply


def badly_signed(_query, _over_tcp, reply):
    reply.use_tsig(dns.tsig.Key("ansible", b"another secret", "hmac-sha256"))
    return reply


def rejected(query, _over_tcp, _reply):
    reply = dns.message.make_response(query, tsig_error=dns.rcode.BADKEY)
    reply.set_rcode(dns.rcode.NOTAUTH)
    return reply


# What may come back for an update, and nobody can believe.
DOUBTS = [
    (lambda *_any: None, "no_answer"),
    (badly_signed, "bad_answer"),
    (unsigned_refusal, "refused"),
    (rejected, "bad_key"),
    (lambda *_any: b"", "no_answer"),
    (lambda *_any: b"x" * 40, "bad_answer"),
]


def doubtful(server, answer, *, then_silent=False):
    """Let the server answer updates so, and questions truly, or after an update not at all."""
    seen = []

    def fault(query, over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE:
            seen.append(query)
            return answer(query, over_tcp, reply)
        return None if seen and then_silent else reply

    server.fault = fault


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("answer, _code", DOUBTS)
def test_an_update_without_an_answer_to_believe_is_done_if_the_server_then_shows_it(server, answer, _code, protocol):
    doubtful(server, answer)
    bring(server, a("192.0.2.1"), protocol=protocol)
    assert server.get(NAME, "A") == {"192.0.2.1"}


@pytest.mark.slow
@pytest.mark.parametrize("answer, code", DOUBTS)
def test_it_is_not_done_if_the_server_shows_what_it_held(server, answer, code):
    server.ignores_updates = True
    doubtful(server, answer)
    error = failure(server, a("192.0.2.1"))
    assert "the server shows that the change was not made" in str(error)
    assert error.code in (code, "bad_answer") and "not known" not in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("answer, code", DOUBTS)
def test_it_is_not_known_if_the_server_does_not_show_either(server, answer, code):
    doubtful(server, answer, then_silent=True)
    error = failure(server, a("192.0.2.1"))
    assert "; it is not known whether the change was made" in str(error)
    assert error.code in (code, "bad_answer")
    # Nor where something else is there.
    server.sets.clear()
    doubtful(server, answer)
    server.on_update = lambda _number: server.put(NAME, "A", "192.0.2.77")
    assert "it is not known whether the change was made: the server now answers" in str(failure(server, a("192.0.2.1")))


def test_a_refusal_that_is_signed_is_believed(server):
    def refuse(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE:
            reply.set_rcode(dns.rcode.REFUSED)
        return reply

    server.fault = refuse
    server.ignores_updates = True
    error = failure(server, a("192.0.2.1"))
    assert error.code == "refused" and "not known" not in str(error)


@pytest.mark.parametrize("key", [KEY, None])
def test_datagrams_that_are_no_answer_are_passed_over(key):
    """Whoever can guess where the answer goes sends others before it."""

    def flood(query, over_tcp, reply):
        honest = reply.to_wire()
        if over_tcp:
            return honest

        def forged(forge):
            made = forge(query, over_tcp, dns.message.from_wire(honest, keyring=key, request_mac=query.mac))
            return made.to_wire() if isinstance(made, dns.message.Message) else made

        forges = [other_id, garbage, short, no_answer, *([unsigned, unsigned_denial, badly_signed] if key else [])]
        return [b"", *map(forged, forges), honest]

    with PrimaryServer(ZONE, key=key) as server:
        server.fault = flood
        bring(server, a("192.0.2.1"), **({} if key else {"key_name": None, "key_secret": None}))
        assert server.get(NAME, "A") == {"192.0.2.1"}


def test_nobody_listens(server):
    with PrimaryServer(ZONE) as stopped:
        pass
    assert failure(stopped, [], protocol="tcp").code == "no_answer"


def test_a_server_without_an_address(server):
    error = failure(server, [], server="no.such.host.invalid")
    assert (error.code, error.option) == ("no_address", "rfc2136.server")


def test_a_server_by_name(server):
    bring(server, a("192.0.2.1"), server="localhost")
    assert server.get(NAME, "A") == {"192.0.2.1"}


def test_each_address_of_the_server_is_tried(server, monkeypatch):
    look_up = primary.socket.getaddrinfo

    def both(host, *arguments, **options):
        hosts = ("127.0.0.77", server.address) if host == "ns1.lab.test" else (host,)
        return [found for name in hosts for found in look_up(name, *arguments, **options)]

    monkeypatch.setattr(primary.socket, "getaddrinfo", both)
    bring(server, a("192.0.2.1"), server="ns1.lab.test", protocol="tcp")
    assert server.get(NAME, "A") == {"192.0.2.1"}


def test_long_answers_and_long_updates_come_over_tcp(server):
    many = a(*(f"192.0.2.{number}" for number in range(60)))
    ways = set()

    def note(query, over_tcp, reply):
        ways.add((dns.opcode.to_text(query.opcode()), over_tcp))
        if not over_tcp and len(reply.to_wire()) > 512:
            reply.flags |= dns.flags.TC
            reply.answer = []
        return reply

    server.fault = note
    bring(server, many)
    assert place(server).read([NAME]) == sorted(many)
    assert ways == {("QUERY", False), ("QUERY", True), ("UPDATE", True)}


def other_id(_query, _over_tcp, reply):
    reply.id ^= 1
    return reply


def other_question(query, _over_tcp, reply):
    reply.question = [dns.rrset.from_text("other.lab.test.", 0, "IN", "A")]
    return reply


def other_key(query, _over_tcp, reply):
    reply.use_tsig(dns.tsig.Key("ansible", b"another secret", "hmac-sha256"))
    return reply


def unsigned(query, _over_tcp, reply):
    reply.tsig = None
    return reply


def unsigned_denial(_query, _over_tcp, reply):
    reply.tsig = None
    reply.answer = []
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


def garbage(_query, _over_tcp, _reply):
    return b"\xff" * 40


def short(_query, _over_tcp, reply):
    return reply.to_wire()[:20]


def no_answer(_query, _over_tcp, reply):
    reply.flags &= ~dns.flags.QR
    return reply


FORGED = [no_answer, other_id, other_key, unsigned, unsigned_denial, garbage, short]


@pytest.mark.slow
@pytest.mark.parametrize(
    "opcode, forge",
    # An update has no question.
    [(dns.opcode.QUERY, other_question), *itertools.product([dns.opcode.QUERY, dns.opcode.UPDATE], FORGED)],
)
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_forged_answer_is_not_believed(server, forge, protocol, opcode):
    server.ignores_updates = True
    server.fault = lambda query, over_tcp, reply: forge(query, over_tcp, reply) if query.opcode() == opcode else reply
    assert failure(server, a("192.0.2.1"), protocol=protocol).code == "bad_answer"


def test_only_the_primary_server_is_asked(server):
    def resolver(_query, _over_tcp, reply):
        reply.flags &= ~dns.flags.AA
        return reply

    server.fault = resolver
    error = failure(server, a("192.0.2.1"))
    assert (error.code, error.option) == ("not_authoritative", "rfc2136.server")


# -- refusals


@pytest.mark.parametrize(
    "code, option, word",
    [
        (dns.rcode.REFUSED, "rfc2136.key_name", "policy"),
        (dns.rcode.NOTAUTH, "rfc2136.zone", "primary"),
        (dns.rcode.NOTZONE, "rfc2136.zone", "outside"),
        (dns.rcode.NOTIMP, "rfc2136.server", "dynamic updates"),
        (dns.rcode.SERVFAIL, None, "log"),
    ],
)
def test_a_refused_update_names_the_option_to_look_at(server, code, option, word):
    def refuse(query, _over_tcp, reply):
        if query.opcode() == dns.opcode.UPDATE:
            reply.set_rcode(code)
        return reply

    server.fault = refuse
    error = failure(server, a("192.0.2.1"))
    assert (error.code, error.option) == (dns.rcode.to_text(code).lower(), option)
    assert dns.rcode.to_text(code) in str(error) and word in str(error)
    assert option is None or option in str(error)


def test_a_refused_update_without_a_key_says_that_one_is_needed():
    with PrimaryServer(ZONE) as server:
        server.fault = lambda query, _over_tcp, reply: (
            reply.set_rcode(dns.rcode.REFUSED if query.opcode() == dns.opcode.UPDATE else reply.rcode()),
            reply,
        )[1]
        error = failure(server, a("192.0.2.1"), key_name=None, key_secret=None)
        assert "without a key" in str(error) and "rfc2136.key_secret" in str(error)


def test_a_zone_that_the_server_does_not_have(server):
    error = failure(server, [], names=["dsm.example.com"])
    assert (error.code, error.option) == ("refused", "rfc2136.server")
    error = failure(server, a("192.0.2.1"), zone="test")
    assert (error.code, error.option) == ("notauth", "rfc2136.zone")


def rejecting(word):
    """The server does not take signatures."""

    def reject(query, _over_tcp, _reply):
        reply = dns.message.make_response(query, tsig_error=dns.rcode.from_text(word))
        reply.set_rcode(dns.rcode.NOTAUTH)
        return reply

    return reject


@pytest.mark.parametrize(
    "word, code, option",
    [
        ("BADSIG", "bad_signature", "rfc2136.key_secret"),
        ("BADKEY", "bad_key", "rfc2136.key_name"),
        ("BADTIME", "bad_time", None),
    ],
)
def test_a_rejected_signature_names_what_is_wrong(server, word, code, option):
    server.fault = rejecting(word)
    error = failure(server, a("192.0.2.1"))
    assert (error.code, error.option) == (code, option)
    assert word in str(error)


def test_more_names_than_one_update_holds(server):
    # As long as names can be: fewer of them make an update of 64 KiB.
    many = [".".join([f"{number:060}"] * 3) + ".lab.test" for number in range(200)]
    after = [record for name in many for record in a("192.0.2.1", name=name)]
    error = failure(server, sorted(after), names=many, zone=ZONE)
    assert (error.code, error.option) == ("too_big", "hostnames")
    assert server.updates == 0
