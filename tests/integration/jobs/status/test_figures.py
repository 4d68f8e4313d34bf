"""The figures of the service: what they count, and that one process counts them for all."""

import json
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Unavailable
from octavia.jobs.lifecycle import removal
from octavia.jobs.protocol import cancel
from octavia.jobs.status import figures, workers
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.operation_rows import MaintenanceRound, Pause, Snapshot
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import JobType, PauseMode, Queue, Stage, TaskStatus
from octavia.metrics.declared import OF_DATABASE
from tests.integration.jobs.steps import Steps


@transaction
def add(session: Session, *rows: Any) -> None:
    for row in rows:
        session.add(row)


def test_all_that_is_declared_is_computed(steps: Steps) -> None:
    # Given a service without a job
    # When its figures are computed
    found = figures.current(steps.db, interval=15, embedded=False, dead_letters=lambda: {Queue.DEFAULT: 2})[0]
    # Then each is there, for each queue and status
    assert found.keys() == OF_DATABASE.keys()
    for name, figure in OF_DATABASE.items():
        assert figure.label != "queue" or found[name].keys() == {queue.value for queue in Queue}
    assert found["octavia_dead_letters"]["default"] == 2
    assert found["octavia_dead_letters"]["translate"] == 0
    assert set(found["octavia_jobs"].values()) == {0}


def test_jobs_and_queues_are_counted(steps: Steps) -> None:
    # Given jobs: one queued, one whose chunks wait, one with a running task, one canceled, one deleted
    waiting, messages = steps.prepared(3, JobType.TRANSCRIBE)
    steps.claim(next(iter(messages)))
    steps.submit()
    canceled, deleted = steps.submit(), steps.submit()
    cancel.cancel(steps.db, canceled.id, "local")
    removal.remove(steps.db, deleted.id, "local")
    workers.mark_seen(steps.db, "h:1:a", "h", 1, (Queue.TRANSCRIBE,), None, 1)
    moment = steps.job(waiting.id).created_at
    add(
        steps.db,
        Pause(queue="translate", mode=PauseMode.PAUSE, by="ann", created_at=moment),
        Pause(queue="", host="h", mode=PauseMode.PAUSE, by="ann", created_at=moment),
        MaintenanceRound(actor="prune", finished_at=moment),
        MaintenanceRound(actor="report", started_at=moment),
    )
    # When the figures are computed
    found = figures.compute(steps.db, embedded=False)
    # Then each says what there is
    assert {name: n for name, n in found["octavia_jobs"].items() if n} == {"queued": 1, "processing": 1, "canceled": 1}
    assert found["octavia_queue_depth"]["transcribe"] == 2
    assert found["octavia_queue_running"] == found["octavia_queue_unacked"]
    assert found["octavia_queue_running"]["transcribe"] == 1
    assert found["octavia_queue_depth"]["default"] == 1
    assert 0 <= found["octavia_queue_oldest_seconds"]["transcribe"] < 60
    assert found["octavia_queue_oldest_seconds"]["synthesize"] == 0
    assert found["octavia_queue_workers"]["transcribe"] == 1
    assert {queue for queue, paused in found["octavia_queue_paused"].items() if paused} == {"translate"}
    assert found["octavia_scheduler_last_round_seconds"].keys() == {"prune"}
    # 3 tasks that were never measured take 30 s each: one worker ends them in time
    assert found["octavia_workers_wanted"]["transcribe"] == 1
    assert found["octavia_workers_wanted"]["synthesize"] == 0


def test_a_task_whose_next_try_is_not_due_waits_on_purpose(steps: Steps) -> None:
    # Given a task that failed and will be tried again in a minute
    steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref))
    # When the figures are computed
    found = figures.compute(steps.db, embedded=False)
    # Then it is not in the queue, and its message is not late
    assert found["octavia_queue_depth"]["default"] == 0
    assert found["octavia_outbox_waiting"]["default"] == 0
    assert found["octavia_outbox_lag_seconds"] == {"": 0}


def test_messages_that_no_relay_publishes_are_late(steps: Steps) -> None:
    # Given a message that has been due for a minute
    steps.submit()
    with steps.db.transaction() as session:
        session.execute(sa.update(OutboxMessage).values(not_before=now(session) - timedelta(minutes=1)))
    # When the figures are computed, with a broker and without
    found, embedded = figures.compute(steps.db, embedded=False), figures.compute(steps.db, embedded=True)
    # Then it is late; without a broker it is just in its queue
    assert found["octavia_outbox_waiting"]["default"] == 1
    assert 60 <= found["octavia_outbox_lag_seconds"][""] < 120
    assert embedded["octavia_outbox_waiting"]["default"] == 0
    assert embedded["octavia_outbox_lag_seconds"][""] == 0


