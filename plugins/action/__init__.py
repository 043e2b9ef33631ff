# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible imports this before any plugin in this folder."""

from __future__ import annotations

from ..plugin_utils._loading import load_quickly

load_quickly()
