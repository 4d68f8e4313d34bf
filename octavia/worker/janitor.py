"""Keeps the database informed about a supervisor's workers, from a thread of its own, so that outages may last.

It writes down which workers live, gives back or fails the tasks of those that died, expires the leases of workers
anywhere, publishes messages again that got lost, and keeps a sample of every queue once a minute.
"""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from octavia import tracing
from octavia.background import Turns, keep_on
from octavia.brokers.queues import TaskBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol import claims, completion, repair
from octavia.jobs.status import attempts, queues, workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Death, Failure
from octavia.jobs.tables.states import Queue
from octavia.middleware import spans
from octavia.middleware.process import host
from octavia.settings import Settings

_MEMORY: Final = "Give the machine more memory, or take a smaller model or fewer worker slots; then retry the job."
_CRASH: Final = "The worker's log says where it happened. Another model may do; then retry the job."

_DEATH_BY_SIGNAL: Final[dict[int, Death]] = {
    signal.SIGKILL: Death("was killed (SIGKILL), most likely because memory ran out", _MEMORY),
    signal.SIGSEGV: Death("crashed with a segmentation fault (SIGSEGV)", _CRASH),
    signal.SIGBUS: Death("crashed with a bus error (SIGBUS), as when a disk is full", _CRASH),
    signal.SIGABRT: Death("was ended by its own native code (SIGABRT), as when memory runs out", f"{_MEMORY} {_CRASH}"),
    signal.SIGILL: Death("met an instruction that this processor does not know (SIGILL)", _CRASH),
    signal.SIGFPE: Death("crashed with an arithmetic error (SIGFPE)", _CRASH),
}

_SAMPLE_SECONDS: Final = 20.0
"""Less than a minute, so that a supervisor that ends leaves no gap."""

