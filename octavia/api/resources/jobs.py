"""``/jobs``: submit, look, start, wait, cancel, retry, delete."""

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
from octavia.api.live.hub import hub_of
from octavia.api.live.position import key_of
from octavia.api.live.waiting import until_ended
from octavia.api.resources.forecast import forecast_of
from octavia.api.schemas.answers import JobListOut, JobOut, StatusOut
from octavia.api.schemas.requests import JobRequest, ListRequest, RetryRequest
from octavia.api.submission import idempotency
from octavia.api.submission.receive import submitted
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

KEYED = ("invalid_idempotency_key", "idempotency_key_reused", "idempotency_in_progress")
STATE = ("invalid_state", "job_expired")
ONE = ("invalid_job_id", "job_not_found")


@operation(
    "Submit a job",
    tag="Jobs",
    scope=Scope.WRITE,
    body={"multipart/form-data": JobRequest, "application/json": JobRequest},
    answers={200: JobOut, 202: JobOut},
    problems=KEYED,
    headers=("Idempotency-Key", "Prefer"),
)
async def submit_job(request: Request) -> Response:
    """``POST /jobs``: a form with a file, or JSON with a text; answered at once, or when it has ended if asked to."""
    async with idempotency.attempt(request) as attempt:
        made = await submitted(attempt, accepted)
    wishes = _preferences(request)
    if isinstance(made, Recorded):
        if wishes.wait is None or made.job_id is None:
            return idempotency.replayed(made)
        return await _waited(request, made.job_id, wishes, headers=idempotency.REPLAYED)
    if wishes.wait is not None:
        return await _waited(request, made.id, wishes)
    return accepted(made, headers=wishes.applied(waited=False, ended=False))


@operation(
    "List jobs",
    tag="Jobs",
    scope=Scope.READ,
    query=ListRequest,
    answers={200: JobListOut},
    problems=("unknown_field", "invalid_field", "invalid_cursor"),
)
async def list_jobs(request: Request) -> Response:
    """``GET /jobs``: newest first, a page at a time; ``metadata.<key>=<value>`` as often as one likes."""
    meta, others = checks.metadata_filters(request.query_params)
    wanted = checks.validate(ListRequest, others)
    filters = Filters(**wanted.model_dump(exclude={"cursor", "limit"}), meta=meta)
    page = await context_of(request).db(
        queries.list_jobs, owner(request), filters, cursor=wanted.cursor, limit=wanted.limit
    )
    return answer(JobListOut(jobs=[JobOut.of(job) for job in page.jobs], next_cursor=page.next_cursor))


@operation("Show a job", tag="Jobs", scope=Scope.READ, answers={200: JobOut}, problems=ONE)
async def show_job(request: Request) -> Response:
    """``GET /jobs/{job_id}``."""
    return answer(JobOut.of(await context_of(request).db(queries.get, job_id_of(request), owner(request))))


@operation("Show how far a job is", tag="Jobs", scope=Scope.READ, answers={200: StatusOut}, problems=ONE)
async def show_status(request: Request) -> Response:
    """``GET /jobs/{job_id}/status``: how far it is."""
    context = context_of(request)
    found = await context.db(job_details.get, job_id_of(request), owner(request))
    expected = None
    if found.job.status in job_details.OPEN and (outlook := await forecast_of(request).outlook()):
        expected = estimates.expected_seconds(outlook, found)
    return answer(StatusOut.of(found, expected))


@operation(
    "Start a job, and wait for its end",
    tag="Jobs",
    scope=Scope.WRITE,
    answers={200: JobOut, 202: JobOut},
    problems=(*ONE, *STATE, *NO_ROOM),
    headers=("Prefer",),
)
async def process_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/process``: start or restart what is not under way, and wait if asked to.

    Without ``Prefer: wait`` the answer comes at once, unlike that of the former endpoint of this name. Clients of that
    one find in docs/migrating.md what to change; a ``Sunset`` header says by when.
    """
    job = await _processed(request)
    wishes = _preferences(request)
    notice = deprecation.headers(context_of(request).settings)
    if wishes.wait is not None:
        return await _waited(request, job.id, wishes, headers=notice)
    return _under_way(job, headers={**notice, **wishes.applied(waited=False, ended=job.status.ended)})


@operation(
    "Start a job", tag="Jobs", scope=Scope.WRITE, answers={200: JobOut, 202: JobOut}, problems=(*ONE, *STATE, *NO_ROOM)
)
async def process_job_async(request: Request) -> Response:
    """``POST /jobs/{job_id}/process-async``: the same, and never waits."""
    return _under_way(await _processed(request))


@operation(
    "Cancel a job", tag="Jobs", scope=Scope.WRITE, answers={200: JobOut, 202: JobOut}, problems=(*ONE, "invalid_state")
)
async def cancel_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/cancel``: 200 when it is canceled, 202 while a task of it still has to stop."""
    job = await context_of(request).db(cancel.cancel, job_id_of(request), owner(request))
    return answer(JobOut.of(job), 200 if job.status is JobStatus.CANCELED else 202)


