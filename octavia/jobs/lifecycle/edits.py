"""Edits of a job's utterances: stored with the job, and carried out by a new run that redoes only their chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict, NotFound
from octavia.jobs.access import limits
from octavia.jobs.lifecycle import runs
from octavia.jobs.lifecycle.submit import Within, check_not_expired, run_within
from octavia.jobs.protocol import progress
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database, transaction
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Edit as EditRow
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus
from octavia.jobs.tables.transitions import lock_owned
from octavia.text.edits import Original, UtteranceEdit, check_times, with_edit, with_known
from octavia.text.utterances import Utterance

Changes = Mapping[str, Mapping[str, Any]]
"""Values for fields of ``UtteranceEdit``, by utterance id; None takes an earlier edit back."""


class RevisionChanged(Conflict):
    """The job's utterances have changed since the client read them."""

    code = "precondition_failed"


@dataclass(frozen=True, slots=True)
class EditedUtterance:
    """The edits of one utterance, and its original."""

    edit: UtteranceEdit
    original: Original

    def applied_to(self, published: Utterance) -> Utterance:
        """Apply the edits to the utterance of the newest revision, whether or not they are carried out there.

        The result has no translation if a run must translate it first.
        """
        shown = with_edit(self.original.restored(published), self.edit)
        return with_known([shown], [published])[0]


def version(job: JobRecord | Job) -> str:
    """Identify the state of a job's utterances: by revision, and by run while a run has not made the next one.

    Without the run, a client could overwrite unseen edits whose run failed.
    """
    return str(job.revision) if job.status is JobStatus.COMPLETED else f"{job.revision}.{job.run}"


@transaction
def edit_utterances(
    session: Session,
    job_id: UUID,
    owner: str,
    changes: Changes,
    utterances: Sequence[Utterance],
    *,
    of_revision: int,
    seen: str | None = None,
    jobs_in_flight: int = 0,
    within: Within | None = None,
) -> JobRecord:
    """Edit utterances of a job, all or none, and start the run that carries the edits out.

    That run also carries out earlier edits whose run failed or was canceled.

    Parameters:
      utterances: All utterances of the job's revision ``of_revision``.
      seen: The ``version`` that the client has read; None accepts any.
      jobs_in_flight: The highest number of unfinished jobs of keys without one of their own; 0: no limit.

    Raises:
      NotFound: The owner has no such job, or the job no such utterance (``utterance_not_found``).
      RevisionChanged: The job has newer results, or other edits are pending.
      Conflict: The job has not completed, or its files have expired (``job_expired``).
      InputError: ``invalid_times``.
      TooMany: ``too_many_jobs``: the key that submitted it has as many unfinished jobs as it may.
    """
    job = lock_owned(session, job_id, owner)
    check_not_expired(session, job)
    _check_state(session, job)
    now = version(job)
    if job.revision != of_revision or seen not in (None, now):
        raise RevisionChanged(
            f"The job's utterances are at {now}, not at {seen or of_revision}.",
            hint="Read the utterances again, and send the remaining edits with the new ETag as If-Match.",
        )
    named = {one.id: one for one in utterances}
    rows = {row.utterance_id: row for row in session.scalars(_of_job(job_id))}
    for id, given in changes.items():
        if id not in named:
            raise no_utterance(id)
        row = rows.get(id)
        if row is None:
            original = asdict(Original.of(named[id]))
            row = EditRow(job_id=job.id, utterance_id=id, chunk=named[id].chunk, original=original)
            session.add(row)
            rows[id] = row
        row.fields = UtteranceEdit.from_dict(row.fields).then(given).to_dict()
    shown = [_from_row(rows[one.id]).applied_to(one) if one.id in rows else one for one in utterances]
    check_times(shown, changes, job.duration)
    session.flush()
    limits.reserve_run(session, job, jobs_in_flight)
    runs.open_run(session, job, None, {named[id].chunk for id in changes})
    progress.refresh(session, job)
    events.emit(session, job, "queued", {"run": job.run, "edits": len(changes)})
    return run_within(session, job, within)


def of_job(db: Database, job_id: UUID, chunk: int | None = None) -> dict[str, EditedUtterance]:
    """Read the edits of a job, by utterance id; with ``chunk``, only those of utterances that begin in this chunk."""
    in_chunk = sa.true() if chunk is None else col(EditRow.chunk) == chunk
    with db.reading() as session:
        return {row.utterance_id: _from_row(row) for row in session.scalars(_of_job(job_id).where(in_chunk))}


def no_utterance(id: str) -> NotFound:
    """Make the error for an utterance that a job does not have."""
    return NotFound(
        f"The job has no utterance {id[:100]!r}.",
        code="utterance_not_found",
        hint="GET its utterances to see their ids.",
        field="id",
    )


def _of_job(job_id: UUID) -> sa.Select[EditRow]:
    return sa.select(EditRow).where(col(EditRow.job_id) == job_id)


def _from_row(row: EditRow) -> EditedUtterance:
    return EditedUtterance(UtteranceEdit.from_dict(row.fields), Original(**row.original))


def _check_state(session: Session, job: Job) -> None:
    """Check that a locked job may be edited: it has completed, or a run failed to carry out its edits.

    In the second case further edits may be the remedy. A run that makes other utterances has dropped the edits.
    """
    if job.status is JobStatus.COMPLETED:
        return
    if job.status.ended and job.revision > 0 and session.scalars(_of_job(job.id).limit(1)).first() is not None:
        return
    raise Conflict(
        f"The job is {job.status}; only a completed job can be edited.",
        hint="Retry it first." if job.status.ended else "Wait for its end.",
    )
