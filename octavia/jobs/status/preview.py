"""The speech of a dub's chunks, which can be played before the job is done."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import made_by_task
from octavia.jobs.tables.rows import Artifact, Job, Task
from octavia.jobs.tables.states import Stage

SPEECH: Final = "speech.json"
"""The name of the file with a chunk's utterances as they were spoken, with ``start`` and ``seconds``."""

PIECE: Final = "preview.aac"
"""The name of the file with a chunk's speech as one sound, which begins with its first utterance."""

RATE: Final = 16_000
"""The sample rate of these pieces in Hz: enough for speech, and a third less work than a dub's."""


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """The storage keys of a spoken chunk's files; without a ``piece`` it is silent, or an older release spoke it."""

    speech: str
    piece: str | None


def spoken_chunk(db: Database, job_id: UUID, chunk: int) -> SpokenChunk | None:
    """Find a chunk's speech as the newest run has it; None if it is not spoken yet, or there is no such chunk."""
    left = (
        sa.select(col(Artifact.name), col(Artifact.storage_key))
        .join(Task, made_by_task())
        .where(
            newest_rows.is_newest_of_job(job_id),
            col(Task.chunk) == chunk,
            col(Task.stage) == Stage.SYNTHESIZE,
            col(Artifact.name).in_([SPEECH, PIECE]),
        )
    )
    with db.reading() as session:
        keys = {row.name: row.storage_key for row in session.execute(left)}
    return SpokenChunk(keys[SPEECH], keys.get(PIECE)) if SPEECH in keys else None


def is_last(db: Database, job_id: UUID, chunk: int) -> bool:
    """Return whether a chunk is known to be the job's last one, or the job is gone."""
    with db.reading() as session:
        row = session.execute(sa.select(col(Job.chunks_total)).where(col(Job.id) == job_id)).one_or_none()
    return row is None or (row.chunks_total is not None and chunk + 1 >= row.chunks_total)
