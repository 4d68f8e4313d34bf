"""A transcript as OpenAI streams it: what is recognised, while it is, and all of it in the end."""

from collections.abc import AsyncIterator
from typing import Any, Final

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from octavia.api.context import Context
from octavia.api.http.identity import no_longer_valid
from octavia.api.http.problems import status_of
from octavia.api.live.hub import Hub
from octavia.api.live.position import to_json
from octavia.api.openai.errors import content
from octavia.api.openai.recordings import read_transcript
from octavia.api.openai.running import Order, check_completed, leave, not_in_time
from octavia.errors import OctaviaError
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import EventRecord
from octavia.jobs.tables.states import Stage

_HEARTBEAT_SECONDS: Final = 15


class TranscriptStream(EventSourceResponse):
    """``transcript.text.delta`` for each segment, in order, then ``transcript.text.done``.

    The job ends with the stream: when the client goes first, it is canceled.
    """

    def __init__(self, context: Context, hub: Hub, order: Order) -> None:
        super().__init__(_events(context, hub, order), sep="\n", ping=_HEARTBEAT_SECONDS)
        self._context = context
        self._order = order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await leave(self._context, self._order)


class InOrder:
    """Puts segments into the order of the recording, whose chunks are recognised side by side."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[str]] = {}
        self._done: set[int] = set()
        self._chunk = 0

    def take(self, event: EventRecord) -> list[str]:
        """The texts that can be told after an event, if any."""
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


async def _events(context: Context, hub: Hub, order: Order) -> AsyncIterator[ServerSentEvent]:
    job, segments, told = order.job, InOrder(), False
    deadline = anyio.current_time() + context.settings.max_wait_seconds
    try:
        async with hub.watch(job.id, after=0, key=order.api_key) as watch:
            while event := await _next(watch, deadline):
                for text in segments.take(event):
                    yield _event({"type": "transcript.text.delta", "delta": f" {text}" if told else text})
                    told = True
            if watch.barred:
                raise no_longer_valid()
        job = await context.db(queries.get, job.id, job.owner)
        if not job.status.ended:
            raise not_in_time(context, hub, order)
        await check_completed(context, order, job)
        transcript = await read_transcript(context, job)
    except OctaviaError as error:
        yield _event(content(error, status_of(error)))
        return
    yield _event({"type": "transcript.text.done", "text": transcript.text})


async def _next(watch: AsyncIterator[EventRecord], deadline: float) -> EventRecord | None:
    with anyio.move_on_after(deadline - anyio.current_time()):
        return await anext(watch, None)
    return None


def _event(data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(to_json(data))
