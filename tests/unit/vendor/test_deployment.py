# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import re
from ipaddress import ip_network
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.deployment import (
    CLOUD,
    ON_PREMISES,
    deployment_of,
    is_legacy,
    normalize_url,
    url_for_region,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.manager_address import (
    ManagerAddress,
    read_manager_address,
    secrets_in_address,
)
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import REGIONS, manager_subnets


@pytest.mark.parametrize(
    "given_url, normal",
    [
        ("https://dsm.example.com:4119", "https://dsm.example.com:4119/api"),
        ("https://dsm.example.com:4119/", "https://dsm.example.com:4119/api"),
        ("https://dsm.example.com:4119/api", "https://dsm.example.com:4119/api"),
        ("https://dsm.example.com:4119/api/", "https://dsm.example.com:4119/api"),
        ("HTTPS://DSM.Example.com:443/api", "https://dsm.example.com/api"),
        ("https://dsm", "https://dsm/api"),
        ("https://my_dsm-1:65535", "https://my_dsm-1:65535/api"),
        ("https://dsm.example.com.:4119", "https://dsm.example.com.:4119/api"),
        ("https://192.0.2.1:4119", "https://192.0.2.1:4119/api"),
        ("https://[2001:DB8::1]:4119/api", "https://[2001:db8::1]:4119/api"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]/api"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example/api"),
        # Behind a reverse proxy.
        ("https://dsm.example.com/dsm", "https://dsm.example.com/dsm/api"),
        ("https://dsm.example.com:8443/security/DSM-1/", "https://dsm.example.com:8443/security/DSM-1/api"),
        ("https://dsm.example.com/dsm/api/", "https://dsm.example.com/dsm/api"),
        # As agents have it.
        ("dsm://dsm.example.com:4120/", "https://dsm.example.com:4119/api"),
        ("dsm://dsm.example.com", "https://dsm.example.com:4119/api"),
        ("DSM://dsm.example.com:443/", "https://dsm.example.com:4119/api"),
        ("dsm://[2001:db8::1]:4120/", "https://[2001:db8::1]:4119/api"),
        ("https://dsm.example.com:4120/", "https://dsm.example.com:4119/api"),
        (
            "https://agents-004.workload.us-1.cloudone.trendmicro.com:443/",
            "https://workload.us-1.cloudone.trendmicro.com/api",
        ),
        (
            "dsm://agents.workload.new-9.cloudone.trendmicro.com:443/",
            "https://workload.new-9.cloudone.trendmicro.com/api",
        ),
        ("https://agents.deepsecurity.trendmicro.com:443/", "https://app.deepsecurity.trendmicro.com/api"),
        ("https://agents.deepsecurity.trendmicro.com./", "https://app.deepsecurity.trendmicro.com/api"),
        ("https://workload.us-1.cloudone.trendmicro.com.", "https://workload.us-1.cloudone.trendmicro.com/api"),
    ],
)
def test_spellings_of_a_url(given_url, normal):
    assert normalize_url(given_url) == normal
    assert normalize_url(normal) == normal


