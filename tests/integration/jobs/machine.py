"""A service that anything may happen to, as a state machine for hypothesis; what must hold is checked after each step.

There are a few jobs of two owners, two workers that come and go, relays that keep to the queues' windows or not,
processes that publish what they have just queued, a broker that delivers whatever was ever published, as often as it
likes and in any order, and processes that die before or after a commit. Only the functions of ``octavia.jobs`` are
real, and the database.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import event
from sqlmodel import col

from octavia.errors import InputError, NotFound
from octavia.jobs.lifecycle import removal, retention, submit
from octavia.jobs.lifecycle.priorities import prioritize_locked
from octavia.jobs.operations import pauses
from octavia.jobs.protocol import cancel, claims, completion, early, outbox, repair
from octavia.jobs.protocol.messages import Message, decode, ref_of
from octavia.jobs.protocol.readiness import needs, stages_of
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.pauses import list_pauses
from octavia.jobs.tables.records import Claim, HeardSegment, NewArtifact, NewJob, Outgoing, TaskRef, is_one_piece
from octavia.jobs.tables.rows import Artifact, Event, Job, OutboxMessage, Task, WebhookDelivery
from octavia.jobs.tables.states import (
    JOB_MOVES,
    TASK_MOVES,
    WHOLE_JOB,
    AttemptOutcome,
    JobStatus,
    JobType,
    PauseMode,
    Priority,
    Queue,
    Stage,
    TaskStatus,
    queue_of,
)
from octavia.jobs.tables.transitions import lock_owned
from octavia.storage import Storage
from tests.integration.jobs.steps import ATTEMPTS, FLAKY, HOPELESS, LEASE, MEDIA, PIECE, TEXT, Steps, artifact, plan

T = TypeVar("T")
R = TypeVar("R")

_MOST_JOBS = 3
_HEALING = 200
_OVER = timedelta(hours=1)
KINDS: tuple[tuple[JobType, dict[str, Any]], ...] = (
    (JobType.TRANSCRIBE, MEDIA),
    (JobType.TRANSLATE, MEDIA),
    (JobType.DUB, MEDIA),
    (JobType.DUB, TEXT),
    (JobType.SYNTHESIZE, TEXT),
    (JobType.DUB, PIECE),
    (JobType.SYNTHESIZE, PIECE),
)
_FATES = ("lives", "lives", "publishes", "marks", "dies")
_CLEANING = ("leases", "repair", "repair slowly", "start embedded", "sweep")
_FAILURES = ("again", "for good", "dies", "given back")
_NOT_LAST_OUTCOMES = {AttemptOutcome.RETRYING, AttemptOutcome.GIVEN_BACK}
_LAST_OUTCOMES = set(AttemptOutcome) - _NOT_LAST_OUTCOMES
_ENDS = ("completed", "failed", "canceled")

Kind = tuple[JobType, dict[str, Any]]
numbers = st.integers(0, 1000)


class Died(BaseException):
    """The process is killed."""


@dataclass(eq=False)
class InHand:
    """A task that a worker has claimed, and perhaps lost since without knowing it."""

    worker: str
    claim: Claim
    message: Message


def _columns(table: type[Any], names: str) -> sa.Select[Any]:
    return sa.select(*(table.__table__.c[name] for name in names.split()))


# Only what is looked at, and no objects made of it: this is read after every step.
_JOBS = _columns(
    Job, "id type status input run revision event_seq progress chunks_total cancel_requested_at deleted_at"
)
_TASKS = _columns(
    Task, "id job_id run chunk stage status attempt given_back progress worker lease_until queued_at message"
).order_by(col(Task.run))
_EVENTS = _columns(Event, "job_id seq type").order_by(col(Event.seq))
_ARTIFACTS = _columns(Artifact, "job_id run chunk stage name revision storage_key")
_OUTBOX = _columns(OutboxMessage, "task_id created_at published_at")
_ATTEMPTS = _columns(Attempt, "task_id number stage outcome").order_by(col(Attempt.number))
_TOLD = _columns(WebhookDelivery, "job_id")


@dataclass(frozen=True)
class Rows:
    """Everything that is written down."""

    jobs: dict[UUID, Any] = field(default_factory=dict)
    tasks: dict[UUID, Any] = field(default_factory=dict)
    events: dict[UUID, list[Any]] = field(default_factory=dict)
    attempts: dict[UUID, list[Any]] = field(default_factory=dict)
    artifacts: Sequence[Any] = ()
    outbox: Sequence[Any] = ()
    told: Counter[UUID] = field(default_factory=Counter)

    def of(self, job_id: UUID) -> list[Any]:
        return [task for task in self.tasks.values() if task.job_id == job_id]


class AnythingMayHappen(RuleBasedStateMachine):
    """See the module."""

    def __init__(self, db: Database, storage: Storage) -> None:
        super().__init__()
        self.db = db
        self.storage = storage
        self.steps = Steps(db)
        self.db.post = None
        self.chunks: dict[UUID, int] = {}
        self.owners: dict[UUID, str] = {}
        self.detects: set[UUID] = set()
        self.broker: dict[TaskRef, Message] = {}
        self.in_hand: list[InHand] = []
        self.kept: Counter[UUID] = Counter()
        self.before = Rows()

    # What clients do

    @initialize(
        kind=st.sampled_from(KINDS),
        chunks=st.integers(1, 3),
        detects=st.booleans(),
        released=st.integers(0, 3),
        steps=st.integers(0, 6),
    )
    def first_job(self, kind: Kind, chunks: int, detects: bool, released: int, steps: int) -> None:
        """Its chunks may be worked on while it is still prepared."""
        self._submit(kind, chunks, detects, start=True)
        if released:
            self._relay()
            self.deliver_everything("A")
        if self.cutting():
            self.release_chunks(0, released, died=False)
        self.work(steps)

    @precondition(lambda self: len(self.chunks) < _MOST_JOBS)
    @rule(kind=st.sampled_from(KINDS), chunks=st.integers(0, 3), detects=st.booleans(), start=st.booleans())
    def submit(self, kind: Kind, chunks: int, detects: bool, start: bool) -> None:
        self._submit(kind, chunks, detects, start=start)

    @rule(
        act=st.sampled_from(["start", "retry", "cancel", "delete", "urge"]), which=numbers, stage=st.sampled_from(Stage)
    )
    def owner_acts(self, act: str, which: int, stage: Stage) -> None:
        job_id = _pick(list(self.chunks), which)
        owner = self.owners[job_id]
        with suppress(InputError):
            match act:
                case "start":
                    submit.start(self.db, job_id, owner)
                case "retry":
                    submit.retry(self.db, job_id, owner, from_stage=stage if which % 2 else None)
                case "cancel":
                    cancel.cancel(self.db, job_id, owner)
                case "delete":
                    removal.remove(self.db, job_id, owner)
                case "urge":
                    with self.db.transaction() as session:
                        prioritize_locked(session, lock_owned(session, job_id, owner), _pick(list(Priority), which))

    # What operators do

    @rule(queue=st.sampled_from([None, *Queue]), host=st.sampled_from([None, *"ABC"]), mode=st.sampled_from(PauseMode))
    def pause(self, queue: Queue | None, host: str | None, mode: PauseMode) -> None:
        """Each worker has a host of its own, of the same name."""
        pauses.pause(self.db, queue, host, mode, by="an operator")

    @rule(which=numbers)
    def resume(self, which: int) -> None:
        for order in list_pauses(self.db)[which % 2 :]:
            pauses.resume(self.db, order.id, by="an operator")

    @rule(host=st.sampled_from("AB"), queues=st.sets(st.sampled_from(Queue)))
    def workers_come_and_go(self, host: str, queues: set[Queue]) -> None:
        """The windows become wider or narrower; without a known worker, a queue has a window of one."""
        if queues:
            workers.mark_seen(self.db, host, host, 1, sorted(queues), None, 1)
        else:
            workers.remove(self.db, host)

    # What relays and the broker do

    @rule(limit=st.integers(1, 5), fate=st.sampled_from(_FATES), windowed=st.booleans())
    def relay(self, limit: int, fate: str, windowed: bool) -> None:
        """It may die before it publishes, before it marks, or while it marks."""
        rows = outbox.lease(self.db, limit=limit, seconds=LEASE, windowed=windowed)
        if fate == "dies":
            return
        for row in rows:
            self._publish(row)
        if fate != "publishes":
            self._may_die(fate == "marks", lambda: outbox.mark_published(self.db, [row.id for row in rows]))

    @rule(how=st.sampled_from(["publish", "die", "leave it to relays"]))
    def processes_that_queue(self, how: str) -> None:
        """From now on they publish what they queue, if nothing waits before it, or die before that, or do not."""
        posts: dict[str, Callable[[Sequence[Outgoing]], None]] = {"publish": self._post, "die": lambda _: None}
        self.db.post = posts.get(how)

    @rule(limit=st.integers(1, 5))
    def relay_without_a_broker(self, limit: int) -> None:
        rows = outbox.lease(self.db, limit=limit, seconds=LEASE)
        outbox.release(self.db, [row.id for row in rows], delay=0)

    @precondition(lambda self: self.broker)
    @rule(which=numbers, everything=st.booleans())
    def broker_loses(self, which: int, everything: bool) -> None:
        if everything:
            self.broker.clear()
        else:
            del self.broker[self._message(which)]

    # What workers do

    @precondition(lambda self: self.broker)
    @rule(which=numbers, worker=st.sampled_from("AB"), died=st.booleans())
    def deliver(self, which: int, worker: str, died: bool) -> None:
        """The message stays: it may be delivered again, now or much later."""
        message = self.broker[self._message(which)]
        self._may_die(died, lambda: self._claim(message, worker))

    @precondition(lambda self: self.broker)
    @rule(worker=st.sampled_from("AB"))
    def deliver_everything(self, worker: str) -> None:
        for message in list(self.broker.values()):
            self._claim(message, worker)

    @precondition(lambda self: self.in_hand)
    @rule(which=numbers, answered=st.booleans(), died=st.booleans())
    def complete(self, which: int, answered: bool, died: bool) -> None:
        """If no answer came, the worker will say so again."""
        held = _pick(self.in_hand, which)
        gone = self._may_die(died, lambda: self._complete(held))
        if gone or answered:
            self.in_hand.remove(held)

    @precondition(lambda self: self.in_hand)
    @rule()
    def complete_everything(self) -> None:
        """Late ones too."""
        for held in self.in_hand:
            self._complete(held)
            self.holds()
        self.in_hand.clear()

    @precondition(lambda self: self.cutting())
    @rule(which=numbers, chunks=st.integers(1, 3), died=st.booleans())
    def release_chunks(self, which: int, chunks: int, died: bool) -> None:
        """Those cut so far, perhaps again, perhaps by an attempt that has lost its task."""
        held = _pick(self.cutting(), which)
        known = early.released(self.db, held.claim, held.claim.job.stages[0])
        cut = max(len(known), min(chunks, self.chunks[held.claim.ref.job_id]))
        left = [artifact(held.claim, name=f"chunk-{chunk}") for chunk in range(cut)]
        for each in left:
            self.storage.put(each.storage_key, b"{}")
        self._may_die(died, lambda: self._release(held.claim, cut, left))

    def cutting(self) -> list[InHand]:
        """Attempts at ``prepare`` that may release chunks: of a recording whose language is known."""
        return [
            held
            for held in self.in_hand
            if held.claim.ref.stage is Stage.PREPARE
            and held.claim.job.input == MEDIA
            and held.claim.ref.job_id not in self.detects
            and self.chunks[held.claim.ref.job_id]
        ]

    @precondition(lambda self: self.in_hand)
    @rule(which=numbers, how=st.sampled_from(_FAILURES), answered=st.booleans())
    def fail(self, which: int, how: str, answered: bool) -> None:
        held = _pick(self.in_hand, which)
        if how == "given back":
            claims.give_back(self.db, held.claim.task_id, held.claim.attempt)
        else:
            failure = HOPELESS if how == "for good" else FLAKY
            self._may_die(how == "dies", lambda: self.steps.fail(held.claim, failure))
        if answered:
            self.in_hand.remove(held)

    @precondition(lambda self: self.in_hand)
    @rule(which=numbers, fraction=st.floats(0, 1), heard=st.integers(0, 2))
    def go_on(self, which: int, fraction: float, heard: int) -> None:
        """Tell how far it is, and renew; one that hears that nobody wants its result stops."""
        held = _pick(self.in_hand, which)
        task_id, attempt = held.claim.task_id, held.claim.attempt
        segments = [HeardSegment(number, number, number + 1.0, "word") for number in range(heard)]
        claims.record_progress(self.db, task_id, attempt, fraction, segments)
        found = claims.renew(self.db, task_id, attempt, lease=LEASE)
        if found.cancel_requested:
            completion.stop_canceled(self.db, task_id, attempt)
        if not found.alive or found.cancel_requested:
            self.in_hand.remove(held)

    @precondition(lambda self: self.in_hand)
    @rule(worker=st.sampled_from("AB"), seen=st.booleans())
    def worker_dies(self, worker: str, seen: bool) -> None:
        self.in_hand = [held for held in self.in_hand if held.worker != worker]
        if seen:
            claims.expire_leases(self.db, worker=worker, max_attempts=ATTEMPTS)

    # What time does, and whoever cleans up

    @rule()
    def time_passes(self) -> None:
        """Leases end; workers that live on do not know of it yet."""
        self._pass_time()
        claims.expire_leases(self.db, max_attempts=ATTEMPTS)

    @rule(what=st.sampled_from(_CLEANING))
    def clean_up(self, what: str) -> None:
        match what:
            case "leases":
                claims.expire_leases(self.db, max_attempts=ATTEMPTS)
            case "repair":
                repair.republish_unclaimed(self.db, queue_is_empty=lambda _: True, after=0)
            case "repair slowly":
                repair.republish_unclaimed(self.db, queue_is_empty=lambda _: False, after=0)
            case "start embedded":
                repair.republish_all(self.db)
            case "sweep":
                removal.sweep(self.db, self.storage, min_age=timedelta(0))
                retention.sweep_orphans(self.db, self.storage, min_age=-1)
                outbox.prune(self.db, timedelta(days=7))

    @rule(steps=st.integers(1, 8))
    def work(self, steps: int) -> None:
        """Everything goes well for a while: or the end of a job would hardly ever be reached."""
        for _ in range(steps):
            self._relay()
            if not self.broker:
                return
            self._do(self._message(0))

    def anything(self, random: Random) -> None:
        """One of all that, by chance: what goes on more often than what ends something.

        Hypothesis is good at making a failure small, and slow to get far: most of its examples are variations.
        """
        which, worker, coin = random.randrange(1000), random.choice("AB"), random.random() < 0.5
        likely: list[tuple[int, Callable[[], object]]] = [
            (
                6,
                lambda: self.relay(
                    random.randint(1, 5), random.choice(["lives", "lives", "publishes", "marks", "dies"]), coin
                ),
            ),
            (2, lambda: self.processes_that_queue(random.choice(["publish", "publish", "die", "leave it to relays"]))),
            (1, lambda: self.relay_without_a_broker(random.randint(1, 5))),
            (1, self.time_passes),
            (2, lambda: self.clean_up(random.choice(_CLEANING))),
            (1, lambda: self.work(random.randint(1, 8))),
            (1, lambda: self.pause(random.choice([None, *Queue]), random.choice([None, *"ABC"]), PauseMode.PAUSE)),
            (2, lambda: self.resume(which)),
            (1, lambda: self.workers_come_and_go(worker, set(random.sample(list(Queue), random.randrange(5))))),
            (
                1,
                lambda: self.owner_acts(
                    random.choice(["start", "retry", "retry", "cancel", "delete", "urge"]),
                    which,
                    random.choice(list(Stage)),
                ),
            ),
        ]
        if len(self.chunks) < _MOST_JOBS:
            likely.append((1, lambda: self.submit(random.choice(KINDS), random.randrange(4), coin, start=True)))
        if self.broker:
            likely += [
                (3, lambda: self.broker_loses(which, coin)),
                (5, lambda: self.deliver(which, worker, random.random() < 0.1)),
                (2, lambda: self.deliver_everything(worker)),
            ]
        if self.in_hand:
            likely += [
                (6, lambda: self.complete(which, random.random() < 0.8, random.random() < 0.1)),
                (2, self.complete_everything),
                (3, lambda: self.fail(which, random.choice(_FAILURES), coin)),
                (2, lambda: self.go_on(which, random.random(), random.randrange(3))),
                (1, lambda: self.worker_dies(worker, coin)),
            ]
        if self.cutting():
            likely.append((8, lambda: self.release_chunks(which, random.randint(1, 3), random.random() < 0.1)))
        weights, actions = zip(*likely, strict=True)
        random.choices(actions, weights)[0]()
        self.holds()

    # What must hold

    @invariant()
    def holds(self) -> None:
        rows = self._rows()
        self._check_moves(rows)
        for job in rows.jobs.values():
            self._check_job(job, rows)
        assert set(self.kept.values()) <= {1}, "a task was completed twice"
        self.before = rows

    def _check_moves(self, rows: Rows) -> None:
        for job_id, was in self.before.jobs.items():
            job = rows.jobs.get(job_id)
            if job is None:
                assert was.deleted_at is not None, "a job is gone that nobody deleted"
                continue
            assert job.status is was.status or job.status in JOB_MOVES[was.status], f"{was.status} became {job.status}"
            assert (job.run, job.revision, job.event_seq) >= (was.run, was.revision, was.event_seq)
            assert job.run > was.run or job.progress >= was.progress
        for task_id, old in self.before.tasks.items():
            task = rows.tasks.get(task_id)
            if task is None:
                assert old.job_id not in rows.jobs, "a task is gone"
                continue
            assert task.status is old.status or task.status in TASK_MOVES[old.status], (
                f"{old.status} became {task.status}"
            )
            assert task.attempt >= old.attempt
            if old.status in (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED):
                assert task.attempt == old.attempt

    def _check_job(self, job: Any, rows: Rows) -> None:
        tasks = rows.of(job.id)
        current = [task for task in tasks if task.run == job.run]
        assert [event.seq for event in rows.events.get(job.id, [])] == list(range(1, job.event_seq + 1))
        ends = sum(event.type in _ENDS for event in rows.events.get(job.id, []))
        assert rows.told[job.id] == ends, "an end was told more or less than once"
        open_ = {task.status for task in tasks} & {TaskStatus.QUEUED, TaskStatus.WAITING}
        running = [task for task in tasks if task.status is TaskStatus.RUNNING]
        if job.status.ended:
            assert not open_, f"a {job.status} job has tasks that are {open_}"
        if job.status in (JobStatus.COMPLETED, JobStatus.CANCELED):
            assert not running
        if job.status in (JobStatus.QUEUED, JobStatus.PROCESSING) and job.cancel_requested_at is None:
            assert open_ or running, "nothing will ever happen to this job"
        if job.status is JobStatus.COMPLETED:
            self._check_result(job, tasks, rows)
        for task in tasks:
            self._check_task(task, rows)
        if any(task.stage is Stage.ASSEMBLE for task in current):
            last = stages_of(job)[-1]
            done = {task.chunk for task in tasks if task.stage is last and task.status is TaskStatus.COMPLETED}
            assert job.chunks_total is not None, "assembled before all chunks were known"
            assert done >= set(range(job.chunks_total)), "assembled before every chunk was done"
        first = stages_of(job)[0]
        created = [task.chunk for task in current if task.stage is first and task.chunk != WHOLE_JOB]
        if any(task.stage is Stage.PREPARE for task in current):
            assert sorted(created) == list(range(len(created))), "a chunk was left out"
            assert job.chunks_total in (None, len(created))

    def _check_result(self, job: Any, tasks: list[Any], rows: Rows) -> None:
        newest = {(task.chunk, task.stage): task for task in tasks}
        wanted = {(chunk, stage) for chunk in range(job.chunks_total or 0) for stage in stages_of(job)}
        ends = {Stage.ASSEMBLE}
        if is_one_piece(job.input):
            # Only a retry from there assembles it by itself.
            ends |= {stages_of(job)[-1]}
        else:
            wanted |= {(WHOLE_JOB, Stage.PREPARE), (WHOLE_JOB, Stage.ASSEMBLE)}
        assert job.chunks_total == self.chunks[job.id]
        assert {newest[key].status for key in wanted} == {TaskStatus.COMPLETED}
        published = [row for row in rows.artifacts if row.job_id == job.id and row.revision == job.revision]
        assert [row.run for row in published] == [job.run]
        assert published[0].stage in ends

    def _check_task(self, task: Any, rows: Rows) -> None:
        assert 0 <= task.given_back <= task.attempt
        assert task.attempt - task.given_back <= ATTEMPTS
        assert 0 <= task.progress <= 1
        if task.status is TaskStatus.RUNNING:
            assert task.worker
            assert task.lease_until
        else:
            assert task.lease_until is None
        if task.status is TaskStatus.QUEUED:
            assert task.message, "a queued task has no message"
            sent = [row for row in rows.outbox if row.task_id == task.id and row.created_at >= task.queued_at]
            assert sent, "a task was queued and no message with it"
        self._check_attempts(task, rows.attempts.get(task.id, []))
        left = [row.name for row in rows.artifacts if (row.job_id, row.run, row.chunk, row.stage) == _key(task)]
        assert left.count("result.json") == (1 if task.status is TaskStatus.COMPLETED else 0)
        released = sorted(name for name in left if name != "result.json")
        assert released == [f"chunk-{chunk}" for chunk in range(len(released))], "a released chunk has no file"
        made = [one for one in rows.of(task.job_id) if one.run == task.run and one.chunk >= len(released)]
        assert task.stage is not Stage.PREPARE or task.status is TaskStatus.COMPLETED or not made

    def _check_attempts(self, task: Any, attempts: list[Any]) -> None:
        """Every attempt that ended is written down, once, with an outcome that led to what the task is now."""
        running = task.status is TaskStatus.RUNNING
        assert [row.number for row in attempts] == list(range(1, task.attempt + (0 if running else 1)))
        assert {row.stage for row in attempts} <= {task.stage}
        outcomes = [row.outcome for row in attempts]
        assert outcomes.count(AttemptOutcome.GIVEN_BACK) == task.given_back
        ends = {outcome: outcomes.count(outcome) for outcome in _LAST_OUTCOMES if outcome in outcomes}
        assert set(outcomes[:-1]) <= _NOT_LAST_OUTCOMES
        match task.status:
            case TaskStatus.COMPLETED | TaskStatus.FAILED:
                assert ends == {AttemptOutcome(task.status.value): 1}
            case TaskStatus.CANCELED:
                assert ends in ({}, {AttemptOutcome.CANCELED: 1})
            case _:
                assert not ends

    def teardown(self) -> None:
        """Once nothing goes wrong any more every job ends, and nothing is left over."""
        self._heal()
        self._check_end()

    def _heal(self) -> None:
        self.in_hand.clear()
        self.resume(0)
        for job in self._rows().jobs.values():
            if job.status is JobStatus.PENDING:
                with suppress(NotFound):
                    submit.start(self.db, job.id, self.owners[job.id])
        self.holds()
        for _ in range(_HEALING):
            self._pass_time()
            claims.expire_leases(self.db, max_attempts=ATTEMPTS)
            self.holds()
            repair.republish_unclaimed(self.db, queue_is_empty=lambda _: True, after=0)
            self._relay()
            if not self.broker:
                break
            while self.broker:
                self._do(self._message(0))

    def _check_end(self) -> None:
        self.holds()
        rows = self._rows()
        assert {job.status for job in rows.jobs.values() if job.deleted_at is None} <= {
            JobStatus.COMPLETED,
            JobStatus.FAILED,
            JobStatus.CANCELED,
        }, "a job never ended"
        assert all(row.published_at for row in rows.outbox)
        removal.sweep(self.db, self.storage, min_age=timedelta(0))
        retention.sweep_orphans(self.db, self.storage, min_age=-1)
        named = {row.storage_key for row in self._rows().artifacts}
        assert {key for key, _ in self.storage.keys("jobs")} == named

    # How it is done

    def _submit(self, kind: Kind, chunks: int, detects: bool, *, start: bool) -> None:
        type_, given = kind
        target = "es" if type_ in (JobType.DUB, JobType.TRANSLATE) else None
        owner = "even" if len(self.chunks) % 2 else "odd"
        new = NewJob(type_, "en", target, input=dict(given), webhook_url="http://127.0.0.1/hook", owner=owner)
        job = submit.create(self.db, new, start=start)
        self.chunks[job.id] = 1 if given is PIECE else chunks
        self.owners[job.id] = owner
        if detects and given is MEDIA:
            self.detects.add(job.id)

    def _message(self, which: int) -> TaskRef:
        """The newest first: with many of the others there is nothing left to do."""
        return _pick(list(reversed(self.broker)), which)

    def _publish(self, row: Outgoing) -> None:
        message = decode(row.message)
        self.broker.pop(ref_of(message), None)
        self.broker[ref_of(message)] = message

    def _post(self, rows: Sequence[Outgoing]) -> None:
        for row in rows:
            self._publish(row)

    def _relay(self) -> None:
        for row in outbox.lease(self.db, limit=100, seconds=LEASE, windowed=True):
            self._publish(row)
            outbox.mark_published(self.db, [row.id])

    def _do(self, ref: TaskRef) -> None:
        """Deliver a message for the last time, unless it comes back because its queue is paused, and do its task."""
        message = self.broker.pop(ref)
        held = self._claim(message, "C")
        if held is not None:
            self.holds()
            self._complete(held)
            self.in_hand.remove(held)
            self.holds()

    def _claim(self, message: Message, worker: str) -> InHand | None:
        ref = ref_of(message)
        is_held = any(order.holds(queue_of(ref.stage), worker) for order in list_pauses(self.db))
        try:
            claim = claims.claim(self.db, ref, worker, lease=LEASE, host=worker)
        except claims.NotClaimable:
            return None
        except claims.QueuePaused:
            assert is_held, "a task was refused and nothing is paused"
            self.broker.setdefault(ref, message)
            return None
        assert not is_held, "a task of a paused queue was claimed"
        self._check_ready(claim)
        held = InHand(worker, claim, message)
        self.in_hand.append(held)
        return held

    def _check_ready(self, claim: Claim) -> None:
        """What a claimed task reads is there."""
        ref, rows = claim.ref, self._rows()
        job = rows.jobs[ref.job_id]
        if ref.chunk == WHOLE_JOB:
            return
        need = needs(stages_of(job), ref.stage, ref.chunk, job.chunks_total)
        if need is not None:
            stage, chunks = need
            runs = range(job.run if job.chunks_total is None else 0, job.run + 1)
            newest = {task.chunk: task for task in rows.of(job.id) if task.stage is stage and task.run in runs}
            assert {newest[chunk].status for chunk in chunks} == {TaskStatus.COMPLETED}

    def _complete(self, held: InHand) -> bool:
        claim = held.claim
        self._store(claim)
        kept = self.steps.complete(
            claim,
            held.message,
            chunks=self.chunks[claim.ref.job_id],
            needs_detect=claim.ref.job_id in self.detects,
        )
        if kept:
            self.kept[claim.task_id] += 1
            assert self._rows().tasks[claim.task_id].attempt == claim.attempt, "a late worker's result was kept"
        return kept

    def _release(self, claim: Claim, chunks: int, left: list[NewArtifact]) -> None:
        released = early.release_chunks(self.db, claim, plan(chunks), artifacts=left, fraction=chunks / 4)
        task = self._rows().tasks.get(claim.task_id)
        assert not released or (task and task.attempt == claim.attempt), "a late worker's chunks were kept"

    def _store(self, claim: Claim) -> None:
        """What the steps will name as its artifact."""
        ref = claim.ref
        self.storage.put(f"jobs/{ref.job_id}/r{ref.run}/{ref.chunk}/{ref.stage}/a{claim.attempt}/result.json", b"{}")

    def _may_die(self, dies: bool, action: Callable[[], object]) -> bool:
        """Do something, or be killed when all is written and nothing committed; returns whether that happened."""
        if not dies:
            action()
            return False
        with _killed_before_commit(self.db):
            try:
                action()
            except Died:
                return True
        return False

    def _pass_time(self) -> None:
        with self.db.transaction() as session:
            moment = now(session)
            past = moment - _OVER
            session.execute(sa.update(Task).where(col(Task.lease_until).is_not(None)).values(lease_until=past))
            unsent = sa.update(OutboxMessage).where(col(OutboxMessage.published_at).is_(None))
            session.execute(unsent.values(not_before=past, leased_until=None))
            session.execute(sa.update(Task).where(col(Task.released_at).is_not(None)).values(released_at=past))
            session.execute(
                sa.update(OutboxMessage).where(col(OutboxMessage.published_at) > past).values(published_at=past)
            )

    def _rows(self) -> Rows:
        with self.db.engine.connect() as connection:
            events: dict[UUID, list[Any]] = {}
            for row in connection.execute(_EVENTS):
                events.setdefault(row.job_id, []).append(row)
            attempts: dict[UUID, list[Any]] = {}
            for row in connection.execute(_ATTEMPTS):
                attempts.setdefault(row.task_id, []).append(row)
            return Rows(
                {job.id: job for job in connection.execute(_JOBS)},
                {task.id: task for task in connection.execute(_TASKS)},
                events,
                attempts,
                connection.execute(_ARTIFACTS).all(),
                connection.execute(_OUTBOX).all(),
                Counter(connection.scalars(_TOLD)),
            )


@contextmanager
def _killed_before_commit(db: Database) -> Any:
    def die(_connection: object) -> None:
        raise Died

    event.listen(db.engine, "commit", die)
    try:
        yield
    finally:
        event.remove(db.engine, "commit", die)


def _pick(things: list[T], which: int) -> T:
    return things[which % len(things)]


def _key(task: Any) -> tuple[UUID, int, int, Stage]:
    return task.job_id, task.run, task.chunk, task.stage
