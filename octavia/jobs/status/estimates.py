"""Estimate of the time until a job ends, from the recent speed of each stage and the workers present.

Known are the seconds that each stage's recent tasks took for each second of media, the workers seen in the last minute
with their queues, and the open jobs. The estimate assumes that this stays so, that a job without a plan has the average
length of recent jobs, and that the jobs ahead are like the others of their priority. The job then ends when the workers
have done all work ahead and its own, and not before its own stages have run one after the other. Pauses between
attempts, loading of models and later jobs are left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, combinations
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.status.job_details import OPEN, JobDetails, Remaining, media_seconds
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.queries import share_done
from octavia.jobs.tables.rows import Job, Task, Worker
from octavia.jobs.tables.states import TEXT_KINDS, JobType, Queue, Stage, TaskStatus, chunk_stages, queue_of

_RECENT_TASKS: Final = 100
_WORKERS_SEEN: Final = timedelta(minutes=1)
_CHUNK_SECONDS: Final = 30.0
_TEXT_BYTES_A_SECOND: Final = 15
_UNFINISHED: Final = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed of a stage: seconds for each second of media, or for each task if its tasks have no length."""

    per_second: float
    per_task: float

    def of(self, left: Remaining) -> float:
        """Return the seconds that one worker needs for the remaining work."""
        return self.per_second * left.seconds + self.per_task * left.tasks


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """The open jobs of one priority: the work ``left`` of planned ones, the number of ``unplanned`` ones by type."""

    jobs: int
    left: dict[Stage, Remaining]
    unplanned: dict[JobType, int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """The measurements that estimates need, at one moment: ``open_jobs`` by priority level, each worker's queues.

    ``typical`` is the average seconds of media in recent jobs; None without any.
    """

    paces: dict[Stage, Pace]
    typical: float | None
    workers: tuple[frozenset[Queue], ...]
    open_jobs: dict[int, OpenJobs]


def outlook(db: Database) -> Outlook:
    """Measure. The cost grows with the number of open tasks: keep the result for some seconds."""
    with db.reading() as session:
        return Outlook(paces(session), _typical(session), _workers(session), _open_jobs(session))


def expected_seconds(outlook: Outlook, details: JobDetails) -> float | None:
    """Estimate the seconds until an open job ends; None if a stage was never measured or has no worker."""
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
    """Return the remaining work of the job itself; None if its length is unknown."""
    job = details.job
    if job.chunks_total is None:
        from_text = job.input.get("kind") in TEXT_KINDS
        known = job.input["size"] / _TEXT_BYTES_A_SECOND if from_text else job.duration
        length = outlook.typical if known is None else known
        return None if length is None else _unplanned(job.type, length, from_text=from_text)
    left = {stage: part for stage, part in details.left.items() if part.tasks > 0}
    if not job.in_one_piece:
        # Its row is written last, and every run assembles.
        left[Stage.ASSEMBLE] = Remaining(1, job.duration or 0.0, job.duration or 0.0)
    return left


def _unplanned(type_: JobType, seconds: float, *, from_text: bool) -> dict[Stage, Remaining]:
    whole = Remaining(1, seconds, seconds)
    chunked = Remaining(max(1, seconds / _CHUNK_SECONDS), seconds, min(seconds, _CHUNK_SECONDS))
    stages = chunk_stages(type_, from_text=from_text)
    return {Stage.PREPARE: whole, **dict.fromkeys(stages, chunked), Stage.ASSEMBLE: whole}


def _ahead(outlook: Outlook, details: JobDetails) -> Iterable[Mapping[Stage, Remaining]]:
    """Yield the remaining work ahead of the job: all more urgent jobs, and its share of those of its own priority."""
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


def _least_seconds(work: Mapping[Queue, float], workers: Collection[frozenset[Queue]]) -> float | None:
    """Return the least seconds in which the workers can do the work, if it could be divided without limit.

    The work of a set of queues can only be done by workers that serve one of them: the slowest set decides.
    """
    worst = 0.0
    for some in chain.from_iterable(combinations(work, size) for size in range(1, len(work) + 1)):
        able = sum(1 for serves in workers if not serves.isdisjoint(some))
        seconds = sum(work[queue] for queue in some)
        if not able:
            return None
        worst = max(worst, seconds / able)
    return worst


def paces(session: Session) -> dict[Stage, Pace]:
    """Return the recent speed of each stage; none for one that was never measured."""
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
    """Query the start, end and seconds of media of a stage's last completed tasks."""
    # Selected before the join: an index has them in this order.
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
