"""``POST /v1/audio/speech``: speaks a text in the requested audio format."""

import base64
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from uuid_utils.compat import uuid7

from octavia.api.context import context_of
from octavia.api.http import bodies, checks
from octavia.api.http.downloads import stored
from octavia.api.http.headers import Span
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.live.position import to_json
from octavia.api.openai import voices
from octavia.api.openai.errors import JOB_PROBLEMS
from octavia.api.openai.models import choose_model
from octavia.api.openai.running import awaited_job, wait_for_completion
from octavia.api.openai.schemas import SpeechRequest
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission import plan
from octavia.api.submission.idempotency import HEADER, Attempt, fingerprint_of, serve_once
from octavia.api.submission.receive import content_type_of, create_job, store_text
from octavia.api.submission.room import NO_ROOM, admitted
from octavia.api.submission.supported import check_models
from octavia.catalog import Task
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType
from octavia.storage import Reservation

_NO_TOKENS: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


@operation(
    "Speak a text as OpenAI does",
    tag="OpenAI",
    scope=Scope.WRITE,
    body={"application/json": SpeechRequest},
    answers={200: "*/*"},
    problems=(
        *JOB_PROBLEMS,
        *NO_ROOM,
        *("wrong_input", "text_empty", "text_too_long", "unknown_language", "voice_unavailable", "model_unavailable"),
    ),
    headers=(HEADER,),
)
async def create_speech(request: Request) -> Response:
    """``POST /v1/audio/speech``: the whole file, streamed once it is complete."""
    job_id = uuid7()
    async with serve_once(request) as attempt, admitted(attempt, job_id) as room:
        fields = await _read(attempt.request)
        created = await _submit(attempt, fields, job_id, room)
    awaited = await awaited_job(request, created)
    return awaited.mark(await _answer(request, await wait_for_completion(request, awaited), fields))


async def _submit(
    attempt: Attempt, fields: SpeechRequest, job_id: UUID, room: Reservation | None
) -> JobRecord | Recorded:
    fingerprint = fingerprint_of(fields)
    if not attempt.is_first:
        return await attempt.first_outcome(fingerprint)
    context = context_of(attempt.request)
    new = await _plan(attempt.request, fields)
    text = await store_text(context, job_id, fields.input, room)
    return await create_job(attempt, fingerprint, new, text, job_id=job_id)


async def _read(request: Request) -> SpeechRequest:
    if content_type_of(request) != "application/json":
        raise InputError(
            "The request is not JSON.", code="unsupported_content_type", hint="Send it as application/json."
        )
    longest = context_of(request).settings.max_text_chars
    limit = bodies.limit_for(longest)
    values = await bodies.json_body(request, limit, lambda: plan.too_long(longest, field="input"))
    fields = checks.validate(SpeechRequest, values)
    plan.check_length(fields.input, longest, field="input")
    checks.check_text(fields.input, field="input")
    plan.check_prose(fields.input, field="input")
    return fields


async def _plan(request: Request, fields: SpeechRequest) -> NewJob:
    context = context_of(request)
    model = await choose_model(context, fields.model, Task.VOICE)
    owner, voice = await context.io(voices.choose_voice, context, fields.voice, model=model, language=fields.language)
    job_fields = {
        "type": JobType.SYNTHESIZE,
        "source_language": voice.language,
        "voice": f"{owner.id}/{voice.id}",
        "formats": [fields.response_format],
        "speed": fields.speed,
    }
    new = plan.plan(checks.validate(JobRequest, job_fields), principal(request), from_text=True)
    await context.io(check_models, context, new, from_text=True)
    return new


async def _answer(request: Request, job: JobRecord, fields: SpeechRequest) -> Response:
    context = context_of(request)
    track = await context.db(queries.artifact, job.id, f"dub.{fields.response_format}")
    blocks = await stored(context, track)(Span(0, track.size))
    if fields.stream_format == "sse":
        return EventSourceResponse(_events(blocks), sep="\n")
    headers = {"content-length": str(track.size), "cache-control": "no-store"}
    return StreamingResponse(blocks, headers=headers, media_type=track.media_type)


async def _events(blocks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    async for block in blocks:
        yield ServerSentEvent(to_json({"type": "speech.audio.delta", "audio": base64.b64encode(block).decode()}))
    yield ServerSentEvent(to_json({"type": "speech.audio.done", "usage": _NO_TOKENS}))
