# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's hosts, for tests."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.hosts.errors import LabError, LabUnavailable
from tests.lab.hosts.host import Host, Process
from tests.lab.hosts.image import image
from tests.lab.hosts.namespaces import NAMESPACES, REAPING, UNSHARE, Command, child_of, enter, run, words
from tests.lab.hosts.network import BRIDGE, CONTROLLER_ADDRESS, Port

__all__ = ["Host", "LabError", "LabHosts", "LabUnavailable", "Process"]

# A program that the lab needs on this machine, and the Debian package that has it.
_PROGRAMS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}

# Seconds. A killed process ends at once, whatever it does.
_ENDED_WITHIN = 30.0

_SSHD_CONFIG = """\
# Hosts have no service manager for logins to be announced to, and no name server to begin with.
UsePAM no
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
SetEnv PYTHONPATH=/opt/lab/tests/bytecode
"""

# The bytecode of modules, which reach hosts as archives of sources, is kept for all hosts of all runs.
_BYTECODE = Path(__file__).resolve().parents[2] / "bytecode"
_KEPT = _BYTECODE.parents[1] / ".cache" / "bytecode"


class LabHosts:
    """Starts machines at C(__enter__), and removes everything at C(__exit__).

    Everything depends on one process, the anchor. It is the first process of a PID namespace with all others in it, it
    owns the memory of the hosts' disks, and its network namespace is the controller's. It ends when its standard input
    is closed, which the kernel does even if this process is killed.

    C(count): the number of C(hosts), where agents live; their names are host01, host02, ... C(others): the machines
    that were added. Raises C(LabUnavailable), with the reason, if this machine or this user cannot run such hosts.
    """

    controller_address = CONTROLLER_ADDRESS

    def __init__(self, count: int = 10) -> None:
        self.count = count
        self.hosts: dict[str, Host] = {}
        self.others: dict[str, Host] = {}
        self._anchor: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._control = Path()

    def __enter__(self) -> LabHosts:
        _check_machine()
        folder = image()
        # The hosts' files and services inherit this umask. On Debian, users' files are readable for others.
        self._umask = os.umask(0o022)
        self._anchor = subprocess.Popen(
            [*UNSHARE, *REAPING, "cat"],
            cwd=folder.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the keyboard must only reach this process
        )
        try:
            self._pid = child_of(self._anchor.pid)
            self._image = folder.name
            self._set_up()
            self.renew(self.count)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        """End all machines and everything that runs on them, and wait until they are gone."""
        anchor, self._anchor = self._anchor, None
        if anchor:
            anchor.stdin.close()
            anchor.wait(_ENDED_WITHIN)
            os.umask(self._umask)
            for host in self._machines():
                host.wait()

    @property
    def folder(self) -> Path:
        """A folder for files that are removed with the lab. Only root on this machine sees them."""
        return Path(f"/proc/{self._pid}/root") / "mnt"

    @property
    def inventory(self) -> Path:
        """An Ansible inventory of C(hosts)."""
        return self.folder / "inventory.json"

    @property
    def prefix(self) -> list[str]:
        """A command prefix: the command runs in the controller's network, with this machine's files and programs."""
        return enter(self._pid, "--net", "--pid")

    def run(
        self,
        command: Command,
        *,
        timeout: float = 60.0,
        check: bool = True,
        input: str | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the controller to its end, at most C(timeout) seconds; a string is a script for the shell.

        C(env) replaces this process's environment, C(cwd) its working folder.
        """
        return run([*self.prefix, *words(command)], timeout=timeout, check=check, input=input, env=env, cwd=cwd)

    def add(self, name: str) -> Host:
        """Add a machine that is not in C(inventory): for the manager, a name server, or an unrelated host."""
        if name in self.hosts or name in self.others:
            raise LabError(f"there is a machine {name} already")
        (host,) = self._make([name], len(self._machines()) + 1)
        host.power_on()
        self.others[name] = host
        self._write_files()
        return host

    def renew(self, count: int) -> None:
        """Replace all machines with C(count) new C(hosts). The controller stays as it is."""
        for host in self._machines():
            if host.powered_on:
                host.power_off()
        if folders := [f"/mnt/{host.name}" for host in self._machines()]:
            # Unmount everything in them first, because mounted data that all hosts share must not be removed.
            self._inside(["umount", "--recursive", *(f"{folder}/root" for folder in folders)])
            self._inside(["rm", "--recursive", "--one-file-system", *folders])
        self.count, self.hosts, self.others = count, {}, {}
        # Shared SSH connections lead to machines that are gone.
        self._control = Path(tempfile.mkdtemp(dir=self.folder / "control"))
        width = max(2, len(str(count)))
        names = [f"host{number:0{width}}" for number in range(1, count + 1)]
        self.hosts = dict(zip(names, self._make(names, 1), strict=True))
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(Host.power_on, self.hosts.values()))
        self._write_files()

    def _machines(self) -> list[Host]:
        return [*self.hosts.values(), *self.others.values()]

    def _inside(self, command: Command, **options: t.Any) -> None:
        run([*enter(self._pid, *NAMESPACES, "--wd"), *words(command)], **options)

    def _set_up(self) -> None:
        self._inside(["ip", "-batch", "-"], input=BRIDGE)
        # For the anchor, /mnt is memory. For all other processes, it stays unchanged.
        self._inside(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", "/mnt"])
        (self.folder / "control").mkdir(mode=0o700)
        # The files of all hosts in addition to the image.
        common = self.folder / "common"
        (common / "etc/ssh/sshd_config.d").mkdir(parents=True)
        (common / "root").mkdir(mode=0o700)
        (common / "root/.ssh").mkdir(mode=0o700)
        _make_key(self.folder / "key")
        _make_key(common / "etc/ssh/ssh_host_ed25519_key")
        shutil.copy(self.folder / "key.pub", common / "root/.ssh/authorized_keys")
        (common / "etc/ssh/sshd_config.d/lab.conf").write_text(_SSHD_CONFIG, encoding="ascii")
        (common / "etc/resolv.conf").write_text("# no name server\n", encoding="ascii")
        shutil.copytree(_BYTECODE, common / "opt/lab/tests/bytecode")
        (common / "opt/lab/.cache/bytecode").mkdir(parents=True)
        _KEPT.mkdir(parents=True, exist_ok=True)

    def _make(self, names: t.Sequence[str], number: int) -> list[Host]:
        """Machines that are powered off; C(number): the place of the first one on the bridge."""
        mounts = []
        for name in names:
            machine = self.folder / name
            for folder in ("disk/etc", "work", "root"):
                (machine / folder).mkdir(parents=True)
            (machine / "disk/etc/hostname").write_text(f"{name}\n", encoding="ascii")
            (machine / "disk/etc/hosts").write_text(
                f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
                encoding="ascii",
            )
            layers = f"lowerdir=/mnt/common:{self._image},upperdir=/mnt/{name}/disk,workdir=/mnt/{name}/work"
            root = Path("/mnt", name, "root")
            mounts.append(["mount", "-t", "overlay", "-o", layers, "overlay", str(root)])
            mounts.append(["mount", "--bind", str(_KEPT), str(root / "opt/lab/.cache/bytecode")])
        self._inside("set -e\n" + "\n".join(map(shlex.join, mounts)))
        common = f"-F none -o UserKnownHostsFile={self.folder}/known_hosts -o ControlPath={self._control}/%C"
        connection = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": f"{self.folder}/key",
            "ansible_ssh_common_args": common,
            "ansible_ssh_pipelining": "true",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return [Host(name, Port(place), connection, self._pid) for place, name in enumerate(names, number)]

    def _write_files(self) -> None:
        key = (self.folder / "common/etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii")
        known = [f"{host.name},{host.address},{host.address6} {key}" for host in self._machines()]
        (self.folder / "known_hosts").write_text("".join(known), encoding="ascii")
        variables = {name: host.connection for name, host in self.hosts.items()}
        self.inventory.write_text(json.dumps({"all": {"hosts": variables}}, indent=2), encoding="ascii")


def _check_machine() -> None:
    """Raise C(LabUnavailable) if namespaces cannot be created."""
    if os.geteuid() != 0:
        raise LabUnavailable("the lab of hosts needs root, to make namespaces")
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = {package for program, package in _PROGRAMS.items() if not shutil.which(program, path=path)}
    if missing:
        raise LabUnavailable(f"the lab of hosts needs programs of {', '.join(sorted(missing))}: install them")
    attempt = run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False)
    if attempt.returncode:
        raise LabUnavailable(f"the lab of hosts needs the rights to make namespaces: {attempt.stderr.strip()}")


def _make_key(path: Path) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)])
