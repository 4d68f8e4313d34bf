import threading
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import dramatiq
import pytest
import sqlalchemy as sa
import structlog
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage
from structlog.testing import capture_logs

from octavia.brokers.queues import Delivery
from octavia.errors import Canceled, InputError, Stopping, TaskFailed
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.protocol.messages import decode
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import JobStatus, Queue, Stage, TaskStatus
from octavia.middleware.process import Process
from octavia.middleware.retries import Retries
from octavia.middleware.status import Status
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work

BROKER: dramatiq.Broker = StubBroker(middleware=[])
PLAN = Plan((ChunkPlan(0, 0.0, 1.0),), duration=1.0, language="en", models={}, warnings=())


class Hooks:
    """The two middleware that store state, called as a broker calls them."""

    def __init__(self, db: Database, storage: Storage, settings: Settings) -> None:
        self.reports: list[Mapping[str, Any]] = []
        self.process = Process("test", self.reports.append)
        self.retries = Retries(db, settings, self.process, outage_pause=0)
        self.status = Status(db, storage, settings, self.process, self.retries)

    @property
    def work(self) -> Work:
        """The task in hand."""
        assert self.process.work is not None
        return self.process.work

    def before(self, delivery: Delivery) -> None:
        self.status.before_process_message(BROKER, delivery)

    def after(self, delivery: Delivery, error: BaseException | None = None) -> None:
        self.retries.after_process_message(BROKER, delivery, exception=error)
        self.status.after_process_message(BROKER, delivery, exception=error)


@pytest.fixture
def hooks(db: Database, storage: Storage, settings: Settings, delivery: Delivery) -> Iterator[Hooks]:
    hooks = Hooks(db, storage, settings)
    yield hooks
    hooks.after(delivery, Stopping("the test is over"))


def _task(db: Database, stage: Stage = Stage.PREPARE) -> Task:
    with db.reading() as session:
        return session.scalars(sa.select(Task).where(sa.column("stage") == stage.value)).one()


def test_a_claimed_task_is_at_the_hand_of_its_actor(hooks: Hooks, delivery: Delivery, job_id: UUID) -> None:
    # Given a delivered message
    # When it is about to be processed
    hooks.before(delivery)
    # Then the actor finds its task, and every log line names it
    work = hooks.work
    assert (work.claim.ref.job_id, work.claim.attempt) == (job_id, 1)
    assert structlog.contextvars.get_contextvars() == {
        "job_id": str(job_id),
        "run": 1,
        "chunk": -1,
        "stage": "prepare",
        "attempt": 1,
    }
    hooks.after(delivery, Stopping("enough"))
    assert structlog.contextvars.get_contextvars() == {}
    assert hooks.process.work is None


def test_a_message_that_comes_again_is_skipped(hooks: Hooks, delivery: Delivery) -> None:
    # Given a task in work
    hooks.before(delivery)
    # When its message is delivered a second time
    # Then there is nothing to do, and it is no dead letter
    with pytest.raises(SkipMessage):
        hooks.before(delivery)
    assert not delivery.failed


def test_a_message_that_names_no_task_is_rejected(hooks: Hooks) -> None:
    # Given a message whose job id is none
    message = dramatiq.Message("default", "prepare", (), {"job_id": "?", "run": 1, "chunk": -1}, {})
    delivery = Delivery(message, Queue.DEFAULT)
    # When it is about to be processed
    # Then it is not, and goes to the dead letters
    with pytest.raises(SkipMessage):
        hooks.before(delivery)
    assert delivery.failed


