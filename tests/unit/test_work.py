"""What a task in hand does between two pieces."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia import work as module
from octavia.errors import Unavailable
from octavia.jobs import claims
from octavia.work import Work


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """A task that reports its progress at every piece."""
    monkeypatch.setattr(module, "_REPORT_EVERY", 0.0)
    claim: Any = SimpleNamespace(task_id="task", attempt=1)
    return Work(cast(Any, None), claim, cast(Any, None), cast(Any, None))


def test_a_database_that_is_away_costs_no_work(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that does not answer once
    told: list[float] = []

    def record(db: Any, task_id: Any, attempt: int, fraction: float) -> None:
        told.append(fraction)
        if len(told) == 1:
            raise Unavailable("away", code="database_unavailable")

    monkeypatch.setattr(claims, "record_progress", record)
    # When the task reports its progress
    work.checkpoint(0.5)
    work.checkpoint(0.6)
    # Then it goes on, and reports again
    assert told == [0.5, 0.6]
