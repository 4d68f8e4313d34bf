"""Work on a recording's first chunks begins while ``prepare`` still reads the rest."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol import fanout, progress
from octavia.jobs.protocol.artifacts import add_artifacts
from octavia.jobs.protocol.cancel import is_wanted
from octavia.jobs.protocol.readiness import release
from octavia.jobs.tables import chunk_times
from octavia.jobs.tables.database import Database, transaction
from octavia.jobs.tables.records import Claim, NewArtifact, Plan
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import Stage
from octavia.jobs.tables.transitions import lock_running


@transaction
def release_chunks(
    session: Session, claim: Claim, plan: Plan, *, artifacts: Sequence[NewArtifact], fraction: float
) -> bool:
    """Commit the chunks that an attempt at ``prepare`` has cut so far, and queue their first tasks.

    Nothing but the number of chunks is missing then, so no chunk counts as the last one before ``prepare`` completes. A
    later attempt goes on behind them: see ``released``. Repeating a call changes nothing.

    Parameters:
      plan: With the chunks cut so far, from the first one.
      artifacts: The files of the chunks that were not released before.
      fraction: Share of the recording (0–1) that they are.

    Returns:
      False if nothing was released: the lease was lost, or the job was canceled, failed or run again meanwhile.
    """
    found = lock_running(session, claim.task_id, claim.attempt)
    if found is None or not is_wanted(*found):
        return False
    job, task = found
    add_artifacts(session, job, task, artifacts)
    release(session, job, fanout.add_chunks(session, job, plan))
    session.execute(sa.update(Task).where(col(Task.id) == task.id).values(progress=fraction))
    progress.refresh(session, job)
    return True


def released(db: Database, claim: Claim, first_stage: Stage) -> list[float]:
    """Read the seconds of the chunks that attempts at ``prepare`` have released in this run, in order."""
    with db.reading() as session:
        return chunk_times.of_run(session, claim.ref, first_stage)
