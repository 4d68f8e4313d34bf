"""Refuses subtitles at their submission, as far as that takes little time; a worker reads them whole."""

from typing import Any

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter
from anyio.lowlevel import RunVar

from octavia.api.context import Context
from octavia.errors import InputError
from octavia.text import cue_files

_LIMITER: RunVar[CapacityLimiter] = RunVar("octavia.api.submission.subtitles")


async def check_subtitles(context: Context, stored: dict[str, Any], *, field: str) -> None:
    """Check the size of subtitles, and each row of a ``transcript.json``; what is refused is deleted.

    A transcript needs no sandbox: the parser of JSON is Python's own, how many values it makes is bounded before, and
    it keeps other threads waiting for a quarter of a second at most. One is checked at a time, so that their values do
    not fill the memory.

    Parameters:
      stored: The ``input`` of the job; nothing is checked of anything but subtitles.
      field: Of the request, for errors.

    Raises:
      InputError: ``text_too_long``, or as ``cue_files.read``.
    """
    if stored["kind"] != "subtitles":
        return
    try:
        cue_files.check_size(stored["size"], most_chars=context.settings.max_text_chars)
        if stored["format"] == "json":
            await anyio.to_thread.run_sync(_read, context, stored["key"], limiter=_limiter())
    except BaseException as error:
        if isinstance(error, InputError):
            error.field = field
        with CancelScope(shield=True):
            await context.io(context.storage.delete, stored["key"])
        raise


def _read(context: Context, key: str) -> None:
    settings = context.settings
    cue_files.read(
        context.storage.get(key), "json", longest_seconds=settings.max_media_seconds, most_chars=settings.max_text_chars
    )


def _limiter() -> CapacityLimiter:
    """Return the limiter of this event loop."""
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(CapacityLimiter(1))
        return _LIMITER.get()
