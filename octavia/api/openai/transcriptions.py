"""``POST /v1/audio/transcriptions``: what is said in a recording, at once or as it is recognised."""

from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.live.hub import hub_of
from octavia.api.openai.recordings import PROBLEMS, job_fields, read_transcript, submit_recording
from octavia.api.openai.running import finished
from octavia.api.openai.schemas import TranscriptionRequest
from octavia.api.openai.streaming import TranscriptStream
from octavia.api.openai.texts import present
from octavia.api.submission import plan as submission
from octavia.api.submission.idempotency import HEADER
from octavia.errors import InputError
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType


@operation(
    "Transcribe a recording as OpenAI does",
    tag="OpenAI",
    scope=Scope.WRITE,
    body={"multipart/form-data": TranscriptionRequest},
    answers={200: "*/*"},
    problems=PROBLEMS,
    headers=(HEADER,),
)
async def create_transcription(request: Request) -> Response:
    """``POST /v1/audio/transcriptions``."""

    def plan(wanted: TranscriptionRequest) -> NewJob:
        _check_together(wanted)
        language = wanted.language or (wanted.languages[0] if wanted.languages and len(wanted.languages) == 1 else None)
        fields = job_fields(
            wanted, *(wanted.keywords or ()), type=JobType.TRANSCRIBE, source_language=language or "auto"
        )
        return submission.plan(fields, principal(request), from_text=False)

    wanted, order = await submit_recording(request, TranscriptionRequest, plan)
    context = context_of(request)
    if wanted.stream:
        return order.mark(TranscriptStream(context, hub_of(request), order))
    transcript = await read_transcript(context, await finished(request, order))
    return order.mark(await context.io(present, transcript, wanted.response_format, wanted.timestamp_granularities))


def _check_together(wanted: TranscriptionRequest) -> None:
    if wanted.stream and wanted.response_format not in ("json", "text"):
        raise InputError(
            f"A stream cannot be {wanted.response_format}.",
            code="not_applicable",
            hint="Leave response_format out, or stream.",
            field="response_format",
        )
    if "timestamp_granularities" in wanted.model_fields_set and wanted.response_format != "verbose_json":
        raise InputError(
            f"The format {wanted.response_format} has no times to choose.",
            code="not_applicable",
            hint="Set response_format=verbose_json.",
            field="timestamp_granularities",
        )
