# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a place is: something that holds records, such as a hosts file or the zone of a name server."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .records import ADDRESS_TYPES, Record


class Place:
    """Something that holds records. A place is made from its suboptions, and used once: read, then write.

    C(types): the types of records that it can hold. C(default_ttl): seconds, the TTL of a record if the task gives none
    and the place has none yet; C(None) in a place without TTLs. C(unfinished): the records are right, but must be
    written once more, because an earlier run was interrupted. C(warnings): what the user should know although nothing
    failed. Every method may raise C(DnsError).
    """

    types: Tuple[str, ...] = ADDRESS_TYPES
    default_ttl: Optional[int] = None

    def __init__(self) -> None:
        self.unfinished = False
        self.warnings: List[str] = []

    def read(self, names: List[str]) -> List[Record]:
        """The records of these names that the place holds and manages."""
        raise NotImplementedError

    def write(self, before: List[Record], after: List[Record]) -> None:
        """Replace the records that were read with C(after), and nothing else. Returns when the place confirms it."""
        raise NotImplementedError

    def expect_writable(self) -> None:
        """Raise C(DnsError) if C(write) is sure to fail, so that check mode fails, too."""

    def tidy(self) -> None:
        """Remove anything that a killed run may have left behind. Raises nothing."""

    def conflicts(self, after: List[Record]) -> List[Dict[str, object]]:
        """What somebody else has in the place and contradicts C(after). Warns about conflicts that will stay."""
        return []

    def diff(self, before: List[Record], after: List[Record]) -> Dict[str, str]:
        """Both states for Ansible's diff mode."""
        return {"before": _lines(before), "after": _lines(after)}


def _lines(records: List[Record]) -> str:
    return "".join(f"{record}\n" for record in records)
