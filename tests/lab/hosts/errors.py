# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of the lab's hosts."""

from __future__ import annotations


class LabError(Exception):
    """The lab of hosts does not start, or cannot do what was requested."""


class LabUnavailable(LabError):
    """This machine or this user cannot run a lab of hosts. The text says what is missing."""
