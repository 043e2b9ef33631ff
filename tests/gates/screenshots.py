# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take pictures of real reports for the documentation, C(docs/pictures/*.png), with Chromium.

Start C(make lab) in another terminal, and run its C(export) lines here. Then, from the root of the repository::

    .venv/main/bin/python -m tests.gates.screenshots
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.gates.environments import ROOT, link_collection
from tests.gates.pictures import FOLDER
from tests.page import find_browser

# Playbooks, the variable that names the folder of their reports, and the height of the picture in pixels.
REPORTS = {
    "report": ("communication_report_directory", 480),
    "drift": ("communication_drift_directory", 620),
    "cipher_report": ("cipher_report_directory", 440),
}
WIDTH = 1280
# In bytes. A page with three of them loads in a second on a slow line.
LARGEST = 150_000


def main() -> None:
    """Make the reports in a folder of their own, and take a picture of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = find_browser(folder / "profile")
        if browser is None or "WORKLOAD_SECURITY_URL" not in os.environ:
            sys.exit(__doc__)
        for playbook, (variable, height) in REPORTS.items():
            command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventories/lab"]
            command += [f"workload_security.agent.{playbook}", "-e", f"{variable}={folder / playbook}"]
            environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(link_collection())}
            # The status of drift says that there is some.
            subprocess.run(command, cwd=ROOT, env=environment, check=False)
            picture = ROOT / FOLDER / f"{playbook}.png"
            flags = (f"--window-size={WIDTH},{height}", "--hide-scrollbars", f"--screenshot={picture}")
            browser.load(folder / playbook / "lab.html", *flags)
            size = picture.stat().st_size
            print(f"{picture}: {size} bytes")
            assert size < LARGEST, f"{picture} is too large: make it less high"


if __name__ == "__main__":
    main()
