"""Request headers that change the answer: ranges, ``If-None-Match``, ``If-Match`` (RFC 9110), ``Prefer`` (RFC 7240)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.datastructures import Headers

from octavia.errors import InputError

_ETAGS = re.compile(r'(?:W/)?("[^"]*")')
_VERSION = re.compile(r'"?(\d{1,9}(?:\.\d{1,9})?)"?', re.ASCII)
_SPACE = " \t"
_POSITION_DIGITS = 18
_WAIT_DIGITS = 9


class RangeNotSatisfiable(InputError):
    """The range begins behind the end of the file."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(
            "The range lies outside of the file.", hint=f"The file has {size} bytes, numbered from 0.", field="Range"
        )
        self.headers = {"content-range": f"bytes */{size}"}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``start`` up to, but not including, ``end``."""

    start: int
    end: int


def is_unchanged(headers: Headers, etag: str) -> bool:
    """Return whether ``If-None-Match`` names this version, so that 304 is the answer."""
    given = headers.get("if-none-match")
    return given is not None and (given.strip() == "*" or etag in _ETAGS.findall(given))


def requested_span(headers: Headers, size: int, etag: str) -> Span | None:
    """Return the requested span; None sends the whole file (no range, several ranges, or another unit).

    Parameters:
      size: Of the file, in bytes.
      etag: Of the file, in quotes; an ``If-Range`` that names another one sends the whole file, too.

    Raises:
      RangeNotSatisfiable: The range begins behind the end.
    """
    found = _range(headers.get("range", ""))
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found
    if first is None:
        start, end = max(size - (last or 0), 0), size
    else:
        start, end = first, size if last is None else last + 1
        if end <= start and last is not None:  # not a valid range, which the RFC wants ignored
            return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return Span(start, min(end, size))


def required_version(headers: Headers) -> str | None:
    """Return the version of the utterances that ``If-Match`` names; None for any (``*``).

    Raises ``InputError``: ``precondition_required`` without ``If-Match``, ``invalid_field`` if it names no version.
    """
    given = headers.get("if-match")
    if given is None:
        raise InputError(
            "The request has no If-Match.",
            code="precondition_required",
            hint="Send the ETag of the utterances that were read, so that no change of somebody else is overwritten.",
            field="If-Match",
        )
    found = _VERSION.fullmatch(given.strip())
    if found is None and given.strip() != "*":
        raise InputError(
            f"The If-Match {given[:100]!r} is not an ETag of utterances.",
            code="invalid_field",
            hint='Send the ETag of the answer that listed them, such as "1".',
            field="If-Match",
        )
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Preferences:
    """Preferences of a client (``Prefer``) that we know.

    Parameters:
      wait: Whole seconds to wait for the end of the job; None if not given.
      respond_async: Answer 202 at once instead of waiting; with ``wait`` too, once these seconds are over.
    """

    wait: int | None
    respond_async: bool

    def applied(self, *, waited: bool, ended: bool) -> dict[str, str]:
        """Return the ``Preference-Applied`` header, which names the preferences that were honoured; empty for none.

        Parameters:
          waited: The job was given its seconds.
          ended: The job has ended, so the answer has its result.
        """
        names = ["respond-async"] if self.respond_async and not ended else []
        if waited:
            names.append(f"wait={self.wait}")
        return {"preference-applied": ", ".join(names)} if names else {}


def preferences(headers: Iterable[str], longest: float) -> Preferences:
    """Return the preferences in a request's ``Prefer`` headers; ``wait`` is cut to ``longest`` seconds.

    The first counts if a preference comes twice, and an unknown one is ignored, as the RFC wants.
    """
    named = list(_preferences(headers))
    waits = (value.removeprefix('"').removesuffix('"') for name, value in named if name == "wait")
    wait = next((min(int(value), int(longest)) for value in waits if _is_number(value, _WAIT_DIGITS)), None)
    return Preferences(wait, any(name == "respond-async" and value in ("", '""') for name, value in named))


def _range(given: str) -> tuple[int | None, int | None] | None:
    """Return the first and the last byte of a ``Range``, of which one may be missing; None for any other header."""
    unit, _, span = given.partition("=")
    first, dash, last = span.partition("-")
    ends = [end.strip(_SPACE) for end in (first, last)]
    right = all(not end or _is_number(end, _POSITION_DIGITS) for end in ends)
    if unit.rstrip(_SPACE).lower() != "bytes" or not dash or not right or ends == ["", ""]:
        return None
    return int(ends[0]) if ends[0] else None, int(ends[1]) if ends[1] else None


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each preference, in small letters, and its value; neither of ours has parameters."""
    for header in headers:
        for preference in header.split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            yield name.strip(_SPACE).lower(), value.strip(_SPACE)


def _is_number(text: str, digits: int) -> bool:
    return len(text) <= digits and text.isascii() and text.isdecimal()
