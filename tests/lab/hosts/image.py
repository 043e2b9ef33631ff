# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk that all hosts start with: a Debian with everything that agents, name servers and Ansible need."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.hosts.errors import LabError, LabUnavailable

# The folder for images, one for each recipe.
FOLDER = Path(__file__).resolve().parents[3] / ".cache" / "lab"

PACKAGES = (
    "bind9",
    "bind9-dnsutils",
    "ca-certificates",
    "curl",
    "dnsmasq",
    "faketime",
    "iproute2",
    "iputils-ping",
    "krb5-admin-server",
    "krb5-kdc",
    "krb5-user",
    "ncat",
    "nftables",
    "openssh-server",
    "openssl",
    "procps",
    "python3",
    "samba",
    "samba-ad-provision",
    "samba-dsdb-modules",
    "samba-vfs-modules",
    "unbound",
    "winbind",
)

# Mounts and processes of the packages' scripts stay in these namespaces, and end with this process.
_APART = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


def image() -> Path:
    """The folder with the image, which must not be changed. The first call creates it, which takes half a minute.

    Raises C(LabError) if it cannot be made.
    """
    suite = _suite()
    recipe = " ".join((suite, platform.machine(), *PACKAGES))
    root = FOLDER / f"root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _make(suite, root, lock.fileno())
    return root


def _suite() -> str:
    """The machine's own release of Debian, whose signing keys it has; on other systems, a supported release."""
    system = platform.freedesktop_os_release()
    return system["VERSION_CODENAME"] if system["ID"] == "debian" else "bookworm"


def _make(suite: str, root: Path, lock: int) -> None:
    if not shutil.which("mmdebstrap"):
        raise LabUnavailable("mmdebstrap is needed to make the lab's disk image: install the package mmdebstrap")
    print(f"Making the lab's disk image, Debian {suite}, in {root}", file=sys.stderr, flush=True)
    partial = FOLDER / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(
        [
            *_APART,
            *("mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase"),
            "--aptopt=APT::Install-Recommends false",
            f"--include={','.join(PACKAGES)}",
            # Each lab creates its own keys.
            '--customize-hook=rm --force "$1"/etc/ssh/ssh_host_*',
            *(suite, str(partial), *_mirror(suite)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        # If this process is killed, no other one begins before the last of these processes has ended.
        pass_fds=(lock,),
    )
    if done.returncode:
        raise LabError(f"mmdebstrap could not make the lab's disk image:\n{done.stderr}")
    partial.rename(root)


def _mirror(suite: str) -> list[str]:
    """The source of this machine's own packages; empty if unknown, which means mmdebstrap's default."""
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {suite}"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return [uri for uri in listing.stdout.splitlines() if "://" in uri][:1]