@operation(
    "Run a job again",
    tag="Jobs",
    scope=Scope.WRITE,
    query=RetryRequest,
    body={"application/json": RetryRequest},
    answers={202: JobOut},
    problems=(*ONE, *STATE, *NO_ROOM, *KEYED),
    headers=("Idempotency-Key",),
)
async def retry_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/retry``: a new run, of what is not completed or from a stage on."""
    job_id = job_id_of(request)
    async with idempotency.attempt(request) as attempt:
        wanted = await _retry_request(attempt.request)
        asked = idempotency.fingerprint(wanted)
        if attempt.ours:
            await check_submission(request)
            try:
                job = await context_of(request).db(
                    submit.retry,
                    job_id,
                    owner(request),
                    from_stage=wanted.from_stage,
                    within=attempt.within(asked, accepted),
                )
                return accepted(job)
            except Overtaken:
                pass  # whoever took the key over has the answer
        return idempotency.replayed(await attempt.first(asked))


@operation("Delete a job", tag="Jobs", scope=Scope.WRITE, answers={204: None}, problems=ONE)
async def delete_job(request: Request) -> Response:
    """``DELETE /jobs/{job_id}``: gone at once; its files and all that is known of it are removed an hour later."""
    await context_of(request).db(removal.remove, job_id_of(request), owner(request))
    return Response(status_code=204)


async def _retry_request(request: Request) -> RetryRequest:
    """From where, of the query or a body; most requests have neither."""
    if request.query_params:
        return checks.validate(RetryRequest, dict(request.query_params))
    given = await bodies.optional_json_body(request)
    return RetryRequest() if given is None else checks.validate(RetryRequest, given)


def _preferences(request: Request) -> Preferences:
    return preferences(request.headers.getlist("prefer"), context_of(request).settings.max_wait_seconds)


async def _waited(
    request: Request, job_id: UUID, wishes: Preferences, headers: dict[str, str] | None = None
) -> Response:
    """The answer about a job once it has ended, or the client has waited for as long as it likes."""
    context = context_of(request)
    job = await context.db(queries.get, job_id, owner(request))
    # One that nobody has started does not end by itself.
    waits = job.status is not JobStatus.PENDING
    if waits and wishes.wait is not None:
        gone, key = request.is_disconnected, key_of(request)
        job = await until_ended(context, hub_of(request), job_id, owner(request), wishes.wait, gone, key=key)
    return _under_way(job, headers={**wishes.applied(waited=waits, ended=job.status.ended), **(headers or {})})


async def _processed(request: Request) -> JobRecord:
    """The job that a request wants under way, which it is, or was."""
    context, job_id = context_of(request), job_id_of(request)
    job = await context.db(queries.get, job_id, owner(request))
    if job.status is JobStatus.FAILED:
        await check_submission(request)
    elif job.status is JobStatus.PENDING:
        await check_capacity(request)
    return await context.db(_process, job_id, owner(request))


def _process(db: Database, job_id: UUID, owner: str) -> JobRecord:
    """Get a job under way, or leave it if it is.

    Raises:
      Conflict: It was canceled, or (``job_expired``) its files are gone.
    """
    job = queries.get(db, job_id, owner)
    if job.expired:
        raise Conflict("The job's files have expired.", code="job_expired", hint="Submit the recording again.")
    if job.status is JobStatus.CANCELED:
        raise Conflict("The job was canceled.", hint="Use /retry to run it after all, or submit it again.")
    try:
        if job.status is JobStatus.PENDING:
            return submit.start(db, job_id, owner)
        if job.status is JobStatus.FAILED:
            return submit.retry(db, job_id, owner)
    except Conflict:
        # Somebody else started, canceled or finished it in between: what it is now decides.
        again = queries.get(db, job_id, owner)
        if again.status is job.status:
            raise
        return _process(db, job_id, owner)
    return job


def _under_way(job: JobRecord, headers: dict[str, str] | None = None) -> Response:
    return answer(
        JobOut.of(job), 200 if job.status.ended else 202, headers={"location": job_url(job.id), **(headers or {})}
    )


def accepted(job: JobRecord, headers: dict[str, str] | None = None) -> Response:
    """The answer that a job is under way."""
    return answer(JobOut.of(job), 202, headers={"location": job_url(job.id), **(headers or {})})
