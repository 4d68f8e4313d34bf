"""Time that passes when a test says so, and not while a machine stalls."""

import asyncio
import selectors
from typing import Any


class Clock:
    """Monotonic seconds, to be called; they stand still until ``now`` is set."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop that waits for no timer: as soon as all tasks wait, so much time has passed as the next one wants.

    For ``anyio.run(…, backend_options={"loop_factory": JumpingLoop})``; only for tasks that wait for nothing outside.
    """

    def __init__(self) -> None:
        self._clock = Clock()
        super().__init__(_Jump(self._clock))

    def time(self) -> float:
        return self._clock.now


class _Jump(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self._clock.now += timeout
            timeout = 0
        return super().select(timeout)
