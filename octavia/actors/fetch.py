"""Fetch a job's recording into storage, if the job has its address."""

import re
from typing import Any, Final

import anyio
import httpx

from octavia import outbound, tracing
from octavia.errors import InputError, LeaseLost, NotFound, OctaviaError, TaskFailed
from octavia.jobs.tables.records import stored_input
from octavia.outbound.download import Bounds, Fetched, NotThere, TooLarge, download
from octavia.storage import ObjectWriter, Space
from octavia.text.filenames import name_in_disposition
from octavia.work import Work

# Share of the hard limit for loading and fetching, past which the whole process is killed.
_SHARE: Final = 0.9
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,50}/[\w.+-]{1,50}", re.ASCII)


class InputNotFound(InputError):
    """The server has no such file."""

    code = "input_not_found"


class InputUnreachable(TaskFailed):
    """The server does not answer, or the connection breaks."""

    code = "input_unreachable"


def recording(work: Work) -> str:
    """The storage key of the job's recording, which is fetched first unless an earlier attempt has done so.

    Raises:
      InputError: ``url_not_allowed``, ``input_not_found``, ``upload_too_large`` or ``empty_file``.
      TaskFailed: ``input_unreachable``, or ``storage_full``: what is to stay free is for results, as with uploads.
      NotFound: ``artifact_missing``; the recording was deleted.
    """
    given = work.job.input
    if "key" in given:
        return str(given["key"])
    if "url" not in given:
        raise NotFound("The recording is gone.", code="artifact_missing", hint="Submit it again.")
    fetched = _fetch(work, given)
    if not work.input_fetched(fetched):
        # The key is this attempt's own.
        work.storage.delete(str(fetched["key"]))
        raise LeaseLost("Another worker holds this task.")
    return str(fetched["key"])


def _fetch(work: Work, given: dict[str, Any]) -> dict[str, Any]:
    target = _Target(work)
    try:
        # Like fetching a model, it takes as long as the network does, not in proportion to the recording.
        with work.loading(), tracing.span("fetch input"):
            found = anyio.run(_download, work, given["url"], target)
        if not target.size:
            raise InputError("The file at this address is empty.", code="empty_file", hint="Send a recording.")
        stored = target.writer.finish()
    except BaseException as error:
        target.writer.discard()
        if task_error := _task_error(error, work):
            raise task_error from error
        raise
    content_type = found.content_type.partition(";")[0].strip()
    return stored_input(
        "url",
        stored,
        filename=name_in_disposition(found.disposition) or given["filename"],
        media_type=content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream",
    )


async def _download(work: Work, url: str, target: "_Target") -> Fetched:
    settings = work.settings
    timeout = httpx.Timeout(settings.body_timeout_seconds, connect=10.0)
    bounds = Bounds(settings.max_upload_bytes, settings.body_bytes_per_second, settings.body_timeout_seconds)

    async def watch() -> None:
        while True:
            work.checkpoint(0.0)
            await anyio.sleep(0.5)

    try:
        async with outbound.client(settings, timeout=timeout) as client, anyio.create_task_group() as group:
            group.start_soon(watch)
            with anyio.fail_after(settings.load_limit_seconds * _SHARE):
                found = await download(client, url, target, bounds)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # The first is the cause: the task that fails cancels the other.
        raise errors.exceptions[0] from None
    return found


def _task_error(error: BaseException, work: Work) -> OctaviaError | None:
    """The job's error for a failed download; None if ``error`` is one already."""
    match error:
        case TimeoutError():
            return InputUnreachable(
                f"Fetching the recording took more than {work.settings.load_limit_seconds * _SHARE:.0f} s.",
                hint="Put it where it can be fetched faster, or send the file itself.",
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


class _Target:
    """The bytes fetched so far, on their way into storage."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._room = Space(work.storage.free, work.settings.min_free_bytes).reserve()
        self.writer: ObjectWriter
        self._open()

    @property
    def size(self) -> int:
        """Bytes written."""
        return self.writer.size

    def write(self, block: bytes) -> None:
        """Append a block."""
        self.writer.write(block)

    def restart(self) -> None:
        """Drop all bytes and begin again."""
        self.writer.discard()
        self._open()

    def _open(self) -> None:
        self.writer = self._work.writer("input", self._room)
        self.writer.open()
