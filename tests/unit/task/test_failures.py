# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that fails has C(failure.code) in its result, whoever refused what; the key is not in it."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import typing as t

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins import modules
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import MissingLibrary, OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.module import Module
from ansible_collections.workload_security.agent.plugins.module_utils._basis.refusal import failed
from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import literal
from ansible_collections.workload_security.agent.plugins.module_utils._dns import primary
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import CONNECTION_ARGUMENTS
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import NotFound
from ansible_collections.workload_security.agent.plugins.module_utils._task import work as task_work

NAMES = sorted(found.name for found in pkgutil.iter_modules(modules.__path__))
KEY = "17:S3cretS3cretS3cret"
MANAGER = {"url": "https://dsm.example.com:4119", "api_key": KEY}

# As with -vvv, where a result holds the options; before ansible-core 2.20 it always does.
SHOW_OPTIONS = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}

# Options that each module takes, for those that need any.
RIGHT: dict[str, dict[str, t.Any]] = {
    "agent_cipher_facts": {},
    "agent_cipher_info": {**MANAGER, "minimum_tls": "1.2"},
    "agent_cipher_probe": {"targets": [{"host": "127.0.0.1", "ssh": {"host": "127.0.0.1"}}]},
    "agent_deployment_script_info": {**MANAGER, "platform": "linux"},
    "agent_initiated_activation": {**MANAGER, "allow": "nobody"},
    "agent_health_info": MANAGER,
    "communication_direction": {**MANAGER, "policies": ["Base Policy"], "direction": "bidirectional"},
    "communication_document": {**MANAGER, "path": "/nonexistent/document.yml"},
    "communication_fleet_info": MANAGER,
    "communication_info": {**MANAGER, "policies": ["Base Policy"]},
    "communication_profile": {
        **MANAGER,
        "profiles": [{"name": "Servers", "policies": ["Base Policy"], "heartbeat": {"interval": "7"}}],
    },
    "computer_info": MANAGER,
    "firewall_restriction": {
        **MANAGER,
        "policies": ["Base Policy"],
        "source_ips": ["192.0.2.1"],
        "manager_addresses": ["192.0.2.1"],
    },
    "heartbeat": {**MANAGER, "policies": ["Base Policy"], "interval": "7"},
    "local_dns": {"hostnames": ["dsm.example.com"], "addresses": ["192.0.2.1"], "rfc2136": {"server": "192.0.2.53"}},
    "manager_connectivity_info": {"manager": "dsm.example.com", "direction": "agent_initiated"},
    "policy_info": MANAGER,
    "policy_sending": {**MANAGER, "policies": ["Base Policy"]},
    "rollout_gate": {
        **MANAGER,
        "waves_file": "/nonexistent/waves.json",
        "wave": 1,
        "before_file": "/nonexistent/1.json",
    },
    "rollout_plan": {**MANAGER, "plan_file": "/nonexistent/plan.json", "waves_file": "/nonexistent/waves.json"},
}


