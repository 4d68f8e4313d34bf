"""``GET /jobs/{job_id}/events``: a job's events as server-sent events."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import key_id, owner
from octavia.api.http.operations import operation
from octavia.api.live.hub import Watch, hub_of
from octavia.api.live.position import EventsRequest, position, to_json
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import events, queries

_RETRY_MILLISECONDS: Final = 2000
"""The pause that a client should make before it reconnects."""

_CLOSING_SECONDS: Final = 3.0
"""Time for streams to end by themselves when the server stops, before the library cuts them off."""


class _Heartbeat(ServerSentEvent):
    """A comment without an empty line after it, which some clients would take for an event without data."""

    def encode(self) -> bytes:
        return b": still here\n"


@operation(
    "Watch a job",
    tag="Live",
    scope=Scope.READ,
    query=EventsRequest,
    answers={200: "text/event-stream", 204: None},
    problems=("invalid_job_id", "job_not_found", "invalid_field", "unknown_field", "invalid_event_id"),
    headers=("Last-Event-ID",),
)
async def watch_events(request: Request) -> Response:
    """``GET /jobs/{job_id}/events``: 204 if the job has ended and no event is left, so that browsers stop."""
    context = context_of(request)
    job = await context.db(queries.get, job_id_of(request), owner(request))
    after = position(request, job)
    if job.status.ended and not await context.db(events.since, job.id, after, 1):
        return Response(status_code=204, headers={"cache-control": "no-store"})
    return stream(request, _events(hub_of(request).watch(job.id, after=after, key=key_id(request))))


def stream(request: Request, events: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    """Answer with events; comments in between show the client that the stream is alive."""
    return EventSourceResponse(
        _with_retry(events),
        sep="\n",
        ping=hub_of(request).heartbeat_seconds,
        ping_message_factory=_Heartbeat,
        shutdown_grace_period=_CLOSING_SECONDS,
    )


async def _events(watching: AbstractAsyncContextManager[Watch]) -> AsyncIterator[ServerSentEvent]:
    async with watching as watch:
        async for event in watch:
            yield ServerSentEvent(to_json(event.data), event=event.type, id=str(event.seq))


async def _with_retry(events: AsyncIterator[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    retry: int | None = _RETRY_MILLISECONDS
    async for event in events:
        event.retry, retry = retry, None
        yield event
