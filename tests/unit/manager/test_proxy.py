# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager through a real proxy, and the options and variables that name one."""

from __future__ import annotations

import base64
import dataclasses
import re
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.proxy import (
    Proxy,
    may_hold_password,
    proxy_secrets,
    read_proxy,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.lab.proxy import LabProxy
from tests.unit.manager.conftest import KEY
from tests.unit.manager.https_server import Drip, Server, cut_after, reply

URL = "https://dsm.example.com:4119/api"


@pytest.fixture(name="proxy", scope="module")
def proxy_fixture(tmp_path_factory):
    with LabProxy(tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture
def reach(certificates, clock):
    """Starts a server with a script, and a transport to it with these options."""
    with ExitStack() as stack:

        def start(*actions, context=certificates.context, environment=None, **options):
            server = stack.enter_context(Server(context, *actions))
            connection = Connection.from_options(
                {
                    "url": f"https://127.0.0.1:{server.port}",
                    "api_key": KEY,
                    "ca_path": certificates.path,
                    **options,
                },
                environment or {},
            )
            return server, stack.enter_context(Transport(connection, clock=clock, random=lambda: 0.0))

        yield start


def fails(transport, kind, *secrets):
    with pytest.raises(errors.ManagerError) as caught:
        transport.create("/policies", {})
    assert caught.value.__class__ is kind and not caught.value.outcome_unknown
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value.as_failure())
    assert not [secret for secret in secrets if secret in whole]
    return caught.value


def test_requests_go_through_the_proxy_on_one_connection(proxy, reach):
    server, transport = reach(reply({"ID": 1}), proxy=proxy.url)
    before = len(proxy.tunnels)
    for _each in range(3):
        assert transport.read("GET", "/policies/1") == {"ID": 1}
    assert transport.create("/policies", {"name": "x"}) == {"ID": 1}
    assert (server.accepted, proxy.tunnels[before:]) == (1, [f"127.0.0.1:{server.port}"])
    request = server.requests[0]
    assert (request.target, request.headers["api-secret-key"]) == ("/api/policies/1", KEY)
    assert request.headers["Host"] == f"127.0.0.1:{server.port}"
    assert not [name for name in request.headers if name.lower().startswith("proxy")]


def test_requests_at_once_have_connections_of_their_own(proxy, reach):
    barrier = threading.Barrier(4, timeout=60)

    def together(handler, request):
        barrier.wait()
        reply({"ID": 1})(handler, request)

    server, transport = reach(together, proxy=proxy.url, concurrency=4)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _n: transport.read("GET", "/policies/1"), range(8))) == [{"ID": 1}] * 8
    assert server.accepted == 4


def test_a_connection_that_ended_is_replaced(proxy, reach, clock):
    server, transport = reach(cut_after({"ID": 1}), proxy=proxy.url)
    for _each in range(3):
        assert transport.read("GET", "/policies/1") == {"ID": 1}
    assert server.accepted == 3


def test_the_managers_certificate_is_verified_by_its_own_name(proxy, reach, certificates):
    server, transport = reach(reply(), context=certificates.for_names("proxy.example"), proxy=proxy.url)
    message = fails(transport, errors.UntrustedCertificate, proxy.password).message
    # It may be the certificate of a proxy that looks into connections.
    assert message.endswith(f"127.0.0.1', through the proxy 127.0.0.1 port {proxy.port} (from option proxy)")
    assert server.requests == []


def test_a_proxy_that_connects_to_a_page_of_its_own(reach):
    page = b"HTTP/1.1 200 OK\r\n\r\n<html>Log in here, Hunter-2</html>"
    with Server(None) as portal:
        portal.finish_request = lambda connection, _address: connection.recv(1000) and connection.sendall(page)
        _server, transport = reach(reply(), environment={"HTTPS_PROXY": f"http://lab:Hunter-2@127.0.0.1:{portal.port}"})
        error = fails(transport, errors.ConnectionFailed, "Hunter-2")
    assert error.message.endswith(
        f", through the proxy 127.0.0.1 port {portal.port} (from HTTPS_PROXY in the environment)"
    )


