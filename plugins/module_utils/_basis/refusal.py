# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of tasks that fail: C(failure.code) in each, and the item that is meant where Ansible refuses options."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .errors import OptionError, Problem
from .text import shown

# The longest message or warning, in characters.
LONGEST_MESSAGE = 1500


def failed(problem: Problem) -> Dict[str, Any]:
    """What a task that ends with a problem returns."""
    failure = problem.as_failure()
    return {"msg": str(problem), "failure": {**failure, "message": shown(failure["message"], LONGEST_MESSAGE)}}


def refused(specification: Mapping[str, Any], given: Mapping[str, Any], msg: str) -> Dict[str, Any]:
    """What a task returns whose options Ansible's own check refused with this message."""
    option, msg = _item_in(specification, given, msg)
    msg = shown(msg, LONGEST_MESSAGE)
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
                where = f"{option}[{shown(item.get('name') or number)}]"
                # Without rules such as mutually_exclusive, which name their options in any case.
                errors = ArgumentSpecValidator(argument["options"]).validate(item).error_messages
            else:
                where = f"{option}[{number}]" if isinstance(value, list) else option
                kind = {"type": "list", "elements": "dict"}
                errors = ArgumentSpecValidator({option: kind}).validate({option: [item]}).error_messages
            if errors:
                return where, f"option '{where}': {'; '.join(errors)}"
    return None, msg
