"""A request waits for its job inside, and takes the job with it when it goes."""

from contextlib import suppress

import structlog
from anyio import CancelScope
from starlette.requests import ClientDisconnect, Request

from octavia.api.openai.errors import NO_RETRY, JobFailed, WaitedTooLong
from octavia.api.problems import STATUS
from octavia.api.services import Services, services
from octavia.api.waiting import until_ended
from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable
from octavia.jobs import cancel
from octavia.jobs.database import Database
from octavia.jobs.records import JobRecord
from octavia.jobs.states import JobStatus

log = structlog.get_logger()


class NoResult(Conflict):
    """Somebody canceled the job of a request."""

    code = "job_canceled"
    headers = NO_RETRY


async def finished(request: Request, job: JobRecord) -> JobRecord:
    """The job once it has completed. One that nobody waits for any more is canceled.

    Raises:
      WaitedTooLong, Unavailable: It did not end in time, or the API stops.
      JobFailed, InputError: It failed, by our fault or by the request's.
      NoResult, NotFound: It was canceled or deleted meanwhile.
      ClientDisconnect: The client went away.
    """
    parts = services(request)
    try:
        job = await until_ended(parts, job.id, job.owner, parts.settings.max_wait_seconds, request.is_disconnected)
    except BaseException:
        await leave(parts, job)
        raise
    if job.status.ended:
        check_completed(job)
        return job
    await leave(parts, job)
    if await request.is_disconnected():
        raise ClientDisconnect
    raise not_in_time(parts, job)


async def leave(parts: Services, job: JobRecord) -> None:
    """Cancel a job, unless it has ended; whoever waited for it goes."""
    with CancelScope(shield=True):
        try:
            await parts.db(_cancel_unless_ended, job, parts.settings.retention_days)
        except Unavailable as error:
            log.warning("job_not_canceled", job_id=str(job.id), reason=error.code)


def check_completed(job: JobRecord) -> None:
    """Go on only with a job that has a result.

    Raises:
      JobFailed, InputError: It failed.
      NoResult: It was canceled.
    """
    if job.status is JobStatus.COMPLETED:
        return
    if job.error is None:
        raise NoResult(f"The job {job.id} was canceled.", hint="Send the request again.")
    message = f"{job.error.message} (job {job.id})"
    if STATUS.get(job.error.code, 500) < 500:
        raise InputError(message, code=job.error.code, hint=job.error.hint)
    raise JobFailed(message, code=job.error.code, hint=job.error.hint)


def not_in_time(parts: Services, job: JobRecord) -> OctaviaError:
    """The error for a job that has not ended though nobody waits for it any more."""
    if parts.live.closed:
        return Unavailable("The API is stopping.", hint="Send the request again.")
    return WaitedTooLong(
        f"The job {job.id} did not end within {parts.settings.max_wait_seconds:.0f} s, and was canceled.",
        hint="Send long recordings to POST /api/v1/jobs, which does not wait.",
    )


def _cancel_unless_ended(db: Database, job: JobRecord, retention_days: float) -> None:
    with suppress(Conflict, NotFound):
        cancel.cancel(db, job.id, job.owner, retention_days=retention_days)
