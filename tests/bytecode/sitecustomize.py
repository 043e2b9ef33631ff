# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what Python compiles anew each time, where PYTHONPATH leads here: tests/conftest.py sees to that.

A module comes to its Python as an archive of sources, and is compiled anew for each task: half of what a task takes.
Ansible itself compiles all it loads of a collection in each run. What starts, works a second and ends has little garbage.
"""

from __future__ import annotations

import gc
import sys
import zipimport

gc.set_threshold(50_000, 20, 100)

_compiled_anew = zipimport._compile_source


def _compiled(path, source):
    """The code of a source; what was compiled once, in whatever archive, is taken from a file."""
    import importlib.util
    import marshal
    import os

    folder = os.path.join(os.path.dirname(__file__), "..", "..", ".cache", "bytecode", sys.implementation.cache_tag)
    kept = os.path.join(folder, importlib.util.source_hash(source).hex())
    try:
        with open(kept, "rb") as file:
            code = marshal.loads(file.read())
    except OSError:
        code = _compiled_anew(path, source)
        try:
            os.makedirs(folder, exist_ok=True)
            fresh = f"{kept}-{os.getpid()}"
            with open(fresh, "xb") as file:
                file.write(marshal.dumps(code))
            # Whole or not at all: several processes may come here at once.
            os.replace(fresh, kept)
        except OSError:
            pass  # another user's process, which may not write here
    else:
        # Tracebacks name the archive at hand, not the one that it was compiled from.
        sys.modules["_imp"]._fix_co_filename(code, path)
    return code


zipimport._compile_source = _compiled

if any(
    word.rpartition("/")[2].startswith("ansible-") or word.endswith("/playbooks/server.py")
    for word in getattr(sys, "orig_argv", [])[1:2]
):
    from ansible.utils.collection_loader import _collection_finder

    def _compiled_for_a_collection(source, filename, **_as_always):
        return _compiled(filename, source if isinstance(source, bytes) else source.encode())

    _collection_finder.compile = _compiled_for_a_collection
