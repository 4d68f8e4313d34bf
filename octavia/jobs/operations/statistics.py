"""Throughput and latency over the last hour or day, in steps of equal length, for charts."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.operations.conditions import ENDED
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.operation_rows import Attempt, QueueSample
from octavia.jobs.tables.rows import Job, UTCDateTime
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, Queue, Stage

SAMPLED: Final = 100
"""Attempts of one stage in one step that the percentiles are taken from: the newest ones. It bounds the work."""


class Window(StrEnum):
    """The time before now that statistics are about."""

    HOUR = "1h"
    DAY = "24h"

    @property
    def step(self) -> timedelta:
        """The length of a step; all of them make up the window."""
        return timedelta(minutes=1) if self is Window.HOUR else timedelta(minutes=30)

    @property
    def length(self) -> timedelta:
        """The length of the window."""
        return timedelta(hours=1) if self is Window.HOUR else timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StageSeries:
    """Attempts of a stage that completed in each step, and how many seconds they took; None where there was none."""

    completed: tuple[int, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class QueueSeries:
    """The largest values of a queue in each step; None where there is no sample."""

    depth: tuple[int | None, ...]
    running: tuple[int | None, ...]
    oldest_seconds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Series of values, one for each step; ``times`` are the beginnings of the steps."""

    begin: datetime
    end: datetime
    step: timedelta
    times: tuple[datetime, ...]
    stages: dict[Stage, StageSeries]
    jobs: dict[JobStatus, tuple[int, ...]]
    queues: dict[Queue, QueueSeries]


def read(db: Database, window: Window, owner: str | None) -> Statistics:
    """Read the statistics of a window; its last step is the present one, which goes on.

    Of stages and queues they tell the same whoever asks: they show how busy all workers are, and nothing of any job.
    """
    with db.reading() as session:
        moment = now(session)
        # Steps begin at whole multiples, so that a chart that is drawn again only moves on.
        last = datetime.fromtimestamp(
            moment.timestamp() // window.step.total_seconds() * window.step.total_seconds(), UTC
        )
        times = tuple(last - number * window.step for number in reversed(range(window.length // window.step)))
        steps = _steps(times, window.step)
        return Statistics(
            begin=times[0],
            end=moment,
            step=window.step,
            times=times,
            stages={stage: _stage(session, steps, stage) for stage in Stage},
            jobs={status: _jobs(session, steps, status, owner) for status in ENDED},
            queues=_queues(session, times),
        )


def _steps(times: Sequence[datetime], length: timedelta) -> sa.CTE:
    """Return a table of steps, from ``begin`` to before ``end``."""
    rows = (
        sa.select(
            sa.literal(number).label("number"),
            sa.literal(begin, UTCDateTime()).label("begin"),
            sa.literal(begin + length, UTCDateTime()).label("end"),
        )
        for number, begin in enumerate(times)
    )
    return sa.union_all(*rows).cte("steps")


def _stage(session: Session, steps: sa.CTE, stage: Stage) -> StageSeries:
    seconds, gathered = _dialect(session)
    completed = [
        col(Attempt.stage) == stage,
        col(Attempt.outcome) == AttemptOutcome.COMPLETED,
        col(Attempt.ended_at) >= steps.c.begin,
        col(Attempt.ended_at) < steps.c.end,
    ]
    amount = sa.select(sa.func.count()).select_from(Attempt).where(*completed)
    took = sa.select(seconds(col(Attempt.started_at), col(Attempt.ended_at)).label("seconds")).where(*completed)
    newest = took.order_by(col(Attempt.ended_at).desc()).limit(SAMPLED).correlate(steps).subquery()
    sample = sa.select(gathered(newest.c.seconds, type_=sa.JSON())).correlate(steps)
    query = sa.select(amount.correlate(steps).scalar_subquery(), sample.scalar_subquery()).select_from(steps)
    rows = session.execute(query.order_by(steps.c.number)).all()
    samples = [sorted(row[1] or ()) for row in rows]
    return StageSeries(
        completed=tuple(row[0] for row in rows),
        p50=tuple(_percentile(sample, 0.5) for sample in samples),
        p95=tuple(_percentile(sample, 0.95) for sample in samples),
    )


def _jobs(session: Session, steps: sa.CTE, status: JobStatus, owner: str | None) -> tuple[int, ...]:
    ended = [col(Job.status) == status, col(Job.finished_at) >= steps.c.begin, col(Job.finished_at) < steps.c.end]
    if owner is not None:
        ended.append(col(Job.owner) == owner)
    amount = sa.select(sa.func.count()).select_from(Job).where(*ended).correlate(steps).scalar_subquery()
    return tuple(session.scalars(sa.select(amount).select_from(steps).order_by(steps.c.number)))


def _queues(session: Session, times: Sequence[datetime]) -> dict[Queue, QueueSeries]:
    columns = (col(QueueSample.depth), col(QueueSample.running), col(QueueSample.oldest_seconds))
    rows = sa.select(col(QueueSample.queue), col(QueueSample.at), *columns).where(
        col(QueueSample.at) >= times[0], col(QueueSample.queue).in_(tuple(Queue))
    )
    peaks: dict[Queue, list[Any]] = {queue: [(None, None, None)] * len(times) for queue in Queue}
    for queue, at, *sample in session.execute(rows):
        step = min(bisect_right(times, at) - 1, len(times) - 1)
        before = peaks[queue][step]
        peaks[queue][step] = tuple(
            new if old is None else max(old, new) for old, new in zip(before, sample, strict=True)
        )
    return {queue: QueueSeries(*zip(*series, strict=True)) for queue, series in peaks.items()}


def _dialect(session: Session) -> tuple[Callable[..., Any], Any]:
    """Return the functions for the seconds between two times, and for an array of values."""
    if session.get_bind().dialect.name == "postgresql":
        return lambda begin, end: sa.extract("epoch", end - begin), sa.func.json_agg
    return lambda begin, end: (sa.func.julianday(end) - sa.func.julianday(begin)) * 86_400, sa.func.json_group_array


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below or at which that share of sorted values lies; None without any."""
    return values[math.ceil(share * len(values)) - 1] if values else None
