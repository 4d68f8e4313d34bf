"""``WS /jobs/{job_id}/ws``: what happens to a job, as JSON objects."""

from typing import Final

import anyio
from anyio import CancelScope
from starlette.websockets import WebSocket, WebSocketDisconnect

from octavia.api.context import context_of
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import owner, principal
from octavia.api.http.problems import status_of
from octavia.api.live.hub import Hub, hub_of
from octavia.api.live.position import key_of, position, to_json
from octavia.errors import OctaviaError
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import EventRecord, JobRecord

_ENDED: Final = 1000
_TOO_MUCH: Final = 1008
_RESTARTING: Final = 1012
_TRY_AGAIN: Final = 1013
_BARRED: Final = 4401
_GONE: Final = 4404

_MOST_MESSAGES: Final = 1000
"""Nothing that a client sends means anything; one that sends so much means no good."""


async def watch_socket(socket: WebSocket) -> None:
    """Send a job's events until it has ended: then 1000. Errors are 4000 and their HTTP status, with their code."""
    await socket.accept()
    try:
        job, after = await _find(socket)
    except OctaviaError as error:
        await _close_with(socket, error)
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_drain, socket, tasks.cancel_scope)
        await _send_events(socket, hub_of(socket), job, after)
        tasks.cancel_scope.cancel()


async def refuse(socket: WebSocket, error: OctaviaError) -> None:
    """Let a client in to tell it why it may not come in: browsers do not show pages how a handshake was answered."""
    offered = socket.scope["subprotocols"]
    await socket.accept(offered[0] if offered else None)
    await _close_with(socket, error)


async def _find(socket: WebSocket) -> tuple[JobRecord, int]:
    principal(socket).require(Scope.READ)
    job = await context_of(socket).db(queries.get, job_id_of(socket), owner(socket))
    return job, position(socket, job)


async def _send_events(socket: WebSocket, hub: Hub, job: JobRecord, after: int) -> None:
    async with hub.watch(job.id, after=after, key=key_of(socket)) as watch:
        try:
            async for event in watch:
                await socket.send_text(to_json(_object(event)))
        except WebSocketDisconnect:
            return
    if hub.closed:
        await _close(socket, _RESTARTING, "restarting")
    elif watch.gone:
        await _close(socket, _GONE, "job_not_found")
    elif watch.barred:
        await _close(socket, _BARRED, "invalid_key")
    else:
        await _close(socket, _ENDED, "")


async def _drain(socket: WebSocket, work: CancelScope) -> None:
    """Take what the client sends and drop it, until it leaves."""
    for _ in range(_MOST_MESSAGES):
        if (await socket.receive())["type"] == "websocket.disconnect":
            work.cancel()
            return
    await _close(socket, _TOO_MUCH, "too_many_messages")
    work.cancel()


async def _close_with(socket: WebSocket, error: OctaviaError) -> None:
    status = status_of(error)
    await _close(socket, 4000 + status if status < 500 else _TRY_AGAIN, error.code)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError):
        # The client was faster, or the server is closing it.
        return


def _object(event: EventRecord) -> dict[str, object]:
    return {"seq": event.seq, "type": event.type, "data": event.data, "at": event.created_at.isoformat()}
