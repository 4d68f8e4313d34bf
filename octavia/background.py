"""Work in the background that outlives its errors: each is logged, and the work goes on after a growing pause.

Whatever runs for as long as its process, be it a thread, a task of an event loop or a main loop, runs in one of these
loops. Otherwise one error that nobody expected would leave a process that lives and does only a part of its work.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from octavia.backoff import Backoff
from octavia.errors import Unavailable

log = structlog.get_logger()

_BROKEN_AFTER: Final = 5
"""Turns in a row with an unexpected error after which the work counts as broken: some seconds of growing pauses."""

_HANGS_AFTER: Final = 600.0
"""Seconds without a turn after which work counts as hanging: each call in a turn has a far lower time limit."""


class Turns:
    """The turns of one piece of background work: a turn is done again and again, and may fail.

    ``Unavailable`` is an outage, for which no traceback is needed; any other error is a fault of ours.

    Parameters:
      name: The name of the work: the log has ``NAME_waiting``, ``NAME_failed`` and ``NAME_recovered``.
      first, longest: Seconds to pause after the first failure, and the most that the pause grows to.
      details: Further values for the log.

    Attributes:
      pause: Seconds to pause after the last turn; 0 if it went well.
    """

    def __init__(self, name: str, *, first: float = 0.5, longest: float = 30.0, **details: Any) -> None:
        self.name = name
        self.pause = 0.0
        self._longest = longest
        self._pauses = Backoff(first, longest)
        self._details = details
        self._faults = 0
        self._failed_at = 0.0
        self._moved = time.monotonic()

    @property
    def hanging(self) -> bool:
        """True if no turn has begun or ended for very long. Only of work that turns every few seconds."""
        return time.monotonic() - self._moved > _HANGS_AFTER

    @property
    def broken(self) -> bool:
        """True while turn after turn ends with an unexpected error. A turn that has lasted for a while is none."""
        lately = time.monotonic() - self._failed_at <= self.pause + self._longest
        return self._faults >= _BROKEN_AFTER and lately

    def attempt(self, turn: Callable[[], object]) -> float:
        """Do one turn; returns the seconds to pause. Only an order to exit is raised."""
        began = self._moved = time.monotonic()
        try:
            turn()
        except BaseException as error:
            if _is_order(error):
                raise
            return self._failed(error, began)
        self._succeeded()
        return 0.0

    async def attempt_async(self, turn: Callable[[], Awaitable[object]]) -> float:
        """Do one turn, as ``attempt``. Cancelling it works as ever."""
        began = self._moved = time.monotonic()
        try:
            await turn()
        except GeneratorExit:
            raise
        except BaseException as error:
            if _is_order(error) or _is_cancellation(error):
                raise
            return self._failed(error, began)
        self._succeeded()
        return 0.0

    def _failed(self, error: BaseException, began: float) -> float:
        self._failed_at = self._moved = time.monotonic()
        if self._failed_at - began > self._longest:
            # It had worked for a while.
            self._pauses.reset()
            self._faults = 0
        self.pause = self._pauses.next()
        if isinstance(error, Unavailable):
            log.warning(
                f"{self.name}_waiting", reason=error.code, detail=str(error), again_in=self.pause, **self._details
            )
        else:
            self._faults += 1
            log.error(f"{self.name}_failed", again_in=self.pause, exc_info=error, **self._details)
        return self.pause

    def _succeeded(self) -> None:
        self._moved = time.monotonic()
        if self.pause:
            self.pause, self._faults = 0.0, 0
            self._pauses.reset()
            log.info(f"{self.name}_recovered", **self._details)


def keep_on(
    turns: Turns, turn: Callable[[], object], *, ended: Callable[[], object], wait: Callable[[float], object]
) -> None:
    """Do one turn after another until ``ended`` returns true; in a thread, or as the main loop of a process.

    Parameters:
      wait: Waits for so many seconds, or until the work should end.
    """
    while not ended():
        if pause := turns.attempt(turn):
            wait(pause)


async def keep_on_async(turns: Turns, turn: Callable[[], Awaitable[object]]) -> None:
    """Do one turn after another until cancelled."""
    import anyio  # only API processes have an event loop

    while True:
        if pause := await turns.attempt_async(turn):
            await anyio.sleep(pause)


def _is_order(error: BaseException) -> bool:
    """True for an order to end the process. Raised in a thread of ours, it would end only that thread, unnoticed."""
    asked = isinstance(error, (KeyboardInterrupt, SystemExit))
    return asked and threading.current_thread() is threading.main_thread()


def _is_cancellation(error: BaseException) -> bool:
    """True if this task is being cancelled; false for a cancelled future that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
