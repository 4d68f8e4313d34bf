"""A request that waits for its job, and cancels it when the client leaves."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog
from anyio import CancelScope
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.identity import owner
from octavia.api.http.problems import PROBLEM_KINDS
from octavia.api.live.hub import hub_of
from octavia.api.live.waiting import until_ended
from octavia.api.openai.errors import NO_RETRY, JobFailed, WaitedTooLong
from octavia.api.submission.idempotency import HEADER, REPLAYED
from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable
from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.protocol import cancel
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus
from octavia.text.transcripts import Transcript

R = TypeVar("R", bound=Response)

log = structlog.get_logger()


class JobCanceled(Conflict):
    """A request's job was canceled by somebody else."""

    code = "job_canceled"
    headers = NO_RETRY


@dataclass(frozen=True, slots=True)
class AwaitedJob:
    """The job that a request waits for.

    Attributes:
      keyed: True if the request has an ``Idempotency-Key``: the job continues when its client leaves, because the
        client may come back for the answer.
      replayed: True if an earlier request with the same key made the job.
    """

    job: JobRecord
    keyed: bool
    replayed: bool

    def mark(self, answer: R) -> R:
        """Return an answer, with a header if it belongs to an earlier request."""
        if self.replayed:
            answer.headers.update(REPLAYED)
        return answer


async def awaited_job(request: Request, created: JobRecord | Recorded) -> AwaitedJob:
    """Return the job that a request made, or that of the first request with its key.

    Raises ``NotFound`` if the first request's job was deleted.
    """
    if isinstance(created, JobRecord):
        return AwaitedJob(created, keyed=HEADER in request.headers, replayed=False)
    assert created.job_id is not None
    job = await context_of(request).db(queries.get, created.job_id, owner(request))
    return AwaitedJob(job, keyed=True, replayed=True)


async def wait_for_completion(request: Request, awaited: AwaitedJob) -> JobRecord:
    """Wait until a job has completed; cancel it when nobody waits for it any more, or can come back for it.

    Raises:
      WaitedTooLong, Unavailable: The job did not end in time, or the API is stopping.
      JobFailed, InputError: The job failed, by our fault or by the request's.
      JobCanceled, NotFound: It was canceled or deleted meanwhile.
      InputError: ``invalid_key``: the request's key was revoked meanwhile.
      ClientDisconnect: The client disconnected.
    """
    try:
        job = await until_ended(request, awaited.job.id, context_of(request).settings.max_wait_seconds)
    except BaseException:
        await cancel_if_abandoned(request, awaited)
        raise
    if job.status.ended:
        await check_completed(request, awaited, job)
        return job
    await cancel_if_abandoned(request, awaited)
    if await request.is_disconnected():
        raise ClientDisconnect
    raise unfinished_error(request, awaited)


async def cancel_if_abandoned(request: Request, awaited: AwaitedJob) -> None:
    """Cancel a job that has not ended, unless its client may come back for the result."""
    if awaited.keyed:
        return
    with CancelScope(shield=True):
        try:
            await context_of(request).db(_cancel_unless_ended, awaited.job)
        except Unavailable as error:
            log.warning("job_not_canceled", job_id=str(awaited.job.id), reason=error.code)


async def check_completed(request: Request, awaited: AwaitedJob, job: JobRecord) -> None:
    """Raise the error of a job that ended without a result, and free the key of its request.

    Raises:
      JobFailed, InputError: The job failed.
      JobCanceled: It was canceled.
    """
    if job.status is JobStatus.COMPLETED:
        return
    if awaited.keyed:
        await context_of(request).db(idempotency.forget, job.id)
    if job.error is None:
        raise JobCanceled(f"The job {job.id} was canceled.", hint="Send the request again.")
    message = f"{job.error.message} (job {job.id})"
    kind = PROBLEM_KINDS.get(job.error.code)
    if kind is not None and kind.status < 500:
        raise InputError(message, code=job.error.code, hint=job.error.hint)
    raise JobFailed(message, code=job.error.code, hint=job.error.hint)


async def read_transcript(request: Request, job: JobRecord, *, translated: bool = False) -> Transcript:
    """Read the transcript of a completed job, or its translation."""
    context = context_of(request)
    artifact = await context.db(queries.artifact, job.id, "translation.json" if translated else "transcript.json")
    data = await context.io(contents.read, context.storage, artifact)
    return await context.io(Transcript.from_json, data, translated=translated)


def unfinished_error(request: Request, awaited: AwaitedJob) -> OctaviaError:
    """Return the error for a request that stops waiting before its job has ended."""
    if hub_of(request).closed:
        return Unavailable("The API is stopping.", hint="Send the request again.")
    return WaitedTooLong(awaited.job.id, context_of(request).settings.max_wait_seconds, goes_on=awaited.keyed)


def _cancel_unless_ended(db: Database, job: JobRecord) -> None:
    with suppress(Conflict, NotFound):
        cancel.cancel(db, job.id, job.owner)
