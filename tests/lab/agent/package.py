# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent as a package that dpkg installs."""

from __future__ import annotations

import functools
import importlib.util
import json
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

PROGRAM = "/opt/ds_agent"
DATA = "/var/opt/ds_agent"
# The agent's commands, and the module of each.
MODULES = {"ds_agent": "daemon", "dsa_control": "commands", "dsa_query": "commands"}

# They are pure Python, so that the package works on every host.
_LIBRARIES = ("tlslite", "ecdsa", "six")
_WITHOUT = shutil.ignore_patterns("__pycache__", "test_*")


def settings(
    *,
    version: str,
    platform: str,
    machine: str,
    address: str,
    folder: str,
    time_factor: float,
    tls: t.Sequence[str] | None = None,
) -> str:
    """The text of agent.json, see C(Installed)."""
    return json.dumps(
        {
            "version": version,
            "platform": platform,
            "machine": machine,
            "address": address,
            "folder": folder,
            "time_factor": time_factor,
            "tls": tls,
        }
    )


def lay_out(program: Path) -> None:
    """The agent's program below any folder."""
    shutil.copytree(Path(__file__).with_name("ds_agent"), program / "lib" / "ds_agent", ignore=_WITHOUT)
    (program / "ds_agent.key").write_bytes(_key())


@functools.cache
def _key() -> bytes:
    """The private key of all agents from here. Each agent has its own certificate."""
    making = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    return subprocess.run(making, check=True, capture_output=True).stdout


def _add_for_hosts(program: Path) -> None:
    """Add what hosts do not have: the libraries, and commands."""
    lib = program / "lib"
    for name in _LIBRARIES:
        spec = importlib.util.find_spec(name)
        assert spec and spec.origin, f"{name} comes with tlslite-ng"
        found = Path(spec.origin)
        if found.name == "__init__.py":
            shutil.copytree(found.parent, lib / name, ignore=_WITHOUT)
        else:
            shutil.copyfile(found, lib / found.name)
    for name, module in MODULES.items():
        script = program / name
        arguments = f" {name}" if module == "commands" else ""
        script.write_text(
            f'#!/bin/sh\nPYTHONPATH={PROGRAM}/lib exec /usr/bin/python3 -m ds_agent.{module}{arguments} "$@"\n'
        )
        script.chmod(0o755)


_compiled: dict[str, bytes] = {}


def _compile(lib: Path, host: Host) -> None:
    """Add the libraries' bytecode for a host's Python. Without it, an agent takes half a second longer to start.

    The first host compiles for all of them, because they have the same Python. The bytecode depends on the sources'
    content, not on their time.
    """
    if not _compiled:
        there = host.root / "tmp" / "ds-agent-lib"
        shutil.copytree(lib, there)
        options = ["-q", "--invalidation-mode", "checked-hash", "-s", "/tmp/ds-agent-lib", "-p", f"{PROGRAM}/lib"]
        host.run(["python3", "-m", "compileall", *options, "/tmp/ds-agent-lib"])
        _compiled.update({str(path.relative_to(there)): path.read_bytes() for path in there.rglob("*.pyc")})
        shutil.rmtree(there)
    for name, content in _compiled.items():
        path = lib / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


_built: dict[str, bytes] = {}


def package(version: str, host: Host) -> bytes:
    """The package of an agent's version, for dpkg on C(host) and on every other host."""
    if version not in _built:
        _built[version] = _build(version, host)
    return _built[version]


def _build(version: str, host: Host) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lab-agent-") as folder:
        tree = Path(folder) / "tree"
        program, control = tree / PROGRAM.lstrip("/"), tree / "DEBIAN" / "control"
        for made in (program, control.parent, tree / DATA.lstrip("/")):
            made.mkdir(parents=True)
        lay_out(program)
        _add_for_hosts(program)
        _compile(program / "lib", host)
        control.write_text(
            "Package: ds-agent\n"
            f"Version: {'-'.join(version.rsplit('.', 1))}\n"
            "Architecture: all\n"
            "Maintainer: the lab <lab@example.com>\n"
            "Depends: python3, openssl, nftables\n"
            "Description: stand-in for Deep Security Agent\n"
        )
        built = Path(folder) / "ds-agent.deb"
        # An agent of another version may be running. The new one takes over its port and its state.
        stop = control.with_name("preinst")
        stop.write_text(f"#!/bin/sh\n[ ! -x {PROGRAM}/dsa_control ] || {PROGRAM}/dsa_control --stop || true\n")
        stop.chmod(0o755)
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(built)],
            check=True,
            capture_output=True,
        )
        return built.read_bytes()
