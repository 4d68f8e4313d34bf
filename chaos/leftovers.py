"""Finds leftovers after a run: in the database, in the storage, on the queues, and among the processes."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import psutil
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from chaos.broker import broker_channel, waiting, work_queues
from chaos.deployment import Deployment
from octavia.brokers.queues import dead_letters_of
from octavia.jobs.access import idempotency, webhooks
from octavia.jobs.lifecycle import removal, retention
from octavia.jobs.protocol import outbox
from octavia.jobs.status import workers
from octavia.jobs.tables import contents
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Artifact, Event, IdempotencyKey, Job, OutboxMessage, Task, WebhookDelivery, Worker
from octavia.jobs.tables.states import DeliveryStatus, JobStatus, TaskStatus
from octavia.storage import Storage

_SETTLES_WITHIN = 60.0
_ENDS = ("completed", "failed", "canceled")
_OVER = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED)


def settle(deployment: Deployment) -> Iterator[str]:
    """Wait until no message is under way; yields those that still are after a minute."""
    deadline = time.monotonic() + _SETTLES_WITHIN
    while found := [*_unsent(deployment.database), *_waiting(deployment)]:
        if time.monotonic() > deadline:
            yield from found
            return
        time.sleep(0.5)


def sweep(database: Database, storage: Storage) -> dict[str, int]:
    """Do all of maintenance once, whatever the age; returns how many rows and files were removed."""
    gone = {
        "expired jobs": retention.expire_jobs(database, storage),
        "deleted jobs": removal.sweep(database, storage),
        "orphan files": retention.sweep_orphans(database, storage, min_age=0),
        "sent messages": outbox.prune(database, timedelta(0)),
        "dead workers": workers.prune(database, timedelta(0)),
    }
    idempotency.prune(database)
    webhooks.prune(database, timedelta(0))
    return gone


def rows(database: Database, jobs: int, canceled: Collection[UUID]) -> Iterator[str]:
    """Yield faults in the rows, after the sweep.

    Parameters:
      jobs: Number of jobs that were ordered.
      canceled: Those of them that their clients saw canceled.
    """
    gone, stopped = col(Job.id).in_(canceled), col(Task.job_id).in_(canceled)
    with database.reading() as session:
        yield from _counted(session, "jobs more or less than were ordered", sa.select(_count(Job) - jobs))
        left = sa.and_(~gone, col(Job.status) != JobStatus.COMPLETED)
        yield from _counted(session, "jobs not completed", _where(Job, left))
        back = sa.and_(gone, col(Job.status) != JobStatus.CANCELED)
        yield from _counted(session, "jobs no longer canceled", _where(Job, back))
        yield from _counted(session, "tasks not over", _where(Task, col(Task.status).not_in(_OVER)))
        undone = sa.and_(~stopped, col(Task.status) != TaskStatus.COMPLETED)
        yield from _counted(session, "tasks not completed", _where(Task, undone))
        yield from _counted(session, "leases held", _where(Task, col(Task.lease_until).is_not(None)))
        yield from _counted(session, "messages in the outbox", _where(OutboxMessage, sa.true()))
        yield from _counted(session, "worker processes in the books", _where(Worker, sa.true()))
        claimed = col(IdempotencyKey.fingerprint).is_(None)
        yield from _counted(session, "requests that never ended", _where(IdempotencyKey, claimed))
        pending = col(WebhookDelivery.status) == DeliveryStatus.PENDING
        yield from _counted(session, "webhooks under way", _where(WebhookDelivery, pending))
        named = [col(Artifact.job_id), col(Artifact.revision), col(Artifact.name)]
        twice = sa.select(*named).where(col(Artifact.revision) > 0).group_by(*named).having(_count(Artifact) > 1)
        yield from _counted(session, "results there twice", sa.select(sa.func.count()).select_from(twice.subquery()))
        ended = sa.select(col(Event.job_id)).where(col(Event.type).in_(_ENDS)).group_by(col(Event.job_id))
        again = ended.having(_count(Event) > 1).subquery()
        yield from _counted(session, "jobs that ended more than once", sa.select(sa.func.count()).select_from(again))
        gaps = sa.select(col(Event.job_id)).group_by(col(Event.job_id))
        broken = gaps.having(sa.func.max(col(Event.seq)) != _count(Event)).subquery()
        yield from _counted(session, "jobs with a gap in their events", sa.select(sa.func.count()).select_from(broken))


def files(database: Database, storage: Storage) -> Iterator[str]:
    """Yield files that no row names, and files that a row names and that are gone, after the sweep."""
    with database.reading() as session:
        named = set(session.scalars(sa.select(col(Artifact.storage_key)).where(contents.IN_STORAGE)))
        named |= {given["key"] for given in session.scalars(sa.select(col(Job.input))) if "key" in given}
    stored = set(dict(storage.keys("jobs")))
    yield from (f"file that no row names: {key}" for key in sorted(stored - named))
    yield from (f"file that is gone: {key}" for key in sorted(named - stored))


def dead_letters(deployment: Deployment, garbage: Sequence[bytes]) -> Iterator[str]:
    """Take all dead letters; yield those that are no garbage of ours, and garbage that is missing."""
    found: list[bytes] = []
    with broker_channel(deployment.node.url) as channel:
        for name in map(dead_letters_of, work_queues(deployment.settings)):
            while waiting(deployment.node.url, name):
                _, _, body = channel.basic_get(name, auto_ack=True)
                found.append(body)
    yield from (f"dead letter that is none: {body[:200]!r}" for body in set(found) - set(garbage))
    yield from (f"garbage that is no dead letter: {body[:200]!r}" for body in set(garbage) - set(found))


def surviving(deployment: Deployment) -> Iterator[str]:
    """Yield processes that have the deployment's settings in their environment, and should have ended."""
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("OCTAVIA_QUEUE_PREFIX") == deployment.settings.queue_prefix
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                yield f"process left: {process.pid} {' '.join(process.cmdline())[:200]}"
        except psutil.Error:
            continue


