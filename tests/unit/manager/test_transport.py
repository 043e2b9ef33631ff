# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import json
import ssl
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.exceptions import ClosedPoolError

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import MissingLibrary
from ansible_collections.workload_security.agent.plugins.module_utils._manager import limit as limit_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager import pool as pool_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply, Redirected
from ansible_collections.workload_security.agent.plugins.module_utils._manager.gate import Gate
from ansible_collections.workload_security.agent.plugins.module_utils._manager.pool import VERSION
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.unit.manager.conftest import KEY, FakeClock
from tests.unit.manager.https_server import Server, reply


def test_a_search_sends_query_body_and_headers(manager):
    found = {"computers": [{"ID": 1, "hostName": "wéb"}]}
    it = manager(reply(found))
    body = {"searchCriteria": [{"stringValue": "wéb \ud800"}]}
    query = [("expand", "none"), ("expand", "computerStatus"), ("overrides", "true")]
    assert it.transport.read("POST", "/computers/search", query=query, body=body) == found

    request = it.server.requests[0]
    assert request.target == "/api/computers/search?expand=none&expand=computerStatus&overrides=true"
    assert json.loads(request.body) == body
    assert request.headers["api-secret-key"] == KEY
    assert request.headers["api-version"] == "v1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == f"workload_security.agent/{VERSION}"
    assert "Authorization" not in request.headers


def test_a_request_is_sent_in_one_piece(manager, monkeypatch):
    """Its head and its body together, on a connection that is new and on one that is kept."""
    sent = []
    sendall = ssl.SSLSocket.sendall
    monkeypatch.setattr(
        pool_module._LimitedSocket, "sendall", lambda self, data: (sent.append(bytes(data)), sendall(self, data))
    )
    it = manager(reply())
    it.transport.write("POST", "/computers/1", body={"a": 1})
    it.transport.read("GET", "/computers/1")
    assert [one.partition(b" HTTP/1.1")[0] for one in sent] == [b"POST /api/computers/1", b"GET /api/computers/1"]
    assert sent[0].endswith(b'\r\n\r\n{"a": 1}')


def test_the_cloud_gets_the_key_as_authorization(manager):
    it = manager(reply(), key_header="Authorization")
    it.transport.read("GET", "/policies", query={"overrides": "false"})
    request = it.server.requests[0]
    assert request.target == "/api/policies?overrides=false"
    assert request.headers["Authorization"] == f"ApiKey {KEY}"
    assert "api-secret-key" not in request.headers


def test_requests_share_a_connection_and_are_counted(manager):
    it = manager(reply({"ID": 1}))
    for _each in range(3):
        it.transport.read("GET", "/policies/1")
    it.transport.write("POST", "/policies/1", body={})
    it.transport.create("/policies", {})
    it.transport.write("DELETE", "/policies/1")
    assert it.server.accepted == 1
    assert (it.transport.requests_sent, it.transport.writes_sent) == (6, 3)
    assert it.clock.sleeps == []


def test_threads_share_no_more_connections_than_allowed(manager):
    barrier = threading.Barrier(4, timeout=60)

    def together(handler, request):
        # Passed only if four requests are under way at once.
        barrier.wait()
        reply({"target": request.target})(handler, request)

    it = manager(together, concurrency=4)
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda n: it.transport.read("GET", f"/policies/{n}"), range(64)))
    assert [entry["target"] for entry in replies] == [f"/api/policies/{n}" for n in range(64)]
    assert it.server.accepted == 4
    assert it.transport.requests_sent == 64


def test_a_compressed_reply_of_several_pieces(manager, monkeypatch):
    monkeypatch.setattr(pool_module, "_PIECE", 100)
    page = {"computers": [{"ID": number, "hostName": f"host-{number}"} for number in range(1000)]}
    it = manager(reply(gzip.compress(json.dumps(page).encode()), Content_Encoding="gzip"))
    assert it.transport.read("POST", "/computers/search", body={}) == page
    assert it.transport.read("POST", "/computers/search", body={}) == page
    assert it.server.requests[0].headers["Accept-Encoding"] == "gzip"
    assert it.server.accepted == 1


