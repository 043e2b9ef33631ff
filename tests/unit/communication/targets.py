# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets for the subjects of steps."""

from __future__ import annotations

import typing as t

from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import Subject
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import (
    NO_RULES,
    Computer,
    Policy,
    Target,
)


def target_of(subject: Subject) -> Target:
    """The policy or computer that steps with this subject are for."""
    assert subject.id is not None
    if subject.type == "policy":
        return Policy(subject.id, subject.name, None, {}, NO_RULES)
    return Computer({"ID": subject.id, "hostName": subject.name})


def targets_of(subjects: t.Iterable[Subject]) -> list[Target]:
    """The targets of those subjects that are policies or computers."""
    return [target_of(subject) for subject in subjects if subject.type in ("policy", "computer")]
