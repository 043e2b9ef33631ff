# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built collection, installed where nothing else is: by itself, and in the pipelines of docs/pipelines.md.

The pipelines run as they stand there, each job in a new folder. What is not ours is stood in for: the image is this
environment, C(curl) and C(gh) keep comments and artifacts in a folder of the test, and runs of ansible-playbook are
those of C(tests.playbooks).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests import playbooks
from tests.gates.environments import BYTECODE, ROOT
from tests.gates.export import export_collection
from tests.integration.support import RESTRICTION, policy_named, writes
from tests.lab.manager.process import LabManager
from tests.playbooks.program import Ran, program

pytestmark = pytest.mark.slow

STANDS_FOR = {
    "curl": """#!/bin/sh -e
for word; do case "$word" in --form) form=yes;; --output) output=yes;; esac; last="$word"; done
echo "$last" >> "$FORGE/asked"
if test "$form"; then cp summary.md "$FORGE/comment.md"; else
  python3 - "$FORGE/plan" plan.zip <<'END'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(sys.argv[2], "w") as archive:
    for path in folder.rglob("*"):
        archive.write(path, pathlib.Path("plan", path.relative_to(folder)))
END
fi
""",
    "gh": """#!/bin/sh -e
echo "$*" >> "$FORGE/asked"
case "$1 $2" in
  "pr comment") cp summary.md "$FORGE/comment.md";;
  "run download") cp -r "$FORGE/plan" plan;;
  "run list") cat "$FORGE/run";;
  api*) cat "$FORGE/head";;
  *) exit 1;;
esac
""",
}


def pipelines() -> dict[str, dict[str, t.Any]]:
    """The files that the page has, by the heading above them."""
    text = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (.+?)\n.*?^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {heading: yaml.safe_load(block) for heading, block in found}


def gitlab(job: dict[str, t.Any]) -> tuple[list[str], dict[str, str], list[str]]:
    """The scripts of a job, its variables, and the paths of its artifacts."""
    return ["\n".join(job["script"])], {}, job.get("artifacts", {}).get("paths", [])


