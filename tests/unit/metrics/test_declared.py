"""Names, units and labels of all metrics are as Prometheus' conventions have them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge

import octavia
from octavia.metrics import declared, measures

# With these the number of series would grow with use.
_UNBOUNDED = {"job", "job_id", "id", "task", "owner", "key", "path", "url", "pid", "worker", "host", "chunk", "run"}
_UNITS = ("_seconds", "_bytes", "_total", "_factor", "_info")
_COUNTS = {
    *("octavia_worker_processes", "octavia_models_loaded", "octavia_watchers", "octavia_jobs", "octavia_queue_depth"),
    *("octavia_queue_running", "octavia_queue_unacked", "octavia_queue_workers", "octavia_queue_paused"),
    *("octavia_workers_wanted", "octavia_dead_letters", "octavia_outbox_waiting", "octavia_database_up"),
}


def _all() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for measure in measures.known().values():
        yield measure.name, measure.kind, measure.labels
    for gauge in vars(declared).values():
        if isinstance(gauge, Gauge):
            yield gauge._name, "gauge", tuple(gauge._labelnames)
    for name, figure in (declared.OF_DATABASE | declared.OF_THIS_PROCESS).items():
        yield name, "gauge", (figure.label,) if figure.label else ()


@pytest.mark.parametrize(("name", "kind", "labels"), list(_all()))
def test_a_metric_has_a_name_after_the_conventions(name: str, kind: str, labels: tuple[str, ...]) -> None:
    assert re.fullmatch(r"octavia_[a-z]+(_[a-z]+)*", name)
    assert name.endswith("_total") == (kind == "counter")
    assert name.endswith(_UNITS) or name in _COUNTS
    assert not _UNBOUNDED.intersection(labels)


def test_durations_are_told_apart_up_to_two_hours() -> None:
    assert max(declared.STAGE_SECONDS.buckets) == 7200


def test_everything_that_is_declared_is_counted_somewhere() -> None:
    # Given the source
    source = "".join(
        path.read_text() for path in Path(octavia.__file__).parent.rglob("*.py") if path.name != "declared.py"
    )
    # Then no metric stands there for nothing
    names = [name for name, value in vars(declared).items() if isinstance(value, measures.Measure | Gauge)]
    assert [name for name in names if name not in source] == []


def test_the_figures_of_a_process_are_found_somewhere() -> None:
    source: Any = "".join(path.read_text() for path in Path(octavia.__file__).parent.rglob("*.py"))
    assert [name for name in declared.OF_THIS_PROCESS if source.count(f'"{name}"') < 2] == []
