"""The asynchronous client, for asyncio."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

import anyio
import anyio.to_thread
import httpx
from httpx_retries import RetryTransport
from httpx_sse import EventSource

from octavia.client import calls
from octavia.client.answers import Artifact, Delivery, Event, Job, LogEntry, Status, Utterances
from octavia.client.calls import Call, Filters, JobId, Lines, Submission, UtteranceEdit
from octavia.client.connection import arguments_of, connection_options, result
from octavia.client.downloads import BLOCK, Download, find_artifact
from octavia.client.errors import error_of, reporting_unreachable
from octavia.client.patience import Patience, Polling, retrying
from octavia.client.watching import OnLost, Watching
from octavia.errors import Unavailable
from octavia.links import LOCAL_URL

T = TypeVar("T")


class AsyncOctavia:
    """The client for asyncio: ``async with AsyncOctavia(…) as octavia``. ``Octavia`` documents the methods."""

    def __init__(
        self,
        base_url: str = LOCAL_URL,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 5,
        patience: float = 300.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = patience
        again = RetryTransport(transport or httpx.AsyncHTTPTransport(), retrying(retries))
        self._http = httpx.AsyncClient(transport=again, **connection_options(base_url, api_key, timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(self, type: str, *, idempotency_key: str | None = None, **fields: Unpack[Submission]) -> Job:
        """Submit a job: ``submit("dub", file="talk.mp4", target_language="es")``."""
        with calls.submit(type, idempotency_key=idempotency_key, **fields) as call:
            return await self._send(call)

    async def get(self, job_id: JobId) -> Job:
        """Get a job with all its fields."""
        return await self._send(calls.get(job_id))

    async def status(self, job_id: JobId) -> Status:
        """Get the progress of a job, its place in the queue, and its expected end."""
        return await self._send(calls.status(job_id))

    async def log(self, job_id: JobId) -> AsyncIterator[LogEntry]:
        """Iterate over what happened to a job, in order: attempts, retries and their reasons, runs, its end."""
        cursor = None
        while True:
            page = await self._send(calls.log(job_id, calls.LOG_PAGE, cursor))
            for entry in page.entries:
                yield entry
            cursor = page.next_cursor
            if cursor is None:
                return

    async def list(self, *, limit: int | None = None, **filters: Unpack[Filters]) -> AsyncIterator[Job]:
        """Iterate over the jobs of the key's owner, newest first: all that match the filters, or ``limit`` of them."""
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = await self._send(calls.page(filters, size, cursor))
            for job in page.jobs:
                yield job
            count, cursor = count + len(page.jobs), page.next_cursor
            if cursor is None:
                return

    async def start(self, job_id: JobId) -> Job:
        """Start a job that was submitted with ``start=False``."""
        return await self._send(calls.start(job_id))

    async def cancel(self, job_id: JobId) -> Job:
        """Cancel a job; a running one becomes ``canceled`` a moment later."""
        return await self._send(calls.cancel(job_id))

    async def retry(self, job_id: JobId, *, from_stage: str | None = None, idempotency_key: str | None = None) -> Job:
        """Run an ended job again: its unfinished tasks, or everything from one stage on."""
        return await self._send(calls.retry(job_id, from_stage, idempotency_key))

    async def utterances(self, job_id: JobId) -> Utterances:
        """Get the utterances of a completed job, with their revision and the ``etag`` for ``edit``."""
        found = await self._send(calls.utterances(job_id, None))
        while found.next_cursor is not None:
            found = await self._send(calls.utterances(job_id, found))
        return found

    async def edit(
        self, job_id: JobId, edits: Mapping[str, UtteranceEdit], *, etag: str, idempotency_key: str | None = None
    ) -> Job:
        """Edit utterances, either all or none. A new run of the job redoes only the parts that depend on them."""
        return await self._send(calls.edit(job_id, edits, etag, idempotency_key))

    async def delete(self, job_id: JobId) -> None:
        """Delete a job and its files."""
        await self._send(calls.delete(job_id))

    async def wait(self, job_id: JobId, timeout: float | None = None) -> Job:  # noqa: ASYNC109
        """Ask for the status of a job until it has completed, failed or been canceled; return the job."""
        polling, patience = Polling(timeout), Patience(self._patience)
        while True:
            pause = 0.0
            try:
                if (await self.status(job_id)).ended:
                    return await self.get(job_id)
                patience.regained()
            except Unavailable as error:
                pause = patience.lost(error)
            await anyio.sleep(polling.pause(pause))

    async def watch(self, job_id: JobId, *, after: int = 0, on_lost: OnLost | None = None) -> AsyncIterator[Event]:
        """Iterate over the events of a job as they happen, until it ends. Reconnects when the connection is lost."""
        watching = Watching(job_id, after, self._patience, on_lost)
        while True:
            try:
                async with self._stream(watching.path, watching.arguments(self._http.timeout)) as answer:
                    if not watching.connected(answer):
                        return
                    async for sent in EventSource(answer).aiter_sse():
                        yield watching.event(sent)
                pause = watching.ended()
            except Unavailable as error:
                pause = watching.lost(error)
            await anyio.sleep(pause)

    async def webhooks(
        self, *, status: str | None = None, all_owners: bool = False, limit: int | None = None
    ) -> AsyncIterator[Delivery]:
        """Iterate over the webhooks of all jobs, newest first, for example with the status ``failed``."""
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = await self._send(calls.webhooks(status, size, cursor, all_owners=all_owners))
            for delivery in page.webhooks:
                yield delivery
            count, cursor = count + len(page.webhooks), page.next_cursor
            if cursor is None:
                return

    async def redeliver(self, delivery_id: UUID | str, *, all_owners: bool = False) -> Delivery:
        """Deliver a webhook again at once, under its id, with repeats as for a new one."""
        return await self._send(calls.redeliver(delivery_id, all_owners=all_owners))

    async def artifacts(self, job_id: JobId, revision: int | None = None) -> tuple[Artifact, ...]:
        """List the files of a job; those of a job that has not completed are ``partial``."""
        return await self._send(calls.artifacts(job_id, revision))

    async def transcript(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """Get the transcript as txt, json, srt, vtt, ass or ttml."""
        return await self._send(calls.text(job_id, "transcript", format, lines))

    async def translation(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """Get the translation as txt, json, srt, vtt, ass or ttml."""
        return await self._send(calls.text(job_id, "translation", format, lines))

    async def bilingual(self, job_id: JobId, format: str = "srt", **lines: Unpack[Lines]) -> str:
        """Get subtitles in both languages as srt, vtt, ass or ttml."""
        return await self._send(calls.text(job_id, "bilingual", format, lines))

    async def download(self, job_id: JobId, artifact: Artifact | str, to: Path | str = ".") -> Path:
        """Download a file of a job, verify its sha256, and return its path."""
        found = find_artifact(await self.artifacts(job_id), artifact) if isinstance(artifact, str) else artifact
        download = Download(job_id, found, Path(to), self._patience)
        while not download.complete:
            try:
                async with self._stream(download.path, download.arguments()) as answer:
                    await anyio.to_thread.run_sync(download.begin, answer)
                    async for block in answer.aiter_bytes(BLOCK):
                        await anyio.to_thread.run_sync(download.write, block)
                break
            except Unavailable as error:
                await anyio.sleep(download.patience.lost(error))
        return await anyio.to_thread.run_sync(download.finish)

    async def play(self, job_id: JobId) -> AsyncIterator[bytes]:
        """Receive the sound of a dub while it is made, as AAC, until all is spoken or the job ends."""
        async with self._stream(calls.path_of(job_id, "audio"), calls.unhurried(self._http.timeout)) as answer:
            async for block in answer.aiter_bytes():
                yield block

    async def _send(self, call: Call[T]) -> T:
        with reporting_unreachable(self._http.base_url):
            answer = await self._http.request(call.method, call.path, **arguments_of(call))
        return result(call, answer)

    @asynccontextmanager
    async def _stream(self, path: str, arguments: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        with reporting_unreachable(self._http.base_url):
            async with self._http.stream("GET", path, **arguments) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_of(answer)
                yield answer