@pytest.mark.parametrize(
    "url, what_would_be_right",
    [
        ("http://dsm.example.com:4119", "only sent over TLS"),
        ("dsm.example.com:4119", "https://HOST:PORT"),
        ("dsm.example.com", "https://HOST:PORT"),
        ("//dsm.example.com", "https://HOST:PORT"),
        ("ftp://dsm.example.com", "https://HOST:PORT"),
        ("https://", "https://HOST:PORT"),
        ("https://:4119", "https://HOST:PORT"),
        ("https:///api", "https://HOST:PORT"),
        ("https://dsm:", "https://HOST:PORT"),
        ("https://dsm:0", "https://HOST:PORT"),
        ("https://dsm:65536", "https://HOST:PORT"),
        ("https://dsm:port", "https://HOST:PORT"),
        ("https://dsm:4119:4119", "https://HOST:PORT"),
        ("https://-dsm", "https://HOST:PORT"),
        ("https://d$m", "https://HOST:PORT"),
        ("https://a..b", "https://HOST:PORT"),
        ("https://" + "a" * 64, "https://HOST:PORT"),
        ("https://" + "a.a" * 100, "https://HOST:PORT"),
        ("https://dsm%2eexample", "https://HOST:PORT"),
        ("https://[::1", "https://HOST:PORT"),
        ("https://[dsm]", "https://HOST:PORT"),
        ("https://[192.0.2.1]", "https://HOST:PORT"),
        # Python's own reading takes the address for the host, whatever is around it.
        ("https://dsm.example.com[::1]:4119", "https://HOST:PORT"),
        ("https://[::1]dsm.example.com:4119", "https://HOST:PORT"),
        ("https://dsm:+4119", "https://HOST:PORT"),
        ("https://[fe80::1%eth0]", "https://HOST:PORT"),
        ("https://2001:db8::1", "https://HOST:PORT"),
        ("https://dsm/?x=1", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/api?", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/api#top", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/api#", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/SignIn.screen", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/api/policies", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/api/../x", "end after the port, after the folder that the manager is in, or with /api"),
        ("https://dsm/x/api/policies", "or with /api"),
        ("https://dsm/x//y", "or with /api"),
        ("https://dsm/x/%2e%2e/y", "or with /api"),
        ("https://dsm/x;y", "or with /api"),
        ("https://workload.us-1.cloudone.trendmicro.com/dsm", "the cloud has no folders"),
        ("https://dsm ", "without white space"),
        ("https://dsm\n", "without white space"),
        ("https://ds\tm", "without white space"),
        ("https://dsm\x00", "without white space"),
        ("https://bücher.example", "in ASCII"),
        ("https://api.xdr.trendmicro.com", "option region"),
        ("https://api.eu.xdr.trendmicro.com", "option region"),
    ],
)
def test_urls_that_cannot_be_right(url, what_would_be_right):
    with pytest.raises(OptionError) as caught:
        normalize_url(url)
    assert (caught.value.option, caught.value.value) == ("url", url)
    assert what_would_be_right in str(caught.value)
    assert "option 'url'" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@dsm:4119/api",
        "https://hunter2@dsm",
        "https://user:hunter2@dsm:port",
        "https://user:hun@ter2@dsm",
        "http://user:hunter2 @dsm",
        "https://user:hunter2@[::1",
        "https://user:/hunter2@dsm",
        "https://user:1/hunter2@dsm",
        "https://user:1?hunter2@dsm",
        "https://user:#//hunter2@dsm",
        "https:////user:hunter2@dsm",
    ],
)
def test_a_password_in_the_url_is_not_repeated(url):
    with pytest.raises(OptionError, match="no user name or password") as caught:
        normalize_url(url)
    for part in ("hunter2", "ter2", "user:"):
        assert part not in repr(caught.value) + str(caught.value) + caught.value.value


@pytest.mark.parametrize("text", ["17:S3cretS3cret", "1:S3cret", "user:S3cretS3cret@dsm", "//user:S3cret@dsm"])
def test_a_key_in_place_of_a_url_is_not_repeated(text):
    with pytest.raises(OptionError, match="option 'url': it must be") as caught:
        normalize_url(text)
    assert "S3cret" not in f"{caught.value!r}{caught.value}{caught.value.value}"


def test_what_is_masked_of_an_address():
    masked = {"me:p%40ss/word", "p%40ss/word", "p@ss/word", base64.b64encode(b"me:p@ss/word").decode()}
    assert secrets_in_address("https://me:p%40ss/word@dsm:4119/x") == masked
    assert secrets_in_address("me:p//ss-word@dsm") >= {"me:p//ss-word", "p//ss-word"}
    assert secrets_in_address("S3cretS3cret@dsm") >= {"S3cretS3cret"}
    for harmless in ("https://dsm.example.com:4119/api", "dsm.example.com", "https://me@dsm.example.com", ""):
        assert not secrets_in_address(harmless)
    assert "short" not in secrets_in_address("https://me:short@dsm.example.com")


