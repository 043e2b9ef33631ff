# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a place is: somewhere that records live, such as a hosts file or the zone of a name server."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .records import ADDRESS_TYPES, Record


class Place:
    """Somewhere that records live. A place is made from its suboptions, and used for one trip: read, then write.

    C(types) are the types of records that it can hold. C(default_ttl), in seconds, is what a record gets for which
    no TTL is asked and none is held; C(None) in a place without TTLs. C(unfinished) means that what was read must be
    written once more though it is right, as an earlier run was cut short. C(warnings) are what the user should know
    though nothing failed. Every method may raise C(DnsError).
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
        """Replace what was read with C(after), and nothing else; done only when the place says so itself."""
        raise NotImplementedError

    def expect_writable(self) -> None:
        """Raise C(DnsError) where C(write) is known to fail, so that check mode fails, too."""

    def tidy(self) -> None:
        """Remove what a run that was killed may have left behind. Raises nothing."""

    def conflicts(self, after: List[Record]) -> List[Dict[str, object]]:
        """What was read beside the records, is somebody else's and contradicts C(after); warns of what will stay."""
        return []

    def diff(self, before: List[Record], after: List[Record]) -> Dict[str, str]:
        """Both states for Ansible's diff mode."""
        return {"before": _lines(before), "after": _lines(after)}


def _lines(records: List[Record]) -> str:
    return "".join(f"{record}\n" for record in records)
