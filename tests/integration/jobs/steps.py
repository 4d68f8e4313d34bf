"""The steps that tests of the protocol take: submit, deliver, claim, complete, as relay and middleware do."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any, TypeVar
from uuid import UUID

import dramatiq
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, completion, outbox
from octavia.jobs.protocol.messages import Message, decode, ref_of
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import (
    ChunkPlan,
    Claim,
    Detected,
    Disposition,
    Failure,
    JobRecord,
    NewArtifact,
    NewJob,
    Plan,
    TaskRef,
    piece_input,
)
from octavia.jobs.tables.rows import Artifact, Event, Job, OutboxMessage, Task
from octavia.jobs.tables.states import JobType, Stage, TaskStatus
from octavia.jobs.tables.transitions import lock_job

R = TypeVar("R")
LEASE = 30.0
ATTEMPTS = 4
DELAYS = (60.0, 180.0, 600.0)
DAYS = 7.0
FLAKY = Failure("task_failed", "It went wrong.", "Try again.", retryable=True)
HOPELESS = Failure("no_audio", "There is no sound.", "Send a recording with sound.", retryable=False)
MEDIA = {"kind": "media", "key": "jobs/x/input/a.wav"}
TEXT = {"kind": "text", "key": "jobs/x/input/a.txt"}
PIECE = piece_input("Good morning.", filename="a.txt", media_type="text/plain") or {}
# Of an event: to the rule of one a second it was told just now, however long the machine takes to go on.
JUST_NOW = datetime(2100, 1, 1, tzinfo=UTC)


class Steps:
    """Drives jobs over one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # Acting

    def submit(self, type: JobType = JobType.DUB, *, start: bool = True, input: dict[str, Any] = MEDIA) -> JobRecord:
        target = "es" if type in (JobType.DUB, JobType.TRANSLATE) else None
        return submit.create(self.db, NewJob(type, "en", target, input=dict(input)), start=start)

    def claim(self, ref: TaskRef, worker: str = "w") -> Claim:
        return claims.claim(self.db, ref, worker, lease=LEASE)

    def complete(
        self,
        claim: Claim,
        message: Message | None = None,
        *,
        chunks: int = 1,
        needs_detect: bool = False,
        published: bool = True,
    ) -> bool:
        """Complete as the middleware does: with the message's own pipe_target."""
        target = message.options.get("pipe_target") if message is not None else None
        stage, job = claim.ref.stage, claim.job
        return completion.complete(
            self.db,
            claim,
            artifacts=[artifact(claim, published=published and writes_results(claim))],
            handover=dramatiq.Message(**target).encode() if target else None,
            plan=plan(chunks, needs_detect=needs_detect) if stage is Stage.PREPARE else None,
            detected=Detected("de", {"speech": {"id": "tiny"}}) if stage is Stage.DETECT else None,
            models={"translation": {"id": "en-es"}} if job.in_one_piece and not job.models else None,
        )

    def fail(self, claim: Claim, failure: Failure = FLAKY, *, jitter: float = 0.0) -> Disposition:
        return completion.fail(self.db, claim.task_id, claim.attempt, failure, retry_delays=DELAYS, jitter=jitter)

    def prepared(self, chunks: int, type: JobType = JobType.DUB) -> tuple[JobRecord, dict[TaskRef, Message]]:
        """A job after its fan-out, and the messages that went out then."""
        job = self.submit(type)
        (prepare,) = self.deliver()
        self.do(prepare, chunks=chunks)
        return self.job(job.id), self.deliver()

    def do(self, ref: TaskRef, message: Message | None = None, *, chunks: int = 1) -> bool:
        return self.complete(self.claim(ref), message, chunks=chunks)

    def deliver(self) -> dict[TaskRef, Message]:
        """Publish everything that is due, and say what it was."""
        leased = outbox.lease(self.db, limit=1000, seconds=60)
        outbox.mark_published(self.db, [row.id for row in leased])
        messages = [decode(row.message) for row in leased]
        return {ref_of(message): message for message in messages}

    def run_out(self, *, chunks: int = 1) -> list[TaskRef]:
        """Deliver and do everything until nothing is due; returns what was done, in order."""
        done: list[TaskRef] = []
        while messages := self.deliver():
            for ref, message in messages.items():
                assert self.do(ref, message, chunks=chunks)
                done.append(ref)
        return done

    def emit(self, job_id: UUID, amount: int = 1, **data: Any) -> None:
        """Have things happen to a job, all in one transaction."""
        with self.db.transaction() as session:
            job = lock_job(session, job_id)
            for _ in range(amount):
                events.emit(session, job, "progress", data)

    # Looking

    def job(self, job_id: UUID) -> JobRecord:
        with self.db.reading() as session:
            return JobRecord.from_row(session.get_one(Job, job_id))

    def tasks(self, job_id: UUID) -> list[Task]:
        with self.db.reading() as session:
            rows = sa.select(Task).where(col(Task.job_id) == job_id)
            return list(session.scalars(rows.order_by(col(Task.run), col(Task.chunk), col(Task.id))))

    def task(self, ref: TaskRef) -> Task:
        named = [task for task in self.tasks(ref.job_id) if ref_to(task) == ref]
        assert len(named) == 1
        return named[0]

    def statuses(self, job_id: UUID, run: int = 1) -> dict[tuple[int, Stage], TaskStatus]:
        return {(task.chunk, task.stage): task.status for task in self.tasks(job_id) if task.run == run}

    def outbox(self) -> list[OutboxMessage]:
        with self.db.reading() as session:
            return list(session.scalars(sa.select(OutboxMessage).order_by(col(OutboxMessage.id))))

    def unsent(self) -> list[TaskRef]:
        return [ref_of(decode(row.message)) for row in self.outbox() if row.published_at is None]

    def artifacts(self, job_id: UUID) -> list[Artifact]:
        with self.db.reading() as session:
            return list(session.scalars(sa.select(Artifact).where(col(Artifact.job_id) == job_id)))

    def events(self, job_id: UUID) -> list[Event]:
        with self.db.reading() as session:
            return list(session.scalars(sa.select(Event).where(col(Event.job_id) == job_id).order_by(col(Event.seq))))

    def change(self, ref: TaskRef, **values: Any) -> None:
        """Change a task's row behind the protocol's back, as time or an accident would."""
        with self.db.transaction() as session:
            session.execute(sa.update(Task).where(col(Task.id) == self.task(ref).id).values(**values))

    def change_job(self, job_id: UUID, **values: Any) -> None:
        with self.db.transaction() as session:
            session.execute(sa.update(Job).where(col(Job.id) == job_id).values(**values))

    def change_events(self, job_id: UUID, type: str, **values: Any) -> None:
        with self.db.transaction() as session:
            mine = sa.update(Event).where(col(Event.job_id) == job_id, col(Event.type) == type)
            session.execute(mine.values(**values))


