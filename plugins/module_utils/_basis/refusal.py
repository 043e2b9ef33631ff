# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of tasks that fail: C(failure.code) in each, and the item that is meant where Ansible refuses options."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Set, Tuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .errors import OptionError, Problem
from .text import in_json, shown

# The longest message of a failed task as JSON, in characters, and the longest of the other texts in its failure. Ansible
# prints the message three times: for itself, and twice in the result. All of that is less than 4,000.
LONGEST_MESSAGE = 1100
# The longest warning, in characters.
LONGEST_WARNING = 1500
_LONGEST_PART = 300

# What is shorter, without blanks around it, would mask ordinary text if it was taken for a secret. In characters.
_SHORTEST_SECRET = 4


def failed(problem: Problem) -> Dict[str, Any]:
    """What a task that ends with a problem returns."""
    failure = {
        name: in_json(value, LONGEST_MESSAGE if name == "message" else _LONGEST_PART)
        if isinstance(value, str)
        else value
        for name, value in problem.as_failure().items()
    }
    return {"msg": in_json(problem, LONGEST_MESSAGE), "failure": failure}


def refused(specification: Mapping[str, Any], given: Mapping[str, Any], msg: str) -> Dict[str, Any]:
    """What a task returns whose options Ansible's own check refused with this message."""
    option, msg = _item_in(specification, given, msg)
    msg = in_json(msg, LONGEST_MESSAGE)
    return {"msg": msg, "failure": {"code": "bad_option", "option": option, "message": msg}}


def secrets_in(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """The values of options that are not to be shown, at any depth."""
    for option, argument in specification.items():
        value = given.get(option)
        if argument.get("no_log") and value:
            yield str(value)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from secrets_in(argument.get("options") or {}, item)


def forget_what_is_no_secret(no_log_values: Set[str]) -> None:
    """Take out what Ansible would mask in all that the task shows, such as a blank or a letter."""
    short = {value for value in no_log_values if len(str(value).strip()) < _SHORTEST_SECRET}
    no_log_values.difference_update(short)


def unusable_text(specification: Mapping[str, Any], params: Mapping[str, Any]) -> Optional[OptionError]:
    """What is wrong where an option, at any depth, has a character that no file, program or manager can take.

    Or where it is a path, and empty: whoever leaves the path of a file empty by mistake must not do without the file.
    """
    return next(_unusable_text(specification, params), None)


def _unusable_text(
    specification: Mapping[str, Any], params: Mapping[str, Any], path: str = ""
) -> Iterator[OptionError]:
    for option, value in params.items():
        argument = specification.get(option, {})
        for where, item in _items(f"{path}{option}", value):
            if isinstance(item, dict):
                yield from _unusable_text(argument.get("options") or {}, item, f"{where}.")
            elif isinstance(item, str) and "\0" in item:
                is_secret = argument.get("no_log")
                yield OptionError(where, None if is_secret else item, "it must be text without NUL characters")
            elif isinstance(item, str) and not item.strip() and argument.get("type") == "path":
                yield OptionError(where, item, "it must be a path; leave the option out for none")


def _items(where: str, value: object) -> Iterator[Tuple[str, object]]:
    """The items of a list, at any depth, or what is none, and how errors call each of them."""
    if not isinstance(value, list):
        yield where, value
        return
    for number, item in enumerate(value):
        name = item.get("name") or number if isinstance(item, dict) else None
        yield from _items(where if name is None else f"{where}[{shown(name, 100)}]", item)


def stumble(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Optional[OptionError]:
    """What Ansible's check raises C(TypeError) for, in words: something else in place of a dictionary of options."""
    where = _no_dictionary(specification, given)
    return None if where is None else OptionError(*where, "it must be a dictionary of options")


def _no_dictionary(
    specification: Mapping[str, Any], given: Mapping[str, Any], path: str = ""
) -> Optional[Tuple[str, object]]:
    """The first option whose value should be a dictionary and is none, with that value."""
    for option, argument in specification.items():
        value = given.get(option)
        if "options" not in argument or value is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, (dict, str)):
                return f"{path}{option}", item
            found = _no_dictionary(argument["options"], item, f"{path}{option}.") if isinstance(item, dict) else None
            if found:
                return found
    return None


def _item_in(specification: Mapping[str, Any], given: Mapping[str, Any], msg: str) -> Tuple[Optional[str], str]:
    """Which item of a list is meant, C(None) for none, and the message that names it: Ansible's own does not."""
    for option, argument in specification.items():
        value = given.get(option)
        if argument.get("elements") != "dict" or "options" not in argument or value is None:
            continue
        for number, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, dict):
                where = f"{option}[{shown(item.get('name') or number, 100)}]"
                # Without rules such as mutually_exclusive, which name their options in any case.
                errors = ArgumentSpecValidator(argument["options"]).validate(item).error_messages
            else:
                where = f"{option}[{number}]" if isinstance(value, list) else option
                kind = {"type": "list", "elements": "dict"}
                errors = ArgumentSpecValidator({option: kind}).validate({option: [item]}).error_messages
            if errors:
                return where, f"option '{where}': {'; '.join(errors)}"
    return None, msg
