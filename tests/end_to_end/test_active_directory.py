# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates that Kerberos signs: real BIND with a real KDC, and a domain controller of a real Active Directory."""

from __future__ import annotations

import base64
import json
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from tests.end_to_end.controller import end_on_controller, run_on_controller
from tests.end_to_end.play import play
from tests.lab.hosts.image import image
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.nameserver import ActiveDirectory, Bind, Kdc

pytest.importorskip(
    "gssapi", reason="Updates that Kerberos signs need the library gssapi, see requirements/kerberos.txt"
)

MODULE = "workload_security.agent.local_dns"
NAME = "dsm.lab.test"
IN_DOMAIN = "dsm.corp.example"


class Controller:
    """Where the module runs: in the lab's network, with a hosts file of its own, and files from the lab's hosts."""

    def __init__(self, hosts: LabHosts, folder: Path, names: dict[str, Host], *preload: str) -> None:
        self.folder = folder
        lines = [f"{host.address} {name}" for name, host in names.items()]
        (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]), encoding="ascii")
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        self.prefix = [*hosts.prefix, "unshare", "--mount", "sh", "-c", script, str(folder / "hosts"), "env", *preload]

    def fetch(self, host: Host, path: str, name: str | None = None) -> str:
        """A file of a host, copied; its path here."""
        copy = self.folder / (name or Path(path).name)
        shutil.copyfile(host.root / path[1:], copy)
        return str(copy)

    def write(self, name: str, text: str) -> str:
        """A new file; its path."""
        file = self.folder / name
        file.write_text(text, encoding="ascii")
        return str(file)

    def run(self, *tasks: dict[str, t.Any], **environment: str) -> list[dict[str, t.Any]]:
        """The results of tasks, one after the other."""
        return run_on_controller(self, tasks, **environment)

    def end(self) -> None:
        """End the process that has run them."""
        end_on_controller(self)


def task(name: str, *addresses: str, check_mode: bool = False, place: dict[str, t.Any], **options: t.Any) -> dict:
    wanted = {"hostnames": [name], **({"addresses": list(addresses)} if addresses else {}), **options}
    return {MODULE: {**wanted, "rfc2136": {"authentication": "gss_tsig", **place}}, "check_mode": check_mode}


def code_of(result: dict[str, t.Any]) -> str | None:
    return result.get("failure", {}).get("code")


# -- BIND and MIT Kerberos


class Realm(t.NamedTuple):
    """A name server, its KDC, and the controller of those who have tickets of it."""

    bind: Bind
    kdc: Kdc
    controller: Controller

    def keytab(self, principal: str) -> str:
        return self.controller.fetch(self.bind.host, self.kdc.keytab(principal))

    def run(self, *tasks: dict[str, t.Any], **environment: str) -> list[dict[str, t.Any]]:
        return self.controller.run(*tasks, **{"KRB5_CONFIG": str(self.controller.folder / "krb5.conf"), **environment})


@pytest.fixture(scope="module", name="realm")
def realm_fixture(hosts: LabHosts, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Realm]:
    host = hosts.add("ns1")
    with Kdc(host) as kdc:
        kdc.add("DNS/ns1.lab.test", "ansible", "stranger", "gone")
        host.run("install -o bind -m 400 /etc/DNS_ns1.lab.test.keytab /etc/bind/dns.keytab")
        options = 'tkey-gssapi-keytab "/etc/bind/dns.keytab";'
        with Bind(host, policy=f"grant ansible@{kdc.realm} zonesub ANY;", options=options) as bind:
            controller = Controller(hosts, tmp_path_factory.mktemp("realm"), {"ns1.lab.test": host})
            controller.write("krb5.conf", kdc.configuration)
            yield Realm(bind, kdc, controller)
            controller.end()


def tickets(realm: Realm, name: str, lifetime: str = "1h") -> str:
    """A ticket cache with a ticket of the principal ansible."""
    realm.bind.host.run(
        ["kinit", "-c", f"/tmp/{name}", "-l", lifetime, "-k", "-t", realm.kdc.keytab("ansible"), "ansible"]
    )
    return realm.controller.fetch(realm.bind.host, f"/tmp/{name}")


