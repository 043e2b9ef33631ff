# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sources say, read: recorded answers, what nobody has published in more than one form, and hostile answers.

The frames of the answers were recorded from rpm, dpkg, pkg, pkginfo, lslpp and pkgutil; the values of the agent in
those of Solaris, AIX and macOS are made up after the package names that the vendor documents.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent import installed
from ansible_collections.workload_security.agent.plugins.module_utils._agent.installed import (
    SOURCES,
    Told,
    look,
    read_answer,
    read_version,
    refusal,
)
from ansible_collections.workload_security.agent.plugins.module_utils._agent.status import read_status
from ansible_collections.workload_security.agent.plugins.module_utils._host.commands import Answer, Unanswered

BY_NAME = {source.name: source for sources in SOURCES.values() for source in sources}
BY_NAME["dsa_query"] = installed._AGENT_ITSELF

PKGINFO = """\
   PKGINST:  ds-agent
      NAME:  Trend Micro Deep Security Agent
  CATEGORY:  security
      ARCH:  sparc
   VERSION:  {version}
   BASEDIR:  /
    VENDOR:  Trend Micro Inc.
    PSTAMP:  20200902120000
  INSTDATE:  Feb 11 2021 10:16
    STATUS:  completely installed
     FILES:       97 installed pathnames
                   4 shared pathnames
               42636 blocks used (approx)

"""
PKG = """\
             Name: security/ds-agent
          Summary: Trend Micro Deep Security Agent
            State: {state}
        Publisher: trendmicro
          Version: {version}
    Build Release: 5.11
           Branch: {branch}
   Packaging Date: September  2, 2020  7:15:02 AM
             Size: 398.49 MB
             FMRI: pkg://trendmicro/security/ds-agent@{version},5.11-{branch}:20200902T071502Z
"""
LSLPP_HEADER = (
    "#Package Name:Fileset:Level:State:PTF Id:Fix State:Type:Description:Destination Dir.:Uninstaller:Message Catalog:"
    "Message Set:Message Number:Parent:Automatic:EFIX Locked:Install Path:Build Date\n"
)
LSLPP = "ds_agent:{fileset}:{level}: : :C: :Trend Micro Deep Security Agent: : : : : : :0:0:/:2036\n"
PKGUTIL = "package-id: {name}\nversion: {version}\nvolume: /\nlocation: \ninstall-time: 1688011857\n"
PLUGINS = """\
PluginVersion.0: core
PluginVersion.1: am
PluginVersion.am: 20.0.2-1390
PluginVersion.core: {version}
"""


def told(name: str, output: str = "", errors: str = "", status: int = 0) -> Told:
    return read_answer(BY_NAME[name], Answer(status, output, errors))


@pytest.mark.parametrize(
    ("source", "output", "version"),
    [
        ("rpm", "20.0.2-1390.el8\n", "20.0.2.1390"),
        ("rpm", "10.0.0-2775.el7\n", "10.0.0.2775"),
        ("rpm", "20.0.2-1390.ol7\n", "20.0.2.1390"),
        ("rpm", "11.0.0-582\n", "11.0.0.582"),
        ("rpm", "20.0.2-1390.2.el8\n", "20.0.2.1390"),
        ("dpkg", "install ok installed 20.0.2-1390\n", "20.0.2.1390"),
        ("dpkg", "install ok installed 20.0.2.1390\n", "20.0.2.1390"),
        ("dpkg", "install ok installed 20.0.2.1390-1\n", "20.0.2.1390"),
        ("dpkg", "hold ok installed 1:20.0.0-877~u20\n", "20.0.0.877"),
        ("dpkg", "install ok half-configured 20.0.0-877.ubuntu20\n", "20.0.0.877"),
        ("pkginfo", PKGINFO.format(version="11.0.0.796"), "11.0.0.796"),
        ("pkginfo", PKGINFO.format(version="11.0.0-796,REV=2019.04.10"), "11.0.0.796"),
        ("pkginfo", PKGINFO.format(version="11.0.0.796").replace("ds-agent\n", "ds-agent.2\n"), "11.0.0.796"),
        ("pkg", PKG.format(state="Installed", version="20.0.0.877", branch="None"), "20.0.0.877"),
        ("pkg", PKG.format(state="Installed", version="20.0.0", branch="877"), "20.0.0.877"),
        ("pkg", PKG.format(state="Installed (Renamed)", version="20.0.0.877 (20.0.0-877)", branch="1"), "20.0.0.877"),
        ("lslpp", LSLPP_HEADER + LSLPP.format(fileset="ds_agent", level="12.0.0.967"), "12.0.0.967"),
        ("lslpp", LSLPP.format(fileset="ds_agent.rte", level="12.0.0.967"), "12.0.0.967"),
        ("pkgutil", PKGUTIL.format(name="com.trendmicro.dsa", version="20.0.0.158"), "20.0.0.158"),
        ("pkgutil", PKGUTIL.format(name="com.trendmicro.pkg.DSAgent", version="20.0.0-158"), "20.0.0.158"),
        ("dsa_query", PLUGINS.format(version="20.0.2-1390"), "20.0.2.1390"),
        ("dsa_query", PLUGINS.format(version="20.0.2.1390\r"), "20.0.2.1390"),
    ],
)
def test_a_version_is_read(source: str, output: str, version: str) -> None:
    answer = told(source, output)
    assert (answer.found, str(answer.version), answer.problem) == (True, version, None)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("rpm", "20.0.2-(none)\n"),
        ("dpkg", "install ok installed 20.0.2\n"),
        ("pkginfo", PKGINFO.format(version="11.0")),
        ("pkg", PKG.format(state="Installed", version="20.0.0", branch="0.175.3")),
        ("lslpp", LSLPP.format(fileset="ds_agent", level="?")),
        ("pkgutil", PKGUTIL.format(name="com.trendmicro.dsa", version="0")),
        ("dsa_query", PLUGINS.format(version="0.0.0.0")),
    ],
)
def test_a_version_without_four_parts_is_found_but_not_guessed(source: str, output: str) -> None:
    answer = told(source, output)
    assert (answer.found, answer.version) == (True, None)
    assert "no version with four parts" in answer.problem


