"""The synchronous client."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

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


class Octavia:
    """A client of the HTTP API; to be closed, or used as ``with Octavia(…) as octavia``.

    What gets no answer, 429 or 503 is sent again, after the ``Retry-After`` of the server; that makes no job twice.

    Parameters:
      base_url: Of the server, without ``/api/v1``.
      api_key: A key such as ``oct_…``, if the server asks for one.
      timeout: The seconds that a server may be silent in the middle of a request.
      retries: How often a request is sent again.
      patience: For how many seconds ``wait``, ``watch`` and ``download`` bear a server that does not answer.
      transport: Of httpx, as for a proxy.

    Every method raises ``ApiError`` when the server answers with an error, and ``Unreachable`` when it does not answer.
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
        self._connection = Connection(base_url, api_key, timeout=timeout, patience=patience)
        again = RetryTransport(transport or httpx.HTTPTransport(), retrying(retries))
        self._http = httpx.Client(transport=again, **self._connection.options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, type: str, *, idempotency_key: str | None = None, **fields: Unpack[Submission]) -> Job:
        """Submit a job: ``submit("dub", file="talk.mp4", target_language="es")``.

        Parameters:
          type: transcribe, translate, synthesize or dub.
          idempotency_key: Of your own, so that a program that is started again makes the same job, not another.
          fields: As ``Submission``; docs/api.md says what each is.
        """
        with calls.submit(type, idempotency_key=idempotency_key, **fields) as call:
            return self._send(call)

    def get(self, job_id: JobId) -> Job:
        """All about a job."""
        return self._send(calls.get(job_id))

    def status(self, job_id: JobId) -> Status:
        """How far a job is."""
        return self._send(calls.status(job_id))

    def list(self, *, limit: int | None = None, **filters: Unpack[Filters]) -> Iterator[Job]:
        """Your jobs, newest first, page after page: all, or ``limit`` of them."""
        cursor, count = None, 0
        while size := calls.page_size(limit, count):
            page = self._send(calls.page(filters, size, cursor))
            yield from page.jobs
            count, cursor = count + len(page.jobs), page.next_cursor
            if cursor is None:
                return

    def start(self, job_id: JobId) -> Job:
        """Get a job under way that was submitted with ``start=False``."""
        return self._send(calls.start(job_id))

    def cancel(self, job_id: JobId) -> Job:
        """Cancel a job; it may take a moment until it says so."""
        return self._send(calls.cancel(job_id))

    def retry(self, job_id: JobId, *, from_stage: str | None = None, idempotency_key: str | None = None) -> Job:
        """Run a job again: what is not completed, or all from a stage on."""
        return self._send(calls.retry(job_id, from_stage, idempotency_key))

    def utterances(self, job_id: JobId) -> Utterances:
        """What is said in a job that has completed, sentence by sentence, and of which revision that is."""
        found = self._send(calls.utterances(job_id, None))
        while found.next_cursor is not None:
            found = self._send(calls.utterances(job_id, found))
        return found

    def edit(
        self, job_id: JobId, edits: Mapping[str, UtteranceEdit], *, etag: str, idempotency_key: str | None = None
    ) -> Job:
        """Mend utterances, all of them or none: a new run of the job redoes what that touches, and nothing else.

        Parameters:
          edits: By the utterance's id, what is mended of it: ``{"0-3": {"translation": "Hola."}}``.
          etag: The one that ``utterances`` gave, so that nobody's work is undone unseen; ``*``: whatever is there.

        Raises:
          RequestRefused: ``precondition_failed``: the utterances are others by now; or an edit is wrong.
        """
        return self._send(calls.edit(job_id, edits, etag, idempotency_key))

    def delete(self, job_id: JobId) -> None:
        """Delete a job and all that it made."""
        self._send(calls.delete(job_id))

    def wait(self, job_id: JobId, timeout: float | None = None) -> Job:
        """The job once it has ended, however; asks for its status now and then.

        Raises:
          WaitTimeout: It has not, after so many seconds.
        """
        looks, patience = Looks(timeout), Patience(self._connection.patience)
        while True:
            pause = 0.0
            try:
                if self.status(job_id).ended:
                    return self.get(job_id)
                patience.regained()
            except Unavailable as error:
                pause = patience.lost(error)
            time.sleep(looks.pause(pause))

    def watch(self, job_id: JobId, *, after: int = 0, on_lost: OnLost | None = None) -> Iterator[Event]:
        """What happens to a job, as it happens, until it has ended; connects again whenever it must.

        Parameters:
          after: The number of the last event that is known.
          on_lost: Called with the error when the connection is lost, and with None when there is one again.
        """
        watching = Watching(job_id, after, self._connection.patience, on_lost)
        while True:
            try:
                with self._stream(watching.path, watching.arguments(self._connection.timeout)) as answer:
                    if not watching.connected(answer):
                        return
                    for sent in EventSource(answer).iter_sse():
                        yield watching.event(sent)
                pause = watching.ended()
            except Unavailable as error:
                pause = watching.lost(error)
            time.sleep(pause)

    def artifacts(self, job_id: JobId, revision: int | None = None) -> tuple[Artifact, ...]:
        """The files that a job made; those of one that did not come to its end are ``partial``.

        Parameters:
          revision: An earlier one; None: the current one.
        """
        return self._send(calls.artifacts(job_id, revision))

    def transcript(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """What was said, as txt, json, srt, vtt, ass or ttml."""
        return self._send(calls.text(job_id, "transcript", format, lines))

    def translation(self, job_id: JobId, format: str = "txt", **lines: Unpack[Lines]) -> str:
        """The same in the other language."""
        return self._send(calls.text(job_id, "translation", format, lines))

    def bilingual(self, job_id: JobId, format: str = "srt", **lines: Unpack[Lines]) -> str:
        """Subtitles in both languages, as srt, vtt, ass or ttml."""
        return self._send(calls.text(job_id, "bilingual", format, lines))

    def download(self, job_id: JobId, artifact: Artifact | str, to: Path | str = ".") -> Path:
        """Download a file that a job made, check it, and return where it is.

        A download that breaks off is gone on from, also by a later call.

        Parameters:
          artifact: One of ``artifacts``, or its name.
          to: A folder that is there, or the path of the file to be.

        Raises:
          Damaged: What came is not what the job made.
        """
        found = named(self.artifacts(job_id), artifact) if isinstance(artifact, str) else artifact
        download = Download(job_id, found, Path(to), self._connection.patience)
        while not download.complete:
            try:
                with self._stream(download.path, download.arguments()) as answer:
                    download.begin(answer)
                    for block in answer.iter_bytes(BLOCK):
                        download.write(block)
                break
            except Unavailable as error:
                time.sleep(download.lost(error))
        return download.finish()

    def _send(self, call: Call[T]) -> T:
        try:
            answer = self._http.request(call.method, call.path, **arguments_of(call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(error, self._connection.base_url) from error
        return result(call, answer)

    @contextmanager
    def _stream(self, path: str, arguments: dict[str, Any]) -> Iterator[httpx.Response]:
        try:
            with self._http.stream("GET", path, **arguments) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(error, self._connection.base_url) from error