def test_a_chunked_reply(manager):
    def chunked(handler, request):
        handler.wfile.write(
            handler.head(200, {"Transfer-Encoding": "chunked"}) + b'4\r\n{"ID\r\n5\r\n": 7}\r\n0\r\n\r\n'
        )

    it = manager(chunked)
    assert it.transport.read("GET", "/policies/7") == {"ID": 7}
    assert it.transport.read("GET", "/policies/7") == {"ID": 7}
    assert it.server.accepted == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_a_reply_beyond_all_bounds_is_refused_and_the_pool_survives(manager, monkeypatch, compressed):
    monkeypatch.setattr(limit_module, "LARGEST_REPLY", 1000)
    body = b'{"name": "' + b"x" * 10**6 + b'"}'
    large = reply(gzip.compress(body), Content_Encoding="gzip") if compressed else reply(body)
    it = manager(large, large, large, reply({"ID": 1}), concurrency=1)
    for _each in range(3):
        with pytest.raises(BadReply, match="larger than 1000 bytes"):
            it.transport.read("GET", "/policies")
    assert it.transport.read("GET", "/policies/1") == {"ID": 1}


@pytest.mark.parametrize("answer", [reply(b"", 204), reply(b""), reply(b"null"), reply(b'""'), reply(b" ")])
def test_a_delete_may_answer_nothing(manager, answer):
    it = manager(answer)
    assert it.transport.write("DELETE", "/firewallrules/3") is None


def test_a_delete_may_answer_an_object(manager):
    it = manager(reply({"value": "10 Minutes"}), reply({}))
    assert it.transport.write("DELETE", "/policies/1/settings/x") == {"value": "10 Minutes"}
    assert it.transport.write("DELETE", "/policies/1/settings/x") == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_not_followed(manager, status, method):
    other = manager(reply())
    it = manager(reply(status=status, Location=f"https://127.0.0.1:{other.server.port}/api/policies?key={KEY}"))
    with pytest.raises(Redirected, match=rf"127.0.0.1:{other.server.port}/api/policies\?key=\*+ ") as caught:
        it.transport.read(method, "/policies")
    assert other.server.requests == []
    assert (len(it.server.requests), caught.value.status, caught.value.outcome_unknown) == (1, status, False)


def test_an_address_and_a_name_are_verified(certificates):
    for host in ("127.0.0.1", "::1"):
        with Server(certificates.context, reply({"ID": 1}), host=host) as server:
            shown = f"[{host}]" if ":" in host else host
            for name in (shown, *(["localhost"] if host == "127.0.0.1" else [])):
                url = f"https://{name}:{server.port}/api"
                with Transport(Connection(url=url, api_key=KEY, ca_path=certificates.path)) as transport:
                    assert transport.read("GET", "/policies/1") == {"ID": 1}
                assert server.requests[-1].headers["Host"] == f"{name}:{server.port}"


def test_a_manager_in_a_folder_of_a_web_server(manager, certificates):
    it = manager(reply({"ID": 1}))
    options = {
        "url": f"{it.transport.url.removesuffix('/api')}/sites/dsm/",
        "api_key": KEY,
        "ca_path": certificates.path,
    }
    with Transport(Connection.from_options(options)) as transport:
        assert transport.read("POST", "/policies/search", query={"overrides": "true"}, body={}) == {"ID": 1}
    assert it.asked == ["POST /sites/dsm/api/policies/search?overrides=true"]


