# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of name servers on this host: how to find them, and how to make them read their files again."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import stat
import sys
from typing import Iterator, List, Sequence, Set, Union

from .._basis.files import has_access_list, read_whole
from .._basis.text import shown
from .errors import DnsError
from .programs import run

# Bytes of a PID file, and of a table of sockets.
_LONGEST_NUMBER = 100
_LONGEST_TABLE = 64 * 1024 * 1024

# Capabilities of Linux, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, with which modes do not count.
_READS_ALL = 0b110

# All name servers answer UDP.
_TABLES = ("/proc/net/udp", "/proc/net/udp6")

# Commands that make service managers reload a service.
_RELOADS = (("systemctl", "--no-ask-password", "reload", "{}.service"), ("rc-service", "{}", "reload"))


def hang_up(names: Sequence[str], pid_files: Sequence[str], address: str, port: int, advice: str) -> None:
    """Make a server, whose process has one of these names, read its files again.

    Its process is the one in a PID file, or the one that listens at the address and port. If there is none that this
    user may signal, the service manager is asked. Raises C(DnsError), with the C(advice), if all of that fails.
    """
    for pid in [*_named_by(pid_files), *listening_at(address, port, names)]:
        # After a crash, another process may have got the number, and this signal ends many programs.
        if name_of(pid) in names:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGHUP)
                return
    for name in names:
        for command in _RELOADS:
            # Some hosts do not have this service manager, or it does not answer.
            with contextlib.suppress(DnsError):
                if run(command[0], *(word.format(name) for word in command[1:])).status == 0:
                    return
    raise DnsError(
        "not_reloaded",
        f"{names[0]} cannot be made to read its files: {' and '.join(map(shown, pid_files))}"
        f" {'names' if len(pid_files) == 1 else 'name'} no process of it, none is found that listens at {address} port"
        f" {port}, and no service manager reloads it; {advice}",
    )


def listening_at(address: str, port: int, names: Sequence[str]) -> List[int]:
    """The processes with one of these names that listen at an address and port with UDP, if this user can see them.

    If none listens at exactly this address, those that listen at all addresses count. Processes that were started by
    another one of them are left out.
    """
    sockets = _sockets(address, port)
    found = [pid for pid in _processes() if sockets and name_of(pid) in names and sockets & _sockets_of(pid)]
    return [pid for pid in found if _parent(pid) not in found]


def may_read(pid: int, path: str) -> bool:
    """Whether a process may read a file, or enter a folder, by its mode; C(True) if that is not known or not all."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            said = {name: value.split() for name, _colon, value in (line.partition(":") for line in file)}
        # The last ones are those that count for files.
        user, groups = int(said["Uid"][3]), {int(said["Gid"][3]), *map(int, said["Groups"])}
        there = os.stat(path)
        if int(said["CapEff"][0], 16) & _READS_ALL or has_access_list(path):
            return True
    except (OSError, ValueError, LookupError):
        return True
    # As the bits of others.
    needed = stat.S_IXOTH if stat.S_ISDIR(there.st_mode) else stat.S_IROTH
    if there.st_uid == user:
        return bool(there.st_mode & needed << 6)
    return bool(there.st_mode & (needed << 3 if there.st_gid in groups else needed))


def name_of(pid: int) -> str:
    """The name of a process; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _named_by(pid_files: Sequence[str]) -> Iterator[int]:
    for pid_file in pid_files:
        with contextlib.suppress(OSError, ValueError):
            yield int(read_whole(pid_file, _LONGEST_NUMBER))


def _processes() -> List[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def _sockets(address: str, port: int) -> Set[str]:
    """The sockets at this address and port, or else those at all addresses, named as in the links of processes."""
    wanted = ipaddress.ip_address(address)
    here: Set[str] = set()
    everywhere: Set[str] = set()
    for table in _TABLES:
        try:
            lines = read_whole(table, _LONGEST_TABLE).decode("ascii", "replace").splitlines()[1:]
        except OSError:
            continue  # the table of IPv6 is missing if IPv6 is switched off
        for line in lines:
            with contextlib.suppress(ValueError, IndexError):
                words = line.split()
                where, _colon, number = words[1].partition(":")
                bound = _address(where)
                if int(number, 16) == port and (bound == wanted or bound.is_unspecified):
                    (here if bound == wanted else everywhere).add(f"socket:[{words[9]}]")
    return here or everywhere


def _address(where: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address]:
    """The address of an entry such as C(0100007F): words of 32 bits in this machine's byte order."""
    data = bytes.fromhex(where)
    if sys.byteorder == "little":
        data = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    return getattr(address, "ipv4_mapped", None) or address


def _sockets_of(pid: int) -> Set[str]:
    folder = f"/proc/{pid}/fd"
    found = set()
    # The process may be gone, or may belong to another user.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"{folder}/{name}"))
    return found


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The number comes after the name, which may contain anything.
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
