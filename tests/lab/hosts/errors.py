# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with the lab's hosts."""

from __future__ import annotations


class LabError(Exception):
    """The lab of hosts does not start, or is asked for what it cannot do."""


class LabUnavailable(LabError):
    """This machine or this user cannot have a lab of hosts; the text says what is missing."""
