"""``/operator/events``: the state of the service, sent again whenever it has changed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.http.identity import key_id, principal
from octavia.api.http.operations import operation
from octavia.api.live.latest import Latest
from octavia.api.live.sse import stream
from octavia.jobs.access.keys import Scope


@operation("Watch the service", tag="Operator", scope=Scope.OPERATE, answers={200: "text/event-stream"})
async def watch_overview(request: Request) -> Response:
    """``GET /operator/events``: each event ``overview`` has what ``/operator/overview`` answers.

    The first comes at once, the next when that has changed, at most once a second. A slow client gets the newest.
    """
    overviews: Latest = request.app.state.overviews
    return stream(request, _events(overviews.watch(principal(request).operates_on, key_id(request))))


async def _events(watching: AbstractAsyncContextManager[AsyncIterator[str]]) -> AsyncIterator[ServerSentEvent]:
    async with watching as states:
        async for state in states:
            yield ServerSentEvent(state, event="overview")
