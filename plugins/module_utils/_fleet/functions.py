# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Additional functions for JMESPath expressions: for versions, for addresses in networks, and for case."""

from __future__ import annotations

import functools
import ipaddress
import operator
import typing as t

from .._agent.versions import numbers
from .._basis.addresses import Span, given_ip_span
from .._basis.text import quoted

try:
    from jmespath.functions import Functions as _Functions
    from jmespath.functions import signature
except ImportError:
    # Code that needs the library reports that it is missing: see JMESPATH_IMPORT_ERROR.
    if not t.TYPE_CHECKING:
        _Functions = object

        def signature(*_arguments: t.Any) -> t.Callable[[t.Any], t.Any]:
            return lambda function: function


VERSION_FUNCTIONS = ("version_lt", "version_le", "version_gt", "version_ge", "version_eq")
NETWORK_FUNCTION = "in_network"

Comparison = t.Callable[[t.Any, t.Any], bool]


class Unknown(t.Dict[str, t.Any]):
    """Neither true nor false: the result of a comparison with an unknown version. It is false in JMESPath."""


UNKNOWN = Unknown()


class Functions(_Functions):
    """JMESPath's functions and ours. C(unread): how often a text was compared that is not a version."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = 0

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_lt(self, one: str, other: str) -> bool | Unknown:
        return self._compare(operator.lt, one, other)

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_le(self, one: str, other: str) -> bool | Unknown:
        return self._compare(operator.le, one, other)

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_gt(self, one: str, other: str) -> bool | Unknown:
        return self._compare(operator.gt, one, other)

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_ge(self, one: str, other: str) -> bool | Unknown:
        return self._compare(operator.ge, one, other)

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_eq(self, one: str, other: str) -> bool | Unknown:
        return self._compare(operator.eq, one, other)

    @signature({"types": ["string"]}, {"types": ["string", "array-string"]})
    def _func_in_network(self, address: str, networks: str | list[str]) -> bool:
        # The networks come first: an invalid network is an error, whatever the address is.
        spans = [_span(network) for network in ([networks] if isinstance(networks, str) else networks)]
        number = _address(address)
        return number is not None and any(
            version == number[0] and first <= number[1] <= last for version, first, last in spans
        )

    @signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    def _compare(self, holds: Comparison, one: str, other: str) -> bool | Unknown:
        left, right = numbers(one), numbers(other)
        if left is None or right is None:
            self.unread += 1
            return UNKNOWN
        return holds(left, right)


def check_literal(function: str, literal: t.Any) -> None:
    """Raise C(ValueError) for a text in an expression that its function can never use."""
    if function in VERSION_FUNCTIONS and isinstance(literal, str) and numbers(literal) is None:
        raise ValueError(
            f"{function}() compares versions, such as '20.0.2.1390' or '20', and {quoted(literal, 60)} is not a version;"
            " of two values of which one is not a version, it is never true"
        )


@functools.lru_cache(maxsize=4096)
def _span(network: str) -> Span:
    try:
        return given_ip_span(network)
    except ValueError as error:
        raise ValueError(
            f"{NETWORK_FUNCTION}() takes a network, and {quoted(network, 60)} is not one: {error}"
        ) from None


def _address(text: str) -> tuple[int, int] | None:
    """IP version and number of an address; C(None) for other text, as for a computer that was never heard from."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (4, int(mapped)) if mapped else (address.version, int(address))