@pytest.fixture
def fail(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    """Run a module with options that it refuses: its result."""
    monkeypatch.delenv("WORKLOAD_SECURITY_API_KEY", raising=False)

    def run(name: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        main = importlib.import_module(f"{modules.__name__}.{name}").main
        with patch_module_args({**options, **SHOW_OPTIONS}), pytest.raises(SystemExit):
            main()
        result = json.loads(capfd.readouterr().out)
        assert result["failed"] and result["failure"]["message"] == result["msg"]
        assert "invocation" in result and "S3cret" not in json.dumps(result)
        return result

    return run


def test_every_module_is_here():
    assert sorted(RIGHT) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_does_not_exist(fail, name):
    result = fail(name, {**RIGHT[name], "bogus": 1})
    assert result["failure"]["code"] == "bad_option" and "bogus" in result["msg"]


WRONG: dict[str, dict[str, t.Any]] = {
    "agent_cipher_info": {"minimum_tls": "9"},
    "agent_cipher_probe": {"suites": ["RC5"]},
    "agent_deployment_script_info": {"relay_proxy_id": 0},
    "agent_initiated_activation": {"policy": 0},
    "agent_health_info": {"warning": {"offline": "some"}},
    "communication_direction": {"policies": None},
    "communication_document": {"path": "/"},
    "communication_fleet_info": {"computers_most": -1},
    "communication_info": {"policies": [""]},
    "communication_profile": {"profiles": [{"name": "Servers", "policies": ["Base Policy"]}]},
    "computer_info": {"query": "[?"},
    "firewall_restriction": {"source_ips": ["somewhere"]},
    "heartbeat": {"interval": "soon"},
    "local_dns": {"addresses": ["somewhere"]},
    "manager_connectivity_info": {"heartbeat_port": 0},
    "policy_info": {"query": "[?"},
    "policy_sending": {"wait_interval": 0},
    "rollout_gate": {"wave": 0},
    "rollout_plan": {"waves": ["some"]},
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_value_that_cannot_be_right(fail, name):
    result = fail(name, {**RIGHT[name], **WRONG[name]})
    assert result["failure"]["code"] == "bad_option" and result["failure"]["option"]


def test_hosts_that_are_not_looked_at(fail, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Windows")
    assert fail("agent_cipher_facts", {})["failure"]["code"] == "unsupported_platform"


@pytest.mark.parametrize("name", [name for name in NAMES if "url" in RIGHT[name]])
def test_missing_libraries_are_named_together(fail, monkeypatch, name):
    monkeypatch.setattr(task_work, "JMESPATH_IMPORT_ERROR", "No module named 'jmespath'")
    monkeypatch.setattr(task_work, "URLLIB3_IMPORT_ERROR", "version 1.26 is installed, 2.0 or later is needed")
    monkeypatch.setitem(sys.modules, "paramiko", None)
    without = fail(name, RIGHT[name])
    assert without["failure"]["code"] == "missing_library"
    assert "jmespath, urllib3 >=" in without["msg"] and "paramiko" not in without["msg"]
    through = fail(name, {**RIGHT[name], "jump_host": {"host": "bastion.example.com"}})
    assert "jmespath, paramiko, urllib3 >=" in through["msg"] and "version 1.26 is installed" in through["msg"]
    assert sys.executable in through["msg"] and "meta/requirements.txt" in through["msg"]


def test_a_library_that_is_broken_is_missing(fail, monkeypatch, tmp_path):
    """As paramiko is beside an OpenSSL of another age."""
    (tmp_path / "paramiko.py").write_text("raise AttributeError('module lib has no attribute X509_V_FLAG')")
    monkeypatch.delitem(sys.modules, "paramiko", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    result = fail("policy_info", {**RIGHT["policy_info"], "jump_host": {"host": "bastion.example.com"}})
    assert result["failure"]["code"] == "missing_library" and "X509_V_FLAG" in result["msg"]
    monkeypatch.delitem(sys.modules, "paramiko", raising=False)


def test_libraries_of_modules_that_do_without_the_manager(fail, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "paramiko", None)
    monkeypatch.setattr(primary, "DNSPYTHON_IMPORT_ERROR", "No module named 'dns'")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    through_ssh = {"targets": [{"ssh": {"host": "127.0.0.1", "known_hosts": str(known_hosts)}}]}
    for name, options, library in (
        ("agent_cipher_probe", through_ssh, "paramiko"),
        ("local_dns", RIGHT["local_dns"], "dnspython"),
    ):
        result = fail(name, options)
        assert result["failure"]["code"] == "missing_library"
        assert all(word in result["msg"] for word in (library, sys.executable, "meta/requirements.txt"))


@pytest.mark.parametrize(
    ("name", "options", "option", "words"),
    [
        (
            "communication_profile",
            {"profiles": [{"name": "Web"}, {"name": "Data\x1b base", "heartbeat": {"intervall": 7}}]},
            "profiles[Data\\x1b base]",
            ["heartbeat.intervall", "interval"],
        ),
        (
            "communication_profile",
            {"profiles": [{"name": "Web", "firewall_restriction": {"action": "deny"}}]},
            "profiles[Web]",
            ["action", "deny", "force_allow"],
        ),
        ("communication_profile", {"profiles": [{"name": "Web"}, {"policies": ["A"]}]}, "profiles[1]", ["name"]),
        ("agent_cipher_probe", {"targets": [{"host": "a"}, {"port": "ssh"}]}, "targets[1]", ["port", "ssh"]),
        ("agent_cipher_info", {"requirements": [{"name": "TLS", "tls": 1}]}, "requirements[TLS]", ["tls"]),
    ],
)
def test_an_error_inside_a_list_names_the_item(fail, name, options, option, words):
    result = fail(name, {**RIGHT[name], **options})
    assert result["failure"]["option"] == option
    assert result["msg"].startswith(f"option '{option}': ") and all(word in result["msg"] for word in words)


# As Ansible makes options of YAML: anything at all.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "host", "interval"]), inner),
    max_leaves=4,
)
WITH_OPTIONS = [
    ("policy_info", "jump_host"),
    ("communication_profile", "profiles"),
    ("communication_profile", "heartbeat"),
    ("communication_profile", "firewall_restriction"),
    ("agent_cipher_info", "requirements"),
    ("agent_cipher_probe", "targets"),
    ("agent_cipher_probe", "ssh"),
    ("local_dns", "hosts_file"),
    ("local_dns", "rfc2136"),
]


@pytest.mark.parametrize(("name", "option"), WITH_OPTIONS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@example(value=7)
@example(value=True)
@example(value=[7])
@example(value="Web")
@example(value=["Web"])
@example(value=[[]])
@example(value=[{"name": {"a": 1}}])
@given(value=VALUES)
def test_no_value_in_place_of_nested_options_ends_in_a_traceback(fail, name, option, value):
    """And the secrets beside it stay secret, although Ansible's own list of them is then empty."""
    if option in ("heartbeat", "firewall_restriction"):
        options = {"profiles": [{"name": "Web", "bogus": 1, option: value}]}
    elif option == "ssh":
        options = {"targets": [{"host": "127.0.0.1", "bogus": 1, option: value}]}
    elif name == "local_dns":
        zone = {"server": "192.0.2.53", "key_name": "a", "key_secret": "S3cretS3cret"}
        options = {"bogus": 1, "rfc2136": zone, option: value}
    else:
        options = {"bogus": 1, option: value}
    assert fail(name, {**RIGHT[name], **options})["failure"]["code"] == "bad_option"


def specification(name: str) -> dict[str, t.Any]:
    """The argument spec of a module."""
    met: list[dict[str, t.Any]] = []

    def keep(_module: Module, argument_spec: dict[str, t.Any], **_rules: t.Any) -> None:
        met.append(argument_spec)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Module, "__init__", keep)
        importlib.import_module(f"{modules.__name__}.{name}").main()
    return met[0]


NUL = "a\0b"
# Only one of these can be given.
EXCLUSIVE = ({"hosts_file", "rfc2136", "unbound", "dnsmasq"}, {"addresses", "cname"}, {"region", "manager"})


def with_text(
    spec: dict[str, t.Any], right: dict[str, t.Any], text: str, kinds: t.Collection[str], path: str = ""
) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """Options that are right but for a text, in each place of these kinds, and how an error calls the place."""
    for option, argument in spec.items():
        where, kind = f"{path}{option}", argument.get("elements") or argument.get("type", "str")
        others = {name: value for name, value in right.items() if not any({name, option} <= one for one in EXCLUSIVE)}

        def all_of(value: t.Any, option=option, argument=argument, others=others) -> dict[str, t.Any]:
            return {**others, option: [value] if argument.get("type") == "list" else value}

        if kind in kinds and "choices" not in argument:
            yield where, all_of(text)
        if "options" in argument:
            given = right.get(option) or {}
            given = given[0] if isinstance(given, list) else given
            below = argument["options"]
            item = {name: "dsm.example.com" for name, one in below.items() if one.get("required")} | given
            if argument.get("type") == "list":
                where = f"{where}[{item.get('name', 0)}]"
            for place, options in with_text(below, item, text, kinds, f"{where}."):
                yield place, all_of(options)


PLACES_OF_TEXT = [
    (name, *one) for name in NAMES for one in with_text(specification(name), RIGHT[name], NUL, ("str", "path", "raw"))
]


@pytest.mark.parametrize(
    ("name", "where", "options"), PLACES_OF_TEXT, ids=[f"{one[0]}-{one[1]}" for one in PLACES_OF_TEXT]
)
def test_nul_in_any_text_names_option_and_value(fail, name, where, options):
    """Ansible itself writes options to the system's log, which refuses it."""
    result = fail(name, options)
    assert result["failure"]["code"] == "bad_option"
    last = where.rpartition(".")[2]
    if last in ("api_key", "key_secret", "password", "private_key_passphrase", "proxy"):
        assert f"{last}'" in result["msg"] and "\\x00" not in result["msg"]
    elif last == "name" and "[" in where:
        assert "[a\\x00b].name' is 'a\\x00b': " in result["msg"]
    else:
        assert result["msg"].startswith(f"option '{where}' is 'a\\x00b': ")
    assert "syslog" not in json.dumps(result)


PLACES_OF_PATHS = [
    (name, text, *one)
    for name in NAMES
    for text in ("", " ")
    for one in with_text(specification(name), RIGHT[name], text, ("path",))
]


@pytest.mark.parametrize(
    ("name", "text", "where", "options"),
    PLACES_OF_PATHS,
    ids=[f"{one[0]}-{one[2]}-{one[1]!r}" for one in PLACES_OF_PATHS],
)
def test_an_empty_path_names_its_option(fail, name, text, where, options):
    result = fail(name, options)
    assert result["failure"]["code"] == "bad_option" and result["failure"]["option"] == where
    assert result["msg"].startswith(f"option '{where}' is '{text}': it must be a path")


def of_each_kind(kinds: t.Collection[str], *values: t.Any) -> list[tuple[str, str, dict[str, t.Any]]]:
    """Options of every module with something else in one place of these kinds, and how an error calls the place."""
    found = {}
    for name in NAMES:
        for number, value in enumerate(values):
            for where, options in with_text(specification(name), RIGHT[name], value, kinds):
                # Those of the connection are the same for many modules.
                if where not in MANAGER_OPTIONS or name == "policy_info":
                    found[name, where, number] = options
    return [(name, where, options) for (name, where, _number), options in found.items()]


MANAGER_OPTIONS = {where for where, _options in with_text(CONNECTION_ARGUMENTS, {}, "x", ("str", "path", "int"))}
NO_TEXT = [
    one
    for one in of_each_kind(("str", "path"), [[]], {"a": 1})
    # A list in place of a list is none of text.
    if one[1].rpartition(".")[2] not in ("name", "api_key")
]


@pytest.mark.parametrize(("name", "where", "options"), NO_TEXT)
def test_a_list_is_not_made_text_of(fail, name, where, options):
    """Ansible would make the query '[]' of an empty list, which selects everything."""
    result = fail(name, options)
    assert result["failure"]["code"] == "bad_option" and where.rpartition(".")[2] in result["msg"]


@pytest.mark.parametrize("option", ["computers_query", "policies_query"])
def test_an_empty_list_is_no_query(fail, option):
    said = f"{option}' is '[]': it must be text, but it is a list"
    result = fail("heartbeat", {**MANAGER, "interval": "7", option: []})
    assert result["msg"] == f"option '{said}"
    profile = {"name": "Web", option: [], "heartbeat": {"interval": "7"}}
    assert fail("communication_profile", {**MANAGER, "profiles": [profile]})["msg"] == f"option 'profiles[Web].{said}"


def test_a_switch_is_no_path(fail):
    result = fail("communication_profile", {**RIGHT["communication_profile"], "plan_file": True})
    assert result["msg"] == "option 'plan_file' is 'True': it must be text, but it is a boolean"


INFINITE = of_each_kind(("int",), float("inf"), "-Infinity")


@pytest.mark.parametrize(("name", "where", "options"), INFINITE)
def test_infinity_is_no_whole_number(fail, name, where, options):
    result = fail(name, options)
    assert result["failure"]["code"] == "bad_option" and where.rpartition(".")[2] in result["msg"]
    assert "it must be a whole number" in result["msg"] or "Infinity" in result["msg"]


@pytest.mark.parametrize(("name", "where", "options"), of_each_kind(("int",), "9" * 5000, "-" + "9" * 5000))
def test_thousands_of_digits_are_no_whole_number(fail, name, where, options):
    result = fail(name, options)
    assert result["failure"]["code"] == "bad_option" and where.rpartition(".")[2] in result["msg"]


@pytest.mark.parametrize(("name", "option"), [("communication_info", "facets"), ("computer_info", "expand")])
def test_blanks_around_choices_in_one_text_do_not_count(fail, name, option):
    right = {"facets": "heartbeat , communication_direction", "expand": " none,firewall"}[option]
    # What is wrong is something else.
    result = fail(name, {**RIGHT[name], option: right, "timeout": 0})
    assert result["failure"]["option"] == "timeout"
    assert "nowhere" in fail(name, {**RIGHT[name], option: f"{right}, nowhere"})["msg"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("interval", value) for value in ("x ", "x\xa0", "\t7 8\t")),
        ("missed_before_alert", "x "),
        ("raise_offline_errors_for_inactive_vms", "yess "),
    ],
)
def test_blanks_in_a_value_of_the_heartbeat_are_shown(fail, option, value):
    message = fail("heartbeat", {**MANAGER, "policies": ["Base Policy"], option: value})["msg"]
    assert literal(value) in message and f"is {literal(value.strip())}," not in message


@pytest.mark.parametrize("value", ["x", "", "[]", "a,b", [None], 7])
def test_what_is_no_dictionary_names_its_option(fail, value):
    result = fail("policy_info", {**MANAGER, "jump_host": value})
    assert result["failure"]["option"] == "jump_host" and result["msg"].startswith("option 'jump_host'")


def test_there_are_paths_everywhere():
    met = {(name, where) for name, _text, where, _options in PLACES_OF_PATHS}
    assert {("communication_profile", "plan_file"), ("communication_profile", "apply_plan")} <= met
    assert {("local_dns", "hosts_file.path"), ("agent_cipher_probe", "targets[0].ssh.known_hosts")} <= met
    assert {("policy_info", option) for option in ("ca_path", "api_key_file", "jump_host.private_key")} <= met


@pytest.mark.parametrize("key", [" ", "\t", "   ", "a", "the", "option"])
@pytest.mark.parametrize("name", [name for name in NAMES if "url" in RIGHT[name]])
def test_what_is_too_short_for_a_key_masks_nothing(fail, name, key):
    result = fail(name, {**RIGHT[name], "api_key": key})
    assert result["failure"]["option"] == "api_key" and result["msg"].startswith("option 'api_key': ")
    assert "*" not in json.dumps(result["failure"]) and "VALUE_SPECIFIED" not in result["msg"]
    assert "white space" in result["msg"] if not key.strip() else "too short" in result["msg"]


@pytest.mark.parametrize("key", [" ", "a"])
def test_a_blank_key_masks_nothing_where_ansible_refuses_an_option_beside_it(fail, key):
    result = fail("policy_info", {**MANAGER, "api_key": key, "timeout": "a b"})
    assert "*" not in result["msg"] and "timeout" in result["msg"]


def test_a_blank_key_in_the_environment_masks_nothing(fail, monkeypatch):
    monkeypatch.setenv("WORKLOAD_SECURITY_API_KEY", " ")
    result = fail("policy_info", {"url": MANAGER["url"]})
    assert result["msg"].startswith("option 'api_key': it must be") and "white space" in result["msg"]


HOSTILE = st.text(st.sampled_from('a "\\\x1b\u202eé\U0001f600'), max_size=3000)


def printed(result: dict[str, t.Any]) -> int:
    """How many characters Ansible prints of a failed task, but for lines of the playbook: the message, and the result."""
    return len(f"[ERROR]: Task failed: Module failed: {result['msg']}") + len(
        f"fatal: [localhost]: FAILED! => {json.dumps(result, ensure_ascii=False)}"
    )


@example(text='"' * 3000)
@example(text="\x1b" * 3000)
@given(text=HOSTILE)
def test_an_error_is_short_whatever_is_in_it(text):
    error = OptionError(f"profiles[{text}].name", text, text * 3)
    for problem in (error, MissingLibrary(text, text), NotFound("GET", f"/{text}", url=text, message=text)):
        assert printed({"failed": True, "changed": False, **failed(problem)}) < 3850


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_task_is_short_whatever_is_in_its_options(fail, name):
    text = '"\x1b\\é' * 1000
    refused = [{**RIGHT[name], text: 1}]
    for option, argument in specification(name).items():
        if argument.get("type", "str") != "str" or "choices" in argument:
            refused.append({**RIGHT[name], option: [{text: text}, text]})
    for options in refused:
        result = fail(name, options)
        result.pop("invocation")
        assert printed(result) < 3850
