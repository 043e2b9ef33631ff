# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps bytecode that Python would compile again each time. tests/conftest.py adds this folder to PYTHONPATH.

A module comes to its Python as an archive of sources, and is compiled again for each task, which is half of a task's
time. Ansible itself compiles everything that it loads from a collection in each run. Garbage is collected less often,
because processes that only run for a second have little of it.
"""

from __future__ import annotations

import gc
import sys
import zipimport

gc.set_threshold(50_000, 20, 100)

_compiled_anew = zipimport._compile_source


def _compiled(path, source):
    """The code of a source. If it was compiled before, in any archive, it is taken from a file."""
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
            # The file must appear as a whole, because several processes may do this at once.
            os.replace(fresh, kept)
        except OSError:
            pass  # another user's process, which may not write here
    else:
        # Tracebacks must name this archive, not the one that the code was compiled from.
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
