"""The worker process that the middleware runs in: its name, the task in hand, and the order to stop."""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import structlog

from octavia import tracing
from octavia.backoff import Backoff
from octavia.errors import Unavailable
from octavia.work import Work

T = TypeVar("T")

_LONGEST_PAUSE = 15.0
_EX_TEMPFAIL = 75
_LAST_SPANS_SECONDS = 0.5

logger = structlog.get_logger()


def host() -> str:
    """The name of this machine, by which its workers are listed and paused."""
    return socket.gethostname()


def worker_id(slot: str, pid: int | None = None) -> str:
    """The name of a worker process in the tables, to its supervisor and to itself."""
    return f"{host()}:{os.getpid() if pid is None else pid}:{slot}"


class Process:
    """One worker process; it works on one message at a time.

    Parameters:
      worker: Its name, as ``worker_id`` makes it.
      report: Sends a report to the supervisor, if there is one.
      first_pause: Seconds before the second try of ``patiently``; the pause then doubles.

    Attributes:
      stopping: Set when the process has been told to stop.
      work: The task in hand.
      span: The span of its attempt.
    """

    def __init__(
        self,
        worker: str,
        report: Callable[[Mapping[str, Any]], None] = lambda _report: None,
        *,
        first_pause: float = 0.5,
    ) -> None:
        self.worker = worker
        self.report = report
        self._first_pause = first_pause
        self.stopping = threading.Event()
        self.work: Work | None = None
        self.span = tracing.Span()

    def take(self, work: Work) -> None:
        """Begin a task, which hears of an order to stop, even of an earlier one."""
        self.work = work
        if self.stopping.is_set():
            work.stopping.set()

    def stop(self) -> None:
        """Tell the task in hand to stop between two pieces, and ``patiently`` to give up."""
        self.stopping.set()
        if work := self.work:
            work.stopping.set()

    def patiently(self, action: str, call: Callable[[], T]) -> T:
        """Call until the database answers, and return only then, so that the message stays unacknowledged.

        If the process is told to stop meanwhile, it exits at once: the message will be delivered again.

        Parameters:
          action: Name of the call in the log.
        """
        pauses = Backoff(self._first_pause, _LONGEST_PAUSE)
        while True:
            try:
                return call()
            except Unavailable as error:
                pause = pauses.next()
                logger.warning("waiting", action=action, reason=error.code, detail=str(error), again_in=pause)
            if self.stopping.wait(pause):
                self.leave()

    def leave(self) -> NoReturn:
        """Exit without acknowledging the message; the supervisor is told that this is no crash."""
        logger.warning("left_without_acknowledging", worker=self.worker)
        self.report({"leaving": True})
        self.span.end()
        tracing.shutdown(_LAST_SPANS_SECONDS)
        os._exit(_EX_TEMPFAIL)
