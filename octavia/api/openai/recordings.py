"""What transcriptions and translations share: a form with a recording becomes a job, and its text comes back."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from starlette.requests import Request
from uuid_utils.compat import uuid7

from octavia.api.context import Context, context_of
from octavia.api.http import checks
from octavia.api.openai.errors import OF_JOBS
from octavia.api.openai.models import choose
from octavia.api.openai.running import Order, order_of
from octavia.api.openai.schemas import RecordingRequest
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission import plan as submission
from octavia.api.submission.idempotency import Attempt, attempt, fingerprint
from octavia.api.submission.receive import create
from octavia.api.submission.room import check_submission
from octavia.api.submission.supported import check_models
from octavia.api.submission.uploads import Upload, Values
from octavia.catalog import Task
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.text.transcripts import Transcript

R = TypeVar("R", bound=RecordingRequest)

PROBLEMS: Final = (
    *OF_JOBS,
    *("not_media", "no_audio", "truncated_media", "media_too_long", "media_too_complex", "decoder_crashed"),
)

_PROMPT_CHARS = 1000
_LISTS = frozenset({"timestamp_granularities", "include", "keywords", "languages"})
_OBJECTS = frozenset({"chunking_strategy"})
_PARTS_OF_OBJECTS = ("type", "prefix_padding_ms", "silence_duration_ms", "threshold")


async def submit_recording(request: Request, schema: type[R], plan: Callable[[R], NewJob]) -> tuple[R, Order]:
    """Read the form, and start the job that it asks for, unless a request with the same key has done so.

    Parameters:
      plan: Makes the job of the fields, but for its model and its input.

    Raises:
      InputError: The form or a field is wrong.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise InputError(
            "The recording is not sent as a form.",
            code="unsupported_content_type",
            hint="Send multipart/form-data with a file.",
        )
    async with attempt(request) as once:
        if once.ours:
            await check_submission(request)
        wanted, made = await _read(once, schema, plan)
    return wanted, await order_of(request, made)


def job_fields(wanted: RecordingRequest, *words: str, **fields: Any) -> JobRequest:
    """The fields of a job that hears a recording; ``words`` help it beside those of the prompt."""
    prompt = " ".join([*words, wanted.prompt or ""]).strip()[-_PROMPT_CHARS:]
    return checks.validate(JobRequest, {**fields, "vocabulary": prompt or None})


async def read_transcript(context: Context, job: JobRecord, *, translated: bool = False) -> Transcript:
    """What a completed job has heard, or its translation."""
    artifact = await context.db(queries.artifact, job.id, "translation.json" if translated else "transcript.json")
    data = await context.io(context.storage.get, artifact.storage_key)
    return await context.io(Transcript.from_json, data, translated=translated)


async def _read(once: Attempt, schema: type[R], plan: Callable[[R], NewJob]) -> tuple[R, JobRecord | Recorded]:
    context, job_id, new = context_of(once.request), uuid7(), None
    known = _form_fields(schema)
    lists = tuple(name for name in known if name.removesuffix("[]") in _LISTS)
    async with Upload(context, job_id, known=known, lists=lists, keep=once.ours) as upload:
        values = await upload.read(once.request, lambda values: checks.validate_some(schema, _plain(values)))
        wanted = checks.validate(schema, _plain(values))
        if once.ours:
            new = plan(wanted)
            if model := await choose(context, wanted.model, Task.SPEECH):
                new = submission.with_options(new, speech_model=model.id)
            await context.io(check_models, context, new, from_text=False)
        stored = await upload.finish()
    asked = fingerprint(wanted, stored)
    if new is None:
        return wanted, await once.first(asked)
    new = submission.with_input(new, stored)
    return wanted, await create(context, once, asked, new, None, job_id=job_id, start=True)


def _form_fields(schema: type[RecordingRequest]) -> Mapping[str, Any]:
    """The names of fields in a form: OpenAI's clients write ``include[]`` and ``chunking_strategy[type]``."""
    names = dict(schema.model_fields)
    for name in schema.model_fields:
        if name in _LISTS:
            names[f"{name}[]"] = names[name]
        elif name in _OBJECTS:
            names |= {f"{name}[{part}]": names[name] for part in _PARTS_OF_OBJECTS}
    return names


def _plain(values: Values) -> Values:
    """The fields of a form by their own names."""
    plain: Values = {}
    for name, value in values.items():
        own = name.partition("[")[0]
        plain[own] = [*plain.get(own, []), *value] if isinstance(value, list) else value
    return plain
