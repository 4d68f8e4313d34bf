"""Bring a job's recording here, where it was given by its address."""

import re
from typing import Any, Final

import anyio
import httpx

from octavia import outbound
from octavia.errors import InputError, LeaseLost, NotFound, OctaviaError, TaskFailed
from octavia.jobs.tables.records import stored_input
from octavia.outbound.download import Bounds, Fetched, NotThere, TooLarge, download
from octavia.storage import ObjectWriter
from octavia.text.filenames import name_in_disposition
from octavia.work import Work

_CHECK_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 10.0
# Of the hard limit of loading and fetching, past which the whole process is killed.
_SHARE: Final = 0.9
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,50}/[\w.+-]{1,50}", re.ASCII)


class InputNotFound(InputError):
    """The server has no such file."""

    code = "input_not_found"


class InputUnreachable(TaskFailed):
    """The server does not answer, or breaks off."""

    code = "input_unreachable"


def recording(work: Work) -> str:
    """The storage key of the job's recording, which is fetched first if no attempt has done so.

    Raises:
      InputError: ``url_not_allowed``, ``input_not_found``, ``upload_too_large`` or ``empty_file``.
      TaskFailed: ``input_unreachable``.
    """
    given = work.job.input
    if "key" in given:
        return str(given["key"])
    if "url" not in given:
        raise NotFound("The recording is gone.", code="artifact_missing", hint="Submit it again.")
    fetched = _fetch(work, given)
    if not work.input_fetched(fetched):
        raise LeaseLost("Another worker holds this task.")
    return str(fetched["key"])


def _fetch(work: Work, given: dict[str, Any]) -> dict[str, Any]:
    kept = _Kept(work)
    try:
        # It takes as long as the network does, like a model that is fetched, and not as long as the recording is.
        with work.loading():
            found = anyio.run(_download, work, given["url"], kept)
        if not kept.size:
            raise InputError("The file at this address is empty.", code="empty_file", hint="Send a recording.")
        stored = kept.writer.finish()
    except BaseException as error:
        kept.writer.discard()
        told = _told(error, work)
        if told is None:
            raise
        raise told from error
    content_type = found.content_type.partition(";")[0].strip()
    return stored_input(
        "url",
        stored,
        filename=name_in_disposition(found.disposition) or given["filename"],
        media_type=content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream",
    )


async def _download(work: Work, url: str, kept: "_Kept") -> Fetched:
    settings = work.settings
    timeout = httpx.Timeout(settings.body_timeout_seconds, connect=_CONNECT_SECONDS)
    bounds = Bounds(settings.max_upload_bytes, settings.body_bytes_per_second, settings.body_timeout_seconds)

    async def watch() -> None:
        while True:
            work.checkpoint(0.0)
            await anyio.sleep(_CHECK_SECONDS)

    try:
        async with outbound.client(settings, timeout=timeout) as client, anyio.create_task_group() as group:
            group.start_soon(watch)
            with anyio.fail_after(settings.load_limit_seconds * _SHARE):
                found = await download(client, url, kept, bounds)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # The first is the cause: whoever fails ends the other.
        raise errors.exceptions[0] from None
    return found


def _told(error: BaseException, work: Work) -> OctaviaError | None:
    """What went wrong, as an error of the job; None if it is one already."""
    match error:
        case TimeoutError():
            return InputUnreachable(
                f"Fetching the recording took more than {work.settings.load_limit_seconds * _SHARE:.0f} s.",
                hint="Put it where it can be fetched faster, or upload it.",
            )
        case outbound.UrlUnreachable():
            return InputUnreachable(error.message, hint=error.hint)
        case NotThere():
            return InputNotFound(error.message, hint=error.hint)
        case TooLarge():
            hint = "Compress or cut it, or have the operator raise OCTAVIA_MAX_UPLOAD_BYTES."
            return InputError(error.message, code="upload_too_large", hint=hint)
        case _:
            return None


class _Kept:
    """What was fetched so far, on its way into storage."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.writer: ObjectWriter
        self._open()

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.writer.size

    def write(self, block: bytes) -> None:
        """Append a block."""
        self.writer.write(block)

    def restart(self) -> None:
        """Begin anew."""
        self.writer.discard()
        self._open()

    def _open(self) -> None:
        self.writer = self._work.writer("input")
        self.writer.open()
