"""``GET /jobs/{job_id}/events``: what happens to a job, as server-sent events."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import owner
from octavia.api.http.operations import operation
from octavia.api.live.hub import Hub, hub_of
from octavia.api.live.position import EventsRequest, key_of, position, to_json
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import events, queries

_HEARTBEAT_SECONDS: Final = 15
_RETRY_MILLISECONDS: Final = 2000
"""How long a client that lost its connection should wait before it comes again."""

_CLOSING_SECONDS: Final = 3.0
"""How long streams may take to end by themselves before the library cuts them off when the server stops."""


class _Heartbeat(ServerSentEvent):
    """A comment, and no empty line after it: some clients would take that for an event without data."""

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
    """``GET /jobs/{job_id}/events``: 204 when the job has ended and nothing is left to tell, so that browsers stop."""
    context = context_of(request)
    job = await context.db(queries.get, job_id_of(request), owner(request))
    after = position(request, job)
    if job.status.ended and not await context.db(events.since, job.id, after, 1):
        return Response(status_code=204, headers={"cache-control": "no-store"})
    return EventSourceResponse(
        _stream(hub_of(request), job.id, after, key_of(request)),
        sep="\n",
        ping=_HEARTBEAT_SECONDS,
        ping_message_factory=_Heartbeat,
        shutdown_grace_period=_CLOSING_SECONDS,
    )


async def _stream(live: Hub, job_id: UUID, after: int, key: UUID | None) -> AsyncIterator[ServerSentEvent]:
    retry: int | None = _RETRY_MILLISECONDS
    async with live.watch(job_id, after=after, key=key) as watch:
        async for event in watch:
            yield ServerSentEvent(to_json(event.data), event=event.type, id=str(event.seq), retry=retry)
            retry = None
