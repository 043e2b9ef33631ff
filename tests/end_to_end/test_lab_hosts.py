# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of hosts keeps what it promises: machines of their own, and nothing left behind."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from tests.lab.hosts import host as host_module
from tests.lab.hosts.image import FOLDER, image
from tests.lab.hosts.process import Host, LabError, LabHosts, LabUnavailable
from tests.lab.waiting import until

MACHINES = 10
ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = Path(sys.executable).with_name("ansible")

# Seconds until something that happens soon must have happened, on a busy machine too.
SOON = 60.0


def ssh(connection: dict[str, str], address: str) -> list[str]:
    """The command that logs in to a machine as Ansible does, and keeps the connection for the next time."""
    options = [*shlex.split(connection["ansible_ssh_common_args"]), "-i", connection["ansible_ssh_private_key_file"]]
    shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "BatchMode=yes"]
    return ["ssh", *options, *shared, f"{connection['ansible_user']}@{address}"]


@pytest.fixture
def stranger() -> t.Iterator[Host]:
    """A machine in a lab of its own, for what is not to be seen by others."""
    with LabHosts(0) as lab:
        yield lab.add("stranger")


# -- machines


def test_ansible_reaches_ten_hosts_over_ssh(hosts, tmp_path):
    command = [ANSIBLE, "-i", hosts.inventory, "all", "-m", "ansible.builtin.ping"]
    done = hosts.run(command, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)})
    assert done.stdout.count("SUCCESS") == 10
    assert "WARNING" not in done.stderr
    # The connections that Ansible keeps are in the lab's memory, not in the user's home.
    assert not (tmp_path / ".ansible/cp").exists()
    assert len(list((hosts.folder / "control").glob("*/*"))) >= 10
    assert [f"host{number:02}" for number in range(1, 11)] == list(hosts.hosts)


def test_a_host_has_a_name_and_addresses_of_its_own(hosts):
    for name, host in hosts.hosts.items():
        (interface,) = json.loads(host.run(["ip", "-json", "address", "show", "dev", "eth0"]).stdout)
        addresses = {entry["local"] for entry in interface["addr_info"] if entry["scope"] == "global"}
        assert host.run(["hostname"]).stdout.strip() == name
        assert addresses == {host.address, host.address6}
        assert interface["address"] == host.mac


def test_hosts_see_each_other_and_the_controller_and_nothing_else(hosts):
    one, other = hosts.hosts["host01"], hosts.hosts["host02"]
    for address in (other.address, other.address6, hosts.controller_address):
        one.run(["ping", "-c", "1", "-W", "2", address])
    routes = one.run("ip route; ip -6 route").stdout
    assert "198.18.0.0/16 dev eth0" in routes
    assert "default" not in routes
    assert one.run(["ping", "-c", "1", "-W", "2", "192.0.2.1"], check=False).returncode == 2


def test_a_hosts_file_can_be_replaced_in_one_step(hosts):
    one, other = hosts.hosts["host01"], hosts.hosts["host02"]
    before = other.read("/etc/hosts")
    one.run("cp /etc/hosts /etc/hosts.saved && echo 192.0.2.7 dsm.lab.test >/etc/hosts.new")
    one.run("mv /etc/hosts.new /etc/hosts")
    assert one.run(["getent", "hosts", "dsm.lab.test"]).stdout.split() == ["192.0.2.7", "dsm.lab.test"]
    assert other.read("/etc/hosts") == before
    one.run("mv /etc/hosts.saved /etc/hosts")
    assert one.run(["getent", "hosts", "dsm.lab.test"], check=False).returncode == 2


