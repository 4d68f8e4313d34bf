"""What estimates of jobs' ends are made of, looked up once in some seconds for all who ask."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from octavia.jobs.estimates import Outlook

_FRESH_SECONDS: Final = 5.0


class Forecast:
    """The outlook as of some seconds ago.

    Parameters:
      look: Looks around anew.
    """

    def __init__(self, look: Callable[[], Awaitable[Outlook]]) -> None:
        self._look = look
        self._outlook: Outlook | None = None
        self._looked_at = -_FRESH_SECONDS

    async def outlook(self) -> Outlook | None:
        """The outlook; None in the first moments, while somebody else looks."""
        if time.monotonic() - self._looked_at >= _FRESH_SECONDS:
            self._looked_at = time.monotonic()  # first: whoever comes meanwhile goes by the last one
            self._outlook = await self._look()
        return self._outlook
