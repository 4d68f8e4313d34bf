"""How long a job will still take, guessed from how long such work took lately and from who is there to do it.

What is known: the seconds that each stage's recent tasks took for each second of media, the workers that were seen in
the last minute with the queues they serve, and the open jobs. What is assumed: that this stays so, that a job that was
not looked into yet is as long as the last ones were, and that the jobs ahead are like the others of their priority.
Then the job ends no sooner than the workers can have done all that is ahead and its own, nor sooner than its own
stages, one after the other. Waits between attempts, loading of models and jobs that come in later are not in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, combinations
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.status.job_details import OPEN, JobDetails, Remaining, media_seconds, share_done
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import Job, Task, Worker
from octavia.jobs.tables.states import TEXT_KINDS, JobType, Queue, Stage, TaskStatus, chunk_stages, queue_of

_RECENT_TASKS: Final = 100
_WORKERS_SEEN: Final = timedelta(minutes=1)
_CHUNK_SECONDS: Final = 30.0
_TEXT_BYTES_A_SECOND: Final = 15
_UNFINISHED: Final = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a stage is: seconds for each second of media, or for each task where these have no length."""

    per_second: float
    per_task: float

    def of(self, left: Remaining) -> float:
        """The seconds that one worker needs for so much."""
        return self.per_second * left.seconds + self.per_task * left.tasks


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """The open jobs of one priority, and what is left of them.

    Parameters:
      left: Of the jobs that are planned.
      unplanned: Jobs by type that nobody has looked into yet.
    """

    jobs: int
    left: dict[Stage, Remaining]
    unplanned: dict[JobType, int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What estimates are made of, at one moment.

    Parameters:
      typical: Seconds of media in a recent job, on average; None when there was none.
      workers: The queues that each serves.
      open_jobs: By level of priority.
    """

    paces: dict[Stage, Pace]
    typical: float | None
    workers: tuple[frozenset[Queue], ...]
    open_jobs: dict[int, OpenJobs]


def outlook(db: Database) -> Outlook:
    """Look around. The cost grows with the open tasks: keep the answer for some seconds."""
    with db.reading() as session:
        return Outlook(_paces(session), _typical(session), _workers(session), _open_jobs(session))


def expected_seconds(outlook: Outlook, details: JobDetails) -> float | None:
    """Seconds until an open job ends; None where something it needs was never measured, or nobody is there to do."""
    if details.job.status not in OPEN:
        return None
    own = _own(outlook, details)
    if own is None:
        return None
    work: defaultdict[Queue, float] = defaultdict(float)
    for some in (own, *_ahead(outlook, details)):
        if (cost := _cost(outlook, some)) is None:
            return None
        for stage, seconds in cost.items():
            work[queue_of(stage)] += seconds
    together = _least_seconds(work, outlook.workers)
    one_by_one = _cost(outlook, {stage: Remaining(min(left.tasks, 1), left.longest, 0) for stage, left in own.items()})
    if together is None or one_by_one is None:
        return None
    return round(max(together, sum(one_by_one.values())), 1)


def _own(outlook: Outlook, details: JobDetails) -> dict[Stage, Remaining] | None:
    """What is left of the job itself; None when nobody can know."""
    job = details.job
    if job.chunks_total is None:
        from_text = job.input.get("kind") in TEXT_KINDS
        known = job.input["size"] / _TEXT_BYTES_A_SECOND if from_text else job.duration
        length = outlook.typical if known is None else known
        return None if length is None else _unplanned(job.type, length, from_text=from_text)
    left = {stage: part for stage, part in details.left.items() if part.tasks > 0}
    # What comes last is written down last, and every run does it.
    left[Stage.ASSEMBLE] = Remaining(1, job.duration or 0.0, job.duration or 0.0)
    return left


def _unplanned(type_: JobType, seconds: float, *, from_text: bool) -> dict[Stage, Remaining]:
    whole = Remaining(1, seconds, seconds)
    chunked = Remaining(max(1, seconds / _CHUNK_SECONDS), seconds, min(seconds, _CHUNK_SECONDS))
    stages = chunk_stages(type_, from_text=from_text)
    return {Stage.PREPARE: whole, **dict.fromkeys(stages, chunked), Stage.ASSEMBLE: whole}


def _ahead(outlook: Outlook, details: JobDetails) -> Iterable[Mapping[Stage, Remaining]]:
    """What is left of the jobs before this one: all that are more urgent, and its share of its own priority."""
    level = details.job.priority
    for priority, backlog in outlook.open_jobs.items():
        share = 1.0 if priority > level else min(1.0, details.ahead / backlog.jobs)
        if priority < level or not share:
            continue
        yield {stage: _times(left, share) for stage, left in backlog.left.items()}
        for type_, amount in backlog.unplanned.items():
            like = _unplanned(type_, outlook.typical or 0.0, from_text=type_ is JobType.SYNTHESIZE)
            yield {stage: _times(left, share * amount) for stage, left in like.items()}


def _times(left: Remaining, factor: float) -> Remaining:
    return Remaining(left.tasks * factor, left.seconds * factor, left.longest)


def _cost(outlook: Outlook, left: Mapping[Stage, Remaining]) -> dict[Stage, float] | None:
    if not outlook.paces.keys() >= left.keys():
        return None
    return {stage: outlook.paces[stage].of(part) for stage, part in left.items()}


def _least_seconds(work: Mapping[Queue, float], workers: Iterable[frozenset[Queue]]) -> float | None:
    """The least seconds in which the workers can do the work, if it can be cut as finely as one likes.

    Some queues' work can only be done by those who serve one of them: the worst such set of queues decides.
    """
    workers = tuple(workers)
    worst = 0.0
    for some in chain.from_iterable(combinations(work, size) for size in range(1, len(work) + 1)):
        hands = sum(1 for serves in workers if not serves.isdisjoint(some))
        seconds = sum(work[queue] for queue in some)
        if not hands:
            return None
        worst = max(worst, seconds / hands)
    return worst


def _paces(session: Session) -> dict[Stage, Pace]:
    found = {}
    for stage in Stage:
        rows = session.execute(_recent(stage)).all()
        if rows:
            compute = sum((row.finished_at - row.started_at).total_seconds() for row in rows)
            media = sum(row.seconds for row in rows)
            found[stage] = Pace(compute / media, 0.0) if media else Pace(0.0, compute / len(rows))
    return found


def _typical(session: Session) -> float | None:
    lengths = [row.seconds for row in session.execute(_recent(Stage.ASSEMBLE)) if row.seconds]
    return sum(lengths) / len(lengths) if lengths else None


def _recent(stage: Stage) -> sa.Select[datetime, datetime, float]:
    """When the last completed tasks of a stage began and ended, and how many seconds of media they worked on."""
    # Chosen before they are joined: an index has them in this order.
    last = (
        sa.select(Task)
        .where(
            col(Task.stage) == stage,
            col(Task.status) == TaskStatus.COMPLETED,
            col(Task.finished_at).is_not(None),
            col(Task.started_at).is_not(None),
        )
        .order_by(col(Task.finished_at).desc())
        .limit(_RECENT_TASKS)
        .subquery()
    )
    seconds = sa.func.coalesce(sa.func.nullif(last.c.seconds, 0), col(Job.duration), 0.0).label("seconds")
    return sa.select(last.c.started_at, last.c.finished_at, seconds).join(Job, col(Job.id) == last.c.job_id)


def _workers(session: Session) -> tuple[frozenset[Queue], ...]:
    seen = sa.select(col(Worker.queues)).where(col(Worker.seen_at) > now(session) - _WORKERS_SEEN)
    known = {queue.value for queue in Queue}
    return tuple(
        frozenset(Queue(name) for name in names.split(",") if name in known) for names in session.scalars(seen)
    )


def _open_jobs(session: Session) -> dict[int, OpenJobs]:
    level, type_, amount = col(Job.priority), col(Job.type), sa.func.count()
    planned = col(Job.chunks_total).is_not(None)
    jobs: defaultdict[int, int] = defaultdict(int)
    unplanned: defaultdict[int, dict[JobType, int]] = defaultdict(dict)
    left: defaultdict[int, dict[Stage, Remaining]] = defaultdict(dict)
    by_type = sa.select(level, type_, planned, amount).where(col(Job.status).in_(OPEN)).group_by(level, type_, planned)
    for priority, kind, is_planned, count in session.execute(by_type):
        jobs[priority] += count
        if not is_planned:
            unplanned[priority][kind] = count
    rest = 1 - share_done()
    of_tasks = (
        sa.select(level, col(Task.stage), sa.func.sum(rest), sa.func.sum(media_seconds() * rest))
        .select_from(Task)
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Job.status).in_(OPEN), planned, col(Task.status).in_(_UNFINISHED))
        .group_by(level, col(Task.stage))
    )
    for priority, stage, tasks, seconds in session.execute(of_tasks):
        left[priority][stage] = Remaining(float(tasks), float(seconds), 0.0)
    return {priority: OpenJobs(jobs[priority], left[priority], unplanned[priority]) for priority in jobs}
