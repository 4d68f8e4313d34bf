"""Notice SIGTERM and SIGINT without working in the signal handler, where an event or a lock could deadlock."""

import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Notes SIGTERM and SIGINT while its ``with`` block runs. Only for the main thread.

    Parameters:
      escalate: On a second order, set ``urgent`` and give signals their usual effect back. False ignores it, for a
        process that its supervisor ends if need be.
      same_order_seconds: Signals this soon after the first are one order: terminals and service managers signal a whole
        group of processes, and the parent of this one passes the signal on besides.

    Attributes:
      urgent: It is time to stop without any grace.
    """

    def __init__(self, *, escalate: bool = True, same_order_seconds: float = 2.0) -> None:
        self.urgent = False
        self._escalate = escalate
        self._same_order_seconds = same_order_seconds
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
        """Return True as soon as it is time to stop, False after ``timeout`` seconds."""
        return bool(select.select([self._read], [], [], timeout)[0])

    def set(self) -> None:
        """Make ``wait`` return True, now and from then on; from any thread."""
        os.write(self._write, b".")

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
            self.set()
        elif self._escalate and time.monotonic() - self._first > self._same_order_seconds:
            self.urgent = True
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL if each != signal.SIGINT else signal.default_int_handler)
