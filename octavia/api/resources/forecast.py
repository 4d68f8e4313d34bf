"""What estimates of jobs' ends are made of, looked up while anybody asks, once in some seconds for all who do."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import structlog
from starlette.requests import HTTPConnection

from octavia.errors import Unavailable
from octavia.jobs.status.estimates import Outlook

_FRESH_SECONDS: Final = 5.0
_STALE_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 1.0

log = structlog.get_logger()


class Forecast:
    """The outlook as of some seconds ago, so that a status costs no more than its own job.

    Parameters:
      look: Looks around anew.
    """

    def __init__(self, look: Callable[[], Awaitable[Outlook]]) -> None:
        self._look = look
        self._outlook: Outlook | None = None
        self._looked_at = -_STALE_SECONDS
        self._begun_at = float("inf")
        self._asked = anyio.Event()
        self._looked = anyio.Event()

    async def run(self) -> None:
        """Look around as long as somebody asks; for the app's whole life."""
        while True:
            await self._asked.wait()
            self._asked = anyio.Event()
            self._begun_at = time.monotonic()
            try:
                self._outlook = await self._look()
                self._looked_at = time.monotonic()
            except Unavailable as error:
                log.warning("no_outlook", reason=error.code)
            self._begun_at = float("inf")
            looked, self._looked = self._looked, anyio.Event()
            looked.set()
            await anyio.sleep(_FRESH_SECONDS)

    async def outlook(self) -> Outlook | None:
        """The outlook; None where none can be had soon. However long a look takes, nobody waits who comes late."""
        self._asked.set()
        if self._stale:
            spent = max(0.0, time.monotonic() - self._begun_at)
            with anyio.move_on_after(max(0.0, _PATIENCE_SECONDS - spent)):
                await self._looked.wait()
        return None if self._stale else self._outlook

    @property
    def _stale(self) -> bool:
        return time.monotonic() - self._looked_at >= _STALE_SECONDS


def forecast_of(connection: HTTPConnection) -> Forecast:
    """Return the forecast of the app that serves a request."""
    forecast: Forecast = connection.app.state.forecast
    return forecast
