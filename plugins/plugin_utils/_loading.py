# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets the files of this collection be loaded quickly."""

from __future__ import annotations

import functools
import gc
import sys
import typing as t
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader

from ansible.utils.collection_loader import AnsibleCollectionConfig

# The package of all plugins, with a dot.
_PLUGINS = __name__.rpartition(".plugin_utils.")[0] + "."


class _Bytecode:
    """Finds this collection's modules like any Python module, so that Python keeps bytecode beside each file.

    Ansible's own finder compiles each file again in each run, which takes more than half of the time to import a task.
    If this finder finds nothing, Ansible's own is asked as usual.
    """

    @staticmethod
    def find_spec(name: str, path: t.Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """The spec of the module C(name), if it is a file below plugins/. C(path): the path of its package."""
        del target
        if name.startswith(_PLUGINS):
            for folder in path or ():
                spec = _finder(folder).find_spec(name)
                if spec and spec.loader:
                    return spec
        return None


@functools.lru_cache(maxsize=None)
def _finder(folder: str) -> FileFinder:
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))


def load_quickly() -> None:
    """Make all later imports faster: compile files only once, not again in each run, and search less for garbage."""
    # What Ansible has loaded so far lasts as long as it does. Otherwise, it would be searched for garbage while our files
    # are imported, and again in the process of each task, which takes longer than all imports.
    gc.freeze()
    finders = sys.meta_path
    ansible = AnsibleCollectionConfig.collection_finder
    if ansible in finders and _Bytecode not in finders:
        finders.insert(finders.index(ansible), t.cast(t.Any, _Bytecode))
