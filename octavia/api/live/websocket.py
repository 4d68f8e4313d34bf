"""``WS /jobs/{job_id}/ws``: a job's events as JSON objects over a WebSocket."""

from typing import Final

import anyio
from anyio import CancelScope
from starlette.websockets import WebSocket, WebSocketDisconnect

from octavia.api.context import context_of
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import key_id, owner, principal
from octavia.api.http.problems import status_of
from octavia.api.live.hub import Hub, hub_of
from octavia.api.live.position import position, to_json
from octavia.errors import OctaviaError
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord

_ENDED: Final = 1000
_TOO_MANY_MESSAGES: Final = 1008
_RESTARTING: Final = 1012
_TRY_AGAIN: Final = 1013
_KEY_INVALID: Final = 4401
_GONE: Final = 4404

_MOST_MESSAGES: Final = 1000
"""Messages of a client are ignored; one that sends more than this is cut off."""


async def watch_socket(socket: WebSocket) -> None:
    """Send a job's events until it has ended, then close with 1000.

    After an error, close with 4000 plus its HTTP status, and with its code as the reason.
    """
    await socket.accept()
    try:
        job, after = await _find_job(socket)
    except OctaviaError as error:
        await _close_with(socket, error)
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_drain, socket, tasks.cancel_scope)
        await _send_events(socket, hub_of(socket), job, after)
        tasks.cancel_scope.cancel()


async def refuse(socket: WebSocket, error: OctaviaError) -> None:
    """Accept a connection only to close it with an error: browsers hide the answer to a refused handshake."""
    offered = socket.scope["subprotocols"]
    await socket.accept(offered[0] if offered else None)
    await _close_with(socket, error)


async def _find_job(socket: WebSocket) -> tuple[JobRecord, int]:
    principal(socket).require(Scope.READ)
    job = await context_of(socket).db(queries.get, job_id_of(socket), owner(socket))
    return job, position(socket, job)


async def _send_events(socket: WebSocket, hub: Hub, job: JobRecord, after: int) -> None:
    async with hub.watch(job.id, after=after, key=key_id(socket)) as watch:
        try:
            async for event in watch:
                at = event.created_at.isoformat()
                await socket.send_text(to_json({"seq": event.seq, "type": event.type, "data": event.data, "at": at}))
        except WebSocketDisconnect:
            return
    if hub.closed:
        await _close(socket, _RESTARTING, "restarting")
    elif watch.gone:
        await _close(socket, _GONE, "job_not_found")
    elif watch.key_invalid:
        await _close(socket, _KEY_INVALID, "invalid_key")
    else:
        await _close(socket, _ENDED, "")


async def _drain(socket: WebSocket, work: CancelScope) -> None:
    """Receive and drop the client's messages until it leaves, then cancel ``work``."""
    for _ in range(_MOST_MESSAGES):
        if (await socket.receive())["type"] == "websocket.disconnect":
            work.cancel()
            return
    await _close(socket, _TOO_MANY_MESSAGES, "too_many_messages")
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
