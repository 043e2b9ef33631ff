# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take pictures of real reports for the documentation, C(docs/pictures/*.png), with Chromium.

Start C(make lab) in another terminal, and run its C(export) lines here. Then, from the root of the repository::

    .venv/main/bin/python -m tests.gates.screenshots

Each picture contains the words of the templates that it shows. If they change, a test notices without a browser.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from tests.gates.environments import ROOT, link_collection
from tests.gates.pictures import FOLDER
from tests.page import find_browser

# Playbooks, the variable with the folder for their reports, and the height of the picture in pixels.
REPORTS = {
    "report": ("communication_report_directory", 480),
    "drift": ("communication_drift_directory", 620),
    "cipher_report": ("cipher_report_directory", 440),
}
WIDTH = 1280
# In bytes. A page with three pictures loads in a second on a slow line.
LARGEST = 150_000

# The files that the words of reports come from.
TEMPLATES = sorted(path for path in (ROOT / "roles").glob("*/*/*") if path.parent.name in ("templates", "vars"))
# The type of the PNG chunk with the words, and the text before them.
_PART, _KEYWORD = b"tEXt", b"Words\0"
# The texts that end above the lower edge of the picture.
_SEEN = """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = [];
while (walker.nextNode()) {
  const range = document.createRange();
  range.selectNodeContents(walker.currentNode);
  const box = range.getBoundingClientRect();
  if (box.width && box.bottom <= HEIGHT) seen.push(walker.currentNode.data);
}
return seen;
"""


def templates() -> str:
    """All templates of reports, one after the other, with single spaces."""
    return " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in TEMPLATES)


def words_of(picture: Path) -> list[str]:
    """The words in the picture, as its report's templates had them when it was taken."""
    data, start = picture.read_bytes(), 8
    while start < len(data):
        (length,) = struct.unpack(">I", data[start : start + 4])
        part, content = data[start + 4 : start + 8], data[start + 8 : start + 8 + length]
        if part == _PART and content.startswith(_KEYWORD):
            return content[len(_KEYWORD) :].decode("latin-1").split("\n")
        start += 12 + length
    return []


def keep_words(picture: Path, texts: list[str]) -> None:
    """Write those parts of the texts, split at numbers, into the picture that are in templates. The rest is data."""
    source = templates()
    pieces = {" ".join(piece.split()).strip(",;: ") for text in texts for piece in re.split(r"[^A-Za-z',;: -]+", text)}
    words = sorted(piece for piece in pieces if len(piece) > 3 and piece in source)
    content = _KEYWORD + "\n".join(words).encode("latin-1")
    checksum = struct.pack(">I", zlib.crc32(_PART + content))
    data = picture.read_bytes()
    # The last part, which ends the file, has no content.
    picture.write_bytes(data[:-12] + struct.pack(">I", len(content)) + _PART + content + checksum + data[-12:])


def main() -> None:
    """Make the reports in a separate folder, and take a picture of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = find_browser(folder / "profile")
        if browser is None or "WORKLOAD_SECURITY_URL" not in os.environ:
            sys.exit(__doc__)
        for playbook, (variable, height) in REPORTS.items():
            command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventories/lab"]
            command += [f"workload_security.agent.{playbook}", "-e", f"{variable}={folder / playbook}"]
            environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(link_collection())}
            # The playbook drift fails if it finds drift.
            subprocess.run(command, cwd=ROOT, env=environment, check=False)
            picture = ROOT / FOLDER / f"{playbook}.png"
            flags = (f"--window-size={WIDTH},{height}", "--hide-scrollbars")
            page = folder / playbook / "lab.html"
            browser.load(page, *flags, f"--screenshot={picture}")
            keep_words(picture, browser.run(page, _SEEN.replace("HEIGHT", str(height)), *flags))
            size = picture.stat().st_size
            print(f"{picture}: {size} bytes")
            assert size < LARGEST, f"{picture} is too large: make it less high"


if __name__ == "__main__":
    main()
