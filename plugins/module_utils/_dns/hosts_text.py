# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of hosts files: lines with an address and names, and one block of ours among everybody else's lines.

All of it is bytes, so everything outside of the block stays as it is.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Collection, Dict, List, NamedTuple, Tuple

from .._basis.text import LONGEST, enumerated, quoted, shown
from .errors import DnsError
from .records import Record, type_of

BEGIN = b"# BEGIN workload_security.agent.local_dns"
END = b"# END workload_security.agent.local_dns"

# Lines. Comments that are meant for people are shorter.
_LONGEST_HEADER = 100


class Hosts(NamedTuple):
    """A file: its lines with line ends, where our block is (C(begin) up to, but without C(end)), the block's records.

    A new block is put first. There, it does not matter whether the file's last line has an end, and for resolvers that
    use the first line with a name, our line counts.
    """

    lines: List[bytes]
    begin: int
    end: int
    block: List[Record]

    def others(self, names: Collection[str]) -> List[Tuple[int, List[Record]]]:
        """The records of these names on lines outside of the block, each with the line's index."""
        indexes = [*range(self.begin), *range(self.end, len(self.lines))]
        said = [(index, records_of(self.lines[index], names)) for index in indexes]
        return [(index, records) for index, records in said if records]

    def header(self) -> List[str]:
        """The comments at the top of the file, as text for people. A block of ours before them is skipped."""
        comments = []
        for line in [*self.lines[: self.begin], *self.lines[self.end :]][:_LONGEST_HEADER]:
            text = text_of(line[:LONGEST])
            if text and not text.startswith("#"):
                break
            comments.append(text)
        return [text for text in comments if text]

    def hidden(self) -> List[Tuple[str, str, str, int]]:
        """Addresses that resolve back to the first name of ours because of the block, and without it to another name.

        Each with our name, the other name, and the index of the other name's line, in the unchanged lines.
        """
        ours: Dict[str, str] = {}
        for record in self.block:
            ours.setdefault(record.value, record.name)
        found = []
        for index, line in enumerate(self.lines):
            written, *names = _words(_read(line)) or [""]
            address = _canonical(written)
            if not names or address not in ours or self.begin <= index < self.end:
                continue
            name = ours.pop(address)
            if index >= self.end and names[0] != name:
                found.append((address, name, names[0], index))
        return found

    def text(self) -> bytes:
        """The file's content. The block has the same line ends as the file. Without records there is no block."""
        end = b"\r\n" if self.lines and self.lines[0].endswith(b"\r\n") else b"\n"
        block = [BEGIN, *(line_of(record).encode("ascii") for record in self.block), END] if self.block else []
        return b"".join([*self.lines[: self.begin], *(line + end for line in block), *self.lines[self.end :]])


def read_hosts(content: bytes, path: str) -> Hosts:
    """Parse a file. Raises C(DnsError) for a block that is not as we write it: parts may be somebody else's."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", content)
    marks = [(index, line.strip()) for index, line in enumerate(lines) if line.strip() in (BEGIN, END)]
    if not marks:
        return Hosts(lines, 0, 0, [])
    if [mark for _index, mark in marks] != [BEGIN, END]:
        found = enumerated([f"line {index + 1} is '{mark.decode()}'" for index, mark in marks])
        raise DnsError(
            "broken_block",
            f"the block of local_dns in {shown(path)} must begin and end once, but {found}; remove these lines, and those"
            " between them that belong to the block",
        )
    (begin, _begin), (end, _end) = marks
    block = [record for index in range(begin + 1, end) for record in _read_ours(lines[index], index + 1, path)]
    return Hosts(lines, begin, end + 1, block)


def _read_ours(line: bytes, number: int, path: str) -> List[Record]:
    records = whole_line(line)
    if line.strip() and not records:
        text = quoted(text_of(line), 200)
        raise DnsError(
            "broken_block",
            f"line {number} of {shown(path)} lies in the block of local_dns, but is not just an address and names: {text};"
            " move it out of the block, or remove it",
        )
    return records


def text_of(line: bytes) -> str:
    """A line without its end, for people. Bytes that are not text are escaped."""
    return line.strip(b" \t\r\n\v\f").decode("utf-8", "backslashreplace")


def with_tabs(line: str, longest: int = LONGEST) -> str:
    """Like C(shown), but tabs stay as they are. For output that programs and terminals read, not for messages."""
    whole = "\t".join(shown(part, longest) for part in line[: longest + 1].split("\t"))
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def line_of(record: Record) -> str:
    """The line of an A or AAAA record, without its end."""
    return f"{record.value} {record.name}"


def records_of(line: bytes, names: Collection[str]) -> List[Record]:
    """A line's records of these names. Lines whose address cannot be read are skipped, as resolvers do."""
    address, *others = _words(_read(line)) or [""]
    found = [name for name in others if name in names]
    value = _canonical(address) if found else ""
    return [Record(name, type_of(value), value) for name in found] if value else []


# Cached, because block lists have the same address on all their lines.
@functools.lru_cache(maxsize=64)
def _canonical(address: str) -> str:
    # Newer Pythons accept a zone, which resolvers do not accept here.
    try:
        return "" if "%" in address else str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def whole_line(line: bytes) -> List[Record]:
    """The records of a line that has an address, names and nothing else; empty for any other line."""
    names = _words(line)[1:]
    records = records_of(line, names) if line.isascii() else []
    return records if len(records) == len(names) else []


def _read(line: bytes) -> bytes:
    """What resolvers read of a line: up to a comment, or up to NUL, as a file may have it after a crash."""
    return re.split(rb"[#\0]", line, maxsplit=1)[0]


def _words(line: bytes) -> List[str]:
    # Split as bytes, because resolvers treat characters that are white space only in Unicode as part of a name.
    return [word.decode("latin-1") for word in line.lower().split()]


def without(line: bytes, names: Collection[str]) -> bytes:
    """A line without these names. What resolvers do not read stays. If nothing is left, the line becomes empty."""
    body = _read(line)
    rest = line[len(body) :]
    kept = re.sub(
        rb"(?<=\S)\s+(\S+)", lambda name: b"" if name[1].lower().decode("latin-1") in names else name[0], body
    )
    return rest if len(kept.split()) < 2 else kept + rest
