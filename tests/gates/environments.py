#!/usr/bin/env python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments that the tests run in, made from the Pythons that the machine has.

    python3 tests/gates/environments.py [NAME ...]

makes the named ones (without names, all of them) in .venv/, and says which ones cannot be made here, and why:

newest   the newest supported ansible-core with the tests' libraries
oldest   the same with the oldest supported ansible-core
lowest   that core with the lowest versions of the libraries that users may have
tools    linters, documentation and packaging tools
main     a link to newest, or to oldest on a machine without a Python that is new enough

An environment is only made again if its requirement files or its interpreter change.
This uses only the standard library, and nothing newer than Python 3.8, because it runs before anything is installed.
"""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".venv"
COLLECTIONS = ROOT / ".cache" / "collections"
# If this is on PYTHONPATH, the code that Ansible loads and sends is only compiled once for all tests.
BYTECODE = str(ROOT / "tests" / "bytecode")

Version = Tuple[int, int]
Interpreters = Dict[Version, Path]

# The Python versions that the packages of each environment support, best first.
SUITABLE: Dict[str, List[Version]] = {
    "newest": [(3, 14), (3, 13), (3, 12)],
    "oldest": [(3, 11), (3, 12), (3, 13)],
    "lowest": [(3, 11), (3, 12), (3, 13)],
    "tools": [(3, 13), (3, 12), (3, 14), (3, 11)],
}

# The environments with a library that must be compiled, from requirements/kerberos.txt.
WITH_KERBEROS = ("newest", "oldest")

# The locks: each requirements/NAME.txt pins all packages with their hashes. make lock writes it from NAME.in.
LOCKS = (*SUITABLE, "build", "kerberos")

# Programs that some tests need, and the Debian package of each.
PROGRAMS = {
    "cc": "gcc",
    "chromium": "chromium",
    "gnutls-serv": "gnutls-bin",
    "gpg": "gnupg",
    "ip": "iproute2",
    "krb5-config": "libkrb5-dev",
    "mmdebstrap": "mmdebstrap",
    "openssl": "openssl",
    "rpmbuild": "rpm",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "tinyproxy": "tinyproxy",
}


class Unavailable(Exception):
    """An environment cannot be made on this machine. The text says what is missing."""


def find_interpreters() -> Interpreters:
    """Every CPython 3 of this machine, by version: the running one is preferred, then pyenv's, then those on PATH.

    The paths are those of the real interpreters, because a virtual environment that is made from another one depends on
    that one.
    """
    found: Interpreters = {}
    # Several names of one are started once.
    for candidate in {os.path.realpath(candidate): candidate for candidate in _candidates()}.values():
        report = subprocess.run(
            [
                str(candidate),
                "-c",
                "import json, platform, sys; print(json.dumps([platform.python_implementation(), *sys.version_info[:2],"
                " getattr(sys, '_base_executable', sys.executable)]))",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if report.returncode:
            continue  # for example a program that only starts other interpreters, and has none
        implementation, major, minor, executable = json.loads(report.stdout)
        if implementation == "CPython":
            found.setdefault((major, minor), Path(os.path.realpath(executable)))
    return found


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob("versions/3.*/bin/python"))
    # Without pyenv's shims: each takes longer than all of the above to start one of these, or nothing.
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if Path(folder) != pyenv / "shims")
    for name in (*(f"python3.{minor}" for minor in range(14, 7, -1)), "python3", "python"):
        found = shutil.which(name, path=path)
        if found:
            yield Path(found)


def python_of(name: str) -> Path:
    """The interpreter inside the environment C(name)."""
    return ENVIRONMENTS / name / "bin" / "python"


def make(names: Optional[List[str]] = None) -> Dict[str, str]:
    """Make the environments C(names) (all, if None) and the link C(main), two at a time.

    Returns the reason for each environment that cannot be made here. Exits if an installation fails, or if no
    environment with ansible-core can be made at all.
    """
    link_collection()
    install_programs()
    interpreters = find_interpreters()
    missing: Dict[str, str] = {}
    wanted = list(SUITABLE) if names is None else [name for name in names if name != "main"]
    if names is not None and "main" in names:
        wanted.append("newest" if _suitable("newest", interpreters) else "oldest")

    def attempt(name: str) -> None:
        try:
            _make_one(name, interpreters)
        except Unavailable as reason:
            missing[name] = str(reason)

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(attempt, collections.OrderedDict.fromkeys(wanted)))
    _link_main(missing)
    return missing


def _suitable(name: str, interpreters: Interpreters) -> Optional[Path]:
    return next((interpreters[version] for version in SUITABLE[name] if version in interpreters), None)


def _make_one(name: str, interpreters: Interpreters) -> None:
    interpreter = _suitable(name, interpreters)
    if interpreter is None:
        wanted = ", ".join(f"{major}.{minor}" for major, minor in sorted(SUITABLE[name]))
        present = ", ".join(f"{major}.{minor}" for major, minor in sorted(interpreters))
        raise Unavailable(f"it takes Python {wanted}; this machine has {present or 'none'}")
    folder = ENVIRONMENTS / name
    stamp = folder / ".made-from"
    recipe = _recipe(name, interpreter)
    if stamp.exists() and stamp.read_text() == recipe:
        return
    print(f"Making .venv/{name} with {interpreter}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _ensure_venv(interpreter)
    commands = [[str(interpreter), "-m", "venv", str(folder)]]
    # The packages that build other packages come first, with a separate command.
    commands += [_install(name, lock) for lock in ("build", name)]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"Could not make .venv/{name}: {' '.join(command)} failed, with the reason above.")
    if name in WITH_KERBEROS:
        _install_kerberos(name)
    stamp.write_text(recipe)


def _install(name: str, lock: str) -> List[str]:
    """The command that installs exactly the packages in C(lock), and refuses files with other hashes."""
    command = [str(python_of(name)), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--no-build-isolation"]
    return [*command, "-r", str(ROOT / "requirements" / f"{lock}.txt")]


def _install_kerberos(name: str) -> None:
    """Compile it without optimization, because speed does not matter here. Without a compiler, it is left out."""
    environment = dict(os.environ, CFLAGS="-O0 -g0")
    if subprocess.run(_install(name, "kerberos"), env=environment, check=False).returncode:
        print(f"No gssapi in .venv/{name}, for the reason above: what needs it is not tested", file=sys.stderr)


def _recipe(name: str, interpreter: Path) -> str:
    """What the environment is made from. If this text changes, the environment must be made again."""
    digest = hashlib.sha256()
    for lock in (name, "build", *(["kerberos"] if name in WITH_KERBEROS else [])):
        digest.update((ROOT / "requirements" / f"{lock}.txt").read_bytes())
    return f"{interpreter} {digest.hexdigest()}\n"


def _ensure_venv(interpreter: Path) -> None:
    """Install what C(python -m venv) needs, if it is missing. Debian has a separate package for it."""
    probe = [str(interpreter), "-c", "import ensurepip, venv; ensurepip.version()"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return
    package = f"{interpreter.name}-venv"
    if not _install_from_debian(package):
        raise Unavailable(f"{interpreter} cannot make virtual environments: install the package {package}")


def install_programs() -> None:
    """Install the programs that some tests need, if this is allowed. Otherwise, those tests say what is missing."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    for program, package in PROGRAMS.items():
        if not shutil.which(program, path=path):
            _install_from_debian(package)


def _install_from_debian(package: str) -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"Installing Debian's package {package}", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package]
    for command in (install, ["apt-get", "update", "--quiet"], install):
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0
        if done and command is install:
            return True
    return False


def _link_main(missing: Dict[str, str]) -> None:
    target = next((name for name in ("newest", "oldest") if (ENVIRONMENTS / name / ".made-from").exists()), None)
    if target is None:
        raise SystemExit("".join(f"No environment {name}: {reason}\n" for name, reason in missing.items()))
    link = ENVIRONMENTS / "main"
    if not link.is_symlink() or os.readlink(link) != target:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)


def link_collection() -> Path:
    """Create a link to this checkout where Python and Ansible look for the collection. Returns the folder to search."""
    link = COLLECTIONS / "ansible_collections" / "workload_security" / "agent"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.resolve() != ROOT:
        # Several processes of one test run may do this at once, so the link is replaced in one step.
        fresh = link.with_name(f".{link.name}-{os.getpid()}")
        fresh.symlink_to(ROOT, target_is_directory=True)
        fresh.replace(link)
    return COLLECTIONS


def main() -> None:
    """Make the environments that the command line names, and say which could not be made."""
    for name, reason in make(sys.argv[1:] or None).items():
        print(f"No environment {name}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
