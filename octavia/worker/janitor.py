"""What a supervisor owes the database about its workers, from a thread of its own, for as long as it takes."""

import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from octavia.brokers.queues import TaskBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol import claims, completion, repair
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Failure
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.worker.deaths import death_of

_OUTAGE_PAUSE = 2.0

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """A task that a worker process has in hand.

    ``limit``: the hard limit in force, in seconds; ``loading``: it is that of loading or fetching a model.
    """

    task_id: UUID
    attempt: int
    limit: float = 0.0
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A living worker process; ``silent`` seconds ago it last gave a sign of life."""

    worker: str
    pid: int
    queues: Sequence[Queue]
    held: Held | None
    memory: int
    silent: float


@dataclass(frozen=True, slots=True)
class Obituary:
    """A worker process that has ended.

    ``code``: its exit code, or the negative number of a signal. ``overdue``: the task for whose hard limit it was
    killed. ``innocent``: it was told to end, so what it had in hand need not pay for it with an attempt.
    """

    worker: str
    code: int
    overdue: Held | None = None
    innocent: bool = False


class Janitor:
    """Notes who lives and who died, brings back what the dead held, here and anywhere, and what got lost on the way.

    Attributes:
      seen: The living; set by the supervisor whenever it has looked.
    """

    def __init__(self, settings: Settings, db: Database, broker: TaskBroker) -> None:
        self._settings = settings
        self._db = db
        self._broker = broker
        self._dead: deque[Obituary] = deque()
        self._wake = threading.Event()
        self._only_burying = False
        self._stopping = threading.Event()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
        self._outage = False
        self._leases_count_from = 0.0
        self._next_sweep = 0.0
        self._swept = _machine_clock()
        self._next_repair = time.monotonic() + settings.repair_seconds
        self.seen: tuple[Seen, ...] = ()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def bury(self, obituary: Obituary) -> None:
        """Have a dead worker's task brought back at once."""
        self._dead.append(obituary)
        self._wake.set()

    def only_bury(self) -> None:
        """Look after nothing but the dead from now on: the workers are about to end, and will be buried.

        Their leases may end before, when the database is away; swept, they would cost an attempt that is given back.
        """
        self._only_burying = True
        self.seen = ()

    def stop(self, timeout: float) -> None:
        """Finish what is owed, for so many seconds, then give up; what remains is left to the leases."""
        self.only_bury()
        for told in (self._stopping, self._giving_up):
            told.set()
            self._wake.set()
            if self._thread.is_alive():
                self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = self._turn()
            except Unavailable as error:
                logger.warning("janitor_waiting", reason=error.code, detail=str(error), again_in=_OUTAGE_PAUSE)
                pause = _OUTAGE_PAUSE
                self._outage = error.code != "broker_unavailable"
            except Exception:
                logger.exception("janitor_failed")
                pause = self._settings.sweep_seconds
            if self._giving_up.is_set() or (self._stopping.is_set() and not self._dead):
                return
            self._wake.wait(pause)

    def _turn(self) -> float:
        """Do what is due; returns the seconds until there is more, unless somebody dies before."""
        if self._outage:
            self._db.check()
            self._outage = False
            self._let_them_renew()
        while self._dead:
            try:
                self._bury(self._dead[0])
            except Unavailable:
                raise
            except Exception:
                # Its task's lease will end; one dead worker must not keep us from the living.
                logger.exception("not_buried", worker=self._dead[0].worker)
            self._dead.popleft()
        if self._only_burying:
            return self._settings.sweep_seconds
        if time.monotonic() >= self._next_sweep:
            self._sweep()
            self._next_sweep = time.monotonic() + self._settings.sweep_seconds
        if time.monotonic() >= self._next_repair:
            self._repair()
            self._next_repair = time.monotonic() + self._settings.repair_seconds / 2
        return max(min(self._next_sweep, self._next_repair) - time.monotonic(), 0.0)

    def _bury(self, dead: Obituary) -> None:
        if dead.overdue:
            self._time_out(dead.worker, dead.overdue)
        if dead.overdue or dead.innocent:
            # Between the look and the kill it may have finished what was overdue, and have begun something else.
            claims.release_all(self._db, dead.worker)
        else:
            self._lose(dead.worker, dead.code)
        workers.remove(self._db, dead.worker)

    def _lose(self, worker: str, code: int) -> None:
        death = death_of(code)
        for ref in claims.expire_leases(
            self._db,
            worker=worker,
            death=death,
            max_attempts=self._settings.max_attempts,
        ):
            logger.error(
                "worker_lost",
                worker=worker,
                code=code,
                how=death.how,
                job_id=str(ref.job_id),
                stage=ref.stage,
                chunk=ref.chunk,
            )

    def _time_out(self, worker: str, overdue: Held) -> None:
        settings = self._settings
        outcome = completion.fail(
            self._db,
            overdue.task_id,
            overdue.attempt,
            _past_limit(overdue),
            retry_delays=settings.retry_delays,
            jitter=settings.retry_jitter,
        )
        logger.error("hard_limit_exceeded", worker=worker, task=str(overdue.task_id), outcome=outcome)

    def _sweep(self) -> None:
        last, began = self._swept, _machine_clock()
        self._swept = began
        if began - last > self._settings.sweep_seconds + self._settings.lease_renew_seconds:
            # This machine stood still, or slept with its lid closed, and all its workers with it.
            self._let_them_renew()
        host = socket.gethostname()
        for one in self.seen:
            held = one.held
            workers.mark_seen(
                self._db, one.worker, host, one.pid, one.queues, held.task_id if held else None, one.memory
            )
            # Code that holds the interpreter lock keeps it from renewing; its hard limit decides, not its lease.
            if held and one.silent > 2 * self._settings.lease_renew_seconds:
                claims.renew(self._db, held.task_id, held.attempt, lease=self._settings.lease_seconds)
        if _machine_clock() - began > self._settings.lease_renew_seconds:
            # The database answers, and something else held it up, such as a lock on SQLite's file.
            self._let_them_renew()
        if time.monotonic() < self._leases_count_from:
            return
        for ref in claims.expire_leases(self._db, max_attempts=self._settings.max_attempts):
            logger.warning("lease_expired", job_id=str(ref.job_id), stage=ref.stage, chunk=ref.chunk)

    def _let_them_renew(self) -> None:
        """The living could not renew either: without the time to do so now, it would cost them their work."""
        self._leases_count_from = time.monotonic() + 2 * self._settings.lease_renew_seconds

    def _repair(self) -> None:
        sent = repair.republish_unclaimed(
            self._db, queue_is_empty=self._broker.is_empty, after=self._settings.repair_seconds
        )
        if sent:
            logger.warning("messages_republished", count=sent)


def _machine_clock() -> float:
    """Seconds that go on while the machine sleeps, as leases do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _past_limit(held: Held) -> Failure:
    """Why a task that was stopped from outside failed."""
    if held.loading:
        what, hint = "Loading or fetching a model", "Raise OCTAVIA_LOAD_LIMIT_SECONDS, or use a smaller model."
    else:
        what, hint = "The task", "Raise OCTAVIA_HARD_LIMIT_SECONDS, or use a smaller model."
    return Failure(
        "time_limit_exceeded", f"{what} took more than its hard limit of {held.limit:g} s.", hint, retryable=True
    )