@pytest.mark.parametrize(
    ("source", "output", "errors", "status"),
    [
        ("rpm", "package ds_agent is not installed\n", "", 1),
        ("dpkg", "", "dpkg-query: no packages found matching ds-agent\n", 1),
        ("dpkg", "deinstall ok config-files 20.0.2-1390\n", "", 0),
        ("dpkg", "unknown ok not-installed \n", "", 0),
        ("pkginfo", "", 'ERROR: information for "ds-agent" was not found\n', 1),
        (
            "pkg",
            "",
            "pkg: info: no packages matching the following patterns you specified are\n"
            "installed on the system.  Try querying remotely instead:\n\n        security/ds-agent\n",
            1,
        ),
        ("pkg", PKG.format(state="Not installed", version="20.0.0.877", branch="None"), "", 0),
        ("lslpp", "", "lslpp: Fileset ds_agent* not installed.\n", 1),
        ("lslpp", LSLPP.format(fileset="ds_agentless.rte", level="1.2.3.4"), "", 0),
        ("pkgutil", "", "No receipt for 'com\\.trendmicro\\..*' found at '/'.\n", 1),
        ("pkgutil", PKGUTIL.format(name="com.trendmicro.endpointbasecamp", version="1.2.3.4"), "", 0),
        ("dsa_query", "", "", 0),
    ],
)
def test_no_package_is_no_problem(source: str, output: str, errors: str, status: int) -> None:
    assert told(source, output, errors, status) == Told(source, False)


def test_a_database_that_cannot_be_read_is_a_problem_not_an_absence() -> None:
    answer = told(
        "rpm",
        "package ds_agent is not installed\n",
        "error: cannot open Packages database in /var/lib/rpm\n",
        1,
    )
    assert not answer.found
    assert "cannot open Packages database" in answer.problem


@pytest.mark.parametrize("source", sorted(BY_NAME))
def test_a_failure_is_a_problem(source: str) -> None:
    answer = told(source, "", "Connection refused\x1b[31m by\x07 nobody\nmore\n", 3)
    assert not answer.found
    assert "status 3, it said: Connection refused\\x1b[31m by\\x07 nobody." in answer.problem


@pytest.mark.parametrize("source", ["pkginfo", "pkg", "pkgutil"])
@pytest.mark.parametrize("output", ["pkginst\nname\npackage-id\n", ":\n::\n", "VERSION: 1.2.3.4\nState: Installed\n"])
def test_fields_without_a_package_are_none(source: str, output: str) -> None:
    assert told(source, output) == Told(source, False)


def test_two_versions_at_once_are_none() -> None:
    answer = told("rpm", "11.0.0-582.el7\n20.0.2-1390.el7\n")
    assert (answer.found, answer.version) == (True, None)
    assert answer.text == "11.0.0-582.el7, 20.0.2-1390.el7"
    assert "more than one version" in answer.problem


def test_one_version_for_two_architectures_is_one() -> None:
    assert str(told("dpkg", "install ok installed 20.0.2-1390\n" * 2).version) == "20.0.2.1390"


