"""The newest round of each kind of periodic work: when it was scheduled, begun and done, and how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database, insert, now, transaction
from octavia.jobs.tables.operation_rows import MaintenanceRound
from octavia.jobs.tables.records import copied

SCHEDULE: Final[Mapping[str, str]] = {
    "expire_results": "*/10 * * * *",
    "sweep_deleted": "3-59/10 * * * *",
    "sweep_orphans": "17 * * * *",
    "prune": "47 * * * *",
    "report": "*/5 * * * *",
}
"""The times at which each kind of periodic work is due, in the notation of cron, UTC."""

LATE: Final = timedelta(minutes=15)
"""A scheduler that has scheduled nothing for so long is late: something is due every five minutes."""

_ERROR_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """The newest round of one kind of work: columns of ``operation_rows.MaintenanceRound``."""

    actor: str
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    result: dict[str, Any]


@transaction
def mark_scheduled(session: Session, actor: str) -> None:
    """Store that a round was put on the queue."""
    _set(session, actor, scheduled_at=now(session))


@transaction
def mark_started(session: Session, actor: str) -> None:
    """Store that a round began."""
    _set(session, actor, started_at=now(session), finished_at=None, error=None)


@transaction
def mark_finished(
    session: Session, actor: str, *, result: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """Store the end of the round that began last, with its result or its error."""
    cut = error[:_ERROR_CHARS] if error else None
    _set(session, actor, finished_at=now(session), error=cut, result=result or {})


def list_rounds(db: Database) -> list[RoundRecord]:
    """List the newest round of each kind in the order of the schedule; one that never came is listed without times."""
    with db.reading() as session:
        rows = session.scalars(sa.select(MaintenanceRound).where(col(MaintenanceRound.actor).in_(SCHEDULE)))
        known = {row.actor: copied(RoundRecord, row) for row in rows}
    return [known.get(actor) or RoundRecord(actor, None, None, None, None, {}) for actor in SCHEDULE]


def is_late(db: Database) -> bool:
    """Return whether the scheduler has not scheduled anything for a while; False if it never has."""
    with db.reading() as session:
        newest = session.scalars(sa.select(sa.func.max(MaintenanceRound.scheduled_at))).one()
        return newest is not None and now(session) - newest > LATE


def _set(session: Session, actor: str, **values: Any) -> None:
    row = insert(session, MaintenanceRound).values(actor=actor, **({"result": {}} | values))
    session.execute(row.on_conflict_do_update(index_elements=["actor"], set_=values))