def test_messages_behind_a_task_that_runs_are_not_late(steps: Steps) -> None:
    # Given two jobs, one of which a worker prepares
    steps.submit()
    (ref,) = steps.deliver()
    steps.claim(ref)
    steps.submit()
    with steps.db.transaction() as session:
        session.execute(sa.update(OutboxMessage).values(not_before=now(session) - timedelta(minutes=5)))
    # When the figures are computed, Then the other one waits for that worker, and for no relay
    found = figures.compute(steps.db, embedded=False)
    assert found["octavia_outbox_waiting"]["default"] == 1
    assert found["octavia_outbox_lag_seconds"][""] == 0


def test_measured_work_tells_how_many_workers_are_wanted(steps: Steps) -> None:
    # Given a stage that takes as long as the speech, and an hour of speech that waits in 120 chunks
    steps.prepared(120, JobType.TRANSCRIBE)
    with steps.db.transaction() as session:
        moment = now(session)
        session.execute(
            sa.update(Task)
            .where(col(Task.stage) == Stage.PREPARE)
            .values(
                stage=Stage.TRANSCRIBE,
                chunk=999,
                seconds=30.0,
                started_at=moment - timedelta(seconds=30),
                finished_at=moment,
            )
        )
        session.execute(sa.update(Task).where(col(Task.status) == TaskStatus.QUEUED).values(seconds=30.0))
    # When the figures are computed
    found = figures.compute(steps.db, embedded=False)
    # Then twelve workers would end it within five minutes
    assert found["octavia_workers_wanted"]["transcribe"] == 12


@pytest.mark.parametrize(
    ("depth", "running", "work", "paused", "wanted"),
    [
        (0, 0, 0, False, 0),
        (1, 0, 1, False, 1),
        (10, 0, 301, False, 2),
        (2, 0, 90_000, False, 2),
        (0, 4, 10, False, 4),
        (10, 2, 9_000, True, 2),
    ],
)
def test_wanted_workers(depth: int, running: int, work: float, paused: bool, wanted: int) -> None:
    assert figures.wanted(depth, running, work, paused=paused) == wanted


def test_one_process_counts_for_all(database: Database) -> None:
    # Given many processes that want the figures at once, thrice
    counts = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal counts
        counts += "FROM jobs GROUP BY" in " ".join(statement.split())

    event.listen(database.engine, "before_cursor_execute", note)
    found: list[Any] = []
    for _ in range(3):
        threads = [
            Thread(target=lambda: found.append(figures.current(database, interval=15, embedded=True))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # Then the jobs were counted once
    assert counts == 1
    # And whoever came after that has the same figures; whoever came during it has none yet
    assert len(found) == 24
    assert len({json.dumps(values, sort_keys=True) for values, _ in found if values}) == 1
    # When they are due again, they are counted once more
    figures.current(database, interval=0, embedded=True)
    assert counts == 2


def test_a_process_that_dies_while_it_counts_is_replaced(database: Database) -> None:
    # Given a process that leased the counting and died
    assert figures._take(database, interval=15) is not None
    assert figures.current(database, interval=15, embedded=True) == ({}, 15)
    # When its lease has ended
    with database.transaction() as session:
        session.execute(sa.update(Snapshot).values(leased_until=now(session) - timedelta(seconds=1)))
    # Then another one counts
    assert figures.current(database, interval=15, embedded=True)[0]


def test_a_broker_that_is_away_takes_only_its_own_figures_along(database: Database) -> None:
    # Given a broker that does not answer
    def away() -> dict[Queue, int]:
        raise Unavailable("It is away.")

    # When the figures are computed
    found, _ = figures.current(database, interval=15, embedded=False, dead_letters=away)
    # Then only the dead letters are missing
    assert found.keys() == OF_DATABASE.keys() - {"octavia_dead_letters"}


def test_a_queued_task_without_a_time_is_not_old(steps: Steps) -> None:
    # Given a task of a release that did not note when it was queued
    steps.submit()
    with steps.db.transaction() as session:
        session.execute(sa.update(Task).values(queued_at=None))
    # When the figures are computed
    found = figures.compute(steps.db, embedded=False)
    # Then it counts
    assert found["octavia_queue_depth"]["default"] == 1
    assert found["octavia_queue_oldest_seconds"]["default"] == 0