_LONGEST_PAUSE: Final = 5.0
_LAST_PAUSE: Final = 0.5
"""Seconds, once the workers end: what is not done soon waits for the end of its lease."""

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The task that a worker process works on.

    Attributes:
      limit: The hard limit in force, in seconds.
      loading: It is the limit for loading or fetching a model.
    """

    task_id: UUID
    attempt: int
    limit: float = 0.0
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker process that lives.

    Attributes:
      memory: Bytes.
      silent: Seconds since its last report.
    """

    worker: str
    pid: int
    queues: Sequence[Queue]
    assignment: Assignment | None
    memory: int
    silent: float


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The end of a worker process.

    Attributes:
      code: Its exit code, or the negative number of a signal.
      timed_out: The task for whose hard limit it was killed.
      requested: It was told to end, so its task goes back without losing an attempt.
    """

    worker: str
    code: int
    timed_out: Assignment | None = None
    requested: bool = False


class Janitor:
    """The thread that does this work.

    Parameters:
      first_pause: Seconds before going on after a first failure; the pause then grows.
    """

    def __init__(self, settings: Settings, db: Database, broker: TaskBroker, *, first_pause: float = 0.5) -> None:
        self._settings = settings
        self._db = db
        self._broker = broker
        self.turns = Turns("janitor", first=first_pause, longest=_LONGEST_PAUSE)
        self._exits: deque[WorkerExit] = deque()
        self._wake = threading.Event()
        self._only_exits = False
        self._stopping = threading.Event()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
        self._outage = False
        self._leases_count_from = 0.0
        self._next_sweep = 0.0
        self._swept = _machine_clock()
        self._next_repair = time.monotonic() + settings.repair_seconds
        self._next_sample = 0.0
        self._heartbeats: tuple[Heartbeat, ...] = ()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def note(self, heartbeats: Sequence[Heartbeat]) -> None:
        """Take in which workers live; a new one is written down at once, because jobs may wait for it."""
        known = {heartbeat.worker for heartbeat in self._heartbeats}
        self._heartbeats = tuple(heartbeats)
        if any(heartbeat.worker not in known for heartbeat in heartbeats):
            self._next_sweep = 0.0
            self._wake.set()

    def report_exit(self, exit: WorkerExit) -> None:
        """Have the task of a worker that has ended requeued or failed, at once."""
        self._exits.append(exit)
        self._wake.set()

    def handle_only_exits(self) -> None:
        """Expire no more leases, because the workers are about to end and their exits will be reported.

        While the database is away their leases may end before that, and expiring those would count as an attempt.
        """
        self._only_exits = True
        self._heartbeats = ()

    def stop(self, timeout: float) -> None:
        """Handle the exits reported so far, for ``timeout`` seconds; leave the rest to the end of their leases."""
        self.handle_only_exits()
        for order in (self._stopping, self._giving_up):
            order.set()
            self._wake.set()
            if self._thread.is_alive():
                self._thread.join(timeout)

    def _run(self) -> None:
        keep_on(self.turns, self._turn, ended=self._ended, wait=self._pause)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(min(seconds, _LAST_PAUSE) if self._only_exits else seconds)

    def _ended(self) -> bool:
        return self._giving_up.is_set() or (self._stopping.is_set() and not self._exits)

    def _turn(self) -> None:
        self._wake.clear()
        try:
            pause = self._do_what_is_due()
        except Unavailable as error:
            self._outage = error.code != "broker_unavailable"
            raise
        if not self._ended():
            self._wake.wait(pause)

    def _do_what_is_due(self) -> float:
        """Do all that is due; returns the seconds until there is more, unless an exit is reported before."""
        if self._outage:
            self._db.check()
            self._outage = False
            self._let_them_renew()
        while self._exits:
            try:
                self._handle_exit(self._exits[0])
            except Unavailable:
                raise
            except Exception:
                # Its task's lease will end; one worker that died must not keep us from those that live.
                logger.exception("not_buried", worker=self._exits[0].worker)
            self._exits.popleft()
        if self._only_exits:
            return self._settings.sweep_seconds
        # When they are due again is set before: one that fails must not keep us from the other.
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._settings.sweep_seconds
            self._sweep()
        if time.monotonic() >= self._next_repair:
            self._next_repair = time.monotonic() + self._settings.repair_seconds / 2
            self._repair()
        if time.monotonic() >= self._next_sample:
            self._next_sample = time.monotonic() + _SAMPLE_SECONDS
            queues.sample(self._db, self._settings.patience)
        return max(min(self._next_sweep, self._next_repair, self._next_sample) - time.monotonic(), 0.0)

    def _handle_exit(self, exit: WorkerExit) -> None:
        with self._telling_of_the_lost(exit.worker):
            if exit.timed_out:
                self._fail_timed_out(exit.worker, exit.timed_out)
            if exit.timed_out or exit.requested:
                # Just before it was killed at the limit it may have finished that task and begun another one.
                claims.release_all(self._db, exit.worker)
            else:
                self._expire_leases_of(exit.worker, exit.code)
        workers.remove(self._db, exit.worker)

    def _expire_leases_of(self, worker: str, code: int) -> None:
        death = death_of(code)
        for ref in claims.expire_leases(self._db, worker=worker, death=death, max_attempts=self._settings.max_attempts):
            logger.error(
                "worker_lost",
                worker=worker,
                code=code,
                how=death.how,
                job_id=str(ref.job_id),
                stage=ref.stage,
                chunk=ref.chunk,
            )

    def _fail_timed_out(self, worker: str, assignment: Assignment) -> None:
        settings = self._settings
        outcome = completion.fail(
            self._db,
            assignment.task_id,
            assignment.attempt,
            _past_limit(assignment),
            retry_delays=settings.retry_delays,
            jitter=settings.retry_jitter,
        )
        logger.error("hard_limit_exceeded", worker=worker, task=str(assignment.task_id), outcome=outcome)

    def _sweep(self) -> None:
        last, began = self._swept, _machine_clock()
        self._swept = began
        if began - last > self._settings.sweep_seconds + self._settings.lease_renew_seconds:
            # This machine stood still, or slept with its lid closed, and all its workers with it.
            self._let_them_renew()
        for heartbeat in self._heartbeats:
            task = heartbeat.assignment
            task_id = task.task_id if task else None
            workers.mark_seen(
                self._db, heartbeat.worker, host(), heartbeat.pid, heartbeat.queues, task_id, heartbeat.memory
            )
            # Code that holds the interpreter lock keeps a worker from renewing: its hard limit decides, not its lease.
            if task and heartbeat.silent > 2 * self._settings.lease_renew_seconds:
                claims.renew(self._db, task.task_id, task.attempt, lease=self._settings.lease_seconds)
        if _machine_clock() - began > self._settings.lease_renew_seconds:
            # The database answers, and something else held it up, such as a lock on SQLite's file.
            self._let_them_renew()
        if time.monotonic() < self._leases_count_from:
            return
        with self._telling_of_the_lost():
            expired = claims.expire_leases(self._db, max_attempts=self._settings.max_attempts)
        for ref in expired:
            logger.warning("lease_expired", job_id=str(ref.job_id), stage=ref.stage, chunk=ref.chunk)

    @contextmanager
    def _telling_of_the_lost(self, worker: str | None = None) -> Iterator[None]:
        """Trace the attempts that end in the block: of a worker that has ended, or those whose leases have."""
        held = claims.held(self._db, worker) if tracing.is_on() else ()
        yield
        for ended in attempts.ended(self._db, held) if held else ():
            spans.tell_lost(ended)

    def _let_them_renew(self) -> None:
        """Expire no lease for a while: workers that live could not renew either, and would lose their work."""
        self._leases_count_from = time.monotonic() + 2 * self._settings.lease_renew_seconds

    def _repair(self) -> None:
        sent = repair.republish_unclaimed(
            self._db,
            queue_is_empty=self._broker.is_empty,
            after=self._settings.repair_seconds,
            seen_within=self._settings.patience,
        )
        if sent:
            logger.warning("messages_republished", count=sent)


def _machine_clock() -> float:
    """Seconds of a clock that goes on while the machine sleeps, as leases do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def death_of(code: int) -> Death:
    """Describe a process's end, by its exit code or negative signal number, to the user whose task it worked on."""
    if code >= 0:
        return Death(f"ended with exit code {code} in the middle of it", _CRASH)
    return _DEATH_BY_SIGNAL.get(-code) or Death(f"was ended by signal {-code}", _CRASH)


def _past_limit(assignment: Assignment) -> Failure:
    """The failure of a task that was stopped at its hard limit."""
    if assignment.loading:
        what, setting = "Loading or fetching a model", "OCTAVIA_LOAD_LIMIT_SECONDS"
    else:
        what, setting = "The task", "OCTAVIA_HARD_LIMIT_SECONDS"
    message = f"{what} took more than its hard limit of {assignment.limit:g} s."
    return Failure("time_limit_exceeded", message, f"Raise {setting}, or use a smaller model.", retryable=True)
