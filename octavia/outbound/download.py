"""Download a large file over connections that may break, resuming where they stopped if the server can."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Protocol

import anyio
import httpx

from octavia.backoff import Backoff
from octavia.errors import InputError
from octavia.outbound.client import failures
from octavia.outbound.errors import UrlNotAllowed, UrlUnreachable
from octavia.urls import shown

_LONGEST_PAUSE: Final = 10.0  # Seconds between two attempts.
_PASSING: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class NotThere(InputError):
    """The server does not have the file or refuses it; another attempt would not help."""

    code = "url_not_found"


class TooLarge(InputError):
    """The file is larger than allowed."""

    code = "url_too_large"


class Sink(Protocol):
    """The target of a download."""

    @property
    def size(self) -> int:
        """Number of bytes kept so far."""

    def write(self, block: bytes) -> object:
        """Append a block."""

    def restart(self) -> None:
        """Discard the kept bytes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a download.

    Parameters:
      largest: Largest file in bytes.
      bytes_per_second: Lowest average rate of a connection once it has lasted ``patience`` seconds.
      resumptions: Number of further attempts after connections that broke in the middle.
      first_pause: Seconds before the first of these; later pauses grow.
    """

    largest: int
    bytes_per_second: float
    patience: float
    resumptions: int = 10
    first_pause: float = 0.5


@dataclass(frozen=True, slots=True)
class Fetched:
    """The server's Content-Type and Content-Disposition, unchecked; empty if it sent none."""

    content_type: str
    disposition: str


async def download(client: httpx.AsyncClient, url: str, sink: Sink, bounds: Bounds) -> Fetched:
    """Write the file at a URL into ``sink``.

    Raises:
      UrlNotAllowed: The host has an address that is not public, or the server redirects.
      UrlUnreachable: The server does not answer, is too slow, or breaks off too often.
      NotThere: The server does not have the file or refuses it.
      TooLarge: The file is larger than ``bounds.largest``.
    """
    fetch = _Fetch(client, url, sink, bounds)
    pauses = Backoff(bounds.first_pause, _LONGEST_PAUSE)
    for _ in range(bounds.resumptions):
        try:
            return await fetch.attempt()
        except UrlUnreachable:
            if not sink.size:
                raise
            await anyio.sleep(pauses.next())
    return await fetch.attempt()


class _Fetch:
    """The download of one file over several connections."""

    def __init__(self, client: httpx.AsyncClient, url: str, sink: Sink, bounds: Bounds) -> None:
        self._client = client
        self._url = url
        self._sink = sink
        self._bounds = bounds
        self._validator: str | None = None

    async def attempt(self) -> Fetched:
        """Request the file, or its missing part."""
        with failures(self._url):
            async with self._client.stream("GET", self._url, headers=self._asking()) as response:
                total = self._begin(response)
                if total is not None and total > self._bounds.largest:
                    raise self._too_large()
                await self._receive(response)
        if total is not None and self._sink.size != total:
            raise self._unreachable(f"the server sent {self._sink.size:,} bytes of {total:,}")
        return Fetched(response.headers.get("content-type", ""), response.headers.get("content-disposition", ""))

    def _asking(self) -> dict[str, str]:
        # Bytes are counted as sent: compression would make the count useless.
        headers = {"accept-encoding": "identity"}
        if self._sink.size and self._validator:
            headers |= {"range": f"bytes={self._sink.size}-", "if-range": self._validator}
        return headers

    def _begin(self, response: httpx.Response) -> int | None:
        """Check the response's status and headers; returns the file's size in bytes, if known."""
        status, headers = response.status_code, response.headers
        resumed = "range" in response.request.headers
        if status == HTTPStatus.PARTIAL_CONTENT and resumed:
            start, total = _content_range(headers.get("content-range", ""))
            if start == self._sink.size:
                return total
        if status == HTTPStatus.OK:
            if self._sink.size:
                self._sink.restart()
            self._validator = _validator(headers)
            length = headers.get("content-length", "")
            return int(length) if length.isascii() and length.isdigit() else None
        if resumed and status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            # The next attempt requests the whole file.
            self._validator = None
            raise self._unreachable("the server cannot resume")
        if status in _PASSING or status >= 500:
            raise self._unreachable(f"the server answered {status}")
        if 300 <= status < 400:
            raise UrlNotAllowed(
                f"{shown(self._url)} redirects ({status}), which is not followed.", hint="Give the final URL."
            )
        raise NotThere(
            f"{shown(self._url)} cannot be fetched: the server answered {status}.",
            hint="Check that the URL is right, has not expired, and needs no login.",
        )

    async def _receive(self, response: httpx.Response) -> None:
        began, before = time.monotonic(), self._sink.size
        async for block in response.aiter_raw():
            if self._sink.size + len(block) > self._bounds.largest:
                raise self._too_large()
            self._sink.write(block)
            seconds = time.monotonic() - began
            if seconds > self._bounds.patience and self._sink.size - before < seconds * self._bounds.bytes_per_second:
                raise self._unreachable("the server sends too slowly")

    def _unreachable(self, reason: str) -> UrlUnreachable:
        return UrlUnreachable(f"{shown(self._url)} cannot be fetched: {reason}.", hint="Check that it is up.")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The file at {shown(self._url)} is larger than {self._bounds.largest:,} bytes.")


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return a value for If-Range that identifies this version of the file; None if none does, or it cannot resume."""
    if headers.get("accept-ranges", "").lower() == "none":
        return None
    tag = headers.get("etag", "")
    if tag.startswith('"'):
        return tag
    modified = headers.get("last-modified", "")
    try:
        # In the second in which it was written, it may be written again (RFC 9110, 8.8.2.2).
        settled = parsedate_to_datetime(headers.get("date", "")) > parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return None
    return modified if settled and not tag else None


def _content_range(header: str) -> tuple[int | None, int | None]:
    """Parse a Content-Range header into the part's start and the size of the whole, in bytes."""
    unit, _, rest = header.strip().partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0].strip()
    if unit.lower() != "bytes" or not (start.isascii() and start.isdigit()):
        return None, None
    return int(start), int(total) if total.isascii() and total.isdigit() else None
