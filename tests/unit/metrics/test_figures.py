"""Figures that are read in the background, for scrapes that wait for nothing."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from octavia.errors import Unavailable
from octavia.metrics import figures
from octavia.metrics.declared import OF_DATABASE, OF_THIS_PROCESS
from octavia.metrics.figures import Figures, Reading
from tests.support.waiting import until


class _Database:
    """Stands in for a database that may be away, or not answer."""

    def __init__(self) -> None:
        self.reads = 0
        self.away = False
        self.answers = threading.Event()
        self.answers.set()

    def read(self) -> Reading:
        self.reads += 1
        self.answers.wait()
        if self.away:
            raise Unavailable("It is away.")
        return Reading({"octavia_jobs": {"queued": float(self.reads)}, "of_a_later_release": {"": 1.0}}, 0.0)


@pytest.fixture
def database() -> _Database:
    return _Database()


@pytest.fixture
def collector(database: _Database) -> Iterator[Figures]:
    collector = Figures(database.read, lambda: {"octavia_disk_free_bytes": {"data": 5.0}}, every=0.05, first=0.5)
    collector.start()
    yield collector
    database.answers.set()
    collector.stop()
    until(lambda: not collector._thread.is_alive())


def shown(collector: Figures) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for metric in collector.collect():
        for sample in metric.samples:
            found.setdefault(sample.name, {})["".join(sample.labels.values())] = sample.value
    return found


def test_the_first_scrape_has_the_figures(collector: Figures, database: _Database) -> None:
    # Given a process that nobody has asked for metrics yet
    time.sleep(0.1)
    assert database.reads == 0
    # When somebody does
    found = shown(collector)
    # Then the figures are there, those of this machine too, and none that this release does not know
    assert found["octavia_jobs"] == {"queued": 1.0}
    assert found["octavia_database_up"] == {"": 1.0}
    assert found["octavia_disk_free_bytes"] == {"data": 5.0}
    assert found["octavia_figures_age_seconds"][""] < 1
    assert found.keys() <= OF_DATABASE.keys() | OF_THIS_PROCESS.keys()


def test_a_database_that_is_away_is_shown_as_away(collector: Figures, database: _Database) -> None:
    # Given a database that is away
    database.away = True
    # When a scrape comes
    with capture_logs() as logs:
        found = shown(collector)
        # Then it is answered with what this process knows of itself, and the log says why
        assert found["octavia_database_up"] == {"": 0.0}
        assert "octavia_jobs" not in found
        assert "octavia_figures_age_seconds" not in found
        assert found["octavia_disk_free_bytes"] == {"data": 5.0}
        until(lambda: any(line["event"] == "metrics_figures_waiting" for line in logs))
    # And when the database is back, the figures are
    database.away = False
    until(lambda: shown(collector).get("octavia_jobs"))
    assert shown(collector)["octavia_database_up"] == {"": 1.0}


def test_a_scrape_waits_for_no_answer(collector: Figures, database: _Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that takes the question and does not answer, after it has once
    monkeypatch.setattr(figures, "_SILENT", 0.2)
    shown(collector)
    database.answers.clear()
    until(lambda: database.reads > 1)
    # When scrapes come
    began = time.monotonic()
    shown(collector)
    # Then they are answered at once, and soon say that the database is away
    assert time.monotonic() - began < 0.1
    until(lambda: shown(collector)["octavia_database_up"] == {"": 0.0})
    # And figures that are too old are left out
    until(lambda: "octavia_jobs" not in shown(collector))


def test_the_first_scrape_waits_only_so_long(collector: Figures, database: _Database) -> None:
    # Given a database that never answers
    database.answers.clear()
    # When the first scrape comes
    began = time.monotonic()
    found = shown(collector)
    # Then it is answered
    assert 0.4 < time.monotonic() - began < 5
    assert found["octavia_database_up"] == {"": 0.0}


def test_nothing_is_read_that_nobody_asks_for(
    collector: Figures, database: _Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process that was scraped, but not lately
    monkeypatch.setattr(figures, "_ASKED_LATELY", 0.2)
    shown(collector)
    # When time goes by
    until(lambda: not collector._asked.is_set())
    reads = database.reads
    time.sleep(0.2)
    # Then it does not read any more
    assert database.reads == reads
    # And the next scrape has new figures, not those of then
    assert shown(collector)["octavia_jobs"]["queued"] == reads + 1


def test_an_unexpected_error_is_logged_and_does_not_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given figures that cannot be read, for a reason that nobody expected, and then can
    errors: list[Any] = [RuntimeError("nobody expected this"), None]

    def read() -> Reading:
        if errors and (error := errors.pop(0)):
            raise error
        return Reading({"octavia_jobs": {"queued": 1.0}}, 0.0)

    collector = Figures(read, dict, every=0.05, first=0.5)
    collector.start()
    # When they are asked for
    with capture_logs() as logs:
        shown(collector)
        until(lambda: "octavia_jobs" in shown(collector))
    collector.stop()
    # Then the error is in the log, and the next reading was shown
    assert [line["log_level"] for line in logs if line["event"] == "metrics_figures_failed"] == ["error"]
