"""``/operator/statistics`` and ``/operator/failures``: throughput, latency and errors of the last hour or day."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer
from octavia.api.http.fields import Fields
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import failures, statistics
from octavia.jobs.operations.statistics import QueueSeries, StageSeries, Statistics, Window
from octavia.jobs.tables.states import JobStatus, Queue, Stage


class WindowRequest(Fields):
    """The time that statistics are about."""

    window: Window = Field(Window.HOUR, description=f"One of {', '.join(Window)}, up to now.")


class StageSeriesOut(BaseModel):
    """Tasks of a stage that completed in each step, and the seconds they took: half of them, and 95 %, at most that."""

    completed: list[int]
    p50: list[float | None]
    p95: list[float | None]


class QueueSeriesOut(BaseModel):
    """The largest values of a queue in each step."""

    depth: list[int | None]
    running: list[int | None]
    oldest_seconds: list[float | None]


class StatisticsOut(BaseModel, serialize_by_alias=True):
    """Series with a value for each step, null where nothing is known; ``times`` are the beginnings of the steps."""

    begin: datetime = Field(serialization_alias="from")
    to: datetime
    step_seconds: int
    times: list[datetime]
    stages: dict[Stage, StageSeriesOut]
    jobs: dict[JobStatus, list[int]]
    queues: dict[Queue, QueueSeriesOut]

    @classmethod
    def of(cls, found: Statistics) -> "StatisticsOut":
        """Return the answer about a window."""
        return cls(
            begin=found.begin,
            to=found.end,
            step_seconds=round(found.step.total_seconds()),
            times=list(found.times),
            stages={stage: _stage(series) for stage, series in found.stages.items()},
            jobs={status: list(counts) for status, counts in found.jobs.items()},
            queues={queue: _queue(series) for queue, series in found.queues.items()},
        )


class FailedJobOut(BaseModel, from_attributes=True):
    """A job that failed."""

    job_id: UUID
    owner: str
    message: str
    stage: Stage | None
    finished_at: datetime | None


class FailureCodeOut(BaseModel):
    """An error code, the number of jobs that failed with it, and the newest of them."""

    code: str
    count: int
    samples: list[FailedJobOut]


class FailuresOut(BaseModel):
    """The failures of a window by error code, the most frequent first."""

    codes: list[FailureCodeOut]


@operation(
    "Show throughput and latency",
    tag="Operator",
    scope=Scope.OPERATE,
    query=WindowRequest,
    answers={200: StatisticsOut},
)
async def show_statistics(request: Request) -> Response:
    """``GET /operator/statistics``: in steps of a minute for an hour, of half an hour for a day."""
    query = checks.validate(WindowRequest, dict(request.query_params))
    found = await context_of(request).db(statistics.read, query.window, principal(request).operates_on)
    return answer(StatisticsOut.of(found))


@operation("Show failures", tag="Operator", scope=Scope.OPERATE, query=WindowRequest, answers={200: FailuresOut})
async def show_failures(request: Request) -> Response:
    """``GET /operator/failures``: the jobs that failed, by error code."""
    query = checks.validate(WindowRequest, dict(request.query_params))
    found = await context_of(request).db(failures.by_code, query.window, principal(request).operates_on)
    return answer(FailuresOut(codes=[from_record(FailureCodeOut, code, samples=list(code.samples)) for code in found]))


def _stage(series: StageSeries) -> StageSeriesOut:
    return StageSeriesOut(completed=list(series.completed), p50=_rounded(series.p50), p95=_rounded(series.p95))


def _queue(series: QueueSeries) -> QueueSeriesOut:
    return QueueSeriesOut(
        depth=list(series.depth), running=list(series.running), oldest_seconds=_rounded(series.oldest_seconds)
    )


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 3) for value in values]
