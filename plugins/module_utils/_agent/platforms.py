# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Families of platforms, found from the text that a manager shows as a computer's platform. Nothing is guessed."""

from __future__ import annotations

import functools
import re

LINUX = "linux"
WINDOWS = "windows"
MACOS = "macos"
SOLARIS = "solaris"
AIX = "aix"
OTHER = "other"

FAMILIES = (LINUX, WINDOWS, MACOS, SOLARIS, AIX, OTHER)

# Words that start, or are part of, the names that managers have for a family's platforms (source: the vendor's SDK,
# agent_version_control, and the platforms that agents on macOS report). Linux platforms without the word "Linux" in
# their name are listed.
_WORDS = (
    (MACOS, re.compile(r"mac *os|darwin", re.IGNORECASE | re.ASCII)),
    (WINDOWS, re.compile(r"\bwindows\b", re.IGNORECASE | re.ASCII)),
    (SOLARIS, re.compile(r"\bsolaris\b", re.IGNORECASE | re.ASCII)),
    (AIX, re.compile(r"\baix\b", re.IGNORECASE | re.ASCII)),
    (
        LINUX,
        re.compile(r"linux|^(?:red hat|centos|debian|ubuntu|suse|rocky)\b", re.IGNORECASE | re.ASCII),
    ),
)
# Appliances run their own operating system, whatever it is called.
_APPLIANCE = re.compile("appliance", re.IGNORECASE | re.ASCII)


def is_appliance(platform: str) -> bool:
    """Whether a platform is a virtual appliance."""
    return _APPLIANCE.search(platform) is not None


def is_macos(platform: str) -> bool:
    """Whether a platform is macOS; managers spell it C(macOS), C(Mac OS X) and C(Apple macOS)."""
    return family(platform) == MACOS


@functools.lru_cache(maxsize=4096)
def family(platform: str) -> str:
    """The family of a platform as a manager writes it, one of C(FAMILIES); C(other) if it is not known."""
    if is_appliance(platform):
        return OTHER
    return next((name for name, words in _WORDS if words.search(platform)), OTHER)
