"""What people mend of a job's utterances: kept with the job, and carried out by a new run that redoes only that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict, NotFound
from octavia.jobs.lifecycle import runs
from octavia.jobs.lifecycle.submit import Within, check_not_expired, made
from octavia.jobs.protocol import progress
from octavia.jobs.tables import events
from octavia.jobs.tables import rows as models
from octavia.jobs.tables.database import Database, retried
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus
from octavia.jobs.tables.transitions import lock_owned
from octavia.text.edits import Original, UtteranceEdit, check_times, with_edit, with_known
from octavia.text.utterances import Utterance

Changes = Mapping[str, Mapping[str, Any]]
"""By an utterance's id, values for fields of ``UtteranceEdit``; None takes back what was mended before."""


class RevisionChanged(Conflict):
    """The job's utterances are not those any more that the client has seen."""

    code = "precondition_failed"


@dataclass(frozen=True, slots=True)
class Mended:
    """What was mended of one utterance, and what it was before."""

    edit: UtteranceEdit
    original: Original

    def on(self, published: Utterance) -> Utterance:
        """The utterance of the newest revision as it will be when all is carried out, or is.

        It has no translation yet if it is to be translated.
        """
        shown = with_edit(self.original.restored(published), self.edit)
        return with_known([shown], [published])[0]


def version(job: JobRecord | Job) -> str:
    """What tells one state of a job's utterances from others: the revision, with the run that has not made the next.

    Else of two who read the same revision the second would not see what the first had mended, if that run failed.
    """
    return str(job.revision) if job.status is JobStatus.COMPLETED else f"{job.revision}.{job.run}"


@retried
def mend(
    db: Database,
    job_id: UUID,
    owner: str,
    changes: Changes,
    utterances: Sequence[Utterance],
    *,
    of_revision: int,
    seen: str | None = None,
    within: Within | None = None,
) -> JobRecord:
    """Mend utterances of a job, all of them or none, and start the run that carries it out.

    What was mended before and not carried out, because that run failed or was canceled, is carried out with it.

    Parameters:
      utterances: All of the job's, as the revision ``of_revision`` has them.
      seen: The ``version`` that the client goes by; None: whichever it is.
      within: Called last in the transaction; what it raises undoes all.

    Raises:
      NotFound: The owner has no such job; or (``utterance_not_found``) it has no such utterance.
      RevisionChanged: It has other results by now, or other edits are pending.
      Conflict: It has not completed; or (``job_expired``) its files are gone.
      InputError: ``invalid_times``.
    """
    with db.transaction() as session:
        job = lock_owned(session, job_id, owner)
        check_not_expired(session, job)
        _check_state(session, job)
        now = version(job)
        if job.revision != of_revision or seen not in (None, now):
            raise RevisionChanged(
                f"The job's utterances are at {now}, not at {seen or of_revision}.",
                hint="Read its utterances again, and send what is still to be mended with their ETag as If-Match.",
            )
        named = {one.id: one for one in utterances}
        rows = {row.utterance_id: row for row in session.scalars(_of_job(job_id))}
        for id, given in changes.items():
            if id not in named:
                raise no_utterance(id)
            row = rows.get(id)
            if row is None:
                original = asdict(Original.of(named[id]))
                row = models.Edit(job_id=job.id, utterance_id=id, chunk=named[id].chunk, original=original)
                session.add(row)
                rows[id] = row
            row.fields = UtteranceEdit.from_dict(row.fields).then(given).to_dict()
        shown = [_mended(rows[one.id]).on(one) if one.id in rows else one for one in utterances]
        check_times(shown, changes, job.duration)
        session.flush()
        runs.open_run(session, job, None, {named[id].chunk for id in changes})
        progress.refresh(session, job)
        events.emit(session, job, "queued", {"run": job.run})
        return made(session, job, within)


def of_job(db: Database, job_id: UUID) -> dict[str, Mended]:
    """All that was mended of a job's utterances, by their ids."""
    with db.reading() as session:
        return {row.utterance_id: _mended(row) for row in session.scalars(_of_job(job_id))}


def of_chunk(db: Database, job_id: UUID, chunk: int) -> dict[str, Mended]:
    """What was mended of those that begin in one chunk."""
    with db.reading() as session:
        rows = session.scalars(_of_job(job_id).where(col(models.Edit.chunk) == chunk))
        return {row.utterance_id: _mended(row) for row in rows}


def no_utterance(id: str) -> NotFound:
    """The error for an utterance that a job does not have."""
    return NotFound(
        f"The job has no utterance {id[:100]!r}.",
        code="utterance_not_found",
        hint="GET its utterances to see their ids.",
        field="id",
    )


def _of_job(job_id: UUID) -> sa.Select[models.Edit]:
    return sa.select(models.Edit).where(col(models.Edit.job_id) == job_id)


def _mended(row: models.Edit) -> Mended:
    return Mended(UtteranceEdit.from_dict(row.fields), Original(**row.original))


def _check_state(session: Session, job: Job) -> None:
    """A job that could not carry out what was mended may be mended further: that may be the remedy.

    What would make other utterances takes away what was mended of the former ones.
    """
    if job.status is JobStatus.COMPLETED:
        return
    if job.status.ended and job.revision > 0 and session.scalars(_of_job(job.id).limit(1)).first() is not None:
        return
    raise Conflict(
        f"The job is {job.status}; only one that has completed can be mended.",
        hint="Retry it first." if job.status.ended else "Wait for its end.",
    )
