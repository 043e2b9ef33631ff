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
      - After this many failed writes in a row with the same answer, nothing more is written. The task fails and says
        what was done, what failed and what was not tried. The next run continues.
      - The answers that count are 403, 429 for minutes, and a manager that is down (5xx, no connection, no answer in
        time, or the page or redirect of a portal instead of its answer).
      - What concerns one object alone, such as 400, 404 and 409, never stops a run. It begins the count anew, as a
        success does, since it shows that the manager works and judges each object by itself.
      - A rejected API key, a certificate that cannot be verified, and a passed O(deadline) stop a run at once.
      - With V(0), the run never stops for repeated failures.
    type: int
    default: 10
  list_targets:
    description:
      - Whether the result names every target, including those that are as declared, however long that makes it.
      - If V(false), long groups and lists in the result are cut. RV(counts) and the C(count) of each group still count
        all of them, and RV(truncated) says that something was left out.
    type: bool
    default: false
"""
