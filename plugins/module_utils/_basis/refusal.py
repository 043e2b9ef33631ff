# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of failed tasks: each has C(failure.code), and names the wrong item if Ansible refuses options."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_int
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .errors import OptionError, Problem
from .text import in_json, shown

# The longest message of a failed task as JSON, in characters, and the longest of the other texts in its failure. Ansible
# prints the message three times: for itself, and twice in the result. All of that is less than 4,000.
LONGEST_MESSAGE = 1100
# The longest warning, in characters.
LONGEST_WARNING = 1500
_LONGEST_PART = 300

# The shortest secret, in characters and without blanks around it. Masking shorter ones would mask ordinary text.
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
    """What a task returns if Ansible's own check refused its options with this message."""
    option, msg = _variable_in(specification, given) or _item_in(specification, given, msg)
    msg = in_json(msg, LONGEST_MESSAGE)
    return {"msg": msg, "failure": {"code": "bad_option", "option": option, "message": msg}}


def secrets_in(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """The values of options that must not be shown, at any depth."""
    for option, argument in specification.items():
        value = given.get(option)
        if argument.get("no_log") and value:
            yield str(value)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from secrets_in(argument.get("options") or {}, item)


def forget_what_is_no_secret(no_log_values: Set[str]) -> None:
    """Remove values that Ansible would mask everywhere in the output although they are too short, such as a letter."""
    short = {value for value in no_log_values if len(str(value).strip()) < _SHORTEST_SECRET}
    no_log_values.difference_update(short)


def unusable_text(
    specification: Mapping[str, Any], given: Mapping[str, Any], params: Mapping[str, Any]
) -> Optional[OptionError]:
    """What is wrong if an option, at any depth, should be text and is not, or is text that cannot be used.

    C(given): the options as the task has them. C(params): what Ansible has made of them. Ansible turns a list into
    text, for example: nobody who gives C([]) for a query means the query C([]), which selects everything. No file,
    program or manager accepts NUL. And an empty path is an error, because without it the task would run without the
    file.
    """
    return next(_no_text(specification, given), None) or next(_unusable_text(specification, params), None)


def prepared(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Dict[str, Any]:
    """The options in a form that Ansible's check can handle, at any depth.

    Lists of choices in one text are split at commas, with or without blanks around them. From thousands of digits, the
    check would make a number that Python refuses to write, which ends in a traceback. So they are cut, and are then
    refused as text.
    """
    return {option: _prepared(specification.get(option, {}), value) for option, value in given.items()}


def _prepared(argument: Mapping[str, Any], value: object) -> object:
    if isinstance(value, list):
        of_items = {**argument, "type": argument.get("elements")}
        return [_prepared(of_items, item) for item in value]
    if isinstance(value, dict) and "options" in argument:
        return prepared(argument["options"], value)
    if not isinstance(value, str):
        return value
    if argument.get("type") == "list" and "choices" in argument:
        return [part.strip() for part in value.split(",")]
    is_long = argument.get("type") == "int" and value[_LONGEST_NUMBER:]
    return f"{value[:_LONGEST_NUMBER]}..." if is_long else value


def _no_text(specification: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> Iterator[OptionError]:
    for option, argument in specification.items():
        value, kind, where = given.get(option), argument.get("type", "str"), f"{path}{option}"
        is_list = kind == "list" and isinstance(value, (list, tuple))
        if is_list:
            kind = argument.get("elements")
        for number, item in enumerate(value if is_list else [value]):  # type: ignore[arg-type]
            if "options" in argument and isinstance(item, dict):
                named = f"[{shown(item.get('name') or number, 100)}]" if is_list else ""
                yield from _no_text(argument["options"], item, f"{where}{named}.")
            is_one = _what_is(item, kind)
            if item is None and is_list and kind in ("str", "path"):
                is_one = "null"
            if is_one:
                yield OptionError(
                    where, None if argument.get("no_log") else item, f"it must be text, but it is {is_one}"
                )


def _what_is(value: object, kind: Optional[str]) -> Optional[str]:
    """What the value is, if Ansible turns it into text but nobody means that text for this type; else C(None)."""
    if kind not in ("str", "path"):
        return None
    if isinstance(value, bool):
        return "a boolean" if kind == "path" else None
    return "a dictionary" if isinstance(value, dict) else "a list" if isinstance(value, (list, tuple)) else None


def _unusable_text(
    specification: Mapping[str, Any], params: Mapping[str, Any], path: str = ""
) -> Iterator[OptionError]:
    for option, value in params.items():
        argument = specification.get(option, {})
        for where, item in _items(f"{path}{option}", value):
            if isinstance(item, dict):
                yield from _unusable_text(argument.get("options") or {}, item, f"{where}.")
            elif isinstance(item, str):
                right = None
                if "\0" in item:
                    right = "it must be text without NUL characters"
                elif not item.strip() and argument.get("type") == "path":
                    right = "it must be a path; leave the option out for none"
                if right:
                    yield OptionError(where, None if argument.get("no_log") else item, right)


def _items(where: str, value: object) -> Iterator[Tuple[str, object]]:
    """The items of a list, at any depth, or the value itself if it is not a list, each with its name for errors."""
    if not isinstance(value, list):
        yield where, value
        return
    for number, item in enumerate(value):
        name = item.get("name") or number if isinstance(item, dict) else None
        yield from _items(where if name is None else f"{where}[{shown(name, 100)}]", item)


# What Ansible's check raises for values that it does not expect.
STUMBLES = (TypeError, OverflowError)
# No whole number that an option takes is longer.
_LONGEST_NUMBER = 60


def stumble(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Optional[OptionError]:
    """The reason why Ansible's check raised one of C(STUMBLES), in words.

    The possible reasons are a value that is not a dictionary of options, and infinity as a whole number.
    """
    return next(_stumbles(specification, given), None)


def _stumbles(specification: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> Iterator[OptionError]:
    for option, argument in specification.items():
        value, where = given.get(option), f"{path}{option}"
        kinds = (argument.get("type"), argument.get("elements"))
        for item in value if isinstance(value, list) else [value]:
            if "options" in argument:
                if isinstance(item, dict):
                    yield from _stumbles(argument["options"], item, f"{where}.")
                elif not isinstance(item, str) and value is not None:
                    yield OptionError(where, item, "it must be a dictionary of options")
            elif "int" in kinds:
                try:
                    check_type_int(item)
                except OverflowError:
                    yield OptionError(where, item, "it must be a whole number")
                except TypeError:
                    pass  # Ansible's own check reports this.


def _variable_in(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Optional[Tuple[str, str]]:
    """The option that is refused because of a value from an environment variable, and a message that names both."""
    for option, argument in specification.items():
        read, names = argument.get("fallback") or (None, ())
        if option in given or read is None:
            continue
        try:
            value = read(*names)
        except AnsibleFallbackNotFound:
            continue
        alone = {option: {name: part for name, part in argument.items() if name != "fallback"}}
        errors = _errors(alone, {option: value})
        if errors:
            return option, f"option '{option}' (from {' or '.join(names)} in the environment): {'; '.join(errors)}"
    return None


def _item_in(specification: Mapping[str, Any], given: Mapping[str, Any], msg: str) -> Tuple[Optional[str], str]:
    """The wrong item of a list (or C(None)), and a message that names it, because Ansible's own message does not."""
    for option, argument in specification.items():
        value = given.get(option)
        if "options" not in argument or value is None:
            continue
        if argument.get("type") == "dict":
            errors = [] if isinstance(value, dict) else _errors({option: {"type": "dict"}}, {option: value})
            if errors:
                return option, f"option '{option}': {'; '.join(errors)}"
            continue
        for number, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, dict):
                where = f"{option}[{shown(item.get('name') or number, 100)}]"
                # Without rules such as mutually_exclusive: their messages name the options anyway.
                errors = _errors(argument["options"], item)
            else:
                where = f"{option}[{number}]" if isinstance(value, list) else option
                kind = {"type": "list", "elements": "dict"}
                errors = _errors({option: kind}, {option: [item]})
            if errors:
                return where, f"option '{where}': {'; '.join(errors)}"
    return None, msg


def _errors(specification: Mapping[str, Any], given: Mapping[str, Any]) -> List[str]:
    """The errors that Ansible's own check finds in options."""
    errors: List[str] = ArgumentSpecValidator(specification).validate(given).error_messages
    return errors
