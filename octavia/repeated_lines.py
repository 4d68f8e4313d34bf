"""A handler for logs in which an error that strangers or a loop repeat without end takes a few lines and a count."""

import copy
import logging
import threading
import time
from typing import Any, Final, TextIO

_MOST_KINDS: Final = 1000
"""Kinds that are counted apart at the same time; more than that become one."""


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes the first warnings and errors of a kind in a while, then says how many more there were.

    A kind is what one place in a program says: an event of ours, with one code and for one job if it has these, or a
    library's message before its values are put in. What is less severe than a warning is written always.

    Parameters:
      first: How many lines of a kind are written.
      seconds: In what time. After it comes a line with ``repeated``: how many were not written.
    """

    def __init__(self, stream: TextIO, *, first: int = 20, seconds: float = 10.0) -> None:
        super().__init__(stream)
        self._first = first
        self._seconds = seconds
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record or count it. The caller holds the handler's lock."""
        if record.levelno < logging.WARNING:
            super().emit(record)
            return
        kind = self._kind(record)
        if kind.written < self._first:
            kind.written += 1
            super().emit(record)
            return
        kind.held += 1
        kind.last = record
        if kind.held == 1:
            timer = threading.Timer(max(0.0, kind.until - time.monotonic()), self._say, [kind])
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Say what is still held, as when the process ends."""
        for kind in tuple(self._kinds.values()):
            self._say(kind)
        super().close()

    def _kind(self, record: logging.LogRecord) -> "_Kind":
        now = time.monotonic()
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds = {key: kind for key, kind in self._kinds.items() if kind.until > now}
        key = _key(record)
        if key not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            key = ()
        kind = self._kinds.get(key)
        if kind is None or kind.until <= now:
            kind = self._kinds[key] = _Kind(now + self._seconds)
        return kind

    def _say(self, kind: "_Kind") -> None:
        self.acquire()
        try:
            if kind.held and kind.last is not None:
                super().emit(_summary(kind.last, kind.held))
            kind.held = 0
        finally:
            self.release()


class _Kind:
    """The lines of one kind: how many were written and held back, the last one held, and the end of this count."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.written = 0
        self.held = 0
        self.last: logging.LogRecord | None = None


def _key(record: logging.LogRecord) -> tuple[object, ...]:
    # Our events come as structlog makes them, in a dict.
    if isinstance(record.msg, dict):
        return record.levelno, *(str(record.msg.get(name)) for name in ("event", "code", "job_id"))
    return record.levelno, record.name, str(record.msg).partition("\n")[0][:100]


def _summary(record: logging.LogRecord, count: int) -> logging.LogRecord:
    """Return a record that stands for so many of its kind; without a traceback, as the first ones have it."""
    summary = copy.copy(record)
    summary.exc_info = summary.exc_text = None
    if isinstance(record.msg, dict):
        said: dict[str, Any] = {key: value for key, value in record.msg.items() if key != "exc_info"}
        summary.msg = {**said, "repeated": count}
    else:
        summary.repeated = count
    return summary
