"""``POST /v1/audio/transcriptions`` and ``/v1/audio/translations``: a recording's text, as spoken or in English."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.openai.errors import JOB_PROBLEMS
from octavia.api.openai.models import choose_model
from octavia.api.openai.running import AwaitedJob, awaited_job, read_transcript, wait_for_completion
from octavia.api.openai.schemas import RecordingRequest, TranscriptionRequest, TranslationRequest
from octavia.api.openai.streaming import TranscriptStream
from octavia.api.openai.texts import present
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission import plan
from octavia.api.submission.idempotency import HEADER, Attempt, fingerprint_of, serve_once
from octavia.api.submission.receive import content_type_of, create_job
from octavia.api.submission.room import admitted
from octavia.api.submission.supported import check_models
from octavia.api.submission.uploads import Upload, Values
from octavia.catalog import Task
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType
from octavia.storage import Reservation
from octavia.text.cue_files import refuse_recording

R = TypeVar("R", bound=RecordingRequest)

_recording_operation = partial(
    operation,
    tag="OpenAI",
    scope=Scope.WRITE,
    answers={200: "*/*"},
    problems=(
        *JOB_PROBLEMS,
        *("wrong_input", "bad_subtitles"),
        *("not_media", "no_audio", "truncated_media", "media_too_long", "media_too_complex", "decoder_crashed"),
    ),
    headers=(HEADER,),
)

_ENGLISH: Final = "en"
_PROMPT_CHARS = 1000
_LISTS = frozenset({"timestamp_granularities", "include", "keywords", "languages"})
_OBJECTS = frozenset({"chunking_strategy"})
_NULLS = frozenset({"", "null", "undefined", "None"})
"""A field without a value, as forms of JavaScript and Python write it."""

_PARTS_OF_OBJECTS = ("type", "prefix_padding_ms", "silence_duration_ms", "threshold")


@_recording_operation("Transcribe a recording as OpenAI does", body={"multipart/form-data": TranscriptionRequest})
async def create_transcription(request: Request) -> Response:
    """``POST /v1/audio/transcriptions``: at once, or as a stream while it is recognised."""

    def plan_job(fields: TranscriptionRequest) -> NewJob:
        _check_together(fields)
        language = fields.language or (fields.languages[0] if fields.languages and len(fields.languages) == 1 else None)
        job = _job_fields(fields, *(fields.keywords or ()), type=JobType.TRANSCRIBE, source_language=language or "auto")
        return plan.plan(job, principal(request), from_text=False)

    fields, awaited = await _submit(request, TranscriptionRequest, plan_job)
    if fields.stream:
        return awaited.mark(TranscriptStream(request, awaited))
    transcript = await read_transcript(request, await wait_for_completion(request, awaited))
    times = fields.timestamp_granularities
    return awaited.mark(await context_of(request).io(present, transcript, fields.response_format, times))


@_recording_operation(
    "Translate a recording into English as OpenAI does", body={"multipart/form-data": TranslationRequest}
)
async def create_translation(request: Request) -> Response:
    """``POST /v1/audio/translations``: English speech is transcribed."""

    def plan_job(fields: TranslationRequest) -> NewJob:
        job = _job_fields(fields, type=JobType.TRANSLATE, target_language=_ENGLISH)
        return plan.with_options(plan.plan(job, principal(request), from_text=False), keep_language=True)

    fields, awaited = await _submit(request, TranslationRequest, plan_job)
    translation = await read_transcript(request, await wait_for_completion(request, awaited), translated=True)
    return awaited.mark(await context_of(request).io(present, translation, fields.response_format))


async def _submit(request: Request, schema: type[R], plan_job: Callable[[R], NewJob]) -> tuple[R, AwaitedJob]:
    """Read a form and start its job, unless a request with the same key has done so; return its fields and the job.

    Raises ``InputError`` if the form or a field is wrong.

    Parameters:
      plan_job: Makes the job from the form's fields, without its model and its input.
    """
    if content_type_of(request) != "multipart/form-data":
        raise InputError(
            "The recording is not sent as a form.",
            code="unsupported_content_type",
            hint="Send multipart/form-data with a file.",
        )
    job_id = uuid7()
    async with serve_once(request) as attempt, admitted(attempt, job_id) as room:
        fields, created = await _read_form(attempt, schema, plan_job, job_id, room)
    return fields, await awaited_job(request, created)


def _job_fields(fields: RecordingRequest, *words: str, **job: Any) -> JobRequest:
    """Return the fields of a recording's job.

    Parameters:
      words: Expected words, beside those of the prompt.
      job: The job's other fields.
    """
    prompt = " ".join(filter(None, [*words, fields.hotwords, fields.prompt])).strip()[-_PROMPT_CHARS:]
    return checks.validate(JobRequest, {**job, "vocabulary": prompt or None})


async def _read_form(
    attempt: Attempt, schema: type[R], plan_job: Callable[[R], NewJob], job_id: UUID, room: Reservation | None
) -> tuple[R, JobRecord | Recorded]:
    context, new = context_of(attempt.request), None
    known = _form_fields(schema)
    lists = tuple(name for name in known if name.removesuffix("[]") in _LISTS)
    async with Upload(context, job_id, known=known, lists=lists, room=room) as upload:
        values = await upload.read(attempt.request, lambda values: checks.validate_some(schema, _plain(values)))
        fields = checks.validate(schema, _plain(values))
        refuse_recording(upload.head, upload.filename)
        if attempt.is_first:
            new = plan_job(fields)
            if model := await choose_model(context, fields.model, Task.SPEECH):
                new = plan.with_options(new, speech_model=model.id)
            await context.io(check_models, context, new, from_text=False)
        stored = await upload.finish()
    fingerprint = fingerprint_of(fields, stored)
    if new is None:
        return fields, await attempt.first_outcome(fingerprint)
    return fields, await create_job(attempt, fingerprint, new, stored, job_id=job_id)


def _form_fields(schema: type[RecordingRequest]) -> Mapping[str, Any]:
    """Return a form's field names, with variants that clients use: ``include[]``, ``chunking_strategy[type]``."""
    names = dict(schema.model_fields)
    for name in schema.model_fields:
        if name in _LISTS:
            names[f"{name}[]"] = names[name]
        elif name in _OBJECTS:
            names |= {f"{name}[{part}]": names[name] for part in _PARTS_OF_OBJECTS}
    return names


def _plain(values: Values) -> Values:
    """Return a form's values by the names of the schema's fields."""
    plain: Values = {}
    for name, value in values.items():
        own = name.partition("[")[0]
        if isinstance(value, list):
            plain[own] = [*plain.get(own, []), *(item for item in value if item not in _NULLS)]
        else:
            plain[own] = "" if value in _NULLS else value
    return {name: value for name, value in plain.items() if value != []}


def _check_together(fields: TranscriptionRequest) -> None:
    """Refuse fields that do not fit together. Raises ``InputError`` (``not_applicable``)."""
    if fields.stream and fields.response_format not in ("json", "text"):
        raise InputError(
            f"A stream cannot have the format {fields.response_format}.",
            code="not_applicable",
            hint="Set response_format to json or text, or do not stream.",
            field="response_format",
        )
    if "word" in fields.timestamp_granularities and fields.response_format != "verbose_json":
        raise InputError(
            f"The format {fields.response_format} has no timestamps of words.",
            code="not_applicable",
            hint="Set response_format=verbose_json.",
            field="timestamp_granularities",
        )
