# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project of awx/ as AWX runs it: a slice is planned, and only what was planned is carried out."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.gates.environments import ROOT
from tests.integration.support import ansible_playbook, policy_named, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.settings import DIRECTION

pytestmark = pytest.mark.slow

SLICE, OTHER = "all[0:4]", "all[5:9]"


class Job(t.NamedTuple):
    """How a job ended: its status, its output, and the statistics that AWX hands to the jobs after it."""

    status: int
    output: str
    artifacts: dict[str, str]


class Awx:
    """Runs jobs in a copy of the project, with what the credential injects."""

    def __init__(self, lab: LabManager, folder: Path) -> None:
        self._folder = shutil.copytree(ROOT / "awx" / "project", folder / "project")
        # As its comments say: the lab's certificate comes from an authority of its own.
        for name, options in {
            "computers/computers.yml": {"ca_path": lab.ca_path},
            "computers/group_vars/all.yml": {"communication_manager": {"ca_path": lab.ca_path}},
            "managers/group_vars/all.yml": {"communication_manager": {"ca_path": lab.ca_path}},
        }.items():
            with (self._folder / name).open("a", encoding="utf-8") as file:
                file.write(yaml.safe_dump(options))
        key = folder / "key"
        key.touch(0o600)
        key.write_text(lab.api_key)
        self._environment = {
            "WORKLOAD_SECURITY_URL": lab.url,
            "WORKLOAD_SECURITY_API_KEY_FILE": str(key),
        }

    def run(self, limit: str, *arguments: str, **variables: str) -> Job:
        """Run the playbook computers on a slice of the hosts."""
        return self._run("computers/computers.yml", "computers.yml", "--limit", limit, *arguments, **variables)

    def roll_out(self, *arguments: str, **variables: t.Any) -> Job:
        """Run the playbook rollout on the manager."""
        return self._run("managers/hosts.yml", "rollout.yml", *arguments, **variables)

    def _run(self, inventory: str, playbook: str, *arguments: str, **variables: t.Any) -> Job:
        extra = json.dumps({"awx_job_id": 1, **variables})
        command = ("-i", inventory, "-e", extra, *arguments, playbook)
        ran = ansible_playbook(*command, environment=self._environment, cwd=self._folder)
        told = re.search(r"CUSTOM STATS: \*+\s+RUN: (\{.*?\})", ran.stdout, re.DOTALL)
        return Job(ran.returncode, ran.stdout, json.loads(told[1]) if told else {})


def template(name: str, **values: str) -> dict[str, t.Any]:
    """The variables of a job template, with values for what stands in braces for AWX to put in."""
    text = re.sub("!unsafe", "", (ROOT / "awx" / "defaults.yml").read_text(encoding="utf-8"))
    for word, value in values.items():
        text = text.replace(f"{{{{ {word} }}}}", value)
    return next(one for one in yaml.safe_load(text)["awx_job_templates"] if one["name"] == name)["extra_vars"]


def test_a_rollout_is_of_the_plan_that_was_approved_or_of_none(lab, tmp_path):
    awx, folder = Awx(lab, tmp_path), tmp_path / "rollouts"
    lab.let_live()
    lab.clear_requests()
    planned = awx.roll_out("--check", "--diff", **template("plan rollout", awx_rollout_directory=str(folder)))
    assert planned.status == 0 and "1. policies, " in planned.output and writes(lab) == [], planned.output
    policy = policy_named(lab, "Linux Server")
    meanwhile = {"policySettings": {DIRECTION: {"value": "Manager Initiated"}}}
    lab.api("POST", f"/policies/{policy['ID']}", meanwhile)
    lab.clear_requests()
    done = awx.roll_out(**template("roll out", awx_rollout_directory=str(folder)))
    assert done.status == 2 and "is not the reviewed one" in done.output, done.output
    digests = [set(re.findall(r"\bplan ([0-9a-f]{16}): ", output)) for output in (planned.output, done.output)]
    assert digests[0] == digests[1] and len(digests[0]) == 1 and writes(lab) == []


def test_a_slice_is_planned_and_only_that_is_carried_out(lab, tmp_path):
    defaults = yaml.safe_load(re.sub("!unsafe", "", (ROOT / "awx" / "defaults.yml").read_text(encoding="utf-8")))
    reviewed = defaults["awx_planned"]
    awx = Awx(lab, tmp_path)
    lab.clear_requests()
    planned = awx.run(SLICE, "--check", "--diff")
    assert planned.status == 0 and len(planned.artifacts) == 1 and writes(lab) == [], planned.output

    not_planned = awx.run(OTHER, **reviewed, **planned.artifacts)
    assert not_planned.status != 0 and "communication_digest_" in not_planned.output, not_planned.output
    assert writes(lab) == []

    applied = awx.run(SLICE, **reviewed, **planned.artifacts)
    assert applied.status == 0, applied.output
    assert len(writes(lab)) == 5 and all(one["path"].startswith("/computers/") for one in writes(lab))
