"""``/jobs``: submit, show, start, wait for, cancel, retry and delete jobs."""

from contextlib import suppress
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import bodies, checks, deprecation
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.headers import Preferences, preferences
from octavia.api.http.identity import owner
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.live.waiting import until_ended
from octavia.api.resources.forecast import forecast_of
from octavia.api.schemas.answers import JobListOut, JobOut, StatusOut
from octavia.api.schemas.requests import JobRequest, ListRequest, RetryRequest
from octavia.api.submission import idempotency
from octavia.api.submission.receive import receive_job
from octavia.api.submission.room import NO_ROOM, check_capacity, check_submission
from octavia.errors import Conflict
from octavia.jobs.access.idempotency import Overtaken, Recorded
from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.protocol import cancel
from octavia.jobs.status import estimates, job_details
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import Filters
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus
from octavia.links import job_url

STATE_PROBLEMS = ("invalid_state", "job_expired")
JOB_PROBLEMS = ("invalid_job_id", "job_not_found")

_change = partial(operation, tag="Jobs", scope=Scope.WRITE)
_start_operation = partial(
    _change, answers={200: JobOut, 202: JobOut}, problems=(*JOB_PROBLEMS, *STATE_PROBLEMS, *NO_ROOM)
)


@_change(
    "Submit a job",
    body={"multipart/form-data": JobRequest, "application/json": JobRequest},
    answers={200: JobOut, 202: JobOut},
    problems=idempotency.PROBLEMS,
    headers=("Idempotency-Key", "Prefer"),
)
async def submit_job(request: Request) -> Response:
    """``POST /jobs``: a form with a file, or JSON with a text; answered at once unless ``Prefer: wait`` is sent."""
    async with idempotency.serve_once(request) as attempt:
        created = await receive_job(attempt, accepted)
    wishes = _preferences(request)
    if isinstance(created, Recorded):
        if wishes.wait is None or created.job_id is None:
            return idempotency.replayed(created, root_of(request))
        return await _wait(request, created.job_id, wishes, headers=idempotency.REPLAYED)
    if wishes.wait is not None:
        return await _wait(request, created.id, wishes)
    return accepted(created, root_of(request), wishes.applied(waited=False, ended=False))


@operation(
    "List jobs",
    tag="Jobs",
    scope=Scope.READ,
    query=ListRequest,
    answers={200: JobListOut},
    problems=("unknown_field", "invalid_field", "invalid_cursor"),
)
async def list_jobs(request: Request) -> Response:
    """``GET /jobs``: newest first, in pages; ``metadata.<key>=<value>`` may be repeated."""
    meta, others = checks.metadata_filters(request.query_params)
    query = checks.validate(ListRequest, others)
    filters = Filters(**query.model_dump(exclude={"cursor", "limit"}), meta=meta)
    page = await context_of(request).db(
        queries.list_jobs, owner(request), filters, cursor=query.cursor, limit=query.limit
    )
    root = root_of(request)
    return answer(JobListOut(jobs=[JobOut.of(job, root) for job in page.jobs], next_cursor=page.next_cursor))


@operation("Show a job", tag="Jobs", scope=Scope.READ, answers={200: JobOut}, problems=JOB_PROBLEMS)
async def show_job(request: Request) -> Response:
    """``GET /jobs/{job_id}``."""
    job = await context_of(request).db(queries.get, job_id_of(request), owner(request))
    return answer(JobOut.of(job, root_of(request)))


@operation("Show a job's progress", tag="Jobs", scope=Scope.READ, answers={200: StatusOut}, problems=JOB_PROBLEMS)
async def show_status(request: Request) -> Response:
    """``GET /jobs/{job_id}/status``: its progress, and when it will probably end."""
    context = context_of(request)
    found = await context.db(job_details.get, job_id_of(request), owner(request))
    expected = None
    if found.job.status in job_details.OPEN and (outlook := await forecast_of(request).latest()):
        expected = estimates.expected_seconds(outlook, found)
    return answer(StatusOut.of(found, expected))


@_start_operation("Start a job, and wait for its end", headers=("Prefer",))
async def process_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/process``: start or restart a job, and with ``Prefer: wait`` wait for its end.

    Without ``Prefer: wait`` the answer comes at once, unlike that of the former endpoint of this name. For clients of
    that endpoint, docs/migrating.md describes the changes, and a ``Sunset`` header gives the date.
    """
    job = await _start(request)
    wishes = _preferences(request)
    notice = deprecation.headers(context_of(request).settings, root_of(request))
    if wishes.wait is not None:
        return await _wait(request, job.id, wishes, headers=notice)
    return _under_way(request, job, {**notice, **wishes.applied(waited=False, ended=job.status.ended)})


@_start_operation("Start a job")
async def process_job_async(request: Request) -> Response:
    """``POST /jobs/{job_id}/process-async``: start or restart a job without waiting."""
    return _under_way(request, await _start(request))


@_change("Cancel a job", answers={200: JobOut, 202: JobOut}, problems=(*JOB_PROBLEMS, "invalid_state"))
async def cancel_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/cancel``: 200 when it is canceled, 202 while one of its tasks still has to stop."""
    job = await context_of(request).db(cancel.cancel, job_id_of(request), owner(request))
    return answer(JobOut.of(job, root_of(request)), 200 if job.status is JobStatus.CANCELED else 202)


