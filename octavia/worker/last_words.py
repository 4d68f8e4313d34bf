"""The end of what a process writes to standard error, all of which is passed on at once."""

import os
import threading
from contextlib import suppress
from typing import Final

_KEPT: Final = 4096
_LINES: Final = 12
_WAIT_SECONDS: Final = 1.0


class LastWords:
    """Passes on all that arrives on a pipe, in a thread of its own, until every writer has closed it.

    Parameters:
      source: The file descriptor to read, which is closed in the end.
      target: The file descriptor to pass it on to; it stays open.
    """

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = os.dup(target)
        self._end = b""
        self._thread = threading.Thread(target=self._run, name="last-words", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """The last lines, at most twelve; call this after the process has ended."""
        # A process that was left behind may hold the pipe open.
        self._thread.join(_WAIT_SECONDS)
        lines = self._end.decode(errors="replace").splitlines()
        return "\n".join([line for line in lines if line.strip()][-_LINES:])

    def _run(self) -> None:
        try:
            while block := os.read(self._source, 65536):
                self._end = (self._end + block)[-_KEPT:]
                # A full disk loses lines of the log; the process must not wait for room.
                with suppress(OSError):
                    os.write(self._target, block)
        finally:
            os.close(self._source)
            os.close(self._target)