def test_without_verification_no_warning_reaches_standard_error(manager, certificates, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        it = manager(reply({"ID": 1}), context=certificates.for_names("elsewhere"), ca_path=None, validate_certs=False)
        assert it.transport.read("GET", "/policies/1") == {"ID": 1}
    assert caught == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("trusted", ["authority", "certificate"])
def test_certificates_with_formal_faults_are_verified_all_the_same(tmp_path, trusted):
    # Neither has a key identifier, which Python 3.13 alone would refuse; and the second is no authority's.
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _each in range(2))
    authority = _certificate("authority", authority_key, "authority", authority_key, x509.BasicConstraints(True, None))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = _certificate("manager", key, "authority", authority_key, names)
    (tmp_path / "authority.pem").write_bytes(authority)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with Server(context, reply({"ID": 1})) as server:
        connection = Connection(
            url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=str(tmp_path / f"{trusted}.pem")
        )
        with Transport(connection) as transport:
            assert transport.read("GET", "/policies/1") == {"ID": 1}


def _certificate(name, key, issuer, issuer_key, extension):
    """A certificate in PEM format, valid for a day, with that extension only."""
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_proxies_of_the_environment_are_not_used(manager, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert manager(reply({"ID": 1})).transport.read("GET", "/policies/1") == {"ID": 1}


def test_a_closed_transport_says_so(manager):
    it = manager(reply())
    it.transport.close()
    with pytest.raises(ClosedPoolError):
        it.transport.read("GET", "/policies")
    assert it.clock.sleeps == []


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(pool_module, "URLLIB3_IMPORT_ERROR", "No module named 'urllib3'")
    with pytest.raises(MissingLibrary) as caught:
        Transport(Connection(url="https://127.0.0.1/api", api_key=KEY))
    assert (caught.value.library, caught.value.reason) == ("urllib3 >= 2.7", "No module named 'urllib3'")


def test_pacing_spaces_all_attempts(manager, clock):
    it = manager(reply(status=500), reply({"ID": 1}), requests_per_minute=30)
    starts = []
    real = it.transport._pool._pool.urlopen
    it.transport._pool._pool.urlopen = lambda *args, **kwargs: (starts.append(clock.now), real(*args, **kwargs))[1]
    for _each in range(3):
        it.transport.read("GET", "/policies/1")
    assert starts == [1000.0, 1002.0, 1004.0, 1006.0]


@given(
    rate=st.integers(1, 600),
    # What happens before each request: nothing, a pause of so many seconds, or a 429 with or without Retry-After.
    events=st.lists(
        st.one_of(st.none(), st.floats(0.001, 90), st.tuples(st.one_of(st.none(), st.floats(0, 120)))),
        min_size=1,
        max_size=300,
    ),
    dice=st.randoms(use_true_random=False),
)
@settings(max_examples=200)
def test_never_more_than_the_rate_in_any_minute(rate, events, dice):
    clock = FakeClock()
    gate = Gate(clock, dice.random, rate)
    starts = []
    for event in events:
        if isinstance(event, float):
            clock.sleep(event)
        starts.append(gate.enter())
        if isinstance(event, tuple):
            gate.refused(starts[-1], event[0])
        else:
            gate.accepted(starts[-1])
    # A microsecond of the sums' rounding.
    assert all(later - earlier >= 60 - 1e-6 for earlier, later in zip(starts, starts[rate:]))


def test_pacing_holds_for_threads(certificates):
    with Server(certificates.context, reply({"ID": 1})) as server:
        connection = Connection(
            url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path, requests_per_minute=1200
        )
        starts = []
        with Transport(connection) as transport, ThreadPoolExecutor(8) as threads:
            real = transport._gate.enter

            def enter():
                starts.append(real())
                return starts[-1]

            transport._gate.enter = enter
            list(threads.map(lambda _n: transport.read("GET", "/policies/1"), range(16)))
    starts.sort()
    assert all(later - earlier >= 0.05 - 1e-6 for earlier, later in zip(starts, starts[1:]))


def test_the_key_is_in_no_repr(certificates):
    connection = Connection(url="https://127.0.0.1:1/api", api_key=KEY, ca_path=certificates.path)
    with Transport(connection) as transport:
        for thing in (connection, transport, replace(connection, timeout=1)):
            assert KEY not in f"{thing!r} {thing}"
        assert "https://127.0.0.1:1/api" in repr(transport)
