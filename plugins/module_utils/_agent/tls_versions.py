# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which TLS versions an agent speaks, and what this is based on.

The vendor names a version for only a few releases, and contradicts itself on 9.5 and 9.6:

* The page of the cipher suites names TLS 1.0 for 9.5 GA and for 9.6 GA to Patch 1, TLS 1.2 for 10.0 and for 11.0
  Update 6 and later, and nothing for the rest.
* "Only 10.0 or later agents support TLS 1.2" (Vision One and Deep Security 10.0, use TLS 1.2; 11.0 and 12.0 say that
  agents before 10.0 lack it; so does KA-0008216).
* "Upgrade to 9.6 or higher versions which support TLS 1.2" (Deep Security 20, TLS version).
* The page lists suites for late 9.5 and 9.6 that exist only in TLS 1.2.

The platform matters too, but is not considered here: the vendor's table of platforms says that TLS 1.2 is not supported
on CloudLinux 5 and Ubuntu 10.04. No page says whether agents speak TLS 1.3; one release note (2025-03) names it, about
the inspection of other traffic.
"""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from .releases import LINES, Span
from .sources import SUITES_PAGE, TLS_CONFLICT, TLS_PAGE
from .suites import BY_IANA
from .versions import Release

# What an answer is based on: the vendor's words, a suite that needs the version, or pages that contradict each other.
STATED = "stated"
IMPLIED = "implied"
CONFLICT = "conflict"

VERSIONS = ("1.0", "1.1", "1.2", "1.3")

# From this release on, the page lists suites of TLS 1.2, although other pages say that these agents lack it.
_LATE_9_5 = Release(9, 5, 1, 3, 3)


class Support(NamedTuple):
    """Whether an agent speaks a TLS version: C(supported), C(basis) and C(source) are C(None) if no source says
    anything."""

    supported: Optional[bool]
    basis: Optional[str]
    reason: str
    source: Optional[str] = None


def support(version: str, span: Span, stated: Optional[str], names: Tuple[str, ...]) -> Support:
    """What is documented of one TLS version.

    C(span): the releases that the agent can be. C(stated): the TLS version that the page names beside the suites.
    C(names): the documented suites, empty if none are documented.
    """
    lowest = [BY_IANA[name].lowest_tls for name in names]
    if version == stated:
        return Support(True, STATED, f"The vendor's page lists the suites as TLS {version}.", SUITES_PAGE)
    if version == "1.2":
        return _support_of_1_2(span, lowest)
    if version < "1.2" and lowest and min(lowest) == "1.2":
        return Support(False, IMPLIED, "The vendor's page lists only suites that exist from TLS 1.2 on.", SUITES_PAGE)
    return Support(None, None, f"No page of the vendor says whether these agents speak TLS {version}.")


def _support_of_1_2(span: Span, lowest: List[str]) -> Support:
    line = span.earliest[:2]
    if line >= (10, 0) and "1.2" in lowest:
        return Support(True, IMPLIED, "The vendor's page lists suites that exist from TLS 1.2 on.", SUITES_PAGE)
    if line not in LINES:
        return Support(None, None, "No page of the vendor says whether these agents speak TLS 1.2.")
    if line >= (10, 0):
        return Support(
            True, STATED, "Agents from 10.0 on support TLS 1.2, says the vendor's page on TLS 1.2.", TLS_PAGE
        )
    if "1.2" in lowest or (line == (9, 5) and span.latest >= _LATE_9_5):
        return Support(
            None,
            CONFLICT,
            "The vendor's page lists suites that need TLS 1.2, others say that only 10.0 or later has it.",
            f"{SUITES_PAGE}; {TLS_PAGE}",
        )
    if line == (9, 6):
        return Support(
            None, CONFLICT, "One page says that 9.6 has TLS 1.2, others that only 10.0 or later has it.", TLS_CONFLICT
        )
    return Support(
        False, STATED, "Only agents from 10.0 on support TLS 1.2, says the vendor's page on TLS 1.2.", TLS_PAGE
    )


def supports(span: Span, stated: Optional[str], names: Tuple[str, ...]) -> List[Dict[str, object]]:
    """What is documented of every TLS version, in plain types, for results."""
    return [{"version": f"TLS {version}", **support(version, span, stated, names)._asdict()} for version in VERSIONS]


def normalize(text: object) -> Optional[str]:
    """The version in C(TLS 1.2), C(TLSv1.2), C(TLSv1_2) or C(1.2); C(None) if the text is not a version of TLS."""
    if not isinstance(text, str) or len(text) > 20:
        return None
    match = re.fullmatch(r"(?:TLS[ _-]*)?(?:v[ _-]*)?(1)(?:[._]([0-3]))?", text.strip(), re.IGNORECASE | re.ASCII)
    # OpenSSL calls TLS 1.0 "TLSv1".
    return f"1.{match.group(2) or 0}" if match else None
