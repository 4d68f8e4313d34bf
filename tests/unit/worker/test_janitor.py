import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast
from uuid import uuid4

import pytest
import sqlalchemy as sa

from octavia.errors import Unavailable
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Claim, ErrorRecord, NewJob, TaskRef
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import WHOLE_JOB, JobType, Stage, TaskStatus
from octavia.settings import Settings
from octavia.worker import janitor as module
from octavia.worker.janitor import Assignment, Heartbeat, Janitor, WorkerExit, death_of
from tests.support.waiting import until

_RENEW = 0.2


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def _as_ever(looks: Sequence[float]) -> bool:
    """Whether one look came soon after the one before; a machine that stalls holds up this or that one, but not all."""
    last = tuple(looks)[-2:]
    return len(last) == 2 and last[1] - last[0] < 2 * _RENEW


def test_after_an_outage_the_living_may_renew_before_leases_count(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that is away when leases are looked at
    looks: list[float] = []

    def expire(*_: object, **__: object) -> list[Any]:
        looks.append(time.monotonic())
        if len(looks) == 1:
            raise Unavailable("away", code="database_unavailable")
        return []

    monkeypatch.setattr(claims, "expire_leases", expire)
    settings = Settings(sweep_seconds=0.01, lease_renew_seconds=_RENEW)
    janitor = Janitor(settings, db, cast(Any, None), first_pause=0.01)
    # When it is back, then leases count as ever before long
    janitor.start()
    until(lambda: _as_ever(looks[1:]))
    janitor.stop(60)
    # But not before every worker has had the time to renew its own
    assert looks[1] - looks[0] >= 2 * _RENEW


def test_while_writes_wait_for_a_lock_no_lease_counts(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a living worker, and a database that answers, but keeps the first to write waiting
    written: list[float] = []
    looks: list[float] = []

    def seen(*_: object) -> None:
        if not written:
            time.sleep(2 * _RENEW)
        written.append(time.monotonic())

    def expire(*_: object, **__: object) -> list[Any]:
        looks.append(time.monotonic())
        return []

    monkeypatch.setattr(module.workers, "mark_seen", seen)
    monkeypatch.setattr(claims, "expire_leases", expire)
    janitor = Janitor(Settings(sweep_seconds=0.01, lease_renew_seconds=_RENEW), db, cast(Any, None))
    janitor.note([Heartbeat("w", 1, (), None, 0, 0.0)])
    # When it writes again, then leases count as ever before long
    janitor.start()
    until(lambda: _as_ever(looks))
    janitor.stop(60)
    # But not before every worker has had the time to renew its own
    assert looks[0] - written[0] >= 2 * _RENEW


def test_after_the_machine_stood_still_the_living_may_renew_before_leases_count(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given leases that were looked at
    looks: list[float] = []
    clock = [0.0]

    def expire(*_: object, **__: object) -> list[Any]:
        looks.append(clock[0])
        return []

    monkeypatch.setattr(claims, "expire_leases", expire)
    monkeypatch.setattr(module, "_machine_clock", lambda: clock[0])
    janitor = Janitor(Settings(sweep_seconds=1), db, cast(Any, None))
    janitor._sweep()
    # When the machine has slept for an hour, then they do not count until every worker had the time to renew its own
    clock.append(clock.pop() + 3600)
    janitor._sweep()
    assert looks == [0.0]
    # And from then on as ever
    janitor._leases_count_from = 0.0
    janitor._sweep()
    assert looks == [0.0, 3600.0]


@pytest.fixture
def claim(db: Database) -> Claim:
    """A task in the hands of the worker ``w``, with one attempt to have."""
    job = submit.create(db, NewJob(JobType.TRANSCRIBE, "en", input={"kind": "media"}))
    return claims.claim(db, TaskRef(job.id, 1, WHOLE_JOB, Stage.PREPARE), "w", lease=60)


def _exit(db: Database, exit: WorkerExit, **settings: Any) -> Janitor:
    janitor = Janitor(Settings(retry_delays=(), **settings), db, cast(Any, None))
    janitor.start()
    janitor.report_exit(exit)
    janitor.stop(60)
    return janitor


def _task(db: Database) -> Task:
    with db.reading() as session:
        return session.scalars(sa.select(Task)).one()


def _error(db: Database, claim: Claim) -> ErrorRecord:
    error = queries.get(db, claim.ref.job_id, "local").error
    assert error
    return error


def test_a_worker_that_crashed_has_used_up_its_attempt(db: Database, claim: Claim) -> None:
    # Given a worker with a task, when it has crashed
    _exit(db, WorkerExit("w", -signal.SIGSEGV))
    # Then its attempt counted, and the reason tells how it died, and in what
    error = _error(db, claim)
    assert error.code == "worker_lost"
    assert "In prepare, at attempt 1 of 1" in error.message
    assert "segmentation fault" in error.message


def test_a_worker_that_was_told_to_end_has_not(db: Database, claim: Claim) -> None:
    # Given a worker with a task, when it was killed because it did not stop in time
    _exit(db, WorkerExit("w", -signal.SIGKILL, requested=True))
    # Then its task is queued again, and the attempt does not count
    task = _task(db)
    assert (task.status, task.attempt, task.given_back) == (TaskStatus.QUEUED, 1, 1)


@pytest.mark.parametrize(("loading", "setting"), [(False, "HARD"), (True, "LOAD")])
def test_a_hard_limit_says_which_one_it_was(db: Database, claim: Claim, loading: bool, setting: str) -> None:
    # Given a worker with a task, when it was killed at its hard limit
    _exit(db, WorkerExit("w", -signal.SIGKILL, Assignment(claim.task_id, claim.attempt, 12.0, loading)))
    # Then that is the reason, with the limit that there was, and not that its worker was lost
    error = _error(db, claim)
    assert error.code == "time_limit_exceeded"
    assert "12 s" in error.message
    assert f"OCTAVIA_{setting}_LIMIT_SECONDS" in error.hint


def test_a_task_begun_after_the_timed_out_one_keeps_its_attempt(db: Database, claim: Claim) -> None:
    # Given a worker that was killed at the hard limit of a task that it had just finished, with the next one in hand
    overdue = Assignment(uuid4(), 1, 12.0)
    _exit(db, WorkerExit("w", -signal.SIGKILL, overdue))
    # Then the next one goes back, with its attempt
    task = _task(db)
    assert (task.status, task.attempt, task.given_back) == (TaskStatus.QUEUED, 1, 1)


def test_once_workers_are_told_to_end_their_leases_do_not_expire_before_their_exit_is_reported(db: Database) -> None:
    # Given a worker that lost its lease to an outage, and a supervisor that is ending its workers
    job = submit.create(db, NewJob(JobType.TRANSCRIBE, "en", input={"kind": "media"}))
    claims.claim(db, TaskRef(job.id, 1, WHOLE_JOB, Stage.PREPARE), "w", lease=0.05)
    janitor = Janitor(Settings(retry_delays=(), sweep_seconds=0.01), db, cast(Any, None))
    janitor.handle_only_exits()
    janitor.start()
    time.sleep(0.3)
    # When the worker has left
    janitor.report_exit(WorkerExit("w", 75, requested=True))
    janitor.stop(10)
    # Then its attempt was given back, and not used up meanwhile
    task = _task(db)
    assert (task.status, task.given_back) == (TaskStatus.QUEUED, 1)


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGSEGV, "segmentation fault"),
        (-signal.SIGABRT, "SIGABRT"),
        (-signal.SIGUSR1, f"signal {int(signal.SIGUSR1)}"),
        (-signal.SIGRTMAX, f"signal {int(signal.SIGRTMAX)}"),
        (-40, "signal 40"),
        (0, "exit code 0"),
        (3, "exit code 3"),
    ],
)
def test_every_end_has_its_words_and_a_remedy(code: int, how: str) -> None:
    # Given how a process ended, as the system tells it
    # When it is to be told to a user
    death = death_of(code)
    # Then it is said in words that name it, with what may help
    assert how in death.how
    assert death.hint.endswith("retry the job.")


def test_a_kill_says_that_memory_is_the_likely_cause() -> None:
    assert "memory" in death_of(-signal.SIGKILL).how
