"""The state of queues, their samples, and the rounds of maintenance."""

from datetime import timedelta

import sqlalchemy as sa

from octavia.jobs.operations import pauses
from octavia.jobs.status import queues, rounds, workers
from octavia.jobs.status.queues import QueueState
from octavia.jobs.tables.operation_rows import MaintenanceRound, QueueSample
from octavia.jobs.tables.states import PauseMode, Queue
from tests.integration.jobs.steps import Steps, at_once

LIVING = timedelta(seconds=30)


def state(steps: Steps, queue: Queue) -> QueueState:
    return next(each for each in queues.read(steps.db, LIVING) if each.queue is queue)


def samples(steps: Steps) -> list[QueueSample]:
    with steps.db.reading() as session:
        return list(session.scalars(sa.select(QueueSample)))


def test_what_waits_runs_and_is_to_be_tried_again(steps: Steps) -> None:
    # Given four chunks to transcribe: one is in hand, one has failed and is not due yet, two wait
    _, sent = steps.prepared(4)
    first, second, *_ = sent
    steps.claim(first)
    steps.fail(steps.claim(second))
    workers.mark_seen(steps.db, "one:1:x", "one", 1, [Queue.TRANSCRIBE, Queue.DEFAULT], None, 1)
    # Then each is counted where it belongs
    found = state(steps, Queue.TRANSCRIBE)
    assert (found.depth, found.running, found.waiting_retry, found.workers) == (2, 1, 1, 1)
    assert 0 < found.oldest_seconds < 60
    assert state(steps, Queue.DEFAULT) == QueueState(Queue.DEFAULT, 0, 0, 0, 0.0, 1, (), False)
    # And nothing else waits
    assert [each.depth for each in queues.read(steps.db, LIVING) if each.queue is not Queue.TRANSCRIBE] == [0] * 4


def test_a_queue_stands_if_it_is_paused_wherever_it_has_workers(steps: Steps) -> None:
    # Given workers on two hosts
    for host in ("one", "two"):
        workers.mark_seen(steps.db, f"{host}:1:x", host, 1, [Queue.TRANSLATE], None, 1)
    # When it is paused on one, and on the other too, Then it stands at the second
    order = pauses.pause(steps.db, None, "one", PauseMode.PAUSE, by="ann")
    assert not state(steps, Queue.TRANSLATE).standing
    pauses.pause(steps.db, Queue.TRANSLATE, "two", PauseMode.DRAIN, by="ann")
    assert state(steps, Queue.TRANSLATE).standing
    # And a queue without any worker does not: one host's pause must not hide that
    assert state(steps, Queue.DEFAULT).pauses == (order,)
    assert not state(steps, Queue.DEFAULT).standing
    # But one that is paused everywhere does
    pauses.pause(steps.db, Queue.SYNTHESIZE, None, PauseMode.DRAIN, by="ann")
    assert queues.read_pauses(steps.db, LIVING)[1] == {Queue.TRANSLATE, Queue.SYNTHESIZE}


def test_one_process_keeps_the_sample_of_a_minute(steps: Steps) -> None:
    # Given something that waits
    steps.submit()
    # When four processes sample at once, and one of them again
    at_once(*[lambda: queues.sample(steps.db, LIVING)] * 4)
    queues.sample(steps.db, LIVING)
    # Then there is one sample of each queue, or two if the minute has changed
    found = samples(steps)
    assert len(found) == len({(each.at, each.queue) for each in found})
    assert len(found) in (len(Queue), 2 * len(Queue))
    assert {each.at.second for each in found} == {0}
    assert {each.depth for each in found if each.queue is Queue.DEFAULT} == {1}
    # And after two days it is removed
    with steps.db.transaction() as session:
        old = min(each.at for each in found) - timedelta(days=2, hours=1)
        session.add(QueueSample(at=old, queue=Queue.DEFAULT, depth=1, running=0, oldest_seconds=0.0, workers=0))
    assert (queues.prune(steps.db), queues.prune(steps.db)) == (1, 0)
    assert len(samples(steps)) == len(found)


def test_the_newest_round_of_maintenance_is_known(steps: Steps) -> None:
    # Given a database in which nothing was ever scheduled, Then the scheduler is not late, and no round has times
    assert not rounds.is_late(steps.db)
    assert {each.scheduled_at for each in rounds.list_rounds(steps.db)} == {None}
    # When a round is scheduled and done, and the next one is scheduled and fails
    rounds.mark_scheduled(steps.db, "prune")
    rounds.mark_started(steps.db, "prune")
    rounds.mark_finished(steps.db, "prune", result={"events": 3})
    (done,) = [each for each in rounds.list_rounds(steps.db) if each.actor == "prune"]
    rounds.mark_scheduled(steps.db, "prune")
    rounds.mark_started(steps.db, "prune")
    (begun,) = [each for each in rounds.list_rounds(steps.db) if each.actor == "prune"]
    rounds.mark_finished(steps.db, "prune", error="x" * 1000)
    (failed,) = [each for each in rounds.list_rounds(steps.db) if each.actor == "prune"]
    # Then each is to be seen
    assert (done.result, done.error) == ({"events": 3}, None)
    assert begun.started_at
    assert begun.finished_at is None
    assert failed.error == "x" * 500
    # When nothing is scheduled for a while, Then the scheduler is late
    assert not rounds.is_late(steps.db)
    with steps.db.transaction() as session:
        session.execute(
            sa.update(MaintenanceRound).values(scheduled_at=done.scheduled_at and done.scheduled_at - rounds.LATE)
        )
    assert rounds.is_late(steps.db)