def test_a_ticket_signs_from_wherever_it_comes(realm):
    server, cache, keytab = {"server": "ns1.lab.test"}, tickets(realm, "cache"), realm.keytab("ansible")
    by_address = {"server": realm.bind.address, "server_name": "NS1.lab.test."}
    ways = [
        ({**server, "keytab": keytab}, {}),
        ({**server, "keytab": keytab, "principal": "ansible", "protocol": "tcp"}, {}),
        ({**by_address, "keytab": keytab, "principal": "ansible@LAB.TEST", "zone": "lab.test"}, {}),
        ({**server, "ticket_cache": cache}, {}),
        ({**server, "ticket_cache": f"FILE:{cache}", "principal": "ansible@LAB.TEST"}, {}),
        (server, {"KRB5CCNAME": cache}),
        (server, {"KRB5CCNAME": "MEMORY:none", "KRB5_CLIENT_KTNAME": keytab}),
    ]
    for number, (place, environment) in enumerate(ways):
        address = f"198.18.0.{100 + number}"
        before = realm.bind.answer(NAME)
        (predicted,) = realm.run(task(NAME, address, place=place, check_mode=True), **environment)
        assert realm.bind.answer(NAME) == before, "check mode has written"
        made, again = realm.run(*2 * [task(NAME, address, place=place)], **environment)
        assert (predicted["changed"], made["changed"], again["changed"]) == (True, True, False), (predicted, made)
        assert realm.bind.answer(NAME) == [address]
    (removed,) = realm.run(task(NAME, place={**server, "keytab": keytab}, state="absent"))
    assert removed["changed"] and not realm.bind.answer(NAME)
    # The server has verified who it was.
    assert r"key ansible\@LAB.TEST: updating zone" in realm.bind.log


def test_what_kerberos_and_the_server_refuse_is_told_apart(realm):
    controller, address = realm.controller, realm.bind.address
    old, keytab, stranger, gone = (
        tickets(realm, "old", "1s"),
        *(realm.keytab(name) for name in ("ansible", "stranger", "gone")),
    )
    realm.bind.host.run(["kadmin.local"], input="delprinc -force gone\n")
    right, other_realm = realm.kdc.configuration, realm.kdc.configuration.replace("LAB.TEST", "OTHER.TEST")
    no_kdc, unknown_realm = (
        {"KRB5_CONFIG": controller.write("no_kdc.conf", right.replace(address, f"{address}:1"))},
        {"KRB5_CONFIG": controller.write("other.conf", other_realm)},
    )
    elsewhere = {"KRB5_CONFIG": controller.write("domain.conf", f"{right}[domain_realm]\n.lab.test = OTHER.TEST\n")}
    no_realm = {"KRB5_CONFIG": controller.write("no_realm.conf", right.replace("    default_realm = LAB.TEST\n", ""))}
    text = controller.write("text", "no keytab")
    ns2 = {"server": address, "server_name": "ns2.lab.test"}
    # At least one of its seconds is over by now, and then it has ended.
    time.sleep(1.1)
    attempts: list[tuple[dict, dict, str, str | None, str]] = [
        ({"ticket_cache": "/no/such/cache"}, {}, "no_ticket", "ticket_cache", "kinit"),
        ({"ticket_cache": text}, {}, "no_ticket", "ticket_cache", f"option rfc2136.ticket_cache is '{text}'"),
        *(
            ({"ticket_cache": kind}, {}, "no_ticket", "ticket_cache", f"option rfc2136.ticket_cache is '{kind}'")
            for kind in ("KCM:", "KEYRING:persistent:4242", "MEMORY:empty", "DIR:/no/such", "NONE:x")
        ),
        ({"ticket_cache": "KCM:", "principal": "ansible"}, no_realm, "bad_option", "principal", "no default_realm"),
        ({}, {"KRB5CCNAME": "/no/such/cache"}, "no_ticket", "ticket_cache", "/no/such/cache"),
        ({"ticket_cache": old}, {}, "no_ticket", "ticket_cache", "expired"),
        ({"ticket_cache": old, "principal": "other@LAB.TEST"}, {}, "no_ticket", "ticket_cache", "does not match"),
        ({"keytab": "/no/such/keytab"}, {}, "bad_keytab", "keytab", "No such file"),
        ({"keytab": text}, {}, "bad_keytab", "keytab", "is not a Kerberos keytab"),
        ({"keytab": keytab, "principal": "nobody@LAB.TEST"}, {}, "bad_keytab", "keytab", "nobody@LAB.TEST"),
        ({"keytab": keytab, "principal": "a@b@c"}, {}, "bad_option", "principal", "'a@b@c'"),
        ({"keytab": gone}, {}, "unknown_principal", "principal", "gone@LAB.TEST"),
        ({"keytab": keytab}, no_kdc, "no_kdc", "principal", "Cannot contact any KDC"),
        ({"keytab": keytab}, unknown_realm, "no_kdc", "principal", "LAB.TEST"),
        ({"keytab": keytab}, elsewhere, "wrong_realm", "principal", "another realm"),
        ({"keytab": keytab, "server_name": "dc1.corp.example"}, {}, "wrong_realm", "principal", "another realm"),
        ({"keytab": keytab, **ns2}, {}, "unknown_service", "server_name", "DNS/ns2.lab.test"),
        ({"keytab": stranger}, {}, "refused", "principal", "stranger@LAB.TEST"),
        ({"keytab": keytab, "server": address}, {}, "bad_option", "server_name", "host names"),
    ]
    for place, environment, code, option, words in attempts:
        (result,) = realm.run(task(NAME, "198.18.0.9", place={"server": "ns1.lab.test", **place}), **environment)
        failure = result["failure"]
        assert (failure["code"], failure["option"]) == (code, f"rfc2136.{option}"), failure
        assert words in failure["message"]
    assert not realm.bind.answer(NAME)


