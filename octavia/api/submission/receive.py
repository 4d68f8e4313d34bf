"""Makes a job of a request: a form with a file, or JSON with a text or the address of a recording."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from octavia.api.context import Context, context_of
from octavia.api.http import bodies, checks
from octavia.api.http.identity import principal
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission import plan
from octavia.api.submission.idempotency import Attempt, fingerprint_of
from octavia.api.submission.room import admitted, queue_job
from octavia.api.submission.subtitles import check_subtitles
from octavia.api.submission.supported import check_models
from octavia.api.submission.uploads import Upload
from octavia.errors import InputError, OctaviaError, Unavailable
from octavia.jobs.access.idempotency import Overtaken, Recorded
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, piece_input, stored_input
from octavia.storage import Reservation
from octavia.text.cue_files import CueFormat

Answer = Callable[[JobRecord], Response]

_FORM_FIELDS = {name: field for name, field in JobRequest.model_fields.items() if name not in ("text", "input_url")}


async def receive_job(attempt: Attempt, answer: Answer) -> JobRecord | Recorded:
    """Make the requested job, or return the outcome of the first request with its key.

    Parameters:
      answer: Makes the answer that is stored with the key.

    Raises:
      InputError: The request is wrong.
      TooMany, Unavailable: No job is accepted now.
    """
    job_id = uuid7()
    async with admitted(attempt, job_id) as room:
        content_type = content_type_of(attempt.request)
        if content_type == "multipart/form-data":
            return await _from_form(attempt, answer, job_id, room)
        if content_type == "application/json":
            return await _from_json(attempt, answer, job_id, room)
    raise InputError(
        f"A job is not submitted as {content_type[:100]!r}.",
        code="unsupported_content_type",
        hint="Send multipart/form-data with a file, or application/json with a text.",
    )


def content_type_of(request: Request) -> str:
    """Return the media type of a request's body in lower case, without parameters; empty if none is declared."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def create_job(
    attempt: Attempt,
    fingerprint: str,
    new: NewJob,
    stored: dict[str, Any],
    answer: Answer | None = None,
    *,
    job_id: UUID,
    start: bool = True,
) -> JobRecord | Recorded:
    """Store a job together with the outcome for its key, or return the outcome of a request that took the key over.

    A job that is refused leaves no file. If the database breaks off, the job may have been stored all the same: its
    file stays, and is deleted later if no job names it.

    Parameters:
      stored: The job's ``input``.
      answer: As for ``Attempt.recorder``.
      job_id: The id under which the job's input is stored.
      start: False leaves the job ``pending``.

    Raises:
      TooMany, Unavailable: ``too_many_jobs`` or ``queue_full``, which may be so only since the request began.
    """
    context, made = context_of(attempt.request), False

    def create(db: Database) -> JobRecord:
        nonlocal made
        made = True
        try:
            return submit.create(db, replace(new, input=stored), job_id=job_id, start=start, within=within)
        except BaseException as error:
            made = isinstance(error, Unavailable)
            raise

    within = attempt.recorder(fingerprint, answer)
    try:
        if start:
            await queue_job(attempt.request)
        return await context.db(create)
    except Overtaken:
        return await attempt.first_outcome(fingerprint)
    finally:
        if not made and (key := stored.get("key")):
            with CancelScope(shield=True), suppress(OctaviaError):
                await context.io(context.storage.delete, key)


async def store_text(
    context: Context, job_id: UUID, text: str, room: Reservation | None, format: CueFormat | None = None
) -> dict[str, Any]:
    """Return the job's ``input`` for a text, which is stored first unless it is one short piece.

    Parameters:
      format: That of subtitles, which are always stored.

    Raises as ``Storage.put``.
    """
    described = {"filename": "text.txt", "media_type": "text/plain; charset=utf-8"}
    if format is None and (piece := piece_input(text, **described)):
        return piece
    stored = await context.io(context.storage.put, f"jobs/{job_id}/input/text.txt", text.encode(), room=room)
    return plan.with_format(stored_input("text", stored, **described), format)


async def _from_form(attempt: Attempt, answer: Answer, job_id: UUID, room: Reservation | None) -> JobRecord | Recorded:
    request = attempt.request
    context = context_of(request)
    async with Upload(context, job_id, known=_FORM_FIELDS, lists=("formats",), room=room) as upload:
        values = await upload.read(request, lambda values: checks.validate_some(JobRequest, values))
        fields = checks.validate(JobRequest, values)
        format = plan.cue_format(fields, upload.head, upload.filename)
        new = await _planned(request, fields, format, from_text=format is not None) if attempt.is_first else None
        stored = plan.with_format(await upload.finish(), format)
        if new is not None:
            await check_subtitles(context, stored, field="file")
    fingerprint = fingerprint_of(fields, stored)
    if new is None:
        return await attempt.first_outcome(fingerprint)
    return await create_job(attempt, fingerprint, new, stored, answer, job_id=job_id, start=fields.start)


async def _from_json(attempt: Attempt, answer: Answer, job_id: UUID, room: Reservation | None) -> JobRecord | Recorded:
    request = attempt.request
    context = context_of(request)
    longest = context.settings.max_text_chars
    limit = bodies.limit_for(longest)
    fields = checks.validate(JobRequest, await bodies.json_body(request, limit, lambda: plan.too_long(longest)))
    fingerprint = fingerprint_of(fields)
    if not attempt.is_first:
        return await attempt.first_outcome(fingerprint)
    plan.check_source(fields, context.settings)
    format = plan.cue_format_of_text(fields)
    new = await _planned(request, fields, format, from_text=fields.text is not None)
    if fields.text is not None:
        stored = await store_text(context, job_id, fields.text, room, format)
        await check_subtitles(context, stored, field="text")
    else:
        assert fields.input_url is not None
        stored = plan.url_input(fields.input_url)
    return await create_job(attempt, fingerprint, new, stored, answer, job_id=job_id, start=fields.start)


async def _planned(request: Request, fields: JobRequest, format: CueFormat | None, *, from_text: bool) -> NewJob:
    """Return the job without its input, after checking that this deployment has the models for it."""
    context, client = context_of(request), principal(request)
    new = plan.plan(fields, client, from_text=from_text, cues=format is not None)
    new = plan.with_webhook(new, fields, client, context.settings)
    await context.io(check_models, context, new, from_text=from_text)
    return new
