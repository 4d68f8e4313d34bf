"""File downloads: byte ranges, file names, and 304 for unchanged files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from octavia.api.context import Context
from octavia.api.http.headers import Span, is_unchanged, requested_span
from octavia.files import fitted, portable
from octavia.jobs.tables import contents
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import JobRecord
from octavia.text.filenames import film_name

_BLOCK = 256 * 1024

Read = Callable[[Span], Awaitable[AsyncIterator[bytes]]]
"""Opens a span of a file for reading; a missing file is an error here, before the answer starts."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to download.

    Parameters:
      name: The name to save it under.
      etag: Without quotes; different for every content.
      size: In bytes; None if not known in advance, which excludes ranges.
    """

    name: str
    media_type: str
    etag: str
    size: int | None
    read: Read


async def send(request: Request, file: File) -> Response:
    """Return the answer to GET or HEAD. Raises ``RangeNotSatisfiable`` if the requested range begins behind the end."""
    etag = f'"{file.etag}"'
    headers = {
        "etag": etag,
        "accept-ranges": "none" if file.size is None else "bytes",
        # After another run of the job, the address has another file: clients must ask each time, by ETag.
        "cache-control": "private, no-cache",
        "content-disposition": _disposition(file.name),
    }
    if is_unchanged(request.headers, etag):
        return Response(status_code=304, headers=headers)
    if file.size is None:
        part, span = None, Span(0, 0)
    else:
        # RFC 9110 defines ranges for GET only.
        part = requested_span(request.headers, file.size, etag) if request.method == "GET" else None
        span = part or Span(0, file.size)
        headers["content-length"] = str(span.end - span.start)
    if part:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{file.size}"
    answer: dict[str, Any] = {"status_code": 206 if part else 200, "headers": headers, "media_type": file.media_type}
    if request.method == "HEAD":
        return Response(**answer)
    return StreamingResponse(await file.read(span), **answer)


def name_for(job: JobRecord, name: str) -> str:
    """Return the name to save a result under, after its recording: ``talk.transcript.srt``; a film: ``talk.es.mp4``.

    It is a plain name on the client's system, whichever that is.
    """
    given = job.input["filename"]
    stem = portable(given.rpartition(".")[0] or given).lstrip(".~- ") or "media"
    return film_name(stem, job.result_language, name) or fitted(stem, f".{name}")


def in_memory(data: bytes) -> Read:
    """Return a reader of bytes in memory."""

    async def read(span: Span) -> AsyncIterator[bytes]:
        async def blocks() -> AsyncIterator[bytes]:
            yield data[span.start : span.end]

        return blocks()

    return read


def stored(context: Context, artifact: ArtifactRecord) -> Read:
    """Return a reader of a result in storage, block by block."""

    async def read(span: Span) -> AsyncIterator[bytes]:
        file = await context.io(contents.opened, context.storage, artifact)

        async def blocks() -> AsyncIterator[bytes]:
            left = span.end - span.start
            try:
                await context.io(file.seek, span.start)
                while left > 0:
                    block = await context.io(file.read, min(_BLOCK, left))
                    if not block:
                        raise EOFError(f"{artifact.storage_key} is shorter than it was")
                    left -= len(block)
                    yield block
            finally:
                with CancelScope(shield=True):
                    await context.io(file.close)

        return blocks()

    return read


def _disposition(name: str) -> str:
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
