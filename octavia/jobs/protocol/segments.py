"""Segments as they are recognised, told to those who watch the job before the chunk's result is there."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from octavia.jobs.tables import events
from octavia.jobs.tables.records import Heard
from octavia.jobs.tables.rows import Job, Task


def tell(session: Session, job: Job, task: Task, heard: Sequence[Heard]) -> None:
    """Emit segments of a locked job's running task, but for those that an earlier attempt at it has told.

    Recognising the same chunk again gives the same segments, so their number says which those are.
    """
    for segment in heard:
        if segment.index < task.told:
            continue
        task.told = segment.index + 1
        # JSON can write NUL; PostgreSQL cannot keep it.
        text = segment.text.replace("\0", "")
        times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
        events.emit(session, job, "segment", {"chunk": task.chunk, "index": segment.index, **times, "text": text})
