# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the agent that is installed on this host, without the manager, by asking the host's own programs.

What is documented: the package names (rpm C(ds_agent), dpkg C(ds-agent), Solaris 10 C(ds-agent), Solaris 11
C(security/ds-agent), AIX C(ds_agent)), and C(dsa_query) with its C(GetPluginVersion) and C(GetAgentStatus). What nobody
has published: how the databases of dpkg, Solaris, AIX and macOS write the version, and the name of the receipt on
macOS. So every source is read tolerantly, and anything that it does not say is reported as unknown.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from .._basis.errors import Problem
from .._basis.text import enumerated, shown
from .._host.commands import Answer, Unanswered, ask, find_program
from .status import DSA_QUERY, NO_AGENT_STATUS, UNSURE_STATUS, AgentStatus, failure_of, read_status_of_host, values_of
from .versions import NO_AGENT, Version, parse

# Programs that come with the agent: if one of them exists, the agent is installed, whatever the package data says.
_AGENT_FILES = {"Darwin": ("/Library/Application Support/com.trendmicro.DSAgent/dsa_control",)}
_OTHER_AGENT_FILES = (DSA_QUERY, "/opt/ds_agent/dsa_control")


class Source(NamedTuple):
    """A program of the host that knows about installed agents.

    C(programs) are the absolute paths where the program can be. C(read) takes the versions of the agent's packages out
    of its answer (as written there; empty if a package has none), and C(absent) is how the program says that there is
    no such package. If C(data) is given, one of these files must exist.
    """

    name: str
    programs: Tuple[str, ...]
    arguments: Tuple[str, ...]
    read: Callable[[str], List[str]]
    absent: str
    data: Tuple[str, ...] = ()


class Told(NamedTuple):
    """What a source said: whether it knows an agent, the version as written there and as parsed, what went wrong."""

    source: str
    found: bool
    text: Optional[str] = None
    version: Optional[Version] = None
    problem: Optional[str] = None


class Installation(NamedTuple):
    """What is known about the agent on this host. C(source) names the source of the version."""

    installed: bool
    version: Optional[Version]
    source: Optional[str]
    sources: Tuple[Told, ...]
    status: AgentStatus


def _blocks(output: str, first: str) -> List[Dict[str, str]]:
    """Packages as blocks of C(Name: value) lines, each starting with the field C(first); names in lower case."""
    blocks: List[Dict[str, str]] = []
    for line in output.splitlines():
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if colon and name == first:
            blocks.append({})
        if colon and blocks:
            blocks[-1].setdefault(name, value.strip())
    return blocks


def _read_rpm(output: str) -> List[str]:
    return output.split()


def _read_dpkg(output: str) -> List[str]:
    """Lines of C(want error status version). A removed package stays listed as long as its configuration exists."""
    rows = [line.split() for line in output.splitlines()]
    gone = ("not-installed", "config-files", "half-installed")
    return [" ".join(row[3:]) for row in rows if len(row) >= 3 and row[2] not in gone]


def _read_pkginfo(output: str) -> List[str]:
    # A second instance of a package is called ds-agent.2.
    blocks = _blocks(output, "pkginst")
    return [block.get("version", "") for block in blocks if re.fullmatch(r"ds-agent(\.[0-9]+)?", block["pkginst"])]


def _read_pkg(output: str) -> List[str]:
    texts = []
    for block in _blocks(output, "name"):
        if block.get("state", "").lower().startswith("installed"):
            version, branch = block.get("version", "").split(" ")[0], block.get("branch", "")
            # The build is part of the version or, if the version has only three parts, it is the branch.
            texts.append(
                f"{version}-{branch}" if _is_three_parts(version) and re.fullmatch("[0-9]+", branch) else version
            )
    return texts


def _is_three_parts(text: str) -> bool:
    return re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", text, re.ASCII) is not None


def _read_lslpp(output: str) -> List[str]:
    rows = [line.split(":") for line in output.splitlines() if not line.startswith("#")]
    return [row[2].strip() for row in rows if len(row) > 2 and re.fullmatch(r"ds_agent(\..*)?", row[1].strip())]


# Folder and service are com.trendmicro.DSAgent and com.trendmicro.dsa; the receipt's name is not published.
_RECEIPT = re.compile(r"com\.trendmicro\.(?:pkg\.)?(?:dsa|ds[._-]?agent|deep[._-]?security)", re.IGNORECASE | re.ASCII)


def _read_pkgutil(output: str) -> List[str]:
    return [block.get("version", "") for block in _blocks(output, "package-id") if _RECEIPT.match(block["package-id"])]


def _read_plugin_version(output: str) -> List[str]:
    return values_of(output, "PluginVersion", "core")


# If root runs rpm without a database, rpm creates one. So rpm only runs if there is a database.
_RPM_DATABASES = tuple(
    f"{folder}/{file}"
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
    for file in ("rpmdb.sqlite", "Packages.db", "Packages")
)

