"""When a job will be done, guessed from what is known."""

from datetime import UTC, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from octavia.jobs.status.estimates import OpenJobs, Outlook, Pace, expected_seconds
from octavia.jobs.status.job_details import JobDetails, Remaining
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus, JobType, Queue, Stage

ALL = frozenset(Queue)
PACES = {
    Stage.PREPARE: Pace(0.01, 0.0),
    Stage.TRANSCRIBE: Pace(0.1, 0.0),
    Stage.TRANSLATE: Pace(0.02, 0.0),
    Stage.SYNTHESIZE: Pace(0.2, 0.0),
    Stage.ASSEMBLE: Pace(0.01, 0.0),
}


def outlook(**changes: Any) -> Outlook:
    return Outlook(**{"paces": PACES, "typical": 60.0, "workers": (ALL,), "open_jobs": {}, **changes})


def details(left: dict[Stage, Remaining] | None = None, ahead: int = 0, **changes: Any) -> JobDetails:
    """A transcription that nobody has looked into yet, unless ``left`` says what is left of it."""
    job = JobRecord(
        **{
            **dict.fromkeys(JobRecord.__dataclass_fields__),
            "id": uuid7(),
            "type": JobType.TRANSCRIBE,
            "status": JobStatus.QUEUED,
            "input": {"kind": "media"},
            "priority": 2,
            "chunks_total": None if left is None else 1,
            "created_at": datetime.now(UTC),
            **changes,
        }
    )
    return JobDetails(job, {}, left or {}, 1, ahead)


def test_a_job_that_nobody_looked_into_is_taken_to_be_as_long_as_others() -> None:
    # 60 s: 0.6 to prepare, 6 to recognise, 0.6 to assemble
    assert expected_seconds(outlook(), details()) == pytest.approx(7.2)


def test_a_text_tells_its_length() -> None:
    # 1500 characters are spoken in 100 s; and nothing else need be known of other jobs
    text = details(type=JobType.SYNTHESIZE, input={"kind": "text", "size": 1500})
    assert expected_seconds(outlook(typical=None), text) == pytest.approx(1 + 20 + 1)


def test_what_is_done_does_not_count() -> None:
    half = details({Stage.PREPARE: Remaining(0, 0, 0), Stage.TRANSCRIBE: Remaining(1.5, 45, 30)}, duration=60.0)
    assert expected_seconds(outlook(), half) == pytest.approx(4.5 + 0.6)


def test_more_workers_share_the_chunks_but_not_a_chunk() -> None:
    whole = details({Stage.TRANSCRIBE: Remaining(2, 60, 30)}, duration=60.0)
    # Two chunks of 3 s each and 0.6 s at the end: two workers need 3.6 s, and so do ten
    assert expected_seconds(outlook(workers=(ALL,) * 2), whole) == pytest.approx(3.6)
    assert expected_seconds(outlook(workers=(ALL,) * 10), whole) == pytest.approx(3.6)


def test_a_queue_with_few_workers_decides() -> None:
    # Given one worker that transcribes and five that do not
    others = (frozenset({Queue.DEFAULT, Queue.TRANSLATE, Queue.SYNTHESIZE}),) * 5
    workers = (frozenset({Queue.TRANSCRIBE}), *others)
    long = details({Stage.TRANSCRIBE: Remaining(20, 600, 30)}, duration=600.0)
    assert expected_seconds(outlook(workers=workers), long) == pytest.approx(60.0)


def test_jobs_ahead_come_first() -> None:
    # Given more urgent jobs with 30 s of work left, four of the same priority that nobody has looked into, and others
    urgent = OpenJobs(1, {Stage.TRANSCRIBE: Remaining(10, 300, 0)}, {})
    like = OpenJobs(4, {}, {JobType.TRANSCRIBE: 4})
    open_jobs = {3: urgent, 2: like, 1: OpenJobs(100, {Stage.TRANSCRIBE: Remaining(1000, 30000, 0)}, {})}
    # Then those before it count beside its own 7.2 s: two of the four are
    assert expected_seconds(outlook(open_jobs=open_jobs), details(ahead=2)) == pytest.approx(30 + 2 * 7.2 + 7.2)
    # and less urgent ones do not
    assert expected_seconds(outlook(open_jobs={1: open_jobs[1]}), details()) == pytest.approx(7.2)


@pytest.mark.parametrize(
    "unknown",
    [
        {"typical": None},
        {"workers": ()},
        {"workers": (frozenset({Queue.SYNTHESIZE}),)},
        {"paces": {}},
        {"paces": {Stage.PREPARE: Pace(0.01, 0.0)}},
        {"open_jobs": {3: OpenJobs(1, {Stage.DETECT: Remaining(1, 30, 0)}, {})}},
    ],
)
def test_what_cannot_be_known_is_not_made_up(unknown: dict[str, Any]) -> None:
    assert expected_seconds(outlook(**unknown), details()) is None


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED])
def test_a_job_that_is_not_under_way_has_no_end_to_expect(status: JobStatus) -> None:
    assert expected_seconds(outlook(), details(status=status)) is None


def test_tasks_without_a_length_count_as_such() -> None:
    paces = {**PACES, Stage.ASSEMBLE: Pace(0.0, 2.0)}
    assert expected_seconds(outlook(paces=paces), details()) == pytest.approx(0.6 + 6 + 2)
