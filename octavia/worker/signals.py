"""Hearing the signals to stop without doing work in a signal handler, where an event or a lock could deadlock."""

import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_SAME_ORDER_SECONDS: Final = 2.0
"""Signals so soon after the first are the same order: terminals and service managers tell a whole group, and whoever
started this process passes it on to it besides."""


class StopSignal:
    """While its ``with`` block runs, SIGTERM and SIGINT are noted. Only for the main thread.

    Parameters:
      hurried: What a second order means, given later than ``_SAME_ORDER_SECONDS`` after the first: ``urgent`` is set,
        and from then on signals have their usual effect. False: nothing, for a process that another one will end.

    Attributes:
      urgent: Whether it is time to stop without any grace.
    """

    def __init__(self, *, hurried: bool = True) -> None:
        self.urgent = False
        self._hurried = hurried
        self._first: float | None = None

    def __enter__(self) -> "StopSignal":
        self._read, self._write = os.pipe()
        self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def wait(self, timeout: float) -> bool:
        """Whether it is time to stop; waits for it so many seconds at most."""
        return bool(select.select([self._read], [], [], timeout)[0])

    def set(self) -> None:
        """Have the waiter stop; from any thread."""
        os.write(self._write, b".")

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
            self.set()
        elif self._hurried and time.monotonic() - self._first > _SAME_ORDER_SECONDS:
            self.urgent = True
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL if each != signal.SIGINT else signal.default_int_handler)
