"""A request waits for its job inside, and takes the job with it when it goes."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import structlog
from anyio import CancelScope
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.identity import owner
from octavia.api.http.problems import PROBLEM_KINDS
from octavia.api.live.hub import Hub, hub_of
from octavia.api.live.position import key_of
from octavia.api.live.waiting import until_ended
from octavia.api.openai.errors import NO_RETRY, JobFailed, WaitedTooLong
from octavia.api.submission.idempotency import HEADER, REPLAYED
from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable
from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.protocol import cancel
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus

R = TypeVar("R", bound=Response)

log = structlog.get_logger()


class NoResult(Conflict):
    """Somebody canceled the job of a request."""

    code = "job_canceled"
    headers = NO_RETRY


@dataclass(frozen=True, slots=True)
class Order:
    """The job that a request waits for.

    Attributes:
      keyed: The request has an ``Idempotency-Key``: who leaves may come again for the answer, and the job goes on.
      repeated: An earlier request with the same key has made it.
      api_key: What the client came with, if it needed a key.
    """

    job: JobRecord
    keyed: bool
    repeated: bool
    api_key: UUID | None

    def mark(self, answer: R) -> R:
        """Have an answer say so if it is that of an earlier request."""
        if self.repeated:
            answer.headers.update(REPLAYED)
        return answer


async def order_of(request: Request, made: JobRecord | Recorded) -> Order:
    """What a request waits for: the job that it made, or that of the first request with its key.

    Raises:
      NotFound: That was deleted.
    """
    if isinstance(made, JobRecord):
        return Order(made, keyed=HEADER in request.headers, repeated=False, api_key=key_of(request))
    assert made.job_id is not None
    job = await context_of(request).db(queries.get, made.job_id, owner(request))
    return Order(job, keyed=True, repeated=True, api_key=key_of(request))


async def finished(request: Request, order: Order) -> JobRecord:
    """The job once it has completed. One that nobody waits for any more, or will, is canceled.

    Raises:
      WaitedTooLong, Unavailable: It did not end in time, or the API stops.
      JobFailed, InputError: It failed, by our fault or by the request's.
      NoResult, NotFound: It was canceled or deleted meanwhile.
      InputError: ``invalid_key``: the request's key was revoked meanwhile.
      ClientDisconnect: The client went away.
    """
    context, hub, job = context_of(request), hub_of(request), order.job
    try:
        job = await until_ended(
            context,
            hub,
            job.id,
            job.owner,
            context.settings.max_wait_seconds,
            request.is_disconnected,
            key=order.api_key,
        )
    except BaseException:
        await leave(context, order)
        raise
    if job.status.ended:
        await check_completed(context, order, job)
        return job
    await leave(context, order)
    if await request.is_disconnected():
        raise ClientDisconnect
    raise not_in_time(context, hub, order)


async def leave(context: Context, order: Order) -> None:
    """Cancel a job that has not ended, unless somebody may come for its result."""
    if order.keyed:
        return
    with CancelScope(shield=True):
        try:
            await context.db(_cancel_unless_ended, order.job)
        except Unavailable as error:
            log.warning("job_not_canceled", job_id=str(order.job.id), reason=error.code)


async def check_completed(context: Context, order: Order, job: JobRecord) -> None:
    """Go on only with a job that has a result; without one, the key of its request is free again.

    Raises:
      JobFailed, InputError: It failed.
      NoResult: It was canceled.
    """
    if job.status is JobStatus.COMPLETED:
        return
    if order.keyed:
        await context.db(idempotency.forget, job.id)
    if job.error is None:
        raise NoResult(f"The job {job.id} was canceled.", hint="Send the request again.")
    message = f"{job.error.message} (job {job.id})"
    kind = PROBLEM_KINDS.get(job.error.code)
    if kind is not None and kind.status < 500:
        raise InputError(message, code=job.error.code, hint=job.error.hint)
    raise JobFailed(message, code=job.error.code, hint=job.error.hint)


def not_in_time(context: Context, hub: Hub, order: Order) -> OctaviaError:
    """The error for a job that has not ended though nobody waits for it any more."""
    if hub.closed:
        return Unavailable("The API is stopping.", hint="Send the request again.")
    return WaitedTooLong(order.job.id, context.settings.max_wait_seconds, goes_on=order.keyed)


def _cancel_unless_ended(db: Database, job: JobRecord) -> None:
    with suppress(Conflict, NotFound):
        cancel.cancel(db, job.id, job.owner)
