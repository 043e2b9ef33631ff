# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil

import pytest
import yaml
from ansible.template import trust_as_template

from ansible_collections.workload_security.agent.plugins.doc_fragments.attributes import ModuleDocFragment as Attributes
from ansible_collections.workload_security.agent.plugins.doc_fragments.connection import (
    ModuleDocFragment as ConnectionFragment,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import (
    CONNECTION_ARGUMENTS,
    Connection,
    variable,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.proxy import Proxy
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import Server
from ansible_collections.workload_security.agent.plugins.module_utils._task.worker import checked
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.regions import REGIONS

KEY = "17:S3cret"
ON_PREMISES = {"url": "https://dsm.example.com:4119", "api_key": KEY}


def refused(option, **params):
    with pytest.raises(OptionError) as caught:
        Connection.from_options({**ON_PREMISES, **params})
    assert caught.value.option == option
    assert f"option '{option}'" in str(caught.value)
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_defaults():
    connection = Connection.from_options(ON_PREMISES)
    assert connection == Connection(
        url="https://dsm.example.com:4119/api",
        api_key=KEY,
        deployment="on_premises",
        key_header="api-secret-key",
        ca_path=None,
        validate_certs=True,
        timeout=30,
        concurrency=8,
        requests_per_minute=0,
        deadline=0,
        jump_host=None,
        warnings=(),
    )
    assert (
        Connection.from_options(dict.fromkeys(CONNECTION_ARGUMENTS) | ON_PREMISES | {"validate_certs": True})
        == connection
    )
    assert connection.headers() == {"api-secret-key": KEY, "api-version": "v1"}


def test_a_region_is_a_url():
    connection = Connection.from_options({"region": "de-1", "api_key": KEY})
    assert connection.url == "https://workload.de-1.cloudone.trendmicro.com/api"
    assert connection.deployment == "cloud"
    assert connection.headers() == {"Authorization": f"ApiKey {KEY}", "api-version": "v1"}


@pytest.mark.parametrize(
    "url, deployment, told, header",
    [
        ("https://dsm.example.com", None, "on_premises", "api-secret-key"),
        ("https://dsm.example.com", "on_premises", "on_premises", "api-secret-key"),
        ("https://dsm.example.com", "cloud", "cloud", "Authorization"),
        ("https://workload.us-1.cloudone.trendmicro.com", None, "cloud", "Authorization"),
        ("https://workload.us-1.cloudone.trendmicro.com", "on_premises", "on_premises", "api-secret-key"),
        ("https://cloudone.trendmicro.com", None, "cloud", "api-secret-key"),
        ("https://cloudone.trendmicro.com", "cloud", "cloud", "Authorization"),
        ("https://app.deepsecurity.trendmicro.com", None, "cloud", "api-secret-key"),
    ],
)
def test_the_deployment_decides_how_the_key_is_sent(url, deployment, told, header):
    connection = Connection.from_options({"url": url, "api_key": KEY, "deployment": deployment})
    assert (connection.deployment, connection.key_header) == (told, header)


def test_url_and_region():
    assert Connection.from_options({**ON_PREMISES, "region": ""}).url == "https://dsm.example.com:4119/api"
    same = {"url": "https://workload.us-1.cloudone.trendmicro.com/api/", "region": "us-1", "api_key": KEY}
    assert Connection.from_options(same).url == "https://workload.us-1.cloudone.trendmicro.com/api"
    message = refused("url", region="us-1")
    assert (
        "https://workload.us-1.cloudone.trendmicro.com/api" in message and "https://dsm.example.com:4119/api" in message
    )
    for nothing in (None, ""):
        message = refused("url", url=nothing, region=nothing)
        assert "one of url and region" in message and "WORKLOAD_SECURITY_URL" in message
    message = refused("region", url=None, region="mars-1")
    assert all(region in message for region in REGIONS)
    assert "TLS" in refused("url", url="http://dsm.example.com")


@pytest.mark.parametrize(
    "key", [None, "", "a\n", "a\r\nX-Other: 1", "a\tb", "a b", "ApiKey abc", "\x00", "schlüssel", "a\x7f"]
)
def test_keys_that_cannot_be_sent(key):
    message = refused("api_key", api_key=key)
    assert key is None or key.strip() == "" or repr(key)[1:-1] not in message


def test_an_unknown_deployment():
    assert "cloud, on_premises" in refused("deployment", deployment="aws")


@pytest.mark.parametrize(
    "option, good, bad",
    [
        ("timeout", [1, 600, "45"], [0, 601, -1, "soon", [], 10**30]),
        ("concurrency", [1, 64], [0, 65, -8, "many"]),
        ("requests_per_minute", [0, 1, 500], [-1, "x", 10**9]),
        ("deadline", [0, 1, 10080, "90"], [-1, 10081, "soon", 10**30]),
        ("progress_interval", [0, 7, 3600], [-1, 3601, "soon"]),
    ],
)
def test_numbers(option, good, bad):
    for number in good:
        assert getattr(Connection.from_options({**ON_PREMISES, option: number}), option) == int(number)
    for number in bad:
        assert str(number) in refused(option, **{option: number})


def test_ca_path(certificates, tmp_path, monkeypatch):
    assert Connection.from_options({**ON_PREMISES, "ca_path": certificates.path}).ca_path == certificates.path
    missing = str(tmp_path / "missing.pem")
    assert missing in refused("ca_path", ca_path=missing)
    assert missing in refused("ca_path", ca_path=missing, validate_certs=False)
    assert str(tmp_path) in refused("ca_path", ca_path=str(tmp_path))
    for content in (b"", b"nonsense", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        (tmp_path / "bad.pem").write_bytes(content)
        assert "PEM" in refused("ca_path", ca_path=str(tmp_path / "bad.pem"))
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(certificates.path, tmp_path / "ca.pem")
    assert Connection.from_options({**ON_PREMISES, "ca_path": "~/ca.pem"}).ca_path == str(tmp_path / "ca.pem")


def test_no_verification_warns():
    (warning,) = Connection.from_options({**ON_PREMISES, "validate_certs": False}).warnings
    assert "validate_certs" in warning and "https://dsm.example.com:4119/api" in warning and KEY not in warning


def test_jump_host(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "key").write_text("key")
    assert str(tmp_path / ".ssh/known_hosts") in refused("jump_host.known_hosts", jump_host={"host": "jump"})
    (tmp_path / ".ssh/known_hosts").write_text("")
    connection = Connection.from_options({**ON_PREMISES, "jump_host": {"host": "jump"}})
    assert connection.jump_host == Server("jump", 22, None, None, str(tmp_path / ".ssh/known_hosts"), "jump host")

    everything = {"host": "::1", "port": 2222, "user": "me", "private_key": "~/key", "known_hosts": "~/key"}
    connection = Connection.from_options({**ON_PREMISES, "jump_host": everything})
    assert connection.jump_host == Server("::1", 2222, "me", str(tmp_path / "key"), str(tmp_path / "key"), "jump host")

    for host in (None, "", "-oProxyCommand=x", "a b", "a\n", "jümp"):
        refused("jump_host.host", jump_host={"host": host})
    for port in (0, 65536, "ssh"):
        assert str(port) in refused("jump_host.port", jump_host={"host": "jump", "port": port})
    refused("jump_host.private_key", jump_host={"host": "jump", "private_key": "~/none"})
    assert "dictionary" in refused("jump_host", jump_host="jump.example")


def test_values_are_plain(tmp_path, certificates):
    # As ansible-core hands them over.
    def tagged(text):
        value = trust_as_template(text)
        assert value.__class__ is not str
        return value

    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("")
    connection = Connection.from_options(
        {
            "url": tagged("https://dsm.example.com:4119"),
            "api_key": tagged(KEY),
            "deployment": tagged("on_premises"),
            "ca_path": tagged(certificates.path),
            "timeout": tagged("10"),
            "jump_host": {
                "host": tagged("jump"),
                "user": tagged("me"),
                "private_key": tagged(str(known_hosts)),
                "known_hosts": tagged(str(known_hosts)),
            },
        }
    )
    for fields in (vars(connection), connection.jump_host._asdict()):
        for name, value in fields.items():
            assert type(value) in (str, int, bool, tuple, type(None), Server), name
    assert all(value.__class__ is str for value in connection.headers().values())
    assert Connection.from_options({"region": tagged("us-1"), "api_key": KEY}).url.__class__ is str


def test_a_connection_does_not_change_and_does_not_show_its_key():
    connection = Connection.from_options(ON_PREMISES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        connection.url = "https://elsewhere"
    assert KEY not in repr(connection) and "dsm.example.com" in repr(connection)


def test_the_fragment_documents_the_arguments():
    documented = yaml.safe_load(ConnectionFragment.DOCUMENTATION)
    assert _documented(documented["options"]) == _declared(CONNECTION_ARGUMENTS)
    for name in CONNECTION_ARGUMENTS:
        assert f"E({variable(name)})" in " ".join(documented["options"][name]["description"])
    assert all(f"V({region})" in " ".join(documented["options"]["region"]["description"]) for region in REGIONS)
    assert CONNECTION_ARGUMENTS["api_key"]["no_log"] is True


def from_environment(monkeypatch, variables, given=None):
    """The connection of a task with these options in a process of this environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = checked(CONNECTION_ARGUMENTS, given or {})
    assert found.refusal is None, found.refusal
    return Connection.from_options(found.params)


def test_each_option_has_a_variable(monkeypatch, tmp_path, certificates):
    key = tmp_path / "key"
    key.write_text("17:FromFile")
    key.chmod(0o600)
    (tmp_path / "known_hosts").write_text("")
    server = {"host": "jump", "port": 2222, "known_hosts": str(tmp_path / "known_hosts")}
    # Each with what the connection has then, and with another value for the option, which counts more.
    values = {
        "url": ("https://dsm.example.com", {"url": "https://dsm.example.com/api"}, "https://other"),
        "region": ("de-1", {"url": "https://workload.de-1.cloudone.trendmicro.com/api"}, "us-1"),
        "api_key": ("17:Environment", {"api_key": "17:Environment"}, "17:OptionOption"),
        "api_key_file": (str(key), {"api_key": "17:FromFile"}, None),
        "deployment": ("cloud", {"key_header": "Authorization"}, "on_premises"),
        "ca_path": (certificates.path, {"ca_path": certificates.path}, None),
        "validate_certs": ("false", {"validate_certs": False}, True),
        "timeout": ("7", {"timeout": 7}, 8),
        "concurrency": ("3", {"concurrency": 3}, 4),
        "requests_per_minute": ("300", {"requests_per_minute": 300}, 0),
        "deadline": ("90", {"deadline": 90}, 0),
        "progress_interval": ("0", {"progress_interval": 0}, 10),
        "proxy": ("http://proxy:3128", {"proxy": Proxy("proxy", 3128, "option proxy")}, "http://other"),
        "use_proxy": ("no", {}, True),
        "jump_host": (json.dumps(server), {"jump_host": Server(**server, role="jump host")}, None),
    }
    assert values.keys() == CONNECTION_ARGUMENTS.keys()
    for option, (value, expected, other) in values.items():
        with monkeypatch.context() as patch:
            given = {} if option in ("url", "region") else {"url": "https://dsm.example.com"}
            given |= {} if option.startswith("api_key") else {"api_key": KEY}
            found = from_environment(patch, {variable(option): value}, given)
            assert {name: getattr(found, name) for name in expected} == expected, option
            if other is not None:
                outdone = from_environment(patch, {}, {**given, option: other})
                assert not expected or {name: getattr(outdone, name) for name in expected} != expected, option
            # As in a pipeline whose variable has no value: as if it was not there.
            patch.setenv(variable(option), "")
            assert from_environment(patch, {}, {"url": "https://dsm.example.com", "api_key": KEY}) == Connection(
                url="https://dsm.example.com/api", api_key=KEY
            )


def test_a_jump_host_in_the_environment(monkeypatch, tmp_path):
    known_hosts = tmp_path / ".ssh" / "known_hosts"
    known_hosts.parent.mkdir()
    known_hosts.write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("jump", "host=jump", '{"host": "jump"}'):
        found = from_environment(monkeypatch, {variable("jump_host"): text}, ON_PREMISES)
        assert found.jump_host == Server("jump", known_hosts=str(known_hosts), role="jump host")
    found = from_environment(monkeypatch, {variable("jump_host"): "host=jump, port=2222"}, ON_PREMISES)
    assert found.jump_host.port == 2222


def test_the_proxy_of_the_environment_may_be_switched_off(monkeypatch):
    environment = {"HTTPS_PROXY": "http://proxy:3128", variable("use_proxy"): "no"}
    assert from_environment(monkeypatch, environment, ON_PREMISES).proxy is None
    assert from_environment(monkeypatch, {}, {**ON_PREMISES, "use_proxy": True}).proxy is not None


def test_what_the_environment_says_wrongly_is_told_so(monkeypatch):
    for option, value in (("timeout", "0"), ("ca_path", "/nowhere.pem"), ("proxy", "https://proxy")):
        with monkeypatch.context() as patch:
            with pytest.raises(
                OptionError, match=f"option '{option}' is .*{variable(option)} in the environment is used"
            ):
                from_environment(patch, {variable(option): value}, ON_PREMISES)
    for option in CONNECTION_ARGUMENTS:
        for value in ("[", "{}", "\u202e", "=", "x" * 10000, "[1]", "{1: 2}", "1e999"):
            with monkeypatch.context() as patch:
                patch.setenv(variable(option), value)
                found = checked(CONNECTION_ARGUMENTS, {})
                if found.refusal is None:
                    with contextlib.suppress(OptionError):
                        Connection.from_options(found.params)


def test_defaults_of_the_arguments_are_those_of_the_connection():
    fields = {field.name: field.default for field in dataclasses.fields(Connection)}
    for name, argument in CONNECTION_ARGUMENTS.items():
        if "default" in argument and name != "use_proxy":
            assert fields[name] == argument["default"]


def _declared(arguments):
    facets = ("type", "default", "choices", "required")
    return {
        name: {key: value for key, value in argument.items() if key in facets}
        | {"options": _declared(argument.get("options", {}))}
        for name, argument in arguments.items()
    }


def _documented(options):
    return {
        name: {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        | {"options": _documented(option.get("suboptions", {}))}
        for name, option in options.items()
    }


def test_the_attribute_fragments_are_complete():
    described = yaml.safe_load(Attributes.DOCUMENTATION)["attributes"]
    assert set(described) == set(yaml.safe_load(Attributes.INFO_MODULE)["attributes"])
    group = yaml.safe_load(Attributes.ACTION_GROUP)["attributes"]["action_group"]
    assert group["membership"] == ["workload_security.agent.manager"]
