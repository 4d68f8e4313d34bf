"""Reading a submission, and making its job: a form with a file, or JSON with a text or an address."""

from collections.abc import Callable
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
from octavia.api.submission import plan as submission
from octavia.api.submission.idempotency import Attempt, fingerprint
from octavia.api.submission.room import check_submission
from octavia.api.submission.supported import check_models
from octavia.api.submission.uploads import Upload
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Overtaken, Recorded
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.text.cue_files import CueFormat

Answer = Callable[[JobRecord], Response]

_FORM_FIELDS = {name: field for name, field in JobRequest.model_fields.items() if name not in ("text", "input_url")}


async def submitted(attempt: Attempt, answer: Answer) -> JobRecord | Recorded:
    """The job that a request asks for, or what came of the first request with its key.

    Parameters:
      answer: Makes the answer to be kept with the key.

    Raises:
      InputError: The request is wrong.
      TooMany, Unavailable: No job is taken now.
    """
    request = attempt.request
    if attempt.ours:
        await check_submission(request)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        return await _from_form(attempt, answer)
    if content_type == "application/json":
        return await _from_json(attempt, answer)
    raise InputError(
        f"A job is not submitted as {content_type[:100]!r}.",
        code="unsupported_content_type",
        hint="Send multipart/form-data with a file, or application/json with a text.",
    )


async def create(
    context: Context, attempt: Attempt, asked: str, new: NewJob, answer: Answer | None, *, job_id: UUID, start: bool
) -> JobRecord | Recorded:
    """Write the job down, and with it what others with its key are answered.

    From here on the file stays even if this fails: whether the job was written may be unknown then. Files without a
    job are swept.

    Parameters:
      asked: The fingerprint.
      answer: As for ``Attempt.within``.
    """
    try:
        return await context.db(
            submit.create,
            new,
            job_id=job_id,
            start=start,
            within=attempt.within(asked, answer),
        )
    except Overtaken:
        if key := new.input.get("key"):
            with CancelScope(shield=True):
                await context.io(context.storage.delete, key)
        return await attempt.first(asked)


async def _from_form(attempt: Attempt, answer: Answer) -> JobRecord | Recorded:
    request, job_id = attempt.request, uuid7()
    context = context_of(request)
    async with Upload(context, job_id, known=_FORM_FIELDS, lists=("formats",), keep=attempt.ours) as upload:
        values = await upload.read(request, lambda values: checks.validate_some(JobRequest, values))
        wanted = checks.validate(JobRequest, values)
        format = submission.cue_format(wanted, upload.head)
        new = await _planned(request, wanted, format, from_text=format is not None) if attempt.ours else None
        stored = submission.with_format(await upload.finish(), format)
    asked = fingerprint(wanted, stored)
    if new is None:
        return await attempt.first(asked)
    new = submission.with_input(new, stored)
    return await create(context, attempt, asked, new, answer, job_id=job_id, start=wanted.start)


async def _from_json(attempt: Attempt, answer: Answer) -> JobRecord | Recorded:
    request, job_id = attempt.request, uuid7()
    context = context_of(request)
    longest = context.settings.max_text_chars
    limit = bodies.limit_for(longest)
    wanted = checks.validate(JobRequest, await bodies.json_body(request, limit, lambda: submission.too_long(longest)))
    asked = fingerprint(wanted)
    if not attempt.ours:
        return await attempt.first(asked)
    submission.check_source(wanted, context.settings)
    format = submission.cue_format(wanted, None)
    new = await _planned(request, wanted, format, from_text=wanted.text is not None)
    new = submission.with_input(new, await _source(context, wanted, format, job_id))
    return await create(context, attempt, asked, new, answer, job_id=job_id, start=wanted.start)


async def _planned(request: Request, wanted: JobRequest, format: CueFormat | None, *, from_text: bool) -> NewJob:
    """The job but for its input, of which this deployment can do all."""
    context = context_of(request)
    new = submission.plan(wanted, principal(request), from_text=from_text, cues=format is not None)
    new = submission.with_webhook(new, wanted, principal(request), context.settings)
    await context.io(check_models, context, new, from_text=from_text)
    return new


async def _source(context: Context, wanted: JobRequest, format: CueFormat | None, job_id: UUID) -> dict[str, Any]:
    """What the job's ``input`` says, once a text is stored."""
    if wanted.text is not None:
        stored = await context.io(context.storage.put, f"jobs/{job_id}/input/text.txt", wanted.text.encode())
        return submission.with_format(submission.text_input(stored), format)
    assert wanted.input_url is not None
    return submission.url_input(wanted.input_url)
