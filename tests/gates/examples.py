# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What examples in pages and in plugins may contain: names of modules, options, variables, playbooks and commands.

A check returns what is wrong, one line each. Templates count as right, because only a run knows their values.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import shlex
import typing as t
from pathlib import Path

import yaml
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.inventory import InventoryCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI
from ansible.module_utils.common import validation
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task

from tests.gates.environments import ROOT

COLLECTION = "workload_security.agent"
Options = t.Dict[str, t.Dict[str, t.Any]]

_CLIS = {
    "ansible-galaxy": GalaxyCLI,
    "ansible-inventory": InventoryCLI,
    "ansible-playbook": PlaybookCLI,
    "ansible-vault": VaultCLI,
}
_TYPES = {
    "bool": validation.check_type_bool,
    "float": validation.check_type_float,
    "int": validation.check_type_int,
    "path": validation.check_type_str,
    "str": validation.check_type_str,
}
# The keywords that a task may have besides its module.
_OF_TASKS = {*Task.fattributes, *Block.fattributes, "local_action"}
# The options of inventory plugins from Ansible's own fragments.
_OF_INVENTORIES: Options = {
    name: {"type": "raw"}
    for name in """cache cache_plugin cache_connection cache_timeout compose groups keyed_groups leading_separator strict
    use_extra_vars""".split()
}


def load(text: str) -> t.Any:
    """The content of a YAML document. Raises C(yaml.YAMLError)."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in one language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def _constants(path: Path) -> dict[str, str]:
    """The documentation in a Python file, by the names of the constants."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and node.targets[0].id.isupper()
    }


@functools.cache
def _fragments() -> dict[str, Options]:
    """The options of each part of a documentation fragment of the collection."""
    return {
        f"{COLLECTION}.{path.stem}.{name.lower()}".removesuffix(".documentation"): load(documented).get("options", {})
        for path in (ROOT / "plugins" / "doc_fragments").glob("*.py")
        for name, documented in _constants(path).items()
    }


@functools.cache
def plugin(kind: str, name: str) -> tuple[Options, list[str]]:
    """The options of a plugin of the collection, and its examples."""
    path = ROOT / "plugins" / kind / f"{name}.py"
    beside = path.with_suffix(".yml")
    constants = load(beside.read_text(encoding="utf-8")) if beside.exists() else _constants(path)
    documented = constants["DOCUMENTATION"]
    if isinstance(documented, str):
        documented = load(documented)
    options = dict(documented.get("options", {}))
    for fragment in documented.get("extends_documentation_fragment", []):
        if fragment.startswith(COLLECTION):
            options |= _fragments()[fragment]
    return options, re.split(r"^---$", constants["EXAMPLES"], flags=re.MULTILINE)


@functools.cache
def plugins(kind: str) -> tuple[str, ...]:
    """The names of the collection's plugins of one kind, which is their folder."""
    files = sorted((ROOT / "plugins" / kind).glob("*.py"))
    return tuple(path.stem for path in files if path.stem != "__init__")


@functools.cache
def roles() -> dict[str, Options]:
    """The options of each role."""
    return {
        path.parents[1].name: load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    }


@functools.cache
def playbooks() -> dict[str, str]:
    """The text of each playbook."""
    return {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").glob("*.yml")}


@functools.cache
def variables() -> Options:
    """The variables of roles with the values that they accept, and those of playbooks, which accept anything."""
    return {
        **{
            name: {"type": "raw"}
            for text in playbooks().values()
            for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)
        },
        **{name: option for options in roles().values() for name, option in options.items()},
    }


