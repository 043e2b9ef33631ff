# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(sitecustomize) of the environments in which C(ansible-test sanity) runs its tests: see sanity_runner.py.

Its test import loads each file of a collection with all its imports from sources, again for each file. So it would
compile most of them a hundred times. No garbage is collected, because its linters keep all that they have read: it
takes pylint, the largest of them, less than 300 MB, and a sixth less time.
"""

from __future__ import annotations
import __future__

import builtins
import dataclasses
import gc
import sys

gc.disable()

_compile = builtins.compile
_compiled: dict = {}
# The flags with which a caller's own "from __future__ import ..." affects what it compiles.
_INHERITED = 0
for _name in __future__.all_feature_names:
    _INHERITED |= getattr(__future__, _name).compiler_flag


def _compile_once(source, filename, mode, flags=0, dont_inherit=False, *others, **options):
    if not dont_inherit:
        flags |= sys._getframe(1).f_code.co_flags & _INHERITED
    # Only calls like those of the loader of collections use what was compiled before.
    if flags or others or options or not dont_inherit:
        return _compile(source, filename, mode, flags, True, *others, **options)
    key = (source, filename, mode)
    if key not in _compiled:
        _compiled[key] = _compile(source, filename, mode, flags, True)
    return _compiled[key]


def _exec_compiled(source, *namespaces):
    key = (source, "<string>", "exec")
    if key not in _compiled:
        _compiled[key] = _compile(*key, 0, True)
    exec(_compiled[key], *namespaces)


builtins.compile = _compile_once
# dataclasses calls it with the source of each method of each class, whenever their file is loaded again.
dataclasses.exec = _exec_compiled
