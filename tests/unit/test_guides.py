# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that guides show, as Ansible and the collection read them."""

from __future__ import annotations

import re
import textwrap
import typing as t
from pathlib import Path

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from tests.gates.environments import ROOT


def files_of(page: str, folder: Path) -> None:
    """Write the files that a page shows, each where the text before it says; a file that is shown twice has both."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for before, block in re.findall(r"([^\n]*):\n\n *```yaml\n(.*?)```", text, re.DOTALL):
        file = folder / re.findall(r"`(\S+\.yml)`", before)[-1]
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as written:
            written.write(textwrap.dedent(block))


def variables_of(folder: Path) -> dict[str, dict[str, t.Any]]:
    """What Ansible makes of an inventory: the variables of each host that begin with C(communication_)."""
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(folder)])
    manager = VariableManager(loader, inventory)
    found = {}
    for host in inventory.get_hosts():
        variables = manager.get_vars(host=host)
        own = {name: value for name, value in variables.items() if name.startswith("communication_")}
        found[host.name] = Templar(loader, variables=variables).template(own)
    return found


def test_the_guide_about_many_managers(tmp_path):
    files_of("managers.md", tmp_path)
    hosts = variables_of(tmp_path / "managers")
    managers = {name: variables["communication_manager"] for name, variables in hosts.items()}
    assert {name: manager.get("url") or manager["region"] for name, manager in managers.items()} == {
        "head-office": "https://dsm.example.com:4119",
        "subsidiary": "https://dsm.example.com:4119",
        "plant": "https://dsm.plant.example.com:4119",
        "jp-production": "jp-1",
        "jp-test": "jp-1",
    }
    assert len({manager["api_key_file"] for manager in managers.values()}) == 5, "each has a key of its own"
    documentation = (ROOT / "plugins" / "doc_fragments" / "connection.py").read_text(encoding="utf-8")
    options = yaml.safe_load(re.search(r'DOCUMENTATION = r"""\n(.*?)"""', documentation, re.DOTALL)[1])["options"]
    assert all(manager.keys() <= options.keys() for manager in managers.values())
    profiles = {
        name: [profile["name"] for profile in variables["communication_profiles"]] for name, variables in hosts.items()
    }
    assert profiles["plant"] == ["Macs", "Servers"] and profiles["jp-test"] == ["Macs"]
    (_macs, servers) = hosts["plant"]["communication_profiles"]
    assert servers["firewall_restriction"]["source_ips"] == ["198.51.100.10"]


def test_the_guide_about_active_directory(tmp_path):
    files_of("active_directory.md", tmp_path)
    variables = yaml.safe_load((tmp_path / "hosts" / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    module = (ROOT / "plugins" / "modules" / "local_dns.py").read_text(encoding="utf-8")
    options = yaml.safe_load(re.search(r'DOCUMENTATION = r"""\n(.*?)"""', module, re.DOTALL)[1])["options"]
    place = variables["local_dns_place"]["rfc2136"]
    assert place.keys() <= options["rfc2136"]["suboptions"].keys() and place["authentication"] == "gss_tsig"
    assert all(record.keys() <= options.keys() for record in variables["local_dns_records"])


def test_the_codes_that_a_guide_explains_can_come():
    text = (ROOT / "docs" / "active_directory.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)} - {"failure"}
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins/module_utils/_dns").glob("*.py"))
    assert len(codes) > 10 and [one for one in codes if f'"{one}"' not in code] == []
