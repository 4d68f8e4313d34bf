"""The HTTP server: uvicorn, with a bound on how long a request's headers may take, which it lacks."""

import asyncio
import contextlib
import math
import socket
import sys
from typing import Final

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from octavia.api.http.slow_clients.stopping import Stopping
from octavia.api.live.hub import Hub
from octavia.settings import Settings

_REFUSAL_SECONDS: Final = 5
"""Beyond the grace that requests have: to tell those that are still coming then, and for their clients to read it."""

_STARTUP_FAILED: Final = 3
_WEBSOCKET_BYTES: Final = 4096
"""Nothing that a client sends over a WebSocket means anything to us."""


class BoundedHeaders(H11Protocol):
    """Closes a connection on which a request does not get as far as its body in time.

    The time runs from when the connection is made, and after an answer from when the next request begins; until that
    begins, uvicorn's keep-alive bounds it.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the headers are there, start it when others begin."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._start_clock()
        else:
            self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def _start_clock(self) -> None:
        if self._deadline is None:
            assert isinstance(self.config, ServerConfig)
            self._deadline = self.loop.call_later(self.config.header_timeout_seconds, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class ServerConfig(uvicorn.Config):
    """How Octavia's API is served."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.header_timeout_seconds = settings.header_timeout_seconds
        super().__init__(
            app,
            host=settings.host,
            port=settings.port,
            http=BoundedHeaders,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=math.ceil(settings.stop_grace_seconds + _REFUSAL_SECONDS),
            ws_max_size=_WEBSOCKET_BYTES,
        )


class Server(uvicorn.Server):
    """Ends whatever waits for news of a job before it waits for the answers that are under way.

    Otherwise those who watch would use up the time that the others have. Requests that are still coming when their
    grace is over are refused, and not cut off.
    """

    def __init__(self, app: Starlette, settings: Settings) -> None:
        super().__init__(ServerConfig(app, settings))
        self._hub: Hub = app.state.hub
        self._stopping: Stopping = app.state.stopping
        self._grace = settings.stop_grace_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self._stopping.begun = True
        self._hub.close()
        asyncio.get_running_loop().call_later(self._grace, self._stopping.refuse)
        await super().shutdown(sockets)


def run(app: Starlette, settings: Settings) -> None:
    """Serve until a signal says to stop."""
    server = Server(app, settings)
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn once it has stopped for it
        server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)