@pytest.mark.parametrize("given", ["no user", "wrong password"])
def test_a_proxy_that_does_not_let_in(proxy, reach, clock, given):
    url = f"http://{proxy.address}" if given == "no user" else f"http://some0ne:Hunter-2@{proxy.address}"
    server, transport = reach(reply(), proxy=url)
    error = fails(transport, errors.ProxyUnauthorized, "some0ne", "Hunter-2")
    assert error.as_failure()["code"] == "proxy_unauthorized" and error.status is None
    status = "407 (Proxy Authentication Required)" if given == "no user" else "401 (Unauthorized)"
    assert error.message == f"the proxy 127.0.0.1 port {proxy.port} (from option proxy) answered {status}"
    assert (server.accepted, clock.sleeps) == (0, []), "nothing was sent, and once is enough"


def test_a_proxy_that_connects_to_other_ports_only(tmp_path, reach, clock):
    with LabProxy(tmp_path / "strict", ("ConnectPort 443",), user=None) as strict:
        server, transport = reach(reply(), environment={"HTTPS_PROXY": strict.address})
        error = fails(transport, errors.ProxyRefused)
    assert error.as_failure()["code"] == "proxy"
    assert f"port {strict.port} (from HTTPS_PROXY in the environment) answered 403 (Forbidden)" in error.message
    assert (server.accepted, clock.sleeps) == (0, [])


def test_a_manager_that_the_proxy_cannot_reach(proxy, reach, clock):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        _server, transport = reach(reply(), proxy=proxy.url, url=f"https://127.0.0.1:{nobody.getsockname()[1]}")
        error = fails(transport, errors.ProxyRefused, proxy.password)
    assert "answered 500 (Internal Server Error)" in error.message
    assert clock.sleeps == [0.5, 1, 2, 4], "a manager may be down for a moment"


def test_no_proxy_there(reach, clock):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        server, transport = reach(reply(), proxy=f"http://lab:Hunter-2@127.0.0.1:{port}")
        error = fails(transport, errors.ProxyRefused, "Hunter-2")
    assert f"the proxy 127.0.0.1 port {port} (from option proxy) cannot be reached: " in error.message
    assert "refused" in error.message and (server.accepted, clock.sleeps) == (0, [0.5, 1, 2, 4])
    _server, transport = reach(reply(), proxy="http://nowhere.invalid:3128")
    assert "nowhere.invalid (from option proxy) cannot be reached" in fails(transport, errors.ProxyRefused).message


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 4", b"HTTP/1.1 999 Hunter-2\r\n\r\n"])
def test_what_is_no_proxy(reach, answer):
    with Server(None) as other:
        other.finish_request = lambda connection, _address: connection.recv(1000) and connection.sendall(answer)
        server, transport = reach(reply(), proxy=f"http://lab:Hunter-2@127.0.0.1:{other.port}")
        error = fails(transport, errors.ProxyRefused, "Hunter-2", base64.b64encode(b"lab:Hunter-2").decode())
    said = {"": "did not answer: ", "HTTP/1.1 999": "answered 999"}.get(answer.decode()[:12], "does not speak HTTP")
    assert server.accepted == 0 and error.message.partition("(from option proxy) ")[2].startswith(said)


@pytest.mark.parametrize("host", ["[2001:db8::1]", "192.0.2.1", "dsm.example.com"])
def test_a_proxy_is_told_a_host_that_it_understands(reach, host):
    told = []
    with Server(None) as other:
        other.finish_request = lambda connection, _address: told.append(connection.recv(1000))
        _server, transport = reach(url=f"https://{host}:4119", proxy=f"http://lab:x@127.0.0.1:{other.port}")
        fails(transport, errors.ProxyRefused)
    for lines in {tuple(head.decode().split("\r\n")) for head in told}:
        assert lines[0].split()[:2] == ["CONNECT", f"{host}:4119"]
        named = [line for line in lines if line.lower().startswith("host:")]
        # HTTP/1.0 needs none.
        assert named == [f"Host: {host}:4119"] or (lines[0].endswith("/1.0") and not named)
        assert f"Proxy-Authorization: Basic {base64.b64encode(b'lab:x').decode()}" in lines