# By the system's own name. Earlier sources are believed first.
SOURCES: Dict[str, Tuple[Source, ...]] = {
    "Linux": (
        Source(
            "rpm",
            ("/usr/bin/rpm", "/bin/rpm"),
            ("-q", "--qf", "%{VERSION}-%{RELEASE}\\n", "ds_agent"),
            _read_rpm,
            r"^package ds_agent is not installed",
            _RPM_DATABASES,
        ),
        Source(
            "dpkg",
            ("/usr/bin/dpkg-query",),
            ("-W", "-f=${Status} ${Version}\\n", "ds-agent"),
            _read_dpkg,
            r"no packages? found matching",
        ),
    ),
    "SunOS": (
        Source(
            "pkg",
            ("/usr/bin/pkg",),
            ("info", "-l", "security/ds-agent"),
            _read_pkg,
            r"no packages matching",
        ),
        Source(
            "pkginfo",
            ("/usr/bin/pkginfo",),
            ("-l", "ds-agent"),
            _read_pkginfo,
            r"information for \"ds-agent\" (?:was )?not found",
        ),
    ),
    "AIX": (
        Source(
            "lslpp",
            ("/usr/bin/lslpp",),
            ("-Lcq", "ds_agent*"),
            _read_lslpp,
            r"not installed",
        ),
    ),
    "Darwin": (
        Source(
            "pkgutil",
            ("/usr/sbin/pkgutil",),
            ("--regexp", "--pkg-info", r"com\.trendmicro\..*"),
            _read_pkgutil,
            r"No receipt for",
        ),
    ),
}
_AGENT_ITSELF = Source("dsa_query", (DSA_QUERY,), ("-c", "GetPluginVersion"), _read_plugin_version, r"(?!)")


class UnsupportedPlatform(Problem):
    """A host whose system is not supported for finding agents."""

    code = "unsupported_platform"


def refusal(system: str) -> Optional[Problem]:
    """Why agents cannot be found on this system, or C(None). C(system) is what C(platform.system()) says."""
    if not system.upper().startswith(("WINDOWS", "CYGWIN", "MSYS", "MINGW")):
        return None
    return UnsupportedPlatform(
        "agent_cipher_facts does not look for agents on Windows hosts. Use workload_security.agent.agent_cipher_info:"
        " it reads the versions of all agents from the manager, without touching a host."
    )


def look(system: str) -> Installation:
    """Find the agent of this host. Every source is asked, and a source that fails does not fail this function.

    C(system) is what C(platform.system()) says. The first source that gives a version is believed.
    """
    places = _AGENT_FILES.get(system, _OTHER_AGENT_FILES)
    # Others than root may not be able to run them.
    files = find_program(places) or next((path for path in places if os.path.isfile(path)), None)
    sources = SOURCES.get(system, ()) + ((_AGENT_ITSELF,) if system != "Darwin" else ())
    programs = [(source, _program(source)) for source in sources]
    told = [_ask(source, program) for source, program in programs if program]
    if files:
        told.append(Told("files", True, files))
    elif any(map(_is_hidden, places)):
        told.append(Told("files", False, problem=f"This user may not look for {places[0]}: use become."))
    best = next((one for one in told if one.version), None)
    installed = any(one.found for one in told)
    if installed:
        status = read_status_of_host(system)
    else:
        status = UNSURE_STATUS if any(one.problem for one in told) else NO_AGENT_STATUS
    return Installation(
        installed,
        best.version if best else None,
        best.source if best else None,
        tuple(_with_conflict(one, best) for one in told),
        status,
    )


def _is_hidden(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _program(source: Source) -> Optional[str]:
    has_data = not source.data or any(os.path.exists(path) for path in source.data)
    return find_program(source.programs) if has_data else None


def _ask(source: Source, program: str) -> Told:
    try:
        return read_answer(source, ask((program,) + source.arguments))
    except Unanswered as error:
        return Told(source.name, False, problem=str(error))


def read_answer(source: Source, answer: Answer) -> Told:
    """What a source said, taken from this answer of its program."""
    # If rpm cannot read its database, it says so, and also says that the package is not installed.
    broken = re.search(r"^error:", answer.errors, re.MULTILINE)
    if answer.status and not broken and re.search(source.absent, answer.output + answer.errors, re.MULTILINE):
        return Told(source.name, False)
    if answer.status:
        return Told(source.name, False, problem=failure_of(source.name, answer))
    texts = sorted({shown(text, 200) for text in source.read(answer.output)})
    if not texts:
        return Told(source.name, False)
    if len(texts) > 1:
        return Told(source.name, True, enumerated(texts), problem=f"{source.name} knows more than one version.")
    version = read_version(texts[0])
    problem = None if version else f"{source.name} knows the agent, but no version with four parts."
    return Told(source.name, True, texts[0], version, problem)


_FOUR_PARTS = re.compile(r"(?:[0-9]+:)?([0-9]+\.[0-9]+\.[0-9]+[.-][0-9]+)(?![0-9])", re.ASCII)


def read_version(text: str) -> Optional[Version]:
    """The agent's version in a package's version, without the epoch before it and the revision after it."""
    match = _FOUR_PARTS.match(text)
    version = parse(match.group(1)) if match else None
    return version if isinstance(version, Version) and version != NO_AGENT else None


def _with_conflict(told: Told, best: Optional[Told]) -> Told:
    if best is None or told.version in (None, best.version):
        return told
    return told._replace(
        problem=f"{told.source} says {told.version}, {best.source} says {best.version};"
        " an agent that was upgraded may still have to be restarted.",
    )
