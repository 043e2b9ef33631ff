# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which agents would be lost if a manager required certain cipher suites or a minimum TLS version, and which upgrade
saves them.

A connection needs one suite that both sides have, and a TLS version that has this suite. So an agent survives if the
page lists at least one of the required suites for it, and if it speaks a TLS version that is new enough.
"""

from __future__ import annotations

import functools
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from .cipher_suites import AMBIGUOUS, DOCUMENTED, RANGES, UNDOCUMENTED, Range, documented, supports_tls
from .releases import BUILDS, NEITHER, WITHOUT_AGENT, Span, builds_of, span_of
from .sources import PLATFORM_PAGE, SUITES_PAGE
from .suites import BY_IANA
from .tls_versions import CONFLICT, STATED, VERSIONS, Support
from .versions import NO_AGENT, Release, Version, parse

# From the best to the worst.
KEPT = "kept"
UNKNOWN = "unknown"
LOST = "lost"

# Why an agent would be lost.
NO_SHARED_SUITE = "no_shared_suite"
TLS_TOO_OLD = "tls_too_old"
PLATFORM = "platform"

# Why this is unknown, besides undocumented, ambiguous and conflict.
EXTENDABLE = "extendable"
WITHOUT = "no_agent"
UNKNOWN_VERSION = "unknown_version"

# The vendor's table of platforms says that CloudLinux 5 and Ubuntu 10.04 lack TLS 1.2. The manager uses these names for
# them (source: the vendor's SDK, agent_version_control).
_WITHOUT_TLS_1_2 = re.compile(r"(?:CloudLinux 5|Ubuntu Linux 10)\b", re.IGNORECASE | re.ASCII)


class Requirement(NamedTuple):
    """What a manager will require: one of these suites (IANA names, none for any), and a TLS version such as 1.2.

    source: where the vendor publishes the requirement, if anywhere. extendable: releases whose agents, as the vendor
    says there, may offer more suites than the page lists for them.
    """

    suites: Tuple[str, ...] = ()
    minimum_tls: Optional[str] = None
    source: Optional[str] = None
    extendable: Tuple[Span, ...] = ()


class Verdict(NamedTuple):
    """What happens to an agent: kept, lost or unknown; why, in one word (C(None) if it is kept), and in a sentence.

    The words are no_shared_suite, tls_too_old and platform for lost; no_agent, unknown_version, undocumented,
    ambiguous, conflict and extendable for unknown. source: the pages or the script that say so; C(None) if there are
    none.
    """

    outcome: str
    cause: Optional[str]
    reason: str
    source: Optional[str] = None


@functools.lru_cache(maxsize=4096)
def lacks_tls_1_2(platform: str) -> bool:
    """Whether the vendor says that a platform, as the manager writes it, lacks TLS 1.2 with any agent."""
    return bool(_WITHOUT_TLS_1_2.match(platform))


def judge(text: str, requirement: Requirement, old_platform: bool = False) -> Verdict:
    """What happens to an agent, by its version or release, under a requirement.

    C(old_platform): it runs on a platform without TLS 1.2, see C(lacks_tls_1_2). Any text gets an answer.
    """
    subject = parse(text)
    if subject is None:
        return Verdict(UNKNOWN, UNKNOWN_VERSION, NEITHER)
    if subject == NO_AGENT:
        return Verdict(UNKNOWN, WITHOUT, WITHOUT_AGENT)
    lowest = requirement.minimum_tls or VERSIONS[0]
    by_tls = _judge_tls(text, lowest, old_platform)
    # If the agent lacks the TLS version, no suite can help.
    if by_tls.outcome == LOST or not requirement.suites:
        return by_tls
    known = documented(text)
    lists = [known["suites"]] if known["state"] == DOCUMENTED else _possible_lists(subject)
    if not lists:
        return Verdict(UNKNOWN, known["state"], known["reason"], known["source"])
    verdicts = [_judge_suites(text, names, requirement.suites, lowest, old_platform) for names in lists]
    if len({verdict.outcome for verdict in verdicts}) > 1:
        return Verdict(UNKNOWN, AMBIGUOUS, known["reason"], known["source"])
    if verdicts[0].cause == NO_SHARED_SUITE and _is_extendable(subject, requirement):
        return Verdict(
            UNKNOWN,
            EXTENDABLE,
            "The vendor's page lists none of the required suites for it, but according to the vendor's script its list can"
            " be extended by strong suites, and nobody has published which.",
            f"{SUITES_PAGE}; {requirement.source}",
        )
    return verdicts[0]


def _is_extendable(subject: Union[Version, Release], requirement: Requirement) -> bool:
    span = span_of(subject)
    return any(part.earliest <= span.latest and span.earliest <= part.latest for part in requirement.extendable)


def _judge_tls(text: str, lowest: str, old_platform: bool) -> Verdict:
    """Whether an agent speaks this TLS version or a later one."""
    if old_platform and lowest >= "1.2":
        return Verdict(
            LOST, PLATFORM, "TLS 1.2 is not supported on this platform, says the vendor's table.", PLATFORM_PAGE
        )
    denial = Support(None, None, "")
    # The versions that the agent may speak: all but those that the vendor says it lacks, and none above these.
    spoken = []
    for version in VERSIONS:
        answer = supports_tls(text, version)
        if answer.supported is False and answer.basis == STATED:
            denial = answer
            break
        if answer.supported is not False:
            spoken.append((version, answer))
    enough = [answer for version, answer in spoken if version >= lowest]
    if not enough:
        return Verdict(LOST, TLS_TOO_OLD, denial.reason, denial.source)
    # Every agent speaks some version. If every version that it may speak is enough, it does not matter which one it is.
    supported = [answer for answer in enough if answer.supported]
    if len(enough) == len(spoken) or supported:
        return Verdict(KEPT, None, f"It speaks TLS {lowest} or later.", supported[0].source if supported else None)
    conflict = next((answer for answer in enough if answer.basis == CONFLICT), None)
    if conflict:
        return Verdict(UNKNOWN, CONFLICT, conflict.reason, conflict.source)
    return Verdict(UNKNOWN, UNDOCUMENTED, enough[0].reason)


def _judge_suites(
    text: str, names: Sequence[str], required: Tuple[str, ...], lowest: str, old_platform: bool
) -> Verdict:
    """What happens to an agent with this list of suites, by the best suite that both sides have."""
    shared = [name for name in names if name in required]
    if not shared:
        return Verdict(
            LOST, NO_SHARED_SUITE, "The vendor's page lists none of the required suites for it.", SUITES_PAGE
        )
    verdicts = [_judge_tls(text, max(lowest, BY_IANA[name].lowest_tls), old_platform) for name in shared]
    best = min(verdicts, key=lambda verdict: (KEPT, UNKNOWN, LOST).index(verdict.outcome))
    if best.outcome == KEPT:
        return Verdict(KEPT, None, f"The vendor's page lists {', '.join(shared)} for it.", SUITES_PAGE)
    return best


def _possible_lists(subject: Union[Version, Release]) -> List[Sequence[str]]:
    """The lists of suites that an agent can have; empty if it may be a release that no range covers."""
    span = span_of(subject)
    rows = [row for row in RANGES if row.releases.earliest <= span.latest and span.earliest <= row.releases.latest]
    covered = (
        rows
        and rows[0].releases.earliest <= span.earliest
        and span.latest <= rows[-1].releases.latest
        and all(_adjoin(lower, upper) for lower, upper in zip(rows, rows[1:]))
    )
    return [row.suites for row in rows] if covered else []


def _adjoin(lower: Range, upper: Range) -> bool:
    """Whether the upper range starts with the update that follows the last one of the lower range."""
    last = lower.releases.latest
    return upper.releases.earliest == last._replace(update=last.update + 1)


def upgrade(text: str, requirement: Requirement, old_platform: bool = False) -> Optional[Release]:
    """The nearest later release that is documented to survive a requirement; C(None) if there is none.

    Meant for an agent that may not survive it. This does not check whether an agent of this release exists for the
    computer's platform.
    """
    subject = parse(text)
    if subject is None or subject == NO_AGENT:
        return None
    start = span_of(subject).earliest
    for row in RANGES:
        first = row.releases.earliest
        if first > start and judge(str(first), requirement, old_platform).outcome == KEPT:
            return first
    return None


# Every release for which public sources name a build, the newest first.
_NAMED_RELEASES = tuple(
    sorted({build.span.earliest for build in BUILDS if build.span.earliest == build.span.latest}, reverse=True)
)


def newest_upgrade(text: str, requirement: Requirement, old_platform: bool = False) -> Optional[Release]:
    """The newest release that public sources name and that is documented to survive; C(None) if C(upgrade) returns
    C(None)."""
    nearest = upgrade(text, requirement, old_platform)
    if nearest is None:
        return None
    later = (release for release in _NAMED_RELEASES if release > nearest)
    kept = (release for release in later if judge(str(release), requirement, old_platform).outcome == KEPT)
    return next(kept, nearest)


def listed_builds(release: Release) -> List[Dict[str, Optional[str]]]:
    """The builds that public sources name for exactly this release: C(version), and C(platform) if the build is not for
    all platforms."""
    return [{"version": str(build.version), "platform": build.platform or None} for build in builds_of(release)]
