"""Segments of a running task: emitted as they are recognised, in order, once, and only by the worker that holds it."""

from typing import Any
from uuid import UUID

from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables.records import Claim, HeardSegment, TaskRef
from octavia.jobs.tables.states import JobType, Stage
from tests.integration.jobs.steps import JUST_NOW, Steps, artifact

WORDS = ("Good morning.", "How are you?", "Fine.", "Goodbye.")


def heard(*numbers: int) -> list[HeardSegment]:
    return [HeardSegment(number, number * 1.0, number + 0.5, WORDS[number]) for number in numbers]


def running(steps: Steps, chunks: int = 1) -> Claim:
    """The first chunk's recognition of a new job, claimed."""
    _, messages = steps.prepared(chunks, JobType.TRANSCRIBE)
    return steps.claim(next(iter(messages)))


def tell(steps: Steps, claim: Claim, *numbers: int) -> None:
    claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.5, heard(*numbers))


def told(steps: Steps, job_id: UUID) -> list[dict[str, Any]]:
    return [event.data for event in steps.events(job_id) if event.type == "segment"]


def finish(steps: Steps, claim: Claim, *numbers: int) -> bool:
    return completion.complete(steps.db, claim, artifacts=[artifact(claim)], handover=None, heard=heard(*numbers))


def test_segments_are_told_with_the_progress(steps: Steps) -> None:
    # Given a chunk that is being recognised
    claim = running(steps)
    # When two reports in quick succession have segments
    tell(steps, claim, 0, 1)
    steps.change_events(claim.ref.job_id, "progress", created_at=JUST_NOW)
    tell(steps, claim, 2)
    # Then both are told at once, the progress only once
    events = steps.events(claim.ref.job_id)
    assert [event.type for event in events][-4:] == ["segment", "segment", "progress", "segment"]
    assert told(steps, claim.ref.job_id)[1] == {
        "chunk": 0,
        "index": 1,
        "start": 1.0,
        "end": 1.5,
        "text": "How are you?",
    }
    assert [event.seq for event in events] == list(range(1, steps.job(claim.ref.job_id).event_seq + 1))


def test_what_was_not_told_yet_goes_out_before_the_stage_is_completed(steps: Steps) -> None:
    claim = running(steps)
    tell(steps, claim, 0)
    assert finish(steps, claim, 1, 2)
    types = [(event.type, event.data.get("status")) for event in steps.events(claim.ref.job_id)]
    assert types[-3:] == [("segment", None), ("segment", None), ("stage", "completed")]


def test_another_attempt_tells_only_what_is_new(steps: Steps) -> None:
    # Given an attempt that told two segments and failed
    claim = running(steps)
    tell(steps, claim, 0, 1)
    steps.fail(claim)
    # When the next one recognises the chunk from its beginning
    again = steps.claim(claim.ref)
    tell(steps, again, 0)
    tell(steps, again, 1, 2)
    assert finish(steps, again, 3)
    # Then each is told once, in order
    assert [segment["index"] for segment in told(steps, claim.ref.job_id)] == [0, 1, 2, 3]


def test_a_report_that_is_sent_twice_tells_once(steps: Steps) -> None:
    claim = running(steps)
    tell(steps, claim, 0, 1)
    tell(steps, claim, 0, 1)
    assert [segment["index"] for segment in told(steps, claim.ref.job_id)] == [0, 1]


def test_a_worker_that_lost_its_lease_tells_nothing(steps: Steps) -> None:
    # Given a task that went from one worker to another
    old = running(steps)
    claims.give_back(steps.db, old.task_id, old.attempt)
    new = steps.claim(old.ref)
    # When the first still reports
    tell(steps, old, 0)
    assert not finish(steps, old, 1)
    # Then nobody hears it
    assert told(steps, old.ref.job_id) == []
    assert finish(steps, new)


def test_a_new_run_tells_its_segments_anew(steps: Steps) -> None:
    # Given a job that completed
    claim = running(steps)
    assert finish(steps, claim, 0, 1)
    steps.run_out()
    # When it is run again from recognition on
    submit.retry(steps.db, claim.ref.job_id, "local", from_stage=Stage.TRANSCRIBE)
    (ref,) = steps.deliver()
    assert ref == TaskRef(claim.ref.job_id, 2, 0, Stage.TRANSCRIBE)
    tell(steps, steps.claim(ref), 0)
    # Then they are told again
    assert [segment["index"] for segment in told(steps, claim.ref.job_id)] == [0, 1, 0]


def test_a_text_that_a_database_cannot_keep_ends_nothing(steps: Steps) -> None:
    claim = running(steps)
    claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.5, [HeardSegment(0, 0.0, 1.0, "Oh\0 well.")])
    assert [segment["text"] for segment in told(steps, claim.ref.job_id)] == ["Oh well."]


def test_chunks_count_for_themselves(steps: Steps) -> None:
    _, messages = steps.prepared(2, JobType.TRANSCRIBE)
    for ref in messages:
        tell(steps, steps.claim(ref), 0)
    (job_id,) = {ref.job_id for ref in messages}
    assert [(segment["chunk"], segment["index"]) for segment in told(steps, job_id)] == [(0, 0), (1, 0)]
