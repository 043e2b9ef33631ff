# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release an agent's version belongs to, and how certain that is.

Version numbers do not contain the update. Only the build tells it, by the table in C(builds). A build that no source
names is between two builds that are named, so there is always an earliest and a latest release that a version can be.
"""

from __future__ import annotations

import functools
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from . import builds
from .builds import CONFIRMED, INFERRED, LIKELY, UNKNOWN
from .versions import NO_AGENT, Release, Version, known_release, known_version, parse

# From the best to the weakest.
CERTAINTIES = (CONFIRMED, LIKELY, INFERRED)

# Greater than every number that C(parse) returns, so it marks the end of a line of releases or a counter of builds.
LAST = 10**9

_LATER = " or a later update"
_BEFORE = " or before"

# Why nothing is known about a text.
NEITHER = "This is neither the version of an agent, which has four parts, nor the name of a release."
WITHOUT_AGENT = "0.0.0.0 stands for a computer without an agent."


class Span(NamedTuple):
    """The earliest and the latest release that something can be. Both are the same if the release is known exactly."""

    earliest: Release
    latest: Release


class Build(NamedTuple):
    """One row of the table of builds; C(date) is ISO, and an empty text means that no source says it."""

    version: Version
    release: str
    certainty: str
    date: str
    platform: str
    source: str
    span: Span


class _Counter(NamedTuple):
    """Builds that were numbered by one counter, from the first to the last, and the releases that they can be."""

    first: Version
    last: Version
    span: Span
    certainty: str


def end_of_line(major: int, minor: int) -> Release:
    """A release that sorts after every release of this line."""
    return Release(major, minor, LAST)


def release_span(text: str) -> Span:
    """Read the release of a row: a name, C(A to B), C(A or a later update), or C(A or before).

    Anything before a general availability has no name, and counts as the general availability.
    """
    if text.endswith(_LATER):
        earliest = known_release(text[: -len(_LATER)])
        return Span(earliest, end_of_line(earliest.major, earliest.minor))
    if text.endswith(_BEFORE):
        text = text[: -len(_BEFORE)]
    names = text.split(" to ")
    return Span(known_release(names[0]), known_release(names[-1]))


def _counter(first: str, last: str, releases: str, certainty: str) -> _Counter:
    last_version = known_version(last.replace("*", "0"))
    if last.endswith("*"):
        last_version = last_version._replace(build=LAST)
    return _Counter(known_version(first), last_version, release_span(releases), certainty)


BUILDS = tuple(
    Build(known_version(version), release, certainty, date, platform, source, release_span(release))
    for version, release, certainty, date, platform, source in builds.ROWS
)
_BY_VERSION = {build.version: build for build in BUILDS}
LINES = frozenset(build.version[:2] for build in BUILDS)

# Lines where the third part of the number tells service packs and patches apart, or where a platform has its own
# numbers. Every other line is one counter.
_COUNTERS = (
    _counter("9.5.2.0", "9.5.2.*", "9.5 GA to 9.5 Patch 1", INFERRED),
    _counter("9.5.3.0", "9.5.3.*", "9.5 SP1 or a later update", CONFIRMED),
    _counter("9.6.1.0", "9.6.1.*", "9.6 GA to 9.6 Patch 1", LIKELY),
    _counter("9.6.2.0", "9.6.2.*", "9.6 Patch 2 or a later update", LIKELY),
    # macOS: the listed builds, and around them numbers that may be a build of macOS or a build older than 20 GA.
    _counter("20.0.0.0", "20.0.0.157", "20 GA or a later update", CONFIRMED),
    _counter("20.0.0.158", "20.0.0.243", "20 GA or a later update", CONFIRMED),
    _counter("20.0.0.244", "20.0.0.876", "20 GA or a later update", CONFIRMED),
    _counter("20.0.0.877", "20.0.99999.*", "20 GA or a later update", CONFIRMED),
)


def at_least(certainty: str, wanted: str) -> bool:
    """Whether a certainty is as good as the wanted one, which is confirmed, likely or inferred."""
    return certainty in CERTAINTIES[: CERTAINTIES.index(wanted) + 1]


def _counter_of(version: Version, certainty: str) -> _Counter:
    for counter in _COUNTERS:
        if counter.first <= version <= counter.last and at_least(counter.certainty, certainty):
            return counter
    line = Span(Release(version.major, version.minor), end_of_line(version.major, version.minor))
    return _Counter(version._replace(third=0, build=0), version._replace(third=LAST, build=LAST), line, CONFIRMED)


@functools.lru_cache(maxsize=4096)
def span_of(subject: Union[Version, Release], certainty: str = INFERRED) -> Span:
    """The releases that a version can be, by the rows that have at least this certainty.

    A build is no older than the builds counted before it and no newer than those counted after it. For a release, the
    result is that release.
    """
    if isinstance(subject, Release):
        return Span(subject, subject)
    counter = _counter_of(subject, certainty)
    earliest, latest = counter.span
    for build in BUILDS:
        if counter.first <= build.version <= counter.last and at_least(build.certainty, certainty):
            if build.version <= subject:
                earliest = max(earliest, build.span.earliest)
            if build.version >= subject:
                latest = min(latest, build.span.latest)
    return Span(earliest, latest)


def is_older(text: object, than: object, certainty: str = INFERRED) -> Optional[bool]:
    """Whether one version or release came out before the other; C(None) if this cannot be known.

    Builds of one counter are compared by their numbers, everything else by the releases that it can be, using only what
    is known with at least this certainty.
    """
    left, right = parse(text), parse(than)
    if left is None or right is None or NO_AGENT in (left, right):
        return None
    if isinstance(left, Version) and isinstance(right, Version):
        counter = _counter_of(left, certainty)
        if counter.first <= right <= counter.last:
            return left < right
    one, other = span_of(left, certainty), span_of(right, certainty)
    if one.latest < other.earliest:
        return True
    return False if one.earliest >= other.latest else None


def describe(text: object) -> Dict[str, object]:
    """Say what is known about a version or a release name. Any text gets an answer, and no answer is a guess.

    The result has C(version) and C(release) (as the vendor writes them, or C(None)), C(release_line), C(certainty)
    (confirmed, likely, inferred or unknown) of the link between the two, C(date), C(platform) and C(source) of the
    build, C(builds) (versions that are listed under this release), C(neighbors) (the listed builds around one that is
    not listed: C(version), C(release), C(certainty)) and C(reason), a sentence.
    """
    subject = parse(text)
    if subject is None or subject == NO_AGENT:
        return _description(reason=WITHOUT_AGENT if subject else NEITHER)
    if isinstance(subject, Version):
        return _describe_version(subject)
    return _describe_release(subject)


def _describe_version(version: Version) -> Dict[str, object]:
    known: Dict[str, object] = dict(version=str(version), release_line=version.line)
    build = _BY_VERSION.get(version)
    if build:
        return _description(
            release=build.release,
            certainty=build.certainty,
            date=build.date or None,
            platform=build.platform or None,
            source=build.source,
            builds=[str(other.version) for other in BUILDS if other.release == build.release],
            reason=f"{version} is {build.release} ({build.certainty}: {build.source}).",
            **known,
        )
    neighbors = _neighbors(version)
    if not neighbors:
        return _description(reason=f"No public source names a build of release line {version.line}.", **known)
    around = ", ".join(f"{build.version} is {build.release}" for build in neighbors)
    return _description(
        neighbors=[
            dict(version=str(build.version), release=build.release, certainty=build.certainty) for build in neighbors
        ],
        reason=f"No public source names build {version}; of the nearest that are named, {around}.",
        **known,
    )


def _describe_release(release: Release) -> Dict[str, object]:
    named = builds_of(release)
    if not named:
        return _description(
            release=str(release),
            release_line=release.line,
            reason=f"No public source ties a build to exactly {release}.",
        )
    # The release has the best certainty of its builds; each build has its own.
    best = min((build.certainty for build in named), key=CERTAINTIES.index)
    versions = [str(build.version) for build in named]
    return _description(
        release=str(release),
        release_line=release.line,
        certainty=best,
        date=next((build.date for build in named if build.date), None),
        builds=versions,
        reason=f"{release} is listed as {', '.join(versions)} ({best}).",
    )


def builds_of(release: Release) -> List[Build]:
    """The builds that public sources name for exactly this release."""
    return [build for build in BUILDS if build.release == str(release)]


def _neighbors(version: Version) -> List[Build]:
    line = [build for build in BUILDS if build.version[:2] == version[:2]]
    below = [build for build in line if build.version < version][-1:]
    above = [build for build in line if build.version > version][:1]
    return below + above


def _description(**known: object) -> Dict[str, object]:
    unknown: Tuple[Tuple[str, object], ...] = (
        ("version", None),
        ("release", None),
        ("release_line", None),
        ("certainty", UNKNOWN),
        ("date", None),
        ("platform", None),
        ("source", None),
        ("builds", []),
        ("neighbors", []),
        ("reason", ""),
    )
    return {**dict(unknown), **known}
