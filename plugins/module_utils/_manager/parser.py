# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses the JSON in replies: strictly, and within limits, because a reply can be anything."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import math
import re
import sys
import typing as t
from itertools import chain

from .shapes import FIREWALL, LARGEST_ID, REFERENCE, SETTINGS, STATUS, TASKS, TEXT, Shape

# Optional, only for speed. Python 3.8 cannot declare the types of pages to it.
_MSGSPEC_NEEDED = (0, 19)
_REFUSALS: tuple[type[Exception], ...] = (ValueError, RecursionError)
try:
    # Imported by name, because it may be missing or incompatible, and a broken installation can raise anything.
    msgspec: t.Any = importlib.import_module("msgspec")
    # Its own errors are not a ValueError in all releases.
    _REFUSALS += (msgspec.MsgspecError,)
    if tuple(map(int, re.findall("[0-9]+", msgspec.__version__)[:2])) < _MSGSPEC_NEEDED or sys.version_info < (3, 9):
        msgspec = None
except Exception:
    msgspec = None

# Levels of objects and lists in a reply. The API's own replies have less than ten.
DEEPEST = 32
_CONTAINERS = frozenset((dict, list))
# Digits of a number. IDs and times have less than 20.
_LONGEST_NUMBER = 100
# Smaller bodies, such as the reply to a write, are parsed by Python itself, which takes less time than the checks after
# msgspec.
_SMALLEST_FOR_MSGSPEC = 16 * 2**10


class TooDeep(Exception):
    """The JSON has more than C(DEEPEST) levels."""


class Page(t.Dict[str, t.Any]):
    """A parsed page of a large list, whose objects have only fields that were checked."""


PageParser = t.Callable[[bytes], t.Optional[Page]]


def parse(body: bytes) -> t.Any:
    """Parse strict JSON in UTF-8.

    Raises C(ValueError) and C(TooDeep). The result is the same with and without msgspec: if msgspec refuses a text,
    Python's own parser decides.
    """
    has_long_number = b"0" * (_LONGEST_NUMBER + 1) in body.translate(_DIGITS_ALIKE)
    if msgspec is not None and len(body) >= _SMALLEST_FOR_MSGSPEC and not has_long_number:
        with contextlib.suppress(*_REFUSALS):
            value = msgspec.json.decode(body)
            _check_depth(value)
            return value
    decoder = _LONG_NUMBERS_DECODER if has_long_number else _DECODER
    try:
        value = decoder.decode(body.decode("utf-8-sig", "surrogatepass"))
    except RecursionError:
        # Python's own limit, which depends on its version.
        raise TooDeep from None
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        _check_depth(value)
    return value


def page_parser(envelope: str, fields: t.Mapping[str, Shape], numbers: t.Iterable[str]) -> PageParser:
    """What parses the page of a large list and checks these fields, in a third of the time. It ignores other fields.

    C(numbers): fields that are not checked, but are whole numbers, if present. The function returns C(None) if the page
    is different, or if msgspec is not there. Then C(parse) and the checks of its result decide.
    """
    # Only made for tasks that need it.
    decoder = functools.lru_cache(maxsize=None)(lambda: _decoder(envelope, fields, numbers))

    def parsed(body: bytes) -> Page | None:
        if msgspec is None:
            return None
        with contextlib.suppress(*_REFUSALS):
            page = Page(decoder()(body))
            # Without any of these fields, an object may be empty, or have other fields, which is not the same.
            if all(page.get(envelope) or ()):
                return page
        return None

    return parsed


def _decoder(
    envelope: str, fields: t.Mapping[str, Shape], numbers: t.Iterable[str]
) -> t.Callable[[bytes], dict[str, t.Any]]:
    """msgspec's decoder of a page whose objects have such fields, each of which may be null or missing."""
    # Made of values, which checkers of types do not follow.
    typing: t.Any = t

    def an_object(**members: t.Any) -> t.Any:
        return typing.TypedDict("Object", {name: t.Optional[kind] for name, kind in members.items()}, total=False)

    def a_number(least: int) -> t.Any:
        return typing.Annotated[int, msgspec.Meta(ge=least, le=LARGEST_ID)]

    texts = t.List[str]
    types: dict[Shape, t.Any] = {
        TEXT: str,
        REFERENCE: a_number(0),
        SETTINGS: typing.Dict[str, t.Optional[an_object(value=str)]],
        STATUS: an_object(agentStatus=str, agentStatusMessages=texts),
        TASKS: an_object(agentTasks=texts),
        FIREWALL: an_object(state=str, ruleIDs=typing.List[a_number(1)]),
    }
    item = an_object(
        ID=a_number(1),
        **dict.fromkeys(numbers, a_number(-LARGEST_ID)),
        **{name: types[shape] for name, shape in fields.items()},
    )
    page = typing.TypedDict("Page", {envelope: typing.List[item]})
    return t.cast("t.Callable[[bytes], dict[str, t.Any]]", msgspec.json.Decoder(page).decode)


def _not_json(text: str) -> t.NoReturn:
    raise ValueError(f"{text} is not JSON")


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else _not_json("a number of that length")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _not_json("a number of that size")


# Calling a function for each whole number takes longer than all the rest, so it is only called if one is too long.
_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_float=_finite)
_LONG_NUMBERS_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_int=_integer, parse_float=_finite)
_DIGITS_ALIKE = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))


def _check_depth(value: t.Any) -> None:
    """Raise C(TooDeep) if a value has more than C(DEEPEST) levels."""
    layer: list[t.Any] = [value] if value.__class__ in _CONTAINERS else []
    for _level in range(DEEPEST):
        if _CONTAINERS.isdisjoint(map(type, _members(layer))):
            return
        # In a page about overrides, most values are null.
        layer = [one for one in filter(None, _members(layer)) if one.__class__ in _CONTAINERS]
    raise TooDeep


def _members(containers: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
    """The values in all of these objects and lists, one after the other."""
    return chain.from_iterable(one.values() if one.__class__ is dict else one for one in containers)
