"""Actions on many jobs: counted first, then carried out on those that were counted, and written down.

An action goes job by job through the same functions that serve the jobs' owners, under each job's lock; it acts on a
job once, however often and by how many it is ordered. Some jobs share a transaction, with the number done so far: a
crash in the middle leaves a record that says exactly how far it came, and ordering the action again does the rest.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict, CountChanged, InputError
from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.lifecycle.priorities import prioritize_locked
from octavia.jobs.operations import audit
from octavia.jobs.operations.conditions import ENDED, Clause, conditions, visible
from octavia.jobs.operations.filters import Term, parse
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.queries import batches
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus, Priority
from octavia.jobs.tables.transitions import lock_owned

logger = structlog.get_logger()

AT_ONCE: Final = 500
"""Jobs that one order changes at most; the outcome says how many remain."""

BUDGET_SECONDS: Final = 0.7
"""Begun transactions end; so an order is answered within about a second."""

_IN_A_TRANSACTION: Final = 20
_SAMPLE: Final = 10


class Action(StrEnum):
    """The kinds of action on many jobs."""

    RETRY = "retry"
    CANCEL = "cancel"
    DELETE = "delete"
    PRIORITIZE = "prioritize"


@dataclass(frozen=True, slots=True)
class Order:
    """An action on some jobs.

    Parameters:
      owner: The only owner whose jobs it may concern; None: all.
      filter: Names the jobs; None if ``ids`` do.
      priority: The new one, for ``prioritize``.
      jobs_in_flight: The highest number of unfinished jobs of keys without one of their own; 0: no limit.
    """

    action: Action
    owner: str | None
    filter: str | None = None
    ids: tuple[UUID, ...] = ()
    priority: Priority | None = None
    jobs_in_flight: int = 0

    @property
    def target(self) -> str:
        """The jobs as they were named, for the record."""
        return ",".join(map(str, self.ids)) if self.filter is None else self.filter


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect that an order would have: it changes ``count`` jobs, the first in ``sample``, and skips others."""

    count: int
    skipped: int
    sample: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A job that an action did not change, with the error that says why."""

    id: UUID
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect that an order had: it changed ``count`` jobs, and left ``remaining`` for another order."""

    action_id: UUID
    count: int
    skipped: tuple[Skipped, ...]
    remaining: int


def preview(db: Database, order: Order) -> Preview:
    """Count the jobs that an order would change. Raises ``InputError`` as ``filters.parse`` does."""
    terms = parse(order.filter or "")
    with db.reading() as session:
        named = [*visible(order.owner), *_named(session, order, terms)]
        all_named = sa.select(sa.func.count()).select_from(Job).where(*named)
        total = len(set(order.ids)) if order.filter is None else session.scalars(all_named).one()
        ids, count = _eligible(session, order, terms, _SAMPLE)
    return Preview(count, max(total - count, 0), ids)


def carry_out(
    db: Database, order: Order, *, by: str, expected: int | None = None, seconds: float = BUDGET_SECONDS
) -> Outcome:
    """Do what an order says, the oldest jobs first, to at most ``AT_ONCE`` of them and for about so many ``seconds``.

    Parameters:
      by: Who orders it, for the record.
      expected: The number that the preview gave; None does not compare.

    Raises:
      CountChanged: It would change another number now; nothing was changed.
      InputError: As ``filters.parse`` does.
    """
    began = time.monotonic()
    ids, outcome = _begin(db, order, parse(order.filter or ""), by, expected)
    for batch in batches(ids, _IN_A_TRANSACTION):
        outcome = _act(db, order, batch, outcome)
        if time.monotonic() - began >= seconds:
            break
    return outcome


