"""Figures that are read in the background while somebody asks for metrics: an answer never waits for the database."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from octavia.background import Turns, keep_on
from octavia.metrics.declared import OF_DATABASE, OF_THIS_PROCESS

Values = Mapping[str, Mapping[str, float]]
"""Values of figures, by name and then by the value of the label; that is empty for a figure without one."""

_ASKED_LATELY: Final = 300.0
_SILENT: Final = 5.0
"""Seconds without an answer after which the database counts as away."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Figures from the database, ``age`` seconds old when they were read."""

    values: Values
    age: float


class Figures(Collector):
    """A collector for a registry. Nothing is read until the first scrape, nor five minutes after the last.

    Old figures are worse than none: while the database is away they are shown for three intervals, then left out.

    Parameters:
      read: Reads the figures from the database; may block, and raises ``Unavailable``.
      local: Finds the figures of this process; the same.
      every: Seconds between two readings.
      first: The most seconds that a first scrape waits for a first reading.
    """

    def __init__(
        self, read: Callable[[], Reading], local: Callable[[], Values], *, every: float = 15.0, first: float = 1.0
    ) -> None:
        self._read = read
        self._local = local
        self._every = every
        self._first = first
        self._turns = Turns("metrics_figures", longest=every)
        self._asked_at = 0.0
        self._asked = threading.Event()
        self._read_once = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-figures", daemon=True)
        self._began: float | None = None
        self._up = False
        self._reading = Reading({}, 0.0)
        self._read_at = 0.0
        self._own: Values = {}

    def describe(self) -> list[Metric]:
        """The names, for the registry, which would collect otherwise."""
        return [
            GaugeMetricFamily(name, figure.documentation) for name, figure in (OF_DATABASE | OF_THIS_PROCESS).items()
        ]

    def collect(self) -> Iterator[Metric]:
        """The newest figures."""
        self._asked_at = time.monotonic()
        self._asked.set()
        self._read_once.wait(self._first)
        moment = time.monotonic()
        began, reading, age = self._began, self._reading, self._reading.age + moment - self._read_at
        up = self._up and (began is None or moment - began < _SILENT)
        values: dict[str, Mapping[str, float]] = {**self._own, "octavia_database_up": {"": float(up)}}
        if reading.values and age < 3 * self._every + _SILENT:
            values |= {**reading.values, "octavia_figures_age_seconds": {"": age}}
        for name, figure in (OF_DATABASE | OF_THIS_PROCESS).items():
            labels = [figure.label] if figure.label else []
            family = GaugeMetricFamily(name, figure.documentation, labels=labels)
            for label, value in values.get(name, {}).items():
                family.add_metric([label] if labels else [], value)
            yield family

    def start(self) -> None:
        """Start the thread that reads when asked, unless it runs."""
        if not self._thread.ident:
            self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for a reading under way."""
        self._stopping.set()
        self._asked.set()

    def _run(self) -> None:
        keep_on(self._turns, self._turn, ended=self._stopping.is_set, wait=self._stopping.wait)

    def _turn(self) -> None:
        self._asked.wait()
        if self._stopping.is_set():
            return
        if time.monotonic() - self._asked_at > _ASKED_LATELY:
            self._asked.clear()
            self._read_once.clear()
            return
        self._began = time.monotonic()
        try:
            self._own = self._local()
            self._reading = self._read()
            self._read_at = time.monotonic()
            self._up = True
        except BaseException:
            self._up = False
            raise
        finally:
            self._began = None
            self._read_once.set()
        # Whoever comes first computes the next ones, as soon as they are due.
        self._stopping.wait(max(self._every - self._reading.age, self._every / 20))