def github(job: dict[str, t.Any]) -> tuple[list[str], dict[str, str], list[str]]:
    """The same of the other kind."""
    steps = job["steps"]
    scripts = [step["run"] for step in steps if "run" in step and step["name"] != "Install"]
    kept = [step["with"]["path"] for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")]
    return scripts, job["env"], kept


KINDS = {"GitLab CI": gitlab, "GitHub Actions": github}


@dataclass
class Forge:
    """Runs jobs, with the programs of its folder, and keeps what they leave."""

    kind: str
    folder: Path
    lab: LabManager
    collections: Path
    interval: int = 7
    commit_message: str = "Merge branch 'x' into 'main'\n\nSlower heartbeats\n\nSee merge request group/fleet!12"
    jobs: dict[str, t.Any] = field(init=False)

    def __post_init__(self) -> None:
        file = pipelines()[self.kind]
        self.jobs = file.get("jobs", file)
        programs = self.folder / "programs"
        for name, text in STANDS_FOR.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        (self.folder / "head").write_text("0123456789abcdef\n")
        (self.folder / "run").write_text("4711\n")

    def run(self, name: str) -> tuple[int, str]:
        """Run one job in a new folder: its status, and what it printed."""
        scripts, variables, kept = KINDS[self.kind](self.jobs[name])
        checkout = self.folder / "checkout"
        shutil.rmtree(checkout, ignore_errors=True)
        checkout.mkdir()
        (checkout / "inventory.yml").write_text(yaml.safe_dump(self.inventory()))
        keys = {
            "WORKLOAD_SECURITY_READ_KEY": self.lab.read_only_api_key,
            "WORKLOAD_SECURITY_WRITE_KEY": self.lab.api_key,
        }
        own = {
            variable: keys[match[1]]
            for variable, value in variables.items()
            if (match := re.fullmatch(r"\$\{\{ secrets\.(\w+) \}\}", value))
        }
        environment = {
            **installed(self.collections),
            **(own or keys),
            "PATH": os.pathsep.join(
                [str(self.folder / "programs"), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "FORGE": str(self.folder),
            "CI_API_V4_URL": "https://gitlab.example/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "12",
            "CI_COMMIT_MESSAGE": self.commit_message,
            "GITHUB_REPOSITORY": "group/fleet",
            "GITHUB_SHA": "fedcba9876543210",
            "NUMBER": "12",
        }
        status, output = 0, ""
        for script in scripts:
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script],
                cwd=checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
                check=False,
            )
            status, output = done.returncode, output + done.stdout
            if status:
                break
        for path in kept:
            if (checkout / path).exists():
                shutil.rmtree(self.folder / path, ignore_errors=True)
                shutil.copytree(checkout / path, self.folder / path)
        return status, output

    def inventory(self) -> dict[str, t.Any]:
        """What the repository holds."""
        manager = {"url": self.lab.url, "ca_path": self.lab.ca_path}
        profile = {"name": "Web", "policies": ["Linux Server"], "heartbeat": {"interval": self.interval}}
        variables = {"communication_manager": manager, "communication_profiles": [profile]}
        return {"all": {"hosts": {"manager": {}}, "vars": variables}}


def installed(collections: Path) -> dict[str, str]:
    """The environment in which a collection is found there, and nowhere else."""
    inherited = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
    return {
        **inherited,
        "PYTHONPATH": BYTECODE,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_PIPELINING": "true",
    }


@pytest.fixture(name="collections", scope="module")
def collections_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection, installed."""
    folder = tmp_path_factory.mktemp("collections")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(folder / "to")

    def galaxy(*arguments: str, cwd: Path) -> None:
        program = str(Path(sys.executable).with_name("ansible-galaxy"))
        command = [program, "collection", *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

    galaxy("build", "--output-path", str(folder), cwd=export_collection(folder / "from"))
    (artifact,) = folder.glob("*.tar.gz")
    galaxy("install", "--offline", "-p", str(folder / "to"), str(artifact), cwd=folder)
    return folder / "to"


def changed(output: str) -> int:
    """How many tasks changed something of the manager."""
    (count,) = re.findall(r"^manager .*changed=(\d+)", output, re.MULTILINE)
    return int(count)


@pytest.mark.both_cores
def test_an_installed_artifact_converges(lab, tmp_path, collections):
    collection = collections / "ansible_collections" / "workload_security" / "agent"
    assert (collection / "plugins").exists() and not (collection / "tests").exists()
    assert not (collection / "inventories").exists()
    manager = {"url": lab.url, "ca_path": lab.ca_path}
    profiles = [
        {
            "name": "servers",
            "policies": ["Linux Server"],
            "heartbeat": {"interval": 7},
            "communication_direction": {"direction": "bidirectional"},
            "firewall_restriction": RESTRICTION,
        }
    ]
    variables = {"communication_manager": manager, "communication_profiles": profiles}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"manager": {}}, "vars": variables}}))
    environment = {**installed(collections), "WORKLOAD_SECURITY_API_KEY": lab.api_key}

    def run(playbook: str) -> str:
        command = ("-i", "hosts.yml", f"workload_security.agent.{playbook}")
        ran = playbooks.ansible_playbook(*command, environment=environment, cwd=tmp_path, loaded=True)
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    first = run("site")
    assert changed(first) == 1 and len(writes(lab)) == 4, "an IP list, a rule, its assignment, and the settings"
    lab.clear_requests()
    second = run("site")
    assert changed(second) == 0 and writes(lab) == []
    # What is there now, as variables of the host, changes nothing either.
    captured = run("capture")
    assert changed(captured) == 1 and "profiles" in captured
    file = tmp_path / "host_vars" / "manager" / "communication.yml"
    document = file.read_text()
    assert "rule_name" not in document and "- Linux Server\n" in document
    again = run("capture")
    assert file.read_text() == document
    assert changed(again) == 0
    third = run("site")
    assert changed(third) == 0 and "targets" in third and writes(lab) == []


@pytest.fixture(name="ran")
def ran_fixture(tmp_path: Path) -> t.Iterator[list[Ran]]:
    """Runs of ansible-playbook, which is one of the programs of the forge."""
    with program(tmp_path / "programs") as ran:
        yield ran


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_plans_applies_that_plan_finds_drift_and_writes_nothing_unforeseen(
    lab, tmp_path, collections, ran, kind
):
    forge = Forge(kind, tmp_path, lab, collections)
    status, output = forge.run("plan")
    assert status == 0 and writes(lab, "read_only") == [], output
    assert "→ ` 7 ` for 1 target: ` Linux Server `" in (tmp_path / "comment.md").read_text(encoding="utf-8")
    digest = json.loads((tmp_path / "plan" / "manager.json").read_text())["digest"]
    # What the main branch holds by then does not matter: the plan that was reviewed is applied.
    forge.interval = 99
    status, output = forge.run("apply")
    assert status == 0 and [write["path"] for write in writes(lab)] != [], output
    assert digest in (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert "12" in (tmp_path / "asked").read_text()
    forge.interval = 7
    lab.clear_requests()
    status, output = forge.run("plan")
    assert status == 0 and "Nothing would change" in (tmp_path / "comment.md").read_text(encoding="utf-8"), output
    number = policy_named(lab, "Linux Server")["ID"]
    settings = {"platformSettingHeartbeatInterval": {"value": "5 Minutes"}}
    lab.api("POST", f"/policies/{number}", {"policySettings": settings}, key="colleague")
    status, output = forge.run("drift")
    assert status == 2 and writes(lab, "read_only") == [], output
    assert sorted(os.listdir(tmp_path / "drift")) == ["manager.html", "manager.json", "manager.xml"]
    assert json.loads((tmp_path / "drift" / "manager.json").read_text())["plan"][0]["before"] == 5
    # The manager has moved on since the last plan.
    lab.clear_requests()
    status, output = forge.run("apply")
    assert status and "plan_changed" in output and writes(lab) == [], output
    # What cannot be told is no drift, and no plan.
    lab.add_fault(method="POST", path="/policies/search", action={"kind": "status", "status": 403}, times=99)
    for job in ("plan", "drift"):
        status, output = forge.run(job)
        assert status == 1, output
    jobs = ("plan", "apply", "plan", "drift", "apply", "plan", "drift")
    assert [run.arguments[2] for run in ran] == [f"workload_security.agent.{job}" for job in jobs]


@pytest.mark.parametrize(
    ("kind", "missing"), [("GitLab CI", "merge"), ("GitHub Actions", "head"), ("GitHub Actions", "run")]
)
def test_a_commit_without_a_reviewed_plan_applies_none(lab, tmp_path, collections, ran, kind, missing):
    """A direct push: the forge knows no merge of this commit, or no plan of it, but has plans of others."""
    forge = Forge(kind, tmp_path, lab, collections)
    (tmp_path / "plan").mkdir()
    if missing == "merge":
        forge.commit_message = "Slower heartbeats"
    else:
        (tmp_path / missing).write_text("\n")
    lab.clear_requests()
    status, output = forge.run("apply")
    assert status == 1 and "nothing is applied" in output and ran == [], output
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert "download" not in asked and lab.requests() == [], asked
    assert missing == "run" or "run list" not in asked, "an empty commit selects the runs of all"
