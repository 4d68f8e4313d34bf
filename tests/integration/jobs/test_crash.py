"""A process that dies before its commit has done nothing at all."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlmodel import SQLModel

from octavia.errors import Conflict
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel, claims
from octavia.jobs.tables import transitions, writes
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JobStatus, JobType, TaskStatus
from tests.integration.jobs.steps import ATTEMPTS, HOPELESS, Steps


class Crash(Exception):
    """The process dies."""


def everything(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with db.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(sa.select(table))), key=str)
            for table in SQLModel.metadata.sorted_tables
        }


def crash_before_commit(db: Database, action: Callable[[], object]) -> None:
    def die(_connection: object) -> None:
        raise Crash

    event.listen(db.engine, "commit", die)
    try:
        with pytest.raises(Crash):
            action()
    finally:
        event.remove(db.engine, "commit", die)


@pytest.mark.parametrize("action", ["create", "claim", "complete", "fail", "retry", "cancel", "expire", "give_back"])
def test_nothing_is_half_done(steps: Steps, action: str) -> None:
    # Given a job in the middle, with the last chunk but one running, and another that failed
    _, messages = steps.prepared(2, JobType.TRANSCRIBE)
    (one, first), (two, _) = messages.items()
    running = steps.claim(one)
    failed = steps.submit()
    (prepare,) = steps.deliver()
    steps.fail(steps.claim(prepare), HOPELESS)
    actions: dict[str, Callable[[], object]] = {
        "create": lambda: steps.submit(),
        "claim": lambda: steps.claim(two),
        "complete": lambda: steps.complete(running, first),
        "fail": lambda: steps.fail(running),
        "retry": lambda: submit.retry(steps.db, failed.id, "local"),
        "cancel": lambda: cancel.cancel(steps.db, one.job_id, "local"),
        "expire": lambda: claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS),
        "give_back": lambda: claims.give_back(steps.db, running.task_id, running.attempt),
    }
    before = everything(steps.db)
    # When the process dies with everything written and nothing committed
    crash_before_commit(steps.db, actions[action])
    # Then every table is as it was, the outbox too
    assert everything(steps.db) == before
    # and the same again works
    actions[action]()
    assert everything(steps.db) != before


def test_a_wrong_handover_changes_nothing(steps: Steps) -> None:
    # Given two chunks of which one hands over the other's message
    _, messages = steps.prepared(2)
    one, two = messages
    claim = steps.claim(one)
    before = everything(steps.db)
    with pytest.raises(ValueError, match="not of its pipeline"):
        steps.complete(claim, messages[two])
    assert everything(steps.db) == before


def test_a_message_that_lost_its_pipeline_ends_nothing(steps: Steps) -> None:
    # Given a message that came without its pipe_target
    _, messages = steps.prepared(1)
    (ref,) = messages
    # When its task completes
    steps.complete(steps.claim(ref), None)
    # Then the pipeline that was composed for the task goes on
    assert [following.stage.value for following in steps.unsent()] == ["translate"]


def test_transitions_compare_before_they_set(steps: Steps) -> None:
    # Given rows that another changed since we read them
    job = steps.submit()
    with steps.db.transaction() as session:
        row = transitions.lock_job(session, job.id)
        (task,) = steps.tasks(job.id)
        mine = session.merge(task)
        session.execute(sa.text("UPDATE jobs SET status = 'canceled'"))
        session.execute(sa.text("UPDATE tasks SET status = 'running', attempt = 1"))
        # Then no move is made on what we believed
        transitions.move_job(session, row, JobStatus.PROCESSING)
        with pytest.raises(Conflict, match="no longer queued"):
            writes.send(session)
        transitions.move_task(session, mine, TaskStatus.RUNNING)
        with pytest.raises(Conflict, match="no longer queued"):
            writes.send(session)
        with pytest.raises(Conflict, match="no longer waiting"):
            transitions.queue_tasks(session, [mine.id])


def test_moves_that_the_state_machine_lacks_raise(steps: Steps) -> None:
    job = steps.submit()
    with steps.db.transaction() as session:
        row = transitions.lock_job(session, job.id)
        (task,) = [session.merge(task) for task in steps.tasks(job.id)]
        with pytest.raises(Conflict, match="queued cannot become completed"):
            transitions.move_job(session, row, JobStatus.COMPLETED)
        with pytest.raises(Conflict, match="queued cannot become failed"):
            transitions.move_task(session, task, TaskStatus.FAILED)
        with pytest.raises(Conflict, match="completed cannot become canceled"):
            transitions.cancel_tasks(session, row, [TaskStatus.COMPLETED])
