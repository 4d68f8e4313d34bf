"""The HTTP server: uvicorn with Octavia's time limits, and a stop that ends live connections first."""

import asyncio
import contextlib
import math
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from uvicorn.lifespan.on import LifespanOn

from octavia import service_manager, tracing
from octavia.api.http.slow_clients.bounded import BoundedHTTP, BoundedWebSocket
from octavia.api.http.slow_clients.crowd import Crowd
from octavia.api.http.slow_clients.descriptors import connections_that_fit
from octavia.api.http.slow_clients.refusal import too_many_connections
from octavia.api.http.slow_clients.stopping import Stopping
from octavia.api.listening import bound
from octavia.api.live.hub import Hub
from octavia.background import Turns, keep_on_async
from octavia.settings import Settings

_REFUSAL_SECONDS: Final = 5
"""Added to the grace of requests: time to refuse those that are still arriving, and for clients to read the answer."""

_STARTUP_FAILED: Final = 3
_WEBSOCKET_BYTES: Final = 4096
"""Enough, as clients have nothing to send over a WebSocket."""

_ACCEPTED_AT_ONCE: Final = 32
"""Connections that are accepted before the first of them can be refused: they need descriptors, too."""

_BACKLOG: Final = 2048
"""Connections that wait in the kernel to be accepted."""

_TICKS_A_SECOND: Final = 10
"""Calls of ``on_tick`` by uvicorn."""

log = structlog.get_logger()


class Server(uvicorn.Server):
    """Ends streams of job events before it waits for the answers in progress, so that they do not use up the grace.

    Requests that are still arriving at the end of the grace are refused with an answer, not cut off.

    Parameters:
      beat: Called every second while it serves and nothing in it hangs.
    """

    def __init__(self, app: Starlette, settings: Settings, *, beat: Callable[[], None] = lambda: None) -> None:
        self._crowd = crowd = _crowd_of(settings)
        self._sweeping: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            # uvicorn calls these two, and its annotations want classes.
            http=partial(  # type: ignore[arg-type]
                BoundedHTTP,
                seconds=settings.header_timeout_seconds,
                crowd=crowd,
                refusal=too_many_connections(settings.root_path),
            ),
            ws=partial(BoundedWebSocket, crowd=crowd),  # type: ignore[arg-type]
            # asyncio accepts so many in one go.
            backlog=_ACCEPTED_AT_ONCE,
            log_config=None,
            lifespan="on",
            access_log=False,
            # Not uvicorn's own, which by default believe every program on this machine; see ``forwarding``.
            proxy_headers=False,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=math.ceil(settings.stop_grace_seconds + _REFUSAL_SECONDS),
            ws_max_size=_WEBSOCKET_BYTES,
        )
        super().__init__(config)
        self._hub: Hub = app.state.hub
        self._stopping: Stopping = app.state.stopping
        self._grace = settings.stop_grace_seconds
        self._state = app.state
        self._beat = beat
        self._reporter = service_manager.Reporter()
        self._root = settings.root_path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            for listening in (socket for server in self.servers for socket in server.sockets):
                with listening.dup() as same:
                    same.listen(_BACKLOG)
            self._sweeping = asyncio.create_task(keep_on_async(Turns("connection_sweep"), self._crowd.watch))
            log.info(
                "api_ready",
                host=self.config.host,
                port=self.config.port,
                page=f"{self._root}/operator",
                connections=self._crowd.most,
            )
            self._tell()

    async def on_tick(self, counter: int) -> bool:
        """Return True when it is time to stop, as when what runs beside the requests has ended."""
        if counter % _TICKS_A_SECOND == 0 and not self.half_dead:
            self._tell()
        return await super().on_tick(counter) or self.half_dead

    def _tell(self) -> None:
        """Tell whoever keeps this process that it lives, unless work that all jobs need hangs."""
        alive = not any(turns.hanging for turns in self._state.steady)
        self._reporter.report(self._condition(), alive=alive)
        if alive:
            self._beat()

    def _condition(self) -> str:
        broken = ", ".join(turns.name for turns in self._state.background if turns.broken)
        return f"Serving {self.config.host}, port {self.config.port}.{f' Broken: {broken}.' if broken else ''}"

    @property
    def half_dead(self) -> bool:
        """True if what runs beside the requests has ended by an error, which uvicorn has logged."""
        return isinstance(self.lifespan, LifespanOn) and self.lifespan.error_occurred

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: end event streams, give the answers in progress their grace, then refuse requests that still arrive."""
        self._stopping.begun = True
        service_manager.stopping(self._grace)
        self._hub.close()
        asyncio.get_running_loop().call_later(self._grace, self._stopping.refuse)
        await super().shutdown(sockets)
        # uvicorn ends by the signal that ended it, and no exit handler runs.
        await asyncio.to_thread(tracing.shutdown)
        if self._sweeping is not None:
            self._sweeping.cancel()


def _crowd_of(settings: Settings) -> Crowd:
    most = connections_that_fit(settings.max_connections)
    return Crowd(
        most,
        settings.max_connections_per_address or max(1, most // 4),
        uncounted=settings.trusted_networks,
        pause=settings.body_timeout_seconds,
        bytes_per_second=settings.body_bytes_per_second,
    )


def run(
    app: Starlette,
    settings: Settings,
    sockets: Sequence[socket.socket] | None = None,
    *,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Serve until a signal arrives; exits with 3 if the server could not start, with 1 if a part of it ended.

    Parameters:
      sockets: Those to listen on; None binds them as the settings say.
      beat: Called every second while it serves.
    """
    server = Server(app, settings, beat=beat)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after it has stopped
        server.run(list(sockets or bound(settings)))
    if not server.started:
        sys.exit(_STARTUP_FAILED)
    if server.half_dead:
        sys.exit(1)
