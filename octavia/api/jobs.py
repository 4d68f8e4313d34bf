"""``/jobs``: submit, look, start, wait, cancel, retry."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from octavia.api import bodies, checks, submission
from octavia.api.answers import answer, job_id_of
from octavia.api.capabilities import check_models
from octavia.api.identity import owner, principal
from octavia.api.limits import check_submission
from octavia.api.operations import operation
from octavia.api.prefer import wait_seconds
from octavia.api.schemas import JobListOut, JobOut, JobRequest, ListRequest, StatusOut, job_url
from octavia.api.services import services
from octavia.api.uploads import Upload
from octavia.api.waiting import until_ended
from octavia.errors import Conflict, InputError
from octavia.jobs import cancel, queries, submit
from octavia.jobs.database import Database
from octavia.jobs.keys import Scope
from octavia.jobs.records import JobRecord
from octavia.jobs.states import JobStatus

_FORM_FIELDS = {name: field for name, field in JobRequest.model_fields.items() if name not in ("text", "input_url")}


@operation(
    "Submit a job",
    scope=Scope.WRITE,
    body={"multipart/form-data": JobRequest, "application/json": JobRequest},
    answers={202: JobOut},
)
async def submit_job(request: Request) -> Response:
    """``POST /jobs``: a form with a file, or JSON with a text."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        job = await _from_form(request)
    elif content_type == "application/json":
        job = await _from_json(request)
    else:
        raise InputError(
            f"A job is not submitted as {content_type[:100]!r}.",
            code="unsupported_content_type",
            hint="Send multipart/form-data with a file, or application/json with a text.",
        )
    return answer(JobOut.of(job), 202, headers={"location": job_url(job.id)})


@operation("List jobs", scope=Scope.READ, query=ListRequest, answers={200: JobListOut})
async def list_jobs(request: Request) -> Response:
    """``GET /jobs``: newest first, a page at a time."""
    wanted = checks.validate(ListRequest, dict(request.query_params))
    page = await services(request).db(
        queries.list_jobs,
        owner(request),
        status=wanted.status,
        type=wanted.type,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return answer(JobListOut(jobs=[JobOut.of(job) for job in page.jobs], next_cursor=page.next_cursor))


@operation("Show a job", scope=Scope.READ, answers={200: JobOut})
async def show_job(request: Request) -> Response:
    """``GET /jobs/{job_id}``."""
    return answer(JobOut.of(await services(request).db(queries.get, job_id_of(request), owner(request))))


@operation("Show how far a job is", scope=Scope.READ, answers={200: StatusOut})
async def show_status(request: Request) -> Response:
    """``GET /jobs/{job_id}/status``: how far it is."""
    return answer(await services(request).db(_status, job_id_of(request), owner(request)))


@operation("Start a job, and wait for its end", scope=Scope.WRITE, answers={200: JobOut, 202: JobOut})
async def process_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/process``: start or restart what is not under way, and wait if asked to."""
    parts, job_id = services(request), job_id_of(request)
    job = await parts.db(_process, job_id, owner(request))
    seconds = wait_seconds(request.headers.getlist("prefer"), parts.settings.max_wait_seconds)
    if seconds is None:
        return _under_way(job)
    job = await until_ended(parts, job_id, owner(request), seconds, request.is_disconnected)
    return _under_way(job, headers={"preference-applied": f"wait={seconds}"})


@operation("Start a job", scope=Scope.WRITE, answers={200: JobOut, 202: JobOut})
async def process_job_async(request: Request) -> Response:
    """``POST /jobs/{job_id}/process-async``: the same, and never waits."""
    return _under_way(await services(request).db(_process, job_id_of(request), owner(request)))


@operation("Cancel a job", scope=Scope.WRITE, answers={200: JobOut, 202: JobOut})
async def cancel_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/cancel``: 200 when it is canceled, 202 while a task of it still has to stop."""
    parts = services(request)
    job = await parts.db(
        cancel.cancel, job_id_of(request), owner(request), retention_days=parts.settings.retention_days
    )
    return answer(JobOut.of(job), 200 if job.status is JobStatus.CANCELED else 202)


@operation("Run a job again", scope=Scope.WRITE, answers={202: JobOut})
async def retry_job(request: Request) -> Response:
    """``POST /jobs/{job_id}/retry``: a new run of a job that failed or was canceled."""
    return answer(JobOut.of(await services(request).db(submit.retry, job_id_of(request), owner(request))), 202)


async def _from_form(request: Request) -> JobRecord:
    parts, job_id = services(request), uuid7()
    await check_submission(request)
    async with Upload(parts, job_id, known=_FORM_FIELDS, lists=("formats",)) as upload:
        values = await upload.read(request, lambda values: checks.validate_some(JobRequest, values))
        wanted = checks.validate(JobRequest, values)
        new = submission.plan(wanted, principal(request), from_text=False)
        new = submission.with_webhook(new, wanted, principal(request), parts.settings)
        await parts.io(check_models, parts, new, from_text=False)
        new = submission.with_input(new, await upload.finish())
    # From here on the file stays even if this fails: whether the job was written may be unknown then. Files without a
    # job are swept.
    return await parts.db(
        submit.create, new, job_id=job_id, start=wanted.start, retention_days=parts.settings.retention_days
    )


async def _from_json(request: Request) -> JobRecord:
    parts, job_id = services(request), uuid7()
    await check_submission(request)
    longest = parts.settings.max_text_chars
    limit = bodies.limit_for(longest)
    wanted = checks.validate(JobRequest, await bodies.json_body(request, limit, lambda: submission.too_long(longest)))
    submission.check_source(wanted, parts.settings)
    from_text = wanted.text is not None
    new = submission.plan(wanted, principal(request), from_text=from_text)
    new = submission.with_webhook(new, wanted, principal(request), parts.settings)
    await parts.io(check_models, parts, new, from_text=from_text)
    if wanted.text is not None:
        stored = await parts.io(parts.storage.put, f"jobs/{job_id}/input/text.txt", wanted.text.encode())
        new = submission.with_input(new, submission.text_input(stored))
    elif wanted.input_url is not None:
        new = submission.with_input(new, submission.url_input(wanted.input_url))
    return await parts.db(
        submit.create, new, job_id=job_id, start=wanted.start, retention_days=parts.settings.retention_days
    )


def _status(db: Database, job_id: UUID, owner: str) -> StatusOut:
    job = queries.get(db, job_id, owner)
    position = queries.queue_position(db, job_id) if job.status is JobStatus.QUEUED else None
    return StatusOut.of(job, queries.stage_progress(db, job_id), position)


def _process(db: Database, job_id: UUID, owner: str) -> JobRecord:
    """Get a job under way, or leave it if it is.

    Raises:
      Conflict: It was canceled, or (``job_expired``) its files are gone.
    """
    job = queries.get(db, job_id, owner)
    if queries.expired(job):
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
