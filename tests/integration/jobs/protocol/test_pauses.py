"""A paused queue: no claim begins, and nothing is sent again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from octavia.jobs.operations import pauses
from octavia.jobs.protocol import claims, repair
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import PauseMode, Queue, TaskStatus
from octavia.jobs.tables.transitions import lock_job
from tests.integration.jobs.protocol.test_repair import let_pass, mend, sent
from tests.integration.jobs.steps import LEASE, Steps
from tests.support.waiting import until

PAUSE = PauseMode.PAUSE


def _count(db: Database, query: sa.TextClause) -> int:
    with db.reading() as session:
        return session.execute(query).scalar_one()


@pytest.mark.parametrize(
    ("queue", "host", "refused"),
    [
        (Queue.DEFAULT, None, "ab"),
        (None, None, "ab"),
        (Queue.DEFAULT, "a", "a"),
        (None, "a", "a"),
        (Queue.TRANSLATE, None, ""),
        (Queue.TRANSLATE, "a", ""),
    ],
)
def test_a_claim_is_refused_where_its_queue_is_paused(
    steps: Steps, queue: Queue | None, host: str | None, refused: str
) -> None:
    # Given a message of the queue default, and a pause
    ref = sent(steps)
    order = pauses.pause(steps.db, queue, host, PAUSE, by="ann")
    # When workers of two hosts would claim its task, Then those whose queue is paused do not get it
    for worker in refused:
        with pytest.raises(claims.QueuePaused):
            claims.claim(steps.db, ref, worker, lease=LEASE, host=worker)
    # And it is as it was: queued, with no attempt
    task = steps.task(ref)
    assert (task.status, task.attempt, task.worker) == (TaskStatus.QUEUED, 0, None)
    # And another one, or the same one after the pause, gets it
    if refused == "ab":
        pauses.resume(steps.db, order.id, by="ann")
    assert claims.claim(steps.db, ref, "b", lease=LEASE, host="b").attempt == 1


def test_a_pause_that_is_committed_while_a_claim_waits_is_obeyed(postgres_url: str) -> None:
    # Given a claim that waits for its job's lock
    steps = Steps(Database(postgres_url))
    ref = sent(steps)
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with steps.db.transaction() as session:
        lock_job(session, ref.job_id)
        with ThreadPoolExecutor() as pool:
            claiming = pool.submit(claims.claim, steps.db, ref, "a", lease=LEASE, host="a")
            until(lambda: _count(steps.db, waiting) or claiming.done())
            # When its queue is paused before it gets the lock
            pauses.pause(steps.db, Queue.DEFAULT, None, PAUSE, by="ann")
            session.rollback()
            # Then it is refused, and the task is as it was
            assert isinstance(claiming.exception(), claims.QueuePaused)
    assert steps.task(ref).attempt == 0
    steps.db.close()


def test_a_paused_queue_still_drops_what_need_not_be_done(steps: Steps) -> None:
    # Given a task in hand when its queue is paused, and a copy of its message
    ref = sent(steps)
    claim = steps.claim(ref)
    pauses.pause(steps.db, None, None, PAUSE, by="ann")
    # When the copy arrives, Then it is dropped: given back, it would come again for ever
    with pytest.raises(claims.NotClaimable):
        steps.claim(ref)
    # And the task in hand goes on, and is completed
    assert claims.renew(steps.db, claim.task_id, claim.attempt, lease=LEASE).alive
    assert steps.complete(claim)


def test_messages_of_a_paused_queue_do_not_multiply(steps: Steps) -> None:
    # Given a message of a paused queue, which the broker keeps
    ref = sent(steps)
    order = pauses.pause(steps.db, Queue.DEFAULT, None, PAUSE, by="ann")
    # When hours pass, Then it is not sent again, even if the broker says that the queue is empty
    let_pass(steps, 5 * 3600)
    assert mend(steps, empty=False) == mend(steps, empty=True) == 0
    # When the queue is resumed, Then the time of the pause does not count
    pauses.resume(steps.db, order.id, by="ann")
    assert mend(steps, empty=False) == 0
    # And a message that got lost meanwhile is sent again
    assert mend(steps, empty=True) == 1
    assert list(steps.deliver()) == [ref]


def test_a_queue_that_is_paused_on_some_hosts_is_repaired_as_ever(steps: Steps) -> None:
    # Given a lost message of a queue that is paused on one of two hosts
    sent(steps)
    for host in "ab":
        workers.mark_seen(steps.db, f"{host}:1:x", host, 1, [Queue.DEFAULT], None, 1)
    pauses.pause(steps.db, None, "a", PAUSE, by="ann")
    let_pass(steps, 61)
    # When repair looks, Then it is sent again
    assert mend(steps, empty=True) == 1
    # And not once the other host is paused too
    steps.deliver()
    pauses.pause(steps.db, Queue.DEFAULT, "b", PAUSE, by="ann")
    let_pass(steps, 61)
    assert mend(steps, empty=True) == 0


def test_a_service_that_starts_while_it_is_paused_sends_once(steps: Steps) -> None:
    # Given an embedded service with a queued task, which is paused
    ref = sent(steps)
    pauses.pause(steps.db, None, None, PAUSE, by="ann")
    # When it starts again and again, Then there is one message
    assert [repair.republish_all(steps.db) for _ in range(3)] == [1, 0, 0]
    assert steps.unsent() == [ref]
