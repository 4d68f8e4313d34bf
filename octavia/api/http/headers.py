"""Request headers that change the answer: ranges, ``If-None-Match``, ``If-Match`` (RFC 9110), ``Prefer`` (RFC 7240)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.datastructures import Headers

from octavia.errors import InputError

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_ETAGS = re.compile(r'(?:W/)?("[^"]*")')
_VERSION = re.compile(r'"?(\d{1,9}(?:\.\d{1,9})?)"?', re.ASCII)
_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE | re.ASCII)
_RESPOND_ASYNC = re.compile(r'respond-async(\s*=\s*"")?', re.IGNORECASE | re.ASCII)


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
    found = _RANGE.fullmatch(headers.get("range", ""))
    if not found or headers.get("if-range", etag) != etag or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
        if found[2] and end <= start:  # not a valid range, which the RFC wants ignored
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
    waits = (found for name in named if (found := _WAIT.fullmatch(name)))
    wait = next((min(int(found[1]), int(longest)) for found in waits), None)
    return Preferences(wait, any(_RESPOND_ASYNC.fullmatch(name) for name in named))


def _preferences(headers: Iterable[str]) -> Iterator[str]:
    """Yield each preference without its parameters; neither of ours has any."""
    for header in headers:
        for preference in header.split(","):
            yield preference.partition(";")[0].strip()