def test_a_host_has_a_firewall_of_its_own_that_knows_macs(hosts):
    known, unknown, guarded = (hosts.hosts[f"host0{number}"] for number in (1, 2, 3))
    listener = guarded.start(["ncat", "--listen", "--keep-open", "4999"])
    until(lambda: unknown.reaches(guarded.address, 4999), "ncat listens", SOON)
    rules = f"ether saddr {known.mac} tcp dport 4999 accept; tcp dport 4999 reject with tcp reset"
    chain = f"chain input {{ type filter hook input priority 0; {rules}; }}"
    guarded.run(["nft", f"table inet lab {{ {chain}; }}"])
    assert known.reaches(guarded.address, 4999, within=30)
    assert not unknown.reaches(guarded.address, 4999, within=2)
    assert "inet lab" not in known.run(["nft", "list", "ruleset"]).stdout
    guarded.run(["nft", "delete", "table", "inet", "lab"])
    assert unknown.reaches(guarded.address, 4999, within=30)
    listener.terminate()


def test_a_host_asks_the_resolvers_that_it_is_given(stranger):
    assert "nameserver" not in stranger.read("/etc/resolv.conf")
    stranger.use_resolvers("198.18.0.1", "2001:db8::1")
    assert stranger.read("/etc/resolv.conf") == "nameserver 198.18.0.1\nnameserver 2001:db8::1\n"


def test_hosts_leave_the_image_and_the_clock_alone(hosts):
    host = hosts.hosts["host01"]
    host.write("/etc/hosts.other", "")
    assert (image() / "etc/host.conf").exists()
    assert not (image() / "etc/hosts.other").exists()
    host.run(["rm", "/etc/hosts.other"])
    bounding = host.run(["setpriv", "--dump"]).stdout
    assert "sys_admin" in bounding
    assert "sys_time" not in bounding


