# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers by what a configuration of OpenSSH says of them: as its own client reads it, and at real servers."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
from contextlib import closing
from unittest import mock

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.configuration import look_up, parts_of
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.errors import SshError
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.server import read_server
from ansible_collections.workload_security.agent.plugins.module_utils._ssh.session import Session
from tests.lab.ssh_server import SshServer, make_key
from tests.unit.ssh.agents import ssh_agent


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two servers, each with its own keys."""
    folder = tmp_path_factory.mktemp("servers")
    with SshServer(folder / "first") as first, SshServer(folder / "second") as second:
        yield first, second


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def configure(home, servers):
    """Writes ~/.ssh/config, and reads the server of an alias with it; the host keys of both servers are known."""
    known = "".join(server.known_hosts.read_text() for server in servers)

    def write(text, alias="gate", **options):
        first, second = servers
        for name, server in (("FIRST", first), ("SECOND", second)):
            text = text.replace(f"{name}_PORT", str(server.port)).replace(f"{name}_KEY", str(server.private_key))
        (home / ".ssh" / "known_hosts").write_text(known)
        (home / ".ssh" / "config").write_text(text)
        return read_server("jump_host", {"host": alias, "ssh_config": "~/.ssh/config", **options}, "jump host")

    return write


def refused(configure, text, **options):
    with pytest.raises(OptionError) as caught:
        configure(text, **options)
    assert str(caught.value).isprintable()
    assert caught.value.option == "jump_host.ssh_config"
    return str(caught.value)


def goes_through(server):
    """Whether bytes come through a session, there and back."""

    def echo():
        connection, _address = listener.accept()
        with connection:
            connection.sendall(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo)
        thread.start()
        with closing(Session(server, 30)) as session, closing(session.open(*listener.getsockname(), 30)) as channel:
            channel.sendall(b"hello")
            assert channel.recv(100) == b"hello"
        thread.join()


def logins(*servers):
    return [server.log.count("Accepted publickey") for server in servers]


GATE = """
Host other
  Port 1
Host gate ga*
  HostName 127.0.0.1
  Port FIRST_PORT
  IdentityFile ~/nowhere
  IdentityFile FIRST_KEY
Host *
  Port 2
"""
TWO_STEPS = """
Host gate
  HostName 127.0.0.1
  Port SECOND_PORT
  IdentityFile SECOND_KEY
  ProxyJump First
Host First
  HostName 127.0.0.1
  Port FIRST_PORT
  IdentityFile FIRST_KEY