# Words that the readers look for, in any order and between anything.
WORDS = (
    "pkginst: name: package-id: version: state: branch: installed ds-agent com.trendmicro.dsa install ok ds_agent: "
    "20.0.2-1390 PluginVersion.core: AgentStatus.dsmUrl: AgentStatus.agentState: https://a/ error: \r \n \n\n"
).split(" ")
ANSWERS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=10)), max_size=12).map("".join)


@pytest.mark.parametrize("source", sorted(BY_NAME))
@given(output=ANSWERS, errors=st.text(max_size=50), status=st.integers(-15, 3))
def test_no_answer_is_too_strange(source: str, output: str, errors: str, status: int) -> None:
    answer = told(source, output, errors, status)
    for text in (answer.text, answer.problem):
        assert text is None or text.isprintable()
    assert answer.found or answer.version is None


@given(st.text(alphabet="0123456789.-:el~ ", max_size=40))
def test_a_version_that_is_read_stands_at_the_start_of_the_text(text: str) -> None:
    version = read_version(text)
    if version is not None:
        digits = [int(part) for part in text.split(":")[-1].replace("-", ".").split(".")[:3]]
        assert digits == list(version[:3])


def test_a_source_that_does_not_answer_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which every program is there, and each hangs."""

    def hang(arguments: tuple) -> Answer:
        raise Unanswered(f"{arguments[0]} was ended.")

    monkeypatch.setattr(installed, "find_program", lambda paths: paths[0])
    monkeypatch.setattr(installed, "ask", hang)
    monkeypatch.setattr(installed.os.path, "exists", lambda path: True)
    for system in (*SOURCES, "FreeBSD"):
        found = look(system)
        assert (found.installed, found.version, found.status.activation) == (True, None, "unknown")
        assert [one.source for one in found.sources if one.found] == ["files"]
        assert all("was ended" in one.problem for one in found.sources if not one.found)


def test_a_host_without_any_source_has_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_program", lambda paths: None)
    for system in (*SOURCES, "FreeBSD"):
        found = look(system)
        assert (found.installed, found.version, found.sources) == (False, None, ())
        assert found.status.activation == "not_activated"


def test_an_agent_that_no_source_could_deny_is_not_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own programs are not there, and the programs that know the packages hang."""

    def hang(arguments: tuple) -> Answer:
        raise Unanswered(f"{arguments[0]} was ended.")

    monkeypatch.setattr(installed, "find_program", lambda paths: None if "ds_agent" in paths[0] else paths[0])
    monkeypatch.setattr(installed, "ask", hang)
    monkeypatch.setattr(installed.os.path, "exists", lambda path: True)
    for system in ("Linux", "SunOS", "AIX"):
        found = look(system)
        assert (found.installed, found.status.activation, found.status.health(10).healthy) == (False, "unknown", None)
        assert "not all of them could be asked" in found.status.reason


def test_every_program_has_an_absolute_path() -> None:
    paths = [path for source in BY_NAME.values() for path in source.programs]
    assert paths
    assert all(path.startswith("/") for path in paths)


@pytest.mark.parametrize("system", ["Windows", "CYGWIN_NT-10.0-19045", "MSYS_NT-10.0", "MINGW64_NT-10.0"])
def test_windows_is_refused(system: str) -> None:
    assert "agent_cipher_info" in str(refusal(system))


@pytest.mark.parametrize("system", [*SOURCES, "FreeBSD", ""])
def test_nothing_else_is_refused(system: str) -> None:
    assert refusal(system) is None


@pytest.mark.parametrize(
    "output",
    [
        "AgentStatus.dsmUrl:" + " " * 200_000 + "x\n",
        "AgentStatus.dsmUrl:" + " x" * 100_000,
        "AgentStatus." + "a" * 200_000,
        "AgentStatus.dsmUrl: " + "\t \r" * 80_000 + "\n",
        "AgentStatus.dsmUrl: a\n" * 12_000,
    ],
)
def test_no_answer_costs_more_than_its_length(output: str) -> None:
    # Squared, each of these would be minutes.
    status = read_status(Answer(0, output, ""))
    assert status.activation in ("unknown", "not_activated") and len(status.reason) < 400
    told = read_answer(BY_NAME["dsa_query"], Answer(0, output.replace("AgentStatus.dsmUrl", "PluginVersion.core"), ""))
    assert len(told.text or "") < 3000


def test_very_many_versions_are_told_shortly() -> None:
    told = read_answer(BY_NAME["rpm"], Answer(0, "\n".join(f"1.2.3-{number}" for number in range(20_000)), ""))
    assert told.found and "more" in str(told.text) and len(str(told.text)) < 3000
