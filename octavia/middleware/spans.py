"""The span of an attempt: a child of what asked for the job, beside those of the job's other attempts.

Its id is made of the task's and the attempt's number. So whoever finds out that a worker process was killed can tell of
the span that died with it, and the spans that the process had sent from within it have their place.
"""

from octavia import tracing
from octavia.brokers.queues import Delivery
from octavia.jobs.status.attempts import EndedAttempt
from octavia.jobs.tables.records import Claim, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, AttemptOutcome

OUTCOME = "octavia.outcome"


def begin(claim: Claim, worker: str, message: Delivery) -> tracing.Span:
    """Begin the span of a claimed attempt; it links to the span in which its message was published."""
    parent = claim.job.traceparent or message.traceparent
    links = (message.traceparent,) if message.traceparent != parent else ()
    return tracing.begin(
        claim.ref.stage.value,
        _attributes(claim.ref, claim.attempt, worker),
        parent=parent,
        links=links,
        kind="consumer",
        id=tracing.span_id(claim.task_id, claim.attempt),
    )


def tell_lost(lost: EndedAttempt) -> None:
    """Tell of the attempt of a worker process that can tell nothing any more."""
    attempt = lost.attempt
    ref = TaskRef(lost.job_id, attempt.run, attempt.chunk, attempt.stage)
    outcome = attempt.outcome or AttemptOutcome.RETRYING
    fine = outcome in (AttemptOutcome.GIVEN_BACK, AttemptOutcome.CANCELED)
    tracing.record(
        attempt.stage.value,
        {**_attributes(ref, attempt.number, attempt.worker), OUTCOME: outcome.value, "octavia.worker_lost": True},
        parent=lost.traceparent,
        kind="consumer",
        id=tracing.span_id(attempt.task_id, attempt.number),
        started=attempt.started_at,
        ended=attempt.ended_at or attempt.started_at,
        error=None if fine else attempt.error_code,
    )


def _attributes(ref: TaskRef, attempt: int, worker: str) -> tracing.Attributes:
    return {
        "octavia.job_id": str(ref.job_id),
        "octavia.run": ref.run,
        "octavia.stage": ref.stage.value,
        "octavia.chunk": None if ref.chunk == WHOLE_JOB else ref.chunk,
        "octavia.attempt": attempt,
        "octavia.worker": worker,
    }
