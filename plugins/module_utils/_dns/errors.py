# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between an option and the place where a record lives."""

from __future__ import annotations

from typing import Dict, Optional


class DnsError(Exception):
    """Something that did not end as it should have, in words for people.

    ``code`` is one word to test for. ``option`` is the option to look at, ``None`` where none would mend it.
    """

    def __init__(self, code: str, message: str, option: Optional[str] = None) -> None:
        super().__init__(message)
        self.code = code
        self.option = option

    def as_failure(self) -> Dict[str, Optional[str]]:
        """The failure for a module's result."""
        return {"code": self.code, "option": self.option, "message": str(self)}


def bad_option(option: str, value: object, what_would_be_right: str) -> DnsError:
    """An option whose value cannot be right. Where the value is ``None``, missing or a secret, it is not shown."""
    shown = "" if value is None else f" is {shortened(repr(value))}"
    return DnsError("bad_option", f"option '{option}'{shown}: {what_would_be_right}", option)


def shortened(text: str, longest: int = 200) -> str:
    """Text from outside, fit for a message: one line without control characters, at most ``longest`` of them."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= longest else line[: longest - 3] + "..."
