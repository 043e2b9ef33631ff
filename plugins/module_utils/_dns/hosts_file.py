# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records in a hosts file, such as C(/etc/hosts): the place that works without a name server."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._basis.files import is_mount, tidy
from .._basis.text import enumerated, quoted, shown
from . import managed_file
from .errors import DnsError
from .hosts_header import regenerated
from .hosts_text import Hosts, read_hosts, text_of, with_tabs, without
from .place import Place
from .records import Record

ARGUMENTS: Dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/hosts"},
    "replace_conflicts": {"type": "bool", "default": False},
    "unsafe_writes": {"type": "bool", "default": False},
}

# The longest line, in characters, that is shown in a diff.
_LONGEST_LINE = 2000

# Bytes. Longer files are not shown in a diff, as in Ansible's own modules.
_LONGEST_DIFF = 100 * 1024


class HostsFile(Place):
    """A hosts file with one block of ours.

    With C(replace_conflicts), the lines of others count, too: their records of our names are read, kept if they are
    right, and removed if they are not.
    """

    def __init__(self, options: Dict[str, Any]) -> None:
        super().__init__()
        self._path = managed_file.path_of(options, "path", "hosts_file")
        self._shown_path = shown(self._path)
        self._replaces: bool = options["replace_conflicts"]
        self._in_place: bool = options["unsafe_writes"]
        self._names: List[str] = []
        self._content: Optional[bytes] = None
        self._hosts = Hosts([], 0, 0, [])

    def read(self, names: List[str]) -> List[Record]:
        self._names = names
        self._content = managed_file.read(self._path)
        self._hosts = read_hosts(self._content or b"", self._path)
        records = {record for record in self._hosts.block if record.name in names}
        if self._replaces:
            others = {record for _index, said in self._hosts.others(names) for record in said}
            # A record in one of the two places is enough.
            self.unfinished = not records.isdisjoint(others)
            records |= others
        return sorted(records)

    def expect_writable(self) -> None:
        try:
            managed_file.expect_writable(self._path)
        except managed_file.Irreplaceable as error:
            if not self._in_place:
                raise self._not_replaced(str(error)) from None

    def write(self, _before: List[Record], after: List[Record]) -> None:
        new = self._new(after).text()
        try:
            managed_file.replace(self._path, self._content, new)
        except managed_file.Irreplaceable as error:
            if not self._in_place:
                raise self._not_replaced(str(error)) from None
            managed_file.overwrite(self._path, self._content or b"", new)
        if self.read(self._names) != after:
            raise DnsError("not_kept", f"{self._shown_path} does not hold what was written to it")

    def _not_replaced(self, why: str) -> DnsError:
        option = "hosts_file.unsafe_writes"
        return DnsError("unwritable", f"{why}; with {option}: true, it is written in place", option)

    def conflicts(self, after: List[Record]) -> List[Dict[str, object]]:
        found = []
        staying = []
        for index, said in self._hosts.others(self._names):
            for record in sorted(set(said).difference(after)):
                line = text_of(self._hosts.lines[index])
                found.append(
                    {**record.as_dict(), "line": index + 1, "text": with_tabs(line), "replaced": self._replaces}
                )
                staying.append(f"line {index + 1} says {record.value} for {record.name}: {quoted(line, 200)}")
        if staying and not self._replaces:
            self.warnings.append(
                f"in {self._shown_path}, {enumerated(staying)}; set replace_conflicts to take the name out of it"
            )
        if after:
            self._warn_of_makers()
            self._warn_of_names(self._new(after))
        return found

    def _warn_of_makers(self) -> None:
        maker = regenerated(self._hosts.header())
        if maker:
            said, advice = maker
            self.warnings.append(
                f"{self._shown_path} may be regenerated without these records, as its comments say: {quoted(said, 200)};"
                f" {advice}"
            )
        elif is_mount(self._path):
            self.warnings.append(
                f"{self._shown_path} is a mount of its own, as in containers, which may get a new one at each start: add"
                " the names where the container is declared, too (--add-host of docker and podman, extra_hosts of"
                " Compose, hostAliases of Kubernetes)"
            )

    def _warn_of_names(self, new: Hosts) -> None:
        """Warn of addresses that resolve back to another name because of the block."""
        changed = [
            f"{address} resolves back to {ours} and not to {quoted(theirs, 100)}, as line {index + 1} has it"
            for address, ours, theirs, index in new.hidden()
        ]
        if changed:
            self.warnings.append(
                f"because of the block in {self._shown_path}, {enumerated(changed)}; to keep that, add the name to the"
                " end of that line, and set replace_conflicts"
            )

    def diff(self, before: List[Record], after: List[Record]) -> Dict[str, str]:
        old = self._content or b""
        new = old if before == after and not self.unfinished else self._new(after).text()
        if max(len(old), len(new)) > _LONGEST_DIFF:
            return super().diff(before, after)
        return {
            "before": _lines_of(old),
            "after": _lines_of(new),
            "before_header": self._shown_path,
            "after_header": self._shown_path,
        }

    def tidy(self) -> None:
        tidy(self._path)

    def _new(self, after: List[Record]) -> Hosts:
        """The file with these records of our names. They are in the block unless a line of others already has them."""
        lines = list(self._hosts.lines)
        said_by_others = set()
        if self._replaces:
            for index, said in self._hosts.others(self._names):
                said_by_others.update(said)
                lines[index] = without(lines[index], {record.name for record in said if record not in after})
        kept = [record for record in self._hosts.block if record.name not in self._names]
        ours = [record for record in after if record not in said_by_others]
        return self._hosts._replace(lines=lines, block=sorted(kept + ours))


def _lines_of(content: bytes) -> str:
    """A file for a diff: its lines as they are, but with invisible characters other than tabs escaped."""
    text = content.decode("utf-8", "backslashreplace")
    return "\n".join(with_tabs(line, _LONGEST_LINE) for line in text.split("\n"))
