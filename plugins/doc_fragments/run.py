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
      - The answers that count are 403, 429 that lasts for minutes, and a manager that is down (5xx, no connection, no
        answer in time, or the page or redirect of a portal instead of an answer).
      - An answer about a single object, such as 400, 404 and 409, never stops a run. Like a success, it resets the
        count, because it shows that the manager works and decides on each object separately.
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

    SLICE = r"""
options:
  slice:
    description:
      - Carry out one of several slices of the plan. With it, several tasks share the work, on one machine or on
        several, one after the other or at the same time. Give all of them the same other options.
      - Policies are in slice 1. A computer is in the slice whose number is the remainder of its ID divided by
        O(slice.of), plus 1. What a step needs, such as a rule, is in the same slice. What several slices need is
        created only once.
      - Each slice keeps to its part of O(requests_per_minute), and reads as much as a task without slices.
      - Some steps must wait for computers of all slices, which are deletions of rules and lists that are no longer in
        use, and changes to policies that must come after the restriction of computers below them. When all slices are
        done, run a task without O(slice) for these steps. RV(later) counts them.
      - The numbers in RV(counts) of all slices add up to those of a task without slices, and RV(digest) is that of the
        slice.
    type: dict
    suboptions:
      number:
        description:
          - Which slice, from V(1) to O(slice.of).
        type: int
        required: true
      of:
        description:
          - How many slices there are, from V(1) to V(100).
        type: int
        required: true
"""
