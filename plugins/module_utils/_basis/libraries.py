# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python libraries that a task needs: all missing ones are reported at once."""

from __future__ import annotations

import importlib
from typing import Mapping, Optional

from .errors import MissingLibrary


def import_problem(name: str) -> Optional[str]:
    """Why a Python module cannot be imported, or C(None) if it can be."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a broken or incompatible installation can raise anything
        return f"{type(error).__name__}: {error}"
    return None


def require(problems: Mapping[str, Optional[str]]) -> None:
    """Raise C(MissingLibrary) for all libraries that have a problem. The keys are pip's names."""
    missing = {library: problem for library, problem in problems.items() if problem}
    if missing:
        raise MissingLibrary(", ".join(missing), "; ".join(missing.values()))
