"""What estimates are made of, as it is in both databases."""

from datetime import timedelta

import pytest

from octavia.jobs.lifecycle import submit
from octavia.jobs.status import estimates, job_details, workers
from octavia.jobs.status.estimates import Pace
from octavia.jobs.status.job_details import Remaining
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import NewJob, TaskRef
from octavia.jobs.tables.states import JobType, Priority, Queue, Stage
from tests.integration.jobs.steps import MEDIA, Steps


def took(steps: Steps, ref: TaskRef, seconds: float) -> None:
    started = steps.task(ref).started_at
    assert started is not None
    steps.change(ref, finished_at=started + timedelta(seconds=seconds))


def test_an_empty_service_knows_nothing(steps: Steps) -> None:
    found = estimates.outlook(steps.db)
    assert (found.paces, found.typical, found.workers, found.open_jobs) == ({}, None, (), {})
    job = steps.submit()
    assert estimates.expected_seconds(found, job_details.get(steps.db, job.id, "local")) is None


def test_the_pace_is_that_of_recent_tasks(steps: Steps) -> None:
    # Given a job of two chunks of 29 s, which took 2 and 4 s to recognise, and 1 s to prepare and to assemble
    steps.submit(JobType.TRANSCRIBE)
    for ref in steps.run_out(chunks=2):
        took(steps, ref, {-1: 1.0, 0: 2.0, 1: 4.0}[ref.chunk])
    # Then this is the pace, and this the length of a job
    found = estimates.outlook(steps.db)
    assert found.paces[Stage.TRANSCRIBE].per_second == pytest.approx(6 / 58, rel=1e-3)
    assert found.paces[Stage.ASSEMBLE].per_second == pytest.approx(1 / 58, rel=1e-3)
    assert found.typical == pytest.approx(58.0)
    assert Stage.SYNTHESIZE not in found.paces


def test_tasks_without_a_length_are_counted(steps: Steps) -> None:
    job = steps.submit(JobType.TRANSCRIBE)
    (prepare,) = steps.deliver()
    steps.do(prepare)
    steps.change_job(job.id, duration=None)
    took(steps, prepare, 3.0)
    assert estimates.outlook(steps.db).paces[Stage.PREPARE] == Pace(0.0, pytest.approx(3.0, rel=1e-3))


def test_workers_count_while_they_are_seen(steps: Steps) -> None:
    both = (Queue.DEFAULT, Queue.TRANSCRIBE)
    workers.mark_seen(steps.db, "here", "host", 1, both, None, 0)
    workers.mark_seen(steps.db, "gone", "host", 2, both, None, 0)
    with steps.db.transaction() as session:
        gone = session.get_one(estimates.Worker, "gone")
        gone.seen_at = now(session) - timedelta(minutes=2)
    assert estimates.outlook(steps.db).workers == (frozenset(both),)


def test_what_is_open_is_counted_by_priority(steps: Steps) -> None:
    # Given a job of three chunks, one of them recognised and one by half, and two that nobody has looked into
    _, messages = steps.prepared(3, JobType.TRANSCRIBE)
    one, two, _ = messages
    steps.do(one, messages[one])
    steps.claim(two)
    steps.change(two, progress=0.5)
    for _ in range(2):
        submit.create(steps.db, NewJob(JobType.DUB, "en", "es", priority=Priority.HIGH, input=dict(MEDIA)))
    steps.submit(start=False)
    # Then this is left
    found = estimates.outlook(steps.db).open_jobs
    assert (found[2].jobs, found[2].left, found[2].unplanned) == (1, {Stage.TRANSCRIBE: Remaining(1.5, 43.5, 0.0)}, {})
    assert (found[3].jobs, found[3].left, found[3].unplanned) == (2, {}, {JobType.DUB: 2})
    assert found.keys() == {2, 3}


def test_a_job_is_told_when_it_will_be_done(steps: Steps) -> None:
    # Given a service that has done one job, and a worker
    steps.submit(JobType.TRANSCRIBE)
    for ref in steps.run_out(chunks=2):
        took(steps, ref, 3.0)
    workers.mark_seen(steps.db, "here", "host", 1, tuple(Queue), None, 0)
    # When two more are submitted, then the second is done when both are: 12 s each on one worker
    first, second = steps.submit(JobType.TRANSCRIBE), steps.submit(JobType.TRANSCRIBE)
    found = estimates.outlook(steps.db)
    expected = [
        estimates.expected_seconds(found, job_details.get(steps.db, job.id, "local")) for job in (first, second)
    ]
    assert expected == [pytest.approx(12.0, abs=0.2), pytest.approx(24.0, abs=0.4)]
