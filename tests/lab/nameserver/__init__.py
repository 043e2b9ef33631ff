# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real name servers on hosts of the lab, configured as sites do it."""

from tests.lab.nameserver.active_directory import ActiveDirectory
from tests.lab.nameserver.bind import Bind, TsigKey
from tests.lab.nameserver.dnsmasq import Dnsmasq, PiHole
from tests.lab.nameserver.kdc import Kdc
from tests.lab.nameserver.server import NameServer
from tests.lab.nameserver.unbound import Unbound

__all__ = ["ActiveDirectory", "Bind", "Dnsmasq", "Kdc", "NameServer", "PiHole", "TsigKey", "Unbound"]
