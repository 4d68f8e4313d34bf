"""A change of priority reaches what waits: later messages, unsent ones, and, if it is raised, tasks already sent."""

import pytest

from octavia.errors import Conflict
from octavia.jobs.lifecycle.priorities import prioritize_locked
from octavia.jobs.protocol import outbox
from octavia.jobs.protocol.claims import NotClaimable
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import Priority, Queue
from octavia.jobs.tables.transitions import lock_job
from tests.integration.jobs.steps import Steps


def prioritize(steps: Steps, ref: TaskRef, priority: Priority) -> None:
    with steps.db.transaction() as session:
        prioritize_locked(session, lock_job(session, ref.job_id), priority)


def unsent(steps: Steps) -> list[int]:
    return [row.priority for row in steps.outbox() if row.published_at is None]


def test_a_message_that_was_not_sent_is_sent_sooner(steps: Steps) -> None:
    # Given two jobs whose messages wait in the outbox
    first, second = steps.submit(), steps.submit()
    (_, late) = steps.unsent()
    # When the later one becomes urgent
    prioritize(steps, late, Priority.HIGH)
    # Then its message, and no other one, goes out first
    leased = outbox.lease(steps.db, limit=2, seconds=60, queues=[Queue.DEFAULT])
    assert [row.priority for row in leased] == [3, 2]
    assert len(steps.outbox()) == 2
    assert (steps.job(first.id).priority, steps.job(second.id).priority) == (2, 3)


def test_a_task_that_waits_in_the_broker_gets_a_second_message(steps: Steps) -> None:
    # Given a task whose message is in the broker's queue, behind many others
    steps.submit()
    (prepare,) = steps.deliver()
    # When its job becomes urgent
    prioritize(steps, prepare, Priority.HIGH)
    # Then another message goes out ahead of them
    assert unsent(steps) == [3]
    assert list(steps.deliver()) == [prepare]
    # And whichever of the two comes second is dropped
    steps.claim(prepare)
    with pytest.raises(NotClaimable):
        steps.claim(prepare)


def test_one_that_becomes_less_urgent_keeps_its_place_in_the_broker(steps: Steps) -> None:
    steps.submit()
    (prepare,) = steps.deliver()
    prioritize(steps, prepare, Priority.LOW)
    assert unsent(steps) == []
    # But its later tasks have the new priority
    steps.do(prepare)
    assert unsent(steps) == [1]


def test_a_message_that_is_just_being_sent_is_left_alone(steps: Steps) -> None:
    # Given a relay that has leased a message
    steps.submit()
    (leased,) = outbox.lease(steps.db, limit=1, seconds=60)
    (prepare,) = steps.unsent()
    # When its job becomes urgent, Then a second message follows
    prioritize(steps, prepare, Priority.HIGH)
    assert [(row.id, row.priority) for row in steps.outbox()][:1] == [(leased.id, 2)]
    assert unsent(steps) == [2, 3]


def test_a_retry_that_is_not_due_gets_the_new_priority(steps: Steps) -> None:
    steps.submit()
    (prepare,) = steps.deliver()
    steps.fail(steps.claim(prepare))
    prioritize(steps, prepare, Priority.HIGH)
    assert unsent(steps) == [3]


def test_there_is_nothing_to_change_twice_or_at_the_end(steps: Steps) -> None:
    # Given a job
    job = steps.submit()
    (prepare,) = steps.unsent()
    # When it gets the priority that it has, or has ended, Then that is refused
    with pytest.raises(Conflict, match="already"):
        prioritize(steps, prepare, Priority.NORMAL)
    steps.run_out()
    with pytest.raises(Conflict, match="completed"):
        prioritize(steps, prepare, Priority.HIGH)
    assert steps.job(job.id).priority == 2
