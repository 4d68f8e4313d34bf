"""The data for estimating when jobs end, read every few seconds while clients ask, once for all of them."""

import time
from collections.abc import Awaitable, Callable

import anyio
from starlette.requests import HTTPConnection

from octavia.api.live.signal import Signal
from octavia.background import Turns, keep_on_async
from octavia.jobs.status.estimates import Outlook


class Forecast:
    """Keeps the newest outlook, so that a job's status needs no more queries than the job itself.

    Parameters:
      read_outlook: Reads the database.

    Attributes:
      fresh_seconds: Pause between two readings.
      stale_seconds: Age from which an outlook is no longer used.
      patience_seconds: How long a request waits for the first outlook, counted from when its reading began.
      turns: How its readings go.
    """

    def __init__(
        self,
        read_outlook: Callable[[], Awaitable[Outlook]],
        *,
        fresh_seconds: float = 5.0,
        stale_seconds: float = 30.0,
        patience_seconds: float = 1.0,
    ) -> None:
        self.fresh_seconds = fresh_seconds
        self.stale_seconds = stale_seconds
        self.patience_seconds = patience_seconds
        self.turns = Turns("forecast")
        self._read_outlook = read_outlook
        self._outlook: Outlook | None = None
        self._read_at = float("-inf")
        self._reading_since = float("inf")
        self._requested = anyio.Event()
        self._updated = Signal()

    async def run(self) -> None:
        """Read as long as requests come, for ever."""
        await keep_on_async(self.turns, self._read_when_asked)

    async def _read_when_asked(self) -> None:
        await self._requested.wait()
        self._requested = anyio.Event()
        self._reading_since = time.monotonic()
        try:
            self._outlook = await self._read_outlook()
            self._read_at = time.monotonic()
        finally:
            self._reading_since = float("inf")
            self._updated.notify()
        await anyio.sleep(self.fresh_seconds)

    async def latest(self) -> Outlook | None:
        """Return the newest outlook, waiting for the first one for a while; None if there is none in time."""
        self._requested.set()
        if self._stale:
            elapsed = max(0.0, time.monotonic() - self._reading_since)
            with anyio.move_on_after(max(0.0, self.patience_seconds - elapsed)):
                await self._updated.wait()
        return None if self._stale else self._outlook

    @property
    def _stale(self) -> bool:
        return time.monotonic() - self._read_at >= self.stale_seconds


def forecast_of(connection: HTTPConnection) -> Forecast:
    """Return the forecast of the app that serves a request."""
    forecast: Forecast = connection.app.state.forecast
    return forecast
