"""What a task in hand does between two pieces."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia.errors import Unavailable
from octavia.jobs.protocol import claims
from octavia.jobs.tables.records import HeardSegment
from octavia.work import Work


@pytest.fixture
def work() -> Work:
    """A task that reports its progress at every piece."""
    claim: Any = SimpleNamespace(task_id="task", attempt=1)
    return Work(cast(Any, None), claim, cast(Any, None), cast(Any, None), report_every=0.0)


def test_a_database_that_is_away_costs_no_work(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that does not answer once
    told: list[tuple[float, list[HeardSegment]]] = []

    def record(db: Any, task_id: Any, attempt: int, fraction: float, heard: list[HeardSegment]) -> None:
        told.append((fraction, list(heard)))
        if len(told) == 1:
            raise Unavailable("away", code="database_unavailable")

    monkeypatch.setattr(claims, "record_progress", record)
    # When the task reports its progress, and what it hears
    one, two = HeardSegment(0, 0.0, 1.0, "One."), HeardSegment(1, 1.0, 2.0, "Two.")
    work.unreported.append(one)
    work.checkpoint(0.5)
    work.unreported.append(two)
    work.checkpoint(0.6)
    work.checkpoint(0.7)
    # Then it goes on, and reports again, and what it could not tell then
    assert told == [(0.5, [one]), (0.6, [one, two]), (0.7, [])]
