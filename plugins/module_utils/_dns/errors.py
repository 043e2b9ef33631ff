# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors between the checked options and the place that holds a record."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .._basis.errors import Problem


class DnsError(Problem):
    """Something went wrong, in words for people.

    C(code) is one word that playbooks can test. C(option) is the option to change, C(None) if no option helps.
    """

    def __init__(self, code: str, message: str, option: Optional[str] = None) -> None:
        super().__init__(message)
        self.code = code
        self.option = option

    def as_failure(self) -> Dict[str, Any]:
        """The failure for a module's result."""
        return {"code": self.code, "option": self.option, "message": str(self)}


class NotKnown(DnsError):
    """It is not known whether a change was made. The message says what the server answered instead."""