def attempts(database: Database, since: UUID | None) -> dict[str, int]:
    """Count tasks and their attempts: all, those given back, and the most that counted for one task.

    Parameters:
      since: Only tasks of jobs after this one; None for all.
    """
    tries = col(Task.attempt) - col(Task.given_back)
    wanted = sa.select(
        _count(Task),
        sa.func.sum(col(Task.attempt)),
        sa.func.sum(col(Task.given_back)),
        sa.func.max(tries),
        sa.func.sum(sa.case((tries > 1, 1), else_=0)),
    )
    if since is not None:
        wanted = wanted.where(col(Task.job_id) > since)
    with database.reading() as session:
        values = session.execute(wanted).one()
    names = ("tasks", "attempts", "given back", "most for one task", "tasks that took more than one")
    return {name: int(value or 0) for name, value in zip(names, values, strict=True)}


def _unsent(database: Database) -> Iterable[str]:
    with database.reading() as session:
        waits = _where(OutboxMessage, col(OutboxMessage.published_at).is_(None))
        yield from _counted(session, "messages not sent", waits)


def _waiting(deployment: Deployment) -> Iterable[str]:
    for name in work_queues(deployment.settings):
        count = waiting(deployment.node.url, name)
        if count:
            yield f"messages on {name}: {count}"


def _count(model: type) -> sa.ColumnElement[int]:
    return sa.func.count(next(iter(sa.inspect(model).primary_key)))


def _where(model: type, condition: sa.ColumnElement[bool]) -> sa.Select[int]:
    return sa.select(_count(model)).where(condition)


def _counted(session: Session, what: str, query: sa.Select[int]) -> Iterable[str]:
    count = session.scalars(query).one()
    if count:
        yield f"{what}: {count}"
