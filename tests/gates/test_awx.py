# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/: what its playbook gives the modules of awx.awx is what these take, and fits together; its image can be built."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from packaging.requirements import Requirement

from tests.gates.environments import ROOT
from tests.gates.export import export_collection

AWX = ROOT / "awx"
TOOLS = Path(sys.executable).parent
COLLECTION = "ansible_collections/awx/awx/"
REQUIREMENT = ROOT / "requirements" / "awx.txt"
SECRETS = {"workload_security_read_key": "the reading key", "workload_security_write_key": "the writing key"}

# In place of each module: keeps what it is given, once Ansible has put in what stands in braces.
RECORDER = """\
import json, os
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        with open(os.environ["AWX_RECORD"], "a") as record:
            record.write(json.dumps([self._task.action, self._task.args]) + "\\n")
        return {"changed": False}
"""


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """The standard output of a tool that ends well."""
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    # Without what is found along the path of Python: the checkout is a collection, too.
    variables = {**os.environ, "PATH": path, "PYTHONPATH": "", **environment}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", name="package")
def package_fixture() -> Path:
    """The package that has the collection in it, fetched once."""
    folder = ROOT / ".cache" / "awx"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.search(r"^ansible==(\S+)", REQUIREMENT.read_text(encoding="utf-8"), re.MULTILINE)
    package = folder / f"ansible-{name[1]}-py3-none-any.whl"
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.exists():
            fetched = folder / "fetched"
            shutil.rmtree(fetched, ignore_errors=True)
            options = (
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--dest",
                fetched,
            )
            run(sys.executable, "-m", "pip", "download", *options, "--requirement", REQUIREMENT)
            (fetched / package.name).rename(package)
    return package


@pytest.fixture(scope="module", name="given")
def given_fixture(package: Path, tmp_path_factory) -> list[tuple[str, dict[str, t.Any]]]:
    """What the playbook gives each module, in its order; the modules take it by their own documentation."""
    folder = tmp_path_factory.mktemp("awx")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(COLLECTION)])
    action, record, keys = folder / COLLECTION / "plugins" / "action", folder / "record", folder / "keys.json"
    action.mkdir()
    for module in (folder / COLLECTION / "plugins" / "modules").glob("[a-z]*.py"):
        (action / module.name).write_text(RECORDER, encoding="utf-8")
    keys.write_text(json.dumps(SECRETS), encoding="utf-8")
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_LOCALHOST_WARNING": "false"}
    run("ansible-playbook", AWX / "load.yml", "-e", f"@{keys}", **environment, AWX_RECORD=str(record))
    tasks = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    names = sorted({name for name, _options in tasks})
    documented = json.loads(run("ansible-doc", "--json", *names, **environment))
    for name, options in tasks:
        checked = ArgumentSpecValidator(_specification(documented[name]["doc"]["options"])).validate(options)
        assert not checked.error_messages, (name, options, checked.error_messages)
    return [(name.removeprefix("awx.awx."), options) for name, options in tasks]


