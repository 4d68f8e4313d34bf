"""What the middleware shares about the process it runs in: its name, the task in hand, and whether to stop."""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import structlog

from octavia.errors import Unavailable
from octavia.work import Work

T = TypeVar("T")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_EX_TEMPFAIL = 75

logger = structlog.get_logger()


def worker_id(slot: str, pid: int | None = None) -> str:
    """The name of a worker process, which the tables, its supervisor and itself agree on."""
    return f"{socket.gethostname()}:{pid or os.getpid()}:{slot}"


def _nobody(report: Mapping[str, Any]) -> None:
    """Without a supervisor, nobody listens."""


class Process:
    """One worker process; it works on one message at a time.

    Parameters:
      worker: Its name, as ``worker_id`` makes it.
      report: Tells the supervisor something.

    Attributes:
      stopping: Set once the process was told to stop.
      work: The task in hand.
    """

    def __init__(self, worker: str, report: Callable[[Mapping[str, Any]], None] = _nobody) -> None:
        self.worker = worker
        self.report = report
        self.stopping = threading.Event()
        self.work: Work | None = None

    def take(self, work: Work) -> None:
        """Begin a task; it hears of a stop, also of one that came before."""
        self.work = work
        if self.stopping.is_set():
            work.stopping.set()

    def stop(self) -> None:
        """Tell the task in hand to stop between two pieces, and whatever waits to give up."""
        self.stopping.set()
        work = self.work
        if work:
            work.stopping.set()

    def patiently(self, action: str, call: Callable[[], T]) -> T:
        """Call until the database takes it, and do not return before, so that the message stays unacknowledged.

        Told to stop meanwhile, the process ends on the spot: what was not stored will be delivered again.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return call()
            except Unavailable as error:
                logger.warning("waiting", action=action, reason=error.code, detail=str(error), again_in=pause)
            if self.stopping.wait(pause):
                self.leave()
            pause = min(pause * 2, _LONGEST_PAUSE)

    def leave(self) -> NoReturn:
        """End without acknowledging anything; the supervisor hears that this is no crash."""
        logger.warning("left_without_acknowledging", worker=self.worker)
        self.report({"leaving": True})
        os._exit(_EX_TEMPFAIL)
