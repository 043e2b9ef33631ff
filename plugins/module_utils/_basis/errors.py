# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every error that ends a task has in common, and an option that cannot be right."""

from __future__ import annotations

import sys
from typing import Any, Dict

from .text import one_line, quoted


class Problem(Exception):
    """What ends a task, or one thing that it was to do, in words for people.

    C(code) is one word to test for.
    """

    code = "problem"

    def as_failure(self) -> Dict[str, Any]:
        """The failure for a module's result: at least C(code), and in C(message) the whole sentence."""
        return {"code": self.code, "message": str(self)}


class OptionError(Problem, ValueError):
    """An option whose value cannot be right: which option, which value, and what would be right.

    Where the value is a secret, or is missing, C(value) is C(None) and is not shown.
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
    """A file that an option names, and that cannot be written. It is as it was."""

    code = "unwritable"

    def __init__(self, option: str, path: str, reason: object) -> None:
        told = (isinstance(reason, OSError) and reason.strerror) or reason
        super().__init__(f"option '{option}' is {quoted(path)}: the file cannot be written: {one_line(told)}")
        self.option = option

    def as_failure(self) -> Dict[str, Any]:
        return {**super().as_failure(), "option": self.option}


class FolderError(Problem):
    """The folder that a module would be started in cannot be entered. Nothing was sent."""

    code = "folder"


class MissingLibrary(Problem):
    """Python libraries that are needed cannot be imported.

    C(library) names them, with commas between, C(reason) tells the import errors.
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
