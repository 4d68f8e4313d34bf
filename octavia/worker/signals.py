"""Hearing the signals to stop without doing work in a signal handler, where an event or a lock could deadlock."""

import os
import select
import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """While its ``with`` block runs, the first SIGTERM or SIGINT is noted; a second one has its usual effect.

    Only for the main thread.
    """

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
        self.set()
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL if each != signal.SIGINT else signal.default_int_handler)
