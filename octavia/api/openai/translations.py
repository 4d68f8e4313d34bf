"""``POST /v1/audio/translations``: what is said in a recording, in English."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.openai.recordings import PROBLEMS, job_fields, read_transcript, submit_recording
from octavia.api.openai.running import finished
from octavia.api.openai.schemas import RecordingRequest
from octavia.api.openai.texts import present
from octavia.api.submission import plan as submission
from octavia.api.submission.idempotency import HEADER
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType

_ENGLISH: Final = "en"


@operation(
    "Translate a recording into English as OpenAI does",
    tag="OpenAI",
    scope=Scope.WRITE,
    body={"multipart/form-data": RecordingRequest},
    answers={200: "*/*"},
    problems=PROBLEMS,
    headers=(HEADER,),
)
async def create_translation(request: Request) -> Response:
    """``POST /v1/audio/translations``: of English speech, the transcript."""

    def plan(wanted: RecordingRequest) -> NewJob:
        fields = job_fields(wanted, type=JobType.TRANSLATE, target_language=_ENGLISH)
        new = submission.plan(fields, principal(request), from_text=False)
        return submission.with_options(new, keep_language=True)

    wanted, order = await submit_recording(request, RecordingRequest, plan)
    context = context_of(request)
    translation = await read_transcript(context, await finished(request, order), translated=True)
    return order.mark(await context.io(present, translation, wanted.response_format))
