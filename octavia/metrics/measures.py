"""Counters and histograms that may be used in any process: a worker process keeps what it counts for its supervisor.

In most processes a measure changes this process's registry at once. In a worker process, after ``keep``, it is put on a
list that travels with the process's reports; its supervisor takes it in with ``take_in``. So nothing is lost or counted
again when the process is replaced.
"""

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import prometheus_client

REGISTRY: Final = prometheus_client.CollectorRegistry()
"""All metrics of this process, in a registry of our own: a library's would get into Prometheus' global one."""

_MOST_SERIES: Final = 500
"""Most combinations of label values of one metric; further ones are counted together as ``other``."""

_LONGEST_VALUE: Final = 100

# Prometheus' library adds the time at which it first heard of each series otherwise: half of all lines.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

_known: dict[str, "Measure"] = {}
_kept: deque[tuple[str, tuple[str, ...], float]] | None = None


class Measure:
    """A counter or a histogram of Prometheus'. Call ``add`` of one of its kinds; threads may do so at once.

    Parameters:
      name: As Prometheus shows it; a counter's ends in ``_total``.
      labels: Names of labels. Their values must be few: more than 500 combinations are counted as ``other``.
      buckets: Upper bounds of a histogram's buckets; none for a counter.
    """

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.buckets = tuple(buckets)
        _known[name] = self
        self._declare(tuple(labels))

    def _declare(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._series: dict[tuple[str, ...], Any] = {}
        self._metric: Any = (
            prometheus_client.Histogram(self.name, self.documentation, labels, buckets=self.buckets, registry=REGISTRY)
            if self.buckets
            else prometheus_client.Counter(self.name, self.documentation, labels, registry=REGISTRY)
        )

    @property
    def kind(self) -> str:
        """Its type in Prometheus."""
        return "histogram" if self.buckets else "counter"

    def label_also(self, label: str) -> None:
        """Add a label, before anything is counted."""
        if label not in self.labels:
            REGISTRY.unregister(self._metric)
            self._declare((*self.labels, label))

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count ``amount``, or observe it in a histogram. Labels that it does not have are left out."""
        values = tuple([labels[name] for name in self.labels])
        if _kept is None:
            self.apply(values, amount)
        else:
            _kept.append((self.name, values, amount))

    def apply(self, values: tuple[str, ...], amount: float) -> None:
        """Change this process's registry."""
        series = self._series.get(values)
        if series is None:
            series = self._series_of(values)
        if self.buckets:
            series.observe(amount)
        else:
            series.inc(amount)

    def expect(self, **labels: str) -> None:
        """Show a counter's series from the start, at 0: its first increase would not be seen otherwise."""
        self._series_of(tuple([labels[name] for name in self.labels]))

    def _series_of(self, values: tuple[str, ...]) -> Any:
        if len(self._series) >= _MOST_SERIES:
            return self._metric.labels(*["other"] * len(values))
        shown = [str(value)[:_LONGEST_VALUE] for value in values]
        self._series[values] = found = self._metric.labels(*shown) if shown else self._metric
        return found


def known() -> Mapping[str, Measure]:
    """All measures by name."""
    return _known


def keep() -> None:
    """Keep from now on what this process counts, for ``kept`` to return: its supervisor will show it."""
    global _kept
    _kept = deque()


def any_kept() -> bool:
    """Return whether ``kept`` would return something."""
    return bool(_kept)


def kept(most_bytes: int) -> list[Any]:
    """Return, and forget, what was kept, in the order in which it happened: as much as fits into so many bytes of JSON.

    ``[name, label values, amount]`` each; for one thread at a time.
    """
    found: list[Any] = []
    room = most_bytes
    while _kept:
        room -= len(json.dumps(_kept[0])) + 2
        if room < 0 and found:
            break
        found.append(_kept.popleft())
    return found


def take_in(found: Any) -> int:
    """Count what a worker process has kept; returns how many entries made no sense, as of another release's metrics."""
    strange = 0
    for entry in found if isinstance(found, list) else [found]:
        try:
            name, values, amount = entry
            measure = _known[name]
            if [str] * len(measure.labels) != [type(value) for value in values] or isinstance(values, str):
                raise ValueError
            if not math.isfinite(amount) or amount < 0:
                raise ValueError
            measure.apply(tuple(values), amount)
        except (KeyError, TypeError, ValueError):
            strange += 1
    return strange