def _specification(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """A specification of arguments from the documentation of options, which awx.awx's own tests hold equal."""
    kept = {"type", "elements", "choices", "required", "aliases"}
    return {
        name: {
            **{word: value for word, value in option.items() if word in kept},
            **({"options": _specification(option["suboptions"])} if option.get("suboptions") else {}),
        }
        for name, option in options.items()
    }


def named(given: list[tuple[str, dict[str, t.Any]]], module: str) -> dict[str, dict[str, t.Any]]:
    """What is made by a module, by its name."""
    return {options["name"]: options for name, options in given if name == module}


def test_everything_that_is_named_is_made_before(given):
    made: dict[str, set[str]] = {}
    uses = {
        "credential_type": "credential_type",
        "credential": "credential",
        "credentials": "credential",
        "default_environment": "execution_environment",
        "execution_environment": "execution_environment",
        "inventory": "inventory",
        "project": "project",
        "source_project": "project",
        "unified_job_template": "job_template",
    }
    for module, options in given:
        parts = [options, *options.get("workflow_nodes", [])]
        for option, kind in uses.items():
            for part in parts:
                used = part.get(option, [])
                if isinstance(used, dict):
                    used = used["name"] if used["type"] == kind else []
                for name in [used] if isinstance(used, str) else used:
                    assert name in made[kind], (module, options, option)
        made.setdefault(module, set()).add(options["name"])
    assert len(made["job_template"]) == 10 and len(made["workflow_job_template"]) == 2 and made["schedule"]


def test_what_templates_and_inventories_name_is_in_the_project(given):
    files = [options["playbook"] for options in named(given, "job_template").values()]
    files += [options["source_path"] for options in named(given, "inventory_source").values()]
    assert [name for name in files if not (AWX / "project" / name).is_file()] == []


def test_the_key_is_in_a_file_and_nowhere_else(given):
    (kind,) = named(given, "credential_type").values()
    inputs = {field["id"]: field for field in kind["inputs"]["fields"]}
    assert inputs["api_key"]["secret"] is True
    injectors = kind["injectors"]
    assert injectors["file"] == {"template.api_key": "{{ api_key }}"}
    assert injectors["env"]["WORKLOAD_SECURITY_API_KEY_FILE"] == "{{ tower.filename.api_key }}"
    assert set(injectors) == {"file", "env"} and "WORKLOAD_SECURITY_API_KEY" not in injectors["env"]
    assert set(re.findall(r"{{ (\w+) }}", json.dumps(injectors))) == set(inputs)
    credentials = named(given, "credential")
    assert [one["inputs"]["api_key"] for one in credentials.values()] == list(SECRETS.values())
    others = json.dumps([options for module, options in given if module != "credential"])
    assert not [secret for secret in SECRETS.values() if secret in others]


def test_only_what_applies_may_write(given):
    (writer,) = [name for name in named(given, "credential") if name.endswith("writer")]
    writing = {name for name, options in named(given, "job_template").items() if options["credentials"] == [writer]}
    prefix = writer.removesuffix("writer")
    assert writing == {f"{prefix}{name}" for name in ("apply policies", "apply computers", "roll out")}
    for name in writing:
        variables = named(given, "job_template")[name]["extra_vars"]
        if name.endswith("roll out"):
            assert variables["rollout_plan_file"] == "{{ rollout_plan_copy }}"
        else:
            digest = variables["communication_expected_digest"]
            assert digest == "{{ lookup('ansible.builtin.vars', communication_digest_name) }}"


@pytest.mark.parametrize(
    ("workflow", "follows"),
    [
        (
            "change",
            {
                "plan policies": ["approve"],
                "plan computers": ["approve"],
                "approve": ["apply policies"],
                "apply policies": ["apply computers"],
                "apply computers": [],
            },
        ),
        ("rollout", {"plan": ["approve"], "approve": ["roll out"], "roll out": []}),
    ],
)
def test_nothing_is_applied_before_all_plans_are_approved(given, workflow, follows):
    (made,) = [one for name, one in named(given, "workflow_job_template").items() if name.endswith(f" {workflow}")]
    nodes = {node["identifier"]: node for node in made["workflow_nodes"]}
    assert follows == {
        name: [node["identifier"] for node in node.get("related", {}).get("success_nodes", [])]
        for name, node in nodes.items()
    }
    assert nodes["approve"]["unified_job_template"]["type"] == "workflow_approval"
    plans = [node for name, node in nodes.items() if name.startswith("plan")]
    assert nodes["approve"].get("all_parents_must_converge", len(plans) == 1)
    templates = named(given, "job_template")
    for node in plans:
        assert templates[node["unified_job_template"]["name"]]["job_type"] == "check"


def test_the_image_takes_the_cores_that_are_supported():
    source = yaml.safe_load((AWX / "execution-environment.yml").read_text(encoding="utf-8"))
    taken = Requirement(source["dependencies"]["ansible_core"]["package_pip"]).specifier
    oldest, newest = (
        re.findall(r"^ansible-core==(2\.\d+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)[0]
        for name in ("oldest", "newest")
    )
    first, last = int(oldest.partition(".")[2]), int(newest.partition(".")[2])
    assert [minor for minor in range(100) if taken.contains(f"2.{minor}.0")] == list(range(first, last + 1))


@pytest.mark.parametrize("from_file", [False, True], ids=["from_galaxy", "from_a_file"])
def test_the_image_has_the_collection_and_what_it_needs(tmp_path, from_file):
    definition = tmp_path / "execution-environment.yml"
    text = (AWX / definition.name).read_text(encoding="utf-8")
    collection = export_collection(tmp_path)
    if from_file:
        # As its comments say.
        uncommented = re.sub(r"^# ?", "", text[text.index("#   galaxy:") :], flags=re.MULTILINE)
        text = re.sub(
            r"^  galaxy:\n(?:    .*\n)+", "", text[: text.index("# A collection from a file")], flags=re.MULTILINE
        )
        text += uncommented
        run("ansible-galaxy", "collection", "build", collection, "--output-path", tmp_path)
    definition.write_text(text, encoding="utf-8")
    context = tmp_path / "context"
    run("ansible-builder", "create", "--file", definition, "--context", context)
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert wanted == yaml.safe_load(text)["dependencies"]["galaxy"]["collections"]
    installed = tmp_path
    if from_file:
        installed = tmp_path / "installed"
        install = ("ansible-galaxy", "collection", "install", "--offline", "-r", "requirements.yml", "-p", installed)
        run(*install, cwd=context / "_build", ANSIBLE_COLLECTIONS_PATH=str(installed))
    # What the image does once collections are installed in it.
    packages = tmp_path / "packages.txt"
    introspect = context / "_build" / "scripts" / "introspect.py"
    run(sys.executable, introspect, "introspect", installed, f"--write-pip={packages}")
    found = [line.partition("  # ")[0] for line in packages.read_text(encoding="utf-8").splitlines()]
    needed = (ROOT / "meta" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert found == [line for line in needed if not line.startswith("#")]
