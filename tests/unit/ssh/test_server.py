# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe an SSH server: one spec, one reader, one documentation."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.doc_fragments.connection import ModuleDocFragment
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import CONNECTION_ARGUMENTS
from ansible_collections.workload_security.agent.plugins.module_utils._probe.options import ARGUMENTS
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import (
    SERVER_ARGUMENTS,
    Server,
    read_server,
)
from ansible_collections.workload_security.agent.plugins.modules import agent_cipher_probe


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").touch()
    (tmp_path / "key").touch()
    return tmp_path


def refused(**given_options):
    with pytest.raises(OptionError) as caught:
        read_server("jump_host", {"host": "jump", **given_options}, "jump host")
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_what_is_left_out_has_its_default(files):
    known_hosts = str(files / ".ssh" / "known_hosts")
    assert read_server("x", {"host": "jump"}, "jump host") == Server("jump", 22, None, None, known_hosts, "jump host")
    empty = {"host": "jump", "port": None, "user": "", "private_key": "", "known_hosts": ""}
    assert read_server("x", empty, "jump host") == read_server("x", {"host": "jump"}, "jump host")


def test_everything_given(files):
    given_options = {"host": "::1", "port": "2222", "user": "me", "private_key": "~/key", "known_hosts": "$HOME/key"}
    server = read_server("x", given_options, "jump host")
    assert server == Server("::1", 2222, "me", str(files / "key"), str(files / "key"), "jump host")
    assert str(server) == "jump host ::1 port 2222"


@pytest.mark.parametrize("host", [None, "", "-oProxyCommand=x", "a b", "a\n", "a\0", "jümp", "x" * 254])
def test_a_host_that_is_none(files, host):
    assert refused(host=host).startswith("option 'jump_host.host'")


@pytest.mark.parametrize("port", [0, 65536, -1, "ssh", True, 22.5, [], "9" * 5000])
def test_a_port_that_is_none(files, port):
    assert refused(port=port).startswith("option 'jump_host.port' is ")


@pytest.mark.parametrize("user", ["a\n", "a\0", "\x1b[2J", "\ud800"])
def test_a_user_that_is_none(files, user):
    assert refused(user=user).startswith("option 'jump_host.user' is ")


@pytest.mark.parametrize("option", ["private_key", "known_hosts"])
@pytest.mark.parametrize(
    "path", ["none", ".", "~nobody-of-that-name/key", "a\0b", "~a\0", "\ud800", "/dev/zero", 5, [], {}]
)
def test_a_file_that_cannot_be_read(files, option, path):
    assert refused(**{option: path or {"x": 1}}).startswith(f"option 'jump_host.{option}' is ")


@pytest.mark.parametrize("given_options", [None, "jump", [], 5])
def test_no_dictionary(given_options):
    with pytest.raises(OptionError, match="option 'jump_host'.*: it must be a dictionary with at least host"):
        read_server("jump_host", given_options, "jump host")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2)
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(SERVER_ARGUMENTS)), ANYTHING))
def test_any_values_are_an_answer(files, options):
    try:
        read_server("x", options, "jump host")
    except OptionError as error:
        assert str(error).isprintable()


def test_there_is_one_spec_and_one_documentation():
    spec = ARGUMENTS["targets"]["options"]["ssh"]["options"]
    assert spec == CONNECTION_ARGUMENTS["jump_host"]["options"] == SERVER_ARGUMENTS
    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)
    module = yaml.safe_load(agent_cipher_probe.DOCUMENTATION)
    of_probe = module["options"]["targets"]["suboptions"]["ssh"]["suboptions"]
    assert of_probe == fragment["options"]["jump_host"]["suboptions"]
    needed = [line for lines in (module, fragment) for line in lines["requirements"] if line.startswith("paramiko")]
    assert [line.split(",")[0] for line in needed] == ["paramiko >= 3.4.1"] * 2