def writes_results(claim: Claim) -> bool:
    """Whether it is the task that ends its job."""
    stage, job = claim.ref.stage, claim.job
    return stage is Stage.ASSEMBLE or (job.in_one_piece and stage is job.stages[-1])


def ref_to(task: Task) -> TaskRef:
    return TaskRef(task.job_id, task.run, task.chunk, task.stage)


def plan(chunks: int, *, needs_detect: bool = False) -> Plan:
    return Plan(
        chunks=tuple(ChunkPlan(index, index * 29.0, 29.0) for index in range(chunks)),
        duration=chunks * 29.0,
        language=None,
        models={"translation": {"id": "en-es"}},
        warnings=(),
        needs_detect=needs_detect,
    )


def artifact(claim: Claim, *, published: bool = False, name: str = "result.json") -> NewArtifact:
    ref = claim.ref
    key = f"jobs/{ref.job_id}/r{ref.run}/{ref.chunk}/{ref.stage}/a{claim.attempt}/{name}"
    return NewArtifact(name, "application/json", 2, "0" * 64, key, published)


def at_once(*actions: Callable[[], R]) -> list[R | Exception]:
    """Do things in as many threads, from a barrier, and return what each gave or raised."""
    barrier = Barrier(len(actions))
    results: list[R | Exception | None] = [None] * len(actions)

    def act(position: int) -> None:
        barrier.wait(10)
        try:
            results[position] = actions[position]()
        except Exception as error:
            results[position] = error

    threads = [Thread(target=act, args=(position,)) for position in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(result is not None for result in results), "a thread did not end"
    return [result for result in results if result is not None]


def kinds(events: Sequence[Event]) -> list[str]:
    """What happened, in short: ``stage`` events with stage, chunk and status."""
    return [
        f"{event.data['stage']}/{event.data['chunk']} {event.data['status']}" if event.type == "stage" else event.type
        for event in events
    ]
