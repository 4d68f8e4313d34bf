"""What is new about watched jobs, of many at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import EventRecord
from octavia.jobs.tables.rows import Event, Job

_JOBS_A_QUERY: Final = 500
_CHANGED_JOBS_A_QUERY: Final = 50


@dataclass(frozen=True, slots=True)
class News:
    """How a job stands.

    Parameters:
      seq: The number of its newest event.
      ended: Nothing follows that event unless somebody asks for another run.
      events: The newest ones, without gaps; fewer or none where they were deleted because the job expired.
    """

    seq: int
    ended: bool
    events: tuple[EventRecord, ...] = ()


def news(db: Database, known: Mapping[UUID, int], limit: int) -> dict[UUID, News]:
    """How jobs stand, and their events after those that are known, but of each only the newest ``limit``.

    One query when nothing is new, however many jobs these are. A job that is missing in the answer is not there, or
    was deleted.
    """
    found: dict[UUID, News] = {}
    with db.reading() as session:
        for ids in _batches(known, _JOBS_A_QUERY):
            heads = sa.select(col(Job.id), col(Job.event_seq), col(Job.status)).where(
                col(Job.id).in_(ids), col(Job.deleted_at).is_(None)
            )
            for job_id, seq, status in session.execute(heads):
                found[job_id] = News(seq, status.ended)
        changed = {job_id: new.seq for job_id, new in found.items() if new.seq > known[job_id]}
        for ids in _batches(changed, _CHANGED_JOBS_A_QUERY):
            after = {job_id: max(known[job_id], changed[job_id] - limit) for job_id in ids}
            for job_id, events in _events(session, after).items():
                # The job may have gone on between the two queries.
                seq = events[-1].seq
                found[job_id] = News(seq, found[job_id].ended and seq == changed[job_id], tuple(events))
    return found


def _events(session: Session, after: Mapping[UUID, int]) -> dict[UUID, list[EventRecord]]:
    wanted = sa.or_(*(sa.and_(col(Event.job_id) == job_id, col(Event.seq) > seq) for job_id, seq in after.items()))
    found: dict[UUID, list[EventRecord]] = {}
    for row in session.scalars(sa.select(Event).where(wanted).order_by(col(Event.job_id), col(Event.seq))):
        found.setdefault(row.job_id, []).append(EventRecord.from_row(row))
    return found


def _batches(ids: Mapping[UUID, Any], size: int) -> Iterator[Sequence[UUID]]:
    iterator = iter(ids)
    while batch := list(islice(iterator, size)):
        yield batch
