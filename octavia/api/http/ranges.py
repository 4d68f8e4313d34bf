"""Conditional and partial requests (RFC 9110): ``If-None-Match``, ``If-Range`` and single byte ranges."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

from octavia.errors import InputError

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_ETAGS = re.compile(r'(?:W/)?("[^"]*")')


class RangeNotSatisfiable(InputError):
    """The range lies outside of what there is."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(
            "The range lies outside of the file.", hint=f"The file has {size} bytes, numbered from 0.", field="Range"
        )
        self.headers = {"content-range": f"bytes */{size}"}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` to ``end``, the latter not included."""

    start: int
    end: int


def is_unchanged(headers: Headers, etag: str) -> bool:
    """Whether the client has this version already."""
    given = headers.get("if-none-match")
    return given is not None and (given.strip() == "*" or etag in _ETAGS.findall(given))


def wanted_span(headers: Headers, size: int, etag: str) -> Span | None:
    """The part that is asked for; None for all of it, which may also answer several ranges or another unit.

    Raises:
      RangeNotSatisfiable: It begins behind the end, or is none.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if not found or headers.get("if-range", etag) != etag or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
        if found[2] and end <= start:  # not a range at all: to be ignored
            return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return Span(start, min(end, size))
