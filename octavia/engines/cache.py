"""A cache of loaded engines, bounded by memory and idle time."""

import ctypes
import gc
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from octavia.background import Turns
from octavia.metrics.declared import MODEL_EVICTIONS, MODEL_HITS, MODEL_LOAD_SECONDS, MODEL_LOADS, MODELS_LOADED

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(slots=True)
class _Entry:
    engine: Future[Any]
    size: int
    used: float


class EngineCache:
    """Keeps engines by key up to ``max_bytes``, dropping the least recently used first; safe for threads.

    An engine larger than the bound is still loaded, and is then the only one. A dropped engine lives on while a caller
    holds it, and is taken back instead of loaded again.

    Parameters:
      max_bytes: The most bytes of all engines together, by the sizes given to ``get``.
      idle_seconds: A background timer drops engines unused for this long.
      clock: Returns monotonic seconds.
    """

    def __init__(self, max_bytes: int, idle_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._dropped: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
        self._timer: threading.Timer | None = None
        self._sweeps = Turns("engine_sweep")

    def get(self, key: Hashable, load: Callable[[], T], size: int, *, name: str = "") -> T:
        """Return the engine of ``key``, loaded with ``load`` if it is not kept; threads that ask at once share a load.

        A failed load raises its error in every thread that waits for it, and is not remembered.

        Parameters:
          size: Bytes of memory that the engine takes.
          name: Its model, for metrics.
        """
        dropped = False
        with self._lock:
            entry = self._entries.get(key)
            mine = entry is None
            if entry is None:
                dropped = self._make_room(size)
                entry = self._entries[key] = _Entry(Future(), size, self._clock())
                kept = self._dropped.pop(key, None)
                if kept is not None:
                    MODELS_LOADED.inc()
                    entry.engine.set_result(kept)
                    mine = False
            self._entries.move_to_end(key)
            entry.used = self._clock()
            self._watch()
        if dropped:
            _give_memory_back()
        if mine:
            self._load(key, entry, load, name)
        else:
            MODEL_HITS.add()
        engine: T = entry.engine.result()
        return engine

    def sweep(self) -> None:
        """Drop the engines that have been idle for too long."""
        with self._lock:
            limit = self._clock() - self._idle_seconds
            idle = [key for key, entry in self._entries.items() if entry.used <= limit and entry.engine.done()]
            for key in idle:
                self._drop(key)
        if idle:
            _give_memory_back()

    def _load(self, key: Hashable, entry: _Entry, load: Callable[[], Any], name: str) -> None:
        started = time.perf_counter()
        try:
            engine = load()
        except BaseException as error:
            with self._lock:
                del self._entries[key]
            entry.engine.set_exception(error)
        else:
            entry.engine.set_result(engine)
            MODELS_LOADED.inc()
            MODEL_LOADS.add(model=name)
            MODEL_LOAD_SECONDS.add(time.perf_counter() - started, model=name)
            log.info("engine_loaded", kind=type(engine).__name__, seconds=round(time.perf_counter() - started, 3))

    def _make_room(self, size: int) -> bool:
        """Drop engines before a load, so that old and new are never in memory together; return True if any went."""
        before = len(self._entries)
        total = sum(entry.size for entry in self._entries.values())
        for key, entry in list(self._entries.items()):
            if total + size <= self._max_bytes:
                break
            if entry.engine.done():
                total -= entry.size
                self._drop(key)
        return len(self._entries) < before

    def _drop(self, key: Hashable) -> None:
        engine = self._entries.pop(key).engine.result()
        self._dropped[key] = engine
        MODEL_EVICTIONS.add()
        MODELS_LOADED.dec()
        log.info("engine_unloaded", kind=type(engine).__name__)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._idle_seconds, self._tick)
            self._timer.daemon = True
            self._timer.start()

    def _tick(self) -> None:
        self._sweeps.attempt(self.sweep)
        with self._lock:
            self._timer = None
            if self._entries:
                self._watch()


def _give_memory_back() -> None:
    """Return freed memory, which glibc keeps: 310 of 480 MB left after unloading all engines went only with this."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