@_change(
    "Run a job again",
    query=RetryRequest,
    body={"application/json": RetryRequest},
    answers={202: JobOut},
    problems=(*JOB_PROBLEMS, *STATE_PROBLEMS, *NO_ROOM, *idempotency.PROBLEMS),
    headers=("Idempotency-Key",),
)
async def retry_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/retry``: a new run of what is not completed, or from a given stage on."""
    job_id = job_id_of(request)
    async with idempotency.serve_once(request) as attempt:
        fields = await _retry_request(attempt.request)
        fingerprint = idempotency.fingerprint_of(fields)
        if attempt.is_first:
            await check_submission(request)
            with suppress(Overtaken):  # the request that took the key over has the answer
                job = await context_of(request).db(
                    submit.retry,
                    job_id,
                    owner(request),
                    from_stage=fields.from_stage,
                    jobs_in_flight=context_of(request).settings.jobs_in_flight,
                    within=attempt.recorder(fingerprint, accepted),
                )
                return accepted(job, root_of(request))
        return idempotency.replayed(await attempt.first_outcome(fingerprint), root_of(request))


@_change("Delete a job", answers={204: None}, problems=JOB_PROBLEMS)
async def delete_job(request: Request) -> Response:
    """``DELETE /jobs/{job_id}``: gone at once; its files and records are removed an hour later."""
    await context_of(request).db(removal.remove, job_id_of(request), owner(request))
    return Response(status_code=204)


async def _retry_request(request: Request) -> RetryRequest:
    """Read the fields from the query or the body; most requests have neither."""
    if request.query_params:
        return checks.validate(RetryRequest, dict(request.query_params))
    given = await bodies.optional_json_body(request)
    return RetryRequest() if given is None else checks.validate(RetryRequest, given)


def _preferences(request: Request) -> Preferences:
    return preferences(request.headers.getlist("prefer"), context_of(request).settings.max_wait_seconds)


async def _wait(request: Request, job_id: UUID, wishes: Preferences, headers: dict[str, str] | None = None) -> Response:
    """Return the answer about a job when it has ended, or when the client has waited as long as it wishes."""
    context = context_of(request)
    job = await context.db(queries.get, job_id, owner(request))
    # A job that was not started does not end by itself.
    waits = job.status is not JobStatus.PENDING
    if waits and wishes.wait is not None:
        job = await until_ended(request, job_id, wishes.wait)
    return _under_way(request, job, {**wishes.applied(waited=waits, ended=job.status.ended), **(headers or {})})


async def _start(request: Request) -> JobRecord:
    """Start a request's job unless it was started already, and return it."""
    context, job_id = context_of(request), job_id_of(request)
    job = await context.db(queries.get, job_id, owner(request))
    if job.status is JobStatus.FAILED:
        await check_submission(request)
    elif job.status is JobStatus.PENDING:
        await check_capacity(request)
    return await context.db(_start_job, job_id, owner(request), context.settings.jobs_in_flight)


def _start_job(db: Database, job_id: UUID, owner: str, jobs_in_flight: int) -> JobRecord:
    """Start a pending job, restart a failed one, and leave any other as it is.

    Raises ``TooMany`` (``too_many_jobs``), or ``Conflict`` if the job was canceled or its files are gone
    (``job_expired``).
    """
    job = queries.get(db, job_id, owner)
    if job.expired:
        raise Conflict("The job's files have expired.", code="job_expired", hint="Submit the recording again.")
    if job.status is JobStatus.CANCELED:
        raise Conflict("The job was canceled.", hint="POST to /retry to run it anyway, or submit it again.")
    try:
        if job.status is JobStatus.PENDING:
            return submit.start(db, job_id, owner)
        if job.status is JobStatus.FAILED:
            return submit.retry(db, job_id, owner, jobs_in_flight=jobs_in_flight)
    except Conflict:
        # Another request or a worker has changed the job meanwhile: decide again.
        again = queries.get(db, job_id, owner)
        if again.status is job.status:
            raise
        return _start_job(db, job_id, owner, jobs_in_flight)
    return job


def _under_way(request: Request, job: JobRecord, headers: dict[str, str] | None = None) -> Response:
    return accepted(job, root_of(request), headers, 200 if job.status.ended else 202)


def accepted(job: JobRecord, root: str = "", headers: dict[str, str] | None = None, status: int = 202) -> Response:
    """Return the answer that a job was accepted.

    Parameters:
      root: The path under which a proxy serves the API; empty for an answer to store, which others may get by other
        ways.
    """
    return answer(JobOut.of(job, root), status, headers={"location": job_url(job.id, root), **(headers or {})})
