"""A time limit for request headers, which uvicorn does not have, and one for connections that send nothing."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class HeaderTimeouts(H11Protocol):
    """Closes a connection whose request has not sent all its headers in time, counted from the request's first byte.

    A connection that sends nothing has uvicorn's keep-alive limit, before its first request as well as between two:
    proxies and browsers open connections in advance, and use each for many requests.

    Parameters:
      seconds: The time limit.
    """

    def __init__(self, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seconds = seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the time before the first request."""
        super().connection_made(transport)
        self._set_clocks()

    def data_received(self, data: bytes) -> None:
        """Start the clock when a request begins, and stop it once its headers are complete."""
        super().data_received(data)
        self._set_clocks()

    def on_response_complete(self) -> None:
        """Start the clock if the next request has begun already, sent along with the one before."""
        super().on_response_complete()
        self._set_clocks()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_deadline()
        self._stop_keep_alive()
        super().connection_lost(exc)

    @property
    def headers_since(self) -> float | None:
        """The time on the event loop's clock at which the headers began that are still arriving; None if none are."""
        return None if self._deadline is None else self._deadline.when() - self._seconds

    def _set_clocks(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_deadline()
        elif self.conn.trailing_data[0]:  # headers, of which some have arrived
            self._stop_keep_alive()
            if self._deadline is None:
                self._deadline = self.loop.call_later(self._seconds, self.transport.close)
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _stop_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
