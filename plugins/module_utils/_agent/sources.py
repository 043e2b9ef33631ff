# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's pages and scripts behind the answers about cipher suites and TLS versions, as results name them."""

from __future__ import annotations

SUITES_PAGE = (
    "Vision One documentation, Server & Workload Protection, communication between the manager and agents (2025-12)"
)
TLS_PAGE = "Vision One documentation, Server & Workload Protection, use TLS 1.2 (2025-12)"
TLS_CONFLICT = f"{TLS_PAGE}; Deep Security 20 help, TLS version"
PLATFORM_PAGE = (
    "Vision One documentation, Server & Workload Protection, agent platform compatibility (2025-12), note 52"
)
STRONG_SCRIPT = "github.com/deep-security/ops-tools, deepsecurity/manager/EnableStrongCiphers.script (2018)"
STRONG_GCM_SCRIPT = (
    "github.com/deep-security/ops-tools, deepsecurity/manager/EnableStrongCiphers12.script (2022-02-17 and later)"
)
