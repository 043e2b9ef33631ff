# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection does where it fails: C(failure.code) in the result, and the item that is meant."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, NoReturn, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .errors import OptionError, Problem
from .text import encodable, shown

# The longest message or warning, in characters.
_LONGEST = 1500


class Module(AnsibleModule):
    """A module whose every failure has C(failure), also where Ansible's own check of the arguments is what fails."""

    # The options as they were given, before the check fills in defaults.
    _given: Mapping[str, Any] = {}
    _checked = False

    def __init__(self, argument_spec: Dict[str, Any], **rules: Any) -> None:
        """C(rules): those of AnsibleModule, such as C(mutually_exclusive). Check mode is supported."""
        try:
            super().__init__(argument_spec=argument_spec, supports_check_mode=True, **rules)
        except TypeError:
            # Ansible's check stumbles over a number in place of a dictionary.
            where = _no_dictionary(argument_spec, self._given)
            if where is None:
                raise
            option, value = where
            self.fail(OptionError(option, value, "it must be a dictionary of options"))
        self._checked = True

    def fail(self, problem: Problem) -> NoReturn:
        """End the task with a problem."""
        failure = problem.as_failure()
        self.fail_json(msg=str(problem), failure={**failure, "message": shown(failure["message"], _LONGEST)})

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """As AnsibleModule's, which calls this itself where it refuses the arguments."""
        if not self._checked and "failure" not in result:
            option, msg = _item_in(self.argument_spec, self._given, msg)
            msg = shown(msg, _LONGEST)
            result["failure"] = {"code": "bad_option", "option": option, "message": msg}
        # Ansible forgets what is secret where an option beside it has the wrong type.
        self.no_log_values.update(_secrets(self.argument_spec, self._given))
        super().fail_json(msg=shown(msg, _LONGEST), **encodable(result))

    def exit_json(self, **result: Any) -> NoReturn:
        """As AnsibleModule's; what a manager or host named cannot keep the result from being written."""
        super().exit_json(**encodable(result))

    def warn(self, warning: str, **options: Any) -> None:
        """As AnsibleModule's, on one line."""
        super().warn(shown(warning, _LONGEST), **options)

    def _load_params(self) -> None:
        super()._load_params()
        self._given = dict(self.params)


def _secrets(specification: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """The values of options that are not to be shown, at any depth."""
    for option, argument in specification.items():
        value = given.get(option)
        if argument.get("no_log") and value:
            yield str(value)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _secrets(argument.get("options") or {}, item)


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
