"""A transcript as OpenAI streams it: each segment as soon as it is recognised, and all of the text at the end."""

from collections.abc import AsyncIterator

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from octavia.api.context import context_of
from octavia.api.http.identity import key_id, no_longer_valid
from octavia.api.http.problems import status_of
from octavia.api.live.hub import hub_of
from octavia.api.live.position import to_json
from octavia.api.openai import running
from octavia.api.openai.errors import error_body
from octavia.api.openai.running import AwaitedJob
from octavia.errors import OctaviaError
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import EventRecord
from octavia.jobs.tables.states import Stage


class TranscriptStream(EventSourceResponse):
    """``transcript.text.delta`` for each segment, in order, then ``transcript.text.done``.

    The job is canceled when the client leaves before it has ended.
    """

    def __init__(self, request: Request, awaited: AwaitedJob) -> None:
        super().__init__(_events(request, awaited), sep="\n", ping=hub_of(request).heartbeat_seconds)
        self._request = request
        self._awaited = awaited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await running.cancel_if_abandoned(self._request, self._awaited)


class InOrder:
    """Puts segments into the order of the recording, whose chunks are recognised in parallel."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[str]] = {}
        self._done: set[int] = set()
        self._chunk = 0

    def take(self, event: EventRecord) -> list[str]:
        """Take an event, and return the texts that can be sent now, in order."""
        data = event.data
        if event.type == "segment":
            self._waiting.setdefault(data["chunk"], []).append(data["text"])
        elif event.type == "stage" and (data["stage"], data["status"]) == (Stage.TRANSCRIBE, "completed"):
            self._done.add(data["chunk"])
        ready = self._waiting.pop(self._chunk, [])
        while self._chunk in self._done:
            self._chunk += 1
            ready += self._waiting.pop(self._chunk, [])
        return ready


async def _events(request: Request, awaited: AwaitedJob) -> AsyncIterator[ServerSentEvent]:
    context = context_of(request)
    job, segments, separator = awaited.job, InOrder(), ""
    deadline = anyio.current_time() + context.settings.max_wait_seconds
    try:
        async with hub_of(request).watch(job.id, after=0, key=key_id(request)) as watch:
            while event := await _next(watch, deadline):
                for text in segments.take(event):
                    yield ServerSentEvent(to_json({"type": "transcript.text.delta", "delta": separator + text}))
                    separator = " "
            if watch.key_invalid:
                raise no_longer_valid()
        job = await context.db(queries.get, job.id, job.owner)
        if not job.status.ended:
            raise running.unfinished_error(request, awaited)
        await running.check_completed(request, awaited, job)
        transcript = await running.read_transcript(request, job)
    except OctaviaError as error:
        yield ServerSentEvent(to_json(error_body(error, status_of(error))))
        return
    yield ServerSentEvent(to_json({"type": "transcript.text.done", "text": transcript.text}))


async def _next(watch: AsyncIterator[EventRecord], deadline: float) -> EventRecord | None:
    with anyio.move_on_after(deadline - anyio.current_time()):
        return await anext(watch, None)
    return None
