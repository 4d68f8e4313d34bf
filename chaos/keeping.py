"""One thread that starts and restarts processes: the kernel kills them when the thread that started them ends."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_TICK = 0.1


class Pollable(Protocol):
    """A server that ``poll`` restarts when it has ended."""

    def poll(self) -> Any:
        """Look after it once."""


class Keeping:
    """A thread that polls everything in ``kept`` while its ``with`` block lasts, and runs calls in between."""

    def __init__(self) -> None:
        self.kept: list[Pollable] = []
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)

    def __enter__(self) -> "Keeping":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread; returns its value or raises its exception."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(run)
        return future.result()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                self._calls.get(timeout=_TICK)()
            for one in self.kept:
                one.poll()