_SIGNS = st.text(st.sampled_from("user.@:/?#[]\\%\n"), max_size=5)


@given(
    st.sampled_from(["", "//", "///", "http:", "http:/", "http://", "dsm:///", "://", "https://[::1]", "a/"]),
    _SIGNS,
    st.tuples(_SIGNS, st.text(min_size=6, max_size=9)).map("Zq".join),
    st.sampled_from(["", "proxy", "proxy:1/x", "a@b", "/x//y@b", "\n//dsm"]),
)
def test_no_password_of_an_address_is_shown_wherever_it_is(start, user, password, end):
    def masked(shown, address):
        for secret in sorted(secrets_in_address(address), key=len, reverse=True):
            shown = shown.replace(secret, "****")
        return shown

    address = f"{start}{user}:{password}@{end}"
    assert "Zq" not in masked(address, address)
    # As a message of somebody else may have it, who was given an address that is right.
    right = f"https://me:{quote(password, safe='')}@dsm.example.com:4119/x"
    encoded = base64.b64encode(f"me:{password}".encode("utf-8", "surrogatepass")).decode()
    for part in (quote(password, safe=""), password):
        assert "Zq" not in masked(f"cannot use {part} there", right)
    assert encoded not in masked(f"Basic {encoded}", right)


_PIECES = [
    "dsm.example.com",
    "evil.example",
    "[::1]",
    "::1",
    "127.0.0.1",
    *"@:/\\?#[]%.",
    "4119",
    "api",
    "..",
    "%40",
    "1",
]


@example("https://dsm.example.com[::1]:4119")
@given(st.lists(st.sampled_from(_PIECES), max_size=8).map(lambda pieces: f"https://{''.join(pieces)}"))
def test_the_host_is_all_that_stands_before_the_port(text):
    try:
        url = normalize_url(text)
    except OptionError:
        return
    host = re.sub(":[0-9]+$", "", urlsplit(url).netloc)
    assert re.fullmatch(rf"https://{re.escape(host)}(:[0-9]+)?(/.*)?", text)
    # As the library for requests reads it.
    read = parse_url(url)
    assert (read.host, read.auth, read.scheme) == (host, None, "https")


@given(st.one_of(st.text(), st.text().map("https://".__add__), st.from_regex(r"https://[\[\]:@/?#%.a-z0-9]*")))
def test_whatever_comes_is_a_url_or_an_option_error(text):
    try:
        url = normalize_url(text)
    except OptionError as error:
        assert str(error).isprintable()
    else:
        assert url.startswith("https://") and url.endswith("/api") and "@" not in url
        assert normalize_url(url) == url


@pytest.mark.parametrize(
    "url, deployment, legacy",
    [
        ("https://workload.us-1.cloudone.trendmicro.com/api", CLOUD, False),
        ("https://workload.new-9.cloudone.trendmicro.com/api", CLOUD, False),
        ("https://cloudone.trendmicro.com/api", CLOUD, True),
        ("https://app.deepsecurity.trendmicro.com/api", CLOUD, True),
        ("https://dsm.example.com:4119/api", ON_PREMISES, False),
        ("https://cloudone.trendmicro.com.example.com/api", ON_PREMISES, False),
        ("https://evilcloudone.trendmicro.com/api", ON_PREMISES, False),
        ("https://[2001:db8::1]/api", ON_PREMISES, False),
    ],
)
def test_the_host_tells_the_deployment(url, deployment, legacy):
    assert (deployment_of(url), is_legacy(url)) == (deployment, legacy)


@pytest.mark.parametrize("region", REGIONS)
def test_regions_have_a_url_and_subnets(region):
    url = url_for_region(region)
    assert url == f"https://workload.{region}.cloudone.trendmicro.com/api" == normalize_url(url)
    assert deployment_of(url) == CLOUD
    # Host bits would raise.
    assert [ip_network(subnet).prefixlen for subnet in manager_subnets(region)] == [27, 27]