@transaction
def _begin(
    session: Session, order: Order, terms: Sequence[Term], by: str, expected: int | None
) -> tuple[Collection[UUID], Outcome]:
    """Select the jobs, compare their number, and write the action down before any job changes."""
    ids, count = _eligible(session, order, terms, AT_ONCE)
    if expected is not None and count != expected:
        raise CountChanged(count, expected=expected)
    if order.filter is None:
        # Those that it cannot change are told why.
        ids, count = tuple(sorted(set(order.ids))), len(set(order.ids))
    detail = _detail(order, skipped=0, remaining=count)
    action_id = audit.record(session, by=by, action=order.action, target=order.target, count=0, detail=detail)
    return ids, Outcome(action_id, 0, (), count)


@transaction
def _act(session: Session, order: Order, ids: Sequence[UUID], before: Outcome) -> Outcome:
    skipped = list[Skipped]()
    # In the order of ids, as every action: two at once do not wait for each other in a circle.
    for job_id in ids:
        try:
            with session.begin_nested():
                _ACTS[order.action](session, lock_owned(session, job_id, order.owner), order)
        except InputError as error:
            skipped.append(Skipped(job_id, error.code, error.message))
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            # One job that breaks must not keep the action from all others.
            logger.exception("action_failed", job_id=str(job_id), action=order.action.value)
            skipped.append(Skipped(job_id, "internal_error", "Something went wrong; the log of the API says what."))
    after = replace(
        before,
        count=before.count + len(ids) - len(skipped),
        skipped=(*before.skipped, *skipped),
        remaining=before.remaining - len(ids),
    )
    detail = _detail(order, skipped=len(after.skipped), remaining=after.remaining)
    audit.advance(session, after.action_id, count=after.count, detail=detail)
    return after


def _detail(order: Order, *, skipped: int, remaining: int) -> dict[str, Any]:
    given = {} if order.priority is None else {"priority": order.priority.value}
    return {**given, "skipped": skipped, "remaining": remaining}


def _named(session: Session, order: Order, terms: Sequence[Term]) -> list[Clause]:
    return list(conditions(session, terms)) if order.filter is not None else [col(Job.id).in_(order.ids)]


def _eligible(session: Session, order: Order, terms: Sequence[Term], limit: int) -> tuple[tuple[UUID, ...], int]:
    """Read the first jobs that an order would change, and count all of them, as they are at one moment."""
    wanted = sa.select(col(Job.id), sa.func.count().over()).where(
        *visible(order.owner), *_named(session, order, terms), *_applies(session, order)
    )
    found = session.execute(wanted.order_by(col(Job.id)).limit(limit)).all()
    return tuple(row[0] for row in found), found[0][1] if found else 0


def _applies(session: Session, order: Order) -> list[Clause]:
    """Conditions for the jobs that an action changes; its function decides again, under the job's lock."""
    status, expires_at = col(Job.status), col(Job.expires_at)
    if order.action is Action.RETRY:
        kept = sa.or_(expires_at.is_(None), expires_at > now(session))
        return [status.in_((JobStatus.FAILED, JobStatus.CANCELED)), kept]
    if order.action is Action.CANCEL:
        return [status.not_in(ENDED), col(Job.cancel_requested_at).is_(None)]
    if order.action is Action.PRIORITIZE and order.priority is not None:
        return [status.not_in(ENDED), col(Job.priority) != order.priority.level]
    return []


def _retry(session: Session, job: Job, order: Order) -> None:
    submit.retry_locked(session, job, jobs_in_flight=order.jobs_in_flight)


def _cancel(session: Session, job: Job, order: Order) -> None:
    if job.cancel_requested_at is not None and not job.status.ended:
        raise Conflict("The job is being canceled already.")
    cancel.request_cancel(session, job)


def _delete(session: Session, job: Job, order: Order) -> None:
    removal.remove_locked(session, job)


def _prioritize(session: Session, job: Job, order: Order) -> None:
    if order.priority is None:
        raise ValueError("no priority is given")
    prioritize_locked(session, job, order.priority)


_ACTS: Final[dict[Action, Callable[[Session, Job, Order], None]]] = {
    Action.RETRY: _retry,
    Action.CANCEL: _cancel,
    Action.DELETE: _delete,
    Action.PRIORITIZE: _prioritize,
}