@pytest.mark.parametrize("piece", [b"X: y\r\n", b"x"])
def test_a_proxy_whose_answer_drips_is_given_up(reach, clock, piece):
    drip = Drip(b"HTTP/1.1 200 OK\r\n", piece, lambda: clock.advance(4))
    with Server(None) as other:
        other.finish_request = lambda connection, _address: drip.send(connection)
        _server, transport = reach(reply(), proxy=f"http://127.0.0.1:{other.port}", timeout=10)
        fails(transport, errors.ProxyRefused)
    assert drip.cut_off.wait(60)


def test_a_reply_that_drips_is_given_up_through_the_proxy(proxy, reach, clock):
    drip = Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * 100, lambda: clock.advance(4))
    _server, transport = reach(drip, proxy=proxy.url, timeout=10)
    with pytest.raises(errors.TimedOut):
        transport.read("GET", "/policies")


def asked(url=URL, environment=None, **params):
    return read_proxy(params, url, environment or {})


def test_where_a_proxy_is_told():
    option = Proxy("proxy.example.com", 3128, "option proxy")
    assert asked() is None
    assert asked(proxy="http://proxy.example.com:3128") == option == asked(proxy="http://PROXY.example.com:3128/")
    assert asked(proxy="proxy.example.com:3128") == option
    assert asked(proxy="http://[2001:db8::1]").url == "http://[2001:db8::1]:80"
    upper, lower = {"HTTPS_PROXY": "http://upper:1"}, {"https_proxy": "http://lower:1"}
    assert asked(environment=upper) == Proxy("upper", 1, "HTTPS_PROXY in the environment")
    assert asked(environment={**upper, **lower}) == Proxy("lower", 1, "https_proxy in the environment")
    assert asked(environment=upper, proxy="http://proxy.example.com:3128") == option
    # As curl and urllib do: set to nothing, in lower case, it is none.
    assert asked(environment={**upper, "https_proxy": ""}) is None
    assert (
        asked(environment={"HTTP_PROXY": "http://x:1", "ALL_PROXY": "http://x:1", "http_proxy": "http://x:1"}) is None
    )
    assert asked(environment=upper, use_proxy=False) is None is asked(proxy="http://x:1", use_proxy=False)
    assert asked(environment={"NO_PROXY": "*"}, proxy="http://proxy.example.com:3128") == option, "asked for by name"


@pytest.mark.parametrize(
    ("no_proxy", "bypassed"),
    [
        ("", False),
        ("*", True),
        ("elsewhere.example, *", True),
        ("example.com", True),
        (".example.com", True),
        ("EXAMPLE.com", True),
        ("dsm.example.com", True),
        ("other.org , dsm.example.com", True),
        ("dsm.example.com:4119", True),
        ("dsm.example.com:443", False),
        ("example.com:4119", True),
        ("ample.com", False),
        ("dsm", False),
        ("4119", False),
        ("*.example.com", False),
        ("192.0.2.0/24", False),
        ("example.com.", True),
        ("dsm.example.com.:4119", True),
        (",,", False),
        (".", False),
    ],
)
def test_no_proxy(no_proxy, bypassed):
    environment = {"HTTPS_PROXY": "http://proxy:1"}
    assert (asked(environment={**environment, "NO_PROXY": no_proxy}) is None) == bypassed
    assert (asked(environment={**environment, "no_proxy": no_proxy, "NO_PROXY": "*"}) is None) == bypassed


