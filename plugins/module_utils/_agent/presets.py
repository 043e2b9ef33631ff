# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the vendor's own scripts make a manager require, as values that agents can be judged by.

Both scripts also set the lowest TLS version to 1.2, on the manager and on relays. Before 2022-02-17, the second one set
the four suites of the first.
"""

from __future__ import annotations

from .releases import Span, end_of_line
from .requirement import Requirement
from .sources import STRONG_GCM_SCRIPT, STRONG_SCRIPT
from .versions import Release

_GCM = ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
_CBC = ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256")

# The first script is for the newest agents of 10.0 and 11.0 "that changes the outbound ciphers to include the strong
# ciphers as well", and nobody has published what is added, or since which update of 11.0. For 10.0 Update 16 and later,
# the list of suites says that it is the one "out-of-box".
_EXTENDABLE = (
    Span(Release(10, 0, update=16), end_of_line(10, 0)),
    Span(Release(11, 0), end_of_line(11, 0)),
)

PRESETS = {
    "strong": Requirement(_GCM + _CBC, "1.2", STRONG_SCRIPT, _EXTENDABLE),
    "strong_gcm": Requirement(_GCM, "1.2", STRONG_GCM_SCRIPT, _EXTENDABLE),
}