def test_a_clock_that_differs_is_told(hosts, realm, tmp_path):
    (library,) = image().glob("usr/lib/*/faketime/libfaketime.so.1")
    preload = (f"LD_PRELOAD={library}", "FAKETIME=+1h", "DONT_FAKE_MONOTONIC=1")
    controller = Controller(hosts, tmp_path, {"ns1.lab.test": realm.bind.host}, *preload)
    right = controller.write("krb5.conf", realm.kdc.configuration)
    strict = realm.kdc.configuration.replace("[libdefaults]", "[libdefaults]\n    kdc_timesync = 0")
    strict = controller.write("strict.conf", strict)
    keytab, cache = {"keytab": realm.keytab("ansible")}, {"ticket_cache": tickets(realm, "early", "10h")}
    try:
        # Kerberos itself allows for the KDC's clock where it gets a ticket, unless told otherwise, and then the server
        # does not.
        for configuration, tickets_of in ((right, keytab), (right, cache), (strict, keytab), (strict, cache)):
            attempt = task(NAME, "198.18.0.9", place={"server": "ns1.lab.test", **tickets_of})
            (result,) = controller.run(attempt, KRB5_CONFIG=configuration)
            assert code_of(result) == "bad_time", result
            assert "set the clocks" in result["msg"]
    finally:
        controller.end()
    assert not realm.bind.answer(NAME)


def test_no_key_or_ticket_is_shown(hosts, realm, tmp_path, monkeypatch):
    keytab = realm.keytab("ansible")
    monkeypatch.setenv("KRB5_CONFIG", str(realm.controller.folder / "krb5.conf"))
    monkeypatch.setenv("ANSIBLE_INJECT_INVOCATION", "true")
    place = {"server": realm.bind.address, "server_name": "ns1.lab.test", "keytab": keytab}
    played = play(hosts, tmp_path, task(NAME, "198.18.0.9", place=place), arguments=["-vvvvv", "--diff"])
    assert played.results[0]["changed"], played.output
    content = Path(keytab).read_bytes()
    # The newest key is the last in the file, where 32 bytes of it come before its number.
    key = content[-36:-4]
    for secret in (base64.b64encode(content).decode(), base64.b64encode(key).decode(), key.hex()):
        assert secret not in played.output + json.dumps(played.results)
    assert keytab in played.output, "the options are shown"
    realm.run(task(NAME, place=place, state="absent"))


