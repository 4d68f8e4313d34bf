"""Fairness: whose message is next, by fair queueing over nominal seconds of work, on two levels.

- **Jobs of one owner**, self-clocked (Golestani 1994). A message gets its turn when it is queued: the turn of its job's
  message before it, or at the start of a run the owner's furthest released turn, plus its cost. The owner's least turn
  is next. So a short job stands before most of what a long one has queued, a batch of chunks needs no row that others
  write, too, and a stream of new jobs moves the clock on by its costs, so that no older job starves behind it.
- **Owners of one line**, by start times (Goyal, Vin and Cheng 1996). An owner's next message would start at the finish
  of the last one, or at the line's clock if that is later. The least start is next, and becomes the clock
  (``next_messages``). Nothing is written when messages are queued. Owners are few and stay: each has had its share
  before any has two.
"""

from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.shares import Share
from octavia.jobs.tables.states import JobStatus, Stage

_PER_TASK: Final = {Stage.PREPARE: 0.05, Stage.DETECT: 0.3, Stage.ASSEMBLE: 0.05}
_PER_TASK_OF_CHUNK: Final = 0.01
_PER_SECOND: Final = {Stage.TRANSCRIBE: 0.1, Stage.TRANSLATE: 0.01, Stage.SYNTHESIZE: 0.1, Stage.ASSEMBLE: 0.005}


class Turn(NamedTuple):
    """A message's owner, its turn among that owner's messages, and its cost in nominal seconds."""

    owner: str
    number: float
    cost: float


NO_JOB: Final = Turn("", 0.0, 1.0)
"""The turn of a message that belongs to no job, and of one that an older release wrote."""


def cost_of(stage: Stage, seconds: float, tasks: int = 1) -> float:
    """The nominal seconds of work of a stage's tasks on so many seconds of media; right in its order of magnitude."""
    return tasks * _PER_TASK.get(stage, _PER_TASK_OF_CHUNK) + seconds * _PER_SECOND.get(stage, 0.0)


def next_turn(session: Session, job: Job, stage: Stage, seconds: float) -> Turn:
    """Give the next turn of a locked job to a message for this stage, on so many seconds of media."""
    if job.status is not JobStatus.PROCESSING:
        # Stale at worst by a release under way, which moves the job by the cost of one message.
        furthest = session.scalars(sa.select(sa.func.max(Share.turn)).where(col(Share.owner) == job.owner)).one()
        job.turn = max(job.turn, furthest or 0.0)
    cost = cost_of(stage, seconds)
    job.turn += cost
    return Turn(job.owner, job.turn, cost)
