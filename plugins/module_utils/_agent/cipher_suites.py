# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cipher suites an agent is documented to use, by release or by version.

The vendor's page "Communication between Workload Security and the agent" lists them by ranges of releases, which are
copied below. A release that no range covers is undocumented; a version that can belong to several ranges is ambiguous.
"""

from __future__ import annotations

import functools
from typing import Dict, List, NamedTuple, Optional, Tuple, TypedDict, Union

from .builds import CONFIRMED, UNKNOWN
from .releases import CERTAINTIES, LAST, NEITHER, WITHOUT_AGENT, Span, end_of_line, span_of
from .sources import SUITES_PAGE
from .suites import BY_IANA
from .tls_versions import Support, supports
from .tls_versions import support as tls_support
from .versions import NO_AGENT, Release, Version, known_release, parse

DOCUMENTED = "documented"
UNDOCUMENTED = "undocumented"
AMBIGUOUS = "ambiguous"

_AES_SHA1 = (
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
)
_3DES_AND_AES_SHA1 = (
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
)
_RSA_SHA2_AND_SHA1 = (
    "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
)
_RSA_SHA2 = (
    "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
)
_ECDHE_CBC_AND_RSA = (
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
)
_ECDHE = (
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
)


class Range(NamedTuple):
    """One range of the page: its words, the releases that they mean, the TLS version named there, the suites."""

    words: str
    releases: Span
    tls: Optional[str]
    suites: Tuple[str, ...]


def _range(words: str, first: str, last: Optional[str], tls: Optional[str], suites: Tuple[str, ...]) -> Range:
    earliest = known_release(first)
    latest = known_release(last) if last else end_of_line(earliest.major, earliest.minor)
    return Range(words, Span(earliest, latest), tls, suites)


# The page's words, the first and the last release of the range (none: the whole release line), the TLS version that the
# page names, and its suites in its order.
RANGES = (
    _range("9.5 (no SP, patch, or update)", "9.5", "9.5", "1.0", _AES_SHA1),
    _range("9.5 SP1 to 9.5 SP1 Patch 3 Update 2", "9.5 SP1", "9.5 SP1 P3 U2", None, _3DES_AND_AES_SHA1),
    _range("9.5 SP1 Patch 3 Updates 3 to 8", "9.5 SP1 P3 U3", "9.5 SP1 P3 U8", None, _RSA_SHA2_AND_SHA1),
    _range("9.6 (no SP, patch, or update) to 9.6 Patch 1", "9.6", "9.6 P1", "1.0", _AES_SHA1),
    _range("9.6 Patch 2 to 9.6 SP1 Patch 1 Update 4", "9.6 P2", "9.6 SP1 P1 U4", None, _3DES_AND_AES_SHA1),
    _range("9.6 SP1 Patch 1 Updates 5 to 21", "9.6 SP1 P1 U5", "9.6 SP1 P1 U21", None, _RSA_SHA2_AND_SHA1),
    _range("10.0 up to Update 15", "10.0", "10.0 U15", "1.2", _RSA_SHA2),
    _range("10.0 Update 16 and later updates", "10.0 U16", None, "1.2", _RSA_SHA2),
    _range("11.0 up to Update 4", "11.0", "11.0 U4", None, _ECDHE_CBC_AND_RSA),
    _range("11.0 Update 6 and later updates", "11.0 U6", None, "1.2", _ECDHE),
    _range("12.0", "12.0", None, None, _ECDHE),
    # The page treats major version 20 as one release line, whatever follows the 20.
    Range("20", Span(Release(20, 0), Release(20, LAST)), None, _ECDHE),
)


class _Finding(NamedTuple):
    """Where a version or release is on the page: the ranges that list its suites, or the ranges around it."""

    state: str
    certainty: str
    span: Optional[Span]
    ranges: Tuple[Range, ...]
    no_agent: str = ""

    @property
    def listed(self) -> Tuple[str, ...]:
        return self.ranges[0].suites if self.state == DOCUMENTED else ()

    @property
    def stated_tls(self) -> Optional[str]:
        return self.ranges[0].tls if self.state == DOCUMENTED else None


def _in_some_range(release: Release) -> bool:
    return any(row.releases.earliest <= release <= row.releases.latest for row in RANGES)


def _state(span: Span) -> str:
    touched = [row for row in RANGES if row.releases.earliest <= span.latest and span.earliest <= row.releases.latest]
    if not touched:
        return UNDOCUMENTED
    # Two ranges with the same list make no difference, for example 10.0 around Update 15.
    one_list = len({(row.suites, row.tls) for row in touched}) == 1
    return DOCUMENTED if one_list and _in_some_range(span.earliest) and _in_some_range(span.latest) else AMBIGUOUS


def _ranges_around(span: Span) -> Tuple[Range, ...]:
    """The ranges that the span touches and, if it starts or ends outside of all ranges, the next range there."""
    below = [index for index, row in enumerate(RANGES) if row.releases.earliest <= span.earliest]
    above = [index for index, row in enumerate(RANGES) if row.releases.latest >= span.latest]
    first = below[-1] if below else 0
    last = above[0] if above else len(RANGES) - 1
    return RANGES[first : last + 1]


def _find(text: object) -> _Finding:
    return _find_parsed(parse(text))


# A fleet of 100,000 computers has a few dozen versions.
@functools.lru_cache(maxsize=4096)
def _find_parsed(subject: Union[Version, Release, None]) -> _Finding:
    if subject is None or subject == NO_AGENT:
        return _Finding(UNDOCUMENTED, UNKNOWN, None, (), WITHOUT_AGENT if subject else NEITHER)
    if isinstance(subject, Release):
        span = span_of(subject)
        state = _state(span)
        return _Finding(state, CONFIRMED if state == DOCUMENTED else UNKNOWN, span, _ranges_around(span))
    # The certainty is that of the best rows that give an answer: for 12.0 the number itself is enough.
    for certainty in CERTAINTIES:
        span = span_of(subject, certainty)
        if _state(span) == DOCUMENTED:
            # Weaker rows cannot change the suites anymore, but they tell which of two ranges with the same list
            # applies.
            return _Finding(DOCUMENTED, certainty, span, _ranges_around(span_of(subject)))
    return _Finding(_state(span), UNKNOWN, span, _ranges_around(span))


class Documented(TypedDict):
    """What the page documents of an agent, in plain types, for results.

    * C(state): documented, undocumented or ambiguous
    * C(certainty): confirmed, likely or inferred, how certain it is that this version has these suites; unknown where
      the state is not documented
    * C(ranges): the page's words; two ranges if both have the same suites, so that it does not matter which one applies
    * C(suites): IANA names in the page's order
    * C(weak): the weak suites, name to reasons
    * C(tls): for each version of TLS: C(version), C(supported), C(basis) and C(reason)
    * C(neighbors): the ranges around a version that is not documented
    * C(reason): a sentence
    * C(source): the vendor's page that says so; C(None) if this is not an agent
    """

    state: str
    certainty: str
    ranges: List[str]
    suites: List[str]
    weak: Dict[str, List[str]]
    tls: List[Dict[str, object]]
    neighbors: List[str]
    reason: str
    source: Optional[str]


def documented(text: object) -> Documented:
    """What the page documents of an agent, by its version or its release; any text gets an answer."""
    finding = _find(text)
    words = [row.words for row in finding.ranges]
    is_documented = finding.state == DOCUMENTED
    return Documented(
        state=finding.state,
        certainty=finding.certainty,
        ranges=words if is_documented else [],
        suites=list(finding.listed),
        weak={name: list(BY_IANA[name].weak) for name in finding.listed if BY_IANA[name].weak},
        tls=supports(finding.span, finding.stated_tls, finding.listed) if finding.span else [],
        neighbors=[] if is_documented else words,
        reason=_reason(finding, words),
        source=None if finding.no_agent else SUITES_PAGE,
    )


def _reason(finding: _Finding, words: List[str]) -> str:
    if finding.no_agent:
        return finding.no_agent
    named = " and ".join(f"'{name}'" for name in words)
    if finding.state == DOCUMENTED:
        return f"The vendor's page lists these suites for {named}."
    if finding.state == AMBIGUOUS:
        return f"What is known about this build does not show whether it is in or between {named}."
    return f"The vendor's page lists no suites for it; the ranges next to it are {named}."


def supports_suite(text: object, suite: str) -> Optional[bool]:
    """Whether the page lists a suite (IANA name) for an agent; C(None) where no list is documented."""
    finding = _find(text)
    return suite in finding.listed if finding.state == DOCUMENTED else None


def supports_tls(text: object, version: str) -> Support:
    """What is documented of one TLS version, such as C(1.2), for an agent."""
    finding = _find(text)
    if finding.span is None:
        return Support(None, None, finding.no_agent)
    return tls_support(version, finding.span, finding.stated_tls, finding.listed)