def test_regions_do_not_share_subnets():
    subnets = [ip_network(subnet) for region in REGIONS for subnet in manager_subnets(region)]
    assert len(subnets) == len(set(subnets)) == 2 * len(REGIONS)
    assert not any(a.overlaps(b) for a in subnets for b in subnets if a is not b)


@pytest.mark.parametrize("function", [url_for_region, manager_subnets])
@pytest.mark.parametrize("region", ["us-2", "US-1", "", "us-1.evil.example/"])
def test_an_unknown_region_gets_the_known_ones_listed(function, region):
    with pytest.raises(OptionError) as caught:
        function(region)
    assert caught.value.option == "region"
    assert all(known in str(caught.value) for known in REGIONS)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("DSM.example.com", ManagerAddress("dsm.example.com")),
        ("192.0.2.1", ManagerAddress("192.0.2.1")),
        ("2001:db8::1", ManagerAddress("2001:db8::1")),
        ("[2001:db8::1]:4119", ManagerAddress("2001:db8::1", console_port=4119)),
        ("dsm.example.com:443", ManagerAddress("dsm.example.com", console_port=443)),
        ("dsm.example.com:4120", ManagerAddress("dsm.example.com", heartbeat_port=4120)),
        ("https://dsm.example.com", ManagerAddress("dsm.example.com", console_port=443)),
        ("https://dsm.example.com:4120/", ManagerAddress("dsm.example.com", heartbeat_port=4120)),
        ("https://dsm.example.com:8443/dsm/api", ManagerAddress("dsm.example.com", console_port=8443, path="/dsm")),
        ("dsm://dsm.example.com/", ManagerAddress("dsm.example.com", heartbeat_port=4120)),
        ("dsm://dsm.example.com:14120/", ManagerAddress("dsm.example.com", heartbeat_port=14120)),
        (
            "https://agents-004.workload.jp-1.cloudone.trendmicro.com:443/",
            ManagerAddress("agents-004.workload.jp-1.cloudone.trendmicro.com", console_port=443, region="jp-1"),
        ),
        (
            "workload.jp-1.cloudone.trendmicro.com",
            ManagerAddress("workload.jp-1.cloudone.trendmicro.com", region="jp-1"),
        ),
    ],
)
def test_what_an_address_tells(text, address):
    assert read_manager_address(text, "manager") == address
    assert address.is_cloud == ("cloudone" in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "dsm example",
        "dsm/api",
        "dsm:0",
        "dsm:x",
        "a:1:2",
        "-dsm",
        "http://dsm",
        "dsm://",
        "dsm?",
        "d\\m",
        "dsm[::1]",
    ],
)
def test_what_is_no_address_of_a_manager(text):
    with pytest.raises(OptionError, match="option 'manager'") as caught:
        read_manager_address(text, "manager")
    assert (caught.value.option, caught.value.value) == ("manager", text)
    assert "HOST:PORT" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("user:hunter2@dsm", "https://user:hunter2@dsm/", "dsm://hunter2@dsm:4120/"),
        *("https://user:/hunter2@dsm", "https://user:1?hunter2@dsm", "user:hunter2//@dsm"),
    ],
)
def test_a_password_in_an_address_is_not_repeated(text):
    with pytest.raises(OptionError, match="no user name or password") as caught:
        read_manager_address(text, "manager")
    assert "hunter2" not in f"{caught.value!r}{caught.value}{caught.value.value}"


@given(st.one_of(st.text(), st.from_regex(r"((https|dsm)://)?[\[\]:@/?#%.a-z0-9]*")))
def test_whatever_comes_is_an_address_or_an_option_error(text):
    try:
        address = read_manager_address(text, "manager")
    except OptionError as error:
        assert str(error).isprintable()
    else:
        assert address.host and not (address.console_port and address.heartbeat_port)
