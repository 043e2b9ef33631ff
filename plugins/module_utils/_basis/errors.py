# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of all errors that end a task, and the errors that all modules share."""

from __future__ import annotations

import sys
from typing import Any, Dict

from .text import one_line, quoted


class Problem(Exception):
    """An error that ends a task, or one of the things that the task should do, in words for people.

    C(code) is one word that playbooks can test.
    """

    code = "problem"

    def as_failure(self) -> Dict[str, Any]:
        """The failure for a module's result: at least C(code), and C(message) with the whole sentence."""
        return {"code": self.code, "message": str(self)}


class OptionError(Problem, ValueError):
    """An option with a wrong value: which option, which value, and what would be right.

    If the value is secret or missing, C(value) is C(None) and no value is shown.
    """

    code = "bad_option"

    def __init__(self, option: str, value: object, what_would_be_right: str) -> None:
        is_value = "" if value is None else f" is {quoted(value)}"
        super().__init__(f"option '{option}'{is_value}: {what_would_be_right}")
        self.option = option
        self.value = value
        self.what_would_be_right = what_would_be_right

    def as_failure(self) -> Dict[str, Any]:
        return {**super().as_failure(), "option": self.option}


class FileError(Problem):
    """A file that an option names cannot be written. The file is unchanged."""

    code = "unwritable"

    def __init__(self, option: str, path: str, reason: object) -> None:
        told = (isinstance(reason, OSError) and reason.strerror) or reason
        super().__init__(f"option '{option}' is {quoted(path)}: the file cannot be written: {one_line(told)}")
        self.option = option

    def as_failure(self) -> Dict[str, Any]:
        return {**super().as_failure(), "option": self.option}


class FolderError(Problem):
    """The folder that a module should start in cannot be entered. Nothing was sent."""

    code = "folder"


class MissingLibrary(Problem):
    """Python libraries that are needed cannot be imported.

    C(library) is their names, separated by commas. C(reason) is the import errors.
    """

    code = "missing_library"

    def __init__(self, library: str, reason: str) -> None:
        super().__init__(
            f"{sys.executable or 'this Python'} lacks what is needed here: {library} ({one_line(reason)}). Install what "
            "meta/requirements.txt of the collection names into it, or run the module with the Python that Ansible runs "
            'with, ansible_python_interpreter: "{{ ansible_playbook_python }}"'
        )
        self.library = library
        self.reason = reason
