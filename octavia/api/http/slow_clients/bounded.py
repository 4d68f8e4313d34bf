"""uvicorn's protocols as members of the crowd: each new connection gets a place or is refused."""

import asyncio
import socket
from typing import Any, Final

import h11
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from octavia.api.http.slow_clients.crowd import Crowd
from octavia.api.http.slow_clients.header_timeouts import HeaderTimeouts

_MOST_AHEAD: Final = 1024 * 1024
"""Bytes of further requests that a client may send before it has got its answer; uvicorn pauses reading well before."""

_FIRST_REQUEST_SECONDS: Final = 1.0
"""Seconds that a server which stops waits for the first request of a connection: it may be on its way."""

_UNSENT_BYTES: Final = 128 * 1024
"""Most that the kernel holds for a client that does not read, which would otherwise be megabytes; twice asyncio's."""


class BoundedHTTP(HeaderTimeouts):
    """An HTTP connection with a place in the crowd.

    Parameters:
      crowd: All connections.
      refusal: The bytes to send to a connection for which there is no place.
    """

    def __init__(self, *args: Any, crowd: Crowd, refusal: bytes, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowd = crowd
        self._refusal = refusal
        self._heard = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or refuse the connection."""
        self._heard = self.loop.time()
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        super().connection_made(transport)
        if not self._crowd.admit(self):
            transport.write(self._refusal)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Cut off a client that sends without end and waits for no answer: whoever looks if it is gone reads on."""
        self._heard = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is h11.DONE and len(self.conn.trailing_data[0]) > _MOST_AHEAD:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._heard = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._crowd.leave(self.transport)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection once the answer in progress is sent; a new one gets time to send its first request."""
        left = self._heard + _FIRST_REQUEST_SECONDS - self.loop.time()
        if self.cycle is None and left > 0:
            self.loop.call_later(left, self.shutdown)
        elif not self.transport.is_closing():
            super().shutdown()

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has to send a request, or the rest of one."""
        if self.cycle is None or self.cycle.response_complete:
            return self.headers_since or self._heard
        return self._heard if self.cycle.more_body and not self.flow.read_paused else None

    @property
    def idle(self) -> bool:
        """True if nothing of a request has arrived."""
        return (self.cycle is None or self.cycle.response_complete) and self.headers_since is None


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket with a place in the crowd. It never waits for its client to send, only for it to read."""

    waiting_since = None
    idle = False

    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowd = crowd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the place of the HTTP connection that this was."""
        super().connection_made(transport)
        self._crowd.pass_on(self)

    def data_received(self, data: bytes) -> None:
        """Answer a handshake that cannot be read, too: uvicorn waits for a request that never comes out of it."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def pause_writing(self) -> None:
        """Read nothing more from a client that does not read: every ping would add its answer to the buffer."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again, unless the application is behind."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        """Keep no empty fragments: the bound on a message's bytes lets any number of them through."""
        if event.data or event.fin:
            super().handle_cont(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._crowd.leave(self.transport)
        super().connection_lost(exc)
