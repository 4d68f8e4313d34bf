"""Where processes are killed in these tests: exactly there, and once. No code of Octavia's knows of it.

A test leaves a file that names a point, and if it likes a job and a stage of it. Whichever process gets there first
takes the file away, by renaming it, and kills itself with SIGKILL. Until it is dead it holds a lock on that file.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.brokers import relay
from octavia.brokers.consumers import QueueConsumer
from octavia.brokers.embedded import _OutboxConsumer
from octavia.brokers.rabbit import RabbitBroker
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, completion
from octavia.jobs.protocol.messages import decode, ref_of
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import Stage
from octavia.settings import get_settings

FOLDER = "OCTAVIA_TEST_DEATHS"
_ANY = "any"
_STAGES = {stage.value for stage in Stage}


class Point(StrEnum):
    """What a process is about to do, or has just done."""

    RECEIVED = "received"
    """A worker has a message, and has not claimed its task."""
    WORKING = "working"
    """An actor is in the middle of its work, with half of its files stored."""
    STORED = "stored"
    """All files are stored; by a worker or, of an upload, by the API. Nothing is written to the database."""
    UNCOMMITTED = "uncommitted"
    """All is written to the database, and not committed."""
    COMMITTED = "committed"
    """The result, or the job, is committed; nobody was told."""
    UNACKNOWLEDGED = "unacknowledged"
    """What follows was published, and the message is not acknowledged."""
    LEASED = "leased"
    """A relay has leased a message, and not published it."""
    UNMARKED = "unmarked"
    """A relay has published a message, and not marked it as published."""


def doom(folder: Path, point: Point, job_id: UUID | None = None, stage: Stage | None = None) -> Path:
    """Have whoever gets there first die there; returns what ``died`` is to be asked about."""
    marker = folder / f"{point}.{job_id or _ANY}.{stage or _ANY}"
    marker.touch()
    return _trace(marker)


def died(trace: Path) -> bool:
    """Whether somebody has got there and is dead: who is only about to die may still answer."""
    try:
        with trace.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def reached(point: Point, job_id: object = _ANY, stage: str = _ANY) -> None:
    """Die here, if a test wants that and nobody has yet."""
    folder = Path(os.environ[FOLDER])
    for name in {f"{point}.{job_id}.{stage}", f"{point}.{_ANY}.{_ANY}"}:
        marker = folder / name
        with suppress(FileNotFoundError), marker.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever waited for the lock finds that somebody else has died here.
            marker.rename(_trace(marker))
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)


def _trace(marker: Path) -> Path:
    return marker.with_name(f"{marker.name}.died")


def in_workers() -> None:
    """Let worker processes die."""
    claim, complete = claims.claim, completion.complete

    def claim_or_die(db: Database, ref: Any, *rest: Any, **more: Any) -> Any:
        reached(Point.RECEIVED, ref.job_id, ref.stage)
        return claim(db, ref, *rest, **more)

    def complete_or_die(db: Database, claimed: Any, **more: Any) -> Any:
        named = claimed.ref.job_id, claimed.ref.stage
        reached(Point.STORED, *named)
        with _at_commit(db, *named):
            kept = complete(db, claimed, **more)
        reached(Point.COMMITTED, *named)
        return kept

    claims.claim, completion.complete = claim_or_die, complete_or_die
    for consumer in (QueueConsumer, _OutboxConsumer):
        _before_acknowledging(consumer)


def in_relays() -> None:
    """Let whoever publishes die; what it had taken is free again after two seconds."""
    relay._LEASE = 2.0
    publish = RabbitBroker.publish

    def publish_or_die(broker: RabbitBroker, outgoing: Any) -> None:
        ref = ref_of(decode(outgoing.message))
        reached(Point.LEASED, ref.job_id, ref.stage)
        publish(broker, outgoing)
        reached(Point.UNMARKED, ref.job_id, ref.stage)

    RabbitBroker.publish = publish_or_die


def in_the_api() -> None:
    """Let the API die while it takes a job."""
    create = submit.create
    making = threading.local()

    def create_or_die(*given: Any, **more: Any) -> Any:
        reached(Point.STORED)
        making.job = True
        try:
            return create(*given, **more)
        finally:
            making.job = False

    @event.listens_for(Session, "after_commit")
    def committed(_session: Session) -> None:
        # Before the listener that wakes the relay, which is the session's own.
        if getattr(making, "job", False):
            reached(Point.COMMITTED)

    submit.create = create_or_die


@contextmanager
def _at_commit(db: Database, job_id: UUID, stage: Stage) -> Iterator[None]:
    thread = threading.get_ident()

    def die(_connection: object) -> None:
        if threading.get_ident() == thread:
            reached(Point.UNCOMMITTED, job_id, stage)

    event.listen(db.engine, "commit", die)
    try:
        yield
    finally:
        event.remove(db.engine, "commit", die)


def _before_acknowledging(consumer: Any) -> None:
    acknowledge = consumer.ack

    def acknowledge_or_die(self: Any, message: Any) -> None:
        stage, job_id = message.actor_name, message.kwargs.get("job_id")
        if stage in _STAGES and (Path(os.environ[FOLDER]) / f"{Point.UNACKNOWLEDGED}.{job_id}.{stage}").exists():
            if consumer is QueueConsumer:
                _until_published(UUID(job_id))
            reached(Point.UNACKNOWLEDGED, job_id, stage)
        acknowledge(self, message)

    consumer.ack = acknowledge_or_die


def _until_published(job_id: UUID) -> None:
    of_job = sa.select(col(Task.id)).where(col(Task.job_id) == job_id)
    unsent = sa.select(col(OutboxMessage.id)).where(
        col(OutboxMessage.task_id).in_(of_job), col(OutboxMessage.published_at).is_(None)
    )
    while True:
        with _database().reading() as session:
            if session.scalars(unsent).first() is None:
                return
        time.sleep(0.02)


@cache
def _database() -> Database:
    return Database(get_settings().database, pool_size=1)
