# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between a checked option and the place where a record lives."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .._basis.errors import Problem


class DnsError(Problem):
    """Something that did not end as it should have, in words for people.

    C(code) is one word to test for. C(option) is the option to look at, C(None) where none would mend it.
    """

    def __init__(self, code: str, message: str, option: Optional[str] = None) -> None:
        super().__init__(message)
        self.code = code
        self.option = option

    def as_failure(self) -> Dict[str, Any]:
        """The failure for a module's result."""
        return {"code": self.code, "option": self.option, "message": str(self)}


class NotKnown(DnsError):
    """A change of which nobody has said whether it was made; the message says what came back instead."""
