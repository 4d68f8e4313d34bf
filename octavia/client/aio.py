"""The asynchronous client, for asyncio."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import anyio
import anyio.to_thread
import httpx
from httpx_retries import RetryTransport
from httpx_sse import EventSource

from octavia.client import calls
from octavia.client.answers import Artifact, Event, Job, Status, Utterances
from octavia.client.calls import Call, Filters, JobId, Lines, Submission, UtteranceEdit
from octavia.client.connection import Connection, arguments_of, result
from octavia.client.downloads import BLOCK, Download, named
from octavia.client.errors import error_of, unreachable
from octavia.client.patience import Looks, Patience, retrying
from octavia.client.watching import OnLost, Watching
from octavia.errors import Unavailable
from octavia.links import LOCAL_URL

T = TypeVar("T")


class AsyncOctavia:
    """As ``Octavia``, whose methods say what these do; to be used as ``async with AsyncOctavia(…) as octavia``."""

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
        self._connection = Connection(base_url, api_key, timeout=timeout, patience=patience)
        again = RetryTransport(transport or httpx.AsyncHTTPTransport(), retrying(retries))
        self._http = httpx.AsyncClient(transport=again, **self._connection.options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(self, type: str, *, idempotency_key: str | None = None, **fields: Unpack[Submission]) -> Job:
        """Submit a job: ``submit("dub", file="talk.mp4", target_language="es")``.

        Parameters:
          type: transcribe, translate, synthesize or dub.
          idempotency_key: Of your own, so that a program that is started again makes the same job, not another.
          fields: As ``Submission``; docs/api.md says what each is.
        """
        with calls.submit(type, idempotency_key=idempotency_key, **fields) as call:
            return await self._send(call)

    async def get(self, job_id: JobId) -> Job:
        """All about a job."""
        return await self._send(calls.get(job_id))

    async def status(self, job_id: JobId) -> Status:
        """How far a job is."""
        return await self._send(calls.status(job_id))

    async def list(self, *, limit: int | None = None, **filters: Unpack[Filters]) -> AsyncIterator[Job]:
        """Your jobs, newest first, page after page: all, or ``limit`` of them."""
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = await self._send(calls.page(filters, size, cursor))
            for job in page.jobs:
                yield job
            count, cursor = count + len(page.jobs), page.next_cursor
            if cursor is None:
                return

    async def start(self, job_id: JobId) -> Job:
        """Get a job under way that was submitted with ``start=False``."""
        return await self._send(calls.start(job_id))

    async def cancel(self, job_id: JobId) -> Job:
        """Cancel a job; it may take a moment until it says so."""
        return await self._send(calls.cancel(job_id))

    async def retry(self, job_id: JobId, *, from_stage: str | None = None, idempotency_key: str | None = None) -> Job:
        """Run a job again: what is not completed, or all from a stage on."""
        return await self._send(calls.retry(job_id, from_stage, idempotency_key))

    async def utterances(self, job_id: JobId) -> Utterances:
        """What is said in a job that has completed, sentence by sentence, and of which revision that is."""
        found = await self._send(calls.utterances(job_id, None))
        while found.next_cursor is not None:
            found = await self._send(calls.utterances(job_id, found))
        return found

    async def edit(
        self, job_id: JobId, edits: Mapping[str, UtteranceEdit], *, etag: str, idempotency_key: str | None = None
    ) -> Job:
        """Mend utterances, all of them or none: a new run of the job redoes what that touches, and nothing else.

        Parameters:
          edits: By the utterance's id, what is mended of it: ``{"0-3": {"translation": "Hola."}}``.
          etag: The one that ``utterances`` gave, so that nobody's work is undone unseen; ``*``: whatever is there.

        Raises:
          RequestRefused: ``precondition_failed``: the utterances are others by now; or an edit is wrong.
        """
        return await self._send(calls.edit(job_id, edits, etag, idempotency_key))

    async def delete(self, job_id: JobId) -> None:
        """Delete a job and all that it made."""
        await self._send(calls.delete(job_id))

    async def wait(self, job_id: JobId, timeout: float | None = None) -> Job:  # noqa: ASYNC109
        """The job once it has ended, however; asks for its status now and then."""
        looks, patience = Looks(timeout), Patience(self._connection.patience)
        while True:
            pause = 0.0
            try:
                if (await self.status(job_id)).ended:
                    return await self.get(job_id)
                patience.regained()
            except Unavailable as error:
                pause = patience.lost(error)
            await anyio.sleep(looks.pause(pause))

    async def watch(self, job_id: JobId, *, after: int = 0, on_lost: OnLost | None = None) -> AsyncIterator[Event]:
        """What happens to a job, as it happens, until it has ended; connects again whenever it must."""
        watching = Watching(job_id, after, self._connection.patience, on_lost)
        while True:
            try:
                async with self._stream(watching.path, watching.arguments(self._connection.timeout)) as answer:
                    if not watching.connected(answer):
                        return
                    async for sent in EventSource(answer).aiter_sse():
                        yield watching.event(sent)
                pause = watching.ended()
            except Unavailable as error:
                pause = watching.lost(error)
            await anyio.sleep(pause)

    async def artifacts(self, job_id: JobId, revision: int | None = None) -> tuple[Artifact, ...]:
        """The files that a job made; those of one that did not come to its end are ``partial``.

        Parameters:
          revision: An earlier one; None: the current one.
        """
        return await self._send(calls.artifacts(job_id, revision))

    async def transcript(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """What was said, as txt, json, srt, vtt, ass or ttml."""
        return await self._send(calls.text(job_id, "transcript", format, lines))

    async def translation(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """The same in the other language."""
        return await self._send(calls.text(job_id, "translation", format, lines))

    async def bilingual(self, job_id: JobId, format: str = "srt", **lines: Unpack[Lines]) -> str:
        """Subtitles in both languages, as srt, vtt, ass or ttml."""
        return await self._send(calls.text(job_id, "bilingual", format, lines))

    async def download(self, job_id: JobId, artifact: Artifact | str, to: Path | str = ".") -> Path:
        """Download a file that a job made, check it, and return where it is."""
        found = named(await self.artifacts(job_id), artifact) if isinstance(artifact, str) else artifact
        download = Download(job_id, found, Path(to), self._connection.patience)
        while not download.complete:
            try:
                async with self._stream(download.path, download.arguments()) as answer:
                    await anyio.to_thread.run_sync(download.begin, answer)
                    async for block in answer.aiter_bytes(BLOCK):
                        await anyio.to_thread.run_sync(download.write, block)
                break
            except Unavailable as error:
                await anyio.sleep(download.lost(error))
        return await anyio.to_thread.run_sync(download.finish)

    async def _send(self, call: Call[T]) -> T:
        try:
            answer = await self._http.request(call.method, call.path, **arguments_of(call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(error, self._connection.base_url) from error
        return result(call, answer)

    @asynccontextmanager
    async def _stream(self, path: str, arguments: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream("GET", path, **arguments) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_of(answer)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(error, self._connection.base_url) from error
