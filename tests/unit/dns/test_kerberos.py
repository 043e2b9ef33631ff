# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who signs updates, from options. What real servers say to it is in tests/end_to_end/test_active_directory.py."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import Problem
from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import shown
from ansible_collections.workload_security.agent.plugins.module_utils._dns import kerberos
from ansible_collections.workload_security.agent.plugins.module_utils._dns.rfc2136 import ARGUMENTS, Rfc2136


def failure(**options: t.Any) -> Problem:
    """How the place that these options name fails before anything is sent: nobody listens at this port."""
    defaults = {name: argument.get("default") for name, argument in ARGUMENTS.items()}
    with pytest.raises(Problem) as caught:
        Rfc2136({**defaults, "server": "dc1.corp.example", "port": 1, **options}).read(["dsm.corp.example"])
    return caught.value


GSS_TSIG: t.Any = {"authentication": "gss_tsig"}
KEY = {"key_name": "ansible", "key_secret": "c2VjcmV0"}


@pytest.mark.parametrize(
    "options, option, words",
    [
        ({"authentication": "tsig"}, "key_name", "key_file"),
        ({"authentication": "tsig", "key_name": " ", "key_secret": "\n"}, "key_name", "key_file"),
        ({"authentication": "none", **KEY}, "authentication", "key_name is for tsig"),
        ({**GSS_TSIG, **KEY}, "authentication", "key_name is for tsig"),
        ({**GSS_TSIG, "key_file": "/etc/key"}, "authentication", "key_file is for tsig"),
        ({"keytab": "/etc/keytab"}, "keytab", "gss_tsig"),
        ({"principal": "ansible", **KEY}, "principal", "gss_tsig"),
        ({"authentication": "none", "ticket_cache": "KCM:"}, "ticket_cache", "gss_tsig"),
        ({"server_name": "dc1"}, "server_name", "gss_tsig"),
        ({**GSS_TSIG, "keytab": "/etc/keytab", "ticket_cache": "KCM:"}, "ticket_cache", "keytab"),
        ({**GSS_TSIG, "server": "192.0.2.1"}, "server_name", "192.0.2.1"),
        ({**GSS_TSIG, "server": "fe80::1%eth0"}, "server_name", "host names"),
        ({**GSS_TSIG, "server": "not a host"}, "server", "host name"),
        ({**GSS_TSIG, "server": "192.0.2.1", "server_name": "not a host"}, "server_name", "host name"),
        ({**GSS_TSIG, "principal": "a\ud800@B"}, "principal", "UTF-8"),
        ({**GSS_TSIG, "ticket_cache": "DIR:/\udcff"}, "ticket_cache", "UTF-8"),
        ({**GSS_TSIG, "keytab": "/\udcff"}, "keytab", "UTF-8"),
    ],
)
def test_options_that_contradict_each_other_are_named(options, option, words):
    error = failure(**options)
    assert (error.code, error.option) == ("bad_option", f"rfc2136.{option}")
    assert words in str(error) and KEY["key_secret"] not in str(error)


def test_the_missing_library_is_named_and_how_to_have_it(monkeypatch):
    monkeypatch.setattr(kerberos, "GSSAPI_IMPORT_ERROR", "No module named 'gssapi'")
    error = failure(**GSS_TSIG)
    assert (error.code, error.option) == ("missing_library", "rfc2136.authentication")
    assert "gssapi" in str(error) and "python3-gssapi" in str(error)


def test_a_keytab_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    for name, words in (
        ("pipe", "a named pipe"),
        ("nowhere", "No such file"),
        ("text", "not a Kerberos keytab"),
        ("", "a folder"),
    ):
        with pytest.raises(Problem, match=words) as caught:
            kerberos.Kerberos("dc1", None, str(tmp_path / name), None)._check_keytab(str(tmp_path / name))
        assert (caught.value.code, caught.value.option) == ("bad_keytab", "rfc2136.keytab")


def test_a_ticket_cache_that_cannot_be_read_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for kind in ("", "FILE:", "WRFILE:"):
        for name, words in (
            ("pipe", "a named pipe"),
            ("nowhere", "No such file"),
            ("", "a folder"),
            ("a\0b", "not a path"),
        ):
            cache = f"{kind}{tmp_path}/{name}"
            with pytest.raises(Problem, match=words) as caught:
                kerberos.Kerberos("dc1", None, None, cache)._check_ticket_cache(cache)
            assert (caught.value.code, caught.value.option) == ("no_ticket", "rfc2136.ticket_cache")
            assert shown(cache) in str(caught.value) and "kinit" in str(caught.value)
    (tmp_path / "cache").write_bytes(b"\5\4")
    for cache in (f"{tmp_path}/cache", f"FILE:{tmp_path}/cache", "KCM:", "KEYRING:persistent:0", f"DIR:{tmp_path}/no"):
        kerberos.Kerberos("dc1", None, None, cache)._check_ticket_cache(cache)
