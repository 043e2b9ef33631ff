# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""agent_cipher_facts in real runs, on hosts with real package databases.

A host is this machine in a mount namespace of its own: /etc, /opt and the folders of programs are overlays, the
databases of rpm and dpkg are empty ones. Into it goes an agent's package as rpmbuild and dpkg-deb make it, with a
stand-in for dsa_query. The module runs as it is, and finds what it finds at the paths where it always looks.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.workload_security.agent.plugins.modules import agent_cipher_facts
from tests.gates.environments import COLLECTIONS, find_interpreters
from tests.integration.support import ansible_playbook, keep

pytestmark = pytest.mark.slow

URL = "https://dsm.example.com:4120/"
MODULE = "workload_security.agent.agent_cipher_facts"

# Overlays, so that what a test puts there is seen by nobody else, and databases that start empty.
MOUNT = r"""
mount -t tmpfs tmpfs "$1"
for folder in /etc /opt /usr/bin /usr/sbin /var/log; do
    mkdir -p "$1$folder/upper" "$1$folder/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$1$folder/upper,workdir=$1$folder/work" "$folder"
done
for folder in /var/lib/rpm /var/lib/dpkg; do
    if [ -d "$folder" ]; then mount -t tmpfs tmpfs "$folder"; fi
done
if [ -d /var/lib/dpkg ]; then
    mkdir /var/lib/dpkg/info /var/lib/dpkg/updates
    : > /var/lib/dpkg/status
fi
# Where Red Hat has it; Debian's rpm keeps its database in the home folder.
mkdir -p /etc/rpm
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
rm -rf /opt/ds_agent
echo ready
exec cat
"""

# The shape of its answers: an index of names, then names with values. It notes what it was asked.
DSA_QUERY = """\
#!/bin/sh
echo "$*" >> /var/log/dsa_query
[ -e /opt/ds_agent/service-runs ] || { echo "Unable to connect to the agent." >&2; exit 1; }
case "$*" in
"-c GetPluginVersion")
    printf '%s\\n' 'PluginVersion.0: core' 'PluginVersion.1: am'
    printf '%s\\n' 'PluginVersion.core: VERSION' 'PluginVersion.am: 1.2.3-4'
    ;;
"-c GetAgentStatus")
    printf '%s\\n' 'AgentStatus.0: agentState' 'AgentStatus.1: dsmUrl' 'AgentStatus.13: driverHooked'
    printf '%s\\n' 'AgentStatus.agentState: green' 'AgentStatus.driverHooked: true'
    printf '%s\\n' "AgentStatus.currentTime: $(date +%s)"
    if [ -s /opt/ds_agent/session ]; then echo "AgentStatus.lastAgentToManagerSession: $(cat /opt/ds_agent/session)"; fi
    if [ -s /opt/ds_agent/manager ]; then echo "AgentStatus.dsmUrl: $(cat /opt/ds_agent/manager)"; fi
    ;;
*)
    exit 2
    ;;
esac
"""
# Nothing may ever call it.
DSA_CONTROL = """\
#!/bin/sh
echo "dsa_control $*" >> /var/log/dsa_query
"""


class Host:
    """A mount namespace that looks like a host without an agent; it ends with its holder's standard input."""

    def __init__(self, folder: Path) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-euc", MOUNT, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._holder.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("the mount namespace could not be made")

    def close(self) -> None:
        self._holder.stdin.close()
        self._holder.wait(30)
        self._holder.stdout.close()

    @property
    def entry(self) -> list[str]:
        """What comes before a command that is to run on the host."""
        return ["nsenter", "--target", str(self._holder.pid), "--mount"]

    def run(self, *command: str, **options: t.Any) -> str:
        """Run a command on the host; returns its output. Raises subprocess.CalledProcessError where it fails."""
        done = subprocess.run(
            [*self.entry, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            **options,
        )
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}"
        return done.stdout

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Put a file on the host."""
        self.run(
            "sh", "-euc", 'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"; chmod "$3" "$1"', "sh", path, text, mode
        )

    def asked(self) -> list[str]:
        """What the agent's programs were called with."""
        return self.run("sh", "-c", "cat /var/log/dsa_query 2>/dev/null || :").splitlines()

    def everything(self) -> str:
        """All files of the agent and of the databases, with what they hold and since when.

        Without the index and the log of SQLite, which every reader of rpm's database opens anew.
        """
        return self.run(
            "sh",
            "-euc",
            "list() { find /opt/ds_agent /var/lib/rpm /var/lib/dpkg"
            " ! -name '*-shm' ! -name '*-wal' \"$@\" 2>/dev/null | sort; };"
            r" list -printf '%p %y %m %T@ %C@ %s\n'; list -type f -exec sha256sum {} +",
        )


