# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of one attempt: a reply and its content, or a failure."""

from __future__ import annotations

import email.utils
import json
import re
import typing as t
from dataclasses import dataclass

from . import limit
from .errors import BadReply, ManagerError
from .gate import LONGEST_RETRY_AFTER
from .parser import DEEPEST, PageParser, TooDeep, parse

# Members of all objects and lists of a reply together. 5,000 policies with all 219 settings, each an object with one
# member, and with 100 other fields and rules, have 2.7 million. The rest is for commas within texts, which also count.
# This many members take at most about 600 MB.
MOST_MEMBERS = 4_000_000
# The most bytes that are read of an unsuccessful reply.
LARGEST_ERROR_REPLY = 64 * 2**10


@dataclass
class Failure:
    """An attempt without a useful reply. C(final): another attempt would also fail.

    C(maybe_done): the manager may have done what was requested. C(retry_after): seconds, None if it is not given.
    """

    kind: type[ManagerError]
    message: str
    status: int | None = None
    maybe_done: bool = True
    final: bool = False
    retry_after: float | None = None

    def said(self) -> str:
        """The status, if there is one, and the message."""
        return f"{self.status}, {self.message}" if self.status else self.message


@dataclass
class Reply:
    """A status, and the useful part of the body. C(retry_after): seconds, None without such a header."""

    status: int
    retry_after: float | None = None
    location: str = ""
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the manager says that it has done what was requested."""
        return 200 <= self.status < 300

    def explanation(self) -> str:
        """The reply in words, in the server's own words if it has some."""
        if self.location and 300 <= self.status < 400:
            return f"it points to {self.location}"
        return _explanation(self.body)

    def parsed(self, *, may_be_empty: bool, as_page: PageParser | None = None) -> dict[str, t.Any] | None | Failure:
        """The JSON object in a successful reply; None if it is empty and C(may_be_empty); or the failure.

        C(as_page): what parses it if it is a page as expected; see C(parser.page_parser).
        """
        fault = self._oversize()
        if fault is None:
            page = as_page(self.body) if as_page else None
            if page is not None:
                return page
            if may_be_empty and not self.body.strip():
                return None
            try:
                value = parse(self.body)
            except ValueError:
                fault = f"its body is not JSON: {_explanation(self.body)}"
            except TooDeep:
                fault = f"its body has more than {DEEPEST} levels"
            else:
                if may_be_empty and value in (None, ""):
                    return None
                if isinstance(value, dict):
                    return value
                fault = f"its body is not a JSON object: {_explanation(self.body)}"
        return Failure(BadReply, fault, self.status, final=True)

    def broke_off(self) -> bool:
        """Whether the body is empty, or only the beginning of a JSON object."""
        if self.body[:1] not in (b"", b"{") or self._oversize():
            return False
        try:
            parse(self.body)
        except ValueError:
            return True
        except TooDeep:
            pass
        return False

    def _oversize(self) -> str | None:
        """Why the body is too large to be parsed, found before any object is made."""
        if len(self.body) > limit.LARGEST_REPLY:
            return f"its body is larger than {limit.LARGEST_REPLY} bytes"
        # Each member follows a comma, or is the first one in its object or list.
        if len(self.body) > MOST_MEMBERS and sum(map(self.body.count, (b",", b"{", b"["))) > MOST_MEMBERS:
            return f"its body has more than {MOST_MEMBERS} values, which no page of the manager's API has"
        return None


def retry_after(header: str | None, date: str | None, now: float) -> float | None:
    """The seconds in a Retry-After header, at most 120, given as a number or a date; None if it is invalid.

    A date is compared with the reply's own Date, because the manager's clock may differ from ours; without it, with
    C(now).
    """
    if header is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,100}\s*", header):
        return min(float(header), LONGEST_RETRY_AFTER)
    then = _seconds(header)
    if then is None:
        return None
    sent = None if date is None else _seconds(date)
    return min(max(then - (now if sent is None else sent), 0), LONGEST_RETRY_AFTER)


def _seconds(date: str) -> float | None:
    """The seconds since 1970 of a date in a header."""
    try:
        fields = email.utils.parsedate_tz(date)
        return None if fields is None else email.utils.mktime_tz(fields)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _explanation(body: bytes) -> str:
    """The text of an improper reply. It is not cleaned or shortened yet, because masking comes first."""
    text = body[:LARGEST_ERROR_REPLY].decode("utf-8", "replace")
    try:
        said = _message(json.loads(text))
    except (ValueError, RecursionError):
        said = ""
    if said:
        return said
    if re.match(r"\s*<", text):
        # Only up to the next tag. Otherwise, a page with many opening title tags would be searched once for each of
        # them.
        title = re.search(r"<title[^<>]*>([^<]*)", text, re.IGNORECASE)
        return f"an HTML page titled '{title[1].strip()}'" if title else "an HTML page"
    return text.strip() or "an empty body"


def _message(parsed: t.Any) -> str:
    """The text in any of the known forms of the manager's errors."""
    if isinstance(parsed, str):
        return parsed
    if isinstance(parsed, list):
        return "; ".join(filter(None, map(_message, parsed)))
    if isinstance(parsed, dict):
        return next(filter(None, (_message(parsed.get(key)) for key in ("message", "errors", "error"))), "")
    return ""
