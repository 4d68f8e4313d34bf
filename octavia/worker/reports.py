"""Reports of a worker process to its supervisor, and the counts that go along."""

import json
import os
import select
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from octavia.metrics import measures
from octavia.worker.pipes import REPORT_FD

_ROOM_FOR_COUNTS: Final = select.PIPE_BUF - 512


class Reports:
    """Reports to the supervisor: JSON, one object a line, through a pipe. Without a supervisor they go nowhere.

    They never wait: what the pipe has no room for goes out with the next report, before it.

    Parameters:
      counting: Send along what this process counts; its supervisor shows it.
    """

    def __init__(self, *, counting: bool = False) -> None:
        self._fd = int(os.environ[REPORT_FD]) if REPORT_FD in os.environ else None
        self._lock = threading.Lock()
        self._unsent: deque[bytes] = deque()
        if self._fd is not None:
            # Only this process reports, not the processes that it starts.
            os.set_inheritable(self._fd, False)
            os.set_blocking(self._fd, False)
            if counting:
                measures.keep()

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Write one line, with what was counted since the last one; an empty report only if there is any such thing.

        Ends this process if nobody reads any more: it must not outlive its supervisor.
        """
        if self._fd is None:
            return
        with self._lock:
            if report:
                self._unsent.append(_line(report))
            self._send(self._fd)
        if "leaving" in report:
            self.finish()

    def finish(self, seconds: float = 2.0) -> None:
        """Write what is left, before this process ends, unless the supervisor does not read for so long."""
        if self._fd is None:
            return
        with self._lock:
            deadline = time.monotonic() + seconds
            while not self._send(self._fd) and (left := deadline - time.monotonic()) > 0:
                select.select([], [self._fd], [], left)

    def _send(self, fd: int) -> bool:
        """Write as many lines as the pipe takes; returns True if it took all."""
        try:
            while self._unsent or measures.any_kept():
                if not self._unsent:
                    self._unsent.append(_line({}))
                # A line of at most PIPE_BUF bytes is written whole or not at all: a kill leaves no half of one.
                os.write(fd, self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            return False
        except BrokenPipeError:
            os._exit(1)
        return True


def _line(report: Mapping[str, Any]) -> bytes:
    counted = measures.kept(_ROOM_FOR_COUNTS)
    return json.dumps({**report, "counted": counted} if counted else report).encode() + b"\n"
