# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the options that roles pass to modules into the roles' argument specifications, with all suboptions.

Run from the root of the repository, it brings all roles up to date::

    .venv/tools/bin/python -m tests.gates.role_options
"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import yaml

from tests.gates.environments import ROOT

COLLECTION = "workload_security.agent"
_CONNECTION = ("connection",)
# The roles' options, and where the options in them are documented: a module, one of its options, and the names of
# options if these are not all; or the connection options.
SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "communication": {
        "communication_profiles": ("communication_profile", "profiles"),
        "communication_manager": _CONNECTION,
    },
    "communication_report": {
        "communication_report_profiles": ("communication_profile", "profiles"),
        "communication_report_manager": _CONNECTION,
    },
    "cipher_report": {
        "cipher_report_requirements": ("agent_cipher_info", "requirements"),
        "cipher_report_manager": _CONNECTION,
    },
    "connectivity": {"connectivity_manager": _CONNECTION},
    "rollout": {
        "rollout_profiles": ("communication_profile", "profiles"),
        "rollout_manager": _CONNECTION,
    },
    # It has no such options, because it reads nothing.
    "report_page": {},
    "local_dns": {
        "local_dns_place": ("local_dns", "", "hosts_file", "rfc2136", "unbound", "dnsmasq"),
        "local_dns_records": ("local_dns", "", "hostnames", "region", "addresses", "cname", "ttl", "state"),
    },
}
LONGEST_LINE = 120
_SECRET = ("api_key", "key_secret", "proxy")


def _constant(path: Path, name: str) -> t.Any:
    """The YAML in a constant of a Python file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no {name}")


def _documented(source: tuple[str, ...]) -> tuple[dict[str, dict], str]:
    """The options of a source, and how documentation refers to them."""
    if source == _CONNECTION:
        options = _constant(ROOT / "plugins/doc_fragments/connection.py", "DOCUMENTATION")["options"]
        # Any module with these options would do.
        return options, f"{COLLECTION}.policy_info#module:"
    module, option, *names = source
    options = _constant(ROOT / f"plugins/modules/{module}.py", "DOCUMENTATION")["options"]
    refers = f"{COLLECTION}.{module}#module:"
    if option:
        return options[option]["suboptions"], f"{refers}{option}[]."
    return {name: options[name] for name in names}, refers


def options_for(source: tuple[str, ...]) -> dict[str, dict]:
    """The options below a role's option, as its argument specification has them."""
    return _specified(*_documented(source))


def _specified(options: dict[str, dict], refers: str) -> dict[str, dict]:
    specified = {}
    for name, option in options.items():
        one = {"description": [f"See option O({refers}{name})."]}
        one.update(
            {key: option[key] for key in ("type", "elements", "required", "choices", "default") if key in option}
        )
        if name in _SECRET:
            one["no_log"] = True
        if "suboptions" in option:
            below = f"{refers}{name}{'[]' if option['type'] == 'list' else ''}."
            one["options"] = _specified(option["suboptions"], below)
        specified[name] = one
    return specified


def _lines(options: dict[str, dict], indent: int) -> t.Iterator[str]:
    pad = " " * indent
    for name, option in options.items():
        yield f"{pad}{name}:"
        for key, value in option.items():
            if key == "options":
                yield f"{pad}  options:"
                yield from _lines(value, indent + 4)
            elif key == "description":
                yield f"{pad}  description:"
                one = f"{pad}    - {value[0]}"
                # A reference is one word, even if it is long.
                yield one if len(one) <= LONGEST_LINE else f"{pad}    - See option\n{pad}      {value[0][11:]}"
            else:
                flow = (
                    yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
                )
                yield f"{pad}  {key}: {flow}"


def with_options(text: str, role: str) -> str:
    """The text of a role's argument specification, with the options within its options."""
    for option, source in SOURCES[role].items():
        block = re.search(rf"^      {option}:\n(?:(?:        .*)?\n)+", text, re.MULTILINE)
        assert block, f"{role} has no option {option}"
        rest = re.sub(r"^        options:\n(?:          .*\n)+", "", block[0], flags=re.MULTILINE)
        new = "\n".join(_lines(options_for(source), 10))
        # They come before the rules that name them, such as required_one_of.
        place = re.search(r"^        (?:required_one_of|mutually_exclusive):", rest, re.MULTILINE)
        at = place.start() if place else len(rest)
        text = text.replace(block[0], f"{rest[:at]}        options:\n{new}\n{rest[at:]}")
    return text


def path_of(role: str) -> Path:
    """The file of a role's argument specification."""
    return ROOT / "roles" / role / "meta" / "argument_specs.yml"


def main() -> None:
    """Write all files again."""
    for role in SOURCES:
        path = path_of(role)
        path.write_text(with_options(path.read_text(encoding="utf-8"), role), encoding="utf-8")


if __name__ == "__main__":
    main()