def test_a_task_whose_claim_fails_unexpectedly_is_not_run(
    hooks: Hooks, delivery: Delivery, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a claim that raises something unheard of
    def claim(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(claims, "claim", claim)
    # When the message is about to be processed
    # Then the actor is not run, as Dramatiq would after logging it, and the task stays queued
    with pytest.raises(SkipMessage):
        hooks.before(delivery)
    assert _task(db).status is TaskStatus.QUEUED
    # And the message waits for a worker that may do better
    with db.reading() as session:
        newest = sa.select(OutboxMessage).order_by(sa.desc("id")).limit(1)
        put_back = session.scalars(newest).one()
    assert put_back.not_before > put_back.created_at
    assert decode(put_back.message).message_id == delivery.message_id


def test_a_result_is_committed_and_the_relay_is_told(
    hooks: Hooks, delivery: Delivery, db: Database, job_id: UUID
) -> None:
    # Given a task whose actor has done its work
    db.outbox_wakeup.clear()
    hooks.before(delivery)
    hooks.work.plan = PLAN
    # When the message has been processed
    hooks.after(delivery)
    # Then the task is completed, the next one is queued, and the supervisor knows that there is something to send
    assert _task(db).status is TaskStatus.COMPLETED
    assert _task(db, Stage.TRANSCRIBE).status is TaskStatus.QUEUED
    assert hooks.reports == [{"outbox": True}]


def test_a_result_that_cannot_be_committed_fails_the_attempt(hooks: Hooks, delivery: Delivery, db: Database) -> None:
    # Given an actor that left out what prepare must find
    hooks.before(delivery)
    # When the message has been processed
    hooks.after(delivery)
    # Then the attempt failed, and there will be another one
    task = _task(db)
    assert (task.status, task.error_code) == (TaskStatus.QUEUED, "internal_error")


def test_the_words_of_an_unknown_error_stay_in_the_log(hooks: Hooks, delivery: Delivery, db: Database) -> None:
    # Given an actor that meets a bug, whose exception quotes what somebody sent
    hooks.before(delivery)
    # When the message has been processed
    with capture_logs() as logs:
        hooks.after(delivery, ValueError("invalid literal: 'secret'"))
    # Then the attempt says nothing of it, and the log does
    task = _task(db)
    assert (task.error_code, task.error_message) == ("internal_error", "Something went wrong in the worker.")
    (line,) = [line for line in logs if line["event"] == "task_failed"]
    assert "secret" in str(line["exc_info"])


def test_a_failure_is_tried_again_until_attempts_run_out(
    hooks: Hooks, delivery: Delivery, db: Database, job_id: UUID
) -> None:
    # Given three attempts to have
    statuses = []
    # When each fails
    for _ in range(3):
        hooks.before(delivery)
        hooks.after(delivery, TaskFailed("wrong"))
        statuses.append(_task(db).status)
    # Then the last one is final
    assert statuses == [TaskStatus.QUEUED, TaskStatus.QUEUED, TaskStatus.FAILED]
    assert queries.get(db, job_id, "local").status is JobStatus.FAILED


def test_bad_input_fails_at_once(hooks: Hooks, delivery: Delivery, db: Database, job_id: UUID) -> None:
    # Given a task in hand
    hooks.before(delivery)
    # When its actor finds the input at fault
    hooks.after(delivery, InputError("This is no media.", code="not_media", hint="Send a recording."))
    # Then the job failed with just that
    error = queries.get(db, job_id, "local").error
    assert error
    assert (error.code, error.message, error.hint) == ("not_media", "This is no media.", "Send a recording.")


def test_a_stop_does_not_count_as_an_attempt(hooks: Hooks, delivery: Delivery, db: Database) -> None:
    # Given more stops than there are attempts
    for _ in range(5):
        hooks.before(delivery)
        hooks.after(delivery, Stopping("bye"))
    # When the task is claimed once more
    # Then it is there, and nothing failed
    hooks.before(delivery)
    assert _task(db).status is TaskStatus.RUNNING


def test_a_canceled_task_ends_its_job(hooks: Hooks, delivery: Delivery, db: Database, job_id: UUID) -> None:
    # Given a running task whose job is canceled
    hooks.before(delivery)
    cancel.cancel(db, job_id, "local")
    # When its actor sees that
    hooks.after(delivery, Canceled("stop"))
    # Then the job is canceled
    assert queries.get(db, job_id, "local").status is JobStatus.CANCELED


def test_a_result_that_comes_too_late_is_dropped(
    hooks: Hooks, delivery: Delivery, db: Database, settings: Settings
) -> None:
    # Given a task that was taken from its worker, which is thought to be dead
    hooks.before(delivery)
    hooks.work.plan = PLAN
    claims.expire_leases(db, worker="test", max_attempts=3)
    # When the worker turns out to be alive and completes
    hooks.after(delivery)
    # Then the task is still to be done
    assert _task(db).status is TaskStatus.QUEUED


def test_other_actors_pass_untouched(hooks: Hooks) -> None:
    # Given a message of an actor that is no stage, such as maintenance
    delivery = Delivery(dramatiq.Message("maintenance", "report", (), {}, {}), Queue.MAINTENANCE)
    # When it is processed
    hooks.before(delivery)
    hooks.after(delivery, RuntimeError("a mistake"))
    # Then nothing was claimed, and it is done with
    assert hooks.process.work is None
    assert not delivery.failed


def test_a_hook_never_raises_what_dramatiq_would_swallow(
    hooks: Hooks, delivery: Delivery, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a task in hand, and a database room that is broken beyond repair
    hooks.before(delivery)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(completion, "complete", broken)
    monkeypatch.setattr(completion, "fail", broken)
    # When its result is to be stored
    hooks.after(delivery)
    # Then the task is left to its lease, and the worker is free for the next message
    assert _task(db).status is TaskStatus.RUNNING
    assert hooks.process.work is None


def test_the_lease_tells_the_work_when_it_is_lost_or_canceled(
    hooks: Hooks, delivery: Delivery, db: Database, job_id: UUID, settings: Settings
) -> None:
    # Given a task in hand whose lease is renewed often
    settings.lease_renew_seconds = 0.05
    others = _keepers()
    hooks.before(delivery)
    work = hooks.work
    # When its job is canceled, and then the task taken away
    cancel.cancel(db, job_id, "local")
    assert work.canceled.wait(60)
    claims.expire_leases(db, worker="test", max_attempts=3)
    # Then the work hears of both
    assert work.lease_lost.wait(60)
    hooks.after(delivery, Canceled("stop"))
    assert not [thread for thread in _keepers() - others if _stays(thread)]


def _keepers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "lease"}


def _stays(thread: threading.Thread) -> bool:
    thread.join(60)
    return thread.is_alive()
