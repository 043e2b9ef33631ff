# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agent versions and release names: read in every known spelling, and put in order.

An agent says C(10.0.0.3186), a package C(10.0.0-3186.el7), a person C(10.0 Update 16). The first two are a C(Version),
the last is a C(Release). Only C(releases) knows which release a version belongs to.
"""

from __future__ import annotations

import datetime
import functools
import re
from typing import NamedTuple, Optional, Tuple, Union

# Longer text cannot be a version. The limit also keeps the patterns below cheap for hostile input.
LONGEST = 200

_PRODUCT = (
    r"(?:(?:(?:trend micro )?deep security agent|ds[ _-]?agent|dsa|agent(?:-core)?-[a-z][a-z0-9_.]*)"
    r"[ _=-]+(?:version )?)?"
)
_VERSION = re.compile(
    _PRODUCT + r"([0-9]{1,5})\.([0-9]{1,5})\.([0-9]{1,5})[.-]([0-9]{1,9})(?:[._+~-][a-z][a-z0-9._+~-]*)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBERS = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5}){0,2}", re.ASCII)
# Limited, so that a long run of separators cannot be split in many ways.
_GAP = "[ _-]{0,3}"
_RELEASE = (
    _PRODUCT + r"([0-9]{1,3})(?:\.([0-9]{1,3}))?"
    rf"(?:{_GAP}(?:LTS|FR))?(?:{_GAP}(?:GA|GM|feature{_GAP}release))?"
    rf"(?:{_GAP}(?:service{_GAP}pack|SP){_GAP}([0-9]{{1,4}}))?"
    rf"(?:{_GAP}(?:patch|P){_GAP}([0-9]{{1,4}}))?"
    rf"(?:{_GAP}(?:LTS|FR)?{_GAP}(?:update|U)?{_GAP}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
    rf"|{_GAP}(?:update|U){_GAP}([0-9]{{1,4}}))?"
)


class Version(NamedTuple):
    """An agent's number, C(major.minor.third-build). Versions of one release line sort by age, except macOS 20."""

    major: int
    minor: int
    third: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.third}.{self.build}"

    @property
    def line(self) -> str:
        """The release line as the vendor writes it: C(9.6), C(10.0), C(20)."""
        return _line(self.major, self.minor)


class Release(NamedTuple):
    """A release as the vendor names it. Releases sort by age. A part that the name does not have is 0 or empty.

    C(date) is the ISO date that names an update of 20 LTS or a feature release of 12.5.
    """

    major: int
    minor: int
    service_pack: int = 0
    patch: int = 0
    update: int = 0
    date: str = ""

    def __str__(self) -> str:
        words = []
        if self.service_pack:
            words.append(f"SP{self.service_pack}")
        if self.patch:
            words.append(f"Patch {self.patch}")
        if self.update:
            words.append(f"Update {self.update}")
        if self.date:
            words.append(f"{'FR' if self.is_feature else 'LTS Update' if self.major >= 20 else 'Update'} {self.date}")
        if not words:
            words.append("feature release" if self.is_feature else "GA")
        return f"{self.line} {' '.join(words)}"

    @property
    def line(self) -> str:
        """The release line as the vendor writes it: C(9.6), C(10.0), C(20)."""
        return _line(self.major, self.minor)

    @property
    def is_feature(self) -> bool:
        """Whether this is one of the feature releases between 10.0 and 20."""
        return 10 <= self.major <= 12 and self.minor > 0


# The version that the manager shows for a computer without an agent.
NO_AGENT = Version(0, 0, 0, 0)


def parse(text: object) -> Optional[Union[Version, Release]]:
    """Read a version or a release name in any known spelling.

    Numbers with four parts are versions, whatever package name comes before and whatever platform comes after. A number
    with three parts is a manager's version, or an agent's version without its build, and is not enough. The result is
    then C(None), as for any other text that is neither a version nor a release.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    text = text.strip()
    match = _VERSION.fullmatch(text)
    if match:
        return Version(*(int(part) for part in match.groups()))
    # Compiled only when the first release name is read: compiling takes 1 ms, and most tasks read none.
    match = re.fullmatch(_RELEASE, text, re.IGNORECASE | re.ASCII)
    if not match or not _is_date(match.group(5)):
        return None
    major, minor, service_pack, patch, date, update = match.groups()
    return Release(int(major), int(minor or 0), int(service_pack or 0), int(patch or 0), int(update or 0), date or "")


@functools.lru_cache(maxsize=65536)
def numbers(text: str) -> Optional[Tuple[int, int, int, int]]:
    """A version as four numbers that compare as versions do, from any spelling that C(parse) reads; C(None) for other
    text.

    One to three numbers alone, such as C(20) or C(20.0.1), are filled up with zeros. All zeros are not a version:
    managers show them for a computer without an agent.
    """
    subject = parse(text)
    if isinstance(subject, Version):
        found = tuple(subject)
    elif len(text) <= LONGEST and _NUMBERS.fullmatch(text.strip()):
        parts = [int(part) for part in text.strip().split(".")]
        found = (*parts, *[0] * (4 - len(parts)))
    else:
        return None
    major, minor, third, build = found
    return (major, minor, third, build) if any(found) else None


def known_version(text: str) -> Version:
    """A version from one of our own tables. Raises C(ValueError) if the text is not a version."""
    subject = parse(text)
    if not isinstance(subject, Version):
        raise ValueError(f"{text!r} is not a version")
    return subject


def known_release(text: str) -> Release:
    """A release from one of our own tables. Raises C(ValueError) if the text is not a release."""
    subject = parse(text)
    if not isinstance(subject, Release):
        raise ValueError(f"{text!r} is not a release")
    return subject


def _is_date(text: Optional[str]) -> bool:
    try:
        return text is None or bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _line(major: int, minor: int) -> str:
    return f"{major}" if major >= 20 and minor == 0 else f"{major}.{minor}"