def test_a_server_that_has_another_key_or_takes_no_tickets(realm):
    place = {"server": "ns1.lab.test", "keytab": realm.keytab("ansible")}
    realm.bind.host.run(["kadmin.local"], input="cpw -randkey DNS/ns1.lab.test\n")
    (result,) = realm.run(task(NAME, "198.18.0.9", place=place))
    assert (code_of(result), result["failure"]["option"]) == ("bad_key", "rfc2136.server_name")
    assert "DNS/ns1.lab.test" in result["msg"]
    realm.bind.options = ""
    realm.bind.configure()
    realm.bind.restart()
    (result,) = realm.run(task(NAME, "198.18.0.9", place=place))
    assert (code_of(result), result["failure"]["option"]) == ("no_gss_tsig", "rfc2136.authentication")


# -- Active Directory


def test_active_directory_takes_what_kerberos_signs(hosts, tmp_path):
    host = hosts.add("dc1")
    with ActiveDirectory(host, users=["ansible", "other"]) as directory:
        controller = Controller(hosts, tmp_path, {directory.name: host})
        environment = {"KRB5_CONFIG": controller.write("krb5.conf", directory.configuration)}
        keytabs = {user: controller.fetch(host, directory.keytab(user)) for user in ("ansible", "other")}
        place = {"server": directory.name, "keytab": keytabs["ansible"]}
        try:
            # Made, changed, an alias, addresses again, removed: in check mode, truly, and once more.
            steps = [
                (dict(addresses=["198.18.0.9", "2001:db8::9"], ttl=300), ["198.18.0.9"]),
                (dict(addresses=["198.18.0.8"]), ["198.18.0.8"]),
                (dict(cname=directory.name), [host.address, f"{directory.name}."]),
                (dict(addresses=["198.18.0.7"]), ["198.18.0.7"]),
                (dict(state="absent"), []),
            ]
            before: list[str] = []
            for options, wanted in steps:
                (predicted,) = controller.run(task(IN_DOMAIN, place=place, check_mode=True, **options), **environment)
                assert predicted["changed"] and directory.answer(IN_DOMAIN) == before
                made, again = controller.run(*2 * [task(IN_DOMAIN, place=place, **options)], **environment)
                assert (made["changed"], again["changed"]) == (True, False), (made, again)
                assert made["records"] == predicted["records"]
                assert directory.answer(IN_DOMAIN) == sorted(wanted)
                before = directory.answer(IN_DOMAIN)

            # Whoever has made a name may change it, and nobody else.
            (made,) = controller.run(task(IN_DOMAIN, "198.18.0.9", place=place), **environment)
            assert made["changed"]
            refusals = [
                ({**place, "keytab": keytabs["other"]}, "refused", "rfc2136.principal", "other@CORP.EXAMPLE"),
                ({"server": directory.name, "authentication": "none"}, "refused", "rfc2136.key_name", "gss_tsig"),
                (
                    {**place, "server": directory.address, "server_name": "dc2.corp.example"},
                    *("unknown_service", "rfc2136.server_name", "DNS/dc2.corp.example"),
                ),
                (
                    {**place, "server": directory.address, "server_name": "ns9.elsewhere.example"},
                    *("wrong_realm", "rfc2136.principal", "another realm"),
                ),
            ]
            for other, code, option, words in refusals:
                (result,) = controller.run(task(IN_DOMAIN, "198.18.0.6", place=other), **environment)
                assert code_of(result) == code, result
                assert result["failure"]["option"] == option and words in result["msg"]
            assert directory.answer(IN_DOMAIN) == ["198.18.0.9"]
        finally:
            controller.end()
