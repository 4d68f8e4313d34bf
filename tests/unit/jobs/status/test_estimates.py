"""When a job will be done, guessed from what is known."""

from datetime import UTC, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from octavia.jobs.status.estimates import Backlog, Outlook, Pace, expected_seconds
from octavia.jobs.status.standing import Left, Standing
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
    return Outlook(**{"paces": PACES, "typical": 60.0, "workers": (ALL,), "backlogs": {}, **changes})


def standing(left: dict[Stage, Left] | None = None, before: int = 0, **changes: Any) -> Standing:
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
    return Standing(job, {}, left or {}, 1, before)


def test_a_job_that_nobody_looked_into_is_taken_to_be_as_long_as_others() -> None:
    # 60 s: 0.6 to prepare, 6 to recognise, 0.6 to assemble
    assert expected_seconds(outlook(), standing()) == pytest.approx(7.2)


def test_a_text_tells_its_length() -> None:
    # 1500 characters are spoken in 100 s; and nothing else need be known of other jobs
    text = standing(type=JobType.SYNTHESIZE, input={"kind": "text", "size": 1500})
    assert expected_seconds(outlook(typical=None), text) == pytest.approx(1 + 20 + 1)


def test_what_is_done_does_not_count() -> None:
    half = standing({Stage.PREPARE: Left(0, 0, 0), Stage.TRANSCRIBE: Left(1.5, 45, 30)}, duration=60.0)
    assert expected_seconds(outlook(), half) == pytest.approx(4.5 + 0.6)


def test_more_workers_share_the_chunks_but_not_a_chunk() -> None:
    whole = standing({Stage.TRANSCRIBE: Left(2, 60, 30)}, duration=60.0)
    # Two chunks of 3 s each and 0.6 s at the end: two workers need 3.6 s, and so do ten
    assert expected_seconds(outlook(workers=(ALL,) * 2), whole) == pytest.approx(3.6)
    assert expected_seconds(outlook(workers=(ALL,) * 10), whole) == pytest.approx(3.6)


def test_a_queue_with_few_workers_decides() -> None:
    # Given one worker that transcribes and five that do not
    others = (frozenset({Queue.DEFAULT, Queue.TRANSLATE, Queue.SYNTHESIZE}),) * 5
    workers = (frozenset({Queue.TRANSCRIBE}), *others)
    long = standing({Stage.TRANSCRIBE: Left(20, 600, 30)}, duration=600.0)
    assert expected_seconds(outlook(workers=workers), long) == pytest.approx(60.0)


def test_jobs_ahead_come_first() -> None:
    # Given more urgent jobs with 30 s of work left, four of the same priority that nobody has looked into, and others
    urgent = Backlog(1, {Stage.TRANSCRIBE: Left(10, 300, 0)}, {})
    like = Backlog(4, {}, {JobType.TRANSCRIBE: 4})
    backlogs = {3: urgent, 2: like, 1: Backlog(100, {Stage.TRANSCRIBE: Left(1000, 30000, 0)}, {})}
    # Then those before it count beside its own 7.2 s: two of the four are
    assert expected_seconds(outlook(backlogs=backlogs), standing(before=2)) == pytest.approx(30 + 2 * 7.2 + 7.2)
    # and less urgent ones do not
    assert expected_seconds(outlook(backlogs={1: backlogs[1]}), standing()) == pytest.approx(7.2)


@pytest.mark.parametrize(
    "unknown",
    [
        {"typical": None},
        {"workers": ()},
        {"workers": (frozenset({Queue.SYNTHESIZE}),)},
        {"paces": {}},
        {"paces": {Stage.PREPARE: Pace(0.01, 0.0)}},
        {"backlogs": {3: Backlog(1, {Stage.DETECT: Left(1, 30, 0)}, {})}},
    ],
)
def test_what_cannot_be_known_is_not_made_up(unknown: dict[str, Any]) -> None:
    assert expected_seconds(outlook(**unknown), standing()) is None


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED])
def test_a_job_that_is_not_under_way_has_no_end_to_expect(status: JobStatus) -> None:
    assert expected_seconds(outlook(), standing(status=status)) is None


def test_tasks_without_a_length_count_as_such() -> None:
    paces = {**PACES, Stage.ASSEMBLE: Pace(0.0, 2.0)}
    assert expected_seconds(outlook(paces=paces), standing()) == pytest.approx(0.6 + 6 + 2)