@pytest.fixture
def host(tmp_path: Path) -> t.Iterator[Host]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can make a host with package databases of its own")
    try:
        subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mount namespaces cannot be made here: {error}")
    folder = tmp_path / "host"
    folder.mkdir()
    made = Host(folder)
    yield made
    made.close()


def needs(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"this machine has no {', '.join(missing)}")


def agent_files(folder: Path, version: str) -> None:
    """The agent's programs, below what is to become the root folder of a package."""
    programs = folder / "opt" / "ds_agent"
    programs.mkdir(parents=True)
    for name, text in (("dsa_query", DSA_QUERY.replace("VERSION", version)), ("dsa_control", DSA_CONTROL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)


def build_rpm(host: Host, folder: Path, version: str, release: str) -> Path:
    """An rpm named as the vendor's, built on the host, since rpmbuild makes a database where there is none."""
    needs("rpm", "rpmbuild")
    files = folder / "rpm-files"
    agent_files(files, f"{version}-{release.split('.')[0]}")
    spec = folder / "ds_agent.spec"
    spec.write_text(
        f"Name: ds_agent\nVersion: {version}\nRelease: {release}\nSummary: Deep Security Agent\nLicense: Commercial\n"
        "BuildArch: noarch\nAutoReqProv: no\n%description\nA stand-in.\n"
        f"%install\ncp -a {files}/. %{{buildroot}}\n%files\n/opt/ds_agent\n"
    )
    host.run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}/rpmbuild", str(spec))
    return folder / "rpmbuild" / "RPMS" / "noarch" / f"ds_agent-{version}-{release}.noarch.rpm"