def test_programs_of_the_machine_run_in_either_network(hosts, tmp_path):
    host = hosts.hosts["host01"]
    script = "import os, socket, sys; socket.create_server((sys.argv[1], 0)); print(os.getcwd())"
    assert hosts.run([sys.executable, "-c", script, hosts.controller_address], cwd=tmp_path).stdout == f"{tmp_path}\n"
    on_host = [*host.network_prefix, sys.executable, "-c", script, host.address]
    assert subprocess.run(on_host, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == f"{tmp_path}\n"
    with pytest.raises(subprocess.CalledProcessError):
        hosts.run([sys.executable, "-c", script, host.address])


# -- what tests do with them


def test_files_are_read_and_written_to_the_letter(hosts):
    host = hosts.hosts["host01"]
    text = "one\r\ntwo\nthree \u00e9 \udcff"
    host.write("/tmp/folder/file", text, mode=0o640)
    assert host.read("/tmp/folder/file") == text
    assert host.run(["stat", "--format", "%a", "/tmp/folder/file"]).stdout == "640\n"
    # An absolute link means the host's own file, not one of the machine that the tests run on.
    host.run(["ln", "-s", "/tmp/folder/file", "/tmp/link"])
    host.write("/tmp/link", "linked")
    assert host.read("/tmp/folder/file") == "linked"
    host.run(["rm", "-r", "/tmp/folder", "/tmp/link"])


def test_a_command_that_fails_says_why(hosts):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        hosts.hosts["host01"].run("echo reason >&2; exit 3")
    assert caught.value.returncode == 3
    assert caught.value.stderr == "reason\n"
    assert "reason" in caught.value.__notes__[0]


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(hosts):
    host = hosts.hosts["host01"]
    with pytest.raises(subprocess.TimeoutExpired):
        host.run("sleep 4321; true", timeout=0.5)
    until(lambda: "4321" not in host.run(["ps", "-e", "-o", "args"]).stdout, "the program has ended", SOON)


def test_a_program_in_the_background(hosts):
    host = hosts.hosts["host01"]
    program = host.start("echo started; exec sleep 4322", log="/tmp/sleep.log")
    until(
        lambda: host.run(["cat", "/tmp/sleep.log"], check=False).stdout == "started\n", "the program has started", SOON
    )
    assert program.alive
    program.terminate()
    assert not program.alive
    assert "4322" not in host.run(["ps", "-e", "-o", "args"]).stdout
    host.run(["rm", "/tmp/sleep.log"])


def test_a_program_that_does_not_end_is_killed(hosts, monkeypatch):
    monkeypatch.setattr(host_module, "_ENDED_WITHIN", 0.2)
    host = hosts.hosts["host01"]
    program = host.start("trap '' TERM; echo deaf; while true; do sleep 0.1; done", log="/tmp/deaf.log")
    until(lambda: host.run(["cat", "/tmp/deaf.log"], check=False).stdout == "deaf\n", "the program hears no more", SOON)
    program.terminate()
    assert not program.alive
    host.run(["rm", "/tmp/deaf.log"])


def test_daemons_and_orphans_have_somebody_who_cares(hosts):
    host = hosts.hosts["host01"]
    host.run("setsid --fork sleep 0.1; setsid --fork sleep 4323")
    until(lambda: "sleep 0.1" not in host.run(["ps", "-e", "-o", "args"]).stdout, "the program has ended", SOON)
    processes = host.run(["ps", "-e", "-o", "stat=,args="]).stdout
    assert "sleep 4323" in processes
    assert "Z" not in {line[0] for line in processes.splitlines()}
    host.run(["pkill", "--full", "sleep 4323"])


def test_a_small_disk_gets_full(stranger):
    stranger.mount_tmpfs("/small", "16k")
    done = stranger.run("head -c 100000 /dev/zero >/small/file", check=False)
    assert "No space left on device" in done.stderr


def test_a_host_that_is_powered_off_is_gone_and_keeps_its_disk():
    with LabHosts(2) as lab:
        host, other = lab.hosts.values()
        program = host.start(["sleep", "4324"])
        host.write("/var/kept", "kept")
        host.write("/run/lost", "lost")
        host.power_off()
        assert not program.alive
        with pytest.raises(LabError, match="host01 is powered off"):
            host.run(["true"])
        assert other.run(["ping", "-c", "1", "-W", "1", host.address], check=False).returncode == 1
        host.power_on()
        with pytest.raises(LabError, match="host01 is powered on"):
            host.power_on()
        assert host.read("/var/kept") == "kept"
        assert host.run(["cat", "/run/lost"], check=False).returncode == 1
        assert host.run(["hostname"]).stdout == "host01\n"
        assert other.reaches(host.address, 22, within=30)


def test_one_more_machine_is_known_and_not_in_the_inventory():
    with LabHosts(1) as lab:
        extra = lab.add("ns1")
        assert "ns1" not in lab.inventory.read_text()
        with pytest.raises(LabError, match="ns1"):
            lab.add("ns1")
        for address in (extra.address, extra.address6):
            assert lab.run([*ssh(extra.connection, address), "hostname"]).stdout == "ns1\n"
        # Its key is known for its own addresses only.
        extra.run(["ip", "address", "add", "198.18.0.77/16", "dev", "eth0"])
        refused = lab.run([*ssh(extra.connection, "198.18.0.77"), "hostname"], check=False)
        assert "Host key verification failed" in refused.stderr


def test_machines_are_renewed_and_the_controller_stays():
    with LabHosts(2) as lab:
        prefix, old = lab.prefix, lab.hosts["host01"]
        old.write("/etc/mark", "old")
        program = old.start(["sleep", "4325"])
        lab.add("ns1")
        lab.hosts["host02"].power_off()
        # A connection that is kept to the old machine is none to the new one.
        lab.run([*ssh(old.connection, old.address), "true"])
        lab.renew(1)
        assert not program.alive
        with pytest.raises(LabError, match="host01 is powered off"):
            old.run(["true"])
        assert lab.prefix == prefix and lab.hosts.keys() == {"host01"} and not lab.others
        new = lab.hosts["host01"]
        assert new.address == old.address
        seen = lab.run([*ssh(new.connection, new.address), "ls /etc/mark /etc/hostname; pgrep sleep"], check=False)
        # The first process of a machine sleeps.
        assert seen.stdout == "/etc/hostname\n1\n"
        assert lab.add("ns1").run(["hostname"]).stdout == "ns1\n"
        assert not (lab.folder / "host02").exists()


def test_thirty_hosts_are_up_soon():
    started = time.monotonic()
    with LabHosts(30) as lab:
        assert time.monotonic() - started < SOON
        first, *_others, last = lab.hosts.values()
        assert first.reaches(last.address, 22, within=30)
    # Ended as fast.
    assert time.monotonic() - started < SOON


# -- nothing is left behind


def machine_state() -> dict[str, t.Any]:
    """What a lab could leave on this machine."""
    return {
        "mounts": Path("/proc/self/mounts").read_text(),
        "interfaces": set(os.listdir("/sys/class/net")),
        "images": set(os.listdir(FOLDER)),
        "named networks": set(os.listdir("/run/netns")) if os.path.exists("/run/netns") else set(),
    }


def members(namespaces: set[str]) -> list[str]:
    """The processes that are in one of these network namespaces."""
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if os.readlink(link) in namespaces:
                found.append(str(link))
        except OSError:
            pass  # it has just ended, or has ended and nobody has asked how
    return found


class Holder:
    """A process that holds a lab with three hosts, with its temporary files in C(folder)."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.ready = folder / "ready.json"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.hosts", "--hosts=3", f"--ready-file={self.ready}", "--exit-with-parent"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.temporary), "HOME": str(self.temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lab = json.loads(self.process.stdout.readline())
        prefixes = [self.lab["prefix"], *(host["prefix"] for host in self.lab["hosts"].values())]
        self.namespaces = {os.readlink(f"/proc/{prefix[2]}/ns/net") for prefix in prefixes}
        assert len(self.namespaces) == 4
        # All of these would go on for an hour.
        self.commands = [
            subprocess.Popen([*prefix, "sh", "-c", "setsid --fork sleep 4000; echo begun; sleep 4000"], stdout=-1)
            for prefix in prefixes
        ]
        assert all(command.stdout.readline() == b"begun\n" for command in self.commands)
        for connection in json.loads(Path(self.lab["inventory"]).read_text())["all"]["hosts"].values():
            login = ssh(connection, connection["ansible_host"])
            subprocess.run([*self.lab["prefix"], *login, "true"], check=True, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it and what was started in its lab have ended."""
        for process in (self.process, *self.commands):
            process.wait(SOON)
            process.stdout.close()
        self.process.stdin.close()


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGKILL", "end of input"])
def test_nothing_is_left_behind(hosts, tmp_path, end):
    before = machine_state()
    holder = Holder(tmp_path)
    if end == "end of input":
        holder.process.stdin.close()
    else:
        holder.process.send_signal(getattr(signal, end))
    holder.wait()
    until(lambda: not members(holder.namespaces), "the last process of the lab is gone", SOON)
    assert machine_state() == before
    assert not list(holder.temporary.iterdir())
    assert holder.ready.exists() == (end == "SIGKILL")
    assert holder.process.returncode == (-signal.SIGKILL if end == "SIGKILL" else 0)


def test_a_lab_that_does_not_start_leaves_nothing(hosts, monkeypatch):
    before = machine_state()
    monkeypatch.setattr(host_module, "_BOOT", "echo broken >&2; exit 1")
    with pytest.raises(LabError, match="host0. does not start: broken"), LabHosts(2):
        pass
    assert machine_state() == before


def test_it_says_what_is_missing_on_this_machine(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(LabUnavailable, match="needs root"), LabHosts(1):
            pass
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda program, path=None: None if program == "ip" else program)
        with pytest.raises(LabUnavailable, match="programs of iproute2: install them"), LabHosts(1):
            pass
