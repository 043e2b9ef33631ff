# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that write to policies and computers."""

from __future__ import annotations


class ModuleDocFragment:
    """How a run ends, and how much it tells."""

    DOCUMENTATION = r"""
options:
  stop_after:
    description:
      - After so many writes in a row that met the same answer, such as 403, 429 for minutes, 5xx or no connection, with
        no success between, nothing more is written. The task fails and says what was done, what failed and what was not
        tried; the next run goes on.
      - An API key that the manager rejects, a certificate that cannot be verified, and the end of O(deadline) stop a run
        at once.
      - V(0) never stops.
    type: int
    default: 10
  list_targets:
    description:
      - Whether the result names every target, also those that are as declared, however long that makes it.
      - Without it, groups and lists in the result are cut where they would make a line that nobody reads; RV(counts)
        and the C(count) of each group count all of them, and RV(truncated) tells that something was left out.
    type: bool
    default: false
"""