def build_deb(folder: Path, version: str) -> Path:
    """A deb named as the vendor's, with a file of settings that stays behind when it is removed."""
    needs("dpkg", "dpkg-deb")
    files = folder / "deb-files"
    agent_files(files, version)
    (files / "opt" / "ds_agent" / "settings.conf").write_text("")
    control = files / "DEBIAN"
    control.mkdir()
    (control / "conffiles").write_text("/opt/ds_agent/settings.conf\n")
    (control / "control").write_text(
        f"Package: ds-agent\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n"
        "Description: Deep Security Agent\n"
    )
    package = folder / f"ds-agent_{version}_all.deb"
    build = ["dpkg-deb", "--build", "--root-owner-group", str(files), str(package)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    return package


def install_rpm(host: Host, folder: Path, version: str = "20.0.2", release: str = "1390.el8") -> None:
    host.run("rpm", "--install", str(build_rpm(host, folder, version, release)))


def install_deb(host: Host, folder: Path, version: str = "20.0.2-1390") -> None:
    host.run("dpkg", "--install", str(build_deb(folder, version)))


def activate(host: Host, manager: str = URL) -> None:
    host.write("/opt/ds_agent/service-runs", "")
    host.write("/opt/ds_agent/manager", manager)
    host.write("/opt/ds_agent/session", str(int(time.time()) - 60))


@functools.lru_cache(maxsize=None)
def oldest_target() -> str:
    """The oldest Python of this machine that this ansible-core can still manage."""
    fitting = {version: path for version, path in find_interpreters().items() if version >= basic._PY_MIN}
    return str(fitting[min(fitting)]) if fitting else sys.executable


def play(host: Host, folder: Path, tasks: list[dict], **settings: t.Any) -> tuple[list[dict], dict]:
    """Run tasks with a real ansible-playbook, the modules on the host; returns their results, and the facts at the end."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*host.entry, oldest_target()])} "$@"\n')
    python.chmod(0o755)
    dump = folder / "results.json"
    results = [{**task, "register": f"r{number}"} for number, task in enumerate(tasks)]
    registered = ", ".join(f"r{number}" for number in range(len(tasks)))
    kept = keep(f"[[{registered}], ansible_facts.workload_security_agent | default({{}})]", dump)
    environment = settings.pop("environment", {})
    variables = {"ansible_python_interpreter": str(python), **settings.pop("vars", {})}
    book = [{"hosts": "localhost", "gather_facts": False, **settings, "vars": variables, "tasks": [*results, kept]}]
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump(book))
    ran = ansible_playbook(str(playbook), environment=environment, cwd=folder)
    assert ran.returncode == 0, ran.stdout
    return json.loads(dump.read_text())


def look(host: Host, system: str, before: str = "pass") -> dict[str, t.Any]:
    """The facts, for a host that calls its system so. C(before) is a statement that runs first."""
    program = (
        "import json, os, sys\n"
        "from ansible_collections.workload_security.agent.plugins.module_utils._agent import facts, installed\n"
        f"{before}; print(json.dumps(facts.facts_of(installed.look(sys.argv[1]), 10)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    return json.loads(host.run(sys.executable, "-c", program, system, env=environment))


PACKAGES = pytest.mark.parametrize(
    ("install", "source", "told"),
    [(install_rpm, "rpm", "20.0.2-1390.el8"), (install_deb, "dpkg", "20.0.2-1390")],
    ids=["rpm", "deb"],
)


@pytest.mark.both_cores
@PACKAGES
def test_a_task_finds_the_installed_agent(host: Host, tmp_path: Path, install: t.Callable, source: str, told: str):
    install(host, tmp_path)
    activate(host)
    before = host.everything()
    assert "/opt/ds_agent/dsa_query f 755 " in before
    healthy, modern = yaml.safe_load(agent_cipher_facts.EXAMPLES)[1:3]
    tasks = [{MODULE: {}, "check_mode": True}, {MODULE: {}}, healthy, modern]
    (check, real, *asserted), facts = play(host, tmp_path, tasks)
    ages = [one["ansible_facts"]["workload_security_agent"].pop("last_session_age") for one in (check, real)]
    assert 60 <= ages[0] <= ages[1] == facts.pop("last_session_age")
    for one in (check, real):
        assert one["ansible_facts"]["workload_security_agent"].pop("healthy_reason").endswith("state is green.")
    del facts["healthy_reason"]
    assert check == real
    assert [one["msg"] for one in asserted] == ["All assertions passed"] * 2
    assert (facts["healthy"], facts["agent_state"]) == (True, "green")
    assert real["changed"] is False
    assert facts == real["ansible_facts"]["workload_security_agent"]
    assert (facts["installed"], facts["version"], facts["version_source"]) == (True, "20.0.2.1390", source)
    assert facts["release_certainty"] in ("confirmed", "likely")
    assert facts["release"].startswith("20 LTS Update")
    assert facts["suites"][0] == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert facts["weak"].keys() < set(facts["suites"])
    assert {row["version"]: row["basis"] for row in facts["tls"]}["TLS 1.2"] == "implied"
    assert (facts["activation"], facts["manager_url"]) == ("activated", URL)
    sources = {row["name"]: row for row in facts["sources"] if row["found"]}
    assert sources.keys() == {source, "dsa_query", "files"}
    assert sources[source]["told"] == told
    assert sources["dsa_query"]["version"] == "20.0.2.1390"
    assert not [row["problem"] for row in facts["sources"] if row["problem"]]
    # Nothing else was asked of the agent, and nothing has changed, not even a time.
    assert sorted(host.asked()) == ["-c GetAgentStatus"] * 2 + ["-c GetPluginVersion"] * 2
    assert host.everything() == before


@pytest.mark.parametrize("place", ["variable", "environment"])
def test_it_is_one_of_the_modules_that_gather_facts(host: Host, tmp_path: Path, place: str):
    install_deb(host, tmp_path)
    activate(host)
    modules = {
        "variable": {"vars": {"ansible_facts_modules": ["ansible.builtin.setup", MODULE]}},
        "environment": {"environment": {"ANSIBLE_FACTS_MODULES": MODULE}},
    }
    task = {"ansible.builtin.debug": {"msg": "{{ ansible_facts.system | default('') }}"}}
    (result,), facts = play(host, tmp_path, [task], gather_facts=True, **modules[place])
    assert result["msg"] == ("Linux" if place == "variable" else "")
    assert (facts["version"], facts["manager_url"]) == ("20.0.2.1390", URL)


def test_a_host_without_an_agent_says_so(host: Host, tmp_path: Path):
    before = host.everything()
    facts = play(host, tmp_path, [{MODULE: {}}])[1]
    assert facts["installed"] is False
    assert (facts["version"], facts["release"], facts["suites"], facts["manager_url"]) == (None, None, [], None)
    assert facts["activation"] == "not_activated"
    assert not [row for row in facts["sources"] if row["found"] or row["problem"]]
    assert host.everything() == before


def test_a_removed_package_that_left_its_settings_is_not_installed(host: Host, tmp_path: Path):
    install_deb(host, tmp_path)
    assert look(host, "Linux")["installed"] is True
    host.run("dpkg", "--remove", "ds-agent")
    assert "config-files" in host.run("dpkg-query", "-W", "-f=${Status}", "ds-agent")
    assert look(host, "Linux")["installed"] is False


def test_the_newer_of_two_rpms_is_not_guessed(host: Host, tmp_path: Path):
    """An upgrade that was cut off leaves both in the database; the agent itself knows which one runs."""
    install_rpm(host, tmp_path / "old", "11.0.0", "582.el7")
    host.run("rpm", "--install", "--force", str(build_rpm(host, tmp_path / "new", "20.0.2", "1390.el8")))
    facts = look(host, "Linux")
    assert (facts["installed"], facts["version"]) == (True, None)
    activate(host)
    facts = look(host, "Linux")
    assert (facts["version"], facts["version_source"]) == ("20.0.2.1390", "dsa_query")
    assert "more than one version" in {row["name"]: row["problem"] for row in facts["sources"]}["rpm"]


def test_a_broken_database_is_a_problem_and_the_agent_itself_answers(host: Host, tmp_path: Path):
    install_rpm(host, tmp_path)
    activate(host)
    host.run("sh", "-euc", "for file in /var/lib/rpm/*; do echo broken > $file; done")
    facts = look(host, "Linux")
    assert (facts["installed"], facts["version"], facts["version_source"]) == (True, "20.0.2.1390", "dsa_query")
    assert {row["name"]: row["problem"] for row in facts["sources"]}["rpm"]


def test_an_agent_that_no_package_knows_answers_itself(host: Host, tmp_path: Path):
    agent_files(tmp_path / "copied", "9.6.2-8436")
    host.run("cp", "-a", str(tmp_path / "copied" / "opt" / "ds_agent"), "/opt/")
    facts = look(host, "Linux")
    assert (facts["installed"], facts["version"], facts["activation"]) == (True, None, "unknown")
    assert "Unable to connect to the agent" in facts["activation_reason"]
    activate(host)
    facts = look(host, "Linux")
    assert (facts["version"], facts["version_source"], facts["manager_url"]) == ("9.6.2.8436", "dsa_query", URL)
    assert facts["release"] == "9.6 SP1 Patch 1 Update 17"
    assert {row["version"]: row["basis"] for row in facts["tls"]}["TLS 1.2"] == "conflict"


def test_an_upgrade_that_waits_for_a_restart_shows(host: Host, tmp_path: Path):
    install_deb(host, tmp_path)
    activate(host)
    host.write("/opt/ds_agent/dsa_query", DSA_QUERY.replace("VERSION", "11.0.0-582"), "755")
    facts = look(host, "Linux")
    assert (facts["version"], facts["version_source"]) == ("20.0.2.1390", "dpkg")
    assert "dsa_query says 11.0.0.582, dpkg says 20.0.2.1390" in facts["sources"][-2]["problem"]


def test_activation_that_is_not_there_or_cannot_be_asked(host: Host, tmp_path: Path):
    install_deb(host, tmp_path)
    stopped = look(host, "Linux")
    assert (stopped["version"], stopped["activation"], stopped["manager_url"]) == ("20.0.2.1390", "unknown", None)
    activate(host, "")
    fresh = look(host, "Linux")
    assert (fresh["activation"], fresh["manager_url"]) == ("not_activated", None)
    host.run("chmod", "700", "/opt/ds_agent/dsa_query")
    stranger = look(host, "Linux", "os.setgid(65534); os.setuid(65534)")
    assert (stranger["version"], stranger["activation"]) == ("20.0.2.1390", "unknown")
    assert "this user may" in stranger["activation_reason"]


def test_an_agent_that_is_hidden_from_others_is_not_denied(host: Host, tmp_path: Path):
    agent_files(tmp_path / "copied", "9.6.2-8436")
    host.run("cp", "-a", str(tmp_path / "copied" / "opt" / "ds_agent"), "/opt/")
    host.run("sh", "-c", "chmod 700 /opt/ds_agent/*")
    become_nobody = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    seen = look(host, "Linux", become_nobody)
    assert (seen["installed"], seen["activation"], seen["healthy"]) == (True, "unknown", None)
    host.run("chmod", "700", "/opt/ds_agent")
    hidden = look(host, "Linux", become_nobody)
    assert (hidden["installed"], hidden["activation"], hidden["healthy"]) == (False, "unknown", None)
    assert hidden["sources"][-1]["problem"] == "This user may not look for /opt/ds_agent/dsa_query: use become."
    for reason in ("activation_reason", "healthy_reason", "release_reason", "suites_reason"):
        assert hidden[reason] == "No source knows an agent, but not all of them could be asked."
    assert look(host, "Linux")["installed"] is True


def test_a_green_agent_without_a_young_session_is_not_healthy(host: Host, tmp_path: Path):
    install_deb(host, tmp_path)
    activate(host)
    host.write("/opt/ds_agent/session", str(int(time.time()) - 6083))
    stale = look(host, "Linux")
    assert (stale["healthy"], stale["agent_state"]) == (False, "green")
    assert stale["last_session_age"] >= 6083 and "not younger than two heartbeats" in stale["healthy_reason"]
    host.write("/opt/ds_agent/session", "yesterday")
    strange = look(host, "Linux")
    assert (strange["healthy"], strange["last_session"], strange["manager_url"]) == (None, None, URL)
    host.run("rm", "/opt/ds_agent/service-runs")
    assert look(host, "Linux")["healthy"] is None


def test_hostile_answers_do_no_harm(host: Host, tmp_path: Path):
    install_deb(host, tmp_path)
    host.write(
        "/opt/ds_agent/dsa_query", "#!/bin/sh\nexec yes 'AgentStatus.dsmUrl: https://evil.example.com/'\n", "755"
    )
    facts = look(host, "Linux")
    assert (facts["version"], facts["activation"], facts["manager_url"]) == ("20.0.2.1390", "unknown", None)
    assert "it said more than" in facts["activation_reason"]


# Programs of systems that are not here, at the paths where they lie there: each answers one question, and no other.
STAND_IN = """\
#!/bin/sh
[ "$*" = '{question}' ] || {{ echo "unexpected: $*" >&2; exit 9; }}
cat <<'END'
{answer}
END
"""
OTHER_SYSTEMS = {
    "Solaris 11": (
        "SunOS",
        "/usr/bin/pkg",
        "info -l security/ds-agent",
        "          Name: security/ds-agent\n         State: Installed\n     Publisher: trendmicro\n"
        "       Version: 20.0.0\n Build Release: 5.11\n        Branch: 877",
        "pkg",
    ),
    "Solaris 10": (
        "SunOS",
        "/usr/bin/pkginfo",
        "-l ds-agent",
        "   PKGINST:  ds-agent\n      NAME:  Deep Security Agent\n   VERSION:  20.0.0.877\n"
        "    STATUS:  completely installed",
        "pkginfo",
    ),
    "AIX": (
        "AIX",
        "/usr/bin/lslpp",
        "-Lcq ds_agent*",
        "ds_agent:ds_agent:20.0.0.877: : :C: :Deep Security Agent: : : : : : :0:0:/:2036",
        "lslpp",
    ),
    "macOS": (
        "Darwin",
        "/usr/sbin/pkgutil",
        r"--regexp --pkg-info com\.trendmicro\..*",
        "package-id: com.trendmicro.dsa\nversion: 20.0.0-877\nvolume: /\nlocation: \ninstall-time: 1688011857",
        "pkgutil",
    ),
}


@pytest.mark.parametrize("name", OTHER_SYSTEMS)
def test_other_systems_are_asked_in_their_own_way(host: Host, name: str):
    system, program, question, answer, source = OTHER_SYSTEMS[name]
    host.write(program, STAND_IN.format(question=question, answer=answer), "755")
    facts = look(host, system)
    assert (facts["installed"], facts["version"], facts["version_source"]) == (True, "20.0.0.877", source)
    assert facts["activation"] == "unknown"
    assert not [row["problem"] for row in facts["sources"] if row["problem"]]


@pytest.mark.both_cores
def test_a_host_that_speaks_powershell_is_told_what_serves_there(tmp_path):
    """No Python would start there, so the module says it before it connects."""
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            *("-i", "windows.example.com,", "all", "-m", MODULE),
            *("-e", "ansible_connection=ssh", "-e", "ansible_shell_type=powershell"),
        ],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode
    told = " ".join(ran.stdout.split())
    assert "does not look for agents on Windows hosts" in told and "agent_cipher_info" in told
