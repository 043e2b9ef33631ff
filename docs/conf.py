# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site, whose root is the whole collection."""

import re
from pathlib import Path

project = "workload_security.agent"
copyright = "workload_security.agent contributors"  # noqa: A001
release = re.search(r"^version: (.+)$", (Path(__file__).parents[1] / "galaxy.yml").read_text(), re.MULTILINE)[1]
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_rtd_theme"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = project
# Pages are read as they stand in the repository, and link to one another, to roles and to files beside them.
include_patterns = [
    "index.md",
    "CHANGELOG.rst",
    "SECURITY.md",
    "awx/README.md",
    "docs/**",
    "roles/*/README.md",
    "reference/**",
]
exclude_patterns = ["docs/index.md"]
myst_heading_anchors = 4
# Messages are searched for as they come, with straight quotes.
smartquotes = False
# What antsibull-docs writes means options and plugins by its single backquotes.
default_role = "any"
# Ansible's own pages are not at hand: a reference into them cannot be resolved here.
suppress_warnings = ["ref.ref"]
