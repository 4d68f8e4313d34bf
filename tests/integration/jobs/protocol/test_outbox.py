"""The outbox: what is due, who gets it, and what became of it."""

from datetime import timedelta
from uuid import uuid4

import dramatiq
import pytest

from octavia.jobs.protocol import outbox
from octavia.jobs.protocol.messages import Message, decode, message_for
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing, TaskRef
from octavia.jobs.tables.states import Queue, Stage
from tests.integration.jobs.steps import Steps, at_once


def put(db: Database, *, priority: int = 2, queue: Queue = Queue.DEFAULT, delay: float = 0.0) -> bytes:
    message = message_for(TaskRef(uuid4(), 1, 0, Stage.PREPARE), priority).encode()
    with db.transaction() as session:
        outbox.add(session, queue, priority, message, delay=delay)
    return message


def take(db: Database, limit: int = 100, seconds: float = 60, queues: list[Queue] | None = None) -> list[Outgoing]:
    return outbox.lease(db, limit=limit, seconds=seconds, queues=queues)


def test_urgent_ones_first_then_the_oldest(database: Database) -> None:
    low, first, second, high = (put(database, priority=level) for level in (1, 2, 2, 3))
    assert [row.message for row in take(database)] == [high, first, second, low]


def test_a_leased_message_is_nobody_elses_until_its_lease_ends(database: Database) -> None:
    put(database)
    (row,) = take(database)
    assert take(database) == []
    # When it is given back, Then it can be had again
    outbox.release(database, [row.id], delay=0)
    assert [again.id for again in take(database, seconds=0)] == [row.id]
    # When a lease has ended, Then too
    assert [again.id for again in take(database)] == [row.id]


def test_a_published_message_does_not_come_back(database: Database) -> None:
    put(database)
    (row,) = take(database)
    outbox.mark_published(database, [row.id])
    outbox.mark_published(database, [row.id])
    outbox.release(database, [row.id], delay=0)
    assert take(database) == []
    outbox.mark_published(database, [])
    outbox.release(database, [], delay=0)


def test_a_delayed_message_is_not_due(database: Database) -> None:
    put(database, delay=60)
    assert take(database) == []
    put(database)
    (row,) = take(database)
    outbox.release(database, [row.id], delay=60)
    assert take(database) == []


def test_only_the_queues_asked_for(database: Database) -> None:
    put(database, queue=Queue.TRANSCRIBE)
    wanted = put(database, queue=Queue.TRANSLATE)
    rows = take(database, queues=[Queue.TRANSLATE, Queue.SYNTHESIZE])
    assert [(row.queue, row.message) for row in rows] == [(Queue.TRANSLATE, wanted)]
    assert take(database, queues=[]) == []


def test_two_relays_at_once_get_different_messages(database: Database) -> None:
    # Given twenty messages
    sent = {put(database) for _ in range(20)}

    # When two relays take small batches at the same time
    def drain() -> list[bytes]:
        taken: list[bytes] = []
        while rows := take(database, limit=3):
            taken += [row.message for row in rows]
            outbox.mark_published(database, [row.id for row in rows])
        return taken

    one, two = at_once(drain, drain)
    assert isinstance(one, list)
    assert isinstance(two, list)
    # Then each message was taken exactly once
    assert len(one) + len(two) == 20
    assert set(one) | set(two) == sent


def test_publishing_is_counted_on_the_task(steps: Steps) -> None:
    job = steps.submit()
    (row,) = outbox.lease(steps.db, limit=1, seconds=60)
    outbox.mark_published(steps.db, [row.id])
    outbox.mark_published(steps.db, [row.id])
    (task,) = steps.tasks(job.id)
    assert task.published == 1


def test_a_commit_wakes_the_relay_and_a_rollback_does_not(database: Database) -> None:
    database.outbox_wakeup.clear()
    with database.transaction() as session:
        outbox.add(session, Queue.DEFAULT, 2, b"x")
        session.flush()
        session.rollback()
    assert not database.outbox_wakeup.is_set()
    put(database, delay=60)
    assert not database.outbox_wakeup.is_set()
    with database.transaction() as session:
        outbox.add(session, Queue.DEFAULT, 2, b"x")
        outbox.add(session, Queue.DEFAULT, 2, b"x")
        assert not database.outbox_wakeup.is_set()
    assert database.outbox_wakeup.is_set()


def test_a_postponed_message_is_known_to_be_under_way(steps: Steps) -> None:
    # Given a message of a known task
    steps.submit()
    ((ref, message),) = steps.deliver().items()
    # When a worker of an older release postpones it
    outbox.postpone(steps.db, message.encode(), Queue.DEFAULT, 2, 30)
    # Then it waits, and belongs to its task
    (row,) = [row for row in steps.outbox() if row.published_at is None]
    assert row.task_id == steps.task(ref).id
    assert row.not_before - row.created_at == timedelta(seconds=30)
    assert decode(row.message) == message


@pytest.mark.parametrize("actor", ["sing", "prepare"])
def test_a_message_that_means_nothing_here_is_postponed_all_the_same(database: Database, actor: str) -> None:
    strange: Message = dramatiq.Message(
        "default", actor, (), {"job_id": str(uuid4()), "run": 1, "chunk": 0, "format": 9}, {}
    )
    for message in (strange.encode(), b"not even json"):
        outbox.postpone(database, message, Queue.DEFAULT, 2, 0)
    assert [row.message for row in take(database)] == [strange.encode(), b"not even json"]


def test_prune_deletes_only_what_went_out_long_ago(steps: Steps) -> None:
    steps.submit()
    steps.deliver()
    steps.submit()
    assert outbox.prune(steps.db, timedelta(hours=1)) == 0
    assert outbox.prune(steps.db, timedelta(0)) == 1
    assert [row.published_at for row in steps.outbox()] == [None]
