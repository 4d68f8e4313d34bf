"""``POST /v1/audio/speech``: a text spoken, in the format asked for."""

import base64
from collections.abc import AsyncIterator
from typing import Any, Final

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
from octavia.api.openai.errors import OF_JOBS
from octavia.api.openai.models import choose
from octavia.api.openai.running import finished, order_of
from octavia.api.openai.schemas import SpeechRequest
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission import plan as submission
from octavia.api.submission.idempotency import HEADER, Attempt, attempt, fingerprint
from octavia.api.submission.receive import create
from octavia.api.submission.room import NO_ROOM, check_submission
from octavia.api.submission.supported import check_models
from octavia.catalog import Task
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType

_PROBLEMS: Final = (
    *NO_ROOM,
    *("text_empty", "text_too_long", "unknown_language", "voice_unavailable", "model_unavailable"),
)
_NO_TOKENS: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


@operation(
    "Speak a text as OpenAI does",
    tag="OpenAI",
    scope=Scope.WRITE,
    body={"application/json": SpeechRequest},
    answers={200: "*/*"},
    problems=(*OF_JOBS, *_PROBLEMS),
    headers=(HEADER,),
)
async def create_speech(request: Request) -> Response:
    """``POST /v1/audio/speech``: the whole file, streamed once it is done."""
    async with attempt(request) as once:
        if once.ours:
            await check_submission(request)
        wanted = await _read(once.request)
        made = await _submit(once, wanted)
    order = await order_of(request, made)
    return order.mark(await _answer(request, await finished(request, order), wanted))


async def _submit(once: Attempt, wanted: SpeechRequest) -> JobRecord | Recorded:
    asked = fingerprint(wanted)
    if not once.ours:
        return await once.first(asked)
    context, job_id = context_of(once.request), uuid7()
    new = await _plan(once.request, wanted)
    text = await context.io(context.storage.put, f"jobs/{job_id}/input/text.txt", wanted.input.encode())
    new = submission.with_input(new, submission.text_input(text))
    return await create(context, once, asked, new, None, job_id=job_id, start=True)


async def _read(request: Request) -> SpeechRequest:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InputError(
            "The request is not JSON.", code="unsupported_content_type", hint="Send it as application/json."
        )
    longest = context_of(request).settings.max_text_chars
    limit = bodies.limit_for(longest)
    values = await bodies.json_body(request, limit, lambda: submission.too_long(longest, field="input"))
    wanted = checks.validate(SpeechRequest, values)
    submission.check_length(wanted.input, longest, field="input")
    checks.check_text(wanted.input, field="input")
    return wanted


async def _plan(request: Request, wanted: SpeechRequest) -> NewJob:
    context = context_of(request)
    model = await choose(context, wanted.model, Task.VOICE)
    owner, voice = await context.io(voices.choose, context, wanted.voice, model=model, language=wanted.language)
    fields = {
        "type": JobType.SYNTHESIZE,
        "source_language": voice.language,
        "voice": f"{owner.id}/{voice.id}",
        "formats": [wanted.response_format],
        "speed": wanted.speed,
    }
    new = submission.plan(checks.validate(JobRequest, fields), principal(request), from_text=True)
    await context.io(check_models, context, new, from_text=True)
    return new


async def _answer(request: Request, job: JobRecord, wanted: SpeechRequest) -> Response:
    context = context_of(request)
    track = await context.db(queries.artifact, job.id, f"dub.{wanted.response_format}")
    blocks = await stored(context, track)(Span(0, track.size))
    if wanted.stream_format == "sse":
        return EventSourceResponse(_events(blocks), sep="\n")
    headers = {"content-length": str(track.size), "cache-control": "no-store"}
    return StreamingResponse(blocks, headers=headers, media_type=track.media_type)


async def _events(blocks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    async for block in blocks:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(block).decode()})
    yield _event({"type": "speech.audio.done", "usage": _NO_TOKENS})


def _event(data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(to_json(data))