@pytest.mark.parametrize(
    ("url", "no_proxy", "bypassed"),
    [
        ("https://192.0.2.7/api", "192.0.2.0/24", True),
        ("https://192.0.2.7/api", "192.0.2.7", True),
        ("https://192.0.2.7/api", "192.0.2.7:443", True),
        ("https://192.0.2.7/api", "2.7", True),
        ("https://192.0.2.7/api", "10.0.0.0/8", False),
        ("https://[2001:db8::7]/api", "2001:db8::/32", True),
        ("https://[2001:db8::7]/api", "2001:db8:0::7", True),
        ("https://[2001:db8::7]/api", "192.0.2.0/24,2001:db9::/32", False),
        # As urllib has them; with a port there is no other way.
        ("https://[2001:db8::7]/api", "[2001:db8::7]", True),
        ("https://[2001:db8::7]/api", "[2001:db8::7]:443", True),
        ("https://[2001:db8::7]/api", "[2001:db8::7]:4119", False),
        # Another address, and no port.
        ("https://[2001:db8::7]/api", "2001:db8::7:443", False),
        ("https://[2001:db8::7]/api", "[]", False),
        ("https://dsm.example.com./api", "example.com", True),
    ],
)
def test_no_proxy_for_addresses(url, no_proxy, bypassed):
    environment = {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": no_proxy}
    assert (asked(url, environment=environment) is None) == bypassed


@pytest.mark.parametrize(
    "given",
    [
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy:x",
        "http://CORP\\me:3128",
        "http://me;x:3128",
        "http://-proxy",
        "http://proxy..example.com",
        "http://[]:1",
        "http://[proxy]:1",
        "http://[127.0.0.1]:1",
        "http://proxy/path",
        "http://proxy?x",
        "http://pro xy",
        "http://pröxy",
        "http://[::1",
        "http://::1",
        "http://proxy%41:1",
        # Python's own reading takes the address for the host, whatever is around it.
        "http://proxy[::1]:1",
        "http://[::1]proxy:1",
        "://",
        "http://a\nb",
    ],
)
def test_what_cannot_be_a_proxy(given):
    for text, secret in ((given, None), (given.replace("//", "//user:Hunter-2@"), "Hunter-2")):
        for params, environment in (({"proxy": text}, {}), ({}, {"HTTPS_PROXY": text})):
            with pytest.raises(OptionError, match="option 'proxy'") as caught:
                read_proxy(params, URL, environment)
            assert "http://[USER:PASSWORD@]HOST[:PORT]" in str(caught.value)
            assert ("HTTPS_PROXY in the environment" in str(caught.value)) == bool(environment)
            assert not secret or "Hunter-2" not in f"{caught.value}{caught.value.value}"


@pytest.mark.parametrize(
    "text",
    [
        *("user:Hunter-2", "http://user:Hunter-2", "http://user:Hunter-2/", "user:2:Hunter-2"),
        *("//user:Hunter-2", "http:///user:Hunter-2", "http://proxy/user:Hunter-2", "http://proxy:1?Hunter-2:x"),
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated(text):
    for params, environment in (({"proxy": text}, {}), ({}, {"HTTPS_PROXY": text})):
        with pytest.raises(OptionError) as caught:
            read_proxy(params, URL, environment)
        assert "Hunter-2" not in f"{caught.value}{caught.value.value}"
        assert text in proxy_secrets(params, environment)
    assert may_hold_password(text)
    for named in ("proxy", "http://proxy:3128/", "socks5://proxy:1080", "[::1]:3128", "https://proxy/path", ""):
        assert not may_hold_password(named)


@given(
    st.sampled_from(
        ["", "//", "///", "http:", "http:/", "http://", "http:///", "https://", "://", "http://[::1]", "a/"]
    ),
    st.text(st.sampled_from("user.@:/?#[]\\%\n"), max_size=5),
    st.text(max_size=5),
    st.sampled_from(["", "/", "@", "@proxy", "@proxy:x", "@proxy:1/x", "\n@proxy"]),
)
def test_no_password_is_repeated_wherever_it_is(start, user, rest, end):
    text = f"{start}{user}:Zq{rest}{end}"
    try:
        proxy = asked(proxy=text)
    except OptionError as error:
        assert "Zq" not in f"{error}{error.value}"
    else:
        assert "Zq" not in f"{proxy}{proxy.name}{proxy!r}"
        assert any("Zq" in secret for secret in proxy_secrets({"proxy": text}, {}))


@pytest.mark.parametrize("number", ["65536", "99999", "123456", "9" * 5000])
def test_a_number_that_is_no_port_is_a_password(number):
    for text in (f"user:{number}", f"http://user:{number}", f"john.doe:{number}"):
        with pytest.raises(OptionError) as caught:
            asked(proxy=text)
        assert number not in f"{caught.value}{caught.value.value}"
        assert may_hold_password(text) and text in proxy_secrets({"proxy": text}, {})


def test_a_number_that_may_be_a_password_is_not_repeated(reach):
    for text, shown in (("https://user:12345", "https://user:..."), ("user:12345/x", "user:.../x")):
        with pytest.raises(OptionError, match=f"option 'proxy' is '{re.escape(shown)}'") as caught:
            asked(proxy=text)
        assert "12345" not in f"{caught.value}{caught.value.value}"
    # There is no such host: whoever has forgotten it has given user and password.
    for user in ("user.invalid", "john.doe.invalid"):
        _server, transport = reach(reply(), proxy=f"{user}:12345")
        assert (
            f"the proxy {user} (from option proxy) cannot be reached: "
            in fails(transport, errors.ProxyRefused, "12345").message
        )
    with pytest.raises(OptionError, match=r"there is the proxy user \(from option proxy\)") as caught:
        Connection.from_options({"url": URL, "api_key": KEY, "proxy": "user:12345", "jump_host": {"host": "jump"}})
    assert "12345" not in str(caught.value)


def test_a_user_and_a_password():
    proxy = asked(proxy="http://CORP%5Cme:p%40ss%3Aw%2Frd%C3%A9@proxy:3128")
    expected = base64.b64encode("CORP\\me:p@ss:w/rdé".encode()).decode()
    assert proxy.headers() == {"Proxy-Authorization": f"Basic {expected}"}
    assert proxy.url == "http://proxy:3128"
    assert "p@ss" not in f"{proxy}{proxy!r}" and "CORP" not in f"{proxy}{proxy!r}"
    assert asked(proxy="http://me@proxy").headers() == {"Proxy-Authorization": "Basic bWU6"}
    assert asked(proxy="http://proxy").headers() == {}
    for refused in ("http://a%3Ab:c@proxy", "http://a:b%0d%0aX-Y: z@proxy", "http://a:%00@proxy"):
        with pytest.raises(OptionError):
            asked(proxy=refused)


def test_what_is_masked():
    url = "http://me:p%40ss-word@proxy:3128"
    masked = {url, "me:p%40ss-word", "p%40ss-word", "p@ss-word", base64.b64encode(b"me:p@ss-word").decode()}
    assert proxy_secrets({"proxy": url}, {}) == masked == proxy_secrets({"proxy": None}, {"HTTPS_PROXY": url})
    assert proxy_secrets({"proxy": "http://proxy:3128"}, {"https_proxy": "proxy:1"}) == set()
    # To mask these alone would blacken whatever has them in it: a port, a name, the word proxy.
    short = proxy_secrets({"proxy": "http://me:proxy@proxy:3128"}, {"https_proxy": "me:1@proxy"})
    assert {"proxy", "1", "me:1", ""}.isdisjoint(short)
    assert {"http://me:proxy@proxy:3128", "me:proxy", "me:1@proxy"} <= short


_ANY = st.text(st.characters())  # what is no text to the system, too, which Python has as lone surrogates


@example("http://me:\udcff@proxy:3128")
@given(st.one_of(_ANY, _ANY.map("http://me:{}@proxy".format), st.from_regex(r"(https?://)?[\[\]:@/?#%.a-z0-9]*")))
def test_whatever_comes_is_a_proxy_or_an_option_error(text):
    try:
        proxy = asked(proxy=text)
    except OptionError as error:
        assert str(error).isprintable()
    else:
        assert proxy is None or (proxy.url.startswith("http://") and "@" not in proxy.url)
    proxy_secrets({"proxy": text}, {})
    asked(environment={"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": text})


@pytest.mark.parametrize("from_option", [True, False])
def test_a_proxy_and_a_jump_host(tmp_path, from_option):
    (tmp_path / "known_hosts").write_text("")
    options = {"url": URL, "api_key": KEY, "jump_host": {"host": "jump", "known_hosts": str(tmp_path / "known_hosts")}}
    proxy = {"proxy": "http://me:Hunter-2@proxy:3128"} if from_option else {}
    environment = {} if from_option else {"https_proxy": "http://me:Hunter-2@proxy:3128"}
    with pytest.raises(OptionError) as caught:
        Connection.from_options({**options, **proxy}, environment)
    for part in ("option 'jump_host'", "the proxy proxy (from ", "use_proxy"):
        assert part in str(caught.value)
    assert ("option proxy" if from_option else "https_proxy in the environment") in str(caught.value)
    assert "Hunter-2" not in str(caught.value)
    connection = Connection.from_options({**options, **proxy, "use_proxy": False}, environment)
    assert connection.proxy is None and connection.jump_host.host == "jump"
    direct = Connection.from_options(options, {**environment, "no_proxy": "example.com"})
    assert direct.proxy is None
    assert dataclasses.fields(Connection)