@functools.cache
def environment() -> frozenset[str]:
    """The environment variables for the connection options."""
    text = (ROOT / "plugins" / "doc_fragments" / "connection.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r"E\((WORKLOAD_SECURITY_\w+)\)", text))


def _aliases(options: Options) -> dict[str, dict[str, t.Any]]:
    return {name: option for own, option in options.items() for name in (own, *option.get("aliases", ()))}


def wrong_options(given: t.Any, options: Options, where: str, *, whole: bool = True) -> t.Iterator[str]:
    """What is wrong with options, compared with their documentation. Unless C(whole), required ones may be missing."""
    if _is_template(given):
        return
    if not isinstance(given, dict):
        yield f"{where}: {given!r} are no options"
        return
    known = _aliases(options)
    for name, value in given.items():
        if name in known:
            yield from wrong_value(value, known[name], f"{where}.{name}")
        else:
            yield f"{where}: there is no option {name}"
    for name, option in options.items():
        if whole and option.get("required") and not {name, *option.get("aliases", ())} & given.keys():
            yield f"{where}: {name} is missing"


def wrong_value(value: t.Any, option: dict[str, t.Any], where: str) -> t.Iterator[str]:
    """What is wrong with the value of an option."""
    below = option.get("suboptions", option.get("options"))
    kind = option.get("type", "str")
    if _is_template(value):
        return
    if kind == "list":
        items = value if isinstance(value, list) else str(value).split(",")
        one = {"type": option.get("elements", "raw"), "suboptions": below, "choices": option.get("choices")}
        for number, item in enumerate(items):
            yield from wrong_value(item, one, f"{where}[{number}]")
        return
    if option.get("choices") and value not in option["choices"]:
        yield f"{where}: {value!r} is none of {option['choices']}"
    if below and (kind == "dict" or isinstance(value, dict)):
        yield from wrong_options(value, below, where)
    elif kind == "dict" and not isinstance(value, dict):
        yield f"{where}: {value!r} is no dictionary"
    elif kind in _TYPES:
        try:
            if isinstance(value, (dict, list)):
                raise TypeError("a list or dictionary")
            _TYPES[kind](value)
        except TypeError as error:
            yield f"{where}: {value!r} is not of type {kind}: {error}"


def _is_template(value: t.Any) -> bool:
    return isinstance(value, str) and "{{" in value


def wrong_variables(given: dict[str, t.Any], where: str, page: str) -> t.Iterator[str]:
    """What is wrong with variables. The page must name a user's own variables at least twice."""
    for name, value in given.items():
        own = not name.startswith(tuple(f"{role}_" for role in roles()))
        if name in variables():
            yield from wrong_value(value, variables()[name], f"{where}.{name}")
        elif not name.startswith("ansible_") and not (own and len(re.findall(rf"\b{name}\b", page)) > 1):
            yield f"{where}: nothing takes the variable {name}"


def wrong_defaults(given: dict[str, t.Any], where: str) -> t.Iterator[str]:
    """What is wrong with C(module_defaults)."""
    for name, options in given.items():
        if name == f"group/{COLLECTION}.manager":
            yield from wrong_options(options, _fragments()[f"{COLLECTION}.connection"], f"{where}.{name}")
        else:
            yield from _wrong_module(name, options, where, whole=False)


def _wrong_module(name: str, options: t.Any, where: str, *, whole: bool = True) -> t.Iterator[str]:
    if not name.startswith(f"{COLLECTION}."):
        if not re.fullmatch(r"[a-z]+\.[a-z]+\.[a-z_]+", name):
            yield f"{where}: {name} is not the full name of a module"
        return
    short = name.removeprefix(f"{COLLECTION}.")
    if short not in plugins("modules"):
        yield f"{where}: there is no module {name}"
        return
    yield from wrong_options(options or {}, plugin("modules", short)[0], f"{where}.{name}", whole=whole)


def wrong_tasks(tasks: list[dict[str, t.Any]], where: str, page: str, *, whole: bool = True) -> t.Iterator[str]:
    """What is wrong with tasks. Unless C(whole), module_defaults provide the options that are missing."""
    for number, task in enumerate(tasks):
        here = f"{where}[{number}]"
        yield from wrong_defaults(task.get("module_defaults", {}), here)
        if any(part in task for part in ("block", "rescue", "always")):
            for part in ("block", "rescue", "always"):
                yield from wrong_tasks(task.get(part, []), f"{here}.{part}", page, whole=whole)
            modules = []
        else:
            modules = [name for name in task if name not in _OF_TASKS and not name.startswith("with_")]
            if len(modules) != 1:
                yield f"{here}: a task has one module, not {modules}"
        for module in modules:
            yield from _wrong_module(module, task[module], here, whole=whole and "module_defaults" not in task)
            if module == "ansible.builtin.include_role":
                yield from _wrong_role(task[module]["name"], task.get("vars", {}), here)
            elif "vars" in task:
                yield from wrong_variables(task["vars"], here, page)


def _wrong_role(name: str, given: dict[str, t.Any], where: str) -> t.Iterator[str]:
    short = name.removeprefix(f"{COLLECTION}.")
    if name == short or short not in roles():
        yield f"{where}: there is no role {name}"
        return
    options = {name: {**option, "required": False} for name, option in roles()[short].items()}
    yield from wrong_options(given, options, f"{where}.{short}")


def wrong_plays(plays: list[dict[str, t.Any]], where: str, page: str) -> t.Iterator[str]:
    """What is wrong with a playbook."""
    for number, play in enumerate(plays):
        here = f"{where}[{number}]"
        if "ansible.builtin.import_playbook" in play:
            yield from wrong_names(play["ansible.builtin.import_playbook"])
            yield from wrong_variables(play.get("vars", {}), here, page)
            continue
        yield from (f"{here}: a play has no {name}" for name in play.keys() - Play.fattributes.keys())
        yield from wrong_variables(play.get("vars", {}), here, page)
        yield from wrong_defaults(play.get("module_defaults", {}), here)
        for part in ("pre_tasks", "tasks", "post_tasks"):
            yield from wrong_tasks(play.get(part, []), f"{here}.{part}", page, whole="module_defaults" not in play)
        for role in play.get("roles", []):
            given = {name: value for name, value in role.items() if name not in ("role", "vars", "when", "tags")}
            yield from _wrong_role(role["role"], {**given, **role.get("vars", {})}, here)


def wrong_inventory(groups: dict[str, t.Any], where: str, page: str) -> t.Iterator[str]:
    """What is wrong with the groups of an inventory."""
    for name, content in groups.items():
        here, group = f"{where}.{name}", content or {}
        yield from (f"{here}: a group has no {key}" for key in group.keys() - {"hosts", "vars", "children"})
        yield from wrong_variables(group.get("vars", {}), here, page)
        for host, given in group.get("hosts", {}).items():
            yield from wrong_variables(given or {}, f"{here}.{host}", page)
        yield from wrong_inventory(group.get("children", {}), here, page)


def wrong_yaml(text: str, page: str) -> list[str]:
    """What is wrong with a YAML example on a page, whatever it shows."""
    example = load(text)
    if isinstance(example, list):
        plays = example[0].keys() & {"hosts", "ansible.builtin.import_playbook"}
        return list((wrong_plays if plays else wrong_tasks)(example, "example", page))
    if not isinstance(example, dict) or not example:
        return [f"{text!r} is nothing"]
    if "plugin" in example:
        return list(wrong_options(example, {**_OF_INVENTORIES, **plugin("inventory", "computers")[0]}, "inventory"))
    if "all" in example:
        return list(wrong_inventory(example, "inventory", page))
    if "module_defaults" in example:
        return list(wrong_defaults(example["module_defaults"], "module_defaults"))
    if example.keys() & {"jobs", "stages", "collections", "bugfixes"}:
        return []  # of pipelines and of other tools
    if example.keys() & variables().keys():
        return list(wrong_variables(example, "variables", page))
    # A part of a profile, or of a task with any module.
    profile = plugin("modules", "communication_profile")[0]["profiles"]["suboptions"]
    options = {**_fragments()[f"{COLLECTION}.connection"], **profile}
    if example.keys() & options.keys():
        return list(wrong_options(example, options, "part", whole=False))
    return list(wrong_variables(example, "variables", page))


@functools.cache
def _make_targets() -> frozenset[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    gates = re.search(r"^GATES := (.*)$", text, re.MULTILINE)
    return frozenset(re.findall(r"^([a-z]+):", text, re.MULTILINE)) | frozenset(gates[1].split())


def commands(text: str) -> t.Iterator[list[str]]:
    """The commands in a shell block, each as its words. Assignments before a command are left out."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        for part in re.split(r"&&|\|\||;(?= )", line):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:
                continue  # a part of quoted text
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def wrong_command(words: list[str]) -> t.Iterator[str]:
    """What is wrong with a command: make, Ansible's programs, and Python modules of the repository."""
    program, arguments = Path(words[0]).name, [word for word in words[1:] if word not in ("…", "...")]
    if program == "make":
        yield from (f"make has no {name}" for name in arguments if "=" not in name and name not in _make_targets())
    elif program in _CLIS:
        cut = next((at for at, word in enumerate(arguments) if re.match(r"\d?[<>|]", word)), len(arguments))
        yield from _wrong_ansible(program, arguments[:cut])
    elif program.startswith("python") and arguments[:1] == ["-m"] and arguments[1].startswith("tests"):
        place = ROOT / Path(*arguments[1].split("."))
        if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
            yield f"there is no {arguments[1]}"
    elif program == "export":
        yield from wrong_names(" ".join(arguments))


def _wrong_ansible(program: str, arguments: list[str]) -> t.Iterator[str]:
    # Words in upper case stand for the reader's own values.
    arguments = [re.sub(r"^[A-Z]+$", "1", word) for word in arguments]
    cli = _CLIS[program]([program, *arguments])
    cli.init_parser()
    try:
        chosen = cli.parser.parse_args(arguments)
    except SystemExit:
        yield f"{program} does not take {arguments}"
        return
    for extra in getattr(chosen, "extra_vars", None) or []:
        if extra.startswith("{"):
            yield from wrong_variables(json.loads(extra), program, "")
        elif not extra.startswith("@"):
            yield from wrong_variables(dict(re.findall(r"(\w+)=(\S*)", extra)), program, "")
    if program == "ansible-playbook":
        for playbook in chosen.args:
            if playbook.startswith("playbooks/") and Path(playbook).stem not in playbooks():
                yield f"there is no {playbook}"
            if f"{COLLECTION}." in playbook and playbook.removeprefix(f"{COLLECTION}.") not in playbooks():
                yield f"there is no playbook {playbook}"


def wrong_names(text: str) -> t.Iterator[str]:
    """Full names of plugins, roles and playbooks, and environment variables, that do not exist."""
    kinds = [plugins(kind) for kind in ("modules", "inventory", "filter", "test", "doc_fragments")]
    known = {name for names in (*kinds, roles(), playbooks()) for name in names} | {"manager"}
    for name in re.findall(rf"\b{re.escape(COLLECTION)}\.([a-z]\w*)", text):
        if name not in known:
            yield f"there is no {COLLECTION}.{name}"
    for name in re.findall(r"\bWORKLOAD_SECURITY_[A-Z_]+\b", text):
        # Pipelines have two keys, and pass one of them on.
        if name not in environment() and not name.endswith(("_READ_KEY", "_WRITE_KEY")):
            yield f"nothing takes {name}"
