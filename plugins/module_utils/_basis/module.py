# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How every module of the collection fails: with C(failure.code) in the result, and with the item that is wrong."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NoReturn, Optional

from ansible.module_utils.basic import AnsibleModule

from .errors import Problem
from .refusal import (
    LONGEST_MESSAGE,
    LONGEST_WARNING,
    STUMBLES,
    failed,
    forget_what_is_no_secret,
    prepared,
    refused,
    secrets_in,
    stumble,
    unusable_text,
)
from .text import encodable, in_json, shown


class Module(AnsibleModule):
    """A module whose every failure has C(failure), also if Ansible's own check of the arguments fails."""

    # The options as given, before Ansible's check adds defaults.
    given: Mapping[str, Any] = {}
    _checked = False

    def __init__(self, argument_spec: Dict[str, Any], **rules: Any) -> None:
        """C(rules): those of AnsibleModule, such as C(mutually_exclusive). Check mode is supported."""
        try:
            super().__init__(argument_spec=argument_spec, supports_check_mode=True, **rules)
        except STUMBLES:
            problem = stumble(argument_spec, self.given)
            if problem is None:
                raise
            self.fail(problem)
        self._checked = True
        forget_what_is_no_secret(self.no_log_values)
        problem = unusable_text(self.argument_spec, self.given, self.params)
        if problem:
            self.fail(problem)

    def fail(self, problem: Problem) -> NoReturn:
        """End the task with a problem."""
        self.fail_json(**failed(problem))

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """Like AnsibleModule's. AnsibleModule itself calls this when it refuses the arguments."""
        if not self._checked:
            if "failure" not in result:
                result = {**result, **refused(self.argument_spec, self.given, msg)}
                msg = result.pop("msg")
            # Ansible does not mask a secret if another option has the wrong type.
            self.no_log_values.update(secrets_in(self.argument_spec, self.given))
            forget_what_is_no_secret(self.no_log_values)
        super().fail_json(msg=in_json(msg, LONGEST_MESSAGE), **encodable(result))

    def exit_json(self, **result: Any) -> NoReturn:
        """Like AnsibleModule's, but names from a manager or host cannot prevent the result from being written."""
        super().exit_json(**encodable(result))

    def warn(self, warning: str, **options: Any) -> None:
        """Like AnsibleModule's, on one line."""
        super().warn(shown(warning, LONGEST_WARNING), **options)

    def log(self, msg: Any, log_args: Optional[Dict[str, Any]] = None) -> None:
        """Like AnsibleModule's, but an option with NUL, which the system's log refuses, does not end the task."""
        given = {name: str(value).replace("\0", "\\x00") for name, value in (log_args or {}).items()}
        super().log(msg.replace("\0", "\\x00") if isinstance(msg, str) else msg, given)

    def _load_params(self) -> None:
        super()._load_params()
        self.params = prepared(self.argument_spec, self.params)
        self.given = dict(self.params)