"""


def test_an_alias(configure, servers):
    first, _second = servers
    server = configure(GATE)
    assert (server.host, server.port, server.private_key) == ("127.0.0.1", first.port, str(first.private_key))
    assert server.via is None and str(server) == f"jump host 127.0.0.1 port {first.port}"
    before = logins(first)
    goes_through(server)
    assert logins(first) == [before[0] + 1]


def test_one_step_more(configure, servers):
    server = configure(TWO_STEPS)
    before = logins(*servers)
    goes_through(server)
    assert logins(*servers) == [number + 1 for number in before]


@pytest.mark.parametrize("text", [GATE, TWO_STEPS], ids=["alias", "two steps"])
def test_openssh_goes_the_same_way(configure, servers, home, text):
    configure(text)
    before = logins(*servers)
    options = [f"-oUserKnownHostsFile={home}/.ssh/known_hosts", "-oBatchMode=yes", "-oIdentitiesOnly=yes"]
    # It does not go by HOME for its own files, nor does the one that it starts for the first step.
    command = ["ssh", "-F", str(home / ".ssh" / "config"), *options, "gate", "echo hello"]
    known = f"Host *\n  UserKnownHostsFile {home}/.ssh/known_hosts\n"
    (home / ".ssh" / "config").write_text((home / ".ssh" / "config").read_text() + known)
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout == "hello\n", ran.stderr
    theirs = [after - one for after, one in zip(logins(*servers), before, strict=True)]
    goes_through(read_server("jump_host", {"host": "gate", "ssh_config": "~/.ssh/config"}, "jump host"))
    assert [after - one for after, one in zip(logins(*servers), before, strict=True)] == [2 * one for one in theirs]


def test_what_an_option_says_counts_more(configure, servers):
    first, second = servers
    server = configure(
        GATE.replace("Port FIRST", "User them\n  Port FIRST"),
        port=second.port,
        user="me",
        private_key=second.private_key,
    )
    assert (server.port, server.user, server.private_key) == (second.port, "me", str(second.private_key))
    assert configure(GATE, port=None, user="").port == first.port
    assert configure(GATE.replace("Port FIRST", "User them\n  Port FIRST")).user == "them"
    # The steps in front are not what the options are about.
    server = configure(TWO_STEPS, user="me", private_key=str(first.private_key))
    assert (server.via.user, server.via.port, server.via.private_key) == (None, first.port, str(first.private_key))
    server = configure("Host gate\n  ProxyJump me@[::1]:2222\n", port=2)
    assert (server.via.user, server.via.host, server.via.port) == ("me", "::1", 2222)


def test_a_host_that_the_file_does_not_have(configure):
    server = configure("Host other\n  Port 1\n", "jump.example.com")
    assert (server.host, server.port, server.private_key, server.via) == ("jump.example.com", 22, None, None)


def test_included_files(configure, home, servers):
    first, _second = servers
    folder = home / ".ssh" / "config.d"
    folder.mkdir()
    (folder / "10-other").write_text("Host other\n  Port 1\n")
    (folder / "20-gate").write_text(f"Host gate\n  HostName 127.0.0.1\n  IdentityFile {first.private_key}\n")
    for line in (
        "Include config.d/*",
        "include=~/.ssh/config.d/*",
        'Include "config.d/20*" config.d/10* nowhere # ours',
    ):
        # What follows belongs to all hosts, as before.
        server = configure(f"{line}\nPort FIRST_PORT\n")
        assert (server.host, server.port) == ("127.0.0.1", first.port), line
    (folder / "20-gate").write_text("Include config.d/20-gate\n")
    assert "included by itself" in refused(configure, "Include config.d/20*\n")
    shutil.rmtree(folder)


@pytest.mark.parametrize("agent_has_it", [True, False])
def test_a_private_key_with_a_passphrase_is_that_of_the_agent(configure, servers, home, monkeypatch, agent_has_it):
    first, _second = servers
    locked = home / "locked"
    shutil.copy(first.private_key, locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(locked)], check=True)
    server = configure(GATE.replace("FIRST_KEY", str(locked)))
    assert server.private_key == str(locked)
    with ssh_agent(monkeypatch, home, *([first.private_key] if agent_has_it else [])):
        if agent_has_it:
            goes_through(server)
        else:
            with pytest.raises(SshError, match="needs a passphrase.* and the SSH agent has no key"):
                Session(server, 30)
        # An option that names the key means this one.
        with pytest.raises(SshError, match="needs a passphrase"):
            Session(configure(GATE, private_key=str(locked)), 30)


def test_a_step_in_front_that_fails_is_named(configure, servers, tmp_path):
    first, _second = servers
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(SshError, match=f"no SSH session with ProxyJump of jump host 127.0.0.1 port {port}"):
            Session(configure(TWO_STEPS.replace("FIRST_PORT", str(port))), 30)
        with pytest.raises(SshError, match=f"ProxyJump of jump host .* cannot connect to 127.0.0.1 port {port}"):
            Session(configure(TWO_STEPS.replace("SECOND_PORT", str(port))), 30)
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(SshError, match="jump host 127.0.0.1 port .* does not let in user"):
        Session(configure(TWO_STEPS.replace("SECOND_KEY", str(stranger))), 30)


def test_the_host_keys_of_both_must_be_known(configure, servers, home):
    first, second = servers
    for known, unknown in ((first, "^jump host"), (second, "^ProxyJump of jump host")):
        server = configure(TWO_STEPS)
        (home / ".ssh" / "known_hosts").write_text(known.known_hosts.read_text())
        with pytest.raises(SshError, match=f"{unknown} 127.0.0.1 port [0-9]+ is not in .*known_hosts"):
            Session(server, 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Host gate\n  ProxyCommand nc %h %p\n",
            "it has a ProxyCommand for gate, which is not supported; use ProxyJump",
        ),
        ("Host gate\n  ProxyJump a,b\n", "its ProxyJump for gate is a,b, and no more than one further server"),
        ("Host gate\n  ProxyJump a\nHost a\n  ProxyJump b\n", "a is a ProxyJump and has one itself"),
        ("Host gate\n  ProxyJump ssh://\n", "its ProxyJump for gate is wrong: it must be the name or address"),
        ("Host gate\n  ProxyJump a:x\n", "its ProxyJump for gate is wrong: it must be the name or address"),
        ("Host gate\n  Port 0\n", "its Port for gate is wrong: it must be a port from 1 to 65535"),
        ("Host gate\n  Port ssh\n", "its Port for gate is wrong"),
        ("Host gate\n  HostName jümp\n", "its HostName for gate is wrong"),
        ('Host gate\n  HostName ""\n', "its HostName for gate is wrong"),
        ("Host gate\n  HostName -oProxyCommand=x\n", "its HostName for gate is wrong"),
        ("Host gate\n  User a\x07\n", "its User for gate is wrong"),
        ("nonsense\n", "it cannot be read for gate: Unparsable line nonsense"),
        ("Host 'gate\n", "it cannot be read for gate"),
        ("Match\n", "it cannot be read for gate"),
        ("CanonicalizeHostname yes\nCanonicalizeMaxDots x\n", "it cannot be read for gate"),
    ],
)
def test_what_is_refused(configure, home, text, said):
    assert said in refused(configure, text)


def test_commands_that_do_not_apply(configure):
    for text in (
        "Host gate\n  ProxyJump none\nHost *\n  ProxyJump a,b\n",
        "Host gate\n  ProxyCommand none\nHost *\n  ProxyJump a,b\n",
        "Host other\n  ProxyCommand x\n",
        # As with OpenSSH, what would lead through itself leads there straight.
        "Host *\n  ProxyJump me@gate\n",
        "Host *\n  ProxyJump gate.example.com\nHost gate\n  HostName gate.example.com\n",
    ):
        assert configure(text).via is None, text
    assert configure("Host *\n  ProxyJump bastion\n").via.via is None
    assert configure("Host gate\n  ProxyJump a\nHost gate\n  ProxyCommand x\n").via.host == "a"


# Of an own file, and of the one that it includes.
LINES = [
    *(
        "Host gate",
        "Host *",
        "Host g* !gate",
        "Host other gate",
        'Host "gate"',
        "Host=gate",
        "Host gate # x",
        "Host g[a]te",
    ),
    *("Match all", "Match host gate", "Match host g* user root", "Match originalhost gate", "Match !host gate"),
    *("HostName real", "HostName=real", 'hostname "real"', "HostName real # c", "HostName 'real'", 'HostName "re"al'),
    *(
        "User bob",
        'User "bob b"',
        "User a\\ b",
        "User CORP\\me",
        "User CORP\\\\me",
        'User "a\\"b"',
        "User bob#x",
        "  User   c  ",
    ),
    *("Port 22 # x", "Port=33", '\tPort\t"44"', "ProxyJump j", "ProxyJump none", "ProxyJump u@j:9 # c", "# c", ""),
]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([*LINES, "Include ~/.ssh/more"]), max_size=6), st.lists(st.sampled_from(LINES), max_size=3)
)
@example(["Host other", "Include ~/.ssh/more"], ["Host gate", "Port=33"])
@example(["Match host gate", "Include ~/.ssh/more", "Port=33"], ["HostName real"])
@example(["User bob # c", "HostName 'real'", "Host gate # x"], [])
def test_what_openssh_itself_reads(folder, text, more):
    (folder / ".ssh").mkdir(exist_ok=True)
    for name, lines in (("config", text), ("more", more)):
        (folder / ".ssh" / name).write_text("".join(f"{line}\n" for line in lines))
    path = str(folder / ".ssh" / "config")
    # It takes the home of the user from elsewhere.
    text = [line.replace("~", str(folder)) for line in text]
    (folder / ".ssh" / "theirs").write_text("".join(f"{line}\n" for line in text))
    command = ["ssh", "-G", "-F", str(folder / ".ssh" / "theirs"), "gate"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assume(ran.returncode == 0)
    theirs = dict(line.split(" ", 1) for line in reversed(ran.stdout.splitlines()) if " " in line)
    with mock.patch.dict(os.environ, HOME=str(folder)):
        found = look_up("x", path, "gate")
    told = (found.host, found.port or "22", found.user or getpass.getuser(), found.jump)
    assert told == (theirs["hostname"], theirs["port"], theirs["user"], theirs.get("proxyjump"))


def test_the_file_must_be_there(home):
    (home / ".ssh" / "known_hosts").touch()
    with pytest.raises(OptionError, match="option 'jump_host.ssh_config' is '.*/nowhere': it must be a readable file"):
        read_server("jump_host", {"host": "gate", "ssh_config": "~/nowhere"}, "jump host")


def test_parts_of_a_jump():
    for text, parts in (
        ("Gate", ("Gate", None, None)),
        ("me@gate:2222", ("gate", "2222", "me")),
        ("corp%5Cme@gate", ("gate", None, "corp%5Cme")),
        ("ssh://corp%5Cme@gate", ("gate", None, "corp\\me")),
        ("me@corp@gate", ("gate", None, "me@corp")),
        ("[2001:db8::1]:22", ("2001:db8::1", "22", None)),
        ("ssh://me@gate:22", ("gate", "22", "me")),
        ("ssh://gate/", ("gate", None, None)),
        ("gate:", ("gate", None, None)),
        ("[gate]:22", ("gate", "22", None)),
        ("", ("", None, None)),
        ("gate:port", ("", None, None)),
        # What OpenSSH takes for none, either.
        ("[::1", ("", None, None)),
        ("[::1]x", ("", None, None)),
        ("[::1]x:22", ("", None, None)),
        ("x[::1]", ("", None, None)),
        ("[[::1]]", ("", None, None)),
        ("::1", ("", None, None)),
        ("gate:22:22", ("", None, None)),
        ("gate/path", ("", None, None)),
        ("ssh://gate/path", ("", None, None)),
        ("ssh://gate:22/?x", ("", None, None)),
    ):
        found = parts_of(text)
        assert (found.host, found.port, found.user) == parts, text


@settings(max_examples=150)
@given(st.text(), st.text(st.sampled_from("aghost \n=,:@[]!*?%\"'#-.12MatchPortIncludeProxyJump/~"), max_size=60))
def test_any_file_is_an_answer(folder, alias, text):
    path = folder / "config"
    path.write_text(f"{text}\nHost *\n{text}\n", encoding="utf-8", errors="replace")
    options = {"host": alias, "ssh_config": str(path), "known_hosts": str(path)}
    try:
        read_server("x", options, "jump host")
    except OptionError as error:
        assert str(error).isprintable()
