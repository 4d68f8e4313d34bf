"""What transcriptions and translations share: a form with a recording becomes a job, and its text comes back."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from uuid_utils.compat import uuid7

from octavia.api import checks, submission
from octavia.api.capabilities import check_models
from octavia.api.limits import check_submission
from octavia.api.openai.models import choose
from octavia.api.openai.schemas import RecordingRequest
from octavia.api.schemas import JobRequest
from octavia.api.services import Services, services
from octavia.api.uploads import Upload, Values
from octavia.catalog import Task
from octavia.errors import InputError
from octavia.jobs import queries, submit
from octavia.jobs.records import JobRecord, NewJob
from octavia.transcripts import Transcript

R = TypeVar("R", bound=RecordingRequest)

_PROMPT_CHARS = 1000
_LISTS = frozenset({"timestamp_granularities", "include", "keywords", "languages"})
_OBJECTS = frozenset({"chunking_strategy"})
_PARTS_OF_OBJECTS = ("type", "prefix_padding_ms", "silence_duration_ms", "threshold")


async def submit_recording(request: Request, schema: type[R], plan: Callable[[R], NewJob]) -> tuple[R, JobRecord]:
    """Read the form, and start the job that it asks for.

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
    await check_submission(request)
    parts, job_id = services(request), uuid7()
    known = _form_fields(schema)
    lists = tuple(name for name in known if name.removesuffix("[]") in _LISTS)
    async with Upload(parts, job_id, known=known, lists=lists) as upload:
        values = await upload.read(request, lambda values: checks.validate_some(schema, _plain(values)))
        wanted = checks.validate(schema, _plain(values))
        new = plan(wanted)
        if model := await choose(parts, wanted.model, Task.SPEECH):
            new = submission.with_options(new, speech_model=model.id)
        await parts.io(check_models, parts, new, from_text=False)
        new = submission.with_input(new, await upload.finish())
    return wanted, await parts.db(submit.create, new, job_id=job_id, retention_days=parts.settings.retention_days)


def job_fields(wanted: RecordingRequest, *words: str, **fields: Any) -> JobRequest:
    """The fields of a job that hears a recording; ``words`` help it beside those of the prompt."""
    prompt = " ".join([*words, wanted.prompt or ""]).strip()[-_PROMPT_CHARS:]
    return checks.validate(JobRequest, {**fields, "vocabulary": prompt or None})


async def read_transcript(parts: Services, job: JobRecord, *, translated: bool = False) -> Transcript:
    """What a completed job has heard, or its translation."""
    artifact = await parts.db(queries.artifact, job.id, "translation.json" if translated else "transcript.json")
    data = await parts.io(parts.storage.get, artifact.storage_key)
    return await parts.io(Transcript.from_json, data, translated=translated)


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
