"""The synchronous client."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

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


class Octavia:
    """A client of the HTTP API. Close it after use, or write ``with Octavia(…) as octavia``.

    Requests without an answer, or with status 429, 502, 503 or 504, are sent again, after the ``Retry-After`` of the
    server. This creates no job twice.

    Parameters:
      base_url: Address of the server, without ``/api/v1``.
      api_key: A key such as ``oct_…``, if the server requires one.
      timeout: Seconds that the server may be silent during a request.
      retries: The most times that a request is sent again.
      patience: Seconds that ``wait``, ``watch`` and ``download`` tolerate a server that does not answer.
      transport: An httpx transport, for example with a proxy.

    Every method raises ``ApiError`` if the server answers with an error, ``Unreachable`` if it does not answer, and
    ``InputError`` (``invalid_job_id``) for an id that is not a UUID.
    """

    def __init__(
        self,
        base_url: str = LOCAL_URL,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 5,
        patience: float = 300.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience
        again = RetryTransport(transport or httpx.HTTPTransport(), retrying(retries))
        self._http = httpx.Client(transport=again, **connection_options(base_url, api_key, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, type: str, *, idempotency_key: str | None = None, **fields: Unpack[Submission]) -> Job:
        """Submit a job: ``submit("dub", file="talk.mp4", target_language="es")``.

        Parameters:
          type: transcribe, translate, synthesize or dub.
          idempotency_key: Your own id of this submission; repeating it, even in another process, returns the same job.
          fields: Those of ``Submission``; docs/api.md explains them.

        Raises:
          OSError: The file cannot be read.
          RequestRefused: A field is wrong; its ``field`` names it.
        """
        with calls.submit(type, idempotency_key=idempotency_key, **fields) as call:
            return self._send(call)

    def get(self, job_id: JobId) -> Job:
        """Get a job with all its fields."""
        return self._send(calls.get(job_id))

    def status(self, job_id: JobId) -> Status:
        """Get the progress of a job, its place in the queue, and its expected end."""
        return self._send(calls.status(job_id))

    def log(self, job_id: JobId) -> Iterator[LogEntry]:
        """Iterate over what happened to a job, in order: attempts, retries and their reasons, runs, its end."""
        cursor = None
        while True:
            page = self._send(calls.log(job_id, calls.LOG_PAGE, cursor))
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def list(self, *, limit: int | None = None, **filters: Unpack[Filters]) -> Iterator[Job]:
        """Iterate over the jobs of the key's owner, newest first: all that match the filters, or ``limit`` of them."""
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = self._send(calls.page(filters, size, cursor))
            yield from page.jobs
            count, cursor = count + len(page.jobs), page.next_cursor
            if cursor is None:
                return

    def start(self, job_id: JobId) -> Job:
        """Start a job that was submitted with ``start=False``."""
        return self._send(calls.start(job_id))

    def cancel(self, job_id: JobId) -> Job:
        """Cancel a job; a running one becomes ``canceled`` a moment later."""
        return self._send(calls.cancel(job_id))

    def retry(self, job_id: JobId, *, from_stage: str | None = None, idempotency_key: str | None = None) -> Job:
        """Run an ended job again.

        Parameters:
          from_stage: Redo this stage, such as ``translate``, and all later ones; None redoes unfinished tasks only.

        Raises:
          ConflictError: The job has not ended, or it completed and ``from_stage`` is None.
        """
        return self._send(calls.retry(job_id, from_stage, idempotency_key))

    def utterances(self, job_id: JobId) -> Utterances:
        """Get the utterances of a completed job, with their revision and the ``etag`` for ``edit``."""
        found = self._send(calls.utterances(job_id, None))
        while found.next_cursor is not None:
            found = self._send(calls.utterances(job_id, found))
        return found

    def edit(
        self, job_id: JobId, edits: Mapping[str, UtteranceEdit], *, etag: str, idempotency_key: str | None = None
    ) -> Job:
        """Edit utterances, either all or none. A new run of the job redoes only the parts that depend on them.

        Parameters:
          edits: New values of fields by the id of their utterance: ``{"0-3": {"translation": "Hola."}}``.
          etag: That of ``utterances``, so that the edits of others are not overwritten; ``*`` overwrites them.

        Raises:
          RequestRefused: ``precondition_failed``: the utterances have changed; or an edit is invalid.
        """
        return self._send(calls.edit(job_id, edits, etag, idempotency_key))

    def delete(self, job_id: JobId) -> None:
        """Delete a job and its files."""
        self._send(calls.delete(job_id))

    def wait(self, job_id: JobId, timeout: float | None = None) -> Job:
        """Ask for the status of a job until it has completed, failed or been canceled; return the job.

        Raises ``WaitTimeout`` after ``timeout`` seconds; None waits for as long as it takes.
        """
        polling, patience = Polling(timeout), Patience(self._patience)
        while True:
            pause = 0.0
            try:
                if self.status(job_id).ended:
                    return self.get(job_id)
                patience.regained()
            except Unavailable as error:
                pause = patience.lost(error)
            time.sleep(polling.pause(pause))

    def watch(self, job_id: JobId, *, after: int = 0, on_lost: OnLost | None = None) -> Iterator[Event]:
        """Iterate over the events of a job as they happen, until it ends. Reconnects when the connection is lost.

        Parameters:
          after: The id of the last known event; 0 begins with the first.
          on_lost: Called with the error when the connection is lost, and with None when it is back.
        """
        watching = Watching(job_id, after, self._patience, on_lost)
        while True:
            try:
                with self._stream(watching.path, watching.arguments(self._http.timeout)) as answer:
                    if not watching.connected(answer):
                        return
                    for sent in EventSource(answer).iter_sse():
                        yield watching.event(sent)
                pause = watching.ended()
            except Unavailable as error:
                pause = watching.lost(error)
            time.sleep(pause)

    def webhooks(
        self, *, status: str | None = None, all_owners: bool = False, limit: int | None = None
    ) -> Iterator[Delivery]:
        """Iterate over the webhooks of all jobs, newest first, for example with the status ``failed``.

        Parameters:
          all_owners: Those of other owners too; for keys with the scope ``admin``.
        """
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = self._send(calls.webhooks(status, size, cursor, all_owners=all_owners))
            yield from page.webhooks
            count, cursor = count + len(page.webhooks), page.next_cursor
            if cursor is None:
                return

    def redeliver(self, delivery_id: UUID | str, *, all_owners: bool = False) -> Delivery:
        """Deliver a webhook again at once, under its id, with repeats as for a new one."""
        return self._send(calls.redeliver(delivery_id, all_owners=all_owners))

    def artifacts(self, job_id: JobId, revision: int | None = None) -> tuple[Artifact, ...]:
        """List the files of a job, of ``revision`` or the current one; before it has completed they are ``partial``."""
        return self._send(calls.artifacts(job_id, revision))

    def transcript(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """Get the transcript as txt, json, srt, vtt, ass or ttml."""
        return self._send(calls.text(job_id, "transcript", format, lines))

    def translation(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """Get the translation as txt, json, srt, vtt, ass or ttml."""
        return self._send(calls.text(job_id, "translation", format, lines))

    def bilingual(self, job_id: JobId, format: str = "srt", **lines: Unpack[Lines]) -> str:
        """Get subtitles in both languages as srt, vtt, ass or ttml."""
        return self._send(calls.text(job_id, "bilingual", format, lines))

    def download(self, job_id: JobId, artifact: Artifact | str, to: Path | str = ".") -> Path:
        """Download a file of a job, verify its sha256, and return its path.

        An interrupted download is resumed, even by a later call.

        Parameters:
          artifact: One of ``artifacts``, or its name.
          to: An existing folder, or the path of the new file.

        Raises:
          Damaged: The sha256 differs from that of the server.
          NotFound: The job has no file of this name.
          OSError: The file cannot be written.
        """
        found = find_artifact(self.artifacts(job_id), artifact) if isinstance(artifact, str) else artifact
        download = Download(job_id, found, Path(to), self._patience)
        while not download.complete:
            try:
                with self._stream(download.path, download.arguments()) as answer:
                    download.begin(answer)
                    for block in answer.iter_bytes(BLOCK):
                        download.write(block)
                break
            except Unavailable as error:
                time.sleep(download.patience.lost(error))
        return download.finish()

    def play(self, job_id: JobId) -> Iterator[bytes]:
        """Receive the sound of a dub while it is made, as AAC, until all is spoken or the job ends.

        Of a completed job it is the whole dub, in the first of its formats. Each call begins at the beginning.

        Raises:
          NotFound: There is no such job, or it speaks nothing.
          ConflictError: The job was not started, or it ended without a result.
        """
        with self._stream(calls.path_of(job_id, "audio"), calls.unhurried(self._http.timeout)) as answer:
            yield from answer.iter_bytes()

    def _send(self, call: Call[T]) -> T:
        with reporting_unreachable(self._http.base_url):
            answer = self._http.request(call.method, call.path, **arguments_of(call))
        return result(call, answer)

    @contextmanager
    def _stream(self, path: str, arguments: dict[str, Any]) -> Iterator[httpx.Response]:
        with reporting_unreachable(self._http.base_url), self._http.stream("GET", path, **arguments) as answer:
            if not answer.is_success:
                answer.read()
                raise error_of(answer)
            yield answer
