# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to this machine that Ansible treats like one to another machine, so that it runs modules."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: elsewhere
short_description: This machine, as if it were another one
version_added: 0.1.0
description: For tests.
author: The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(Local):
    """Like C(local), with another name."""

    transport = "elsewhere"
