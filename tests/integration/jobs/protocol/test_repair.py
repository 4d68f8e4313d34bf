"""Messages lost on the way are sent again, and only those."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.protocol import outbox, repair
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import Queue, TaskStatus
from tests.integration.jobs.steps import HOPELESS, Steps, at_once


def let_pass(steps: Steps, seconds: float) -> None:
    """Move what happened into the past."""
    with steps.db.transaction() as session:
        moment = now(session) - timedelta(seconds=seconds)
        session.execute(
            sa.update(OutboxMessage).where(col(OutboxMessage.published_at).is_not(None)).values(published_at=moment)
        )
        session.execute(sa.update(Task).values(queued_at=moment))


def mend(steps: Steps, *, empty: bool) -> int:
    return repair.republish_unclaimed(steps.db, queue_is_empty=lambda _queue: empty, after=60)


def sent(steps: Steps) -> TaskRef:
    steps.submit()
    (ref,) = steps.deliver()
    return ref


def test_an_unclaimed_task_of_an_empty_queue(steps: Steps) -> None:
    # Given a message that the broker lost
    ref = sent(steps)
    # When less than a minute has passed, Then nothing happens
    let_pass(steps, 30)
    assert mend(steps, empty=True) == 0
    # When a minute has passed, Then it is sent again, once
    let_pass(steps, 61)
    assert mend(steps, empty=True) == 1
    assert mend(steps, empty=True) == 0
    assert list(steps.deliver()) == [ref]
    assert steps.task(ref).published == 2
    # and the minute begins anew
    assert mend(steps, empty=True) == 0


def test_behind_others_it_waits_10_20_40_minutes(steps: Steps) -> None:
    ref = sent(steps)
    for minutes in (10, 20, 40):
        let_pass(steps, minutes * 60 - 30)
        assert mend(steps, empty=False) == 0
        let_pass(steps, minutes * 60 + 5)
        assert mend(steps, empty=False) == 1
        assert list(steps.deliver()) == [ref]


def test_each_queue_is_asked_once(steps: Steps) -> None:
    steps.prepared(3)
    let_pass(steps, 61)
    asked: list[Queue] = []

    def empty(queue: Queue) -> bool:
        asked.append(queue)
        return True

    assert repair.republish_unclaimed(steps.db, queue_is_empty=empty, after=60) == 3
    assert asked == [Queue.TRANSCRIBE]


def test_what_is_under_way_or_in_hand_is_left_alone(steps: Steps) -> None:
    # Given a retry that is not due, a message the relay has not sent, and a running and a completed task
    retrying, running, completed = sent(steps), sent(steps), sent(steps)
    steps.fail(steps.claim(retrying))
    steps.claim(running)
    steps.fail(steps.claim(completed), HOPELESS)
    steps.submit()
    let_pass(steps, 3600)
    # Then none of them is sent again
    assert mend(steps, empty=True) == 0


def test_two_repairers_at_once_send_once(steps: Steps) -> None:
    ref = sent(steps)
    let_pass(steps, 61)
    assert sorted(map(str, at_once(*[lambda: mend(steps, empty=True)] * 2))) == ["0", "1"]
    assert steps.unsent() == [ref]


def test_after_the_outbox_was_pruned_the_time_of_queueing_counts(steps: Steps) -> None:
    sent(steps)
    outbox.prune(steps.db, timedelta(0))
    let_pass(steps, 61)
    assert mend(steps, empty=True) == 1


def test_an_embedded_start_sends_every_queued_task(steps: Steps) -> None:
    # Given one message delivered to a process that died, one leased by it, and one never touched
    lost = sent(steps)
    steps.submit()
    (leased,) = outbox.lease(steps.db, limit=1, seconds=3600)
    steps.submit()
    steps.db.outbox_wakeup.clear()
    # When the service starts
    assert repair.republish_all(steps.db) == 1
    # Then all three are due
    assert steps.db.outbox_wakeup.is_set()
    due = steps.deliver()
    assert len(due) == 3
    assert lost in due
    # and a running one is left to its lease
    steps.claim(lost)
    steps.do(next(ref for ref in due if ref != lost))
    steps.deliver()
    before = len(steps.outbox())
    repair.republish_all(steps.db)
    assert lost not in steps.unsent()
    assert len(steps.outbox()) > before
    assert leased.queue is Queue.DEFAULT


@pytest.mark.parametrize("published", [0, 1])
def test_a_task_claimed_since_the_look_is_left_alone(steps: Steps, published: int) -> None:
    # Given a lost message
    ref = sent(steps)
    let_pass(steps, 61)
    steps.change(ref, published=published)

    # When its task is claimed just while the broker is asked
    def claimed_meanwhile(_queue: Queue) -> bool:
        steps.claim(ref)
        return True

    # Then it is not sent
    assert repair.republish_unclaimed(steps.db, queue_is_empty=claimed_meanwhile, after=60) == 0
    assert steps.unsent() == []
    assert steps.task(ref).status is TaskStatus.RUNNING
